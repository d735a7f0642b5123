"""LOO-PIT, quantile residuals and calibration against closed forms and against data made to be wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from bayes_glmm.diagnostics import Check, Skipped, calibration, loo_pit, quantile_residuals, residuals
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.diagnostics import made_up


def with_response(posterior: Posterior, y: np.ndarray) -> Posterior:
    return replace(posterior, design=replace(posterior.design, y=y.astype(float)))


def test_pit_of_a_normal_mean_has_its_closed_form() -> None:
    """y ~ N(mu, 1), flat prior on mu: row i is predicted by N(mean of the others, 1 + 1/(n - 1))."""
    rng = np.random.default_rng(2)
    y = rng.normal(size=30)
    mu = y.mean() + rng.normal(size=(4000, 1)) / np.sqrt(30)
    posterior = posterior_at(ModelSpec.from_formula("y ~ 1"), pd.DataFrame({"y": y}), mu, {}, {"sigma": 1.0})
    others = (y.sum() - y) / 29
    expected = stats.norm.cdf(y, others, np.sqrt(1 + 1 / 29))
    # a share of 1,000 weighted replicates: sd 0.016 at most
    np.testing.assert_allclose(loo_pit(posterior), expected, atol=0.06)
    np.testing.assert_allclose(residuals.left_out(posterior).mean, others, atol=0.02)


@pytest.mark.parametrize("family", ["poisson", "binomial", "bernoulli"])
def test_pit_of_discrete_responses_is_randomized_within_the_tie(family: str) -> None:
    """Parameters without uncertainty: between F(y - 1) and F(y), at a place that changes with the seed."""
    data, u = made_up.data_of(family, np.random.default_rng(1))
    formula = made_up.FORMULA.replace("y ~", "p(y, n) ~") if family == "binomial" else made_up.FORMULA
    spec = ModelSpec.from_formula(formula, family)
    posterior = posterior_at(spec, data, np.tile([1.0, 0.5], (1000, 1)), {"g": made_up.G}, u={"g": u})
    g = np.repeat(np.arange(made_up.LEVELS), made_up.ROWS)
    eta = 1.0 + 0.5 * data.x + u[g, 0] + u[g, 1] * data.x
    y, trials = data.y.to_numpy(), {"binomial": 12, "bernoulli": 1}.get(family)
    law = stats.poisson(np.exp(eta)) if trials is None else stats.binom(trials, special.expit(eta))
    pit = loo_pit(posterior)
    assert (pit > law.cdf(y - 1) - 0.07).all()
    assert (pit < law.cdf(y) + 0.07).all()
    place = (pit - law.cdf(y - 1)) / law.pmf(y)
    assert place.mean() == pytest.approx(0.5, abs=0.05)
    assert place.std() == pytest.approx(np.sqrt(1 / 12), abs=0.06)
    assert np.abs(loo_pit(posterior, seed=1) - pit).max() > 0.1
    np.testing.assert_array_equal(pit, loo_pit(posterior))


def test_residuals_of_a_right_model_are_standard_normal() -> None:
    found = quantile_residuals(made_up.good("poisson"))
    assert found.shape == (made_up.LEVELS * made_up.ROWS,)
    assert stats.kstest(found, "norm").pvalue > 0.01
    assert np.isfinite(found).all()


def test_advice_tells_too_wide_from_too_narrow_from_shifted() -> None:
    posterior = made_up.good("poisson")
    rng = np.random.default_rng(3)
    mean = posterior.design.y + 1e-9
    wide = residuals.check_pit(with_response(posterior, rng.poisson(rng.gamma(0.7, mean / 0.7))))
    high = residuals.check_pit(with_response(posterior, posterior.design.y + 3))
    narrow = residuals.check_pit(with_response(made_up.good(), made_up.good().design.y * 0.2 + 0.8))
    assert isinstance(wide, Check)
    assert isinstance(high, Check)
    assert isinstance(narrow, Check)
    assert "negative_binomial" in wide.advice[0]
    assert "Rows lie above what is predicted" in high.advice[0]
    assert "the middle of their predictions" in narrow.advice[0]


def test_where_leaving_out_fails_nothing_is_said_about_the_model() -> None:
    posterior = made_up.broken("poisson")
    assert (residuals.left_out(posterior).pareto_k > 0.7).mean() > residuals.TOO_MANY
    answer = residuals.check_pit(posterior)
    assert isinstance(answer, Skipped)
    assert "LOO by row fails for 10% of rows" in answer.reason


def test_many_rows_are_represented_by_some(monkeypatch: pytest.MonkeyPatch) -> None:
    posterior = made_up.good()
    monkeypatch.setattr(residuals, "ROWS", 50)
    monkeypatch.setattr(residuals, "_CHUNK", 7 * residuals.DRAWS)
    rows = residuals.checked_rows(posterior)
    assert (len(rows), rows[0], rows[-1]) == (50, 0, 599)
    np.testing.assert_allclose(residuals.left_out(posterior).mean[rows], residuals.left_out(posterior, rows).mean)


def test_calibration_is_pool_adjacent_violators() -> None:
    """Fifty rows at each of three probabilities that are not the events' shares: the fit finds the shares."""
    x = np.repeat([0.0, 1.0, 2.0], 50)
    events = np.array([5, 10, 40])
    y = np.concatenate([np.arange(50) >= 50 - k for k in events]).astype(float)
    spec = ModelSpec.from_formula("y ~ x", "bernoulli")
    at = posterior_at(spec, pd.DataFrame({"y": y, "x": x}), np.tile([-1.5, 1.5], (500, 1)), {})
    rows = np.arange(150)
    found = calibration.calibrate(at, rows, residuals.left_out(at, rows))
    np.testing.assert_allclose(found.predicted, special.expit(-1.5 + 1.5 * x))
    np.testing.assert_allclose(found.calibrated, np.repeat(events / 50, 50))
    expected = np.mean((found.predicted - np.repeat(events / 50, 50)) ** 2)
    assert expected == pytest.approx(found.miscalibration)
    assert found.p < 0.01


def test_a_wrong_link_scale_is_miscalibrated() -> None:
    posterior = made_up.good("bernoulli")
    right = calibration.check_calibration(posterior)
    drawn = posterior.draws["posterior"].to_dataset()
    drawn["beta"], drawn["u_g"] = 4 * drawn["beta"], 4 * drawn["u_g"]
    wrong = calibration.check_calibration(made_up.with_draws(posterior, drawn))
    assert isinstance(right, Check)
    assert isinstance(wrong, Check)
    assert (right.verdict, wrong.verdict) == ("pass", "fail")
    assert isinstance(calibration.check_calibration(made_up.good("poisson")), Skipped)
