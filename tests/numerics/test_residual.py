"""Correlations of residuals: matrices, their derivatives, and the priors of the places that they are made of."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from bayes_glmm.numerics.residual import RESIDUALS, Occasions, ResidualForm, below

STEPS = np.array([0, 1, 3, 4])


def _occasions(form: ResidualForm) -> Occasions:
    return Occasions(STEPS, form.lowest(len(STEPS)), 1.0)


@pytest.mark.parametrize("name", RESIDUALS)
def test_slopes_of_the_places_are_differences(name: str) -> None:
    form, rng, h = RESIDUALS[name], np.random.default_rng(1), 1e-6
    occasions, places = _occasions(form), rng.uniform(0.1, 0.9, form.constants(4))
    slope = rng.normal(size=(4, 4))
    slope = slope + slope.T

    def total(at: np.ndarray) -> float:
        return float(np.sum(slope * form.matrix(at, occasions)))

    differences = [(total(places + step) - total(places - step)) / (2.0 * h) for step in h * np.eye(len(places))]
    assert_allclose(form.pulled_back(places, occasions, slope), differences, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", RESIDUALS)
def test_places_come_back_from_a_positive_definite_matrix(name: str) -> None:
    form = RESIDUALS[name]
    occasions = _occasions(form)
    places = np.random.default_rng(2).uniform(0.01, 0.99, (50, form.constants(4)))
    R = form.matrix(places, occasions)
    assert_allclose(np.diagonal(R, axis1=1, axis2=2), 1.0)
    assert (np.linalg.eigvalsh(R) > 0).all()
    assert_allclose(form.places(R, occasions), places, atol=1e-9)
    assert len(form.names(4)) == form.constants(4)


def test_entries_are_those_of_the_definition() -> None:
    rho, R = -0.6, RESIDUALS["ar"].matrix(np.array([0.2]), Occasions(STEPS))
    assert_allclose(R[0], [1.0, rho, rho**3, rho**4])
    R = RESIDUALS["cosy"].matrix(np.array([0.0]), Occasions(np.arange(5), RESIDUALS["cosy"].lowest(5), 1.0))
    assert_allclose(R[1], [-0.25, 1.0, -0.25, -0.25, -0.25])
    assert abs(np.linalg.det(R)) < 1e-12  # the end of the range
    R = RESIDUALS["unstr"].matrix(np.full(3, 0.75), Occasions(np.arange(3)))
    inverse = np.linalg.inv(R)  # of the last two given the first the partial correlation is 2 p - 1
    assert_allclose(-inverse[1, 2] / np.sqrt(inverse[1, 1] * inverse[2, 2]), 0.5)


@pytest.mark.parametrize("eta", [1.0, 2.5])
def test_partial_correlations_with_beta_priors_are_lkj(eta: float) -> None:
    """Each correlation is then 2 b - 1, b ~ Beta(a, a), a = eta - 1 + m / 2; E log|R| by those of the partial ones."""
    form, m = RESIDUALS["unstr"], 4
    shapes = form.shapes(eta, m)
    R = form.matrix(np.random.default_rng(3).beta(shapes, shapes, (4000, len(shapes))), Occasions(np.arange(m)))
    a = eta - 1.0 + 0.5 * m
    for s, t in below(m):
        assert stats.kstest(0.5 + 0.5 * R[:, s, t], stats.beta(a, a).cdf).pvalue > 1e-3
