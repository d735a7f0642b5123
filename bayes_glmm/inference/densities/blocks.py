r"""The pass over blocks of rows with correlated residuals, as a C function that takes the place of that over rows.

Each block is multivariate normal (:mod:`~bayes_glmm.likelihood.unit`). Where one correlation makes R, a row given those
of its block before it depends on one number, the residual of the row before (``ar``) or the sum of all (``cosy``):

    r_k = (e_k - b_k state_k) / sqrt(v_k),   log p = sum -r_k^2 / 2 - log(v_k) / 2,

so that neither takes a matrix. An unstructured R is factorised once for levels with the same occasions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from bayes_glmm.design.residual import Residual
from bayes_glmm.inference.densities.records import inlined, integer_vector, matrix, short_integer_matrix, vector
from bayes_glmm.inference.densities.variances import compiled
from bayes_glmm.numerics.residual import KINDS

AR, COSY = KINDS.index("ar"), KINDS.index("cosy")
HEAD = 6  # numbers before the starts of the blocks
_LOG_2PI = math.log(2.0 * math.pi)


def block_statistics(residual: Residual, order: np.ndarray, sigma_predicted: bool) -> np.ndarray:
    """Numbers of the blocks that the pass reads.

    Kind, range, occasions, whether sigma has a predictor, number of blocks. Then the start of each block, the rows of
    the blocks one after another, by their places in the order given, and the occasion of each: its step or number.
    Blocks with the same occasions follow each other.
    """
    place = np.empty(len(order))
    place[order] = np.arange(len(order))
    at_steps = residual.occasions.steps if residual.name == "ar" else np.arange(len(residual.labels))
    rows = [rows for pattern in residual.patterns for rows in pattern.rows]
    at = [at_steps[pattern.at] for pattern in residual.patterns for _ in pattern.rows]
    head = [KINDS.index(residual.name), residual.occasions.low, residual.occasions.high]
    head += [len(residual.labels), float(sigma_predicted), len(rows)]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in rows])])
    return np.concatenate([head, starts, place[np.concatenate(rows)], np.concatenate(at)]).astype(float)


def make_blocks() -> Callable[..., Any]:
    """The compiled ``(table, coefficients, u, a, slopes) -> value``, as :func:`.rows.make_rows`."""

    @inlined
    def code(table, coefficients, u, a, slopes):  # type: ignore[no-untyped-def] # pragma: no cover
        y, statistics, X, Z = vector(table, 0), vector(table, 2), matrix(table, 3), matrix(table, 4)
        index, target = short_integer_matrix(table, 5), integer_vector(table, 6)
        columns, effects, occasions = len(X), len(u), int(statistics[3])
        constants = 1 if statistics[0] <= COSY else occasions * (occasions - 1) // 2
        constants += 1 if statistics[4] == 0.0 else 0
        slope = numba.carray(slopes, (columns + effects + constants,))
        beta, own = numba.carray(coefficients, (columns,)), numba.carray(a, (constants,))
        return _pass(y, statistics, X, Z, index, target, beta, u, own, slope)

    return code


@compiled
def _pass(y, statistics, X, Z, index, target, beta, u, a, slope):  # type: ignore[no-untyped-def] # pragma: no cover
    n, columns, effects = len(y), len(X), len(u)
    predicted = statistics[4] != 0.0
    eta = np.zeros((2, n))
    for c in range(columns):
        for i in range(n):
            eta[target[c], i] += beta[c] * X[c, i]
    for t in range(len(Z)):
        for i in range(n):
            eta[target[columns + t], i] += u[index[t, i]] * Z[t, i]
    e, value = np.empty(n), -0.5 * n * _LOG_2PI
    first = 0 if predicted else 1  # where the places begin
    for i in range(n):
        if predicted:
            value -= eta[1, i]
            e[i] = (y[i] - eta[0, i]) * math.exp(-eta[1, i])
        else:
            e[i] = (y[i] - eta[0, i]) / a[0]
    if not predicted:
        value -= n * math.log(a[0])
    e_slope, a_slope = np.zeros(n), slope[columns + effects :]
    value += correlated_blocks(statistics, e, a[first:], e_slope, a_slope[first:])
    for i in range(n):  # the slopes in eta take its place
        if predicted:
            eta[0, i] = -e_slope[i] * math.exp(-eta[1, i])
            eta[1, i] = -1.0 - e_slope[i] * e[i]
        else:
            eta[0, i] = -e_slope[i] / a[0]
            a_slope[0] -= (1.0 + e_slope[i] * e[i]) / a[0]
    for c in range(columns):
        for i in range(n):
            slope[c] += eta[target[c], i] * X[c, i]
    for t in range(len(Z)):
        for i in range(n):
            slope[columns + index[t, i]] += eta[target[columns + t], i] * Z[t, i]
    return value


@compiled
def correlated_blocks(statistics, e, places, e_slope, places_slope):  # type: ignore[no-untyped-def] # pragma: no cover
    """Log density of residuals e over their sds, without its constant; adds to the slopes."""
    kind, low, high, occasions = int(statistics[0]), statistics[1], statistics[2], int(statistics[3])
    count, n = int(statistics[5]), len(e)
    starts, rows = statistics[HEAD : HEAD + count + 1], statistics[HEAD + count + 1 : HEAD + count + 1 + n]
    at = statistics[HEAD + count + 1 + n :]
    if kind > COSY:
        return _unstructured(occasions, starts, rows, at, e, places, e_slope, places_slope)
    rho, value, by_rho, back = low + (high - low) * places[0], 0.0, 0.0, np.empty(n)
    for j in range(count):
        start, stop, state = int(starts[j]), int(starts[j + 1]), 0.0
        for k in range(start, stop):
            own = e[int(rows[k])]
            gap = at[k] - at[k - 1] if k > start else 0.0
            b, v, b_slope, v_slope = _given_those_before(kind, rho, k - start, gap)
            s = math.sqrt(v)
            r = (own - b * state) / s
            value -= 0.5 * r * r + math.log(s)
            by_rho += r * b_slope * state / s + 0.5 * v_slope / v * (r * r - 1.0)
            e_slope[int(rows[k])] -= r / s
            back[k] = r * b / s
            state = own if kind == AR else state + own
        later = 0.0
        for k in range(stop - 1, start, -1):
            later = back[k] if kind == AR else later + back[k]
            e_slope[int(rows[k - 1])] += later
    places_slope[0] += (high - low) * by_rho
    return value


@compiled
def _given_those_before(kind, rho, k, gap):  # type: ignore[no-untyped-def] # pragma: no cover
    """Of the row after k others: how it follows the state, its variance given them, and slopes of both in rho."""
    if k == 0:
        return 0.0, 1.0, 0.0, 0.0
    if kind == AR:
        b = rho ** int(gap)
        b_slope = gap * rho ** (int(gap) - 1)
        return b, 1.0 - b * b, b_slope, -2.0 * b * b_slope
    below = 1.0 + (k - 1.0) * rho
    b, b_slope = rho / below, 1.0 / (below * below)
    return b, 1.0 - k * rho * b, b_slope, -k * (b + rho * b_slope)


@compiled
def _unstructured(occasions, starts, rows, at, e, places, e_slope, places_slope):  # type: ignore[no-untyped-def] # pragma: no cover
    m = occasions
    C, R, R_slope = np.zeros((m, m)), np.zeros((m, m)), np.zeros((m, m))
    _fill_factor(places, C)
    for s in range(m):
        for t in range(s + 1):
            total = 0.0
            for k in range(t + 1):
                total += C[s, k] * C[t, k]
            R[s, t], R[t, s] = total, total
    inverse, w, value, j, count = np.zeros((m, m)), np.empty(m), 0.0, 0, len(starts) - 1
    while j < count:
        start = int(starts[j])
        size = int(starts[j + 1]) - start
        log_size = _fill_inverse(R, at[start : start + size], inverse)
        alike = 0
        while j < count and _is_alike(starts, at, j, start, size):
            first = int(starts[j])
            for s in range(size):
                total = 0.0
                for t in range(size):
                    total += inverse[s, t] * e[int(rows[first + t])]
                w[s] = total
                value -= 0.5 * total * e[int(rows[first + s])]
                e_slope[int(rows[first + s])] -= total
            for s in range(size):
                for t in range(size):
                    R_slope[int(at[start + s]), int(at[start + t])] += 0.5 * w[s] * w[t]
            alike += 1
            j += 1
        value -= alike * log_size
        for s in range(size):
            for t in range(size):
                R_slope[int(at[start + s]), int(at[start + t])] -= 0.5 * alike * inverse[s, t]
    _pull_back(places, C, R_slope, places_slope)
    return value


@compiled
def _is_alike(starts, at, j, start, size):  # type: ignore[no-untyped-def] # pragma: no cover
    """Whether the j-th block has the occasions of that which starts there."""
    first = int(starts[j])
    if int(starts[j + 1]) - first != size:
        return False
    for k in range(size):  # noqa: SIM110  # numba has no all()
        if at[first + k] != at[start + k]:
            return False
    return True


@compiled
def _fill_factor(places, C):  # type: ignore[no-untyped-def] # pragma: no cover
    k = 0
    for s in range(len(C)):
        left = 1.0
        for t in range(s):
            partial = 2.0 * places[k] - 1.0
            C[s, t] = partial * math.sqrt(left)
            left *= 4.0 * places[k] * (1.0 - places[k])  # 1 - partial^2, exact near the ends
            k += 1
        C[s, s] = math.sqrt(left)


@compiled
def _fill_inverse(R, at, inverse):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write the inverse of R at some occasions; returns half the logarithm of its determinant."""
    size, log_size = len(at), 0.0
    L = np.zeros((size, size))
    for s in range(size):
        for t in range(s + 1):
            total = R[int(at[s]), int(at[t])]
            for k in range(t):
                total -= L[s, k] * L[t, k]
            L[s, t] = math.sqrt(total) if s == t else total / L[t, t]
        log_size += math.log(L[s, s])
    inner = np.zeros((size, size))  # of L
    for s in range(size):
        inner[s, s] = 1.0 / L[s, s]
        for t in range(s):
            total = 0.0
            for k in range(t, s):
                total -= L[s, k] * inner[k, t]
            inner[s, t] = total / L[s, s]
    for s in range(size):
        for t in range(size):
            total = 0.0
            for k in range(max(s, t), size):
                total += inner[k, s] * inner[k, t]
            inverse[s, t] = total
    return log_size


@compiled
def _pull_back(places, C, R_slope, places_slope):  # type: ignore[no-untyped-def] # pragma: no cover
    """Add the slopes in the places from those in the entries of R; see :mod:`~bayes_glmm.numerics.residual`."""
    k, m = 0, len(C)
    C_slope = np.zeros(m)
    for s in range(m):
        for t in range(s + 1):
            total = 0.0
            for i in range(m):
                total += 2.0 * R_slope[s, i] * C[i, t]
            C_slope[t] = total
        later = C_slope[s] * C[s, s]
        for t in range(s - 1, -1, -1):
            place = places[k + t]
            shorter = 4.0 * place * (1.0 - place)
            before = C[s, s] * C[s, s]
            for i in range(t, s):
                before += C[s, i] * C[s, i]  # what is left of the row's length at t
            places_slope[k + t] += 2.0 * (C_slope[t] * math.sqrt(before) - later * (2.0 * place - 1.0) / shorter)
            later += C_slope[t] * C[s, t]
        k += s
