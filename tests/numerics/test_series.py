"""Series against mpmath's derivatives: every function of the namespace, and compositions as densities use them."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from bayes_glmm.numerics.functions import Functions
from bayes_glmm.numerics.series import SERIES, Series, variables
from tests.hostile.cases import within

REFERENCE = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "log1p": lambda x: mpmath.log(1 + x),
    "expm1": lambda x: mpmath.exp(x) - 1,
    "sqrt": mpmath.sqrt,
    "tan": mpmath.tan,
    "erfc": mpmath.erfc,
    "erfcx": lambda x: mpmath.exp(x**2) * mpmath.erfc(x),
    "erfcinv": lambda x: mpmath.erfinv(1 - x),
    "expit": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "gammaln": mpmath.loggamma,
    "abs": lambda x: mpmath.sqrt(x * x),
}


@pytest.mark.parametrize("name", REFERENCE)
def test_derivatives_of_each_function(name: str) -> None:
    points = np.array([0.05, 0.3, 0.9, 1.7]) if name != "erfcinv" else np.array([0.05, 0.4, 1.2, 1.9])
    eta, _ = variables(points, {}, 3)
    found = getattr(SERIES, name)(eta)
    with mpmath.workdps(40):
        for k in range(4):
            expected = [float(mpmath.diff(REFERENCE[name], mpmath.mpf(x), k)) for x in points]
            np.testing.assert_allclose(np.broadcast_to(found.derivative(k), 4), expected, rtol=1e-11, atol=1e-13)


def test_log_gamma_of_negative_numbers_takes_no_time() -> None:
    """A mean far below 0 under an identity link would take a step of polygamma for each unit up to 0."""
    eta, _ = variables(np.array([-1e12 - 0.3, 2.0]), {}, 3)
    with within(10):
        found = SERIES.gammaln(eta)
    assert np.isnan(found.derivative(2)[0])
    assert found.derivative(2)[1] == pytest.approx(np.pi**2 / 6 - 1)


def test_every_function_of_the_namespace_is_covered() -> None:
    two = {"arctan2", "maximum", "minimum", "where"}
    of_others = {"log_binary", "log_rising", "conway_maxwell", "log_gamma_integral", "log_beta_integral"}
    assert set(Functions.__dataclass_fields__) == REFERENCE.keys() | two | of_others


@pytest.mark.parametrize("point", [-30.0, -1.3, 0.4, 25.0])
def test_arctan2_of_a_moving_second_argument(point: float) -> None:
    eta, _ = variables(np.array([point]), {}, 3)
    found = SERIES.log(SERIES.arctan2(1.0, -eta))
    with mpmath.workdps(40):
        for k in range(4):
            expected = float(mpmath.diff(lambda x: mpmath.log(mpmath.atan2(1, -x)), mpmath.mpf(point), k))
            np.testing.assert_allclose(found.derivative(k), [expected], rtol=1e-11)


def test_a_density_with_two_further_parameters() -> None:
    """Student's t: derivatives in eta to order 3, and once in nu or sigma, as mpmath has them."""

    def density(eta, nu, sigma, log, log1p, gammaln):
        constant = gammaln(0.5 * (nu + 1)) - gammaln(0.5 * nu) - 0.5 * log(nu * np.pi) - log(sigma)
        return constant - 0.5 * (nu + 1) * log1p(((1.3 - eta) / sigma) ** 2 / nu)

    at = {"nu": 4.5, "sigma": 0.7}
    eta, parameters = variables(np.array([0.2]), at, 3)
    found = density(eta, parameters["nu"], parameters["sigma"], SERIES.log, SERIES.log1p, SERIES.gammaln)

    def exact(eta, nu, sigma):
        return density(eta, nu, sigma, mpmath.log, lambda x: mpmath.log(1 + x), mpmath.loggamma)

    point = (mpmath.mpf("0.2"), mpmath.mpf(4.5), mpmath.mpf("0.7"))
    with mpmath.workdps(40):
        for k in range(4):
            np.testing.assert_allclose(found.derivative(k), [float(mpmath.diff(exact, point, (k, 0, 0)))], rtol=1e-11)
        for k in range(3):
            for name, orders in (("nu", (k, 1, 0)), ("sigma", (k, 0, 1))):
                expected = float(mpmath.diff(exact, point, orders))
                np.testing.assert_allclose(found.derivative(k, name), [expected], rtol=1e-11)


def test_choices_take_the_branch_of_each_row() -> None:
    eta, _ = variables(np.array([-2.0, 3.0]), {}, 2)
    found = SERIES.where(eta < 0.0, eta * eta, SERIES.maximum(eta, 5.0) * 2.0)
    np.testing.assert_array_equal(found.value, [4.0, 10.0])
    np.testing.assert_array_equal(found.derivative(1), [-4.0, 0.0])
    np.testing.assert_array_equal(found.derivative(2), [2.0, 0.0])


def test_arrays_on_either_side_of_an_operator() -> None:
    eta, _ = variables(np.array([0.5, 2.0]), {}, 2)
    y = np.array([3.0, 4.0])
    for found in (y * eta, eta * y, y + eta, y - eta, y / eta, eta / y):
        assert isinstance(found, Series)
    np.testing.assert_allclose((y / eta).derivative(2), 2.0 * y / np.array([0.5, 2.0]) ** 3)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_parameter_at_the_end_of_the_range_gives_no_error() -> None:
    for value in (0.0, 5e-324, 1e308):
        _, parameters = variables(np.array([0.5]), {"phi": value}, 3)
        found = SERIES.log(parameters["phi"] * 1e10) + parameters["phi"] ** 3.0
        assert not np.isfinite(found.derivative(0) + found.derivative(0, "phi"))
