"""Integrated coordinates of models with several predictors, categories or constants that are not positive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.design import Problem
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.densities.integrated_inputs import integrated_density
from bayes_glmm.inference.integral import Integral, draw_effects, integral_for, log_likelihood, quadrature_error
from bayes_glmm.inference.integrated import integrated_model
from bayes_glmm.likelihood import Parameters, layout_of, likelihood_of
from bayes_glmm.likelihood.priors import LogPrior
from bayes_glmm.likelihood.quadrature import aghq_log_likelihood
from tests.inference.jacobian import log_density


@dataclass(frozen=True)
class Case:
    """A model of the rows of :func:`data`."""

    formulas: tuple[str, ...]
    family: str

    @property
    def problem(self) -> Problem:
        return bg.GLMM(list(self.formulas), data(), self.family).problem.canonical


CASES: Mapping[str, Case] = {
    "zi": Case(("count ~ x + (1 | g)", "zi ~ w"), "zero_inflated_poisson"),
    "zi with the effect": Case(("count ~ x", "zi ~ w + (1 | g)"), "zero_inflated_poisson"),
    "a constant zi": Case(("count ~ x + (1 | g)",), "zero_inflated_negative_binomial"),
    "hu beside phi": Case(("count ~ x + (1 | g)", "hu ~ w"), "hurdle_negative_binomial"),
    "sigma": Case(("real ~ x + offset(w) + (1 | g)", "sigma ~ w"), "gaussian"),
    "sigma with a slope": Case(("real ~ x", "sigma ~ 0 + offset(w) + (0 + x | g)"), "gaussian"),
    "ordered": Case(("ordered ~ x + (1 | g)",), "cumulative"),
    "disc": Case(("ordered ~ x + (1 | g)", "disc ~ 0 + w"), "cumulative"),
    "free thresholds": Case(("ordered ~ x + (1 | g)",), "acat"),
    "unordered": Case(("three ~ x", "muc ~ x + (1 | g)"), "categorical"),
}

QUICK = ("zi", "zi with the effect", "disc")  # each family and link compiles a density of its own


@cache
def data() -> pd.DataFrame:
    """Nine groups of six rows; columns have few values, so that groups repeat rows."""
    rng = np.random.default_rng(6)
    g = np.repeat(np.arange(9), 6)
    n, u = len(g), rng.normal(size=9)[g]
    x, w = rng.integers(0, 2, n).astype(float), rng.integers(0, 3, n) - 1.0
    return pd.DataFrame(
        {
            "count": np.where(rng.random(n) < 0.3, 0, rng.poisson(np.exp(0.8 + 0.4 * x + 0.6 * u))),
            "real": 0.5 * x + u + np.exp(0.3 * w) * rng.normal(size=n),
            "ordered": 1 + np.digitize(x + u + rng.logistic(size=n), [-0.5, 0.5, 1.5]),
            "three": np.array(["a", "b", "c"])[rng.integers(0, 3, n)],
            "x": x,
            "w": w,
            "g": g,
        }
    )


@cache
def made(name: str) -> tuple[Problem, Integral, Density]:
    problem = CASES[name].problem
    integral = integral_for(problem.spec, problem.design)
    assert integral is not None
    density = integrated_density(integral, problem.priors)
    assert density is not None
    return problem, integral, density


def somewhere(density: Density, seed: int) -> np.ndarray:
    return density.start + 0.5 * np.random.default_rng(seed).normal(size=len(density.start))


def point(density: Density, x: np.ndarray) -> xr.Dataset:
    draw = density.expand(x)
    return xr.Dataset({kept.name: (("chain", "draw", *kept.dims), [[draw[kept.name]]]) for kept in density.kept})


def parameters(problem: Problem, density: Density, x: np.ndarray) -> Parameters:
    draw = density.expand(x)
    beta = np.concatenate([draw[one.variable] for one in problem.design.predictors.fixed])
    L = {"g": draw["sd_g"].reshape(1, 1)}
    return Parameters(beta, L, {name: float(draw[name]) for name in problem.spec.auxiliary})


EVERY = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in CASES]
)


@EVERY
def test_integrals_are_those_of_adaptive_quadrature(name: str) -> None:
    """Another rule, with derivatives of its own, which cubature of SciPy's densities is the witness of."""
    problem, integral, density = made(name)
    likelihood = likelihood_of(problem.spec, problem.design)
    for seed in range(3):
        x = somewhere(density, seed)
        found = log_likelihood(integral, point(density, x), np.array([0]))[0]
        expected = aghq_log_likelihood(likelihood, parameters(problem, density, x), nodes=60).value
        assert found == pytest.approx(expected, abs=1e-4)


@EVERY
def test_density_is_the_prior_times_the_integrals(name: str) -> None:
    """Up to one constant, the Jacobian of the coordinates."""
    problem, integral, density = made(name)
    layout, change = layout_of(likelihood_of(problem.spec, problem.design)), []
    for seed in range(4):
        x = somewhere(density, seed)
        free = layout.to_free(layout.vector(parameters(problem, density, x)))
        of_data = log_likelihood(integral, point(density, x), np.array([0]))[0]
        change.append(density(x)[0] - LogPrior(layout, problem.priors)(free)[0] - of_data)
    assert_allclose(change, change[0], rtol=0, atol=1e-8)


@EVERY
def test_gradients_are_those_of_the_values(name: str) -> None:
    *_, density = made(name)
    x = somewhere(density, 7)
    numerical = [(density(x + step)[0] - density(x - step)[0]) / 2e-5 for step in 1e-5 * np.eye(len(x))]
    assert_allclose(density(x)[1], numerical, rtol=1e-6, atol=1e-6)


