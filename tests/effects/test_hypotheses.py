from __future__ import annotations

import numpy as np
import pytest

from bayes_glmm.effects import coefficients, hypothesis, probability_within
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
        ("__import__('os')", "cannot stand"),
        ("b1.T", "cannot stand"),
        ("b0 if b1 else b2", "cannot stand"),
    ],
)
def test_only_arithmetic_on_rows_is_read(text: str, message: str):
    with pytest.raises(SpecError, match=message):
        hypothesis(coefficients(logistic()), text)


def test_the_probability_of_a_range():
    table = probability_within(coefficients(logistic()), -0.3, 0.45)
    np.testing.assert_allclose(table["within"], [2 / 3, 0.0, 2 / 3, 2 / 3])
    with pytest.raises(SpecError, match="empty"):
        probability_within(coefficients(logistic()), 1.0, 0.0)
