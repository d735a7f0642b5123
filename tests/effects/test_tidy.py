from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.effects import compare
from bayes_glmm.effects.tidy import probability_of_direction, summarise, tidy
from bayes_glmm.errors import SpecError
from tests.effects.cases import logistic

LABELS = pd.DataFrame({"name": ["a", "b"]})
DRAWS = np.column_stack([np.arange(101.0), np.linspace(-1.0, 3.0, 101)])


def test_the_interval_is_equal_tailed():
    table = summarise(DRAWS, LABELS, 0.9)
    np.testing.assert_allclose(table.loc[0, ["estimate", "lower", "upper"]].astype(float), [50.0, 5.0, 95.0])
    assert table["sd"][0] == pytest.approx(DRAWS[:, 0].std(ddof=1))


def test_the_probability_of_direction_counts_the_likelier_side():
    assert summarise(DRAWS, LABELS, 0.9, null=0.0)["probability"][1] == pytest.approx(75.5 / 101)
    np.testing.assert_allclose(probability_of_direction(-DRAWS), probability_of_direction(DRAWS))
    assert probability_of_direction(np.zeros((5, 1)))[0] == 0.5  # no direction at all


def test_draws_keep_their_chains():
    result = tidy(DRAWS[:100], LABELS, 0.95, (4, 25), "Two numbers.")
    assert result.draws.dims == ("chain", "draw", "estimate")
    np.testing.assert_array_equal(result.draws.values[1, 0], DRAWS[25])


def test_one_draw_is_a_point():
    table = summarise(DRAWS[:1], LABELS)
    assert table["sd"].tolist() == [0.0, 0.0]
    assert table["lower"].tolist() == table["upper"].tolist()


def test_infinite_draws_give_infinite_estimates_without_noise():
    table = summarise(np.array([[1.0], [np.inf], [2.0]]), pd.DataFrame({"name": ["odds"]}), 0.5, null=1.0)
    assert table["estimate"][0] == np.inf


@pytest.mark.parametrize("interval", [0.0, 1.0, 95])
def test_an_interval_is_a_share(interval: float):
    with pytest.raises(SpecError, match="interval"):
        summarise(DRAWS, LABELS, interval)


def test_it_prints_what_was_estimated_and_how_it_was_averaged():
    result = compare(logistic(), "dose", estimands="difference")
    text = repr(result)
    assert "averaged over 60 rows" in text
    assert "95% equal-tailed" in text
    assert "population-averaged" in text
    assert "conditional (u = 0)" in text
    assert "<table" in result._repr_html_()
    assert len(text.splitlines()) == 2 + 4
