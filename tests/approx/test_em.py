"""EM climbs to the maximum that quadrature finds directly, and never falls on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.approx.em import Regression, expectation, maximisation, still_to_gain
from bayes_glmm.likelihood import laplace_log_likelihood, layout_of
from bayes_glmm.likelihood.quadrature import aghq_log_likelihood
from tests.approx.reference import study_named
from tests.likelihood import cases
from tests.likelihood.test_stacked import made
from tests.likelihood.test_stacked import parameters as several_parameters


@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("seeds", 15),
        ("beitler_landis", 15),
        ("spinal", 35),
        ("cbpp", 15),
        ("epil overdispersed", 15),
        ("epil slopes", 9),
        ("sleepstudy", 5),
        ("sleepstudy uncorrelated", 5),
    ],
)
def test_em_climbs_to_the_maximum_of_the_quadrature(name: str, nodes: int, shared: Path) -> None:
    model = study_named(name).model(shared)
    found, expected = bg.approx.em(model, nodes), bg.approx.aghq(model, nodes)
    assert found.converged
    values = found.details["log_likelihoods"]
    assert isinstance(values, np.ndarray)
    assert (np.diff(values) > -1e-9 * np.abs(values[-1])).all()
    assert 0.0 <= expected.log_likelihood - found.log_likelihood + 1e-9 < 2e-8
    errors = np.sqrt(np.diagonal(expected.covariance))
    # what is left of the log likelihood, 1e-8, is sqrt(2e-8) standard errors
    assert (np.abs(found.x - expected.x) < 2e-4 * errors).all()
    np.testing.assert_allclose(np.sqrt(np.diagonal(found.covariance)), errors, rtol=2e-4)


@pytest.mark.parametrize("structure", ["intercept", "correlated"])
@pytest.mark.parametrize("family", [name for name, one in bg.FAMILIES.items() if not one.shared_formula])
def test_every_iteration_raises_the_likelihood_of_every_family(family: str, structure: str) -> None:
    likelihood = cases.likelihood(family, structure)
    parameters = cases.parameters(likelihood)
    nodes = 25 if structure == "intercept" else 15
    values = []
    for _ in range(4):
        effects, _ = expectation(likelihood, parameters, nodes)
        assert effects.log_likelihood == pytest.approx(aghq_log_likelihood(likelihood, parameters, None, nodes).value)
        values.append(effects.log_likelihood)
        parameters = maximisation(likelihood, parameters, effects)
    assert (np.diff(values) > 0.0).all()


def test_the_steps_for_a_gaussian_model_are_the_closed_ones() -> None:
    """Laird & Ware (1982): moments of the conditional, then least squares and averages."""
    likelihood = cases.likelihood("gaussian", "correlated")
    parameters, design = cases.parameters(likelihood), likelihood.design
    (block,) = design.blocks
    factor = laplace_log_likelihood(likelihood, parameters).modes
    u = factor.z.reshape(-1, 2) @ parameters.L["g"].T
    covariance = parameters.L["g"] @ factor.factor.own_covariances()["g"] @ parameters.L["g"].T
    residual = design.y - np.sum(block.values * u[block.index], axis=1)
    beta = np.linalg.lstsq(design.X, residual)[0]
    spread = np.einsum("ij,ijk,ik->i", block.values, covariance[block.index], block.values)
    sigma = np.sqrt(np.mean((residual - design.X @ beta) ** 2 + spread))
    found = maximisation(likelihood, parameters, expectation(likelihood, parameters, 5)[0])
    np.testing.assert_allclose(found.beta, beta, atol=1e-6)
    assert sigma == pytest.approx(found.auxiliary["sigma"], abs=1e-5)
    np.testing.assert_allclose(found.G("g"), np.mean(u[:, :, None] * u[:, None, :] + covariance, axis=0), rtol=1e-9)


@pytest.mark.parametrize("formulas", [["count ~ x + (x | g)"], ["count ~ x + (1 |i| g)", "zi ~ x + (1 |i| g)"]])
def test_the_score_of_the_regression_is_that_of_the_likelihood(formulas: list[str]) -> None:
    """Fisher's identity: the expected score of data and effects is the score of the data."""
    family = "negative_binomial" if len(formulas) == 1 else "zero_inflated_negative_binomial"
    likelihood = made(formulas, family)
    parameters = several_parameters(likelihood)
    effects, _ = expectation(likelihood, parameters, 25)
    (block,), groups = likelihood.part.blocks, likelihood.groups
    u = effects.z @ parameters.L["g"].T
    random = np.einsum("krd,nrd->knr", likelihood.by_predictor(block.values)[:, groups.rows], u[:, groups.of_row])
    regression = Regression(likelihood, random, (effects.probability * groups.count)[:, groups.of_row])
    _, (gradient, _) = regression(np.append(parameters.beta, np.log(parameters.auxiliary["phi"])))
    layout = layout_of(likelihood)
    expected = layout.gradient(aghq_log_likelihood(likelihood, parameters, nodes=25).gradient, parameters)
    np.testing.assert_allclose(gradient, np.append(expected[layout.beta], expected[-1]), rtol=1e-7)


