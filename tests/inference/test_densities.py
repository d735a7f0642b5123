"""Compiled densities are the posterior: against sums of log densities that are computed without them."""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import mpmath
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import integers
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.design import Problem
from bayes_glmm.inference.densities.ahead import COMMON_PAIRS
from bayes_glmm.inference.densities.compilation import on_disk
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.densities.integrated_inputs import integrated_density
from bayes_glmm.inference.densities.priors import prior_density, prior_table
from bayes_glmm.inference.densities.variances import bent
from bayes_glmm.inference.densities.whitened_inputs import whitened_density
from bayes_glmm.inference.integral import integral_for, log_likelihood
from bayes_glmm.inference.plain_variables import plain_variables
from bayes_glmm.inference.whitening import whitening_for
from bayes_glmm.likelihood import likelihood_of
from bayes_glmm.likelihood.layout import layout_of
from bayes_glmm.likelihood.likelihood import Parameters
from bayes_glmm.likelihood.priors import LogPrior, log_density
from bayes_glmm.numerics.distributions import DISTRIBUTIONS
from bayes_glmm.spec import Prior
from tests.likelihood import cases

WHITENED = [
    ("bernoulli", "intercept"),
    ("poisson", "correlated"),
    ("gaussian", "crossed"),
    ("negative_binomial", "nested"),
    ("gamma", "three factors"),
]
INTEGRATED = ["bernoulli", "negative_binomial"]
GENERATED = [
    ("bernoulli", "probit"),
    ("binomial", "cloglog"),
    ("beta", "logit"),
    ("gamma", "inverse"),
    ("negative_binomial", "sqrt"),
    ("poisson", "identity"),
    ("student_t", "identity"),
]


@cache
def whitened(family: str, structure: str, link: str | None = None) -> tuple[Problem, Density]:
    """A problem in canonical columns, those of the samplers, and its density."""
    problem = cases.model(family, structure, link).problem.canonical
    whitening, why = whitening_for(problem)
    assert whitening is not None, why
    density = whitened_density(whitening)
    assert density is not None
    return problem, density


@cache
def integrated(family: str) -> tuple[Problem, Density]:
    problem = cases.model(family, "intercept").problem.canonical
    integral = integral_for(problem.spec, problem.design)
    assert integral is not None
    density = integrated_density(integral, problem.priors)
    assert density is not None
    return problem, density


def somewhere(density: Density, seed: int) -> np.ndarray:
    return density.start + 0.4 * np.random.default_rng(seed).normal(size=len(density.start))


def assert_posterior_times_jacobian(problem: Problem, density: Density, seeds: Iterable[int]) -> None:
    """log p(x) = log prior + log p(y | eta) + log N(z) + log |d (parameters, z) / d x|, the last by differences."""
    likelihood = likelihood_of(problem.spec, problem.design)
    layout = layout_of(likelihood)

    def parameters(draw: dict[str, np.ndarray]) -> Parameters:
        L = {block.group: draw[f"L_{block.group}"] for block in problem.design.blocks}
        return Parameters(draw["beta"], L, {name: float(draw[name]) for name in layout.auxiliary})

    def moved(x: np.ndarray) -> np.ndarray:
        draw = density.expand(x)
        z = [draw[f"z_{block.group}"].ravel() for block in problem.design.blocks]
        return np.concatenate([layout.to_free(layout.vector(parameters(draw))), *z])

    for seed in seeds:
        x = somewhere(density, seed)
        draw = density.expand(x)
        at = parameters(draw)
        eta = likelihood.fixed(draw["beta"])
        for block in problem.design.blocks:
            u = draw[f"u_{block.group}"]
            assert_allclose(u, draw[f"z_{block.group}"] @ at.L[block.group].T, rtol=1e-12, atol=1e-14)
            eta = eta + (u[block.index] * block.values).sum(axis=1)
        free = layout.to_free(layout.vector(at))
        z = moved(x)[len(free) :]
        prior, _ = LogPrior(layout, problem.priors)(free)
        data = likelihood.rows(eta, at.auxiliary, 0).value.sum()
        jacobian = np.array([(moved(x + step) - moved(x - step)) / 2e-5 for step in 1e-5 * np.eye(len(x))])
        expected = prior + data - 0.5 * z @ z - 0.5 * len(z) * math.log(2.0 * math.pi)
        assert_allclose(density(x)[0], expected + np.linalg.slogdet(jacobian)[1], rtol=1e-8)


@pytest.mark.parametrize(("family", "structure"), WHITENED)
def test_whitened_density_is_the_posterior_times_the_jacobian(family: str, structure: str) -> None:
    assert_posterior_times_jacobian(*whitened(family, structure), range(3))


@pytest.mark.slow  # compiles a density for every family, for one and for two effects a level
@pytest.mark.parametrize("structure", [name for name in cases.STRUCTURES if name != "none"])
@pytest.mark.parametrize(("family", "link"), COMMON_PAIRS, ids=["-".join(key) for key in COMMON_PAIRS])
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=integers(0, 2**32 - 1))
def test_so_it_is_for_every_kernel_and_structure(family: str, link: str, structure: str, seed: int) -> None:
    assert bg.FAMILIES[family].links[0] == link
    assert_posterior_times_jacobian(*whitened(family, structure), [seed])


