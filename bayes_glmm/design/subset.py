"""Some rows of a design as a design of their own: what cross-validation fits to, and what it predicts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayes_glmm.design.block import RandomBlock
from bayes_glmm.design.design import Design


def take_rows(design: Design, rows: np.ndarray) -> Design:
    """Some rows of a design.

    Columns, centres, knots and codes stay those of the whole: a category without rows keeps its coefficient, of which
    then only the prior knows. Of grouping factors the levels without rows go.

    Parameters
    ----------
    design : Design
    rows : array of int [row]
        Their numbers, at least one.

    Examples
    --------
    >>> import pandas as pd
    >>> from bayes_glmm.design import build_design
    >>> from bayes_glmm.spec import ModelSpec
    >>> data = pd.DataFrame({"y": [1.0, 3.0, 2.0, 5.0], "x": ["a", "a", "b", "b"], "g": ["p", "q", "r", "q"]})
    >>> some = take_rows(build_design(ModelSpec.from_formula("y ~ x + (1 | g)"), data), np.array([0, 1]))
    >>> some.coefficients, some.block("g").levels
    (('Intercept', 'x[b]'), ('p', 'q'))
    """
    predictors = replace(
        design.predictors,
        fixed=tuple(one.take(rows) for one in design.predictors.fixed),
        blocks=tuple(_present(block, rows) for block in design.blocks),
    )
    trials = None if design.trials is None else design.trials[rows]
    data = design.data.iloc[rows].reset_index(drop=True)
    limits = None if design.limits is None else design.limits.take(rows)
    weights = None if design.weights is None else design.weights[rows]
    count_row = None if design.count_row is None else np.unique(design.count_row[rows], return_inverse=True)[1]
    residual = None if design.residual is None else design.residual.take(rows)
    return replace(
        design,
        y=design.y[rows],
        trials=trials,
        predictors=predictors,
        data=data,
        limits=limits,
        weights=weights,
        count_row=count_row,
        residual=residual,
    )


def _present(block: RandomBlock, rows: np.ndarray) -> RandomBlock:
    """The block of some rows, with the levels that they have."""
    levels, index = np.unique(block.index[rows], return_inverse=True)
    return replace(block, values=block.values[rows], index=index, levels=tuple(block.levels[level] for level in levels))
