"""The two function namespaces say the same, and log Phi is right where Phi rounds to 0 or 1."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy import special

from bayes_glmm.numerics.functions import NUMPY, Functions, log_normal_cdf, pytensor_functions

TWO = {"arctan2", "maximum", "minimum"}
POSITIVE = {"log", "sqrt", "gammaln", "log1p"}
COMPOSED = {"log_binary", "log_rising", "conway_maxwell", "log_gamma_integral", "log_beta_integral"}
ONE = [name for name in Functions.__dataclass_fields__ if name not in TWO | COMPOSED | {"where"}]


@pytest.mark.parametrize("name", ONE)
def test_numpy_and_pytensor_agree(name: str) -> None:
    import pytensor
    import pytensor.tensor as pt

    x = np.array([0.03, 0.4, 0.97, 1.6]) if name == "erfcinv" else np.array([0.03, 0.7, 1.6, 5.0, 30.0])
    x = x if name in POSITIVE | {"erfcinv"} else np.concatenate([-x[:4], x])
    v = pt.dvector("v")
    computed = pytensor.function([v], getattr(pytensor_functions(), name)(v))(x)
    np.testing.assert_allclose(computed, getattr(NUMPY, name)(x), rtol=2e-14, atol=1e-300)


@pytest.mark.parametrize("name", sorted(TWO))
def test_numpy_and_pytensor_agree_on_two_arguments(name: str) -> None:
    f = pytensor_functions()
    a, b = np.array([1.0, 1.0, -2.0, 0.0]), np.array([0.5, -3.0, 4.0, -1.0])
    np.testing.assert_allclose(getattr(f, name)(a, b).eval(), getattr(NUMPY, name)(a, b), rtol=1e-15)


def test_numpy_and_pytensor_agree_on_composed_functions() -> None:
    f = pytensor_functions()
    k, m, x = np.array([0.0, 1.0, 7.0, 40.0]), np.array([1.0, 0.0, 0.03, 9.0]), np.array([-700.0, 30.0, 0.2, 700.0])
    np.testing.assert_allclose(f.log_binary(k, m, x).eval(), NUMPY.log_binary(k, m, x), rtol=1e-15)
    np.testing.assert_allclose(f.log_rising(abs(x), k).eval(), NUMPY.log_rising(abs(x), k), rtol=1e-13, atol=1e-13)


def test_softplus_does_not_overflow() -> None:
    np.testing.assert_array_equal(NUMPY.softplus(np.array([-800.0, 0.0, 800.0])), [0.0, np.log(2.0), 800.0])


def test_log_normal_cdf_in_both_tails() -> None:
    middle = [-1.0 - 1e-12, -1.0, -1.0 + 1e-12, -0.3, 0.0, 0.4, 1.7, 4.9]
    x = np.array([-700.0, -300.0, -40.0, -37.5, -9.0, *middle, 5.1, 8.0, 30.0, 38.0])
    with mpmath.workdps(60):
        # log Phi(x) = log(1 - Phi(-x)) is -Phi(-x) to first order, and Phi(-5) = 3e-7 is small enough for log1p
        expected = [
            mpmath.log1p(-mpmath.ncdf(-mpmath.mpf(value))) if value > 5 else mpmath.log(mpmath.ncdf(mpmath.mpf(value)))
            for value in x
        ]
    np.testing.assert_allclose(log_normal_cdf(x, NUMPY), np.array(expected, float), rtol=2e-13, atol=1e-300)
    np.testing.assert_allclose(log_normal_cdf(x, NUMPY), special.log_ndtr(x), rtol=2e-13, atol=1e-300)


def test_log_normal_cdf_has_a_gradient_everywhere() -> None:
    import pytensor
    import pytensor.tensor as pt

    v = pt.dvector("v")
    gradient = pytensor.function([v], pt.grad(log_normal_cdf(v, pytensor_functions()).sum(), v))
    x = np.array([-700.0, -40.0, -8.0, -1.0001, -0.9999, 0.0, 3.0, 40.0, 700.0])
    expected = np.exp(-0.5 * x**2 - 0.5 * np.log(2 * np.pi) - special.log_ndtr(x))  # the inverse Mills ratio
    # at -700 both exponents are 245,000, of which floats keep 3e-11
    np.testing.assert_allclose(gradient(x), expected, rtol=1e-10, atol=1e-300)
