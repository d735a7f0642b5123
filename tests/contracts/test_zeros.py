"""Counts and successes with zeros of their own, or more spread: far tails by mpmath, PyMC's densities, exact draws."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from bayes_glmm.families import FAMILIES, LINKS, Family, Response
from bayes_glmm.numerics.functions import NUMPY

CONSTANTS = {"phi": 2.4, "zi": 0.3, "hu": 0.4}
TRIALS = 9
COUNTS: tuple[str, ...] = (
    "hurdle_poisson",
    "hurdle_negative_binomial",
    "zero_inflated_poisson",
    "zero_inflated_negative_binomial",
)
COUNTS += ("zero_inflated_negative_binomial_1", "negative_binomial_1", "geometric")
TRUNCATED = ("truncated_poisson", "truncated_negative_binomial", "truncated_negative_binomial_1")
COUNTS += TRUNCATED
SUCCESSES = ("beta_binomial", "zero_inflated_binomial", "zero_inflated_beta_binomial")
Precise = Callable[[int, mpmath.mpf], mpmath.mpf]


def log_density(family: Family, y: Any, eta: Any, trials: Any = None, **moved: float) -> np.ndarray:
    constants = {name: np.array((CONSTANTS | moved)[name]) for name in family.auxiliary}
    at = family.at({"mu": (np.asarray(eta, float), LINKS[family.links[0]])}, constants, NUMPY)
    return family.log_density(Response(np.asarray(y, float), trials), at, NUMPY)


def _poisson(y: int, eta: mpmath.mpf, phi: mpmath.mpf) -> mpmath.mpf:
    return y * eta - mpmath.exp(eta) - mpmath.loggamma(y + 1)


def _negative_binomial(y: int, shape: mpmath.mpf, odds: mpmath.mpf) -> mpmath.mpf:
    """The odds are those of an event."""
    ways = mpmath.loggamma(shape + y) - mpmath.loggamma(shape) - mpmath.loggamma(y + 1)
    return ways + y * mpmath.log(odds / (1 + odds)) - shape * mpmath.log1p(odds)


def _nb2(y: int, eta: mpmath.mpf, phi: mpmath.mpf) -> mpmath.mpf:
    return _negative_binomial(y, phi, mpmath.exp(eta) / phi)


def _nb1(y: int, eta: mpmath.mpf, phi: mpmath.mpf) -> mpmath.mpf:
    return _negative_binomial(y, mpmath.exp(eta) / phi, phi)


def _geometric(y: int, eta: mpmath.mpf, phi: mpmath.mpf) -> mpmath.mpf:
    return _negative_binomial(y, mpmath.mpf(1), mpmath.exp(eta))


def _precise(name: str, y: int, eta: float, phi: float) -> mpmath.mpf:
    """The log density with 400 digits."""
    own: dict[str, Any] = {"poisson": _poisson, "negative_binomial": _nb2, "negative_binomial_1": _nb1}
    base = name.removeprefix("zero_inflated_").removeprefix("hurdle_").removeprefix("truncated_")
    p = partial((own | {"geometric": _geometric})[base], eta=mpmath.mpf(eta), phi=mpmath.mpf(phi))
    zi, hu = mpmath.mpf(CONSTANTS["zi"]), mpmath.mpf(CONSTANTS["hu"])
    if name.startswith("zero_inflated"):
        return mpmath.log(zi + (1 - zi) * mpmath.exp(p(0))) if y == 0 else mpmath.log1p(-zi) + p(y)
    if name.startswith("hurdle"):
        return mpmath.log(hu) if y == 0 else mpmath.log1p(-hu) + p(y) - mpmath.log(-mpmath.expm1(p(0)))
    if name.startswith("truncated"):
        return p(y) - mpmath.log(-mpmath.expm1(p(0)))
    return p(y)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("phi", [0.03, 2.4, 5e7])
def test_counts_far_out_are_exact(name: str, phi: float) -> None:
    """To 1e-10 of the largest term: with y log mu or mu near 1e7 the last digits of terms are those of 1e-9."""
    family, etas, counts = (
        FAMILIES[name],
        (-700.0, -300.0, -40.0, -3.0, 0.0, 4.0, 13.5, 40.0, 300.0),
        (0, 1, 2, 17, 10**6),
    )
    with mpmath.workdps(400):
        for eta in etas:
            for y in counts[name in TRUNCATED :]:
                expected = _precise(name, y, eta, phi)
                largest = max(1.0, abs(float(expected)), y * abs(eta - np.log(phi)), y * np.log(y + 1.0), y * abs(eta))
                found = float(log_density(family, y, eta, phi=phi))
                assert abs(found - float(expected)) < 1e-10 * largest, (eta, y, found, float(expected))


def _precise_successes(name: str, y: int, logit: float, phi: float) -> mpmath.mpf:
    p = 1 / (1 + mpmath.exp(-mpmath.mpf(logit)))

    def log_p(y: int) -> mpmath.mpf:
        ways = mpmath.log(mpmath.binomial(TRIALS, y))
        if name.endswith("beta_binomial"):
            a, b = p * phi, (1 - p) * phi
            return ways + mpmath.log(mpmath.rf(a, y) * mpmath.rf(b, TRIALS - y) / mpmath.rf(a + b, TRIALS))
        return ways + y * mpmath.log(p) + (TRIALS - y) * mpmath.log1p(-p)

    if not name.startswith("zero_inflated"):
        return log_p(y)
    zi = mpmath.mpf(CONSTANTS["zi"])
    return mpmath.log(zi + (1 - zi) * mpmath.exp(log_p(0))) if y == 0 else mpmath.log1p(-zi) + log_p(y)


@pytest.mark.parametrize("name", SUCCESSES)
@pytest.mark.parametrize("phi", [0.03, 2.4, 5e7, 1e13])
def test_successes_far_out_are_exact(name: str, phi: float) -> None:
    with mpmath.workdps(400):
        for logit in (-700.0, -40.0, -3.0, 0.0, 2.0, 40.0, 700.0):
            for y in (0, 1, 5, TRIALS):
                expected = float(_precise_successes(name, y, logit, phi))
                found = float(log_density(FAMILIES[name], y, logit, float(TRIALS), phi=phi))
                assert found == pytest.approx(expected, rel=1e-10, abs=1e-10), (logit, y)


def test_densities_are_those_of_pymc() -> None:
    """At ordinary points; those of PyMC that models do without fail in the tails."""
    import pymc as pm

    y, eta = (axis.ravel() for axis in np.meshgrid([0.0, 1.0, 4.0, 9.0], [-1.2, 0.3, 1.7]))
    mu, p, phi, zi, hu = np.exp(eta), 1.0 / (1.0 + np.exp(-eta)), *(np.array(one) for one in CONSTANTS.values())
    theirs = {
        "hurdle_poisson": pm.HurdlePoisson.dist(psi=1.0 - hu, mu=mu),
        "hurdle_negative_binomial": pm.HurdleNegativeBinomial.dist(psi=1.0 - hu, mu=mu, alpha=phi),
        "zero_inflated_negative_binomial": pm.ZeroInflatedNegativeBinomial.dist(psi=1.0 - zi, mu=mu, alpha=phi),
        "negative_binomial_1": pm.NegativeBinomial.dist(n=mu / phi, p=1.0 / (1.0 + phi)),
        "geometric": pm.NegativeBinomial.dist(mu=mu, alpha=1.0),
        "beta_binomial": pm.BetaBinomial.dist(alpha=p * phi, beta=(1.0 - p) * phi, n=TRIALS),
        "zero_inflated_binomial": pm.ZeroInflatedBinomial.dist(psi=1.0 - zi, n=TRIALS, p=p),
    }
    for name, distribution in theirs.items():
        trials = float(TRIALS) if FAMILIES[name].response.trials else None
        found = log_density(FAMILIES[name], y, eta, trials)
        assert_allclose(found, pm.logp(distribution, y).eval(), rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("name", [*COUNTS, *SUCCESSES])
@pytest.mark.parametrize("eta", [-4.0, 0.4, 2.5])
def test_draws_have_the_frequencies_of_the_density(name: str, eta: float) -> None:
    """Chi-square over the values that 20 of 200,000 draws are expected at, and one cell of the rest."""
    family, size = FAMILIES[name], 200_000
    trials = np.full(size, float(TRIALS)) if family.response.trials else None
    constants = {key: np.array(CONSTANTS[key]) for key in family.auxiliary}
    at = family.at({"mu": (np.full(size, eta), LINKS[family.links[0]])}, constants, NUMPY)
    drawn = family.draw(np.random.default_rng(11), Response(None, trials), at).astype(int)
    values = np.arange(TRIALS + 1 if trials is not None else 400)
    least = family.response.first
    assert drawn.min() >= least
    expected = size * np.exp(log_density(family, values + least, eta, None if trials is None else float(TRIALS)))
    kept = expected >= 20.0
    seen = np.bincount(drawn - least, minlength=len(values))[: len(values)][kept]
    rest = size - expected[kept].sum()
    cells = np.append(seen, size - seen.sum()), np.append(expected[kept], rest)
    if rest < 20.0:
        cells = seen, expected[kept] * seen.sum() / expected[kept].sum()
    # 30 tests at fixed seeds: one is below 1e-4 by chance in about one of 300 suites
    assert stats.chisquare(*cells).pvalue > 1e-4
