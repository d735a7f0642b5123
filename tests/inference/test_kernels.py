"""What kernels of the usual families owe: mpmath's numbers, PyTensor's and JAX's, whoever compiles them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import mpmath
import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from scipy import stats

import bayes_glmm as bg
from bayes_glmm.families import get_family
from bayes_glmm.inference import ENGINES, Settings
from bayes_glmm.inference.densities.ahead import COMMON_PAIRS
from bayes_glmm.inference.kernels.fused import (
    FusedLogLikelihood,
    fast_likelihood,
    fused_likelihood,
    fused_likelihood_of_eta,
)
from bayes_glmm.inference.kernels.generated import kernel_of
from bayes_glmm.inference.kernels.inputs import predictor_inputs, response_inputs, row_order
from bayes_glmm.inference.kernels.loops import FORMS
from bayes_glmm.inference.kernels.operation import compiled
from bayes_glmm.inference.reduce import reduce_rows
from bayes_glmm.model import build_model

PYTHON = Mode(linker="py", optimizer="fast_compile")  # a few evaluations are not worth a compiler
EVERY = pytest.mark.parametrize(("family", "link"), COMMON_PAIRS, ids=["-".join(key) for key in COMMON_PAIRS])
EVERY_FORM = pytest.mark.parametrize("form", FORMS)
NEEDS_JAX = pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")

ETA = (-700.0, -300.0, -40.0, -9.0, -1.3, 0.0, 1e-8, 0.7, 9.0, 40.0, 300.0, 700.0)
# y and trials
ROWS: dict[str, list[tuple[float, float]]] = {
    "binary": [(0.0, 1.0), (1.0, 1.0)],
    "successes": [(0.0, 4.0), (3.0, 5.0), (5.0, 5.0)],
    "count": [(0.0, 1.0), (1.0, 1.0), (17.0, 1.0), (4321.0, 1.0)],
    "positive": [(0.07, 1.0), (1.1, 1.0), (4.0, 1.0)],
    "real": [(-1.3, 1.0), (0.2, 1.0), (80.0, 1.0)],
}
AUXILIARY = {"sigma": (0.03, 1.3, 50.0), "phi": (0.03, 2.4, 37.0, 1e6), "zi": (0.01, 0.3, 0.99), "": (1.0,)}


def _binomial_terms(y: Any, n: Any, eta: Any, a: Any) -> list[Any]:
    failed, succeeded = -mpmath.log1p(mpmath.exp(eta)), -mpmath.log1p(mpmath.exp(-eta))
    return [mpmath.log(mpmath.binomial(n, y)), y * succeeded, (n - y) * failed]


# log p(y | eta, a) as the terms that textbooks add up: their absolute values are what an error is relative to
TERMS: dict[str, Callable[..., list[Any]]] = {
    "bernoulli": _binomial_terms,
    "binomial": _binomial_terms,
    "poisson": lambda y, n, eta, a: [y * eta, -mpmath.exp(eta), -mpmath.loggamma(y + 1)],
    "negative_binomial": lambda y, n, eta, a: [
        mpmath.loggamma(y + a),
        -mpmath.loggamma(a),
        -mpmath.loggamma(y + 1),
        -y * mpmath.log1p(a * mpmath.exp(-eta)),
        -a * mpmath.log1p(mpmath.exp(eta) / a),
    ],
    "gamma": lambda y, n, eta, a: [
        a * mpmath.log(a),
        -a * eta,
        -mpmath.loggamma(a),
        (a - 1) * mpmath.log(y),
        -a * y * mpmath.exp(-eta),
    ],
    "gaussian": lambda y, n, eta, a: [
        -(((y - eta) / a) ** 2) / 2,
        -mpmath.log(a),
        -mpmath.log(2 * mpmath.pi) / 2,
    ],
}


def error(actual: float, terms: list[Any]) -> float:
    """Distance from the sum of the terms, relative to the sum of their absolute values."""
    expected, scale = sum(terms), sum(abs(term) for term in terms)
    if not np.isfinite(float(expected)):  # beyond the doubles: -inf is right
        return 0.0 if actual == float(expected) else np.inf
    return float(abs(actual - expected) / scale) if scale else abs(actual)


def largest_error(family: str, link: str, row: tuple[float, float], eta: float, a: float) -> float:
    """Of the value, the gradient in eta and the slope in a, at copies of one row."""
    copies = 24  # enough to be taken several at a time
    y, n = (np.full(copies, number) for number in row)
    statistics = np.asarray(kernel_of(family, link).statistics(y, n), float)
    value, gradient, slope = compiled("predictor", family, link)(y, n, statistics, np.full(copies, eta), np.array([a]))
    with mpmath.workdps(40):
        at = [mpmath.mpf(number) for number in (*row, eta, a)]
        terms = TERMS[family](*at)
        by_eta = [mpmath.diff(lambda x, k=k: TERMS[family](*at[:2], x, at[3])[k], at[2]) for k in range(len(terms))]
        by_a = [
            mpmath.diff(lambda x, k=k: TERMS[family](*at[:3], x)[k], at[3], relative=True) for k in range(len(terms))
        ]
        errors = [error(value, [copies * term for term in terms]), *(error(entry, by_eta) for entry in gradient)]
        return max(*errors, error(slope[0], [copies * term for term in by_a]))


@EVERY
def test_value_and_gradient_are_mpmaths(family: str, link: str) -> None:
    record = get_family(family)
    auxiliary = AUXILIARY[next(iter(record.auxiliary), "")]
    for row, eta, a in itertools.product(ROWS[record.response.name], ETA, auxiliary):
        assert largest_error(family, link, row, eta, a) <= 1e-12, f"(y, n) = {row}, eta = {eta}, a = {a}"


@EVERY
def test_only_nan_gives_nan(family: str, link: str) -> None:
    record = get_family(family)
    for row in ROWS[record.response.name]:
        y, n = (np.full(24, number) for number in row)
        statistics = np.asarray(kernel_of(family, link).statistics(y, n), float)
        for eta in (-1e300, -1e3, 1e3, 1e300, np.nan):
            outputs = compiled("predictor", family, link)(y, n, statistics, np.full(24, eta), np.array([1.3]))
            for output in outputs[: 2 + bool(record.auxiliary)]:
                assert (np.isnan(output) == np.isnan(eta)).all(), f"(y, n) = {row}, eta = {eta}: {output}"


@pytest.mark.parametrize("uncertain", [0.0, 0.15, 1.0])
def test_binary_rows_together_are_their_sum(uncertain: float) -> None:
    """One logarithm serves many rows: in the tails, where nothing is left of a single factor, and in between."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 3517).astype(float)
    known = np.where(y == 1.0, 1.0, -1.0) * (30.0 + 9.0 * rng.normal(size=len(y)))
    eta = np.where(rng.random(len(y)) < uncertain, rng.normal(size=len(y)), known)
    value, gradient, _ = compiled("predictor", "bernoulli", "logit")(y, y, np.zeros(1), eta, np.array([1.0]))
    with mpmath.workdps(40):
        terms = [-mpmath.log1p(mpmath.exp(x if k == 0.0 else -x)) for k, x in zip(y, eta, strict=True)]
        assert error(value, terms) <= 1e-12
        slopes = [k - 1 / (1 + mpmath.exp(-x)) for k, x in zip(y, map(mpmath.mpf, eta), strict=True)]
        assert max(error(actual, [slope]) for actual, slope in zip(gradient, slopes, strict=True)) <= 1e-12


