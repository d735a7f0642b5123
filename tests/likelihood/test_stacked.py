"""Likelihoods of several predictors: Laplace against dense algebra and differences, information against theory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import linalg, optimize, stats

import bayes_glmm as bg
from bayes_glmm.likelihood import Likelihood, Parameters, laplace_log_likelihood, layout_of, likelihood_of
from bayes_glmm.likelihood.stacked import Curvature, stacked
from tests.likelihood import cases
from tests.likelihood.test_laplace import differences

RNG = np.random.default_rng(9)


def made(formulas: list[str], family: str, link: Mapping[str, str] | None = None) -> Likelihood:
    data = cases.data().assign(w=lambda d: np.sin(d["x"] * 3.0), t=lambda d: 0.3 * d["x"] ** 2)
    model = bg.GLMM(formulas, data, family, dict(link) if link else None)
    return likelihood_of(model.spec, model.design)


def parameters(of: Likelihood, seed: int = 0) -> Parameters:
    """Parameters away from any maximum."""
    rng = np.random.default_rng(seed)
    L = {}
    for block in of.design.blocks:
        size, runs = len(block.effects), np.repeat(np.arange(len(block.pattern)), block.pattern)
        full = np.tril(0.2 * rng.normal(size=(size, size))) + 0.5 * np.eye(size)
        L[block.group] = np.where(runs[:, None] == runs, full, 0.0)
    values = {"sigma": 1.1, "nu": 5.0, "phi": 2.3, "zi": 0.3, "shape": 1.7, "hu": 0.35, "zoi": 0.4, "coi": 0.7}
    constants = {name: values[name] for name in of.spec.auxiliary}
    beta = [[0.2, *0.2 * rng.normal(size=len(one.coefficients) - 1)] for one in of.design.predictors.fixed]
    return Parameters(np.concatenate(beta), L, constants)


CASES = {
    "sigma, correlated": (["real ~ x + (x |i| g)", "sigma ~ w + (1 |i| g)"], "gaussian", None),
    "sigma, slopes of both": (["real ~ x + (x |i| g)", "sigma ~ w + (w |i| g)"], "gaussian", None),
    "sigma, apart": (["real ~ x + (1 | g)", "sigma ~ w + (1 | h)"], "gaussian", None),
    "sigma, offset": (["real ~ x + (1 | g)", "sigma ~ w + offset(t) + (1 | g)"], "gaussian", None),
    "sigma, crossed": (["real ~ x + (x |i| g) + (1 |j| h)", "sigma ~ w + (1 |i| g) + (1 |j| h)"], "gaussian", None),
    "sigma, log link": (["positive ~ x + (1 |i| g)", "sigma ~ w + (1 |i| g)"], "gaussian", {"mu": "log"}),
    "sigma without effects": (["real ~ x + (1 | g)", "sigma ~ w"], "gaussian", None),
    "no effects": (["real ~ x", "sigma ~ w"], "gaussian", None),
    "zi, correlated": (["count ~ x + (1 |i| g)", "zi ~ w + (1 |i| g)"], "zero_inflated_poisson", None),
    "zi, probit": (["count ~ x + (1 | g)", "zi ~ w + (1 | h)"], "zero_inflated_poisson", {"zi": "probit"}),
    "zi, offsets": (["count ~ x + offset(t) + (1 | g)", "zi ~ offset(t) + (1 | g)"], "zero_inflated_poisson", None),
    "hu": (["count ~ x + (1 |i| g)", "hu ~ w + (1 |i| g)"], "hurdle_poisson", None),
    "hu and phi": (
        ["count ~ x + (1 |i| g)", "hu ~ w + (1 |i| g)", "phi ~ 1 + (1 |i| g)"],
        "hurdle_negative_binomial",
        None,
    ),
    "zi beside phi": (["count ~ x + (x |i| g)", "zi ~ w + (1 |i| g)"], "zero_inflated_negative_binomial", None),
    "zi of successes": (
        ["p(successes, trials) ~ x + (1 |i| g)", "zi ~ w + (1 |i| g)"],
        "zero_inflated_binomial",
        None,
    ),
    "phi of counts": (["count ~ x + (1 |i| g)", "phi ~ w + (1 |i| g)"], "negative_binomial", None),
    "phi of fractions": (["fraction ~ x + (1 | g)", "phi ~ w + (1 | h)"], "beta", None),
    "phi of positive": (["positive ~ x + (x | g)", "phi ~ w"], "gamma", None),
    "sigma beside a constant": (["real ~ x + (1 |i| g)", "sigma ~ w + (1 |i| g)"], "student_t", None),
    "three": (["real ~ x + (1 |i| g)", "sigma ~ w + (1 |i| g)", "nu ~ 1 + (1 |i| g)"], "student_t", None),
}


def by_hand(of: Likelihood) -> tuple[np.ndarray, list[str]]:
    """Z of the textbooks [predictor row, level and effect], a column for each effect of each level, and the groups."""
    columns, groups = [], []
    names = of.design.predictors.parameters
    for block in of.design.blocks:
        for level in range(len(block.levels)):
            for k, parameter in enumerate(block.parameters):
                own = np.where(block.index == level, block.values[:, k], 0.0)
                columns.append(np.concatenate([own if name == parameter else 0.0 * own for name in names]))
                groups.append(block.group)
    return np.array(columns).T, groups


def dense(of: Likelihood, at: Parameters) -> float:
    """l(eta) - z'z / 2 - log|I + A'WA| / 2 at its mode, for y ~ N(eta1, exp(eta2)^2), nothing of it structured."""
    Z, groups = by_hand(of)
    root = linalg.block_diag(*(np.kron(np.eye(len(block.levels)), at.L[block.group]) for block in of.design.blocks))
    A = Z @ root
    fixed = [one.offset + one.X @ b for one, b in zip(of.design.predictors.fixed, np.split(at.beta, [2]), strict=True)]
    y, n = of.design.y, len(of.design.y)

    def standardised(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        eta = np.concatenate(fixed) + A @ z
        return (y - eta[:n]) / np.exp(eta[n:]), np.exp(-eta[n:])

    def negative(z: np.ndarray) -> float:
        r, precision_root = standardised(z)
        return float(-stats.norm.logpdf(r).sum() - np.log(precision_root).sum() + 0.5 * z @ z)

    def gradient(z: np.ndarray) -> np.ndarray:
        r, root = standardised(z)
        return z - A.T @ np.concatenate([r * root, r**2 - 1.0])

    def hessian(z: np.ndarray) -> np.ndarray:
        r, root = standardised(z)
        W = np.block([[np.diag(root**2), np.diag(2 * r * root)], [np.diag(2 * r * root), np.diag(2 * r**2)]])
        return np.eye(len(z)) + A.T @ W @ A

    assert len(groups) == A.shape[1]
    start = optimize.minimize(negative, np.zeros(A.shape[1]), jac=gradient, hess=hessian, method="trust-exact")
    z = start.x - np.linalg.solve(hessian(start.x), gradient(start.x))
    return -negative(z) - 0.5 * np.linalg.slogdet(hessian(z))[1]


@pytest.mark.parametrize("name", ["sigma, correlated", "sigma, slopes of both", "sigma, apart", "sigma, offset"])
def test_value_is_that_of_dense_algebra(name: str) -> None:
    of = made(*CASES[name])
    for seed in (0, 1):
        at = parameters(of, seed)
        found = laplace_log_likelihood(of, at)
        assert found.modes.converged
        # the mode is right to the square of 1e-5; rounding of 150 rows remains
        assert_allclose(found.value, dense(of, at), rtol=1e-9)


def test_effects_of_zero_leave_the_likelihood_itself() -> None:
    of = made(*CASES["sigma, correlated"])
    at = parameters(of)
    at = Parameters(at.beta, {"g": np.zeros((3, 3))}, {})
    mu, log_sigma = np.split(of.fixed(at.beta), 2)
    expected = stats.norm(mu, np.exp(log_sigma)).logpdf(of.design.y).sum()
    assert_allclose(laplace_log_likelihood(of, at).value, expected, rtol=1e-12)


def test_a_predictor_without_a_column_is_the_model_with_a_constant() -> None:
    several, one = made(["real ~ x + (x | g)", "sigma ~ 1"], "gaussian"), cases.likelihood("gaussian", "correlated")
    at = cases.parameters(one)
    log_sigma = np.log(at.auxiliary["sigma"])
    found = laplace_log_likelihood(several, Parameters(np.append(at.beta, log_sigma), at.L, {}))
    expected = laplace_log_likelihood(one, at)
    assert_allclose(found.value, expected.value, rtol=1e-11)
    slopes = np.append(expected.gradient.beta, expected.gradient.auxiliary["sigma"] * at.auxiliary["sigma"])
    assert_allclose(found.gradient.beta, slopes, rtol=1e-8)
    assert_allclose(found.gradient.L["g"], expected.gradient.L["g"], rtol=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_gradient_against_finite_differences(name: str) -> None:
    of = made(*CASES[name])
    at = parameters(of)
    found = laplace_log_likelihood(of, at)
    assert found.modes.converged
    layout = layout_of(of)
    x = layout.vector(at)
    assert_allclose(layout.vector(layout.parameters(x)), x)

    def value(x: np.ndarray) -> float:
        return laplace_log_likelihood(of, layout.parameters(x)).value

    # differences of order 4 with steps of 1e-4 of values of order 300 err by 1e-12 * 300 / 1e-4 and less
    assert_allclose(layout.gradient(found.gradient, at), differences(value, x), rtol=2e-6, atol=3e-6)


def test_one_predictor_is_the_designs_own_arrays() -> None:
    for structure in ("correlated", "crossed", "none"):
        design = cases.model("poisson", structure).design
        found = stacked(design)
        assert found.X is design.X
        assert found.offset is design.offset
        assert found.blocks is design.blocks
        assert found.rows == len(design.y)


def test_predictors_are_stacked_one_after_the_other() -> None:
    of = made(*CASES["sigma, crossed"])
    found, (mu, sigma), n = stacked(of.design), of.design.predictors.fixed, len(of.design.y)
    assert found.rows == n
    assert_array_equal(found.X, linalg.block_diag(mu.X, sigma.X))
    assert_array_equal(found.offset, np.concatenate([mu.offset, sigma.offset]))
    Z, groups = by_hand(of)
    for block in found.blocks:
        own = [k for k, group in enumerate(groups) if group == block.group]
        dense_block = np.zeros((2 * n, len(own)))
        for k in range(len(block.effects)):
            dense_block[np.arange(2 * n), block.index * len(block.effects) + k] = block.values[:, k]
        assert_array_equal(dense_block, Z[:, own])


@pytest.mark.parametrize("predictors", [1, 2, 3])
def test_curvatures_turn_rows(predictors: int) -> None:
    rows, factors = 5, RNG.normal(size=(5, predictors, predictors))
    W = np.moveaxis(factors @ factors.swapaxes(1, 2) - 0.5 * np.eye(predictors), 0, -1)
    curvature = Curvature(W)
    full = linalg.block_diag(*np.moveaxis(W, -1, 0))  # row after row
    order = np.arange(predictors * rows).reshape(predictors, rows).T.ravel()
    for values in (RNG.normal(size=predictors * rows), RNG.normal(size=(predictors * rows, 3))):
        turned = curvature.turn(values)
        assert_allclose(curvature.turn_back(turned), values, atol=1e-12)
        assert_allclose(curvature.times(values)[order], full @ values[order], atol=1e-12)
        weighted = curvature.weights * (turned.T if values.ndim > 1 else turned)
        assert_allclose(turned.T @ weighted.T, values[order].T @ full @ values[order], atol=1e-11)
    raised = curvature.at_least(0.1)
    least = 0.1 * curvature.weights.max()
    assert np.linalg.eigvalsh(np.moveaxis(raised.W, -1, 0)).min() >= least * (1 - 1e-9)
    assert_allclose(np.sort(raised.weights), np.sort(np.maximum(curvature.weights, least)), rtol=1e-9)


def test_information_is_fishers() -> None:
    """Of N(mu, sigma^2) in (mu, log sigma): diag(1 / sigma^2, 2), whatever mu is."""
    n, bins = 10_000, 10
    rng = np.random.default_rng(12)
    data = pd.DataFrame({"y": rng.normal(size=n), "x": rng.normal(size=n), "g": np.arange(n) % 20})
    model = bg.GLMM(["y ~ x + (1 | g)", "sigma ~ x"], data)
    of = likelihood_of(model.spec, model.design)
    log_sigma = np.sort(rng.normal(size=n))
    found = of.information(np.concatenate([3.0 * rng.normal(size=n), log_sigma]), {})
    assert found.shape == (2, 2, n)
    assert_array_equal(found[0, 1], found[1, 0])
    scale = np.array([np.exp(log_sigma), np.ones(n)])
    scaled = (found * scale[:, None] * scale[None, :]).reshape(2, 2, bins, -1).mean(axis=-1)
    draws = 100 * n / bins
    # variances of r^2, of (r^2 - 1)^2 and of r (r^2 - 1) under a standard normal r: 2, 56 and 10
    for (i, j), expected, variance in (((0, 0), 1.0, 2.0), ((1, 1), 2.0, 56.0), ((0, 1), 0.0, 10.0)):
        assert_allclose(scaled[i, j], expected, atol=5.0 * np.sqrt(variance / draws))


def test_information_of_counts_with_zeros_is_positive_definite() -> None:
    of = made(*CASES["zi, correlated"])
    eta = of.fixed(parameters(of).beta)
    values = np.linalg.eigvalsh(np.moveaxis(of.information(eta, {}), -1, 0))
    assert values.min() > 0.0
