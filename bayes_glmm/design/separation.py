"""Separation: columns by which zeros and ones fall apart, so that the likelihood has no maximum.

Let s_i = 1 for a row of successes only, -1 for a row of failures only. If a direction d has s_i x_i'd >= 0 in all these
rows, x_i'd = 0 in all rows that are mixed, and is not 0 everywhere, the likelihood grows for ever along it: with
s_i x_i'd > 0 everywhere the separation is *complete*, else *quasi-complete* (Albert & Anderson 1984, Biometrika 71,
1-10). The same holds for the marginal likelihood of a GLMM, since it holds for each value of the random effects. For
counts under a log link rows with a zero take the part of failures, the others that of mixed rows (Correia, Guimarães &
Zylkin 2019). A row of an ordered category k has such a condition for each of the family's comparisons, with thresholds
as further unknowns: under cumulative x_i'd - c_{k-1} >= 0 and x_i'd - c_k <= 0. A row of a category k without an order
has x_i'(d_k - d_j) >= 0 for all j, with d_1 = 0. Whether there is such a direction is a linear programme (Konis
2007, thesis, University of Oxford).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linprog

from bayes_glmm.design.design import Design
from bayes_glmm.families.kind import BINARY, ResponseKind
from bayes_glmm.families.thresholds import Thresholds, threshold_columns

_TINY = 1e-6


def separated(design: Design, response: ResponseKind = BINARY, thresholds: Thresholds | None = None) -> tuple[str, ...]:
    """Coefficients without a maximum likelihood estimate.

    Parameters
    ----------
    design : Design
    response : ResponseKind
        What the family's response is. Counts are separated by rows of zeros; responses on a continuous range never are.
    thresholds : Thresholds, optional
        Of a family of ordered categories.

    Returns
    -------
    tuple of str
        Names of the columns that separate, few where few do it; empty where none do. The intercept, which goes with
        them, is not named.
    """
    if not response.discrete:
        return ()
    X = _scaled(design.X)
    free = np.ptp(X, axis=0) == 0 if len(X) else np.zeros(0, bool)
    if thresholds is not None:
        own = [_scaled(one.X) for one in design.predictors.specific]
        side, X, free = _at_thresholds(design.y, X, free, thresholds, own)
    elif response.nominal:
        side, X, free = _against_others(design.y, X, free)
    else:
        side = _sides(design, response)
    left = list(range(X.shape[1]))
    found: list[int] = []
    # what separates is set aside and looked for again: each round finds one way to do it
    while new := [left[j] for j in _separating(side, X[:, left], free[left])]:
        found += new
        left = [j for j in left if j not in new]
    specific = [one.coefficients for one in design.predictors.specific]
    names = [*design.coefficients, *(name for one in specific for name in one)]
    names *= len(design.categories) if response.nominal else 1
    return tuple(dict.fromkeys(names[j] for j in sorted(found, key=lambda j: names.index(names[j]))))


def _at_thresholds(
    y: np.ndarray, X: np.ndarray, constant: np.ndarray, thresholds: Thresholds, specific: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sides and columns of each row in the comparisons of its category, with which columns are constants.

    Those of single thresholds [row, column] follow those of X, and then the first threshold and the distances, all of
    which are constants; the constant of X is among them.
    """
    count = int(y.max()) - 1
    from_first = threshold_columns(thresholds.steps)
    slopes = np.hstack([np.where(constant, 0.0, X), *specific])
    owner = np.repeat(np.arange(len(specific)), [one.shape[1] for one in specific])  # the threshold of each column
    sides, columns = [], []
    for k in range(1, count + 2):
        own = np.unique(slopes[y == k], axis=0)
        for side, start, stop in thresholds.comparisons(k):
            between = -from_first[start:stop].sum(axis=0)
            times = np.concatenate([np.full(X.shape[1], stop - start), (start <= owner) & (owner < stop)])
            sides.append(np.full(len(own), side))
            columns.append(np.hstack([times * own, np.tile(between, (len(own), 1))]))
    constants = [constant, np.zeros(len(owner), bool), np.ones(from_first.shape[1], bool)]
    return np.concatenate(sides), np.vstack(columns), np.concatenate(constants)


