"""Every link, averaged over Gaussian random effects: the same assertions for all."""

from __future__ import annotations

import numpy as np
import pytest

from bayes_glmm.effects.integrate import average_over_normal, averaged_predictor, complement_over_normal
from bayes_glmm.errors import SpecError
from bayes_glmm.families import LINKS, Link
from bayes_glmm.numerics.functions import NUMPY

ALL = [pytest.param(link, id=link.name) for link in LINKS.values()]
AVERAGED = [pytest.param(link, id=link.name) for link in LINKS.values() if link.averaged is not None or link.strip > 0]
UNIT = [pytest.param(link, id=link.name) for link in LINKS.values() if link.range == "unit"]
ETA = np.array([-3.0, -0.4, 0.2, 2.5])


@pytest.mark.parametrize("link", ALL)
def test_without_variance_the_average_is_the_inverse_link(link: Link):
    np.testing.assert_allclose(average_over_normal(link, ETA, 0.0), link.inverse(ETA, NUMPY), rtol=1e-15)


@pytest.mark.parametrize("link", ALL)
def test_a_mean_that_does_not_exist_is_refused(link: Link):
    if link.averaged is None and link.strip == 0.0:
        with pytest.raises(SpecError, match="does not exist"):
            average_over_normal(link, ETA, 0.5)
    else:
        assert np.isfinite(average_over_normal(link, ETA, 0.5)).all()


@pytest.mark.parametrize("link", AVERAGED)
@pytest.mark.parametrize("sd", [0.1, 0.3, 0.7])
def test_agrees_with_gauss_hermite_where_that_converges(link: Link, sd: float):
    # 200 nodes; the poles of h are at least 1 / 0.7 away from the real axis, so that this rule is good to 1e-9 there
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    expected = link.inverse(ETA[:, None] + sd * nodes, NUMPY) @ weights / np.sqrt(2.0 * np.pi)
    np.testing.assert_allclose(average_over_normal(link, ETA, sd**2), expected, rtol=1e-9)


@pytest.mark.parametrize("link", AVERAGED)
def test_the_average_rises_with_eta_as_the_link_does(link: Link):
    eta = np.linspace(0.05, 6.0, 40) if link.name == "sqrt" else np.linspace(-6.0, 6.0, 40)
    for sd in (0.5, 3.0):
        assert (np.diff(average_over_normal(link, eta, sd**2)) > 0).all()


@pytest.mark.parametrize("link", AVERAGED)
def test_shapes_broadcast(link: Link):
    result = average_over_normal(link, ETA, np.array([[0.0], [0.3], [2.0]]))
    assert result.shape == (3, 4)
    one_by_one = [[float(average_over_normal(link, eta, v)) for eta in ETA] for v in (0.0, 0.3, 2.0)]
    np.testing.assert_allclose(result, one_by_one, rtol=1e-12)


@pytest.mark.parametrize("link", AVERAGED)
def test_the_averaged_predictor_is_the_link_of_the_average(link: Link):
    eta = np.abs(ETA) if link.name == "sqrt" else ETA
    mean = average_over_normal(link, eta, 1.5)
    np.testing.assert_allclose(averaged_predictor(link, eta, 1.5), link.forward(mean, NUMPY), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("link", UNIT)
@pytest.mark.parametrize("sd", [0.0, 1.0, 6.0])
def test_a_mean_and_its_complement_make_one(link: Link, sd: float):
    whole = average_over_normal(link, ETA, sd**2) + complement_over_normal(link, ETA, sd**2)
    np.testing.assert_allclose(whole, 1.0, rtol=1e-11)


@pytest.mark.parametrize("link", UNIT)
def test_extreme_predictors_stay_between_0_and_1(link: Link):
    eta, sd = np.meshgrid([-700.0, -50.0, 0.0, 50.0, 700.0], [0.0, 1e-8, 0.5, 10.0, 100.0])
    mean = average_over_normal(link, eta, sd**2)
    assert (mean >= 0.0).all()
    assert (mean <= 1.0 + 1e-12).all()
    assert (np.diff(mean, axis=1) >= -1e-12).all()


@pytest.mark.parametrize("link", UNIT)
def test_averaging_pulls_the_mean_towards_one_half(link: Link):
    if link.name == "cloglog":  # not symmetric: its middle is at log(log 2)
        return
    means = average_over_normal(link, 1.0, np.array([0.0, 1.0, 4.0, 25.0]))
    assert (np.diff(means) < 0).all()
    assert means[-1] > 0.5
