"""The posterior of beta, sd and constants with the random effects integrated out, and its gradient, in one pass.

It is that of :mod:`~bayes_glmm.inference.integral`, over v with (beta, log sd, free constants) = mode + root v. For
each pattern of groups the integrand is evaluated on the grid; its slopes are weighed with each node's share of the
integral.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bayes_glmm.inference.densities.priors import (
    LARGEST_LOG,
    coefficients_density,
    constant_at,
    constant_density,
    prior_density,
    thresholds_density,
)
from bayes_glmm.inference.densities.products import add_product_transposed
from bayes_glmm.inference.densities.records import inlined, integer_vector, matrix, vector
from bayes_glmm.inference.densities.stretched import stretched
from bayes_glmm.inference.kernels.constants import tuples
from bayes_glmm.inference.kernels.elementary import exp, fused
from bayes_glmm.inference.kernels.entries import Kernel
from bayes_glmm.inference.kernels.loops import named


class IntegratedData(NamedTuple):
    """What the density reads; rows are those of one group of each pattern, pattern by pattern.

    Attributes
    ----------
    y, trials, values : arrays [row]
    statistics : array
        Of all rows of the data, for the kernel's ``shared``.
    offset : array [row, predictor]
    X : array [row, coefficient]
        Coefficients of one predictor after the other.
    target : integers [coefficient + 1]
        The predictor that each coefficient enters, and last that of the effect.
    first : integers [pattern + 1]
        Where the rows of a pattern begin.
    groups : array [pattern]
        How many have that pattern.
    grid, weight : arrays [node]
        Nodes, and the logarithms of density and step.
    remainder : array [3]
        As in :mod:`~bayes_glmm.inference.densities.fixed`; no rows are merged.
    beta_priors : array [coefficient, 5]
    sd_prior : array [1, 5]
    auxiliary_priors : array [constant, 5]
    kinds : integers [constant]
        Where each constant lies.
    thresholds : array [threshold - 1, 6]
    apart : array [coefficient, coefficient]
    mode : array [parameter]
    root : array [parameter, parameter]
    """

    y: np.ndarray
    trials: np.ndarray
    values: np.ndarray
    statistics: np.ndarray
    offset: np.ndarray
    X: np.ndarray
    target: np.ndarray
    first: np.ndarray
    groups: np.ndarray
    grid: np.ndarray
    weight: np.ndarray
    remainder: np.ndarray
    beta_priors: np.ndarray
    sd_prior: np.ndarray
    auxiliary_priors: np.ndarray
    kinds: np.ndarray
    thresholds: np.ndarray
    apart: np.ndarray
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
        p, m = len(data.beta_priors), len(data.kinds)
        free = stretched(x, data.mode, data.root)
        sd = math.exp(min(free[p], LARGEST_LOG))
        constants = np.ones(count)  # which a family without does not read
        for k in range(m):
            constants[k] = constant_at(data.kinds[k], free[p + 1 + k])[0]
        a = as_tuple(constants)
        log_a = log(a)
        slope = np.zeros(p + 1 + count)
        value, own = shared(data.statistics, a, log_a)
        add(own, slope[p + 1 :])
        for k in range(len(data.groups)):
            value += data.groups[k] * pattern_pass(data, k, free, sd, a, log_a, slope)
        value += data.remainder[0] + thresholds_density(data.thresholds, free, constants, slope, slope[p + 1 :])
        value += coefficients_density(data.beta_priors, data.apart, free, slope)
        height, sd_slope = prior_density(data.sd_prior[0], sd)
        value += height + math.log(sd)  # over the logarithm
        slope[p] = (slope[p] + sd_slope) * sd + 1.0
        for k in range(m):
            kind, at = data.kinds[k], free[p + 1 + k]
            height, own_slope = constant_density(data.auxiliary_priors[k], kind, at, data.remainder)
            value += height
            slope[p + 1 + k] = slope[p + 1 + k] * constant_at(kind, at)[1] + own_slope
        gradient[:] = 0.0
        add_product_transposed(data.root, 0, 0, slope[: p + 1 + m], gradient)
        return value

    return density


@inlined
def read(table):  # type: ignore[no-untyped-def] # pragma: no cover
    """The data at these addresses."""
    return IntegratedData(
        y=vector(table, 0),
        trials=vector(table, 1),
        values=vector(table, 2),
        statistics=vector(table, 3),
        offset=matrix(table, 4),
        X=matrix(table, 5),
        target=integer_vector(table, 6),
        first=integer_vector(table, 7),
        groups=vector(table, 8),
        grid=vector(table, 9),
        weight=vector(table, 10),
        remainder=vector(table, 11),
        beta_priors=matrix(table, 12),
        sd_prior=matrix(table, 13),
        auxiliary_priors=matrix(table, 14),
        kinds=integer_vector(table, 15),
        thresholds=matrix(table, 16),
        apart=matrix(table, 17),
        mode=vector(table, 18),
        root=matrix(table, 19),
    )


@inlined
def expand(x, out, table):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write what is kept of a draw: beta, sd and the constants of the family."""
    data = read(table)
    p = len(data.beta_priors)
    out[:] = stretched(x, data.mode, data.root)
    out[p] = math.exp(min(out[p], LARGEST_LOG))
    for k in range(len(data.kinds)):
        out[p + 1 + k] = constant_at(data.kinds[k], out[p + 1 + k])[0]


