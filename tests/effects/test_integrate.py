"""Averages over a normal variable against mpmath, and against simulation where several random effects add up."""

from __future__ import annotations

import mpmath
import numpy as np
import pandas as pd
import pytest

from bayes_glmm.effects import trapezoid
from bayes_glmm.effects.integrate import (
    average_over_normal,
    averaged_predictor,
    complement_over_normal,
    variance_of_predictor,
)
from bayes_glmm.effects.kernel import logit_sums
from bayes_glmm.families import get_link
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import posterior_at
from bayes_glmm.spec import ModelSpec

INVERSE = {
    "logit": lambda x: 1 / (1 + mpmath.exp(-x)),
    "probit": lambda x: mpmath.ncdf(x),
    "cloglog": lambda x: -mpmath.expm1(-mpmath.exp(min(x, 8))),
    "cauchit": lambda x: mpmath.atan2(1, -x) / mpmath.pi,
}


def exact(function, eta: float, sd: float) -> mpmath.mpf:
    """E f(eta + sd Z) by adaptive Gauss-Legendre with 20 digits, cut where phi, the function or the tail turns."""
    with mpmath.workdps(20):
        turn = max(-38.0, min(38.0, -eta / sd))
        cuts = sorted({-40.0, -12.0, -6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0, 12.0, 40.0, float(sd), turn})
        scale = function(mpmath.mpf(eta))  # the quadrature stops on absolute error
        return scale * mpmath.quad(lambda z: function(eta + sd * z) / scale * mpmath.npdf(z), cuts)


@pytest.mark.parametrize("name", list(INVERSE))
@pytest.mark.parametrize("sd", [0.05, 1.0, 3.0, 10.0])
def test_relative_accuracy_against_mpmath(name: str, sd: float):
    eta = np.array([-10.0, -3.0, 0.3, 6.0])
    expected = [float(exact(INVERSE[name], value, sd)) for value in eta]
    np.testing.assert_allclose(average_over_normal(get_link(name), eta, sd**2), expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("logit", lambda x: 1 / (1 + mpmath.exp(x))),
        ("cloglog", lambda x: mpmath.exp(-mpmath.exp(min(x, 12)))),
        ("cauchit", lambda x: mpmath.atan2(1, x) / mpmath.pi),
    ],
)
@pytest.mark.parametrize("sd", [0.3, 1.0, 5.0])
def test_the_complement_keeps_its_digits_where_the_mean_is_1(name: str, rest, sd: float):
    eta = np.array([0.5, 3.5])
    expected = [float(exact(rest, value, sd)) for value in eta]
    np.testing.assert_allclose(complement_over_normal(get_link(name), eta, sd**2), expected, rtol=1e-8)


def test_the_averaged_predictor_is_finite_where_the_mean_rounds_to_0_or_1():
    # far out, E expit(eta + Z) is exp(eta + 1/2), so that its logit is eta + 1/2
    np.testing.assert_allclose(averaged_predictor(get_link("logit"), [-60.0, 60.0], 1.0), [-59.5, 59.5], rtol=1e-12)
    # 1 - E h = E exp(-exp(6 + Z / 2)) by mpmath
    rest = exact(lambda x: mpmath.exp(-mpmath.exp(x)), 6.0, 0.5)
    expected = float(mpmath.log(-mpmath.log(rest)))
    np.testing.assert_allclose(averaged_predictor(get_link("cloglog"), 6.0, 0.25), expected, rtol=1e-8)


def test_small_means_keep_their_relative_accuracy():
    # exp(eta + variance / 2), up to 1 - O(e^eta), is the mean of both links far down
    for name in ("logit", "cloglog"):
        eta, variance = np.array([-200.0, -600.0, -700.0]), np.array([4.0, 100.0, 25.0])
        ratio = average_over_normal(get_link(name), eta, variance) / np.exp(eta + 0.5 * variance)
        np.testing.assert_allclose(ratio, 1.0, rtol=1e-11)


def test_very_large_variances_approach_the_normal_distribution_function():
    # the logistic is a step against N(0, 1000^2): P(Z > -eta / sd), with a correction of order (pi / sd)^2
    mean = average_over_normal(get_link("logit"), np.array([-1000.0, 0.0, 500.0]), 1000.0**2)
    np.testing.assert_allclose(mean, [0.158655, 0.5, 0.691462], atol=1e-4)


def test_the_compiled_kernel_and_numpy_agree(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(1)
    eta, variance = rng.normal(-2.0, 8.0, 3000), rng.uniform(0.0, 100.0, 3000)
    eta[:5] = [-700.0, -690.0, -650.0, 300.0, 700.0]
    plain = average_over_normal(get_link("logit"), eta, variance)
    monkeypatch.setattr(trapezoid, "COMPILE_FROM", 0)
    np.testing.assert_allclose(average_over_normal(get_link("logit"), eta, variance), plain, rtol=1e-12)


def test_the_compiled_kernel_sums_what_it_says():
    eta, sd = np.array([-1.0, 0.5, 800.0]), np.array([1.0, 2.0, 1.0])
    nodes, weights = np.linspace(-3.0, 3.0, 7), np.arange(7.0)
    expected = NUMPY.expit(eta[:, None] + sd[:, None] * nodes) @ weights
    np.testing.assert_allclose(logit_sums(eta, sd, nodes, weights, np.full(3, 7)), expected, rtol=1e-14)


def test_missing_draws_stay_missing():
    assert np.isnan(average_over_normal(get_link("logit"), [0.0, 1.0], [np.nan, 1.0])).tolist() == [True, False]


def test_a_variance_that_rounding_made_negative_is_0():
    np.testing.assert_array_equal(average_over_normal(get_link("logit"), 1.0, -1e-18), NUMPY.expit(1.0))


def test_the_variance_of_the_predictor_adds_up_over_factors_and_slopes():
    rng = np.random.default_rng(2)
    data = pd.DataFrame(
        {"y": rng.normal(size=40), "x": rng.normal(size=40), "g": np.repeat(list("abcd"), 10), "h": list("uvwxy") * 8}
    )
    G = np.array([[[1.0, 0.3], [0.3, 0.5]], [[2.0, -0.4], [-0.4, 0.2]]])
    spec = ModelSpec.from_formula("y ~ x + (x | g) + (1 | h)")
    posterior = posterior_at(spec, data, np.zeros((2, 2)), {"g": G, "h": [[0.7]]}, {"sigma": 1.0})
    x = data["x"].to_numpy()
    slopes = G[:, 0, 0, None] + 2.0 * G[:, 0, 1, None] * x + G[:, 1, 1, None] * x**2
    predictors = posterior.design.predictors
    np.testing.assert_allclose(variance_of_predictor(posterior, predictors), slopes + 0.7, rtol=1e-13)
    np.testing.assert_allclose(variance_of_predictor(posterior, predictors, ["g"]), slopes, rtol=1e-13)
    np.testing.assert_allclose(variance_of_predictor(posterior, predictors, draws=slice(1, 2)), slopes[1:] + 0.7)