@EVERY
def test_coordinates_are_about_standard_normal(name: str) -> None:
    *_, density = made(name)
    origin = np.zeros(len(density.start))
    assert_allclose(density(origin)[1], 0.0, atol=2e-3)
    for axis in np.eye(len(origin)):
        assert_allclose(density(1e-2 * axis)[1], -1e-2 * axis, atol=2e-3)


@pytest.mark.parametrize("name", ["zi", "disc", pytest.param("unordered", marks=pytest.mark.slow)])
def test_the_pymc_model_has_the_same_density(name: str) -> None:
    """Up to one constant, with the Jacobian of the free coordinates of sd and constants."""
    problem, integral, density = made(name)
    model, change = integrated_model(integral, problem.priors), []
    layout = layout_of(likelihood_of(problem.spec, problem.design))
    for seed in range(3):
        x = somewhere(density, seed)
        at = parameters(problem, density, x)
        values = dict(density.expand(x))
        for one in problem.design.predictors.fixed:
            for label, value in zip(one.coefficients, values[one.variable], strict=True):
                values[f"{one.variable}[{label}]"] = value
        if problem.priors.canonical.mix is not None:  # whose independent coefficients PyMC has
            values["b_mub"], values["b_muc"] = np.split(problem.priors.canonical.apart @ at.beta, 2)
        slopes = [np.log(free.slope(at.auxiliary[one])) for one, free in layout.constants.items()]
        jacobian = float(np.log(at.L["g"][0, 0]) + np.sum(slopes))
        found = log_density(model, {one.name: values[one.name] for one in model.free_RVs})
        change.append(density(x)[0] - found - jacobian)
    assert_allclose(change, change[0], rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", ["zi", "zi with the effect", "disc"])
def test_drawn_effects_have_the_moments_of_their_conditional(name: str) -> None:
    problem, integral, density = made(name)
    design, draws = problem.design, 4_000
    one = point(density, somewhere(density, 3))
    posterior = one.isel(draw=np.zeros(draws, dtype=int))
    drawn = draw_effects(integral, posterior, seed=1)
    assert quadrature_error(integral, posterior) < 1e-3
    z, sd = drawn["z_g"].to_numpy()[0, :, :, 0], float(one["sd_g"].to_numpy().item())
    assert_allclose(drawn["u_g"].to_numpy()[0, :, :, 0], sd * z, rtol=1e-12)
    at = parameters(problem, density, somewhere(density, 3))
    likelihood = likelihood_of(problem.spec, design)
    t = np.linspace(-8.0, 8.0, 4001)
    fixed = likelihood.by_predictor(likelihood.fixed(at.beta))
    entered, values = design.predictors.parameters.index(integral.entered), design.blocks[0].values[:, 0]
    for level in range(9):
        rows = np.flatnonzero(design.blocks[0].index == level)
        etas = [np.broadcast_to(eta[rows], (len(t), len(rows))) for eta in fixed]
        etas[entered] = etas[entered] + at.L["g"][0, 0] * values[rows] * t[:, None]
        density_of_rows = likelihood.jet_at(etas, at.auxiliary, 1, design.observed[rows]).value
        weight = np.exp(density_of_rows.sum(axis=1) - 0.5 * t**2)
        mean = np.average(t, weights=weight)
        spread = np.sqrt(np.average((t - mean) ** 2, weights=weight))
        # five Monte Carlo standard errors
        assert mean == pytest.approx(z[:, level].mean(), abs=5 * spread / np.sqrt(draws))
        assert spread == pytest.approx(z[:, level].std(), rel=5 / np.sqrt(draws))


def test_what_cannot_be_integrated_is_left_to_other_coordinates() -> None:
    for formulas, family in (
        (["count ~ x + (1 |i| g)", "zi ~ w + (1 |i| g)"], "zero_inflated_poisson"),
        (["real ~ x + (x | g)", "sigma ~ w"], "gaussian"),
        ("three ~ x + (1 | g)", "categorical"),
    ):
        model = bg.GLMM(formulas, data(), family)
        assert integral_for(model.spec, model.design) is None
    with pytest.raises(bg.SpecError, match="in any formula"):
        model.fit(coordinates="integrated", progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["zi", "disc", "zi with the effect"])
def test_the_posterior_is_that_of_whitened_coordinates(name: str) -> None:
    case, draws = CASES[name], 4_000
    model = bg.GLMM(list(case.formulas), data(), case.family)
    ours, other = (
        model.fit(draws=draws, seed=4, coordinates=kind, target_accept=0.9, progress=False).posterior
        for kind in ("integrated", "whitened")
    )
    assert ours.provenance["coordinates"] == "integrated"
    one, two = (posterior.draws["posterior"].to_dataset() for posterior in (ours, other))
    assert set(one.data_vars) == set(two.data_vars)
    for variable in one.data_vars:
        for method in ("mean", "sd"):
            numbers = [
                getattr(draws_of[variable], method.replace("sd", "std"))(("chain", "draw")) for draws_of in (one, two)
            ]
            errors = [az.mcse(draws_of[[variable]], method=method)[variable] for draws_of in (one, two)]
            # five standard errors of the difference: none of 100 comparisons may differ by chance
            assert (np.abs(numbers[0] - numbers[1]) <= 5 * np.hypot(*errors) + 1e-12).all(), f"{method} of {variable}"
