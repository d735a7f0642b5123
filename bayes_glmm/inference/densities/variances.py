"""Variances inside compiled densities: their free coordinates to L and back, with the log prior.

Row k of L is sd_k (rho, 1) / sqrt(1 + |rho|^2), as in :class:`~bayes_glmm.likelihood.layout.Layout`, where the density
over rho and log sd_k is derived. The last coordinate x of a row is log sd_k in units of its Laplace approximation, with
a bend where sd is about a third of the mode,

    log sd_k = log mode_k + s_k x - (l(x + 1 / s_k)^2 - l(1 / s_k)^2) / 2,   l(y) = log(1 + e^-y).

Where the data cannot tell a small variance from none, the density of log sd falls as slowly as sd does; that of x falls
like a normal one.

Of effects whose correlations are powers of one (:mod:`~bayes_glmm.numerics.covariance`) a row has log sd alone, or
nothing where it shares that of the first; the free coordinates of these correlations are the last.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numba
import numpy as np

from bayes_glmm.design import Priors, RandomBlock
from bayes_glmm.design.prior_check import lkj_shape
from bayes_glmm.inference.densities.priors import LARGEST_LOG, prior_density, prior_table
from bayes_glmm.numerics.covariance import EDGE

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
        Where the first free entry of the row stands among the entries of all L, each raveled; -1 where none is free.
    power : array [row]
        The power of L_kk / sd_k in the density over the coordinates.
    mode : array [row]
        Standard deviations at the mode.
    scale : array [row]
        Standard deviations of their logarithms, by the Laplace approximation: the s above.
    bend : array [row]
        l(1 / s)^2 / 2.
    priors : array [row, 5]
    leader : integers [row]
        The row whose sd it has.
    forms : integers [form, 4]
        Of a run by one correlation: its first row, how many effects, where its L begins, how long a row of that L is.
    ranges : array [form, 2]
        Where the correlation's range begins, and the shape of its prior.
    distances : array [entry]
        D of one form after another, raveled.
    """

    first: np.ndarray
    size: np.ndarray
    place: np.ndarray
    power: np.ndarray
    mode: np.ndarray
    scale: np.ndarray
    bend: np.ndarray
    priors: np.ndarray
    leader: np.ndarray
    forms: np.ndarray
    ranges: np.ndarray
    distances: np.ndarray


def variances_of(
    blocks: tuple[RandomBlock, ...], priors: Priors, mode: np.ndarray, scale: np.ndarray
) -> Variances | None:
    """The rows of some factors; None where a prior has no row in the table."""
    table = prior_table(priors[f"sd_{block.group}[{block.effects[k]}]"] for block in blocks for k in block.leaders)
    if table is None:
        return None
    rows = np.array(list(_rows(blocks)), dtype=np.int64).reshape(-1, 3)
    shapes = {
        block.group: lkj_shape(key, priors[key]) if block.correlated else 1.0
        for block, key in ((block, f"corr_{block.group}") for block in blocks)
    }
    runs = np.concatenate([np.repeat(block.pattern, block.pattern) for block in blocks])
    size = rows[:, 1]
    first = np.cumsum(size) - size
    each = np.array([shapes[block.group] for block in blocks for _ in block.effects])
    power, bend = runs + 2.0 * each - 1.0, 0.5 * np.log1p(np.exp(-1.0 / scale)) ** 2
    found = list(_forms(blocks, shapes))
    return Variances(
        first, size, rows[:, 0], power, mode, scale, bend, table,
        leader=rows[:, 2],
        forms=np.array([one for one, _, _ in found], dtype=np.int64).reshape(-1, 4),
        ranges=np.array([one for _, one, _ in found], dtype=float).reshape(-1, 2),
        distances=np.concatenate([*(one for _, _, one in found), np.empty(0)]),
    )  # fmt: skip


def _rows(blocks: tuple[RandomBlock, ...]) -> Iterator[tuple[int, int, int]]:
    """Place, size and leader of each row."""
    start = row = 0
    for block in blocks:
        d, own = len(block.effects), set(block.own_sds)
        for run, form in zip(block.runs, block.forms, strict=True):
            for k in range(run.start, run.stop):
                if form is None:
                    yield start + k * d + run.start, k - run.start + 1, row + k
                else:
                    yield -1, int(k in own), row + block.leaders[k]
        start, row = start + d * d, row + d


def _forms(
    blocks: tuple[RandomBlock, ...], shapes: Mapping[str, float]
) -> Iterator[tuple[tuple[int, int, int, int], tuple[float, float], np.ndarray]]:
    """Of each run by one correlation: where it is, the range and shape of its prior, and its distances raveled."""
    start = row = 0
    for block in blocks:
        d = len(block.effects)
        for run, form in zip(block.runs, block.forms, strict=True):
            if form is not None:
                where = row + run.start, form.size, start + run.start * (d + 1), d
                yield where, (form.lowest, shapes[block.group]), form.D.ravel()
        start, row = start + d * d, row + d