@cache
def model_of(family: str, link: str) -> bg.GLMM:
    """Crossed factors, a correlated slope, an offset, a numeric predictor; more rows than a block of the pass."""
    rng, rows = np.random.default_rng(6), 1500
    record = get_family(family)
    trials = rng.integers(1, 9, rows)
    y = {
        "binary": rng.integers(0, 2, rows),
        "successes": rng.binomial(trials, 0.4),
        "count": rng.poisson(rng.gamma(1.0, 4.0, rows)),
        "positive": rng.gamma(2.0, 1.0, rows),
        "real": rng.normal(1.0, 2.0, rows),
    }[record.response.name]
    data = pd.DataFrame({"y": y, "n": trials, "x": rng.normal(size=rows), "t": rng.uniform(0.5, 2.0, rows)})
    data = data.assign(g=rng.integers(0, 40, rows), h=rng.integers(0, 7, rows))
    left = "p(y, n)" if record.response.trials else "y"
    return bg.GLMM(f"{left} ~ x + offset(t) + (x | g) + (1 | h)", data, family=family, link=link)


def parts(model: bg.GLMM) -> tuple[pm.Model, Any, dict[str, Any], dict[str, Any]]:
    """The plain model and its variables: beta, u by group, auxiliary parameters."""
    plain = model.pymc
    u = {block.group: plain[f"u_{block.group}"] for block in model.design.blocks}
    return plain, plain["beta"], u, {name: plain[name] for name in model.spec.family.auxiliary}


