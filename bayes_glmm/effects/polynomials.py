"""Orthogonal polynomials over a few points: the weights of linear, quadratic, ... trends, as R's ``contr.poly``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_glmm.design import Design
from bayes_glmm.errors import SpecError

_NAMES = ("linear", "quadratic", "cubic", "quartic", "quintic")


def scores(design: Design, variable: str, found: Sequence[Any]) -> np.ndarray:
    """Where the values stand on a line: numbers at themselves, ordered categories at 1, 2, ...

    Raises
    ------
    SpecError
        For categories without an order, and fewer than two values.
    """
    column = design.data[variable]
    if len(found) < 2:
        raise SpecError(f"{variable!r} has one value, and so no trend.")
    if pd.api.types.is_numeric_dtype(column):
        return np.asarray(found, float)
    if isinstance(column.dtype, pd.CategoricalDtype) and column.cat.ordered:
        return np.arange(1.0, len(found) + 1.0)
    raise SpecError(
        f"The levels of {variable!r} have no order, and so no trend.",
        advice=f"Fit with data[{variable!r}] = pd.Categorical(data[{variable!r}], categories=[...], ordered=True).",
    )


def polynomial_weights(points: np.ndarray) -> np.ndarray:
    """Values at the points of the orthonormal polynomials of degree 1, 2, ... [point, degree].

    Columns have length 1 and add up to 0, and rise at the far right. By Gram-Schmidt on x times the one before, twice
    because once leaves rounding errors.

    Examples
    --------
    >>> polynomial_weights(np.array([1.0, 2.0, 3.0])).round(4)
    array([[-0.7071,  0.4082],
           [ 0.    , -0.8165],
           [ 0.7071,  0.4082]])
    """
    x = points - points.mean()
    x = x / np.abs(x).max()
    columns = np.full((len(x), 1), len(x) ** -0.5)
    for _ in range(len(x) - 1):
        new = x * columns[:, -1]
        for _ in range(2):
            new = new - columns @ (columns.T @ new)
        columns = np.column_stack([columns, new / np.linalg.norm(new)])
    return columns[:, 1:]


def degree_name(degree: int) -> str:
    """Such as "linear"."""
    return _NAMES[degree - 1] if degree <= len(_NAMES) else f"degree {degree}"