@pytest.mark.parametrize(
    ("formulas", "family", "nodes"),
    [
        (["count ~ x + (1 | g)", "zi ~ w"], "zero_inflated_poisson", 15),
        (["real ~ x + (1 |i| g)", "sigma ~ w + (1 |i| g)"], "gaussian", 11),
        (["count ~ x + (1 | g)", "hu ~ w + (1 | g)"], "hurdle_poisson", 9),
    ],
)
def test_em_climbs_with_several_predictors(formulas: list[str], family: str, nodes: int) -> None:
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(30), 12)
    u, x, w = rng.normal(size=(2, 30)), *rng.normal(size=(2, g.size))
    mean = np.exp(0.8 + 0.3 * x + 0.6 * u[0, g])
    count = np.where(rng.random(g.size) < 0.3, 0, rng.poisson(mean * rng.gamma(4.0, 0.25, g.size)))
    real = 0.5 * x + u[0, g] + np.exp(0.2 * w + 0.4 * u[1, g]) * rng.normal(size=g.size)
    model = bg.GLMM(formulas, pd.DataFrame({"count": count, "real": real, "x": x, "w": w, "g": g}), family)
    found, expected = bg.approx.em(model, nodes), bg.approx.aghq(model, nodes)
    assert found.converged
    assert expected.converged
    values = np.asarray(found.details["log_likelihoods"])
    assert (np.diff(values) > -1e-9 * np.abs(values[-1])).all()
    assert abs(expected.log_likelihood - found.log_likelihood) < 1e-6
    errors = np.sqrt(np.diagonal(expected.covariance))
    assert (np.abs(found.x - expected.x) < 2e-3 * errors).all()
    np.testing.assert_allclose(np.sqrt(np.diagonal(found.covariance)), errors, rtol=2e-3)


def test_gains_that_shrink_by_half_have_as_much_left_as_the_last() -> None:
    assert 1.0 == pytest.approx(still_to_gain([-8.0, -6.0, -5.0]))
    assert np.inf == still_to_gain([-8.0, -6.0])
    assert np.inf == still_to_gain([-8.0, -7.0, -5.0])
    assert 0.0 == still_to_gain([-6.0, -5.0, -5.0])


def test_too_few_iterations_are_said() -> None:
    model = bg.GLMM("p(germinated, n) ~ extract + (1 | plate)", bg.datasets.seeds(), family="binomial")
    found = bg.approx.em(model, iterations=5)
    assert not found.converged
    assert 5 == found.details["iterations"]
    assert any("5 iterations were not enough" in message for message in found.messages)


def test_groups_that_do_not_differ_bring_em_to_a_crawl_that_it_admits() -> None:
    data = pd.DataFrame({"y": np.tile([0, 1, 0, 1, 1], 12), "g": np.repeat(np.arange(12), 5)})
    model = bg.GLMM("y ~ (1 | g)", data, family="bernoulli")
    found, expected = bg.approx.em(model, nodes=9, iterations=300), bg.approx.aghq(model, nodes=9)
    assert not found.converged
    assert any("aghq does not" in message for message in found.messages)
    assert 0.0 < expected.log_likelihood - found.log_likelihood < 0.1
    assert expected.sd("g")[0] == pytest.approx(0.0, abs=1e-6)


def test_more_than_one_factor_is_refused() -> None:
    data = pd.DataFrame({"y": [0, 1, 1, 0], "g": ["a", "a", "b", "b"], "h": ["s", "t", "s", "t"]})
    with pytest.raises(bg.SpecError, match=r"one grouping factor.*laplace"):
        bg.approx.em(bg.GLMM("y ~ (1 | g) + (1 | h)", data, family="bernoulli"))
