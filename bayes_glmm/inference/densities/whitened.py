r"""The posterior over whitened coordinates, with its gradient: :mod:`~bayes_glmm.inference.whitened`, written out.

A point x is (free coordinates of the variances, those of constants, w of beta and the other factors, w of the main
factor). The way there: L from the first; beta and the others' u; then for each level of the main factor

    C C' = I + s L'H L,   r = R - S beta - cross u_others,   z = C^-T (s C^-1 L'r + w),   u = L z,

then the pass over the rows. H, R, S and cross are those at the mode times the growth s, a power of the auxiliary
parameter. The way back carries the slopes of the log likelihood in beta and u to x by the chain rule in reverse.

A point may do without w of the main factor: where that is N(0, I) given all else, the density at w = 0, but for a
constant, is the one with the main factor's effects integrated out. Draws of w are then made where a draw is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from bayes_glmm.inference.densities.levels import make_level_back, make_level_forward
from bayes_glmm.inference.densities.others import others_back, others_forward
from bayes_glmm.inference.densities.priors import (
    LARGEST_LOG,
    coefficients_density,
    constant_at,
    constant_density,
    thresholds_density,
)
from bayes_glmm.inference.densities.products import subtract_sparse, subtract_sparse_transposed
from bayes_glmm.inference.densities.records import (
    inlined,
    integer_matrix,
    integer_vector,
    matrices,
    matrix,
    short_integer_matrix,
    single_matrix,
    vector,
)
from bayes_glmm.inference.densities.rows import rows_value
from bayes_glmm.inference.densities.variances import Variances, compiled, count, fill_roots, pull_back
from bayes_glmm.inference.kernels.loops import named

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class WhitenedData(NamedTuple):
    """What the density reads; effects are [level, effect] raveled, the main factor's first.

    Attributes
    ----------
    y, trials, statistics, X, Z, position, target : arrays
        As in :mod:`~bayes_glmm.inference.kernels.inputs`, which calls ``position`` the index.
    remainder : array [3]
        What rows that were merged add: constant, with that of ``apart``; number of rows lost; sum of squares within.
    variances : Variances
    auxiliary_prior : array [constant, 5]
    beta_priors : array [coefficient, 5]
    pull : array [coefficient + other random effect]
    steps : array [coefficient + other random effect, the same]
    curvature : array [other random effect]
    order : integers [other random effect]
    sets : integers [set, 3]
        Where the set starts and stops, and its row among those of the variances.
    H : array [level, effect, effect]
    R : array [level, effect]
    S : array [level x effect, coefficient]
    cross_row, cross_column : integers [entry]
    cross : array [entry]
    blocks : integers [other factor, 3]
        Levels, effects, and where its L begins among the entries of all.
    growth : array [constant, 3]
        The free coordinate of each constant of the family at the mode, the rate at which log sqrt(s) moves with it, and
        where it lies.
    thresholds : array [threshold - 1, 6]
        Priors of thresholds of ordered categories but the first; last the constant that is its step.
    mix : array [constant, constant]
        Of constants on the whole real line the root of their covariance, lower triangular: the way from their
        coordinates, less the mode, to themselves. Without rows if these are the same.
    lean : array [coefficient, constant]
        How coefficients follow such constants.
    apart : array [coefficient, coefficient]
        From coefficients to those with independent priors; without rows if these are the same.
    stream : array [draw, random effect], 32 bits
        Where u goes instead of into the draw; without rows if it goes into the draw.
    written : integers [2]
        How many draws of warm-up the stream leaves out, and how many draws there were.
    seeds : integers [draw]
        Of w of the main factor, for points without it.
    """

    y: np.ndarray
    trials: np.ndarray
    statistics: np.ndarray
    X: np.ndarray
    Z: np.ndarray
    position: np.ndarray
    target: np.ndarray
    remainder: np.ndarray
    variances: Variances
    auxiliary_prior: np.ndarray
    beta_priors: np.ndarray
    pull: np.ndarray
    steps: np.ndarray
    curvature: np.ndarray
    order: np.ndarray
    sets: np.ndarray
    H: np.ndarray
    R: np.ndarray
    S: np.ndarray
    cross_row: np.ndarray
    cross_column: np.ndarray
    cross: np.ndarray
    blocks: np.ndarray
    growth: np.ndarray
    thresholds: np.ndarray
    mix: np.ndarray
    lean: np.ndarray
    apart: np.ndarray
    stream: np.ndarray
    written: np.ndarray
    seeds: np.ndarray


class Unfolded(NamedTuple):
    """The parameters of a point, and what was met on the way to them."""

    a: Any
    free: Any  # coordinates of a before they are mixed
    root: Any  # sqrt(s)
    sd: Any
    L: Any
    coefficients: Any  # beta, then that of an offset, which is 1
    beta: Any
    u: Any
    z: Any
    h: Any
    r: Any
    C: Any
    b: Any
    log_jacobian: Any


def make_density(d: int) -> Callable[..., Any]:
    """The compiled log density and gradient, ``(x, gradient, table) -> value``, for d effects a level."""
    unfold, level_back = make_unfold(d), make_level_back(d)

    @inlined
    @named(d)
    def density(x, gradient, table):  # type: ignore[no-untyped-def] # pragma: no cover
        data = read(table)
        p, q = len(data.beta_priors), len(data.R)
        t, others = count(data.variances), len(data.curvature)
        white = t + len(data.auxiliary_prior) + p + others  # where w of the main factor begins
        integrated = len(x) == white
        w, w_slope = (np.zeros(q * d), np.empty(q * d)) if integrated else (x[white:], gradient[white:])
        at = unfold(x, w, data)
        ends = len(data.X), len(data.X) + len(at.u)
        slopes = np.zeros(ends[1] + len(at.a))
        value = rows_value(table, at.coefficients, at.u, at.a, slopes)
        slope, u_slope, a_slope = slopes[:p], slopes[ends[0] : ends[1]], slopes[ends[1] :]
        value += data.remainder[0] + at.log_jacobian
        value += thresholds_density(data.thresholds, at.beta, at.a, slope, a_slope)

        L_slope, sd_slope = np.zeros(len(at.L)), np.zeros(len(at.sd))
        r_slope = np.empty(q * d)
        along = level_back(data, at, u_slope, L_slope, w_slope, r_slope)
        for k in range(len(data.auxiliary_prior)):
            kind = data.growth[k, 2]
            own, own_slope = constant_density(data.auxiliary_prior[k], kind, at.free[k], data.remainder)
            value += own
            gradient[t] = a_slope[k] * constant_at(kind, at.free[k])[1] + data.growth[k, 1] * along + own_slope
            t += 1
        value += coefficients_density(data.beta_priors, data.apart, at.beta, slope)
        _mix_back(data, slope, gradient[t - len(data.growth) : t])
        squares = 0.0
        for k in range(len(at.z)):
            squares += at.z[k] * at.z[k]
        value -= 0.5 * squares + (others if integrated else len(at.z)) * _HALF_LOG_2PI
        for j in range(q * d):
            for c in range(p):
                slope[c] -= data.S[j, c] * r_slope[j]
        subtract_sparse_transposed(data.cross_row, data.cross_column, data.cross, r_slope, u_slope[q * d :])
        fixed = slice(t, t + len(data.pull))
        others_back(data, at, x[fixed], slope, u_slope[q * d :], L_slope, sd_slope, gradient[fixed])
        return value + pull_back(x, data.variances, at.L, at.sd, L_slope, sd_slope, gradient)

    return density


@inlined
def read(table):  # type: ignore[no-untyped-def] # pragma: no cover
    """The data at these addresses."""
    R = matrix(table, 28)
    return WhitenedData(
        y=vector(table, 0),
        trials=vector(table, 1),
        statistics=vector(table, 2),
        X=matrix(table, 3),
        Z=matrix(table, 4),
        position=short_integer_matrix(table, 5),
        target=integer_vector(table, 6),
        remainder=vector(table, 7),
        variances=Variances(
            first=integer_vector(table, 8),
            size=integer_vector(table, 9),
            place=integer_vector(table, 10),
            power=vector(table, 11),
            mode=vector(table, 12),
            scale=vector(table, 13),
            bend=vector(table, 14),
            priors=matrix(table, 15),
            leader=integer_vector(table, 16),
            forms=integer_matrix(table, 17),
            ranges=matrix(table, 18),
            distances=vector(table, 19),
        ),
        auxiliary_prior=matrix(table, 20),
        beta_priors=matrix(table, 21),
        pull=vector(table, 22),
        steps=matrix(table, 23),
        curvature=vector(table, 24),
        order=integer_vector(table, 25),
        sets=integer_matrix(table, 26),
        H=matrices(table, 27, R.shape[1]),
        R=R,
        S=matrix(table, 29),
        cross_row=integer_vector(table, 30),
        cross_column=integer_vector(table, 31),
        cross=vector(table, 32),
        blocks=integer_matrix(table, 33),
        growth=matrix(table, 34),
        thresholds=matrix(table, 35),
        mix=matrix(table, 36),
        lean=matrix(table, 37),
        apart=matrix(table, 38),
        stream=single_matrix(table, 39),
        written=integer_vector(table, 40),
        seeds=integer_vector(table, 41),
    )


def make_expand(d: int) -> Callable[..., Any]:
    """The compiled way from a point to what is kept of a draw, ``(x, out, table)``.

    Kept are beta; of each factor, the main one first, sd, L (raveled), z and u; the constants of the family. With a
    stream, u goes there and z nowhere. Where the point is without w of the main factor, that is drawn.
    """
    unfold = make_unfold(d)

    @inlined
    @named(d)
    def expand(x, out, table):  # type: ignore[no-untyped-def] # pragma: no cover
        data = read(table)
        draw, size = data.written[1], len(data.R) * d
        data.written[1] += 1
        if len(data.seeds):
            np.random.seed(data.seeds[draw % len(data.seeds)])  # noqa: NPY002  # numba's, one for each thread
            w = np.random.standard_normal(size)  # noqa: NPY002
        else:
            w = x[len(x) - size :]
        at = unfold(x, w, data)
        held = len(data.stream) == 0
        start = _append(out, 0, at.beta)
        start = _append(out, start, at.sd[:d])
        start = _append(out, start, at.L[: d * d])
        own, rows = size, d
        if held:
            start = _append(out, start, at.z[:own])
            start = _append(out, start, at.u[:own])
        for b in range(len(data.blocks)):
            size, k, place = data.blocks[b, 0] * data.blocks[b, 1], data.blocks[b, 1], data.blocks[b, 2]
            start = _append(out, start, at.sd[rows : rows + k])
            start = _append(out, start, at.L[place : place + k * k])
            if held:
                start = _append(out, start, at.z[own : own + size])
                start = _append(out, start, at.u[own : own + size])
            own, rows = own + size, rows + k
        for k in range(len(data.auxiliary_prior)):
            out[start + k] = at.a[k]
        if not held:
            _stream(data, draw - data.written[0], at.u)

    return expand


@compiled
def _stream(data, draw, u):  # type: ignore[no-untyped-def] # pragma: no cover
    if 0 <= draw < len(data.stream):
        for k in range(len(u)):
            data.stream[draw, k] = u[k]


@compiled
def _append(out, start, values):  # type: ignore[no-untyped-def] # pragma: no cover
    for k in range(len(values)):
        out[start + k] = values[k]
    return start + len(values)


@cache
def make_unfold(d: int) -> Callable[..., Any]:
    """The compiled way from a point and w of the main factor to the parameters, ``(x, w, data) -> Unfolded``."""
    level_forward = make_level_forward(d)

    @inlined
    @named(d)
    def unfold(x, w, data):  # type: ignore[no-untyped-def] # pragma: no cover
        p, q, others = len(data.beta_priors), len(data.R), len(data.curvature)
        t, rows = count(data.variances), len(data.variances.first)
        L, sd = np.zeros(_entries(data, d)), np.empty(rows)
        fill_roots(x, data.variances, L, sd)
        a, log_root = np.ones(max(len(data.growth), 1)), 0.0
        free = _mixed(data, x[t : t + len(data.growth)])
        for k in range(len(data.growth)):
            a[k] = constant_at(data.growth[k, 2], free[k])[0]
            log_root += data.growth[k, 1] * (min(free[k], LARGEST_LOG) - data.growth[k, 0])
            t += 1
        root = math.exp(log_root)
        coefficients, h = np.ones(len(data.X)), np.empty(others)
        beta = coefficients[:p]
        u, z = np.empty(q * d + others), np.empty(q * d + others)
        log_jacobian = others_forward(data, L, sd, x[t : t + p + others], beta, h, u[q * d :], z[q * d :])
        r, b = np.empty(q * d), np.empty(q * d)
        for j in range(q * d):
            r[j] = data.R[j // d, j % d]
            for c in range(p):
                r[j] -= data.S[j, c] * beta[c]
        for k in range(len(data.mix)):  # the effects of the main factor do not follow: together they leave it as it is
            log_jacobian += math.log(data.mix[k, k])
            for c in range(p):
                beta[c] += data.lean[c, k] * (free[k] - data.growth[k, 0])
        subtract_sparse(data.cross_row, data.cross_column, data.cross, u[q * d :], r)
        C = np.empty((q, d, d))
        log_jacobian -= level_forward(data.H, L, root, r, w, C, b, z, u)
        return Unfolded(a, free, root, sd, L, coefficients, beta, u, z, h, r, C, b, log_jacobian)

    return unfold


@compiled
def _mixed(data, x):  # type: ignore[no-untyped-def] # pragma: no cover
    """The free coordinates of constants."""
    free = x.copy()
    for k in range(len(data.mix)):
        free[k] = data.growth[k, 0]
        for j in range(k + 1):
            free[k] += data.mix[k, j] * (x[j] - data.growth[j, 0])
    return free


@compiled
def _mix_back(data, beta_slope, slope):  # type: ignore[no-untyped-def] # pragma: no cover
    """Turn the slope in the free coordinates of constants, in place, into that in what they are mixed of."""
    for k in range(len(data.mix)):
        for c in range(len(beta_slope)):
            slope[k] += data.lean[c, k] * beta_slope[c]
    for j in range(len(data.mix)):  # those after j are still to come
        total = 0.0
        for k in range(j, len(data.mix)):
            total += data.mix[k, j] * slope[k]
        slope[j] = total


@compiled
def _entries(data, d):  # type: ignore[no-untyped-def] # pragma: no cover
    total = d * d
    for b in range(len(data.blocks)):
        total += data.blocks[b, 1] * data.blocks[b, 1]
    return total
