r"""Beta and the random effects beside the main factor's as sds move: each set given those that come after it.

The parabolas at the mode give (beta, z) of these a Gaussian density, the main factor's effects integrated out. A set is
one effect of one factor for all its levels, small factors last. With s = sd / sd at the mode, the precision of a set
given the later ones, the earlier ones integrated out, is I + s^2 A, and A = V diag(a) V' is fixed. So

    z = V [s (c + M (s z)_later) / (1 + s^2 a) + w / sqrt(1 + s^2 a)],     M = -V' P_later,
    beta = b + M (s z)_all + root w

are white for any sd of the set's own. What stays at the mode are the sds of what was integrated out, and correlations
between the effects of a level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from bayes_glmm.design import RandomBlock


@dataclass(frozen=True)
class EffectSet:
    """One effect of one factor, for all levels.

    Attributes
    ----------
    group : str
    column : int
        Which of the factor's effects.
    start, stop : int
        Place among the effects of all sets, one set after the other.
    """

    group: str
    column: int
    start: int
    stop: int


@dataclass(frozen=True)
class Others:
    """The numbers of the change of coordinates; effects are those of all sets, one set after the other.

    Attributes
    ----------
    sets : tuple of EffectSet
    order : integers [effect]
        Place of each among those of all factors, [level, effect] raveled.
    pull : array [coefficient + effect]
        b and the c of all sets.
    steps : array [coefficient + effect, the same]
        For coefficients the upper triangular root and the M; for each set V, and its M right of it; zero below.
    curvature : array [effect]
        The a of all sets.
    """

    sets: tuple[EffectSet, ...]
    order: np.ndarray
    pull: np.ndarray
    steps: np.ndarray
    curvature: np.ndarray


def others_given_later(
    blocks: tuple[RandomBlock, ...], precision: np.ndarray, beta: np.ndarray, z: np.ndarray
) -> Others:
    """Eliminate one set after the other.

    Parameters
    ----------
    blocks : tuple of RandomBlock
        The factors beside the main one.
    precision : array [coefficient + effect, the same]
        Of (beta, z) at the mode, [level, effect] raveled, the main factor's effects integrated out.
    beta : array [coefficient]
        At the mode.
    z : array [effect]
        Standardised effects at the mode, [level, effect] raveled.

    Raises
    ------
    LinAlgError
        If the precision is not positive definite.
    """
    p, sets = len(beta), tuple(_sets(blocks))
    order = _order(blocks)
    place = np.concatenate([np.arange(p), p + order])
    left, at_mode = precision[np.ix_(place, place)], z[order]
    steps, pull, curvature = np.zeros_like(left), np.zeros(len(left)), np.zeros(len(z))
    lower = np.linalg.cholesky(left[:p, :p])
    steps[:p, :p] = linalg.solve_triangular(lower, np.eye(p), lower=True).T
    steps[:p, p:] = -linalg.cho_solve((lower, True), left[:p, p:])
    pull[:p] = beta - steps[:p, p:] @ at_mode
    left = left[p:, p:] + left[p:, :p] @ steps[:p, p:]
    for one in sets:
        own, later = slice(one.start, one.stop), slice(one.stop, None)
        a, V = np.linalg.eigh(left[own, own] - np.eye(one.stop - one.start))
        a = np.maximum(a, 0.0)  # below only by rounding
        M = -V.T @ left[own, later]
        left[later, later] -= M.T @ (M / (1.0 + a)[:, None])
        curvature[own] = a
        steps[p + one.start : p + one.stop, p + one.start :] = np.hstack([V, M])
        pull[p + one.start : p + one.stop] = (1.0 + a) * (V.T @ at_mode[own]) - M @ at_mode[later]
    return Others(sets, order, pull, steps, curvature)


def _sets(blocks: tuple[RandomBlock, ...]) -> Iterator[EffectSet]:
    start = 0
    for block in blocks:
        for column in range(len(block.effects)):
            yield EffectSet(block.group, column, start, start + len(block.levels))
            start += len(block.levels)


def _order(blocks: tuple[RandomBlock, ...]) -> np.ndarray:
    order, start = [np.empty(0, dtype=int)], 0
    for block in blocks:
        shape = len(block.levels), len(block.effects)
        order.append(start + np.arange(shape[0] * shape[1]).reshape(shape).T.ravel())
        start += shape[0] * shape[1]
    return np.concatenate(order)