def _against_others(y: np.ndarray, X: np.ndarray, constant: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sides and columns of each row's category against each other one, with which columns are constants.

    The columns of X stand once for each category but the first.
    """
    rows = np.unique(np.column_stack([y, X]), axis=0)
    own, X, last = rows[:, 0].astype(int), rows[:, 1:], int(y.max())
    indicator = np.eye(last)[:, 1:]  # of a category, the first without one
    pairs = [(own != other, indicator[own - 1] - indicator[other - 1]) for other in range(1, last + 1)]
    columns = [(d[:, :, None] * X[:, None, :]).reshape(len(X), -1)[differ] for differ, d in pairs]
    stacked = np.concatenate(columns)
    return np.ones(len(stacked)), stacked, np.tile(constant, last - 1)


def separated_completely(design: Design) -> bool:
    """Whether a plane has all rows of successes strictly on one side and all rows of failures on the other."""
    side = _sides(design, BINARY)
    if not side.all():
        return False
    X = _scaled(design.X)
    signed = side[:, None] * X
    # the largest t with s_i x_i'd >= t in all rows
    gap = np.column_stack([-signed, np.ones(len(X))])
    bounds = [*[(-1.0, 1.0)] * X.shape[1], (0.0, 1.0)]
    found = linprog(np.append(np.zeros(X.shape[1]), -1.0), gap, np.zeros(len(X)), bounds=bounds)
    return found.x is not None and bool(found.x[-1] > _TINY)


def _sides(design: Design, response: ResponseKind) -> np.ndarray:
    """1 for rows of successes only, -1 for rows of failures only, 0 for mixed ones [row]."""
    most = np.inf if response.is_count else 1.0 if design.trials is None else design.trials
    return np.where(design.y == response.least, -1.0, np.where(design.y == most, 1.0, 0.0))


def _scaled(X: np.ndarray) -> np.ndarray:
    return X / np.maximum(np.abs(X).max(axis=0, initial=0.0), np.finfo(float).tiny)


def _separating(side: np.ndarray, X: np.ndarray, free: np.ndarray) -> list[int]:
    """Columns, other than the constant ``free`` ones, of a direction that separates; few of them."""
    if not X.shape[1] or free.all():
        return []
    signed = side[:, None] * X
    total, mixed = signed.sum(axis=0), X[side == 0]
    furthest = _solve(-total, signed, mixed)
    if furthest @ total <= _TINY:
        return []
    # The direction of the largest sum uses columns that add nothing but length. Of those with a hundredth of its sum,
    # the one with the smallest sum of |d_j| uses few; d is split into its positive and negative part.
    both, enough = np.hstack([signed, -signed]), np.concatenate([-total, total])
    size = np.tile(np.where(free, 0.0, 1.0), 2)
    parts = _solve(size, both, np.hstack([mixed, -mixed]), enough, -0.01 * float(furthest @ total), lowest=0.0)
    direction = parts[: X.shape[1]] - parts[X.shape[1] :]
    kept = np.abs(direction) > 1e-3 * np.abs(direction[~free]).max()
    return np.flatnonzero(kept & ~free).tolist()


def _solve(
    cost: np.ndarray,
    signed: np.ndarray,
    mixed: np.ndarray,
    bounded: np.ndarray | None = None,
    bound: float = 0.0,
    lowest: float = -1.0,
) -> np.ndarray:
    """The direction d, lowest <= d <= 1, of least cost with signed d >= 0, mixed d = 0 and bounded d <= bound."""
    above, limits = -signed, np.zeros(len(signed))
    if bounded is not None:
        above, limits = np.vstack([above, bounded]), np.append(limits, bound)
    found = linprog(cost, above, limits, mixed, np.zeros(len(mixed)), bounds=[(lowest, 1.0)] * len(cost))
    return found.x if found.x is not None else np.zeros(len(cost))
