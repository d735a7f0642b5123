"""Compiled densities of correlated residuals: against the plain PyMC model, and against differences."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.design import Problem
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.densities.fixed import FixedData
from bayes_glmm.inference.densities.fixed_inputs import fixed_density
from bayes_glmm.inference.densities.whitened_inputs import whitened_density
from bayes_glmm.inference.whitening import whitening_for
from tests.inference.jacobian import Point, gaps, of_groups
from tests.likelihood.test_correlated import FORMULAS, data

ROOT = FixedData._fields.index("root")
CROSSED = {
    "crossed": ("y ~ x + ar(t, gr = g) + (1 | item)",),
    "scales": ("y ~ x + cosy(gr = g)", "sigma ~ x + (1 | g)"),
}
CASES = [*FORMULAS, *CROSSED]


@cache
def compiled(name: str) -> tuple[Problem, Density]:
    canonical = bg.GLMM(list((FORMULAS | CROSSED)[name]), data()).problem.canonical
    if canonical.design.blocks:
        whitening, why = whitening_for(canonical)
        assert whitening is not None, why
        density = whitened_density(whitening)
    else:
        density = fixed_density(canonical)
    assert density is not None
    return canonical, density


def moved(canonical: Problem, density: Density, x: np.ndarray) -> Point:
    """The point of the plain model where coordinates are x."""
    draw, design = density.expand(x), canonical.design
    values, flat = of_groups(design, draw)
    fixed = {one.variable: draw[one.variable] for one in design.predictors.fixed}
    constants = {name: draw[name] for name in canonical.spec.auxiliary}
    at = np.concatenate([*fixed.values(), *flat, np.array([float(one) for one in constants.values()])])
    return {**values, **fixed, "b": draw["beta"], **constants}, at


@pytest.mark.parametrize("name", CASES)
def test_the_density_is_the_plain_models_and_the_jacobian(name: str) -> None:
    canonical, density = compiled(name)
    # without random effects the density leaves out the constant log |root| of its linear change of coordinates
    constant = 0.0 if canonical.design.blocks else -np.linalg.slogdet(density.arrays[ROOT])[1]
    assert_allclose(gaps(moved, canonical, density), constant, atol=2e-7)


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_that_of_differences(name: str) -> None:
    _, density = compiled(name)
    x = density.start + 0.3 * np.random.default_rng(8).normal(size=len(density.start))
    _, gradient = density(x)
    steps = 1e-5 * np.eye(len(x))
    differences = [(density(x + step)[0] - density(x - step)[0]) / 2e-5 for step in steps]
    assert_allclose(gradient, differences, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("far", [-40.0, 40.0])
def test_correlations_at_the_ends_of_their_range_stop_no_chain(far: float) -> None:
    _, density = compiled("ar")
    x = density.start.copy()
    x[-1] = far
    value, gradient = density(x)
    assert not np.isnan(value) or np.isnan(gradient).any()


def test_integrated_coordinates_are_refused() -> None:
    model = bg.GLMM("y ~ x + cosy(gr = g) + (1 | g)", data())
    with pytest.raises(bg.SpecError, match="cannot be sampled in integrated coordinates"):
        model.fit(coordinates="integrated")
