"""Uniform ranks pass as often as they should; ranks that lean, or spread too little, do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from arviz_stats.ecdf_utils import simulate_confidence_bands
from scipy import stats

from bayes_glmm.diagnostics.uniformity import envelope, uniformity

DRAWS = 99


def ranks(a: float, b: float, replications: int = 200, columns: int = 1) -> pd.DataFrame:
    """Ranks with a beta distribution: uniform for 1 and 1."""
    rng = np.random.default_rng(3)
    values = np.floor(rng.beta(a, b, size=(replications, columns)) * (DRAWS + 1)).astype(int)
    return pd.DataFrame(values, columns=[f"q{i}" for i in range(columns)])


def test_p_values_of_uniform_ranks_are_small_as_often_as_they_say() -> None:
    table = uniformity(ranks(1.0, 1.0, columns=2000), DRAWS)
    for name in ("chi_square", "ecdf"):
        for level in (0.01, 0.05, 0.2):
            error = np.sqrt(level * (1.0 - level) / 2000)
            assert abs((table[name] < level).mean() - level) < 3.5 * error
    np.testing.assert_allclose(0.5, table["mean"].mean(), atol=3.5 * 0.29 / np.sqrt(200 * 2000))


@pytest.mark.parametrize(
    ("a", "b", "mean"),
    [(1.5, 1.0, "high"), (1.0, 1.5, "low"), (2.0, 2.0, "even"), (0.6, 0.6, "even")],
    ids=["draws too low", "draws too high", "draws too wide", "draws too narrow"],
)
def test_other_ranks_are_caught(a: float, b: float, mean: str) -> None:
    p = uniformity(ranks(a, b, replications=400), DRAWS).loc["q0"]
    assert p["ecdf"] < 0.001
    assert p["chi_square"] < 0.01
    assert {"high": p["mean"] > 0.55, "low": p["mean"] < 0.45, "even": 0.45 < p["mean"] < 0.55}[mean]


def test_chi_square_is_that_of_scipy() -> None:
    found = ranks(1.0, 1.0)
    expected = stats.chisquare(
        np.histogram(found["q0"], np.arange(0, 101, 5))[0]
    ).pvalue  # 20 bins, 10 expected in each
    assert expected == uniformity(found, DRAWS)["chi_square"]["q0"]


def test_envelope_is_that_of_arviz() -> None:
    points, lower, upper = envelope(200, DRAWS, 0.9)
    probability = simulate_confidence_bands(200, 1, points, 0.9, 4000, np.random.default_rng(1))
    tail = (1.0 - probability) / 2.0
    # two simulations of the same quantile may differ by one rank of 200
    np.testing.assert_allclose(stats.binom.ppf(tail, 200, points) / 200, lower, atol=1.01 / 200)
    np.testing.assert_allclose(stats.binom.ppf(1.0 - tail, 200, points) / 200, upper, atol=1.01 / 200)


def test_envelope_and_p_value_say_the_same() -> None:
    found = ranks(1.05, 0.95, columns=200)
    _, lower, upper = envelope(len(found), DRAWS, 0.95)
    share = np.array([np.bincount(found[name], minlength=DRAWS + 1).cumsum()[:-1] / len(found) for name in found])
    outside = ((share < lower) | (share > upper)).any(axis=1)
    assert 0.05 < outside.mean() < 0.5
    assert (outside == (uniformity(found, DRAWS)["ecdf"] < 0.05)).mean() > 0.98  # on the edge itself either is right
