"""Derivatives in several predictors against mpmath, and free coordinates against finite differences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose

from bayes_glmm.numerics.free import FREE, KINDS
from bayes_glmm.numerics.jet import Jet, jet
from bayes_glmm.numerics.series import SERIES

RNG = np.random.default_rng(5)
ROWS = 4
Y = RNG.normal(size=ROWS)
Function = Callable[..., Any]


class Mpmath:
    """The functions of a density, for numbers of mpmath."""

    exp, log, gammaln = staticmethod(mpmath.exp), staticmethod(mpmath.log), staticmethod(mpmath.loggamma)
    expit = staticmethod(lambda x: 1 / (1 + mpmath.exp(-x)))
    softplus = staticmethod(lambda x: mpmath.log1p(mpmath.exp(x)))
    log1p = staticmethod(mpmath.log1p)


def normal(f: Any, y: Any, etas: Sequence[Any], constants: Mapping[str, Any]) -> Any:
    """Location and log scale, with a weight that is a constant."""
    mu, log_sigma = etas
    return -0.5 * constants["a"] * (y - mu) ** 2 * f.exp(-2.0 * log_sigma) - log_sigma + 0.5 * f.log(constants["a"])


def mixture(f: Any, y: Any, etas: Sequence[Any], constants: Mapping[str, Any]) -> Any:
    """Two predictors that meet in exponentials and soft thresholds, as in mixtures with zeros."""
    one, other = etas
    meeting = f.softplus(-1.0 * f.exp(one) - other) * f.expit(one * other + y)
    return meeting - constants["a"] * f.softplus(other) + y * one * f.log1p(constants["b"] ** 2.0)


def student(f: Any, y: Any, etas: Sequence[Any], constants: Mapping[str, Any]) -> Any:
    """Location, log scale and log degrees of freedom."""
    mu, log_sigma, log_nu = etas
    nu = f.exp(log_nu)
    constant = f.gammaln(0.5 * (nu + 1.0)) - f.gammaln(0.5 * nu) - 0.5 * f.log(nu) - log_sigma
    return constant - constants["a"] * (nu + 1.0) * f.log1p((y - mu) ** 2 * f.exp(-2.0 * log_sigma) / nu)


def product(f: Any, y: Any, etas: Sequence[Any], constants: Mapping[str, Any]) -> Any:
    """Three predictors whose mixed third derivative does not vanish."""
    one, two, three = etas
    return f.exp(0.3 * one * two * three) + one * one * three * constants["a"] + y * f.softplus(one - two + 2.0 * three)


CASES: dict[str, tuple[Function, int, dict[str, float]]] = {
    "normal": (normal, 2, {"a": 1.7}),
    "mixture": (mixture, 2, {"a": 0.8, "b": 1.3}),
    "student": (student, 3, {"a": 0.5}),
    "product": (product, 3, {"a": -0.6}),
}
EVERY = pytest.mark.parametrize("name", CASES)


def found(name: str, order: int = 3) -> tuple[Jet, list[np.ndarray]]:
    function, count, constants = CASES[name]
    etas = list(0.7 * np.random.default_rng(2).normal(size=(count, ROWS)))
    return jet(lambda e, c: function(SERIES, Y, e, c), etas, constants, order), etas


def exact(name: str, etas: Sequence[np.ndarray], row: int, of: tuple[int, ...], parameter: str | None = None) -> float:
    """The derivative in the predictors named by position, and once in a constant, by differences with 60 digits."""
    function, count, constants = CASES[name]
    orders = [of.count(k) for k in range(count)] + [int(parameter == key) for key in constants]

    def at(*values: Any) -> Any:
        given = dict(zip(constants, values[count:], strict=True))
        return function(Mpmath, mpmath.mpf(Y[row]), values[:count], given)

    with mpmath.workdps(60):
        point = [mpmath.mpf(float(eta[row])) for eta in etas] + [mpmath.mpf(value) for value in constants.values()]
        return float(mpmath.diff(at, tuple(point), tuple(orders)) if sum(orders) else at(*point))


def assert_derivatives(of: Jet, name: str, etas: Sequence[np.ndarray], highest: int, parameter: str | None) -> None:
    arrays = (of.value, of.first, of.second, of.third)
    for order in range(highest + 1):
        assert arrays[order].shape == (len(etas),) * order + (ROWS,)
        for index in itertools.combinations_with_replacement(range(len(etas)), order):
            expected = [exact(name, etas, row, index, parameter) for row in range(ROWS)]
            for place in set(itertools.permutations(index)):  # symmetric: the same in whichever order
                # sums over lines take differences of numbers of order 10: about 15 digits less one
                assert_allclose(arrays[order][place], expected, rtol=1e-11, atol=1e-12, err_msg=f"{name} {place}")


@EVERY
def test_derivatives_up_to_the_third_are_mpmaths(name: str) -> None:
    of, etas = found(name)
    assert_derivatives(of, name, etas, 3, None)


@EVERY
def test_so_are_those_of_the_derivative_in_a_constant(name: str) -> None:
    of, etas = found(name)
    assert set(of.by) == set(CASES[name][2])
    for parameter, by in of.by.items():
        assert_derivatives(by, name, etas, 2, parameter)
        assert not by.third.size


@EVERY
def test_higher_orders_do_not_change_lower_ones(name: str) -> None:
    highest, _ = found(name)
    for order in (1, 2):
        lower, _ = found(name, order)
        assert not lower.third.size
        assert_allclose(lower.first, highest.first, rtol=1e-13, atol=1e-14)
        if order == 2:
            assert_allclose(lower.second, highest.second, rtol=1e-12, atol=1e-13)


def test_one_predictor_needs_one_line() -> None:
    lines = []

    def density(etas: Sequence[Any], _: Mapping[str, Any]) -> Any:
        lines.append(etas)
        return etas[0] * etas[0] * etas[0]

    of = jet(density, [np.array([2.0, -1.0])], {}, 3)
    assert len(lines) == 1
    assert_allclose(of.value, [8.0, -1.0])
    assert_allclose(of.first, [[12.0, 3.0]])
    assert_allclose(of.second, [[[12.0, -6.0]]])
    assert_allclose(of.third, [[[[6.0, 6.0]]]])


def test_predictors_that_a_density_does_not_read_have_no_derivatives() -> None:
    of = jet(lambda etas, _: SERIES.exp(etas[1]), [np.zeros(3), np.arange(3.0), np.ones(3)], {}, 3)
    rest = of.third.copy()
    assert_allclose(rest[1, 1, 1], np.exp(np.arange(3.0)))
    rest[1, 1, 1] = 0.0
    assert_allclose(rest, 0.0, atol=1e-14)
    assert_allclose(of.first[[0, 2]], 0.0)


INSIDE = {
    "positive": [1e-9, 0.03, 1.0, 17.0, 1e8],
    "unit": [1e-9, 0.02, 0.5, 0.9, 1 - 1e-9],
    "real": [-1e8, -0.03, 0.0, 17.0],
}
BACK = {"positive": mpmath.exp, "unit": Mpmath.expit, "real": lambda x: x}
FORWARD = {"positive": mpmath.log, "unit": lambda a: mpmath.log(a / (1 - a)), "real": lambda a: a}


@pytest.mark.parametrize("support", FREE)
def test_free_coordinates_and_their_slopes(support: str) -> None:
    free = FREE[support]
    for a in INSIDE[support]:
        x = free.forward(a)
        assert free.back(x) == pytest.approx(a, rel=1e-13)
        with mpmath.workdps(50):
            back = BACK[support]
            assert x == pytest.approx(float(FORWARD[support](mpmath.mpf(a))))
            slope = float(mpmath.diff(back, mpmath.mpf(x)))
            bend = float(mpmath.diff(lambda x: mpmath.log(mpmath.diff(back, x)), mpmath.mpf(x)))  # noqa: B023
        # near 1 the slope a (1 - a) has the relative error of 1 - a, 1e-16 / 1e-9
        assert free.slope(a) == pytest.approx(slope, rel=1e-6)
        assert free.bend(a) == pytest.approx(bend, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize(("support", "ends"), [("positive", (0.0, math.inf)), ("unit", (0.0, 1.0))])
def test_ends_of_a_range_are_not_inside(support: str, ends: tuple[float, float]) -> None:
    free = FREE[support]
    assert all(map(free.inside, INSIDE[support]))
    assert not any(map(free.inside, (*ends, -0.1, math.nan)))
    assert support == "positive" or not free.inside(1.1)
    for x in (-800.0, 800.0):  # no overflow, and no number outside
        assert ends[0] <= free.back(x) <= ends[1]
        assert math.isfinite(free.back(x))


def test_compiled_code_numbers_each_support() -> None:
    assert KINDS == {support: k for k, support in enumerate(FREE)}
