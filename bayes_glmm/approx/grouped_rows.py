"""The rows of a GEE: which form a group, and in what order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bayes_glmm.approx.estimating import QUASI, Correlation, Rows
from bayes_glmm.approx.result import Model
from bayes_glmm.design import Design, RandomBlock, build_design
from bayes_glmm.errors import DataError, SpecError, choices
from bayes_glmm.likelihood import Parameters
from bayes_glmm.spec import ModelSpec

MOST_ROWS = 1_000_000


def outermost(design: Design) -> RandomBlock:
    """The grouping factor in which all others are nested.

    Raises
    ------
    SpecError
        If there is none.
    """
    if not design.blocks:
        raise SpecError("GEE needs to know which rows form a group.", advice="Add a random term, such as (1 | g).")
    block = min(design.blocks, key=lambda block: len(block.levels))
    for other in design.blocks:
        if len(np.unique(np.column_stack([other.index, block.index]), axis=0)) > len(other.levels):
            raise SpecError(
                f"{other.group} and {block.group} are crossed; GEE has one kind of group.",
                advice="Leave the random terms of one out, or use bg.approx.laplace(model) and its "
                "marginal_coefficients().",
            )
    return block


def marginal_model(model: Model) -> tuple[ModelSpec, Design]:
    """The model without its random terms and priors, for the same rows."""
    spec = replace(model.spec, formula=replace(model.spec.formula, random=()), priors={})
    return spec, replace(build_design(spec, model.design.data), dropped=model.design.dropped)


def positions(correlation: Correlation, design: Design, block: RandomBlock, time: str | ArrayLike | None) -> np.ndarray:
    """Where each row stands in its group [row]: by time the same in all groups, else by the order of the data."""
    if time is None or not correlation.ordered:
        return pd.Series(block.index).groupby(block.index).cumcount().to_numpy()
    if isinstance(time, str):
        if time not in design.data:
            raise SpecError(f"The formula has no column {time!r}.", "time", choices(time, design.data.columns))
        time = design.data[time]
    values = np.asarray(time)
    if values.shape != design.y.shape:
        raise DataError(f"There are {values.size} times for {len(design.y)} rows.", "time")
    position = np.unique(values, return_inverse=True)[1]
    twice = pd.DataFrame({"group": block.index, "position": position}).duplicated()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise DataError(
            f"Two rows of {block.group} {block.levels[block.index[row]]} have the time {values[row]}.",
            f"time, row {row}",
            "Give times that differ within a group.",
        )
    return position


def rows_of(spec: ModelSpec, design: Design, block: RandomBlock, independent: Parameters, position: np.ndarray) -> Rows:
    """Rows of the data in the order of their positions; a row for each trial."""
    order = np.lexsort((position, block.index))
    y = design.y
    if design.trials is not None:
        trials = design.trials.astype(int)
        if trials.sum() > MOST_ROWS:
            raise SpecError(
                f"{trials.sum():,} trials are too many: each is a row of its own.",
                advice=f"GEE takes {MOST_ROWS:,}; use bg.approx.laplace(model) and its marginal_coefficients().",
            )
        order = np.repeat(np.arange(len(y)), trials)
        y = (np.arange(len(order)) - np.repeat(np.cumsum(trials) - trials, trials) < design.y[order]).astype(float)
    else:
        y = y[order]
    quasi = QUASI[spec.family_name]
    return Rows(
        y=y,
        offset=design.offset[order],
        X=design.X[order],
        group=block.index[order],
        position=position[order],
        link=spec.link,
        quasi=quasi,
        auxiliary={**independent.auxiliary, **quasi.unit},
    )


def check_positions(rows: Rows, correlation: Correlation, corr: str) -> None:
    """An unstructured correlation needs every two positions in some group."""
    if correlation.structure != "Unstructured":
        return
    size = int(rows.position.max()) + 1
    seen = np.zeros((np.max(rows.group) + 1, size))
    seen[rows.group, rows.position] = 1.0
    together = seen.T @ seen
    if together.min() < 2:
        i, j = np.unravel_index(np.argmin(together), together.shape)
        raise DataError(
            f"Fewer than two groups have both their rows {i + 1} and {j + 1}: their correlation is unknown.",
            f"corr={corr!r}, {size} positions",
            "Use ar1 or exchangeable, or a time with fewer values.",
        )
