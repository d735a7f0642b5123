"""Rows with frequencies: the same model as rows that are there as often."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

import bayes_glmm as bg
from bayes_glmm.errors import DataError, SpecError

FORMULA = "y | weights(w, frequency) ~ x + (1 | g)"


def counted(rng: np.random.Generator) -> pd.DataFrame:
    table = pd.DataFrame({"g": list("baacbc"), "x": [0.0, 1.0, 0.0, 2.0, 1.0, 0.0], "y": [0, 1, 1, 0, 1, 0]})
    return table.assign(w=rng.integers(1, 9, len(table)))


def test_frequencies_repeat_rows(tmp_path: Path) -> None:
    table = counted(np.random.default_rng(0))
    long = table.loc[table.index.repeat(table["w"])].drop(columns="w").reset_index(drop=True)
    short, plain = bg.GLMM(FORMULA, table, "bernoulli"), bg.GLMM("y ~ x + (1 | g)", long, "bernoulli")
    assert_array_equal(short.design.X, plain.design.X)
    assert_array_equal(short.design.y, plain.design.y)
    assert_array_equal(short.design.blocks[0].index, plain.design.blocks[0].index)
    assert short.design.blocks[0].levels == plain.design.blocks[0].levels
    assert short.priors == plain.priors
    one, two = (model.fit(draws=50, tune=200, chains=1, seed=1, progress=False) for model in (short, plain))
    assert_array_equal(one.posterior.beta, two.posterior.beta)
    assert len(bg.diagnostics.loo_by_row(one).pointwise) == len(long)
    one.save(tmp_path / "fit")
    again = bg.load(tmp_path / "fit")
    assert len(again.posterior.design.y) == len(long)
    assert again.posterior.spec == one.posterior.spec


@pytest.mark.parametrize("bad", [0, -1, 1.5, 3e7])
def test_frequencies_are_whole_numbers(bad: float) -> None:
    table = counted(np.random.default_rng(0)).assign(w=[1.0, 2.0, bad, 1.0, 1.0, 1.0])
    with pytest.raises(DataError, match=r"frequenc") as caught:
        bg.GLMM(FORMULA, table, "bernoulli")
    assert "w" in caught.value.where


def test_missing_frequencies_are_missing_values() -> None:
    table = counted(np.random.default_rng(0)).astype({"w": float})
    table.loc[2, "w"] = np.nan
    with pytest.raises(DataError, match="missing"):
        bg.GLMM(FORMULA, table, "bernoulli")
    assert bg.GLMM(FORMULA, table, "bernoulli", missing="drop").design.dropped == 1


def test_frequencies_are_nothing_else() -> None:
    with pytest.raises(SpecError, match="as well"):
        bg.GLMM("y | weights(w, frequency) ~ w", counted(np.random.default_rng(0)), "bernoulli")
