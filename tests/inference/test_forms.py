"""Effects with one correlation in compiled coordinates: against the plain PyMC model, and against free covariances."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.design import Problem
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.densities.whitened_inputs import whitened_density
from bayes_glmm.inference.whitening import whitening_for
from tests.inference.jacobian import Point, gaps, of_groups

FORMULAS = (
    "y ~ x + cs(0 + f | g)",
    "y ~ x + homcs(0 + f | g)",
    "y ~ x + ar1(0 + C(t) | g)",
    "y ~ x + hetar1(0 + C(t) | g)",
    "y ~ x + ou(0 + C(late) | g)",
    pytest.param("y ~ x + (1 | g) + homcs(0 + f | g)", marks=pytest.mark.slow),
    "y ~ x + (1 | g) + cs(0 + f | h)",
)


def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    t = np.tile(np.arange(4), 30)
    f, g, h = np.array(list("abcd"))[t], np.repeat(np.arange(15), 8), rng.integers(0, 4, 120)
    late = np.array([0.0, 0.5, 2.0, 3.5])[t]
    return pd.DataFrame({"x": rng.normal(size=120), "t": t, "f": f, "late": late, "g": g, "h": h}).assign(
        y=rng.poisson(np.exp(0.3 + rng.normal(0, 0.5, 15)[g] + rng.normal(0, 0.3, 120)))
    )


@cache
def compiled(formula: str) -> tuple[Problem, Density]:
    canonical = bg.GLMM(formula, data(), "poisson").problem.canonical
    whitening, why = whitening_for(canonical)
    assert whitening is not None, why
    density = whitened_density(whitening)
    assert density is not None
    return canonical, density


def moved(canonical: Problem, density: Density, x: np.ndarray) -> Point:
    """The point of the plain model where coordinates are x."""
    draw = density.expand(x)
    values, flat = of_groups(canonical.design, draw)
    return {**values, "beta": draw["beta"], "b": draw["beta"]}, np.concatenate([draw["beta"], *flat])


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_density_is_the_plain_models_and_the_jacobian(formula: str) -> None:
    canonical, density = compiled(formula)
    assert_allclose(gaps(moved, canonical, density), 0.0, atol=2e-7)


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_gradient_is_that_of_differences(formula: str) -> None:
    _, density = compiled(formula)
    x = density.start + 0.3 * np.random.default_rng(8).normal(size=len(density.start))
    _, gradient = density(x)
    steps = 1e-5 * np.eye(len(x))
    differences = [(density(x + step)[0] - density(x - step)[0]) / 2e-5 for step in steps]
    assert_allclose(gradient, differences, rtol=2e-6, atol=2e-6)
