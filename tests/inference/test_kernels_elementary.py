"""The functions that kernels are made of, against mpmath."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numba
import numpy as np
import pytest

from bayes_glmm.inference.kernels.elementary import (
    erfc,
    erfcx,
    exp,
    expit,
    expm1,
    log,
    log1p,
    log1p_unit,
    log_binary,
    log_gamma,
    log_rising,
    softplus,
)

UNIT = 2.0**-52
RNG = np.random.default_rng(1)


def over_array(function: Callable[[float], float], x: np.ndarray) -> np.ndarray:
    """The function in a loop that is long enough to be made of vector instructions."""

    @numba.njit
    def loop(x: np.ndarray, result: np.ndarray) -> None:
        for i in range(len(x)):
            result[i] = function(x[i])

    result = np.empty_like(x)
    loop(x, result)
    return result


def relative_error(actual: np.ndarray, exact: Callable[..., Any], x: np.ndarray) -> float:
    with mpmath.workdps(40):
        pairs = [(mpmath.mpf(a), exact(mpmath.mpf(b))) for a, b in zip(actual.tolist(), x.tolist(), strict=True)]
        return float(max(abs(a - b) / abs(b) if b else abs(a) for a, b in pairs))


def test_exp() -> None:
    x = np.concatenate([RNG.uniform(-708, 709.7, 3000), RNG.normal(0, 1, 1000), [0.0, -0.0, 1e-300, -708.0, 709.78]])
    assert relative_error(over_array(exp, x), mpmath.exp, x) <= UNIT


def test_exp_leaves_the_doubles_as_it_should() -> None:
    x = np.array([-np.inf, -1e300, -746.0, 710.0, 1e300, np.inf, np.nan] * 3)
    np.testing.assert_array_equal(over_array(exp, x), [0.0, 0.0, 0.0, np.inf, np.inf, np.inf, np.nan] * 3)
    subnormal = np.linspace(-745.0, -709.0, 50)
    np.testing.assert_allclose(over_array(exp, subnormal), np.exp(subnormal), rtol=0, atol=1e-323)


def test_log1p_unit() -> None:
    t = np.concatenate([[0.0, 1.0], RNG.uniform(0, 1, 2000), 10.0 ** RNG.uniform(-300, 0, 2000)])
    assert relative_error(over_array(log1p_unit, t), mpmath.log1p, t) <= 2 * UNIT


def test_expit_and_softplus() -> None:
    x = np.concatenate([RNG.uniform(-700, 700, 2000), RNG.normal(0, 3, 1000), [0.0, -0.0, 40.0, -40.0]])
    assert relative_error(over_array(expit, x), lambda t: 1 / (1 + mpmath.exp(-t)), x) <= 3 * UNIT
    assert relative_error(over_array(softplus, x), lambda t: mpmath.log1p(mpmath.exp(t)), x) <= 3 * UNIT


def test_log() -> None:
    x = np.concatenate(
        [10.0 ** RNG.uniform(-322, 308, 2000), RNG.uniform(0.3, 3.0, 2000), 1.0 + RNG.normal(0, 1e-6, 500)]
    )
    assert relative_error(over_array(log, x), mpmath.log, x) <= UNIT
    ends = np.array([0.0, -0.0, np.inf, -1.0, -np.inf, np.nan] * 3)
    np.testing.assert_array_equal(over_array(log, ends), [-np.inf, -np.inf, np.inf, np.nan, np.nan, np.nan] * 3)


def test_log1p_and_expm1() -> None:
    small = 10.0 ** RNG.uniform(-300, 0, 1000)
    x = np.concatenate([RNG.uniform(-0.9999, 5.0, 2000), small, -0.9 * small, 10.0 ** RNG.uniform(0, 300, 500), [0.0]])
    assert relative_error(over_array(log1p, x), mpmath.log1p, x) <= 2 * UNIT
    x = np.concatenate([RNG.uniform(-745.0, 709.0, 2000), RNG.normal(0.0, 1.0, 1000), small, -small, [0.0]])
    assert relative_error(over_array(expm1, x), mpmath.expm1, x) <= 2 * UNIT
    ends = np.array([-1.0, np.inf, np.nan, -2.0] * 3)
    np.testing.assert_array_equal(over_array(log1p, ends), [-np.inf, np.inf, np.nan, np.nan] * 3)
    ends = np.array([-np.inf, np.inf, np.nan, -800.0] * 3)
    np.testing.assert_array_equal(over_array(expm1, ends), [-1.0, np.inf, np.nan, -1.0] * 3)


def test_erfc() -> None:
    x = np.concatenate([RNG.uniform(-6.0, 26.0, 3000), RNG.normal(0.0, 0.1, 1000), 10.0 ** RNG.uniform(-300, 0, 300)])
    assert relative_error(over_array(erfc, x), mpmath.erfc, x) <= 4 * UNIT
    assert relative_error(over_array(erfcx, x), lambda t: mpmath.exp(t * t) * mpmath.erfc(t), x) <= 4 * UNIT
    ends = np.array([-np.inf, np.inf, np.nan, 40.0, -40.0] * 3)
    np.testing.assert_array_equal(over_array(erfc, ends), [2.0, 0.0, np.nan, 0.0, 2.0] * 3)
    np.testing.assert_array_equal(over_array(erfcx, ends)[:3], [np.inf, 0.0, np.nan])


@pytest.mark.parametrize("x", [-6.0, -1.0, 0.0, 1e-8, 0.7, 3.0, 12.0, 24.99, 25.0, 26.0, 60.0, 495.0, 1e8, 1e200])
def test_erfcx(x: float) -> None:
    with mpmath.workdps(60):
        t = mpmath.mpf(x)
        expected = mpmath.exp(t**2) * mpmath.erfc(t) if x < 1e8 else 1 / (t * mpmath.sqrt(mpmath.pi))
    assert erfcx(x) == pytest.approx(float(expected), rel=4 * UNIT)


@pytest.mark.parametrize("x", [1e-300, 1e-5, 0.3, 1.0, 1.5, 2.0, 2.4, 9.99, 10.0, 37.0, 1e5, 1e15])
def test_log_gamma(x: float) -> None:
    value, slope = log_gamma(x)
    # near its zeros, at 1 and 2, it is a difference of numbers of about 15
    assert value == pytest.approx(float(mpmath.loggamma(x)), rel=1e-14, abs=1e-14)
    assert slope == pytest.approx(float(mpmath.digamma(x)), rel=1e-14, abs=1e-14)


@pytest.mark.parametrize("m", [0, 1, 2, 3, 9, 250, 100_000])
@pytest.mark.parametrize("x", [1e-90, 1e-5, 0.3, 2.4, 9.99, 37.0, 1e5, 1e15, 1e90])
def test_log_rising(x: float, m: int) -> None:
    value, slope = log_rising(x, float(m))
    with mpmath.workdps(220):  # log Gamma(1e90) has 90 digits before those that matter, 1 + 1e-90 as many after
        z = mpmath.mpf(x)
        expected = mpmath.loggamma(z + m) - mpmath.loggamma(z)
        expected_slope = mpmath.digamma(z + m) - mpmath.digamma(z)
    assert value == pytest.approx(float(expected), rel=1e-14, abs=1e-14)
    assert slope == pytest.approx(float(expected_slope), rel=1e-14)


@pytest.mark.parametrize("x", [-700.0, -40.0, -1.3, -1e-8, 0.0, 1e-8, 0.7, 9.0, 40.0, 700.0])
@pytest.mark.parametrize(("k", "m"), [(0.0, 1.0), (1.0, 0.0), (3.0, 4.0), (4321.0, 0.03), (0.0, 0.0)])
def test_log_binary(k: float, m: float, x: float) -> None:
    with mpmath.workdps(400):  # 1 - exp(-e^-700) has no digits otherwise
        t = mpmath.mpf(x)
        of_success, of_failure = -mpmath.log1p(mpmath.exp(-t)), -mpmath.log1p(mpmath.exp(t))
        expected = [k * of_success + m * of_failure, of_success, of_failure]
        p = 1 / (1 + mpmath.exp(-t))
        terms = [k * (1 - p), -m * p]
    *actual, slope = log_binary(k, m, x)
    assert actual == pytest.approx([float(one) for one in expected], rel=4 * UNIT)
    # of two terms of different signs: relative to both
    assert slope == pytest.approx(float(sum(terms)), abs=float(4 * UNIT * sum(map(abs, terms))))
