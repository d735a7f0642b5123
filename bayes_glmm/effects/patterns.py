"""Rows as the linear predictor sees them, each distinct one once, and draws in slices that fit in memory.

A row matters only through its columns of X, its offset, its columns of Z and, where its own group counts, its level.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bayes_glmm.design import Design, Predictors, new_predictors
from bayes_glmm.errors import DataError, rows_text
from bayes_glmm.names import LOCATION
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import CHUNK_BYTES


def encode(design: Design, rows: pd.DataFrame, kept: Sequence[str] = ()) -> Predictors:
    """The linear predictor's ingredients for rows; the levels of the kept grouping factors must be known.

    Raises
    ------
    DataError
        For missing columns, unknown levels, and unknown groups of a kept factor.
    """
    predictors = new_predictors(design, rows, known_groups=bool(kept) and len(kept) == len(design.blocks))
    for block in predictors.blocks:
        if block.group in kept and (unknown := np.flatnonzero(block.index < 0)).size:
            raise DataError(
                f"The model has not seen the {block.group} of these rows, or they do not say it.",
                rows_text(unknown),
                f"Leave {block.group!r} out of keep to average over it.",
            )
    return predictors


def distinct(predictors: Predictors, groups: Sequence[str] = ()) -> tuple[Predictors, np.ndarray]:
    """Rows without repeats, and for each given row the position of its like [row].

    Parameters
    ----------
    predictors : Predictors
    groups : sequence of str
        Grouping factors whose levels tell rows apart.
    """
    columns = [column for one in predictors.fixed for column in (one.X, one.offset[:, None])]
    columns += [block.values for block in predictors.blocks]
    columns += [block.index[:, None] for block in predictors.blocks if block.group in groups]
    if predictors.estimable is not None:
        columns.append(predictors.estimable[:, None])
    table = pd.DataFrame(np.column_stack(columns))
    position = table.groupby(list(table.columns), sort=False).ngroup().to_numpy()
    _, first = np.unique(position, return_index=True)
    return predictors.take(first), position


def not_determined(design: Design, values: np.ndarray) -> tuple[str, ...]:
    """Return a note where means [draw, ...] are missing because the data do not determine them."""
    if not design.aliased or not np.isnan(values).all(axis=0).any():
        return ()
    names = ", ".join(design.aliased)
    return (
        f"Some estimates are missing: their rows need {names}, which the data do not determine. Leave the term out, or "
        "restrict the rows with newdata=.",
    )


def split_blocks(predictors: Predictors, kept: Sequence[str]) -> tuple[Predictors, Predictors]:
    """The same rows with the kept grouping factors, and with the others."""
    inside = tuple(block for block in predictors.blocks if block.group in kept)
    outside = tuple(block for block in predictors.blocks if block.group not in kept)
    return replace(predictors, blocks=inside), replace(predictors, blocks=outside)


def same_variance(predictors: Predictors, parameter: str = LOCATION) -> bool:
    """Whether z is the same in all rows, as with random intercepts, in a parameter's predictor."""
    columns = [block.values[:, block.of(parameter)] for block in predictors.blocks]
    return len(predictors) > 0 and not any((values != values[0]).any() for values in columns)


def draw_slices(posterior: Posterior, rows: int) -> Iterator[slice]:
    """All draws in consecutive slices, such that several [draw, row] arrays of one slice stay in memory."""
    yield from slices(int(np.prod(posterior.sample_shape)), rows)


def slices(total: int, rows: int) -> Iterator[slice]:
    """The same for any number of draws."""
    size = max(1, CHUNK_BYTES // (8 * 8 * max(rows, 1)))  # some eight such arrays at a time
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))
