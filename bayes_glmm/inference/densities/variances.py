"""Variances inside compiled densities: their free coordinates to L and back, with the log prior.

Row k of L is sd_k (rho, 1) / sqrt(1 + |rho|^2), as in :class:`~bayes_glmm.likelihood.layout.Layout`, where the density
over rho and log sd_k is derived. The last coordinate x of a row is log sd_k in units of its Laplace approximation, with
a bend where sd is about a third of the mode,

    log sd_k = log mode_k + s_k x - (l(x + 1 / s_k)^2 - l(1 / s_k)^2) / 2,   l(y) = log(1 + e^-y).

Where the data cannot tell a small variance from none, the density of log sd falls as slowly as sd does; that of x falls
like a normal one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numba
import numpy as np

from bayes_glmm.design import Priors, RandomBlock
from bayes_glmm.design.prior_check import lkj_shape
from bayes_glmm.inference.densities.priors import LARGEST_LOG, prior_density, prior_table

# Never called from Python, so no way in from there is compiled.
compiled = numba.njit(nogil=True, error_model="numpy", forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


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
    mode : array [row]
        Standard deviations at the mode.
    scale : array [row]
        Standard deviations of their logarithms, by the Laplace approximation: the s above.
    bend : array [row]
        l(1 / s)^2 / 2.
    priors : array [row, 5]
    """

    first: np.ndarray
    size: np.ndarray
    place: np.ndarray
    power: np.ndarray
    mode: np.ndarray
    scale: np.ndarray
    bend: np.ndarray
    priors: np.ndarray


def variances_of(
    blocks: tuple[RandomBlock, ...], priors: Priors, mode: np.ndarray, scale: np.ndarray
) -> Variances | None:
    """The rows of some factors; None where a prior has no row in the table."""
    table = prior_table(priors[f"sd_{block.group}[{effect}]"] for block in blocks for effect in block.effects)
    if table is None:
        return None
    rows = np.array(list(_rows(blocks)), dtype=np.int64).reshape(-1, 2)
    shapes = [
        lkj_shape(key, priors[key]) if block.correlated else 1.0
        for block, key in ((block, f"corr_{block.group}") for block in blocks)
        for _ in block.effects
    ]
    runs = np.concatenate([np.repeat(block.pattern, block.pattern) for block in blocks])
    size = rows[:, 1]
    first = np.cumsum(size) - size
    power, bend = runs + 2.0 * np.array(shapes) - 1.0, 0.5 * np.log1p(np.exp(-1.0 / scale)) ** 2
    return Variances(first, size, rows[:, 0], power, mode, scale, bend, table)


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
        log_ratio, _, _ = bent(x[first + last], variances.scale[row], variances.bend[row])
        sd[row] = variances.mode[row] * math.exp(min(log_ratio, LARGEST_LOG))
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
        _, steepness, log_slope = bent(x[first + last], variances.scale[row], variances.bend[row])
        value += density + math.log(sd[row] * steepness) - 0.5 * variances.power[row] * math.log(square)
        along = 0.0
        for k in range(last + 1):
            along += L[place + k] * L_slope[place + k]
        gradient[first + last] = (along + (slope + sd_slope[row]) * sd[row] + 1.0) * steepness + log_slope
        for k in range(last):
            own = L[place + last] * L_slope[place + k]
            gradient[first + k] = own - x[first + k] * (along + variances.power[row]) / square
    return value


@compiled
def bent(x, scale, bend):  # type: ignore[no-untyped-def] # pragma: no cover
    """log(sd / mode), its slope, and the slope of the logarithm of that."""
    y = x + 1.0 / scale
    t = math.exp(-abs(y))
    below = math.log1p(t) + max(-y, 0.0)
    share = (1.0 if y < 0.0 else t) / (1.0 + t)  # less the slope of below
    slope = scale + below * share
    return scale * x - 0.5 * below * below + bend, slope, -share * (share + below * (1.0 - share)) / slope


@compiled
def _square(x, first, count):  # type: ignore[no-untyped-def] # pragma: no cover
    total = 0.0
    for k in range(first, first + count):
        total += x[k] * x[k]
    return total