@pytest.mark.slow  # compiles a density for each
@pytest.mark.parametrize(("family", "link"), GENERATED, ids=["-".join(pair) for pair in GENERATED])
def test_so_it_is_for_kernels_written_from_densities(family: str, link: str) -> None:
    assert_posterior_times_jacobian(*whitened(family, "crossed", link), range(2))


def test_so_it_is_for_many_effects_a_level() -> None:
    """Six, in two runs of correlated ones."""
    rng, n = np.random.default_rng(5), 80
    table = pd.DataFrame(rng.normal(size=(n, 5)), columns=[f"x{k}" for k in range(1, 6)])
    table = table.assign(g=np.repeat(np.arange(8), 10), y=rng.poisson(1.5, n))
    model = bg.GLMM("y ~ x1 + (x1 + x2 + x3 | g) + (0 + x4 + x5 | g)", table, "poisson")
    problem = model.problem.canonical
    whitening, why = whitening_for(problem)
    assert whitening is not None, why
    density = whitened_density(whitening)
    assert density is not None
    assert_posterior_times_jacobian(problem, density, range(2))


@pytest.mark.parametrize("family", INTEGRATED)
def test_integrated_density_is_the_prior_times_the_integrals(family: str) -> None:
    """Up to one constant, the Jacobian of the coordinates."""
    problem, density = integrated(family)
    integral = integral_for(problem.spec, problem.design)
    assert integral is not None
    layout = layout_of(likelihood_of(problem.spec, problem.design))
    change = []
    for seed in range(4):
        x = somewhere(density, seed)
        draw = density.expand(x)
        point = xr.Dataset({kept.name: (("chain", "draw", *kept.dims), [[draw[kept.name]]]) for kept in density.kept})
        free = np.concatenate([draw["beta"], np.log(draw["sd_g"]), *(np.log([draw[n]]) for n in layout.auxiliary)])
        expected = LogPrior(layout, problem.priors)(free)[0] + log_likelihood(integral, point, np.array([0]))[0]
        change.append(density(x)[0] - expected)
    assert_allclose(change, change[0], rtol=0, atol=1e-8)


@pytest.mark.parametrize("terms", ["(x | g) + (1 | h)", "(1 | g) + (1 | h) + (x || k)"])
def test_gaussian_coordinates_are_white_whatever_the_sd_of_the_last_effect_is(terms: str) -> None:
    """With the other variances at the mode, log p(w) - log p(0) = -|w|^2 / 2 for any value of that sd."""
    model = bg.GLMM(f"real ~ x + {terms}", cases.data(), priors={"Intercept": "Normal(0, 2)", "x": "Normal(0, 0.5)"})
    whitening, why = whitening_for(model.problem.canonical)
    assert whitening is not None, why
    density = whitened_density(whitening)
    assert density is not None
    white = len(whitening.fixed_and_others.pull) + whitening.R.size
    last = len(density.start) - white - 2  # before log sigma
    rng = np.random.default_rng(3)
    for moved in (-4.0, -1.0, 0.5, 3.0):
        at = density.start.copy()
        at[last] += moved
        w = rng.normal(size=white)
        x = at + np.append(np.zeros(len(at) - white), w)
        assert_allclose(density(x)[0] - density(at)[0], -0.5 * w @ w, rtol=1e-7)
        assert_allclose(density(x)[1][-white:], -w, rtol=1e-6, atol=1e-7)


def test_gaussian_effects_of_one_factor_are_white_whatever_all_other_parameters_are() -> None:
    _, density = whitened("gaussian", "correlated")
    rng = np.random.default_rng(4)
    effects = 2 * len(cases.data()["g"].unique())
    for _ in range(3):
        at = density.start + rng.normal(size=len(density.start))  # variances, sigma and beta
        at[-effects:] = 0.0
        w = rng.normal(size=effects)
        x = at + np.append(np.zeros(len(at) - effects), w)
        assert_allclose(density(x)[0] - density(at)[0], -0.5 * w @ w, rtol=1e-7)


@pytest.mark.parametrize("case", [*WHITENED, *INTEGRATED], ids=str)
def test_gradients_are_those_of_the_values(case: tuple[str, str] | str) -> None:
    _, density = integrated(case) if isinstance(case, str) else whitened(*case)
    x = somewhere(density, 7)
    _, gradient = density(x)
    numerical = [(density(x + step)[0] - density(x - step)[0]) / 2e-5 for step in 1e-5 * np.eye(len(x))]
    assert_allclose(gradient, numerical, rtol=1e-6, atol=1e-6)


def test_integrated_coordinates_are_about_standard_normal() -> None:
    _, density = integrated("bernoulli")
    origin = np.zeros(len(density.start))
    assert_allclose(density(origin)[1], 0.0, atol=1e-3)
    for axis in np.eye(len(origin)):
        assert_allclose(density(1e-2 * axis)[1], -1e-2 * axis, atol=3e-4)


