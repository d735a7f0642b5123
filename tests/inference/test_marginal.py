"""Gaussian models without the largest factor's effects: the density is the integral, what is drawn after it exact."""

from __future__ import annotations

import math
from functools import cache

import arviz as az
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from bayes_glmm.design import Problem
from bayes_glmm.inference import Settings
from bayes_glmm.inference.chains import Chain
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.densities.whitened_inputs import whitened_density, without_main_effects
from bayes_glmm.inference.engines import get_engine
from bayes_glmm.inference.whitening import whitening_for
from bayes_glmm.likelihood.priors import log_density
from tests.likelihood import cases

STRUCTURES = ("intercept", "correlated", "crossed", "nested", "three factors")


@cache
def densities(structure: str) -> tuple[Problem, Density, Density]:
    """A problem in canonical columns, its density, and the one without the coordinates of the largest factor."""
    problem = cases.model("gaussian", structure).problem.canonical
    whitening, why = whitening_for(problem)
    assert whitening is not None, why
    whole = whitened_density(whitening)
    assert whole is not None
    return problem, whole, without_main_effects(whole, whitening)


def somewhere(marginal: Density, seed: int) -> np.ndarray:
    return marginal.start + 0.4 * np.random.default_rng(seed).normal(size=len(marginal.start))


@pytest.mark.parametrize("structure", STRUCTURES)
def test_the_whole_density_is_the_marginal_one_times_a_normal_one(structure: str) -> None:
    _, whole, marginal = densities(structure)
    for seed in range(3):
        x, w = somewhere(marginal, seed), np.random.default_rng(seed).normal(size=marginal.left_out)
        value, gradient = marginal(x)
        whole_value, whole_gradient = whole(np.append(x, w))
        assert_allclose(whole_value, value + stats.norm.logpdf(w).sum(), rtol=1e-9)
        assert_allclose(whole_gradient[: len(x)], gradient, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("structure", ["intercept", "correlated"])
def test_the_marginal_density_is_that_of_a_multivariate_normal(structure: str) -> None:
    """Differences where the prior is the same: only beta moves, and its prior is known."""
    problem, _, marginal = densities(structure)
    (block,) = problem.design.blocks
    index, Z, X, y = block.index, block.values, problem.design.X, problem.design.y

    def log_likelihood(x: np.ndarray) -> tuple[float, np.ndarray]:
        draw = marginal.expand(x)
        G = draw[f"L_{block.group}"] @ draw[f"L_{block.group}"].T
        together = (index[:, None] == index) * (Z @ G @ Z.T) + draw["sigma"] ** 2 * np.eye(len(y))
        return float(stats.multivariate_normal(X @ draw["beta"], together).logpdf(y)), draw["beta"]

    a, b = somewhere(marginal, 1), somewhere(marginal, 2)
    b[: -len(problem.design.coefficients)] = a[: -len(problem.design.coefficients)]
    (value_a, beta_a), (value_b, beta_b) = log_likelihood(a), log_likelihood(b)
    priors = [problem.priors[f"beta[{name}]"] for name in problem.design.coefficients]
    prior = sum(
        log_density(one, at_a)[0] - log_density(one, at_b)[0]
        for one, at_a, at_b in zip(priors, beta_a, beta_b, strict=True)
    )
    assert not math.isclose(value_a, value_b, abs_tol=0.1)
    assert_allclose(marginal(a)[0] - marginal(b)[0], value_a - value_b + prior, rtol=1e-8)


def test_effects_are_drawn_from_their_conditional() -> None:
    problem, _, marginal = densities("correlated")
    (block,), draws = problem.design.blocks, 4000
    x, chain = somewhere(marginal, 3), marginal.of_chain(0, Settings(draws, tune=1, seed=8))
    chain.expand(x)  # of the warm-up
    drawn = [chain.expand(x) for _ in range(draws)]
    u, one = np.array([draw["u_g"] for draw in drawn]), drawn[0]
    residuals = problem.design.y - problem.design.X @ one["beta"]
    G = one["L_g"] @ one["L_g"].T
    for level in range(len(block.levels)):
        Z = block.values[block.index == level]
        covariance = np.linalg.inv(np.linalg.inv(G) + Z.T @ Z / one["sigma"] ** 2)
        mean = covariance @ Z.T @ residuals[block.index == level] / one["sigma"] ** 2
        standard = np.linalg.solve(np.linalg.cholesky(covariance), (u[:, level] - mean).T)
        # five standard errors: 20 levels with five moments each, none may be off by chance
        assert (abs(standard.mean(axis=1)) < 5 / math.sqrt(draws)).all()
        assert_allclose(np.cov(standard), np.eye(2), atol=5 * math.sqrt(2 / draws))


def test_chains_and_draws_have_random_numbers_of_their_own() -> None:
    _, _, marginal = densities("intercept")
    x, settings = somewhere(marginal, 4), Settings(draws=3, tune=2, seed=1)

    def drawn(chain: int) -> np.ndarray:
        density = marginal.of_chain(chain, settings)
        return np.array([density.expand(x)["u_g"] for _ in range(5)]).reshape(5, -1)

    both = np.concatenate([drawn(0), drawn(1)])
    assert len(np.unique(both, axis=0)) == 10
    np.testing.assert_array_equal(drawn(1), both[5:])


def test_a_chain_is_the_same_whichever_others_are_drawn() -> None:
    _, _, marginal = densities("crossed")
    engine, settings = get_engine("nutpie"), Settings(30, 40, 4, 2, cores=2, progress=False)
    some: dict[int, Chain] = {}
    engine.draw(marginal, settings, [3, 1], some.__setitem__)
    together = engine.sample(marginal, settings)["posterior"]
    for chain, drawn in some.items():
        for name in ("beta", "sigma", "u_g", "u_h"):
            np.testing.assert_array_equal(together[name].sel(chain=chain), drawn["posterior"].variables[name][1])


def test_the_posterior_is_that_of_the_whole_density() -> None:
    model = cases.model("gaussian", "crossed")
    ours, whole = (
        model.fit(draws=1500, seed=6, coordinates=name, progress=False).posterior for name in ("integrated", "whitened")
    )
    assert ours.provenance["coordinates"] == "integrated"
    for name in ("beta", "sigma", "sd_g", "sd_h", "corr_g", "u_g", "u_h"):
        one, other = (p.draws["posterior"][name].to_numpy().reshape(4, 1500, -1) for p in (ours, whole))
        for j in range(one.shape[2]):
            a, b = one[..., j], other[..., j]
            if np.ptp(b) == 0:  # the diagonal of a correlation matrix
                continue
            for method, x, y in [("mean", a.mean(), b.mean()), ("sd", a.std(), b.std())]:
                error = np.hypot(az.mcse(a, method=method), az.mcse(b, method=method))
                assert abs(x - y) <= 5 * error, f"{method} of {name}[{j}]: {x:.4f}, whole {y:.4f} ± {error:.4f}"
