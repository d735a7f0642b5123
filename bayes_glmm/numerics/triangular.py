"""QR factorisations of many matrices at once: the rows of each group turned so that few of them are left.

An orthogonal matrix turns the rows of a group, A and y, without changing a length:

    |y - A b|^2 = |y* - R b|^2 + rest        for every b

R has as many rows as A has rank, and the rest does not depend on b. Gram-Schmidt takes one column after the other, of
all groups together, so neither their number nor their sizes matter. Directions are taken out of a column twice, which
leaves them orthogonal to rounding (Hoffmann 1989): R and y* are then exact for columns that are moved by a few units in
the last place of their own length in the group, however differently they are scaled, and what depends on earlier
columns is told from what is merely close to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NOTHING = 1e-14  # of a column's length: what rounding leaves of a column that depends on those before


@dataclass(frozen=True)
class Turned:
    """Fewer rows with the same sums of squares.

    Attributes
    ----------
    group : array [new]
        The group of each row.
    columns : array [column, new]
        The rows of R.
    y : array [new]
    rest : float
        What the rows of all groups together have lost: the squared distance of y from the columns.
    """

    group: np.ndarray
    columns: np.ndarray
    y: np.ndarray
    rest: float


@dataclass(frozen=True)
class _Direction:
    """One column's part orthogonal to the columns before, at length 1, in those groups that have such a part.

    Attributes
    ----------
    groups : array [own]
    rows : array [row] or slice
        The rows of these groups.
    size, start : array [own]
        How many rows each has, and where they begin among ``unit``.
    unit : array [row]
    along : array [column and y, own]
        The component of each column, and of y at the end, in this direction; filled in as columns are reached.
    """

    groups: np.ndarray
    rows: np.ndarray | slice
    size: np.ndarray
    start: np.ndarray
    unit: np.ndarray
    along: np.ndarray

    def take_out(self, rest: np.ndarray) -> np.ndarray:
        """Leave of a column, in place, what is orthogonal to this direction; returns its component in it [own]."""
        part = rest[self.rows]
        along = np.add.reduceat(self.unit * part, self.start)
        rest[self.rows] = part - np.repeat(along, self.size) * self.unit
        return along


def turn(columns: Sequence[np.ndarray], y: np.ndarray, group: np.ndarray, most: int) -> Turned | None:
    """Turn the rows of each group.

    Parameters
    ----------
    columns : sequence of array [row]
        The columns of A.
    y : array [row]
    group : array [row]
        0, 1, ..., each at least once.
    most : int
        Rows that may be left.

    Returns
    -------
    Turned or None
        None as soon as there are more than ``most``.

    Examples
    --------
    Three numbers about their mean: sqrt(3) times the mean, and the sum of squares within.

    >>> one = np.ones(3)
    >>> turned = turn([one, 2.0 * one], np.array([1.0, 2.0, 6.0]), np.zeros(3, dtype=int), 3)
    >>> turned.columns.round(3).tolist(), turned.y.round(3).tolist(), round(turned.rest, 3)
    ([[1.732], [3.464]], [5.196], 14.0)
    """
    order = np.argsort(group, kind="stable")
    size = np.bincount(group)
    start = np.cumsum(size) - size
    directions: list[_Direction] = []
    left = 0
    for number, column in enumerate([*columns, y]):
        rest = np.array(column, dtype=float)[order]
        length = _lengths(rest, start)
        for direction in [*directions, *directions]:
            direction.along[number] += direction.take_out(rest)
        if number == len(columns):
            break
        remaining = _lengths(rest, start)
        own = np.flatnonzero(remaining > NOTHING * length)
        left += len(own)
        if left > most:
            return None
        if len(own):
            direction = _direction(rest, remaining, own, size, len(columns) + 1)
            direction.along[number] = remaining[own]
            directions.append(direction)
    groups = [np.zeros(0, dtype=int), *(direction.groups for direction in directions)]
    along = np.concatenate([np.zeros((len(columns) + 1, 0)), *(direction.along for direction in directions)], axis=1)
    return Turned(np.concatenate(groups), along[:-1], along[-1], float(rest @ rest))


def _lengths(column: np.ndarray, start: np.ndarray) -> np.ndarray:
    return np.sqrt(np.add.reduceat(column**2, start))


def _direction(rest: np.ndarray, length: np.ndarray, own: np.ndarray, size: np.ndarray, columns: int) -> _Direction:
    """The direction of what is left of a column, in the groups that are its own."""
    every = len(own) == len(size)
    mine = np.zeros(len(size), dtype=bool)
    mine[own] = True
    rows = slice(None) if every else np.flatnonzero(np.repeat(mine, size))
    unit = rest[rows] / np.repeat(length[own], size[own])
    start = np.cumsum(size[own]) - size[own]
    return _Direction(own, rows, size[own], start, unit, np.zeros((columns, len(own))))
