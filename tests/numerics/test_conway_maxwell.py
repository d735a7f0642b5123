"""The Conway-Maxwell-Poisson distribution by its mean against mpmath, its own sums, its limits, and SciPy's Poisson."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from bayes_glmm.families import FAMILIES, LINKS, Response
from bayes_glmm.numerics import conway_maxwell as core
from bayes_glmm.numerics.conway_maxwell_forms import density, draw, series, values, variance
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.numerics.series import lifted, variables
from tests.hostile.cases import within

COUNTS = (0, 1, 4, 25, 300)
FAMILY = FAMILIES["com_poisson"]


def _sums(theta: Any, nu: Any, logs: list[Any]) -> tuple[Any, Any, Any]:
    """Log Z, mean and variance at a log rate, term by term."""
    terms = [mpmath.exp(j * theta - nu * log) for j, log in enumerate(logs)]
    total = mpmath.fsum(terms)
    mean = mpmath.fsum(j * term for j, term in enumerate(terms)) / total
    return mpmath.log(total), mean, mpmath.fsum((j - mean) ** 2 * term for j, term in enumerate(terms)) / total


def _exactly(mu: float, nu: float) -> tuple[Any, Any, Any]:
    """Log rate, log Z and variance with 50 digits, by Newton's method without a bracket."""
    m, n = mpmath.mpf(mu), mpmath.mpf(nu)
    logs = [mpmath.loggamma(j + 1) for j in range(int(60 + 40 * mu + 30 * math.sqrt(mu / nu)))]
    theta = mpmath.log(m) + (n - 1) * mpmath.log(m + (1 + m / 2) / (1 + m))
    for _ in range(200):
        log_z, mean, spread = _sums(theta, n, logs)
        step = (m - mean) / spread
        if abs(step) < mpmath.mpf(10) ** -45:
            break
        theta += max(-1, min(1, step))  # far out a step of Newton's may be of any length
    return theta, log_z, spread


@pytest.mark.parametrize("nu", [0.15, 0.8, 3.0, 40.0])
@pytest.mark.parametrize("mu", [1e-8, 0.4, 3.0, 7.6])
def test_density_and_variance_to_arbitrary_precision(mu: float, nu: float) -> None:
    with mpmath.workdps(50):
        theta, log_z, spread = _exactly(mu, nu)
        expected = [float(y * theta - nu * mpmath.loggamma(y + 1) - log_z) for y in COUNTS]
    found = density(np.array(COUNTS, float), np.log(mu), np.log(nu))
    assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    assert float(variance(np.log(mu), np.log(nu))) == pytest.approx(float(spread), rel=1e-10)


@pytest.mark.parametrize("nu", [0.05, 0.6, 1.7, 12.0])
@pytest.mark.parametrize("mu", [0.02, 2.5, 90.0])
def test_it_sums_to_one_and_has_its_mean_and_variance(mu: float, nu: float) -> None:
    y = np.arange(60.0 + 40.0 * mu + 60.0 * math.sqrt(mu / nu))
    p = np.exp(density(y, np.log(mu), np.log(nu)))
    assert p.sum() == pytest.approx(1.0, abs=2e-11)
    assert p @ y == pytest.approx(mu, rel=1e-10)
    assert p @ (y - mu) ** 2 == pytest.approx(float(variance(np.log(mu), np.log(nu))), rel=1e-9)


def test_special_cases() -> None:
    """nu = 1 is the Poisson, whatever the mean; nu near 0 the geometric, and a large nu a choice of two neighbours."""
    y, mu = np.array([0.0, 3.0, 40.0, 2300.0]), np.array([0.3, 1.0, 35.0, 2290.0])
    assert_allclose(density(y, np.log(mu), 0.0), stats.poisson(mu).logpmf(y), rtol=1e-11, atol=1e-10)
    few, rate = np.arange(6.0), np.log(2.5)
    assert_allclose(density(few, rate, np.log(1e-9)), stats.geom(1.0 / 3.5, loc=-1).logpmf(few), rtol=1e-7)
    assert_allclose(np.exp(density(few, rate, np.log(900.0)))[2:4], [0.5, 0.5], rtol=1e-12)
    assert_allclose(np.exp(density(few, np.log(0.3), np.log(900.0)))[:2], [0.7, 0.3], rtol=1e-12)


