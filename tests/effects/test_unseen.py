"""The reading ``known_or_new``: known groups as ``known`` has them, unseen ones as new groups of their own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayes_glmm.effects import compare, predict, slopes
from bayes_glmm.errors import DataError
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.cases import BETA, frame, logistic

DRAWS = 20_000
G, H = np.array([[1.2, 0.3], [0.3, 0.5]]), 0.4
# known, then unseen: n1 twice and n2, in a known level of h; last, both factors unseen
ROWS = pd.DataFrame(
    {
        "x": [0.5, 0.5, 2.0, 0.5, -1.0],
        "dose": "high",
        "g": ["g2", "n1", "n1", "n2", "n2"],
        "h": ["a", "a", "a", "a", "z"],
    }
)


def many() -> Posterior:
    """One parameter, many draws; u of the levels is fixed, so that what spreads is the fresh groups."""
    one = logistic()
    u = {"g": one.u("g")[0], "h": one.u("h")[0]}
    return posterior_at(one.spec, one.design.data, np.tile(BETA[:1], (DRAWS, 1)), {"g": G, "h": [[H]]}, u=u)


def predictors(rows: pd.DataFrame, effect: str = "known_or_new", **options) -> np.ndarray:
    """Linear predictors [draw, row]."""
    return predict(many(), rows, effect, scale="link", **options).draws.values[0]


def test_known_groups_are_as_the_reading_known_has_them():
    expected = predictors(ROWS.iloc[:1], "known")
    np.testing.assert_allclose(predictors(ROWS)[:, :1], expected, rtol=1e-13)
    data = logistic().design.data
    known, either = (predict(logistic(), data, effect).draws.values for effect in ("known", "known_or_new"))
    np.testing.assert_array_equal(known, either)


def test_unseen_groups_have_the_spread_of_the_random_effects_around_the_known_part():
    posterior, eta = many(), predictors(ROWS)
    at_a = posterior.u("h")[0, posterior.design.block("h").levels.index("a"), 0]
    for r, (x, shift, extra) in enumerate([(0.5, at_a, 0.0), (2.0, at_a, 0.0), (0.5, at_a, 0.0), (-1.0, 0.0, H)], 1):
        sd = np.sqrt(G[0, 0] + 2 * G[0, 1] * x + G[1, 1] * x * x + extra)
        expected = stats.norm(BETA[0, 0] + BETA[0, 1] * x + shift, sd)
        assert stats.kstest(eta[:, r], expected.cdf).pvalue > 1e-3
    # the moments of a new group, where no factor is known: 5 standard errors of a mean and of an sd
    new = predictors(ROWS.iloc[4:], "new")[:, 0]
    assert eta[:, 4].mean() == pytest.approx(new.mean(), abs=5 * new.std() * np.sqrt(2 / DRAWS))
    assert eta[:, 4].std() == pytest.approx(new.std(), rel=5 / np.sqrt(DRAWS))


def test_rows_of_one_unseen_label_share_its_u_and_other_labels_are_independent():
    eta = predictors(ROWS)
    slope = (eta[:, 2] - eta[:, 1]) / 1.5  # the intercept of n1 cancels
    assert slope.std() == pytest.approx(np.sqrt(G[1, 1]), rel=5 / np.sqrt(2 * DRAWS))
    assert abs(np.corrcoef(eta[:, 1], eta[:, 3])[0, 1]) < 5 / np.sqrt(DRAWS)
    # whatever rows stand around it, and in whatever order
    np.testing.assert_allclose(predictors(ROWS.iloc[[3, 1]])[:, 1], eta[:, 1], rtol=1e-13)
    assert not np.allclose(predictors(ROWS, seed=1)[:, 1], eta[:, 1])


def test_comparisons_and_slopes_hold_the_same_unseen_groups_on_both_sides():
    one, rows = logistic(), ROWS.iloc[1:3]
    u = predict(one, rows.assign(x=[0.0, 1.0]), "known_or_new", scale="link").draws.values[0]
    result = compare(one, "x", (0, 1), rows.iloc[:1], random_effects="known_or_new", estimands="log_odds_ratio")
    np.testing.assert_allclose(result.draws.values[0, :, 0], u[:, 1] - u[:, 0], rtol=1e-10)
    assert result.table["effect"].tolist() == ["conditional (this or a new group)"]
    mu = predict(one, rows.iloc[:1], "known_or_new").draws.values[0, :, 0]
    slope = slopes(one, "x", rows.iloc[:1], random_effects="known_or_new").draws.values[0, :, 0]
    np.testing.assert_allclose(slope, mu * (1 - mu) * (u[:, 1] - u[:, 0]), rtol=1e-6)  # a finite difference


def test_nested_groups_and_new_responses():
    spec = ModelSpec.from_formula("y ~ 1 + (1 | g/h)", family="bernoulli")
    zero = posterior_at(spec, frame(), np.zeros((4000, 1)), {"g": [[1.0]], "g:h": [[0.25]]})
    rows = pd.DataFrame({"g": ["g0", "g0"], "h": ["a", "z"]})  # the second: a known g, an unseen g:h
    eta = predict(zero, rows, "known_or_new", scale="link").draws.values[0]
    np.testing.assert_array_equal(eta[:, 0], 0.0)
    assert eta[:, 1].std() == pytest.approx(0.5, rel=5 / np.sqrt(2 * 4000))
    outcomes = predict(zero, rows, "known_or_new", scale="outcome").draws.values
    assert set(np.unique(outcomes)) == {0.0, 1.0}


def test_rows_must_say_their_group_and_other_readings_still_refuse_unseen_ones():
    with pytest.raises(DataError, match="do not say which h"):
        predict(logistic(), ROWS.drop(columns="h"), "known_or_new")
    with pytest.raises(DataError, match="not seen g"):
        predict(logistic(), ROWS.assign(g=None), "known_or_new")
    with pytest.raises(DataError, match="not seen g 'n1', 'n2'"):
        predict(logistic(), ROWS, ["known", "known_or_new"])
    with pytest.raises(DataError, match="has not seen g 'n1'"):
        predict(logistic(), ROWS, ["integrated", "known_or_new"], keep="g")


def test_new_responses_are_independent_of_the_new_group():
    # the streams of random numbers: u of the second factor and the noise must not be the same numbers
    data = frame().assign(y=np.linspace(-1, 1, 60))
    spec = ModelSpec.from_formula("y ~ 1 + (1 | g) + (1 | h)")
    posterior = posterior_at(spec, data, np.zeros((DRAWS, 1)), {"g": [[0.0]], "h": [[1.0]]}, {"sigma": 1.0})
    outcomes = predict(posterior, data.iloc[:1], "new", scale="outcome").draws.values[0, :, 0]
    assert outcomes.std() == pytest.approx(np.sqrt(2.0), rel=5 / np.sqrt(2 * DRAWS))