def _make_row_pass(kernel: Kernel) -> Callable[..., Any]:
    """Adds a row's log density at each node to the terms, and to slopes in constants; writes those in predictors."""
    row, add_at = kernel.row, tuples(kernel.constants).add_at
    along, to_row = tuples(kernel.predictors).along, tuples(kernel.predictors).to_row

    @fused
    @named(kernel.row.__name__)
    def row_pass(y, trials, fixed, spread, grid, a, log_a, terms, slopes, a_slope):  # type: ignore[no-untyped-def] # pragma: no cover
        for k in range(len(grid)):
            value, eta_slope, own = row(y, trials, along(fixed, spread, grid[k]), a, log_a)
            to_row(eta_slope, slopes, len(grid), k)
            terms[k] += value
            add_at(own, a_slope, k)

    return row_pass


def _make_pattern_pass(kernel: Kernel) -> Callable[..., Any]:
    """Log integral of one group of a pattern; adds to the slopes for all of them."""
    row_pass, count, predictors = _make_row_pass(kernel), kernel.constants, kernel.predictors
    beside, as_tuple = tuples(kernel.beside).of_row, tuples(predictors).read

    @fused
    @named(kernel.row.__name__)
    def pattern_pass(data, pattern, beta, sd, a, log_a, slope):  # type: ignore[no-untyped-def] # pragma: no cover
        p, grid, nodes = data.X.shape[1], data.grid, len(data.grid)
        start, stop = data.first[pattern], data.first[pattern + 1]
        groups, entered = data.groups[pattern], data.target[p]
        terms, a_slope = data.weight.copy(), np.zeros((count, nodes))
        slopes = np.empty((stop - start, predictors * nodes))
        fixed, spread = np.empty(predictors), np.zeros(predictors)
        for i in range(start, stop):
            fixed[:] = data.offset[i]
            for c in range(p):
                fixed[data.target[c]] += data.X[i, c] * beta[c]
            spread[entered] = sd * data.values[i]
            row_pass(
                data.y[i],
                beside(data.trials, len(data.y), i),
                as_tuple(fixed),
                as_tuple(spread),
                grid,
                a,
                log_a,
                terms,
                slopes[i - start],
                a_slope,
            )
        value = _weigh(terms)
        for i in range(start, stop):
            for j in range(predictors):
                own = slopes[i - start, j * nodes : (j + 1) * nodes]
                level, tilt = 0.0, 0.0
                for k in range(nodes):
                    weighted = terms[k] * own[k]
                    level += weighted
                    tilt += weighted * grid[k]
                for c in range(p):
                    if data.target[c] == j:
                        slope[c] += groups * level * data.X[i, c]
                if j == entered:
                    slope[p] += groups * tilt * data.values[i]
        for m in range(count):
            own_slope = 0.0
            for k in range(nodes):
                own_slope += terms[k] * a_slope[m, k]
            slope[p + 1 + m] += groups * own_slope
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
