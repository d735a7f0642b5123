"""Terms beside the response: what is left of a formula without them, and which are refused."""

from __future__ import annotations

import pytest

from bayes_glmm.errors import SpecError
from bayes_glmm.spec import ModelSpec
from bayes_glmm.spec.additions import without_additions

MEANINGS = [
    ("y | se(s) ~ x", "gaussian", ["y ~ x", "sigma ~ 0 + offset(log(s))"]),
    ("y | se(2 * s) ~ x", "student_t", ["y ~ x", "sigma ~ 0 + offset(log(2 * s))"]),
    ("y | weights(w, precision) ~ x + (1 | g)", "gaussian", ["y ~ x + (1 | g)", "sigma ~ 1 + offset(-0.5 * log(w))"]),
    ("y | weights(w, type = 'precision') ~ x", "gaussian", ["y ~ x", "sigma ~ 1 + offset(-0.5 * log(w))"]),
    ("y | rate(t) ~ x + (1 | g)", "poisson", ["y ~ x + (1 | g) + offset(log(t))"]),
    ("y | rate(t / 10) ~ offset(z)", "negative_binomial", ["y ~ offset(z) + offset(log(t / 10))"]),
    ("y | trials(n) ~ x", "binomial", ["p(y, n) ~ x"]),
]


@pytest.mark.parametrize(("formula", "family", "meaning"), MEANINGS)
def test_a_term_is_a_formula_without_it(formula: str, family: str, meaning: list[str]) -> None:
    spec = ModelSpec.from_formula(formula, family)
    assert spec == ModelSpec.from_formula(meaning, family)
    assert ModelSpec.from_dict(spec.to_dict()) == spec


def test_frequencies_are_kept_with_the_response() -> None:
    spec = ModelSpec.from_formula("p(y, n) | weights(w, frequency) ~ x + (1 | g)", "binomial")
    assert (spec.formula.frequency, spec.formula.trials) == ("w", "n")
    assert str(spec.formula) == "p(y, n) | weights(w, frequency) ~ x + (1 | g)"
    assert ModelSpec.from_dict(spec.to_dict()) == spec == ModelSpec.from_formula(str(spec.formula), "binomial")


def test_censoring_and_bounds_are_kept_with_the_response() -> None:
    written = "y | weights(w, frequency) + cens(c, y2) + trunc(lb=0, ub=u + 1) ~ x + (1 | g)"
    spec = ModelSpec.from_formula(written, "weibull")
    assert spec.formula.censoring == ("c", "y2")
    assert spec.formula.bounds == {"lb": "0", "ub": "u + 1"}
    assert str(spec.formula) == written
    assert ModelSpec.from_dict(spec.to_dict()) == spec == ModelSpec.from_formula(str(spec.formula), "weibull")


def test_several_terms_are_joined() -> None:
    text, found = without_additions("y | trials(n) + weights(`my w`, frequency) ~ x | z")
    assert (text, found.frequency) == ("y | trials(n) ~ x | z", "`my w`")


@pytest.mark.parametrize(
    ("formula", "family", "words"),
    [
        ("y | se(s) ~ x", "poisson", "does not have"),
        ("y | se(s) ~ x", "gamma", "does not have"),
        ("y | weights(w, precision) ~ x", "bernoulli", "does not have"),
        ("y | rate(t) ~ x", "gaussian", "is for counts"),
        ("y | rate(t) ~ x", "poisson", "needs the log link"),
        ("y | se(s) + weights(w, precision) ~ x", "gaussian", "about the same"),
        ("y | weights(w) ~ x", "gaussian", "different things"),
        ("y | weights(w, likelihood) ~ x", "gaussian", "different things"),
        ("y | weights(w + 1, frequency) ~ x", "gaussian", "are a column"),
        ("y | se() ~ x", "gaussian", "not understood"),
        ("y | cens(a, b, c) ~ x", "gaussian", "takes the kind of censoring"),
        ("censored(y) ~ x", "gaussian", "not understood"),
        ("y | trunc(a=1) ~ x", "gaussian", "not understood"),
        ("y | trunc(-Inf) ~ x", "gaussian", "lower and an upper"),
        ("y | cens(c) ~ x", "ordered_beta", "distribution function"),
        ("y | trials(n) + cens(c) ~ x", "binomial", "distribution function"),
        ("y | se(s ~ x", "gaussian", "is missing"),
        ("y | s ~ x", "gaussian", "not understood"),
        ("y | se(s) | trials(n) ~ x", "gaussian", "not understood"),
    ],
)
def test_terms_without_a_meaning_are_refused(formula: str, family: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        ModelSpec.from_formula(formula, family, "identity" if family == "poisson" and "rate" in formula else None)


def test_sigma_has_one_formula() -> None:
    with pytest.raises(SpecError, match="two formulas"):
        ModelSpec.from_formula(["y | se(s) ~ x", "sigma ~ z"])
