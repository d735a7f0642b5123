"""Censored and truncated responses in the sampler's coordinates: the plain posterior, its slopes, fewer rows."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.design import Problem
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.densities.fixed_inputs import fixed_density
from bayes_glmm.inference.densities.integrated_inputs import integrated_density
from bayes_glmm.inference.densities.whitened_inputs import whitened_density
from bayes_glmm.inference.integral import integral_for, log_likelihood
from bayes_glmm.inference.reduce import reduce_rows
from bayes_glmm.inference.whitening import whitening_for
from bayes_glmm.likelihood import likelihood_of
from bayes_glmm.likelihood.layout import layout_of
from bayes_glmm.likelihood.priors import LogPrior
from bayes_glmm.model import build_model
from tests.inference.test_densities import assert_posterior_times_jacobian, somewhere
from tests.model.test_log_density import log_density


@cache
def data() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    g, x, entry = np.repeat(np.arange(10), 8), rng.normal(size=80), rng.uniform(0.0, 0.4, 80)
    t = entry + np.exp(0.5 * rng.normal(size=10)[g] + 0.3 * x) * rng.exponential(size=80)
    frame = pd.DataFrame({"g": g, "x": x, "entry": entry, "t": np.minimum(t, 2.5), "c": t > 2.5})
    return frame.assign(count=rng.poisson(1.0, 80) + 1)


def problem(formula: str, family: str) -> Problem:
    return bg.GLMM(formula, data(), family).problem.canonical


def whitened(formula: str, family: str) -> tuple[Problem, Density]:
    found = problem(formula, family)
    whitening, why = whitening_for(found)
    assert whitening is not None, why
    density = whitened_density(whitening)
    assert density is not None
    return found, density


def assert_slopes(density: Density) -> None:
    x = somewhere(density, 1)
    slopes = [(density(x + along)[0] - density(x - along)[0]) / 2e-5 for along in 1e-5 * np.eye(len(x))]
    assert_allclose(density(x)[1], slopes, rtol=1e-6, atol=3e-7)


@pytest.mark.parametrize(
    ("formula", "family"),
    [
        pytest.param("t | cens(c) + trunc(lb=entry) ~ x + (1 | g)", "weibull", marks=pytest.mark.slow),
        pytest.param("count | trunc(lb=1) ~ x + (1 | g)", "poisson", marks=pytest.mark.slow),
        pytest.param("t | cens(c) ~ x + (x | g)", "lognormal", marks=pytest.mark.slow),
    ],
)
def test_whitened_density_is_the_posterior_times_the_jacobian(formula: str, family: str) -> None:
    found, density = whitened(formula, family)
    assert_posterior_times_jacobian(found, density, range(2))
    assert_slopes(density)


@pytest.mark.slow  # compiles a density
def test_integrated_density_is_the_prior_times_the_integrals() -> None:
    found = problem("t | cens(c) ~ x + (1 | g)", "exponential")
    integral = integral_for(found.spec, found.design)
    assert integral is not None
    density = integrated_density(integral, found.priors)
    assert density is not None
    layout, change = layout_of(likelihood_of(found.spec, found.design)), []
    for seed in range(3):
        x = somewhere(density, seed)
        draw = density.expand(x)
        point = xr.Dataset({kept.name: (("chain", "draw", *kept.dims), [[draw[kept.name]]]) for kept in density.kept})
        free = np.concatenate([draw["beta"], np.log(draw["sd_g"])])
        expected = LogPrior(layout, found.priors)(free)[0] + log_likelihood(integral, point, np.array([0]))[0]
        change.append(density(x)[0] - expected)
    assert_allclose(change, change[0], rtol=0, atol=1e-8)
    assert_slopes(density)


def test_density_without_groups_is_the_plain_models() -> None:
    found = problem("t | cens(c) ~ x", "exponential")
    density, plain, change = fixed_density(found), build_model(found), []
    assert density is not None
    for seed in range(3):
        x = somewhere(density, seed)
        beta = density.expand(x)["beta"]
        names = {"beta": beta} | {f"beta[{name}]": b for name, b in zip(found.design.coefficients, beta, strict=True)}
        change.append(density(x)[0] - log_density(plain, {one.name: names[one.name] for one in plain.free_RVs}))
    assert_allclose(change, change[0], atol=1e-9)
    assert_slopes(density)


def test_rows_are_merged_only_where_all_values_are_known() -> None:
    rows = pd.DataFrame({"y": [1, 2, 1, 3] * 10, "x": [0, 0, 1, 1] * 10, "none": 0})
    for formula, fewer in (("y ~ x", True), ("y | cens(none) ~ x", True), ("y | trunc(lb=1) ~ x", False)):
        model = bg.GLMM(formula, rows, "poisson")
        assert (len(reduce_rows(model.spec, model.design).design.y) < 40) == fewer