def linear_predictor(model: bg.GLMM, beta: Any, u: dict[str, Any]) -> Any:
    eta = model.design.offset + (model.design.X * beta).sum(axis=1)
    for block in model.design.blocks:
        eta = eta + (u[block.group][block.index] * block.values).sum(axis=1)
    return eta


@EVERY
def test_the_model_keeps_its_log_likelihood(family: str, link: str) -> None:
    model = model_of(family, link)
    plain, beta, u, auxiliary = parts(model)
    with plain:
        pm.Potential("fused", fused_likelihood(model.spec, model.design, {"mu": beta}, u, auxiliary))
        eta = linear_predictor(model, beta, u)
        pm.Potential("of_eta", fused_likelihood_of_eta(model.spec, model.design, {"mu": eta}, auxiliary))
    values = [plain.logp(vars=plain[name]) for name in (model.design.response, "fused", "of_eta")]
    parameters = plain.value_vars
    outputs = [[value, *pt.grad(value, parameters)] for value in values]
    evaluate = pm.compile(parameters, [output for part in outputs for output in part], mode=PYTHON)
    rng = np.random.default_rng(8)
    for _ in range(2):
        point = [rng.normal(0, 0.4, value.shape) for value in plain.initial_point().values()]
        results = evaluate(*point)
        expected = results[: len(outputs[0])]
        for start in (len(expected), 2 * len(expected)):
            for ours, pytensors in zip(results[start : start + len(expected)], expected, strict=True):
                # entries of a gradient are sums of terms of both signs: relative to the largest
                np.testing.assert_allclose(ours, pytensors, rtol=1e-10, atol=1e-10 * np.abs(pytensors).max())