@pytest.mark.parametrize("nu", [0.3, 0.9, 4.0, 60.0])
def test_the_expansion_of_large_means_is_the_sum(nu: float) -> None:
    """At a mean where both serve: theta, kappa and the derivatives that slopes are made of."""
    mu = 9000.0
    theta, kappa, spread, kappa_nu, theta_nu = core._expansion(mu, nu)
    found, step, mode, s0, s1, s2, q0, q1 = core._solved(math.log(mu), nu)
    shift, rise = s1 / s0, q0 / s0
    assert theta == pytest.approx(found + step, rel=1e-13)
    log_z = math.log(s0) + mode * theta - nu * math.lgamma(mode + 1.0)
    assert kappa == pytest.approx(log_z, abs=1e-13 * nu * mode * math.log(mode))
    assert spread == pytest.approx(s2 / s0 - shift**2, rel=1e-11)
    assert -kappa_nu == pytest.approx(math.lgamma(mode + 1.0) + rise, rel=1e-12)
    assert theta_nu == pytest.approx((q1 / s0 - shift * rise) / spread, rel=1e-10)
    assert core.expanded(mu, nu)


def test_the_rate_is_in_its_bracket() -> None:
    """By Jensen's inequality: a bound for all means and shapes, not a guess."""
    for mu in np.exp(np.linspace(-12.0, 6.0, 25)):
        for nu in np.exp(np.linspace(-4.0, 4.0, 17)):
            theta, step, *_ = core._solved(math.log(mu), nu)
            ends = nu * math.log(mu), math.log(mu) + (nu - 1.0) * math.log1p(mu)
            assert min(ends) - 1e-9 <= theta + step <= max(ends) + 1e-9


def test_tails_are_finite() -> None:
    eta, y = np.repeat([-700.0, -300.0, -40.0, 9.0, 16.2, 40.0, 300.0, 700.0], 3), np.tile([0.0, 3.0, 1e6], 8)
    for log_nu in (-2.0, 0.0, 3.4):
        assert np.isfinite(values(y, eta, log_nu)).all()


