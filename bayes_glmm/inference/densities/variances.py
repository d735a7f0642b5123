"""Variances inside compiled densities: their free coordinates to L and back, with the log prior.

The coordinates are those of :class:`~bayes_glmm.likelihood.layout.Layout`, where the density over them is derived: row
k of L is sd_k (rho, 1) / sqrt(1 + |rho|^2), with coordinates rho and log sd_k.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numba
import numpy as np

from bayes_glmm.design import Priors, RandomBlock
from bayes_glmm.inference.densities.priors import prior_density, prior_table
from bayes_glmm.likelihood.priors import lkj_shape

# Never called from Python, so no way in from there is compiled.
compiled = numba.njit(nogil=True, error_model="numpy", forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)

LARGEST_LOG = 300.0  # of a standard deviation: its square is a double


class Variances(NamedTuple):
    """The rows of the roots L of all grouping factors, one after the other.

    Attributes
    ----------
    first : integers [row]
        Where the coordinates of a row begin; they end with its log sd.
    size : integers [row]
        How many coordinates it has.
    place : integers [row]
        Where the first free entry of the row stands among the entries of all L, each raveled.
    power : array [row]
        The power of L_kk / sd_k in the density over the coordinates.
    priors : array [row, 5]
    """

    first: np.ndarray
    size: np.ndarray
    place: np.ndarray
    power: np.ndarray
    priors: np.ndarray


def variances_of(blocks: tuple[RandomBlock, ...], priors: Priors) -> Variances | None:
    """The rows of some factors; None where a prior has no row in the table."""
    table = prior_table(priors[f"sd_{block.group}[{effect}]"] for block in blocks for effect in block.effects)
    if table is None:
        return None
    rows = np.array(list(_rows(blocks)), dtype=np.int64).reshape(-1, 2)
    shapes = [lkj_shape(priors[f"corr_{b.group}"]) if b.correlated else 1.0 for b in blocks for _ in b.effects]
    runs = np.concatenate([np.repeat(block.pattern, block.pattern) for block in blocks])
    size = rows[:, 1]
    first = np.cumsum(size) - size
    return Variances(first, size, rows[:, 0], runs + 2.0 * np.array(shapes) - 1.0, table)


def _rows(blocks: tuple[RandomBlock, ...]) -> Iterator[tuple[int, int]]:
    """Place and size of each row."""
    start = 0
    for block in blocks:
        d, column = len(block.effects), 0
        for run in block.pattern:
            for k in range(run):
                yield start + (column + k) * d + column, k + 1
            column += run
        start += d * d


@compiled
def fill_roots(x, variances, L, sd):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write the entries of L and the standard deviations of coordinates x."""
    for row in range(len(variances.first)):
        first, place, last = variances.first[row], variances.place[row], variances.size[row] - 1
        sd[row] = math.exp(min(x[first + last], LARGEST_LOG))
        scale = sd[row] / math.sqrt(1.0 + _square(x, first, last))
        for k in range(last):
            L[place + k] = scale * x[first + k]
        L[place + last] = scale


@compiled
def pull_back(x, variances, L, sd, L_slope, sd_slope, gradient):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write the gradient in x of the log prior plus what has these slopes in L and sd; returns the log prior."""
    value = 0.0
    for row in range(len(variances.first)):
        first, place, last = variances.first[row], variances.place[row], variances.size[row] - 1
        square = 1.0 + _square(x, first, last)
        density, slope = prior_density(variances.priors[row], sd[row])
        value += density + math.log(sd[row]) - 0.5 * variances.power[row] * math.log(square)
        along = 0.0
        for k in range(last + 1):
            along += L[place + k] * L_slope[place + k]
        gradient[first + last] = along + (slope + sd_slope[row]) * sd[row] + 1.0
        for k in range(last):
            own = L[place + last] * L_slope[place + k]
            gradient[first + k] = own - x[first + k] * (along + variances.power[row]) / square
    return value


@compiled
def _square(x, first, count):  # type: ignore[no-untyped-def] # pragma: no cover
    total = 0.0
    for k in range(first, first + count):
        total += x[k] * x[k]
    return total