@pytest.mark.parametrize("scale", [0.02, 0.4, 3.0])
@pytest.mark.parametrize("x", [-30.0, -6.0, -2.5, -1.0, 0.0, 0.7, 5.0, 40.0])
def test_the_bend_of_log_standard_deviations_has_its_slopes(x: float, scale: float) -> None:
    with mpmath.workdps(40):

        def log_sd(x: mpmath.mpf) -> mpmath.mpf:
            return scale * x - (below(x) ** 2 - below(mpmath.mpf(0)) ** 2) / 2

        def below(x: mpmath.mpf) -> mpmath.mpf:
            return mpmath.log1p(mpmath.exp(-(x + 1 / mpmath.mpf(scale))))

        expected = log_sd(mpmath.mpf(x)), mpmath.diff(log_sd, x), mpmath.diff(log_sd, x, 2) / mpmath.diff(log_sd, x)
        found = bent.py_func(x, scale, float(below(mpmath.mpf(0)) ** 2 / 2))
        assert_allclose(found, [float(value) for value in expected], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", [name for name in DISTRIBUTIONS if name != "Uniform"])
def test_prior_rows_are_the_densities(name: str) -> None:
    arguments = {
        "Flat": (), "HalfFlat": (), "StudentT": (3.0, 0.5, 1.5), "HalfStudentT": (3.0, 1.5), "HalfNormal": (1.5,),
        "HalfCauchy": (1.5,), "Exponential": (2.0,),
    }.get(name, (0.5, 1.5))  # fmt: skip
    prior = Prior(name, arguments)
    table = prior_table([prior])
    assert table is not None
    for x in (0.03, 0.7, 4.0) if "Normal" not in name or "Log" in name else (0.03, 0.7, 4.0, 0.5001):
        assert_allclose(prior_density(table[0], x), log_density(prior, x), rtol=1e-12, atol=1e-13)


def test_what_ends_in_a_cliff_has_no_row() -> None:
    assert prior_table([Prior("Uniform", (0.0, 3.0))]) is None
    assert prior_table([Prior("Normal", (0.0, 1.0)), Prior("Kumaraswamy", (1.0, 2.0))]) is None


def test_what_has_no_entry_is_left_to_pymc() -> None:
    model = bg.GLMM("count ~ x + (1 | g)", cases.data(), family="poisson", priors={"sd_g": "Uniform(0, 3)"})
    problem = model.problem.canonical
    whitening, _ = whitening_for(problem)
    integral = integral_for(problem.spec, problem.design)
    assert whitening is not None
    assert integral is not None
    assert whitened_density(whitening) is None
    assert integrated_density(integral, problem.priors) is None


def test_a_density_survives_pickling() -> None:
    _, density = whitened("poisson", "correlated")
    again = pickle.loads(pickle.dumps(density))
    x = somewhere(density, 1)
    assert again(x)[0] == density(x)[0]


def test_overflow_is_no_number_and_no_crash() -> None:
    for density in (whitened("poisson", "correlated")[1], integrated("bernoulli")[1]):
        value, _ = density(density.start + 1e6)
        assert not value > -1e8


def test_draws_come_under_the_plain_models_names() -> None:
    model, density = whitened("gaussian", "crossed")
    draw = density.expand(somewhere(density, 2))
    variables = {kept.name: (("chain", "draw", *kept.dims), draw[kept.name][None, None]) for kept in density.kept}
    posterior = plain_variables({"posterior": xr.Dataset(variables)}, model.design)["posterior"]
    assert "L_g" not in posterior
    L = draw["L_g"]
    assert_allclose(posterior["G_g"].to_numpy()[0, 0], L @ L.T)
    sd = draw["sd_g"]
    assert_allclose(np.sqrt(np.diagonal(L @ L.T)), sd)
    assert_allclose(posterior["corr_g"].to_numpy()[0, 0, 0, 1], (L @ L.T)[0, 1] / sd.prod())
    assert "corr_h" not in posterior


@pytest.mark.slow  # compiles four densities, in processes that share nothing but a folder
def test_code_from_disk_gives_the_numbers_of_code_just_compiled(tmp_path: Path) -> None:
    """Code of different densities is compiled in different processes and loaded by one."""

    def run(*families: str) -> list[str]:
        script = f"from tests.inference.test_densities import show; show({families!r})"
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    one, other = ("bernoulli", "poisson"), ("negative_binomial", "gaussian")
    expected = run(*one), run(*other)
    assert run(*one, *other) == [*expected[0], *expected[1]]
    assert run(*other, *one) == [*expected[1], *expected[0]]


def show(families: tuple[str, ...]) -> None:
    """Print value and slopes at one point to the last bit."""
    for family in families:
        _, density = integrated(family) if family in INTEGRATED else whitened(family, dict(WHITENED)[family])
        density.compile()
        assert all(on_disk(part) for part in (density.value, density.expansion, density.rows) if part)
        value, gradient = density(0.1 * np.ones(len(density.start)))
        print(*(number.hex() for number in [value, *gradient.tolist()]))
