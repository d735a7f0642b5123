"""Predicted random effects and the conditional AIC against dense solutions of Henderson's equations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import special, stats

import bayes_glmm as bg
from bayes_glmm.errors import SpecError


def dense(fit: bg.approx.ApproxFit, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """T = [X Z], Henderson's matrix T'WT + diag(0, G^-1), and the trace of the hat matrix, for one grouping factor."""
    design, block = fit.design, fit.design.blocks[0]
    levels, effects = len(block.levels), len(block.effects)
    Z = (np.eye(levels)[block.index][:, :, None] * block.values[:, None, :]).reshape(len(design.y), levels * effects)
    T = np.hstack([design.X, Z])
    information = T.T @ (weights[:, None] * T)
    C = information.copy()
    p = design.X.shape[1]
    C[p:, p:] += np.kron(np.eye(levels), np.linalg.inv(fit.G(block.group)))
    return T, C, np.trace(np.linalg.solve(C, information))


@pytest.mark.parametrize("method", ["laplace", "pql"])
def test_blups_and_their_error_variances_solve_hendersons_equations(method: str, shared: Path) -> None:
    frame = pd.read_csv(shared / "data" / "sleepstudy.csv")
    fit = getattr(bg.approx, method)(bg.GLMM("Reaction ~ Days + (Days | Subject)", frame))
    weights = np.full(180, fit.parameters.auxiliary["sigma"] ** -2.0)
    T, C, _ = dense(fit, weights)
    solution, inverse = np.linalg.solve(C, T.T @ (weights * fit.design.y)), np.linalg.inv(C)
    assert fit.random_effects is not None
    # the search is converged to about 1e-4 standard errors
    assert_allclose(solution[:2], fit.beta, rtol=1e-5)
    assert_allclose(solution[2:].reshape(18, 2), fit.random_effects.u["Subject"], atol=2e-3)
    errors = np.array([inverse[i : i + 2, i : i + 2] for i in range(2, 38, 2)])
    assert_allclose(errors, fit.random_effects.covariance["Subject"], rtol=2e-3, atol=0.02)
    table = fit.ranef("Subject")
    assert_allclose(table["standard error"], np.sqrt(np.diagonal(errors, axis1=1, axis2=2)).ravel(), rtol=1e-3)


def test_conditional_aic_of_a_linear_mixed_model(shared: Path) -> None:
    frame = pd.read_csv(shared / "data" / "sleepstudy.csv")
    fit = bg.approx.laplace(bg.GLMM("Reaction ~ Days + (Days | Subject)", frame))
    sigma = fit.parameters.auxiliary["sigma"]
    T, _, trace = dense(fit, np.full(180, sigma**-2.0))
    found = bg.approx.conditional_aic(fit)
    assert 2 < trace < 2 + 36
    assert trace == pytest.approx(found.effective_parameters, rel=1e-8)
    assert fit.random_effects is not None
    fitted = T @ np.concatenate([fit.beta, fit.random_effects.u["Subject"].ravel()])
    log_likelihood = np.sum(stats.norm.logpdf(fit.design.y, fitted, sigma))
    assert log_likelihood == pytest.approx(found.log_likelihood)
    assert -2.0 * log_likelihood + 2.0 * (trace + 1) == pytest.approx(found.aic)
    assert f"{found.aic:.2f}" in str(found)
    # new days of these subjects are predicted better than days of new subjects
    assert found.aic < fit.aic


def counts(sd: float) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    g = np.repeat(np.arange(12), 8)
    x = rng.normal(size=96)
    return pd.DataFrame({"y": rng.poisson(np.exp(0.5 + 0.3 * x + sd * rng.normal(size=12)[g])), "x": x, "g": g})


def test_conditional_aic_of_counts() -> None:
    fit = bg.approx.laplace(bg.GLMM("y ~ x + (1 | g)", counts(0.8), family="poisson"))
    assert fit.random_effects is not None
    mu = np.exp(fit.design.X @ fit.beta + fit.random_effects.u["g"][fit.design.blocks[0].index, 0])
    _, _, trace = dense(fit, mu)
    found = bg.approx.conditional_aic(fit)
    assert trace == pytest.approx(found.effective_parameters, rel=1e-8)
    log_likelihood = np.sum(fit.design.y * np.log(mu) - mu - special.gammaln(fit.design.y + 1.0))
    assert -2.0 * log_likelihood + 2.0 * trace == pytest.approx(found.aic)
    assert found.auxiliary == 0


def test_without_variance_it_is_the_aic_of_the_model_without_random_effects() -> None:
    frame = counts(0.0).assign(y=np.tile([1, 2, 3, 4, 4, 3, 2, 1], 12))
    fit = bg.approx.laplace(bg.GLMM("y ~ x + (1 | g)", frame, family="poisson"))
    assert fit.sd("g")[0] < 1e-4
    plain = bg.approx.laplace(bg.GLMM("y ~ x", frame, family="poisson"))
    assert plain.aic == pytest.approx(bg.approx.conditional_aic(fit).aic, abs=1e-5)
    assert plain.aic == pytest.approx(bg.approx.conditional_aic(plain).aic, abs=1e-5)
    assert bg.approx.conditional_aic(fit).effective_parameters == pytest.approx(2.0, abs=1e-6)


def test_a_method_without_predictions_has_none() -> None:
    gee = bg.approx.gee(bg.GLMM("y ~ x + (1 | g)", counts(0.8), family="poisson"))
    with pytest.raises(SpecError, match="predicts no random effects"):
        bg.approx.conditional_aic(gee)