def inputs_of(form: str, family: str, link: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Data of the model in a form's order, and a point to evaluate at."""
    design, rng = model_of(family, link).design, np.random.default_rng(7)
    order = row_order(design)
    X, Z, index, target = predictor_inputs(design, order)
    point = {"beta": rng.normal(0, 0.5, len(X)), "u": rng.normal(0, 0.5, index.max() + 1), "auxiliary": np.array([1.7])}
    named = {"X": X, "Z": Z, "index": index, "target": target} | point
    named["eta"] = FORMS["design"].eta(named, 1).ravel()
    named |= zip(("y", "trials", "statistics"), response_inputs(kernel_of(family, link), design, order), strict=True)
    return [named[name] for name in FORMS[form].data], [named[name] for name in FORMS[form].parameters]


@EVERY_FORM
@EVERY
def test_gradient_is_that_of_finite_differences(form: str, family: str, link: str) -> None:
    data, point = inputs_of(form, family, link)
    evaluate = compiled(form, family, link)
    value, *gradient = evaluate(*data, *point)
    rng, h = np.random.default_rng(9), 1e-5
    for j in range(len(point) - (not get_family(family).auxiliary)):
        direction = np.asarray(rng.normal(size=point[j].shape))
        above, below = (
            evaluate(*data, *point[:j], point[j] + step * direction, *point[j + 1 :])[0] for step in (h, -h)
        )
        # central differences err by h^2, relative, and by the rounding of the value over h
        expected = pytest.approx((above - below) / (2 * h), rel=1e-7, abs=1e-15 * abs(value) / h)
        assert np.vdot(gradient[j], direction) == expected


@EVERY_FORM
def test_there_is_no_second_derivative(form: str) -> None:
    data, point = inputs_of(form, "poisson", "log")
    parameters = [pt.as_tensor(x).type() for x in point]
    value = FusedLogLikelihood(form, "poisson", "log")(*data, *parameters)[0]
    with pytest.raises(NotImplementedError, match="no second derivatives"):
        pt.grad(pt.grad(value, parameters[0]).sum(), parameters[0])


def backend(mode: str, form: str, family: str, link: str, data: list[Any], point: list[Any]) -> list[Any]:
    """Thrice the value and its gradient, by a backend of PyTensor."""
    parameters = [pt.as_tensor(x).type() for x in point]
    value = 3.0 * FusedLogLikelihood(form, family, link)(*data, *parameters)[0]
    return pytensor.function(parameters, [value, *pt.grad(value, parameters)], mode=mode)(*point)


@NEEDS_JAX
@EVERY_FORM
@EVERY
def test_jax_has_the_same_numbers(form: str, family: str, link: str) -> None:
    import bayes_glmm.inference.kernels.jax_form  # noqa: F401

    data, point = inputs_of(form, family, link)
    expected = compiled(form, family, link)(*data, *point)
    for one, other in zip(backend("JAX", form, family, link, data, point), expected, strict=True):
        np.testing.assert_allclose(one, 3.0 * other, rtol=1e-10, atol=1e-10 * np.abs(other).max())


@EVERY_FORM
def test_numba_keeps_one_compilation_for_all_data(form: str) -> None:
    data, point = inputs_of(form, "poisson", "log")
    other_data = [data[0] + 1.0, *data[1:]]
    expected = [compiled(form, "poisson", "log")(*each, *point) for each in (data, other_data)]
    actual = [backend("NUMBA", form, "poisson", "log", data, point)]  # fills the cache on disk, if need be
    compiled.cache_clear()
    actual.append(backend("NUMBA", form, "poisson", "log", other_data, point))
    assert compiled(form, "poisson", "log").signatures == [], "compiled anew"
    for one, other in zip(itertools.chain(*actual), itertools.chain(*expected), strict=True):
        np.testing.assert_allclose(one, 3.0 * other, rtol=1e-12)


# nutpie's compilation alone takes some ten seconds, so the other engines wait for -m slow
ENGINE = [pytest.param(name, marks=[] if name == "nutpie" else pytest.mark.slow) for name in ENGINES]


def _counts() -> bg.GLMM:
    rng = np.random.default_rng(10)
    data = pd.DataFrame({"y": rng.poisson(3, 40), "x": rng.normal(size=40), "g": np.repeat(np.arange(8), 5)})
    # a large phi costs PyMC's density its digits: log Gamma(y + phi) - log Gamma(phi)
    return bg.GLMM("y ~ x + (1 | g)", data, family="negative_binomial", priors={"phi": "Gamma(2, 1)"})


def _rows_that_merge() -> bg.GLMM:
    rng = np.random.default_rng(11)
    data = pd.DataFrame({"y": rng.integers(0, 2, 40), "x": rng.integers(0, 2, 40), "g": np.repeat(np.arange(8), 5)})
    model = bg.GLMM("y ~ x + (1 | g)", data, family="bernoulli")
    assert len(reduce_rows(model.spec, model.design).design.y) < 20
    return model


@pytest.mark.parametrize("engine", ENGINE)
@pytest.mark.parametrize("make", [_counts, _rows_that_merge])
def test_engines_sample_the_plain_model(engine: str, make: Callable[[], bg.GLMM]) -> None:
    if engine == "numpyro":
        pytest.importorskip("numpyro")
    model = make()
    settings = Settings(draws=10, tune=20, chains=1, seed=1, cores=1, progress=False)
    fused = build_model(model.problem, fast_likelihood)
    assert not fused.observed_RVs
    tree = ENGINES[engine].sample(fused, settings)
    plain, statistics = model.pymc, tree["sample_stats"]
    log_density = plain.compile_logp(mode=PYTHON)
    of_engine = statistics["logp" if "logp" in statistics else "lp"].to_numpy()[0]
    for draw, actual in enumerate(of_engine):
        values = {variable: tree["posterior"][variable.name].to_numpy()[0, draw] for variable in plain.free_RVs}
        # every transform of this model is a logarithm
        point = {
            plain.rvs_to_values[variable].name: np.log(value) if plain.rvs_to_transforms[variable] else value
            for variable, value in values.items()
        }
        # NumPyro's lp is the potential energy
        assert (-actual if engine == "numpyro" else actual) == pytest.approx(float(log_density(point)), rel=1e-9)


@pytest.mark.parametrize("formula", ["y ~ x", "y ~ 0 + (1 | g)", "y ~ 0 + offset(x)"])
def test_a_part_of_the_predictor_may_be_missing(formula: str) -> None:
    data = pd.DataFrame({"y": [0, 3, 1, 2], "x": [0.1, 0.2, 0.3, 0.5], "g": ["a", "b", "a", "b"]})
    model = bg.GLMM(formula, data, family="poisson")
    beta = np.array([0.3, -0.2]) if model.design.coefficients else None
    u = {block.group: np.array([[0.4], [-0.7]]) for block in model.design.blocks}
    value = fused_likelihood(model.spec, model.design, {"mu": beta}, u, {})
    rate = np.exp(linear_predictor(model, 0.0 if beta is None else beta, u))
    assert value is not None
    assert value.eval(mode=PYTHON) == pytest.approx(np.sum(stats.poisson.logpmf(data["y"], rate)), rel=1e-12)
