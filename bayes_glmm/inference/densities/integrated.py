"""The posterior of (beta, sd, auxiliary) with the random effects integrated out, and its gradient, in one pass.

It is that of :mod:`~bayes_glmm.inference.integral`, over v with (beta, log sd, log auxiliary) = mode + root v. For each
pattern of groups the integrand is evaluated on the grid; its slopes are weighed with each node's share of the integral.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bayes_glmm.inference.densities.priors import prior_density
from bayes_glmm.inference.densities.products import add_product_transposed
from bayes_glmm.inference.densities.records import inlined, integer_vector, matrix, vector
from bayes_glmm.inference.densities.stretched import unfold
from bayes_glmm.inference.kernels.constants import tuples
from bayes_glmm.inference.kernels.elementary import exp, fused
from bayes_glmm.inference.kernels.entries import Kernel
from bayes_glmm.inference.kernels.loops import named


class IntegratedData(NamedTuple):
    """What the density reads; rows are those of one group of each pattern, pattern by pattern.

    Attributes
    ----------
    y, trials, offset, values : arrays [row]
    statistics : array
        Of all rows of the data, for the kernel's ``shared``.
    X : array [row, coefficient]
    first : integers [pattern + 1]
        Where the rows of a pattern begin.
    groups : array [pattern]
        How many have that pattern.
    grid, weight : arrays [node]
        Nodes, and the logarithms of density and step.
    priors : array [parameter, 5]
        Of beta, sd and the constants of the family.
    mode : array [parameter]
    root : array [parameter, parameter]
    """

    y: np.ndarray
    trials: np.ndarray
    offset: np.ndarray
    values: np.ndarray
    statistics: np.ndarray
    X: np.ndarray
    first: np.ndarray
    groups: np.ndarray
    grid: np.ndarray
    weight: np.ndarray
    priors: np.ndarray
    mode: np.ndarray
    root: np.ndarray


def make_density(kernel: Kernel) -> Callable[..., Any]:
    """The compiled log density and gradient, ``(x, gradient, table) -> value``."""
    pattern_pass, shared = _make_pattern_pass(kernel), kernel.shared
    count, constants_of = kernel.constants, tuples(kernel.constants)
    as_tuple, log, add = constants_of.read, constants_of.log, constants_of.add

    @inlined
    @named(kernel.row.__name__)
    def density(x, gradient, table):  # type: ignore[no-untyped-def] # pragma: no cover
        data = read(table)
        parameters = unfold(x, data.mode, data.root, data.X.shape[1])
        p, size = data.X.shape[1], len(parameters)
        constants = np.ones(count)  # which a family without does not read
        for k in range(p + 1, size):
            constants[k - p - 1] = parameters[k]
        a = as_tuple(constants)
        log_a = log(a)
        slope = np.zeros(p + 1 + count)
        value, own = shared(data.statistics, a, log_a)
        add(own, slope[p + 1 :])
        for k in range(len(data.groups)):
            value += data.groups[k] * pattern_pass(data, k, parameters, a, log_a, slope)
        for k in range(size):
            height, prior_slope = prior_density(data.priors[k], parameters[k])
            value += height
            slope[k] += prior_slope
            if k >= p:  # over the logarithm
                value += math.log(parameters[k])
                slope[k] = slope[k] * parameters[k] + 1.0
        for k in range(size):
            gradient[k] = 0.0
        add_product_transposed(data.root, 0, 0, slope[:size], gradient)
        return value

    return density


@inlined
def read(table):  # type: ignore[no-untyped-def] # pragma: no cover
    """The data at these addresses."""
    return IntegratedData(
        y=vector(table, 0),
        trials=vector(table, 1),
        offset=vector(table, 2),
        values=vector(table, 3),
        statistics=vector(table, 4),
        X=matrix(table, 5),
        first=integer_vector(table, 6),
        groups=vector(table, 7),
        grid=vector(table, 8),
        weight=vector(table, 9),
        priors=matrix(table, 10),
        mode=vector(table, 11),
        root=matrix(table, 12),
    )


@inlined
def expand(x, out, table):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write what is kept of a draw: beta, sd and the constants of the family."""
    data = read(table)
    out[:] = unfold(x, data.mode, data.root, data.X.shape[1])


def _make_pattern_pass(kernel: Kernel) -> Callable[..., Any]:
    """Log integral of one group of a pattern; adds to the slopes for all of them."""
    row, count, beside = kernel.row, kernel.constants, tuples(kernel.beside).of_row
    add_at = tuples(count).add_at

    @fused
    @named(kernel.row.__name__)
    def row_pass(y, trials, fixed, spread, grid, a, log_a, terms, slope, a_slope):  # type: ignore[no-untyped-def] # pragma: no cover
        for k in range(len(grid)):
            value, eta_slope, own = row(y, trials, (fixed + spread * grid[k],), a, log_a)
            slope[k] = eta_slope[0]
            terms[k] += value
            add_at(own, a_slope, k)

    @fused
    @named(kernel.row.__name__)
    def pattern_pass(data, pattern, parameters, a, log_a, slope):  # type: ignore[no-untyped-def] # pragma: no cover
        p, sd, grid = data.X.shape[1], parameters[data.X.shape[1]], data.grid
        start, stop = data.first[pattern], data.first[pattern + 1]
        groups = data.groups[pattern]
        terms, a_slope = data.weight.copy(), np.zeros((count, len(grid)))
        slopes = np.empty((stop - start, len(grid)))
        for i in range(start, stop):
            fixed = data.offset[i]
            for c in range(p):
                fixed += data.X[i, c] * parameters[c]
            spread = sd * data.values[i]
            row_pass(
                data.y[i],
                beside(data.trials, len(data.y), i),
                fixed,
                spread,
                grid,
                a,
                log_a,
                terms,
                slopes[i - start],
                a_slope,
            )
        value = _weigh(terms)
        for i in range(start, stop):
            level, tilt = 0.0, 0.0
            for k in range(len(grid)):
                weighted = terms[k] * slopes[i - start, k]
                level += weighted
                tilt += weighted * grid[k]
            for c in range(p):
                slope[c] += groups * level * data.X[i, c]
            slope[p] += groups * tilt * data.values[i]
        for m in range(count):
            own = 0.0
            for k in range(len(grid)):
                own += terms[k] * a_slope[m, k]
            slope[p + 1 + m] += groups * own
        return value

    return pattern_pass


@fused
def _weigh(terms):  # type: ignore[no-untyped-def] # pragma: no cover
    """Turn the logarithms of terms into shares of their sum; returns its logarithm."""
    largest = -np.inf
    for k in range(len(terms)):
        largest = max(largest, terms[k])
    total = 0.0
    for k in range(len(terms)):
        terms[k] = exp(terms[k] - largest)
        total += terms[k]
    for k in range(len(terms)):
        terms[k] /= total
    return largest + math.log(total)
