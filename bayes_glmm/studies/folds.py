"""Folds: which rows are left out together, each of them once."""

from __future__ import annotations

import numpy as np


def folds_of_rows(rows: int, k: int, rng: np.random.Generator, strata: np.ndarray | None = None) -> np.ndarray:
    """The fold of each row [row], sizes equal to one row.

    Parameters
    ----------
    rows : int
    k : int
        How many folds, at most as many as rows.
    rng : Generator
    strata : array [row], optional
        Values of which each fold gets its share, equal to one row.

    Examples
    --------
    >>> np.bincount(folds_of_rows(10, 3, np.random.default_rng(0))).tolist()
    [4, 3, 3]
    """
    order = rng.permutation(rows)
    if strata is not None:
        order = order[np.argsort(strata[order], kind="stable")]
    folds = np.empty(rows, dtype=int)
    folds[order] = np.arange(rows) % k  # dealt out like cards
    return folds


def folds_of_levels(index: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """The fold of each row [row], rows of a level together: levels in random order, each to the fold with fewest rows.

    No two folds differ by more rows than the largest level has.

    Parameters
    ----------
    index : array [row]
        The level of each row: 0, 1, ..., each with rows.
    k : int
        How many folds, at most as many as levels.
    rng : Generator
    """
    size, rows = np.bincount(index), np.zeros(k, dtype=int)
    fold = np.empty(len(size), dtype=int)
    for level in rng.permutation(len(size)):
        fold[level] = np.argmin(rows)
        rows[fold[level]] += size[level]
    return fold[index]