@compiled
def fill_roots(x, variances, L, sd):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write the entries of L and the standard deviations of coordinates x."""
    for row in range(len(variances.first)):
        first, place, last = variances.first[row], variances.place[row], variances.size[row] - 1
        if variances.leader[row] < row:
            sd[row] = sd[variances.leader[row]]
            continue
        log_ratio, _, _ = bent(x[first + last], variances.scale[row], variances.bend[row])
        sd[row] = variances.mode[row] * math.exp(min(log_ratio, LARGEST_LOG))
        if place < 0:
            continue
        scale = sd[row] / math.sqrt(1.0 + _square(x, first, last))
        for k in range(last):
            L[place + k] = scale * x[first + k]
        L[place + last] = scale
    start = 0
    for form in range(len(variances.forms)):
        row, n, place, d = variances.forms[form]
        C, _ = _powers(x[_first_form(variances) + form], variances.ranges[form, 0], variances.distances[start:], n)
        for i in range(n):
            for j in range(i + 1):
                L[place + i * d + j] = sd[row + i] * C[i, j]
        start += n * n


@compiled
def _first_form(variances):  # type: ignore[no-untyped-def] # pragma: no cover
    """Where the coordinates of single correlations begin."""
    return variances.first[-1] + variances.size[-1]


@compiled
def count(variances):  # type: ignore[no-untyped-def] # pragma: no cover
    """How many coordinates there are."""
    return _first_form(variances) + len(variances.forms)


@compiled
def _powers(t, lowest, distances, n):  # type: ignore[no-untyped-def] # pragma: no cover
    """Cholesky factor of powers of a correlation with free coordinate t, and its slope in t, both [effect, effect].

    Column by column with the derivative of each step (Smith 1995).
    """
    share = 1.0 / (1.0 + math.exp(-min(max(t, -EDGE), EDGE)))
    rho, change = lowest + (1.0 - lowest) * share, (1.0 - lowest) * share * (1.0 - share)
    C, slope = np.zeros((n, n)), np.zeros((n, n))
    for j in range(n):
        for i in range(j, n):
            D = distances[i * n + j]
            entry = 1.0 if i == j else rho**D
            bend = 0.0 if i == j else (change if D == 1.0 else change * D * rho ** (D - 1.0))
            for k in range(j):
                entry -= C[i, k] * C[j, k]
                bend -= slope[i, k] * C[j, k] + C[i, k] * slope[j, k]
            if i == j:
                C[j, j] = math.sqrt(entry)
                slope[j, j] = 0.5 * bend / C[j, j]
            else:
                C[i, j] = entry / C[j, j]
                slope[i, j] = (bend - C[i, j] * slope[j, j]) / C[j, j]
    return C, slope


@compiled
def pull_back(x, variances, L, sd, L_slope, sd_slope, gradient):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write the gradient in x of the log prior plus what has these slopes in L and sd; returns the log prior."""
    value = _pull_back_forms(x, variances, sd, L_slope, sd_slope, gradient)
    for row in range(len(variances.first)):
        if variances.leader[row] < row:
            sd_slope[variances.leader[row]] += sd_slope[row]
    for row in range(len(variances.first)):
        first, place, last = variances.first[row], variances.place[row], variances.size[row] - 1
        if variances.leader[row] < row:
            continue
        square = 1.0 + _square(x, first, last)
        density, slope = prior_density(variances.priors[row], sd[row])
        _, steepness, log_slope = bent(x[first + last], variances.scale[row], variances.bend[row])
        value += density + math.log(sd[row] * steepness) - 0.5 * variances.power[row] * math.log(square)
        along = 0.0
        for k in range(last + 1 if place >= 0 else 0):
            along += L[place + k] * L_slope[place + k]
        gradient[first + last] = (along + (slope + sd_slope[row]) * sd[row] + 1.0) * steepness + log_slope
        for k in range(last):
            own = L[place + last] * L_slope[place + k]
            gradient[first + k] = own - x[first + k] * (along + variances.power[row]) / square
    return value


@compiled
def _pull_back_forms(x, variances, sd, L_slope, sd_slope, gradient):  # type: ignore[no-untyped-def] # pragma: no cover
    """The same of single correlations; adds to the slopes in sd what reaches them through L."""
    value, start = 0.0, 0
    for form in range(len(variances.forms)):
        row, n, place, d = variances.forms[form]
        at = _first_form(variances) + form
        t, lowest, shape = x[at], variances.ranges[form, 0], variances.ranges[form, 1]
        C, slope = _powers(t, lowest, variances.distances[start:], n)
        gradient[at] = -shape * math.tanh(0.5 * t)
        value -= shape * (2.0 * math.log1p(math.exp(-abs(t))) + abs(t))
        for i in range(n):
            for j in range(i + 1):
                sd_slope[row + i] += L_slope[place + i * d + j] * C[i, j]
                gradient[at] += L_slope[place + i * d + j] * sd[row + i] * slope[i, j]
        start += n * n
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
