from __future__ import annotations

import numpy as np
import pytest

from bayes_glmm.effects import coefficients, compare, hypothesis, marginal_coefficients, probability_within
from bayes_glmm.errors import SpecError
from tests.effects.cases import BETA, logistic


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b1 = b2", BETA[:, 1] - BETA[:, 2]),
        ("exp(b1) / (1 + b2) ** 2", np.exp(BETA[:, 1]) / (1 + BETA[:, 2]) ** 2),
        ("-b0 * 2 - abs(b3)", -2 * BETA[:, 0] - np.abs(BETA[:, 3])),
        ("b0 = 0.5", BETA[:, 0] - 0.5),
    ],
)
def test_expressions_are_worked_out_draw_by_draw(text: str, expected: np.ndarray):
    result = hypothesis(coefficients(logistic()), text)
    np.testing.assert_allclose(result.draws.values[0, :, 0], expected)
    assert result.table["hypothesis"].tolist() == [text]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("b1 = b9", "no estimate 'b9'"),
        ("b1 +", "cannot be read"),
        ("b1 == b2", "cannot be read"),
        ("b0 < b1 < b2", "cannot be read"),
        ("__import__('os')", "not supported"),
        ("b1.T", "not supported"),
        ("b0 if b1 else b2", "not supported"),
        ("x + y > 0", "no estimate 'y'"),
    ],
)
def test_only_arithmetic_on_rows_is_read(text: str, message: str):
    with pytest.raises(SpecError, match=message):
        hypothesis(coefficients(logistic()), text)


# rows of three draws: Intercept, x, dose[low], dose[mid]
@pytest.mark.parametrize(
    ("text", "difference", "event", "probability"),
    [
        ("b0 = 0.05", BETA[:, 0] - 0.05, "b0 - 0.05 > 0", 1 / 3),
        ("b0 > 0.05", BETA[:, 0] - 0.05, "b0 > 0.05", 1 / 3),
        ("b0 < 0.05", BETA[:, 0] - 0.05, "b0 < 0.05", 2 / 3),
        ("0.05 < Intercept", 0.05 - BETA[:, 0], "0.05 < Intercept", 1 / 3),
        ("x >= 0.8", BETA[:, 1] - 0.8, "x >= 0.8", 2 / 3),
        ("x > 0.8", BETA[:, 1] - 0.8, "x > 0.8", 1 / 3),
        ("dose[low] > dose[mid] + 0.6", BETA[:, 2] - BETA[:, 3] - 0.6, "dose[low] > dose[mid] + 0.6", 2 / 3),
        ("`dose[low]` = x - 1", BETA[:, 2] - BETA[:, 1] + 1, "`dose[low]` - (x - 1) > 0", 1.0),
        ("-x <= -0.7", -BETA[:, 1] + 0.7, "-x <= -0.7", 2 / 3),
        ("x", BETA[:, 1], "x > 0", 1.0),
    ],
)
def test_what_was_asked_is_answered_and_named(text: str, difference: np.ndarray, event: str, probability: float):
    row = hypothesis(coefficients(logistic()), text).table.iloc[0]
    assert row["event"] == event
    assert row["probability"] == pytest.approx(probability)
    assert row["estimate"] == pytest.approx(np.median(difference))
    assert (row["lower"], row["upper"]) == pytest.approx(tuple(np.quantile(difference, [0.025, 0.975])))


def test_names_of_several_rows_are_told_apart():
    both = marginal_coefficients(logistic())
    with pytest.raises(SpecError, match="'x' names 2 rows: b2, b3"):
        hypothesis(both, "x > 0")
    named, numbered = hypothesis(both, ["x, conditional > x, population-averaged", "b2 > b3"]).table["estimate"]
    assert named == numbered
    compared = compare(logistic(), "dose", random_effects="zero", estimands="difference")
    assert hypothesis(compared, "low vs high > mid vs high").table["probability"][0] == 1.0


def test_the_probability_of_a_condition():
    found = coefficients(logistic())
    for condition, expected in [("> 0.45", [0, 3, 1, 0]), ("<=-.2", [2, 0, 0, 2]), ("< -2e-1", [1, 0, 0, 2])]:
        np.testing.assert_allclose(3 * found.probability(condition), expected)
    assert list(found.probability("> 0").index) == list(found.table.index)
    for wrong in ("0.05", "= 0.05", "> x", ">"):
        with pytest.raises(SpecError, match="condition"):
            found.probability(wrong)


def test_the_probability_of_a_range():
    table = probability_within(coefficients(logistic()), -0.3, 0.45)
    np.testing.assert_allclose(table["within"], [2 / 3, 0.0, 2 / 3, 2 / 3])
    with pytest.raises(SpecError, match="empty"):
        probability_within(coefficients(logistic()), 1.0, 0.0)
