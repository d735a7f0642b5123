"""Some rows of a design: what stays of the whole, what goes with the rows that are left out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayes_glmm.design import Design, build_design, new_predictors, take_rows
from bayes_glmm.spec import ModelSpec


def whole() -> Design:
    rng = np.random.default_rng(0)
    data = pd.DataFrame(
        {
            "k": rng.integers(0, 5, 12), "n": 5, "x": rng.normal(3.0, 2.0, 12), "t": rng.uniform(1, 2, 12),
            "kind": ["a"] * 8 + ["b"] * 4, "g": ["p"] * 2 + ["q"] * 6 + ["r"] * 4,
        }
    )  # fmt: skip
    formula = "p(k, n) ~ bs(x, df=4) + kind + offset(log(t)) + (center(x) | g)"
    return build_design(ModelSpec.from_formula(formula, "binomial"), data)


def test_columns_are_those_of_the_whole() -> None:
    design, rows = whole(), np.array([7, 0, 3, 4])  # no row of kind b, none of r
    some = take_rows(design, rows)
    assert some.coefficients == design.coefficients
    assert "kind[b]" in some.coefficients
    np.testing.assert_array_equal(design.X[rows], some.X)
    np.testing.assert_array_equal(design.y[rows], some.y)
    np.testing.assert_array_equal(design.offset[rows], some.offset)
    assert design.trials is not None
    assert some.trials is not None
    np.testing.assert_array_equal(design.trials[rows], some.trials)
    # read by the encoder, the same rows of the data have the same columns
    np.testing.assert_allclose(new_predictors(some, some.data).X, some.X)


def test_levels_are_those_with_rows() -> None:
    design, rows = whole(), np.array([9, 0, 10])
    block, some = design.block("g"), take_rows(design, rows).block("g")
    assert some.levels == ("p", "r")
    assert [block.levels[i] for i in block.index[rows]] == [some.levels[i] for i in some.index]
    np.testing.assert_array_equal(block.values[rows], some.values)
    assert block.pattern == some.pattern


def test_all_rows_are_the_whole() -> None:
    design = whole()
    every = take_rows(design, np.arange(12))
    assert design.block("g").levels == every.block("g").levels
    np.testing.assert_array_equal(design.block("g").index, every.block("g").index)
    pd.testing.assert_frame_equal(design.data, every.data)
