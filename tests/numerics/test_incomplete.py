"""Incomplete gamma and beta functions in both tails: mpmath's series, derivatives in shapes, and every namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from bayes_glmm.inference.kernels.elementary import exp, expm1, log1p
from bayes_glmm.numerics.functions import NUMPY, pytensor_functions
from bayes_glmm.numerics.incomplete import (
    log_beta_tails,
    log_gamma_tails,
    log_inverse_gaussian_tails,
    log_student_tails,
)
from bayes_glmm.numerics.series import SERIES, variables
from bayes_glmm.numerics.tail_compiled import beta_rows, gamma_rows
from bayes_glmm.numerics.tail_integrals import beta_values, gamma_values

DIGITS = 500  # of complements of numbers near 1


def series_of(first: Any, ratio: Callable[[int], Any]) -> Any:
    """The sum of positive terms."""
    total, term, n = first, first, 0
    while n < 3 or term > total * mpmath.mpf(10) ** (2 - mpmath.mp.dps):
        term *= ratio(n)
        total, n = total + term, n + 1
    return total


def exact_gamma(a: Any, r: Any) -> tuple[Any, Any]:
    """log P and log Q of the shape a at a e^r."""
    a = mpmath.mpf(a)
    x = a * mpmath.exp(mpmath.mpf(r))
    front = mpmath.exp(a * mpmath.log(x) - x - mpmath.loggamma(a + 1))
    below = series_of(front, lambda n: x / (a + n + 1))
    return mpmath.log(below), mpmath.log(1 - below)


def exact_beta(a: Any, b: Any, x: Any) -> tuple[Any, Any]:
    """log I and log(1 - I) at the logit x."""
    a, b, x = mpmath.mpf(a), mpmath.mpf(b), mpmath.mpf(x)
    if x > 0:
        return exact_beta(b, a, -x)[::-1]
    p, q = 1 / (1 + mpmath.exp(-x)), 1 / (1 + mpmath.exp(x))
    front = a * mpmath.log(p) + b * mpmath.log(q) + mpmath.loggamma(a + b)
    first = mpmath.exp(front - mpmath.loggamma(a + 1) - mpmath.loggamma(b))
    below = series_of(first, lambda n: (a + b + n) * p / (a + 1 + n))
    return mpmath.log(below), mpmath.log(1 - below)


def assert_close(found: tuple[Any, Any], exact: tuple[Any, Any], rel: float = 1e-11) -> None:
    for one, other in zip(found, exact, strict=True):
        assert float(one) == pytest.approx(float(other), rel=rel, abs=1e-15)


@pytest.mark.parametrize("sds", [-15.0, -5.0, -1.0, -0.1, 0.0, 0.3, 2.0, 6.0, 15.0])
@pytest.mark.parametrize("a", [1e-4, 0.03, 0.5, 1.0, 2.5, 30.0, 101.0, 4000.0])
def test_incomplete_gamma_functions_have_both_tails(a: float, sds: float) -> None:
    r = sds / np.sqrt(a) if a > 5.0 else min(0.5 * sds, 5.0)
    with mpmath.workdps(DIGITS):
        exact = exact_gamma(a, r)
    assert_close(log_gamma_tails(np.array(a), np.log(a), np.array(r), NUMPY), exact)


@pytest.mark.parametrize("sds", [-12.0, -3.0, 0.0, 1.0, 12.0])
@pytest.mark.parametrize("b", [1e-3, 0.5, 40.0])
@pytest.mark.parametrize("a", [1e-3, 0.8, 5.0, 3000.0])
def test_incomplete_beta_functions_have_both_tails(a: float, b: float, sds: float) -> None:
    x = np.log((a + 0.5) / (b + 0.5)) + sds * np.sqrt(1.0 / (a + 0.5) + 1.0 / (b + 0.5))
    with mpmath.workdps(DIGITS):
        exact = exact_beta(a, b, x)
    assert_close(log_beta_tails(np.array(a), np.array(b), (np.log(a), np.log(b)), np.array(x), NUMPY), exact, 1e-10)


@pytest.mark.parametrize("t", [0.0, 1e-9, 0.05, 0.12, 1.0, 5.0, 40.0])
@pytest.mark.parametrize("nu", [0.2, 1.0, 4.5, 60.0, 1e5, 1e12])
def test_tails_of_student(nu: float, t: float) -> None:
    if nu >= 1e5 and t > 5.0:
        pytest.skip("beyond the digits of the witness")
    with mpmath.workdps(60):
        n, square = mpmath.mpf(nu), mpmath.mpf(t) ** 2
        beta = mpmath.quad(
            lambda s: mpmath.exp(-0.5 * (n + 1) * mpmath.log1p(s * s / n)), mpmath.linspace(0, mpmath.mpf(t), 9)
        )
        scale = mpmath.exp(mpmath.loggamma((n + 1) / 2) - mpmath.loggamma(n / 2)) / mpmath.sqrt(n * mpmath.pi)
        inside = scale * beta
        tail = 0.5 - inside
        if nu < 1e5 and t >= 1.0:  # relative accuracy far out
            tail = mpmath.betainc(n / 2, 0.5, 0, n / (n + square), regularized=True) / 2
        exact = mpmath.log1p(-tail), mpmath.log(tail)
    found = log_student_tails(np.array(t), np.array(nu), np.log(nu), NUMPY)
    assert_close(found, exact, 1e-10)
    assert_close(log_student_tails(np.array(-t), np.array(nu), np.log(nu), NUMPY), exact[::-1], 1e-10)


@pytest.mark.parametrize("mu", [1e-3, 0.8, 30.0, 1e8])
@pytest.mark.parametrize("shape", [1e-3, 0.7, 20.0, 1e5])
@pytest.mark.parametrize("y", [1e-4, 0.1, 1.0, 7.0, 5e3])
def test_tails_of_the_inverse_gaussian(y: float, mu: float, shape: float) -> None:
    with mpmath.workdps(DIGITS):
        y_, mu_, shape_ = mpmath.mpf(y), mpmath.mpf(mu), mpmath.mpf(shape)
        root, ratio = mpmath.sqrt(shape_ / (2 * y_)), y_ / mu_
        # phi(z) by erfc, which has relative accuracy in both tails
        one = mpmath.erfc(-root * (ratio - 1)) / 2
        below = one + mpmath.exp(2 * shape_ / mu_) * mpmath.erfc(root * (ratio + 1)) / 2
        above = 1 - one - mpmath.exp(2 * shape_ / mu_) * mpmath.erfc(root * (ratio + 1)) / 2
        if above < mpmath.mpf(10) ** (20 - DIGITS) or below < mpmath.mpf(10) ** (-DIGITS):
            pytest.skip("beyond the digits of the witness")
        exact = mpmath.log(below), mpmath.log(above)
    log_y, log_mu, log_shape = (np.array(np.log(one)) for one in (y, mu, shape))
    found = log_inverse_gaussian_tails(log_y, log_mu, np.array(shape), log_shape, NUMPY)
    assert_close(found, exact, 1e-10)


# both tails as functions of two numbers, which move together
MOVING: dict[str, tuple[Callable[..., Any], Callable[..., Any], list[tuple[float, float]]]] = {
    "gamma": (
        lambda u, v, f: log_gamma_tails(f.exp(u), u, v, f),
        lambda u, v: exact_gamma(mpmath.exp(u), v),
        [(-3.0, 0.5), (0.7, -2.0), (0.7, 1.5), (4.0, 0.3), (7.0, -0.05), (7.0, 0.1)],
    ),
    "beta": (
        lambda u, v, f: log_beta_tails(f.exp(u), 2.5 + 0.0 * u, (u, np.log(2.5) + 0.0 * u), v, f),
        lambda u, v: exact_beta(mpmath.exp(u), 2.5, v),
        [(-2.0, -3.0), (-2.0, 1.0), (1.0, -4.0), (1.0, 2.0), (6.0, 4.5), (6.0, 7.0)],
    ),
    "both shapes": (
        lambda u, v, f: log_beta_tails(f.exp(u), f.exp(v), (u, v), 0.4 + 0.0 * u, f),
        lambda u, v: exact_beta(mpmath.exp(u), mpmath.exp(v), 0.4),
        [(-1.0, 0.5), (2.0, 2.0), (3.8, 3.7), (5.0, 3.5)],
    ),
}
POINTS = [(name, point) for name, (_, _, points) in MOVING.items() for point in points]


@pytest.mark.parametrize(("name", "point"), POINTS)
def test_derivatives_are_those_of_many_digits(name: str, point: tuple[float, float]) -> None:
    """Along the line u + t, v + 0.3 t to order 3, and once in v by itself."""
    function, exact, _ = MOVING[name]
    moving, parameters = variables(np.zeros(1), {"v": 0.0}, 3)
    found = function(point[0] + moving, point[1] + 0.3 * moving + parameters["v"], SERIES)
    with mpmath.workdps(60):
        for k in (0, 1):
            along = lambda t, k=k: exact(point[0] + t, point[1] + 0.3 * t)[k]  # noqa: E731
            for order in range(4):
                value = float(mpmath.diff(along, 0, order))
                assert float(found[k].derivative(order)[0]) == pytest.approx(value, rel=1e-9, abs=1e-11)
            alone = float(mpmath.diff(lambda t, k=k: exact(point[0], point[1] + t)[k], 0))
            assert float(found[k].derivative(0, "v")[0]) == pytest.approx(alone, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("name", MOVING)
def test_graphs_have_the_same_values_and_slopes(name: str) -> None:
    import pytensor
    import pytensor.tensor as pt

    function, _, points = MOVING[name]
    u, v = pt.dvector("u"), pt.dvector("v")
    tails = function(u, v, pytensor_functions())
    outputs = [one for tail in tails for one in (tail, *pt.grad(tail.sum(), [u, v]))]
    at = np.array(points).T
    found = pytensor.function([u, v], outputs)(*at)
    moving, parameters = variables(at[0], {"v": at[1]}, 1)
    expected = function(moving, parameters["v"], SERIES)
    flat = [one for tail in expected for one in (tail.value, tail.derivative(1), tail.derivative(0, "v"))]
    for one, other in zip(found, flat, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


def test_compiled_integrals_have_the_values_and_slopes_of_arrays() -> None:
    rng = np.random.default_rng(4)
    a, x = np.exp(rng.uniform(-7.0, 14.0, 300)), np.exp(rng.uniform(-20.0, 14.0, 300))
    lower = x < a + 1.5
    gamma = np.where(lower, a + 3.0, -a), np.where(lower, 0.0, x), np.where(lower, x, 0.0)
    b = np.exp(rng.uniform(-7.0, 14.0, 300))
    logit = np.log((a + 1.5) / (b + 1.5)) - 10.0 * rng.exponential(size=300)
    for row, values, arguments in (
        (gamma_rows(exp, expm1), gamma_values, gamma),
        (beta_rows(exp, expm1, log1p), beta_values, (a + 3.0, b, logit)),
    ):
        found = np.array([row(*numbers) for numbers in zip(*arguments, strict=True)]).T
        np.testing.assert_allclose(found, values(*arguments), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("eta", [-700.0, -300.0, 300.0, 700.0])
def test_extremes_have_finite_values_and_slopes(eta: float) -> None:
    for function, _, points in MOVING.values():
        for u, v in points:
            for moved in ((u + eta, v), (u, v + eta)):
                moving, parameters = variables(np.array([moved[0]]), {"v": moved[1]}, 1)
                with np.errstate(all="ignore"):
                    for tail in function(moving, parameters["v"], SERIES):
                        assert np.isfinite([tail.value, tail.derivative(1), tail.derivative(0, "v")]).all()
