"""Predictions under the four readings of u, against formulas and against simulation of many new groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from bayes_glmm.effects import marginal_coefficients, predict
from bayes_glmm.effects.integrate import average_over_normal
from bayes_glmm.errors import DataError, SpecError
from bayes_glmm.posterior import posterior_at
from bayes_glmm.predictive import conditional_predictor
from bayes_glmm.spec import ModelSpec
from tests.effects.cases import BETA, intercepts, logistic

ROWS = pd.DataFrame({"x": [-1.0, 0.5, 2.0], "dose": ["low", "high", "mid"]})


def draws_of(estimates, label: str) -> np.ndarray:
    """Draws [draw, row] of one reading."""
    chosen = (estimates.table["effect"] == label).to_numpy()
    return estimates.draws.values.reshape(-1, len(estimates.table))[:, chosen]


def fixed(rows: pd.DataFrame) -> np.ndarray:
    """X beta by hand: Intercept, x, dose[low], dose[mid] against high."""
    X = np.column_stack([np.ones(len(rows)), rows["x"], rows["dose"] == "low", rows["dose"] == "mid"]).astype(float)
    return BETA @ X.T


def test_at_u_0_the_prediction_is_the_inverse_link_of_the_fixed_part():
    posterior = logistic()
    assert posterior.design.coefficients == ("Intercept", "x", "dose[low]", "dose[mid]")
    result = predict(posterior, ROWS, random_effects="zero")
    np.testing.assert_allclose(draws_of(result, "conditional (u = 0)"), special.expit(fixed(ROWS)), rtol=1e-13)


def test_integrated_predictions_match_a_simulation_of_many_new_groups():
    posterior, rng, size = logistic(), np.random.default_rng(11), 400_000
    result = draws_of(predict(posterior, ROWS, "integrated"), "population-averaged")
    eta = fixed(ROWS)
    for d in range(3):
        u = rng.multivariate_normal([0.0, 0.0], posterior.G("g")[d], size)
        v = rng.normal(0.0, np.sqrt(posterior.G("h")[d, 0, 0]), size)
        for r, x in enumerate(ROWS["x"]):
            simulated = special.expit(eta[d, r] + u[:, 0] + u[:, 1] * x + v)
            error = simulated.std() / np.sqrt(size)
            assert (
                abs(result[d, r] - simulated.mean()) < 4.0 * error
            )  # 4 standard errors: one false alarm in 1,700 runs


def test_known_groups_use_their_own_effects():
    posterior = logistic()
    result = predict(posterior, posterior.design.data, "known")
    expected = special.expit(conditional_predictor(posterior))
    np.testing.assert_allclose(draws_of(result, "conditional (this group)"), expected, rtol=1e-13)
    assert {"g", "h"} <= set(result.table.columns)


def test_a_new_group_has_the_spread_of_the_random_effects():
    # many draws of one parameter: the new group's predictor at x is N(x'beta, z'Gz)
    G = np.array([[1.2, 0.3], [0.3, 0.5]])
    one = logistic()
    many = posterior_at(one.spec, one.design.data, np.tile(BETA[:1], (20_000, 1)), {"g": G, "h": [[0.4]]})
    eta = draws_of(predict(many, ROWS, "new", scale="link", seed=5), "new group")
    for r, x in enumerate(ROWS["x"]):
        sd = np.sqrt(G[0, 0] + 2 * G[0, 1] * x + G[1, 1] * x * x + 0.4)
        assert stats.kstest(eta[:, r], stats.norm(fixed(ROWS)[0, r], sd).cdf).pvalue > 1e-3
    # the same new group in all rows: differences between rows hold no intercept variance
    slope = eta[:, 1] - eta[:, 0]
    assert slope.std() == pytest.approx(1.5 * np.sqrt(G[1, 1]), rel=0.03)


def test_new_groups_repeat_with_their_seed():
    first, again, other = (predict(logistic(), ROWS, "new", seed=seed).draws.values for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_the_link_of_the_averaged_mean():
    result = predict(intercepts("probit"), ROWS, scale="link")
    shrunk = fixed(ROWS) / np.sqrt(1.0 + intercepts("probit").G("g")[:, 0])
    np.testing.assert_allclose(draws_of(result, "population-averaged"), shrunk, rtol=1e-13)
    np.testing.assert_allclose(draws_of(result, "conditional (u = 0)"), fixed(ROWS), rtol=1e-13)


def test_rows_of_the_data_are_taken_together_by_pattern():
    posterior = intercepts("logit")
    result = predict(posterior)
    patterns = posterior.design.data[["x", "dose"]].drop_duplicates()
    assert len(result.table) == 2 * len(patterns)
    assert result.table["n"].sum() == 2 * len(posterior.design.data)
    assert result.table["effect"].tolist()[:2] == ["population-averaged", "conditional (u = 0)"]
    assert result.draws.dims == ("chain", "draw", "estimate")
    assert result.draws.shape == (1, 3, len(result.table))


def test_under_the_identity_link_both_readings_agree():
    data = logistic().design.data.assign(y=np.linspace(-1, 1, 60))
    spec = ModelSpec.from_formula("y ~ x + dose + (1 | g)")
    result = predict(posterior_at(spec, data, BETA, {"g": [[4.0]]}, {"sigma": 1.0}), ROWS)
    np.testing.assert_allclose(
        draws_of(result, "population-averaged"), draws_of(result, "conditional (u = 0)"), rtol=1e-13
    )


def test_outcomes_have_the_mean_and_support_of_the_response():
    one = intercepts("logit")
    many = posterior_at(one.spec, one.design.data, np.tile(BETA[:1], (40_000, 1)), {"g": [[2.0]]})
    outcomes = draws_of(predict(many, ROWS, "integrated", scale="outcome"), "population-averaged")
    means = draws_of(predict(many, ROWS, "integrated"), "population-averaged")
    assert set(np.unique(outcomes)) == {0.0, 1.0}
    np.testing.assert_allclose(outcomes.mean(axis=0), means[0], atol=4 * 0.5 / np.sqrt(40_000))


def test_outcomes_of_a_binomial_need_trials():
    data = pd.DataFrame({"s": [3, 5, 2, 8], "m": [10, 10, 12, 9], "x": [0.0, 1, 2, 3], "g": list("aabb")})
    spec = ModelSpec.from_formula("p(s, m) ~ x + (1 | g)", family="binomial")
    posterior = posterior_at(spec, data, np.tile([0.1, 0.2], (500, 1)), {"g": [[0.5]]})
    assert predict(posterior, scale="outcome").draws.shape == (1, 500, 8)
    big = predict(posterior, pd.DataFrame({"x": [0.0], "m": [1000]}), "zero", scale="outcome")
    assert big.table["estimate"][0] == pytest.approx(1000 * special.expit(0.1), rel=0.01)
    assert predict(posterior, data).table["estimate"].max() < 1  # the response scale is the probability
    with pytest.raises(DataError, match="number of trials"):
        predict(posterior, pd.DataFrame({"x": [0.0]}), scale="outcome")


def test_the_offset_counts():
    data = pd.DataFrame({"y": [1, 2, 3, 4], "t": [1.0, 2.0, 3.0, 4.0], "g": list("aabb")})
    spec = ModelSpec.from_formula("y ~ 1 + offset(log(t)) + (1 | g)", family="poisson")
    result = predict(posterior_at(spec, data, [0.3], {"g": [[0.6]]}), pd.DataFrame({"t": [1.0, 5.0]}))
    np.testing.assert_allclose(draws_of(result, "population-averaged")[0], np.exp(0.3 + 0.3) * np.array([1.0, 5.0]))


def test_what_cannot_be_predicted_says_why():
    posterior = logistic()
    with pytest.raises(SpecError, match="Did you mean 'integrated'"):
        predict(posterior, ROWS, "integrate")
    with pytest.raises(SpecError, match="scale 'probability'"):
        predict(posterior, ROWS, scale="probability")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"level must lie between 0 and 1: got 95.*Write level=0.95"):
        predict(posterior, ROWS, level=95)
    with pytest.raises(DataError, match="no new rows"):
        predict(posterior, ROWS.iloc[:0])
    with pytest.raises(DataError, match="must be a pandas DataFrame, not a dict"):
        predict(posterior, {"x": 1.0, "dose": "low"})  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no column 'x'"):
        predict(posterior, ROWS[["dose"]])
    with pytest.raises(DataError, match=r"not seen dose 'none'.*Valid: high, low, mid"):
        predict(posterior, ROWS.assign(dose="none"))
    with pytest.raises(DataError, match=r"not seen g 'g9'"):
        predict(posterior, ROWS.assign(g="g9", h="a"), "known")
    with pytest.raises(DataError, match="do not say which g"):
        predict(posterior, ROWS, "known")


def test_a_kept_factor_stays_at_its_own_level_while_the_others_are_averaged_out():
    posterior = logistic()
    rows = ROWS.assign(g=["g0", "g3", "g5"])
    result = predict(posterior, rows, ["integrated", "zero"], keep="g")
    u = posterior.u("g")[:, [0, 3, 5], :]
    eta = fixed(ROWS) + u[:, :, 0] + u[:, :, 1] * ROWS["x"].to_numpy()
    expected = average_over_normal(posterior.spec.link, eta, posterior.G("h")[:, 0])
    np.testing.assert_allclose(draws_of(result, "population-averaged given g"), expected, rtol=1e-12)
    np.testing.assert_allclose(draws_of(result, "conditional (u = 0) given g"), special.expit(eta), rtol=1e-12)
    everything = predict(posterior, rows.assign(h="b"), "zero", keep=["g", "h"])
    known = predict(posterior, rows.assign(h="b"), "known")
    np.testing.assert_allclose(everything.draws.values, known.draws.values, rtol=1e-12)
    with pytest.raises(SpecError, match=r"no grouping factor 'gg' to keep.*Did you mean 'g'"):
        predict(posterior, rows, keep="gg")
    with pytest.raises(DataError, match="has not seen the g of these rows"):
        predict(posterior, ROWS, keep="g")


def test_a_model_without_random_effects_has_one_answer():
    data = logistic().design.data
    posterior = posterior_at(ModelSpec.from_formula("y ~ x + dose", family="bernoulli"), data, BETA, {})
    result = predict(posterior, ROWS, ["integrated", "zero", "known", "new"]).draws.values.reshape(3, 3, 4)
    np.testing.assert_allclose(result, np.repeat(special.expit(fixed(ROWS))[:, :, None], 4, axis=2), rtol=1e-13)


def test_a_model_without_fixed_effects_is_its_random_intercept():
    posterior = posterior_at(
        ModelSpec.from_formula("y ~ 0 + (1 | g)", family="poisson"),
        logistic().design.data,
        np.empty((2, 0)),
        {"g": np.array([1.0, 2.0])[:, None, None]},
    )
    result = predict(posterior, random_effects="integrated")
    np.testing.assert_allclose(result.draws.values[0, :, 0], np.exp([0.5, 1.0]))
    assert result.table["n"].tolist() == [60]
    assert len(marginal_coefficients(posterior).table) == 0
