"""The integrals of :mod:`bayes_glmm.numerics.tail_integrals` with their derivatives, compiled for one row.

The loops over nodes are arithmetic and elementary functions alone: with those of kernels, which are arithmetic too,
they fill vectors. This module imports numba.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

from bayes_glmm.numerics import tail_integrals

# sums over nodes may be reordered, so that they fill vectors
compiled = numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})
_DROP, _LEAST = tail_integrals.DROP, tail_integrals.LEAST
_GAMMA_STEPS, _BETA_STEPS = tail_integrals.GAMMA_STEPS, tail_integrals.BETA_STEPS
_NODES, _WEIGHTS = np.array(tail_integrals.NODES), np.array(tail_integrals.WEIGHTS)
_COUNT, _INVERSE_E = len(_NODES), math.exp(-1.0)
Row = Callable[..., Any]


@compiled
def first_root(slope, curvature):  # type: ignore[no-untyped-def] # pragma: no cover
    """The distance d at which slope d + curvature d^2 / 2 reaches the drop."""
    slope, root = max(slope, 0.0), math.sqrt(2.0 * _DROP * curvature)
    size = max(max(slope, root), _LEAST)
    one, other = slope / size, root / size
    return 2.0 * _DROP / (slope + size * math.sqrt(one * one + other * other))


def gamma_rows(exp: Row, expm1: Row) -> Row:
    """Return ``(k, a, b) -> (value, slopes)`` of the first, compiled with these elementary functions."""

    @compiled
    def gamma_length(k, a, b):  # type: ignore[no-untyped-def] # pragma: no cover
        slope = k + a - b
        end, near = first_root(slope, a), first_root(slope, 0.72 * b)
        if near < 1.0:
            end = min(near, end)
        if k > 0.0:
            end = min(end, min((_DROP + b) / k, math.log1p((_DROP + b) / max(a, _LEAST))))
        for _ in range(_GAMMA_STEPS):
            up, down = expm1(end), expm1(-end)
            end -= (k * end + a * up + b * down - _DROP) / (k + a * (up + 1.0) - b * (down + 1.0))
        return end

    @compiled
    def log_gamma_integral(k, a, b):  # type: ignore[no-untyped-def] # pragma: no cover
        """The log of the integral, and its derivatives in k, a and b."""
        length = gamma_length(k, a, b)
        whole, of_k, of_a, of_b = 0.0, 0.0, 0.0, 0.0
        for j in range(_COUNT):
            d = length * _NODES[j]
            up = expm1(d)
            down = -up / (1.0 + up)
            mass = _WEIGHTS[j] * exp(-(k * d + a * up + b * down))
            whole += mass
            of_k += mass * d
            of_a += mass * up
            of_b += mass * down
        return math.log(length * whole), -of_k / whole, -of_a / whole, -of_b / whole

    return log_gamma_integral


def beta_rows(exp: Row, expm1: Row, log1p: Row) -> Row:
    """Return ``(a, b, x) -> (value, slopes)`` of the second, compiled with these elementary functions."""

    @compiled
    def beta_length(a, b, x):  # type: ignore[no-untyped-def] # pragma: no cover
        sign, small = (1.0 if x > 0.0 else -1.0), 1.0 / (1.0 + exp(abs(x)))
        rise, total = (b if x > 0.0 else -a), a + b
        p, q = 1.0 / (1.0 + exp(-x)), 1.0 / (1.0 + exp(x))
        end = first_root(a * q - b * p, total * p * q * _INVERSE_E)
        if end > 1.0:
            change = expm1(sign)
            fallen = total * log1p(small * change) - rise
            rate = total * sign * small * (change + 1.0) / (1.0 + small * change) - rise
            end = 1.0 + max(_DROP - fallen, 0.0) / max(rate, _LEAST)
        for _ in range(_BETA_STEPS):
            change = expm1(sign * end)
            fallen = total * log1p(small * change) - rise * end
            rate = total * sign * small * (change + 1.0) / (1.0 + small * change) - rise
            end -= (fallen - _DROP) / rate
        return end

    @compiled
    def log_beta_integral(a, b, x):  # type: ignore[no-untyped-def] # pragma: no cover
        """The log of the integral, and its derivatives in a, b and x."""
        length = beta_length(a, b, x)
        sign, small, total = (1.0 if x > 0.0 else -1.0), 1.0 / (1.0 + exp(abs(x))), a + b
        of_fall, of_rise = (0.0, 1.0) if x > 0.0 else (-1.0, 0.0)
        rise = b if x > 0.0 else -a
        whole, by_d, by_log, by_x = 0.0, 0.0, 0.0, 0.0
        for j in range(_COUNT):
            d = length * _NODES[j]
            change = expm1(sign * d)
            log_ratio = log1p(small * change)
            mass = _WEIGHTS[j] * exp(rise * d - total * log_ratio)
            whole += mass
            by_d += mass * d
            by_log += mass * log_ratio
            by_x += mass * (change / (1.0 + small * change))
        by_d, by_log = by_d / whole, by_log / whole
        of_x = total * sign * small * (1.0 - small) * by_x / whole
        return math.log(length * whole), of_fall * by_d - by_log, of_rise * by_d - by_log, of_x

    return log_beta_integral


@cache
def of_arrays(name: str) -> Row:
    """Return one of them as a compiled function of three arrays of one shape, with the elementary functions of libm."""
    row = {"log_gamma_integral": gamma_rows(math.exp, math.expm1)}.get(name) or beta_rows(
        math.exp, math.expm1, math.log1p
    )

    @numba.njit(error_model="numpy")
    def function(first, second, third):  # type: ignore[no-untyped-def] # pragma: no cover
        one, other, last = first.ravel(), second.ravel(), third.ravel()
        found = np.empty((4, len(one)))
        for i in range(len(one)):
            found[0, i], found[1, i], found[2, i], found[3, i] = row(one[i], other[i], last[i])
        shape = first.shape
        return (
            found[0].copy().reshape(shape),
            found[1].copy().reshape(shape),
            found[2].copy().reshape(shape),
            found[3].copy().reshape(shape),
        )

    return function
