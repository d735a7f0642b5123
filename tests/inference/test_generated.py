"""Kernels written from densities: values of the density, derivatives of the power series, for every family and link."""

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest

from bayes_glmm.families import LINKS, Response, family_of_key
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.densities.whitened_inputs import whitened_density
from bayes_glmm.inference.kernels.entries import TOGETHER, Kernel
from bayes_glmm.inference.kernels.generated import generated, kernel_of
from bayes_glmm.inference.kernels.loops import FORMS
from bayes_glmm.inference.whitening import whitening_for
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.numerics.series import SERIES, variables
from tests.families import EACH
from tests.likelihood import cases

# with one linear predictor
PAIRS = [(family.key, link) for family in EACH if not family.shared_formula for link in family.links]
EVERY = pytest.mark.parametrize(("family", "link"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
COUNT = 600
CONSTANTS = (0.03, 2.4, 900.0)


@cache
def made(family: str, link: str) -> tuple[Kernel, Any]:
    """The kernel from the density, and the pass over given predictors."""
    kernel = generated(family, link)
    return kernel, FORMS["predictor"].make(kernel)


def rows(family: str, link: str) -> tuple[Response, np.ndarray]:
    """Responses, the extreme ones among them, and linear predictors that the link takes."""
    rng, kind = np.random.default_rng(4), family_of_key(family).response.name
    trials = rng.integers(1, 7, COUNT).astype(float)
    values = {
        "real": rng.normal(0.0, 3.0, COUNT),
        "positive": rng.gamma(0.5, 2.0, COUNT),
        "count": (counts := rng.poisson(rng.gamma(0.5, 8.0, COUNT)).astype(float)),
        "positive_count": 1.0 + counts,
        "binary": rng.integers(0, 2, COUNT).astype(float),
        "successes": rng.binomial(trials.astype(int), 0.4).astype(float),
        "fraction": rng.beta(0.7, 0.9, COUNT),
        "nonnegative": rng.gamma(0.5, 2.0, COUNT) * (rng.uniform(size=COUNT) < 0.6),
        "closed_fraction": np.clip(rng.beta(0.7, 0.9, COUNT) * 1.6 - 0.3, 0.0, 1.0),
        "ordered": rng.integers(1, 5, COUNT).astype(float),
    }[kind]
    share = kind in ("binary", "successes", "fraction", "closed_fraction", "ordered")
    inside = rng.uniform(0.001, 0.999, COUNT) if share else rng.gamma(0.5, 4.0, COUNT)
    return Response(values, trials if kind == "successes" else None), LINKS[link].forward(inside, NUMPY)


def evaluated(
    family: str, link: str, y: Response, eta: np.ndarray, a: list[float]
) -> tuple[float, np.ndarray, np.ndarray]:
    kernel, evaluate = made(family, link)
    trials = y.values if y.trials is None else y.trials
    statistics = np.asarray(kernel.statistics(y.values, trials), float)
    value, slopes, by_a = evaluate(y.values, trials, statistics, eta, np.array(a or [1.0]))
    return float(value), slopes, by_a


@EVERY
@pytest.mark.parametrize("a", CONSTANTS)
def test_value_and_slopes_are_those_of_the_density(family: str, link: str, a: float) -> None:
    record, (y, eta) = family_of_key(family), rows(family, link)
    constants = {
        name: a / (1.0 + a) if one.support == "unit" else min(a, 300.0 if name in record.steps else a) + 1.7 * k
        for k, (name, one) in enumerate(record.auxiliary.items())
    }
    value, slopes, by_a = evaluated(family, link, y, eta, [*constants.values()])
    density = record.log_density(y, record.at({"mu": (eta, LINKS[link])}, constants, NUMPY), NUMPY)
    assert value == pytest.approx(density.sum(), abs=1e-12 * np.abs(density).sum())
    moving, parameters = variables(eta, constants, 1)
    series = record.log_density(y, record.at({"mu": (moving, LINKS[link])}, parameters, SERIES), SERIES)
    np.testing.assert_allclose(slopes, series.derivative(1), rtol=1e-10, atol=1e-12 * np.abs(slopes).max())
    for name, slope in zip(record.auxiliary, by_a, strict=False):  # a family without has one that nothing reads
        own = series.derivative(0, name)
        # series take a difference of digammas of about 7, whose rounding each row adds
        assert slope == pytest.approx(own.sum(), abs=1e-11 * np.abs(own).sum() + 1e-15 * COUNT)


# log p and log(1 - p)
PROBABILITIES: dict[str, Any] = {
    "logit": lambda eta: (-mpmath.log1p(mpmath.exp(-eta)), -mpmath.log1p(mpmath.exp(eta))),
    "probit": lambda eta: (mpmath.log(mpmath.ncdf(eta)), mpmath.log(mpmath.ncdf(-eta))),
    "cloglog": lambda eta: (mpmath.log(-mpmath.expm1(-mpmath.exp(eta))), -mpmath.exp(eta)),
    "cauchit": lambda eta: (
        mpmath.log(mpmath.atan2(1, -eta) / mpmath.pi),
        mpmath.log(mpmath.atan2(1, eta) / mpmath.pi),
    ),
}


@pytest.mark.parametrize("link", PROBABILITIES)
@pytest.mark.parametrize("eta", [-700.0, -300.0, -40.0, -9.0, -1.3, 1e-8, 0.7, 3.0, 5.5, 9.0, 40.0, 300.0, 700.0])
def test_probabilities_of_both_tails_are_mpmaths(link: str, eta: float) -> None:
    for y in (0.0, 1.0):
        value, slopes, _ = evaluated("bernoulli", link, Response(np.full(24, y)), np.full(24, eta), [])
        with mpmath.workdps(400):  # 1 - exp(-e^-700) has no digits otherwise
            expected = PROBABILITIES[link](mpmath.mpf(eta))[0 if y else 1]
            slope = mpmath.diff(lambda x: PROBABILITIES[link](x)[0 if y else 1], mpmath.mpf(eta))  # noqa: B023
        assert value == pytest.approx(24 * float(expected), rel=1e-12)
        np.testing.assert_allclose(slopes, float(slope), rtol=1e-11)


@pytest.mark.parametrize(("family", "link"), TOGETHER, ids=["-".join(key) for key in TOGETHER])
def test_rows_together_are_rows_one_by_one(family: str, link: str) -> None:
    y, eta = rows(family, link)
    trials = y.values if y.trials is None else y.trials
    together = kernel_of(family, link)
    assert together.rows is not None
    statistics = np.asarray(together.statistics(y.values, trials), float)
    value, slopes, _ = FORMS["predictor"].make(together)(y.values, trials, statistics, eta, np.array([1.0]))
    other = evaluated(family, link, y, eta, [])
    assert value == pytest.approx(other[0], rel=1e-12)
    np.testing.assert_allclose(slopes, other[1], rtol=1e-12)


def test_what_the_data_decide_is_computed_once() -> None:
    """Under the negative binomial only distinct counts are looked at in each call, and nothing at all under others."""
    y = np.array([0.0, 3.0, 3.0, 0.0, 1.0])
    kernel, _ = made("negative_binomial", "identity")
    _, count, *table = kernel.statistics(y, y)
    assert count == 5
    assert [1.0, 2.0, 2.0] == sorted(np.reshape(table, (3, -1))[:, 0])
    for family, link in (("poisson", "sqrt"), ("bernoulli", "probit"), ("beta", "logit")):
        assert len(made(family, link)[0].statistics(np.full(5, 0.5), np.ones(5))) == 2
    y = np.array([0.3, 1.7, 2.0])
    _, count, logs = made("gamma", "inverse")[0].statistics(y, y)  # (phi - 1) log y needs the sum of log y alone
    assert (count, logs) == (3, pytest.approx(np.log(y).sum(), rel=1e-15))


GENERATED = [
    ("binomial", "cloglog"),
    ("beta", "probit"),
    ("gamma", "identity"),
    ("negative_binomial", "sqrt"),
    ("student_t", "identity"),
]


@cache
def whitened(family: str, link: str) -> Density:
    problem = cases.model(family, "crossed", link).problem.canonical
    whitening, why = whitening_for(problem)
    assert whitening is not None, why
    density = whitened_density(whitening)
    assert density is not None
    return density


@pytest.mark.parametrize(("family", "link"), GENERATED, ids=["-".join(pair) for pair in GENERATED])
def test_gradients_of_compiled_posteriors_are_those_of_their_values(family: str, link: str) -> None:
    density = whitened(family, link)
    x = density.start + 0.05 * np.random.default_rng(1).normal(size=len(density.start))
    value, gradient = density(x)
    assert np.isfinite(value)
    numerical = [(density(x + step)[0] - density(x - step)[0]) / 2e-5 for step in 1e-5 * np.eye(len(x))]
    np.testing.assert_allclose(gradient, numerical, rtol=1e-6, atol=2e-6)
