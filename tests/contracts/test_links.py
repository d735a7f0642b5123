"""What every link owes: one definition for NumPy and PyTensor, an inverse, a derivative, and finite tails."""

from __future__ import annotations

import math
from functools import cache

import mpmath
import numpy as np
import pytest
from scipy import special

from bayes_glmm.families import LINKS, Link
from bayes_glmm.numerics.functions import NUMPY, pytensor_functions

mpmath.mp.dps = 60
EVERY = pytest.mark.parametrize("link", LINKS.values(), ids=LINKS.keys())
UNIT = [link for link in LINKS.values() if link.range == "unit"]


def _each(*parts: str):
    """A test for each link and each of these parts that the link has."""
    cases = [(link, part) for link in LINKS.values() for part in parts if getattr(link, part) is not None]
    return pytest.mark.parametrize(("link", "part"), cases, ids=[f"{link.name}-{part}" for link, part in cases])


MIDDLE = np.array([-6.0, -2.5, -1.01, -1.0, -0.99, -0.3, -1e-6, 1e-6, 0.4, 0.99, 1.0, 1.01, 1.7, 3.0])
TAILS = np.array([20.0, 36.0, 37.5, 40.0, 100.0, 300.0, 700.0])
WIDE = np.concatenate([-TAILS[::-1], MIDDLE, TAILS])

# the inverses and logit(mu) once more, in arbitrary precision and in other words than the package's
MU = {
    "identity": lambda eta: eta,
    "log": mpmath.exp,
    "logit": lambda eta: 1 / (1 + mpmath.exp(-eta)),
    "probit": mpmath.ncdf,
    "cloglog": lambda eta: 1 - mpmath.exp(-mpmath.exp(eta)),
    "cauchit": lambda eta: mpmath.atan(eta) / mpmath.pi + mpmath.mpf(1) / 2,
    "inverse": lambda eta: 1 / eta,
    "sqrt": lambda eta: eta**2,
}


def _valid(link: Link, eta: np.ndarray) -> np.ndarray:
    """The half of the line on which a two-branched link is one to one."""
    return eta[eta > 0] if link.name in ("inverse", "sqrt") else eta


@cache
def _compiled(name: str, part: str):
    """Value and gradient of one part of a link as PyTensor compiles them."""
    import pytensor
    import pytensor.tensor as pt

    x = pt.dvector("x")
    y = getattr(LINKS[name], part)(x, pytensor_functions())
    return pytensor.function([x], [y, pt.grad(y.sum(), x)])


@_each("inverse", "derivative", "logit_mean")
def test_pytensor_computes_what_numpy_computes(link: Link, part: str) -> None:
    eta = _valid(link, WIDE)
    expected = getattr(link, part)(eta, NUMPY)
    # 1e-13: erfc at -37 differs by 3e-14 between the two libraries
    np.testing.assert_allclose(_compiled(link.name, part)(eta)[0], expected, rtol=1e-13, atol=1e-300)


@EVERY
def test_pytensor_computes_what_numpy_computes_forward(link: Link) -> None:
    mu = link.inverse(_valid(link, MIDDLE), NUMPY)
    mu = mu[mu < 1] if link.range == "unit" else mu
    np.testing.assert_allclose(_compiled(link.name, "forward")(mu)[0], link.forward(mu, NUMPY), rtol=1e-13, atol=1e-15)


@EVERY
def test_forward_undoes_inverse(link: Link) -> None:
    eta = _valid(link, MIDDLE)
    mu = link.inverse(eta, NUMPY)
    # near mu = 1 the spacing of floats limits eta to eps / (1 - mu) of its derivative
    tolerance = (
        1e-12 + 4e-16 / np.maximum(np.abs(link.derivative(eta, NUMPY)), 1e-300) if link.range == "unit" else 1e-12
    )
    keep = (mu < 1.0 - 1e-12) if link.range == "unit" else np.full(len(mu), True)
    assert (np.abs(link.forward(mu, NUMPY) - eta) <= tolerance)[keep].all()
    assert keep.sum() >= len(eta) - 2


@EVERY
def test_inverse_is_the_textbook_formula(link: Link) -> None:
    eta = _valid(link, np.array([-37.0, -12.0, *MIDDLE, 12.0, 37.0]))
    expected = [float(MU[link.name](mpmath.mpf(x))) for x in eta]
    # in the far tail a relative error of eps in eta is one of eta^2 eps in exp(-eta^2 / 2)
    np.testing.assert_allclose(link.inverse(eta, NUMPY), expected, rtol=1e-12)


@EVERY
def test_derivative_is_that_of_the_inverse(link: Link) -> None:
    eta = _valid(link, np.array([-30.0, *MIDDLE, 3.7]))
    expected = [float(mpmath.diff(MU[link.name], mpmath.mpf(x))) for x in eta]
    np.testing.assert_allclose(link.derivative(eta, NUMPY), expected, rtol=1e-12)
    np.testing.assert_allclose(_compiled(link.name, "inverse")(eta)[1], expected, rtol=1e-12)


@EVERY
def test_inverse_is_monotone(link: Link) -> None:
    steps = np.diff(link.inverse(_valid(link, np.linspace(-50, 50, 4001)), NUMPY))
    assert (steps <= 0).all() if link.name == "inverse" else (steps >= 0).all()
    assert (steps != 0).sum() > 100


@_each("inverse", "logit_mean")
def test_tails_are_finite(link: Link, part: str) -> None:
    eta = _valid(link, WIDE)
    value, gradient = _compiled(link.name, part)(eta)
    for name, array in [("NumPy", getattr(link, part)(eta, NUMPY)), ("PyTensor", value), ("gradient", gradient)]:
        assert np.isfinite(array).all(), f"{name} at eta = {eta[~np.isfinite(array)]}"


@pytest.mark.parametrize("link", UNIT, ids=[link.name for link in UNIT])
def test_logit_of_the_mean_in_both_tails(link: Link) -> None:
    assert link.logit_mean is not None
    tails = [-700.0, -300.0, -40.0, -37.3, -20.0, *MIDDLE, 6.5, 20.0, 37.3, 40.0, 300.0, 700.0]
    # 1 - mu = exp(-exp(7)) has 476 leading zeros, that of the logit at 700 has 304: 800 digits hold both
    eta = np.minimum(tails, 7.0) if link.name == "cloglog" else np.array(tails)
    with mpmath.workdps(800):
        if link.name == "probit":  # Phi(-700) has 100,000 leading zeros: take its logarithm, not 1 - Phi(700)
            log_cdf = [mpmath.log(mpmath.ncdf(mpmath.mpf(x))) for x in [*eta, *-eta]]
            expected = [float(below - above) for below, above in zip(log_cdf, log_cdf[len(eta) :], strict=False)]
        else:
            mus = [MU[link.name](mpmath.mpf(x)) for x in eta]
            expected = [float(mpmath.log(mu / (1 - mu))) for mu in mus]
    np.testing.assert_allclose(link.logit_mean(eta, NUMPY), np.array(expected), rtol=2e-13, atol=2e-15)


@_each("averaged")
def test_the_closed_form_average_is_the_integral(link: Link, part: str) -> None:
    nodes, weights = special.roots_hermitenorm(120)
    eta, variance = np.array([-1.3, 0.2, 2.1]), 0.7
    points = eta[:, None] + math.sqrt(variance) * nodes
    expected = link.inverse(points, NUMPY) @ weights / math.sqrt(2 * math.pi)
    np.testing.assert_allclose(getattr(link, part)(eta, variance, NUMPY), expected, rtol=1e-10)
