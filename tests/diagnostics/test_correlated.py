"""Correlated residuals in replicated data, leave-one-out, cross-validation, residuals, and saved fits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import special, stats

import bayes_glmm as bg
from bayes_glmm.diagnostics import loo_by_group, loo_by_row
from bayes_glmm.diagnostics.group_likelihood import GroupLikelihood, level_blocks, obstacle
from bayes_glmm.diagnostics.residuals import left_out
from bayes_glmm.errors import SpecError
from bayes_glmm.posterior import Posterior, load_posterior, posterior_at
from bayes_glmm.predictive import log_likelihood, replicate, white_residuals
from bayes_glmm.studies.held_out import hold_out, predictive_density
from tests.likelihood.test_correlated import FORMULAS, data

DRAWS = 200


def made_up(name: str, spread: float = 0.0) -> Posterior:
    """A posterior of draws around a point."""
    spec, rng = bg.GLMM(list(FORMULAS[name]), data()).spec, np.random.default_rng(3)

    def around(values: float | list[float]) -> np.ndarray:
        at = np.atleast_1d(values)
        return at + spread * rng.normal(size=(DRAWS, len(at)))

    G = {term.group: np.eye(2 if "x |" in str(term) or "t |" in str(term) else 1) * 0.5 for term in spec.random}
    auxiliary = {
        one: np.exp(around(0.2))[:, 0] if one == "sigma" else special.expit(around(0.8))[:, 0] for one in spec.auxiliary
    }
    further = {"sigma": around([0.1, 0.3, -0.2, 0.2][: len(FORMULAS) and (4 if name == "mmrm" else 2)])}
    return posterior_at(spec, data(), around([1.0, 0.5]), G, auxiliary, further=further if spec.formulas else None)


def covariance(posterior: Posterior, draw: int) -> np.ndarray:
    """The covariance of the residuals of all rows under a draw."""
    residual = posterior.design.residual
    assert residual is not None
    auxiliary = {key: values[draw] for key, values in posterior.auxiliary.items()}
    R = residual.matrix(auxiliary)[np.ix_(residual.at, residual.at)] * (residual.index[:, None] == residual.index)
    sigma = auxiliary.get("sigma", 1.0) * np.ones(len(residual.index))
    if "sigma" in posterior.spec.formulas:
        sigma = np.exp(posterior.design.predictors.of("sigma").X @ posterior.coefficients("sigma")[draw])
    return sigma[:, None] * R * sigma


@pytest.mark.parametrize("name", ["ar", "cosy", "mmrm"])
def test_replicated_data_have_the_covariance_of_the_model(name: str) -> None:
    posterior = made_up(name)
    y = np.concatenate([replicate(posterior, DRAWS, seed) for seed in range(100)])
    mean = posterior.design.X @ posterior.beta[0]
    V = covariance(posterior, 0)
    error = np.sqrt((np.outer(np.diag(V), np.diag(V)) + V**2) / len(y))
    assert np.abs((np.cov(y.T) - V) / error).max() < 5.0
    assert np.abs((y.mean(axis=0) - mean) / np.sqrt(np.diag(V) / len(y))).max() < 4.5


@pytest.mark.parametrize("name", ["ar", "cosy", "unstr", "mmrm"])
def test_log_likelihoods_are_by_level(name: str) -> None:
    posterior = made_up(name, 0.1)
    found, residual = log_likelihood(posterior), posterior.design.residual
    assert residual is not None
    assert found.dims == ("chain", "draw", "g")
    assert found["g"].values.tolist() == list(residual.levels)
    for draw, level in ((0, 0), (7, 5)):
        rows, V = residual.index == level, covariance(posterior, draw)
        mean = posterior.design.X[rows] @ posterior.beta[draw]
        expected = stats.multivariate_normal(mean, V[np.ix_(rows, rows)]).logpdf(posterior.design.y[rows])
        assert_allclose(found[0, draw, level], expected, atol=1e-10)


@pytest.mark.parametrize("name", ["mmrm", "ar and slopes", "cosy in sites"])
def test_the_likelihood_of_whole_levels_is_dense_algebra(name: str) -> None:
    posterior = made_up(name, 0.1)
    residual, y = posterior.design.residual, posterior.design.y
    assert residual is not None
    for block in level_blocks(posterior.design):
        if obstacle(posterior, block):
            continue
        found = GroupLikelihood(posterior, block).log(np.array([0, 9]))
        others = [one for one in posterior.design.blocks if one.group != block.group]
        for k, draw in enumerate((0, 9)):
            mean, V = posterior.design.X @ posterior.beta[draw], covariance(posterior, draw)
            for one in others:
                mean = mean + np.sum(posterior.u(one.group)[draw][one.index] * one.values, axis=1)
            if block.effects:
                V = V + block.values @ posterior.G(block.group)[draw] @ block.values.T
            rows = block.index == 2
            expected = stats.multivariate_normal(mean[rows], V[np.ix_(rows, rows)]).logpdf(y[rows])
            assert_allclose(found[k, 2], expected, atol=1e-9)


def test_leave_one_out_says_what_it_leaves_out() -> None:
    posterior = made_up("ar", 0.05)
    by_level, by_row = loo_by_group(posterior), loo_by_row(posterior)
    assert by_level.by == "g"
    assert len(by_level.pointwise) == 12
    assert "new levels of g" in str(by_level)
    assert len(by_row.pointwise) == len(posterior.design.y)
    assert "given the others of their g" in str(by_row)


def test_white_residuals_are_independent_normal() -> None:
    posterior = made_up("mmrm")
    design, rng = posterior.design, np.random.default_rng(8)
    L, mean = np.linalg.cholesky(covariance(posterior, 0)), design.X @ posterior.beta[0]
    found = []
    for _ in range(300):
        y = mean + L @ rng.normal(size=len(mean))
        white = white_residuals(_with(posterior, y), np.arange(len(y)), slice(0, 1))
        found.append(white[0])
    correlation = np.corrcoef(np.array(found).T)
    assert stats.kstest(np.ravel(found), "norm").pvalue > 1e-3
    assert np.abs(correlation - np.eye(len(mean))).max() < 5.0 / np.sqrt(300)


def _with(posterior: Posterior, y: np.ndarray) -> Posterior:
    from dataclasses import replace

    return replace(posterior, design=replace(posterior.design, y=y))


def test_rows_predicted_without_them_lie_between_0_and_1() -> None:
    posterior = made_up("ar", 0.05)
    some = left_out(posterior, np.array([0, 5, 17, 40]))
    every = left_out(posterior)
    assert ((every.pit > 0) & (every.pit < 1)).all()
    assert_allclose(some.mean, every.mean[[0, 5, 17, 40]])
    assert_allclose(some.pareto_k, every.pareto_k[[0, 5, 17, 40]])


@pytest.mark.parametrize("name", ["mmrm", "ar and slopes"])
def test_held_out_levels_are_predicted_together(name: str) -> None:
    posterior = made_up(name)
    residual, y = posterior.design.residual, posterior.design.y
    assert residual is not None
    rows = np.flatnonzero(residual.index == 4)
    held = hold_out(posterior.design, rows, np.zeros(len(rows), int), np.delete(np.arange(len(y)), rows))
    V = covariance(posterior, 0)
    for block in posterior.design.blocks:
        V = V + block.values @ posterior.G(block.group)[0] @ block.values.T
    mean = posterior.design.X[rows] @ posterior.beta[0]
    expected = stats.multivariate_normal(mean, V[np.ix_(rows, rows)]).logpdf(y[rows])
    assert_allclose(predictive_density(posterior, held, 0)[0], expected, atol=1e-9)


def test_rows_of_one_level_are_left_out_together() -> None:
    model = bg.GLMM("y ~ x + cosy(gr = g)", data())
    with pytest.raises(SpecError, match="by='g'"):
        bg.kfold(model, 3, progress=False, draws=50)


@pytest.mark.parametrize("name", ["ar", "unstr", "mmrm"])
def test_a_saved_fit_comes_back(name: str, tmp_path: Path) -> None:
    posterior = made_up(name, 0.1)
    again = load_posterior(posterior.save(tmp_path / "fit"))
    _same(again.auxiliary, posterior.auxiliary)
    assert again.spec == posterior.spec
    assert_allclose(log_likelihood(again), log_likelihood(posterior))
    label = {"ar": "rho", "unstr": "cor_residual[1, 0]", "mmrm": "cor_residual[4, 2]"}[name]
    assert label in bg.diagnostics.summary(posterior).index
    assert not any("unit" in str(one) for one in bg.diagnostics.summary(posterior).index)


def _same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> None:
    assert list(one) == list(other)
    for key, values in one.items():
        assert_allclose(values, other[key], rtol=1e-12)


def test_variances_have_the_correlations() -> None:
    table = bg.effects.variance(made_up("mmrm", 0.1)).table
    pairs = table[(table["group"] == "residual") & (table["quantity"] == "correlation")]
    assert pairs["term"].tolist() == ["0, 1", "0, 2", "1, 2", "0, 4", "1, 4", "2, 4"]
    table = bg.effects.variance(made_up("ar and slopes", 0.1)).table
    assert {"sigma", "rho", "icc"} <= set(table["quantity"])


def test_means_do_not_depend_on_the_correlation() -> None:
    posterior, rows = made_up("mmrm", 0.1), pd.DataFrame({"x": [0.0, 1.0], "t": [0, 4]})
    found = bg.effects.predict(posterior, rows, "integrated").table["estimate"]
    assert_allclose(found, np.median(posterior.beta @ np.array([[1.0, 1.0], [0.0, 1.0]]), axis=0))


def test_few_draws_at_a_time_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    posterior = made_up("ar", 0.1)
    whole = log_likelihood(posterior), replicate(posterior, 50, 1), loo_by_row(posterior).pointwise
    monkeypatch.setattr("bayes_glmm.likelihood.unit._NUMBERS", 100)
    parts = log_likelihood(posterior), replicate(posterior, 50, 1), loo_by_row(posterior).pointwise
    for one, other in zip(whole, parts, strict=True):
        assert_allclose(np.asarray(one), np.asarray(other))