@pytest.mark.parametrize("log_nu", [-0.7, 0.3, 2.0])
def test_series_have_the_derivatives_of_the_value(log_nu: float) -> None:
    """Those along log mu to the third, and once in log nu, against differences of exact first derivatives."""
    y, log_mu = np.array([0.0, 3.0, 7.0, 2.0, 31.0]), np.log([2.0, 2.5, 9.0, 0.01, 26.0])
    moving, constants = variables(log_mu, {"n": log_nu}, 3)
    found = series(y, moving, constants["n"])

    def slopes(a: float, b: float = 0.0) -> np.ndarray:
        return values(y, log_mu + a, log_nu + b)

    h = 1e-3
    assert_allclose(found.derivative(0), slopes(0.0)[0], rtol=1e-14)
    assert_allclose(found.derivative(1), slopes(0.0)[1], rtol=1e-10, atol=1e-11)
    assert_allclose(found.derivative(0, "n"), slopes(0.0)[2], rtol=1e-9, atol=1e-10)
    five = [slopes(k * h)[1] for k in (-2, -1, 0, 1, 2)]
    second = (five[0] - 8.0 * five[1] + 8.0 * five[3] - five[4]) / (12.0 * h)
    assert_allclose(found.derivative(2), second, rtol=1e-7, atol=1e-8)
    third = (-five[0] + 16.0 * five[1] - 30.0 * five[2] + 16.0 * five[3] - five[4]) / (12.0 * h**2)
    assert_allclose(found.derivative(3), third, rtol=1e-5, atol=1e-5)
    mixed = (slopes(0.0, -2 * h)[1] - 8.0 * slopes(0.0, -h)[1] + 8.0 * slopes(0.0, h)[1] - slopes(0.0, 2 * h)[1]) / (
        12.0 * h
    )
    assert_allclose(found.derivative(1, "n"), mixed, rtol=1e-7, atol=1e-8)
    both = lifted({"m": log_mu, "n": log_nu}, 2)
    assert_allclose(series(y, both["m"], both["n"]).derivative(0, "m"), slopes(0.0)[1], rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("phi", [0.2, 2.4])
@pytest.mark.parametrize("eta", [-1.5, 1.3, 2.6])
def test_draws_have_the_frequencies_of_the_density(phi: float, eta: float) -> None:
    """Chi-square over the values that 20 of 100,000 draws are expected at, and one cell of the rest."""
    size = 100_000
    at = FAMILY.at({"mu": (np.full(size, eta), LINKS["log"])}, {"phi": np.array(phi)}, NUMPY)
    drawn = FAMILY.draw(np.random.default_rng(5), Response(None), at)
    expected = size * np.exp(density(np.arange(400.0), eta, -np.log(phi)))
    kept = expected >= 20.0
    seen = np.bincount(drawn, minlength=400)[:400][kept]
    rest = size - expected[kept].sum()
    cells = np.append(seen, size - seen.sum()), np.append(expected[kept], rest)
    if rest < 20.0:
        cells = seen, expected[kept] * seen.sum() / expected[kept].sum()
    assert stats.chisquare(*cells).pvalue > 1e-4


@pytest.mark.parametrize("eta", [9.0, 14.5])
def test_large_draws_have_the_right_mean_spread_and_skewness(eta: float) -> None:
    """Below and above the mean from which an expansion of their quantiles serves."""
    size, phi = 20_000, 0.5
    drawn = draw(np.random.default_rng(6), np.full(size, eta), np.full(size, -np.log(phi)))
    sd = float(np.sqrt(variance(eta, -np.log(phi))))
    assert abs(drawn.mean() - np.exp(eta)) < 5.0 * sd / np.sqrt(size)
    assert drawn.std() / sd == pytest.approx(1.0, abs=5.0 / np.sqrt(2.0 * size))
    assert abs(stats.skew(drawn)) < 5.0 * np.sqrt(6.0 / size) + phi**0.5 / np.exp(0.5 * eta)


def test_no_number_is_computed_for_ever() -> None:
    """From any point that a search may come to; what is far from any use may have no density."""
    at = [-np.inf, -700.0, -3.0, 0.5, 5.0, 14.0, 30.0, 700.0, np.inf, np.nan]
    mu, nu = (one.ravel() for one in np.meshgrid(at, [-700.0, -30.0, -10.0, 5.0, 12.0, 40.0, 700.0, np.nan]))
    one = np.full(mu.shape, 0.3)
    with within(20):
        value, *slopes = core.densities(np.full(mu.shape, 3.0), mu, nu)
        drawn = core.draws(mu, nu, one, one)
        core.variances(mu, nu)
        core.all_cumulants(mu, nu)
    usual = (np.abs(mu) <= 30.0) & ~np.isnan(nu)
    assert (value[usual] <= 0.0).all()
    assert np.isfinite([drawn[usual], *(slope[usual] for slope in slopes)]).all()
    unknown = np.isnan(mu + nu) & ~np.isinf(mu)
    assert np.isnan([value[unknown], drawn[unknown]]).all()


def test_nearly_constant_counts_are_two_neighbours() -> None:
    y, mu = np.arange(5.0), 2.3
    for log_nu in (6.9, 9.0, 40.0):
        found = core.densities(y, np.full(5, np.log(mu)), np.full(5, log_nu))[0]
        assert_allclose(np.exp(found), [0.0, 0.0, 0.7, 0.3, 0.0], atol=1e-9)
