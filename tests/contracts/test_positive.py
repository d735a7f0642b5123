"""Families on (0, inf) against arbitrary precision, PyMC's own distributions, and the families that they contain."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special, stats

from bayes_glmm.families import FAMILIES, LINKS, Response
from bayes_glmm.numerics.functions import NUMPY

Y = np.array([1e-6, 0.03, 1.0, 2.7, 410.0])
CONSTANTS: dict[str, list[dict[str, float]]] = {
    "gamma": [{"phi": 0.4}, {"phi": 37.0}],
    "lognormal": [{"sigma": 0.05}, {"sigma": 2.3}],
    "weibull": [{"shape": 0.6}, {"shape": 5.5}],
    "exponential": [{}],
    "inverse_gaussian": [{"shape": 0.2}, {"shape": 90.0}],
}
CASES = [(name, constants) for name, several in CONSTANTS.items() for constants in several]


def _exactly(name: str, y: float, mu: Any, constants: dict[str, float]) -> Any:
    """Return the log density in the words of a textbook; ``mu`` is the mean, of the lognormal that of log y."""
    a = {key: mp.mpf(value) for key, value in constants.items()}
    y = mp.mpf(y)
    if name == "gamma":
        k, scale = a["phi"], mu / a["phi"]
        return (k - 1) * mp.log(y) - y / scale - mp.loggamma(k) - k * mp.log(scale)
    if name == "lognormal":
        s = a["sigma"]
        return -mp.log(y * s * mp.sqrt(2 * mp.pi)) - (mp.log(y) - mu) ** 2 / (2 * s**2)
    if name == "weibull":
        k = a["shape"]
        scale = mu / mp.gamma(1 + 1 / k)
        return mp.log(k / scale) + (k - 1) * mp.log(y / scale) - (y / scale) ** k
    if name == "exponential":
        return -mp.log(mu) - y / mu
    shape = a["shape"]
    return mp.log(shape / (2 * mp.pi * y**3)) / 2 - shape * (y - mu) ** 2 / (2 * mu**2 * y)


def _density(name: str, y: np.ndarray, eta: np.ndarray, constants: dict[str, float]) -> np.ndarray:
    family = FAMILIES[name]
    return family.log_density(Response(y), family.at({"mu": (eta, LINKS[family.links[0]])}, constants, NUMPY), NUMPY)


@pytest.mark.parametrize(("name", "constants"), CASES, ids=str)
def test_log_density_to_arbitrary_precision(name: str, constants: dict[str, float]) -> None:
    """To 1e-10, up to predictors of 700 and to where the density leaves the range of numbers."""
    for eta in (-700.0, -300.0, -30.0, -1.0, 0.0, 2.0, 30.0, 300.0, 700.0):
        found = _density(name, Y, np.full(len(Y), eta), constants)
        assert np.isfinite(found).all()
        for y, value in zip(Y, found, strict=True):
            with mp.workdps(60):
                expected = _exactly(name, float(y), mp.mpf(eta) if name == "lognormal" else mp.e**eta, constants)
            if expected > -1e126:  # else as impossible, if not by as much
                assert value == pytest.approx(float(expected), rel=1e-10, abs=1e-10)
            else:
                assert value < -1e126


@pytest.mark.parametrize(("name", "constants"), CASES, ids=str)
@pytest.mark.parametrize("eta", [-2.0, 0.4, 3.0])
def test_draws_have_the_distribution_function_of_scipy(name: str, constants: dict[str, float], eta: float) -> None:
    from tests.contracts.test_families import SCIPY

    family, size = FAMILIES[name], 20_000
    at = family.at({"mu": (np.full(size, eta), LINKS[family.links[0]])}, constants, NUMPY)
    drawn = family.draw(np.random.default_rng(11), Response(None), at)
    distribution = SCIPY[name](LINKS[family.links[0]].inverse(eta, NUMPY), constants, None)
    assert stats.kstest(drawn, distribution.cdf).pvalue > 1e-4


def test_inverse_gaussian_draws_keep_their_digits_where_the_mean_is_large() -> None:
    """The textbook's smaller root is a difference of numbers of size mu, and rounds to 0: here mu is 1e10 shapes."""
    family, size = FAMILIES["inverse_gaussian"], 20_000
    at = family.at({"mu": (np.full(size, np.log(1e10)), LINKS["log"])}, {"shape": 1.0}, NUMPY)
    drawn = family.draw(np.random.default_rng(12), Response(None), at)
    assert stats.kstest(drawn, stats.invgauss(1e10).cdf).pvalue > 1e-4
    assert stats.kstest(1.0 / drawn, stats.chi2(1).cdf).pvalue > 1e-4  # of its limit, 1 / y is chi-squared


def test_densities_are_pymcs_own() -> None:
    """They have no part in the model, as their density ends where mu is far from y; near it they are the same."""
    import pymc as pm

    mu, y = np.array([0.2, 1.0, 8.0]), np.array([0.5, 0.9, 2.2])
    eta = np.log(mu)
    assert_allclose(
        _density("inverse_gaussian", y, eta, {"shape": 1.9}),
        pm.logp(pm.Wald.dist(mu=mu, lam=1.9), y).eval(),
        rtol=1e-10,
    )
    scale = mu / special.gamma(1.0 + 1.0 / 1.9)
    assert_allclose(
        _density("weibull", y, eta, {"shape": 1.9}),
        pm.logp(pm.Weibull.dist(alpha=1.9, beta=scale), y).eval(),
        rtol=1e-10,
    )


def test_special_cases() -> None:
    """A Weibull of shape 1 and a gamma of shape 1 are exponential; a lognormal is a normal of log y, times 1 / y."""
    eta = np.linspace(-40.0, 40.0, len(Y))
    exponential = _density("exponential", Y, eta, {})
    assert_allclose(_density("weibull", Y, eta, {"shape": 1.0}), exponential, rtol=1e-12)
    assert_allclose(_density("gamma", Y, eta, {"phi": 1.0}), exponential, rtol=1e-12)
    normal = _density("gaussian", np.log(Y), eta, {"sigma": 0.8})
    assert_allclose(_density("lognormal", Y, eta, {"sigma": 0.8}), normal - np.log(Y), rtol=1e-12)


@pytest.mark.parametrize("name", ["weibull", "inverse_gaussian"])
def test_tails_go_on_as_lines_that_lead_back(name: str) -> None:
    """Where the density is far beyond the range of numbers, its slope is a number and has the right sign."""
    constants = {"shape": 20.0} if name == "weibull" else {"shape": 3.0}
    eta = np.array([-700.0, -400.0])
    value = _density(name, np.ones(2), eta, constants)
    assert np.isfinite(value).all()
    assert value[1] > value[0]


def test_moments_of_weibull_are_scipys() -> None:
    family = FAMILIES["weibull"]
    for shape in (0.5, 1.0, 3.7, 40.0):
        scipys = stats.weibull_min(shape, scale=2.5 / special.gamma(1.0 + 1.0 / shape))
        assert scipys.mean() == pytest.approx(2.5)
        assert family.variance_of(2.5, {"shape": shape}) == pytest.approx(scipys.var(), rel=1e-9)
