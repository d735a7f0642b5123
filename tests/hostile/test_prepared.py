"""Odd models of odd data: all that is done before sampling ends in one error of ours, or can be sampled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pymc  # noqa: F401  sets Python's recursion limit, which Hypothesis wants to stay while a test runs
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from bayes_glmm.errors import GLMMError
from bayes_glmm.families import FAMILIES
from bayes_glmm.glmm import GLMM
from bayes_glmm.inference.densities.fixed_inputs import fixed_density
from bayes_glmm.inference.integral import integral_for
from bayes_glmm.inference.whitening import whitening_for
from tests.hostile.cases import frame, keep, put, within

FIXED = [
    *("x", "z", "f", "0", "1", "log(z)", "I(x**2)", "poly(x, 2)", "bs(x, df=4)", "C(g)", "x*f", "x:f", "f:g", "i"),
    *(
        "scale(z)",
        "center(x)",
        "where(b, x, z)",
        "answer",
        "share",
        "I(x * 1000000)",
        "I(100000000 + x)",
        "T(f, ref='b')",
    ),
    *("offset(z)", "offset(log(n))"),
]
RANDOM = [
    *("(1 | g)", "(x | g)", "(x || g)", "(1 | f)", "(f | g)", "(0 + f | g)", "(0 + f || g)", "(1 | g:f)", "(1 | g/f)"),
    *("(1 | i)", "(x + z | g)", "(0 + x | g)", "(poly(x, 2) | g)", "(1 | answer)", "(x | f)", "(0 + x | i)"),
    *("(I(x * 1000000) | g)", "(bs(x, df=4) || g)", "(1 | b)"),
    *("cs(0 + f | g)", "homcs(0 + answer | f)", "ar1(0 + f | g)", "ou(0 + C(b) | g)"),
]
RESPONSES = {
    "gaussian": ["y", "log(z)", "x"],
    "student_t": ["y"],
    "gamma": ["z", "share"],
    "lognormal": ["z", "share"],
    "weibull": ["z", "share"],
    "exponential": ["z"],
    "inverse_gaussian": ["z", "share"],
    "hurdle_gamma": ["z", "k"],
    "hurdle_lognormal": ["z", "k", "b"],
    "bernoulli": ["b", "answer", "f['c']"],
    "binomial": ["p(k, n)", "p(k, 9)"],
    "beta": ["share"],
    "zero_one_inflated_beta": ["share", "b"],
    "ordered_beta": ["share", "b"],
    "poisson": ["k", "i"],
    "negative_binomial": ["k"],
    "zero_inflated_poisson": ["k"],
    "zero_inflated_negative_binomial": ["k"],
    "zero_inflated_negative_binomial_1": ["k"],
    "hurdle_poisson": ["k"],
    "hurdle_negative_binomial": ["k"],
    "negative_binomial_1": ["k"],
    "truncated_poisson": ["i", "k"],
    "truncated_negative_binomial": ["i"],
    "truncated_negative_binomial_1": ["i"],
    "geometric": ["k"],
    "com_poisson": ["k"],
    "beta_binomial": ["p(k, n)", "p(k, 9)"],
    "zero_inflated_binomial": ["p(k, n)"],
    "zero_inflated_beta_binomial": ["p(k, n)"],
    "cumulative": ["k", "b"],
    "sratio": ["k", "b"],
    "cratio": ["k"],
    "acat": ["k"],
    "categorical": ["b", "answer", "f"],
}
EDITS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "none": keep,
    "one row a level": put(g=lambda d: d.i),
    "tiny": put(y=lambda d: d.y * 1e-60, x=lambda d: d.x * 1e-40),
    "huge": put(y=lambda d: d.y * 1e50, x=lambda d: d.x * 1e40),
    "separated": put(b=lambda d: (d.x > 0).astype(int)),
    "nearly all zeros": put(k=lambda d: (d.i == 3).astype(int), b=lambda d: (d.i == 3).astype(int)),
    "large counts": put(k=lambda d: d.k * 10**12, n=10**14),
    "two rows": lambda d: d.head(2),
    "five rows": lambda d: d.head(5),
    "five times": lambda d: pd.concat([d] * 5, ignore_index=True),
}
PRIORS: list[dict[str, str]] = [
    {},
    {"sd": "HalfNormal(1e-6)"},
    {"sd": "HalfCauchy(1e3)"},
    {"sd": "Gamma(2, 0.1)"},
    {"beta": "Flat()"},
    {"beta": "Uniform(0, 1)"},
]


@st.composite
def models(draw: st.DrawFn) -> tuple[str, str, str | None, str, dict[str, str]]:
    """Formula, family, link, edit of the data, priors."""
    family = draw(st.sampled_from(sorted(RESPONSES)))
    link = draw(st.none() | st.sampled_from(FAMILIES[family].links))
    fixed = draw(st.lists(st.sampled_from(FIXED), min_size=1, max_size=3, unique=True))
    random = draw(st.lists(st.sampled_from(RANDOM), max_size=2, unique=True))
    formula = f"{draw(st.sampled_from(RESPONSES[family]))} ~ {' + '.join([*fixed, *random])}"
    edit = draw(st.just("none") | st.sampled_from(sorted(EDITS)))
    return formula, family, link, edit, draw(st.just({}) | st.sampled_from(PRIORS))


def prepare(formula: str, family: str, link: str | None, edit: str, priors: dict[str, str]) -> str:
    """What becomes of a model before it is sampled."""
    try:
        model = GLMM(formula, EDITS[edit](frame()), family=family, link=link, priors=priors)
        assert all(found.advice for found in model.findings)
        if not model.priors.entries:
            return "nothing to estimate"
        assert model.pymc.initial_point()
    except GLMMError:
        return "an error"
    if not model.design.blocks:
        density = fixed_density(model.problem.canonical)
        assert density is None or all(np.isfinite(array).all() for array in density.arrays)
        return "plain" if density is None else "whitened"
    integral = integral_for(model.spec, model.design)
    whitening, why = whitening_for(model.problem.canonical)
    if whitening is None:
        assert why
    else:
        assert all(
            np.isfinite(values).all()
            for values in (whitening.H, whitening.R, whitening.S, whitening.fixed_and_others.steps)
        )
    return "plain" if whitening is None and integral is None else "integrated" if whitening is None else "whitened"


def test_every_family_is_tried() -> None:
    assert set(FAMILIES) == set(RESPONSES)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of what overflows on the way to an error or plain coordinates
@given(models())
@settings(max_examples=40)
def test_some_models(model: tuple[str, str, str | None, str, dict[str, str]]) -> None:
    with within(60):
        event(prepare(*model))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(models())
@settings(max_examples=150)
def test_many_models(model: tuple[str, str, str | None, str, dict[str, str]]) -> None:
    with within(60):
        event(prepare(*model))


def test_a_model_without_parameters_is_refused_in_words() -> None:
    model = GLMM("b ~ 0", frame(), family="bernoulli")
    with pytest.raises(GLMMError, match="nothing to estimate"):
        model.fit(draws=10, tune=10, chains=1, seed=1, progress=False)


@pytest.mark.parametrize(
    ("formula", "family", "link", "edit", "priors"),
    [
        # curvatures that are not finite
        ("log(z) ~ poly(x, 2) + 0 + f:g + (1 | answer) + (1 | f)", "gaussian", "inverse", "five times", {}),
        ("z ~ poly(x, 2) + (x | g) + (1 | f)", "gamma", "identity", "huge", {}),
        ("y ~ x + 0 + C(g) + (0 + f | g) + (1 | b)", "student_t", "log", "none", {}),
        ("answer ~ where(b, x, z) + (1 | f) + (x + z | g)", "bernoulli", "identity", "none", {}),
        ("i ~ f:g + x + 0 + (x | f)", "poisson", "identity", "separated", {}),
        # auxiliary parameters that leave the range of numbers
        ("k ~ x*f + (1 | answer)", "negative_binomial", None, "none", {"sd": "HalfNormal(1e-6)"}),
        ("k ~ answer + (x | g)", "negative_binomial", "log", "none", {"sd": "HalfNormal(1e-6)"}),
        ("y ~ x + (1 | answer)", "student_t", "log", "huge", {"sd": "HalfNormal(1e-6)"}),
        ("share ~ offset(log(n)) + answer + f + (1 | g/f)", "weibull", "log", "none", {"sd": "HalfNormal(1e-6)"}),
    ],
)
def test_models_that_once_ended_in_a_traceback(formula, family, link, edit, priors) -> None:
    assert prepare(formula, family, link, edit, priors) != "an error"
