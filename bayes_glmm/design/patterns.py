"""Groups that look alike: the distinct sets of rows that groups have, and how many groups share each.

Given the parameters, groups with the same rows (response, trials, offset, fixed effects, effect values) have the same
likelihood. Three yes/no items asked of 1,850 people make 16 patterns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from bayes_glmm.design.design import Design
from bayes_glmm.families.response import BESIDE


@dataclass(frozen=True)
class Patterns:
    """The distinct patterns of one grouping factor, as a padded rectangle of row numbers.

    Attributes
    ----------
    rows : array [pattern, slot]
        Rows of the data that stand for the pattern; where a pattern has fewer rows than slots, its first row again.
    used : array [pattern, slot]
        1.0 for a row of the pattern, 0.0 for padding.
    of_level : array [level]
        The pattern of each level of the grouping factor.
    distinct : array [kind]
        Rows of the data that stand for the kinds of rows that patterns are made of.
    kind : array [pattern, slot]
        The kind of each row.
    """

    rows: np.ndarray
    used: np.ndarray
    of_level: np.ndarray
    distinct: np.ndarray
    kind: np.ndarray

    @property
    def count(self) -> np.ndarray:
        """How many levels have the pattern [pattern]."""
        return np.bincount(self.of_level, minlength=len(self.rows))


def find_patterns(design: Design) -> Patterns:
    """The patterns of a design with one grouping factor.

    Parameters
    ----------
    design : Design

    Returns
    -------
    Patterns
    """
    (block,) = design.blocks
    kind = row_kinds(_columns(design), len(design.y))
    order = np.lexsort((kind, block.index))  # by level, rows of a level in one order
    starts = np.searchsorted(block.index[order], np.arange(len(block.levels) + 1))
    members = [order[a:b] for a, b in pairwise(starts)]
    number: dict[bytes, int] = {}
    of_level = np.array([number.setdefault(kind[rows].tobytes(), len(number)) for rows in members])
    first = [members[level] for level in np.unique(of_level, return_index=True)[1]]
    slots = max(len(rows) for rows in first)
    padded = np.array([np.concatenate([rows, np.repeat(rows[:1], slots - len(rows))]) for rows in first])
    used = np.array([np.arange(slots) < len(rows) for rows in first], dtype=float)
    _, at, position = np.unique(kind[padded], return_index=True, return_inverse=True)
    return Patterns(padded, used, of_level, padded.ravel()[at], position.reshape(padded.shape))


def more_kinds(design: Design, most: int) -> bool:
    """Whether a design with one grouping factor has more kinds of rows than that: patterns have each kind once or more.

    Much faster than :func:`find_patterns` where covariates are continuous.
    """
    return bool(row_kinds(_columns(design), len(design.y), most).max(initial=-1) >= most)


def _columns(design: Design) -> list[np.ndarray]:
    """Columns that the likelihood of a row depends on, given the parameters and the effects of its level."""
    (block,) = design.blocks
    beside = [one for name in BESIDE if (one := getattr(design.observed, name)) is not None]
    fixed = [column for one in design.predictors.fixed for column in (one.offset, *one.X.T)]
    return [design.observed.values, *fixed, *block.values.T, *beside]


def row_kinds(columns: Sequence[np.ndarray], rows: int, most: int | None = None) -> np.ndarray:
    """Numbers 0, 1, ... of the distinct rows of a table, in order of appearance [row].

    By hashing one column after the other: a million rows take a tenth of a second a column and no table of their own.

    Parameters
    ----------
    columns : sequence of array [row]
    rows : int
    most : int, optional
        Once there are more kinds than this, further columns are not looked at.
    """
    kind, count = np.zeros(rows, dtype=np.int64), 1
    for column in columns:
        code, values = pd.factorize(column)
        if len(values) > 1:
            kind, distinct = pd.factorize(kind * len(values) + code)
            count = len(distinct)
        if most is not None and count > most:
            break
    return kind
