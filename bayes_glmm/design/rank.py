"""Columns that depend on earlier ones, as an empty cell of an interaction makes them: they are left out, as lme4 does.

What the data do not determine must not be reported: a row is estimable where the columns left out are the same
combination of the others as in the data (Searle 1971, Linear Models, section 5.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayes_glmm.errors import DataError

_SMALL = 1e-9  # of a column about its mean: what is left when earlier columns are taken off
_ROUNDING = 1e-12  # of a column: variation below is rounding
_ESTIMABLE = 1e-7


@dataclass(frozen=True)
class Rank:
    """Which columns of a matrix are independent.

    Attributes
    ----------
    kept : array of int
        Positions of the columns that do not depend on earlier ones.
    aliased : array of int
        Positions of the others.
    combination : array [kept, aliased]
        The columns left out, as combinations of those kept.
    """

    kept: np.ndarray
    aliased: np.ndarray
    combination: np.ndarray

    def estimable(self, columns: np.ndarray) -> np.ndarray:
        """Whether the model determines the predictor of each row [row], from all its columns [row, column]."""
        expected = columns[:, self.kept] @ self.combination
        size = 1.0 + np.abs(columns[:, self.kept]) @ np.abs(self.combination)
        return (np.abs(columns[:, self.aliased] - expected) < _ESTIMABLE * size).all(axis=1)


def rank_of(X: np.ndarray) -> Rank:
    """Find the columns that depend on earlier ones.

    Parameters
    ----------
    X : array [row, column]

    Raises
    ------
    DataError
        If there are more columns than rows.
    """
    n, p = X.shape
    if p > n:
        raise DataError(
            f"The fixed effects have {p} columns, the data {n} rows.",
            "fixed effects",
            "Use fewer columns, or let them share a variance as random effects, (1 | f): priors for many weak columns "
            "(horseshoe, R2D2) are not supported.",
        )
    constant = p > 0 and bool((X[:, 0] == 1.0).all())
    columns = X - X.mean(axis=0) if constant else X.copy()
    size = np.linalg.norm(columns, axis=0)
    basis = np.empty((n, 0))
    kept, aliased = [], []
    for j in range(p):
        if constant and j == 0:
            kept.append(j)
            continue
        rest = columns[:, j] / max(size[j], 1e-300)
        for _ in range(2):  # twice is enough: Kahan
            rest = rest - basis @ (basis.T @ rest)
        left = np.linalg.norm(rest)
        if size[j] <= _ROUNDING * np.linalg.norm(X[:, j]) or left < _SMALL:
            aliased.append(j)
        else:
            kept.append(j)
            basis = np.column_stack([basis, rest / left])
    return Rank(np.array(kept, dtype=int), np.array(aliased, dtype=int), _combination(X, kept, aliased))


def check_variation(names: Sequence[str], X: np.ndarray) -> None:
    """Check that every column that varies does so by more than rounding.

    Raises
    ------
    DataError
    """
    for name, column in zip(names, X.T, strict=True):
        spread = np.linalg.norm(column - column.mean())
        beyond = np.ptp(column) > 4 * np.spacing(np.abs(column).max())  # else it is a constant such as .1 + .2
        if beyond and spread <= _ROUNDING * np.linalg.norm(column):
            raise DataError(
                f"{name} varies by {spread / np.linalg.norm(column):.0e} of its size, which is rounding.",
                "fixed effects",
                f"Subtract a number near its mean first, as center({name}) does.",
            )


def _combination(X: np.ndarray, kept: list[int], aliased: list[int]) -> np.ndarray:
    if not aliased:
        return np.empty((len(kept), 0))
    size = np.linalg.norm(X[:, kept], axis=0)
    found = np.linalg.lstsq(X[:, kept] / size, X[:, aliased])[0] / size[:, None]
    return np.where(np.abs(found) < 1e-10 * np.abs(found).max(axis=0, initial=1e-300), 0.0, found)
