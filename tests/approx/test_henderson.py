"""Henderson's equations by block elimination, against inverses of the whole matrices and finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bayes_glmm.approx.henderson import Criterion, LinearMixedModel
from bayes_glmm.likelihood import Parameters
from tests.approx import dense
from tests.likelihood import cases

CRITERIA: tuple[Criterion, ...] = ("REML", "ML")
STRUCTURES = list(cases.STRUCTURES)


def case(structure: str) -> tuple[LinearMixedModel, Parameters]:
    likelihood = cases.likelihood("gaussian", structure)
    weights = np.random.default_rng(4).uniform(0.5, 2.0, len(likelihood.design.y))
    model = LinearMixedModel(likelihood.elimination, likelihood.design.X, likelihood.design.y, weights)
    return model, replace(cases.parameters(likelihood), auxiliary={"dispersion": 1.7})


@pytest.mark.parametrize("structure", STRUCTURES)
def test_solution_is_that_of_the_whole_equations(structure: str) -> None:
    model, variances = case(structure)
    design = cases.likelihood("gaussian", structure).design
    Z = dense.incidence(design)
    G = dense.covariance(design, {block.group: variances.G(block.group) for block in design.blocks})
    W, M = np.diag(model.weights / 1.7), np.hstack([design.X, Z])
    p = design.X.shape[1]
    C = M.T @ W @ M
    C[p:, p:] += np.linalg.inv(G)
    inverse = np.linalg.inv(C)
    expected = inverse @ (M.T @ W @ design.y)
    found = model.solve(variances)
    effects = found.random_effects()
    np.testing.assert_allclose(found.beta, expected[:p], rtol=1e-9)
    np.testing.assert_allclose(found.covariance, inverse[:p, :p], rtol=1e-9)
    np.testing.assert_allclose(dense.stacked(design, effects.u), expected[p:], rtol=1e-8, atol=1e-12)
    start = p
    for block in design.blocks:
        errors, d = effects.covariance[block.group], len(block.effects)
        for level in range(len(block.levels)):
            own = slice(start + level * d, start + (level + 1) * d)
            np.testing.assert_allclose(errors[level], inverse[own, own], rtol=1e-8, atol=1e-12)
            # given beta, u follows it with the slope of a regression of u on beta in the joint distribution
            slope = inverse[own, :p] @ np.linalg.inv(inverse[:p, :p])
            np.testing.assert_allclose(effects.by_beta[block.group][level], slope, rtol=1e-7, atol=1e-12)
        start += len(block.levels) * d
    linear = dense.LinearModel(design.y, design.X, np.linalg.inv(W) + Z @ G @ Z.T)
    for criterion in CRITERIA:
        assert linear.log_likelihood(criterion) == pytest.approx(found.log_likelihood(criterion), abs=1e-9)


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_gradient_is_that_of_differences(structure: str, criterion: Criterion) -> None:
    model, variances = case(structure)
    gradient = model.solve(variances).gradient(criterion)

    def value(**changes: object) -> float:
        return model.solve(replace(variances, **changes)).log_likelihood(criterion)  # type: ignore[arg-type]

    step = 1e-5
    for group, L in variances.L.items():
        for i, j in zip(*np.tril_indices(len(L)), strict=True):
            move = np.zeros_like(L)
            move[i, j] = step
            up, down = (value(L={**variances.L, group: L + sign * move}) for sign in (1, -1))
            assert (up - down) / (2 * step) == pytest.approx(gradient.L[group][i, j], rel=1e-6, abs=1e-6)
    up, down = (value(auxiliary={"dispersion": 1.7 + sign * step}) for sign in (1, -1))
    assert (up - down) / (2 * step) == pytest.approx(gradient.auxiliary["dispersion"], rel=1e-6)


def test_a_standard_deviation_of_0_leaves_least_squares() -> None:
    model, variances = case("crossed")
    nothing = replace(variances, L={group: 0.0 * L for group, L in variances.L.items()})
    found = model.solve(nothing)
    root = np.sqrt(model.weights)
    expected = np.linalg.lstsq(root[:, None] * model.X, root * model.response)[0]
    np.testing.assert_allclose(expected, found.beta, rtol=1e-10)
    assert all((u == 0.0).all() for u in found.random_effects().u.values())
    for criterion in CRITERIA:  # the likelihood is even in L
        assert all((slope == 0.0).all() for slope in found.gradient(criterion).L.values())
