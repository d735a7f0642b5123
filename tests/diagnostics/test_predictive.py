"""Posterior predictive statistics against closed forms and ArviZ's LOO."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayes_glmm.diagnostics import Check, loo_by_row, predictive
from bayes_glmm.diagnostics import loo as loo_module
from bayes_glmm.errors import DataError
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.predictive import log_likelihood
from bayes_glmm.spec import ModelSpec
from tests.diagnostics import made_up


def test_p_counts_ties_half() -> None:
    comparison = predictive.Comparison("", np.array([2.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert comparison.p == 0.625
    assert comparison.tail == 0.375


def test_spread_of_group_means_has_its_closed_form() -> None:
    """Var(mean of group) = G + sigma²/n under new groups, whatever u is."""
    rng = np.random.default_rng(1)
    levels, rows = 200, 5
    data = pd.DataFrame({"y": rng.normal(size=levels * rows), "g": np.repeat(np.arange(levels), rows)})
    draws = {"sigma": np.full(400, 1.5)}
    spec = ModelSpec.from_formula("y ~ 1 + (1 | g)")
    posterior = posterior_at(spec, data, np.zeros((400, 1)), {"g": np.full((400, 1, 1), 0.8)}, draws)
    answer = predictive.check_groups(posterior)
    assert isinstance(answer, Check)
    # the sd of 200 means is known to 5 %, its average over 400 replicates to 0.25 %; ddof = 0 takes off another 0.25 %
    assert answer.evidence["replicated"][0] == pytest.approx(np.sqrt(0.8 + 1.5**2 / rows), rel=0.015)


def test_singular_covariance_has_new_groups_too() -> None:
    posterior = made_up.good()
    drawn = posterior.draws["posterior"].to_dataset()
    drawn["G_g"] = 0.0 * drawn["G_g"]
    answer = predictive.check_groups(made_up.with_draws(posterior, drawn))
    assert isinstance(answer, Check)
    assert answer.verdict == "fail"


def test_pearson_residuals_of_replicates_have_variance_one() -> None:
    for family in ("poisson", "binomial", "gaussian", "bernoulli"):
        _, replicated = predictive._pearson(made_up.good(family))
        # 600 rows times 1000 draws; heavy-tailed for bernoulli
        assert np.square(replicated).mean() == pytest.approx(1.0, abs=0.02), family


def test_over_dispersed_counts_are_found() -> None:
    posterior = made_up.good("poisson")
    rng = np.random.default_rng(3)
    mixed = rng.poisson(rng.gamma(2.0, posterior.design.y / 2.0 + 1e-9)).astype(float)
    answer = predictive.check_dispersion(replace(posterior, design=replace(posterior.design, y=mixed)))
    assert isinstance(answer, Check)
    assert answer.verdict == "fail"
    assert "negative_binomial" in answer.advice[0]


def test_neighbours_lie_in_one_group() -> None:
    block = made_up.good().design.blocks[0]
    shuffled = replace(block, index=np.random.default_rng(0).permutation(block.index))
    first, second = predictive._neighbours(shuffled)
    np.testing.assert_array_equal(shuffled.index[first], shuffled.index[second])
    assert (second > first).all()
    assert len(first) == made_up.LEVELS * (made_up.ROWS - 1)


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_loo_is_arviz(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import arviz as az

    posterior = made_up.good(family)
    monkeypatch.setattr(loo_module, "CHUNK_VALUES", 100 * made_up.CHAINS * made_up.DRAWS)
    found = loo_by_row(posterior, relative_efficiency=0.8)
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior.draws["posterior"].to_dataset(),
            "log_likelihood": xr.Dataset({"y": log_likelihood(posterior)}),
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = az.loo(tree, pointwise=True, reff=0.8)
    np.testing.assert_allclose(expected.elpd_i.to_numpy(), found.pointwise["elpd"], rtol=1e-10)
    np.testing.assert_allclose(expected.pareto_k.to_numpy(), found.pointwise["pareto_k"], rtol=1e-8)
    assert (found.elpd, found.se, found.p, found.good_k) == pytest.approx(
        (expected.elpd, expected.se, expected.p, expected.good_k), rel=1e-8
    )


def test_loo_of_a_normal_mean_has_its_closed_form() -> None:
    """y ~ N(mu, 1), flat prior on mu: leaving out row i predicts it by N(mean of the others, 1 + 1/(n - 1))."""
    rng = np.random.default_rng(2)
    y = rng.normal(size=30)
    data = pd.DataFrame({"y": y})
    mu = y.mean() + rng.normal(size=(4000, 1)) / np.sqrt(30)
    spec = ModelSpec.from_formula("y ~ 1")
    posterior = posterior_at(spec, data, mu, {}, {"sigma": np.ones(4000)})
    variance = 1 + 1 / 29
    others = (y.sum() - y) / 29
    expected = -0.5 * np.log(2 * np.pi * variance) - 0.5 * (y - others) ** 2 / variance
    # importance sampling with 4000 draws: the error of one row is below 0.02
    np.testing.assert_allclose(loo_by_row(posterior).pointwise["elpd"], expected, atol=0.02)


def test_too_large_a_loo_is_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    posterior: Posterior = made_up.good()
    monkeypatch.setattr(loo_module, "LIMIT", 1000)
    with pytest.raises(DataError, match="Keep fewer draws"):
        loo_by_row(posterior)
