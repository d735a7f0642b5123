"""What must hold for there to be a model. One function a condition; each raises with rows and advice.

What a person should know, but can go on with, is in ``findings``.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from bayes_glmm.design.block import RandomBlock
from bayes_glmm.design.design import Design, Predictors
from bayes_glmm.errors import DataError, rows_text
from bayes_glmm.families import Family

_LARGEST = 1e100
_LARGEST_COUNT = 2**53  # above, a float skips whole numbers


def check_response(family: Family, design: Design) -> None:
    """The response lies in the family's support and varies.

    Raises
    ------
    DataError
    """
    bad = np.flatnonzero(_impossible(family, design))
    if bad.size:
        raise DataError(
            f"The {family.name} family needs {family.response.support_text}; found {design.y[bad[0]]:g}.",
            f"response {design.response!r}, {rows_text(bad)}",
            family.response.advice,
        )
    check_size(f"response {design.response!r}", design.y)
    for values in (design.y, design.trials):
        if family.discrete and values is not None and values.max() > _LARGEST_COUNT:
            raise DataError(
                f"The count {values.max():g} is larger than any that is exact.",
                f"response {design.response!r}, {rows_text(np.flatnonzero(values > _LARGEST_COUNT))}",
                "Check the column; counts above 9e15 need another family.",
            )
    share = design.y if design.trials is None else design.y / design.trials
    if len(share) > 1 and np.ptp(share) == 0 and not design.observed.kinds:
        raise DataError(
            f"The response is {share[0]:g} in every row.",
            f"response {design.response!r}",
            "There is nothing to explain: check the column.",
        )


def _impossible(family: Family, design: Design) -> np.ndarray:
    """Rows [row] that are not in the support; of an interval that is its upper end, as it may begin at the least."""
    outside = family.response.support(design.y, design.trials)
    if design.limits is None or design.limits.end is None:
        return outside
    known = np.isfinite(design.limits.end)
    beyond = family.response.support(design.limits.end, None) | (design.y < family.response.least)
    return np.where(known, beyond, outside)


def check_size(where: str, values: np.ndarray) -> None:
    """Numbers whose squares and products can be computed; 0 may stand among them.

    Raises
    ------
    DataError
    """
    size = np.abs(values)
    largest = size.max(initial=0.0)
    if largest > _LARGEST or 0 < largest < 1 / _LARGEST:
        kind, rows = ("large", size > _LARGEST) if largest > 1 else ("small", size > 0)
        raise DataError(
            f"Numbers as {kind} as {largest:g} cannot be computed with.",
            f"{where}, {rows_text(np.flatnonzero(rows))}",
            "Change the unit, or standardize: scale(x).",
        )


def check_design(design: Design) -> None:
    """Every column is finite and every grouping factor groups.

    Raises
    ------
    DataError
    """
    check_predictors(design.predictors)
    for block in design.blocks:
        _check_levels(block)


def check_predictors(predictors: Predictors) -> None:
    """Every column is finite, where a transform may have left its domain.

    Raises
    ------
    DataError
    """
    named = [("fixed effects", one.coefficients, one.X) for one in predictors.fixed]
    named += [(f"random effects by {block.group}", block.effects, block.values) for block in predictors.blocks]
    for where, names, values in named:
        check_finite(where, names, values)
    for one in predictors.fixed:
        check_size("offset", one.offset)


def check_finite(where: str, names: tuple[str, ...], values: np.ndarray) -> None:
    """Every column [row, column] is finite, and of a size that can be computed with.

    Raises
    ------
    DataError
    """
    rows, columns = np.nonzero(~np.isfinite(values))
    if rows.size:
        raise DataError(
            f"{names[columns[0]]} is not finite.",
            f"{where}, {rows_text(np.unique(rows))}",
            "A transform such as log() may have met a value outside its domain.",
        )
    for name, column in zip(names, values.T, strict=True):
        check_size(f"{where}, {name}", column)


def dependent(X: np.ndarray) -> list[int]:
    """Columns that are combinations of the others, as few as there are too many."""
    if X.shape[1] == 0:
        return []
    scaled = X / np.maximum(np.linalg.norm(X, axis=0), 1e-300)
    _, R, order = linalg.qr(scaled, mode="economic", pivoting=True)
    rank = int((np.abs(np.diag(R)) >= 1e-9).sum())
    return order[rank:].tolist()


def _check_levels(block: RandomBlock) -> None:
    if len(block.levels) < 2:
        raise DataError(
            f"The grouping factor {block.group!r} has one level ({block.levels[0]!r}): its variance cannot be learned.",
            f"(... | {block.group})",
            "Leave the random term out.",
        )
