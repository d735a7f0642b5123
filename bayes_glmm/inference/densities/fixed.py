"""The posterior of a model without random effects, and its gradient.

It is over v with (beta, free coordinates of constants) = mode + root v, root root' the covariance of the Laplace
approximation, so that v is about standard normal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayes_glmm.inference.densities.priors import (
    coefficients_density,
    constant_at,
    constant_density,
    thresholds_density,
)
from bayes_glmm.inference.densities.products import add_product_transposed
from bayes_glmm.inference.densities.records import inlined, integer_vector, matrix, short_integer_matrix, vector
from bayes_glmm.inference.densities.rows import rows_value
from bayes_glmm.inference.densities.stretched import stretched


class FixedData(NamedTuple):
    """What the density reads.

    Attributes
    ----------
    y, trials, statistics, X, Z, position, target : arrays
        As in :mod:`~bayes_glmm.inference.kernels.inputs`; Z and its position have no terms.
    remainder : array [3]
        What rows that were merged add: constant, with that of ``apart``; number of rows lost; sum of squares within.
    beta_priors : array [coefficient, 5]
    auxiliary_priors : array [constant, 5]
    mode : array [parameter]
        Beta, then the free coordinates of the constants.
    root : array [parameter, parameter]
    kinds : integers [constant]
        Where each constant lies.
    thresholds : array [threshold - 1, 6]
        Priors of thresholds of ordered categories but the first; last the constant that is its step.
    apart : array [coefficient, coefficient]
        From coefficients to those with independent priors; without rows if these are the same.
    """

    y: np.ndarray
    trials: np.ndarray
    statistics: np.ndarray
    X: np.ndarray
    Z: np.ndarray
    position: np.ndarray
    target: np.ndarray
    remainder: np.ndarray
    beta_priors: np.ndarray
    auxiliary_priors: np.ndarray
    mode: np.ndarray
    root: np.ndarray
    kinds: np.ndarray
    thresholds: np.ndarray
    apart: np.ndarray


@inlined
def density(x, gradient, table):  # type: ignore[no-untyped-def] # pragma: no cover
    """The log density at x; its gradient is written."""
    data = read(table)
    p, m, columns = len(data.beta_priors), len(data.auxiliary_priors), len(data.X)
    free = stretched(x, data.mode, data.root)
    coefficients, a = np.ones(columns), np.ones(max(m, 1))  # an offset has the coefficient 1
    coefficients[:p] = free[:p]
    for k in range(m):
        a[k] = constant_at(data.kinds[k], free[p + k])[0]
    slopes = np.zeros(columns + len(a))
    value = data.remainder[0] + rows_value(table, coefficients, np.zeros(0), a, slopes)
    value += thresholds_density(data.thresholds, coefficients, a, slopes, slopes[columns:])
    slope = np.empty(p + m)
    slope[:p] = slopes[:p]
    value += coefficients_density(data.beta_priors, data.apart, free, slope)
    for k in range(m):
        own, own_slope = constant_density(data.auxiliary_priors[k], data.kinds[k], free[p + k], data.remainder)
        value += own
        slope[p + k] = slopes[columns + k] * constant_at(data.kinds[k], free[p + k])[1] + own_slope
    gradient[:] = 0.0
    add_product_transposed(data.root, 0, 0, slope, gradient)
    return value


@inlined
def read(table):  # type: ignore[no-untyped-def] # pragma: no cover
    """The data at these addresses."""
    return FixedData(
        y=vector(table, 0),
        trials=vector(table, 1),
        statistics=vector(table, 2),
        X=matrix(table, 3),
        Z=matrix(table, 4),
        position=short_integer_matrix(table, 5),
        target=integer_vector(table, 6),
        remainder=vector(table, 7),
        beta_priors=matrix(table, 8),
        auxiliary_priors=matrix(table, 9),
        mode=vector(table, 10),
        root=matrix(table, 11),
        kinds=integer_vector(table, 12),
        thresholds=matrix(table, 13),
        apart=matrix(table, 14),
    )


@inlined
def expand(x, out, table):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write what is kept of a draw: beta and the constants of the family."""
    data = read(table)
    p = len(data.beta_priors)
    out[:] = stretched(x, data.mode, data.root)
    for k in range(len(data.kinds)):
        out[p + k] = constant_at(data.kinds[k], out[p + k])[0]
