"""Rows in the order of the groups whose random effects are integrated out; groups that look alike stand once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayes_glmm.design import Design
from bayes_glmm.design.patterns import find_patterns


@dataclass(frozen=True)
class Groups:
    """Groups of rows that are independent of each other given everything but their own random effects.

    Attributes
    ----------
    rows : array [row]
        Numbers of rows of the data, group after group.
    starts : array [group]
        Where each group begins among them.
    level : array [group]
        Its level of the grouping factor.
    count : array [group]
        How many levels have the same rows.
    """

    rows: np.ndarray
    starts: np.ndarray
    level: np.ndarray
    count: np.ndarray

    @cached_property
    def of_row(self) -> np.ndarray:
        """The group of each row [row]."""
        return np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=len(self.rows)))

    def sums(self, by_row: np.ndarray, axis: int = -1) -> np.ndarray:
        """Sums over the rows of each group; rows stand along an axis."""
        return np.add.reduceat(by_row, self.starts, axis=axis)


def groups_of(design: Design, index: np.ndarray) -> Groups:
    """The groups of a design.

    Parameters
    ----------
    design : Design
    index : array [row]
        Levels of the factor whose effects are integrated out first. Levels that look alike stand once if it is the only
        factor.
    """
    alike = find_patterns(design).of_level if len(design.blocks) == 1 else np.arange(index.max() + 1)
    _, level, count = np.unique(alike, return_index=True, return_counts=True)
    order = np.argsort(index, kind="stable")
    rows = order[np.isin(index[order], level)]
    return Groups(rows, np.searchsorted(index[rows], level), level, count)
