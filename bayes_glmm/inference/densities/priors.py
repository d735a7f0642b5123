"""Log densities of priors inside compiled densities: a table of numbers, one row a prior, read by one function.

Constants, which do not move the gradient, are taken from :mod:`bayes_glmm.likelihood.priors`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable

import numba
import numpy as np

from bayes_glmm.likelihood.priors import DENSITIES, log_density
from bayes_glmm.numerics.free import KINDS
from bayes_glmm.spec import Prior

FLAT, NORMAL, STUDENT_T, LAPLACE, LOGISTIC, GAMMA, INVERSE_GAMMA, LOG_NORMAL, BETA = range(9)

INSIDE = 0.5  # where every density is more than 0
UNIT, REAL = KINDS["unit"], KINDS["real"]
LARGEST_LOG = 300.0  # of what is positive: its square is a double

Row = tuple[float, float, float, float]  # which function, and its three numbers

ROWS: dict[str, Callable[..., Row]] = {
    "Flat": lambda: (FLAT, 0.0, 0.0, 0.0),
    "HalfFlat": lambda: (FLAT, 0.0, 0.0, 0.0),
    "Normal": lambda mu, sigma: (NORMAL, mu, 1.0 / sigma, 0.0),
    "HalfNormal": lambda sigma: (NORMAL, 0.0, 1.0 / sigma, 0.0),
    "StudentT": lambda nu, mu, sigma: (STUDENT_T, mu, 1.0 / sigma, nu),
    "HalfStudentT": lambda nu, sigma: (STUDENT_T, 0.0, 1.0 / sigma, nu),
    "Cauchy": lambda alpha, beta: (STUDENT_T, alpha, 1.0 / beta, 1.0),
    "HalfCauchy": lambda beta: (STUDENT_T, 0.0, 1.0 / beta, 1.0),
    "Laplace": lambda mu, b: (LAPLACE, mu, 1.0 / b, 0.0),
    "Logistic": lambda mu, s: (LOGISTIC, mu, 1.0 / s, 0.0),
    "Exponential": lambda lam, scale: (GAMMA, 0.0, 1.0 / scale if lam is None else lam, 0.0),
    "Gamma": lambda alpha, beta: (GAMMA, alpha - 1.0, beta, 0.0),
    "Beta": lambda alpha, beta: (BETA, alpha - 1.0, beta - 1.0, 0.0),
    "InverseGamma": lambda alpha, beta: (INVERSE_GAMMA, alpha + 1.0, beta, 0.0),
    "LogNormal": lambda mu, sigma: (LOG_NORMAL, mu, 1.0 / sigma, 0.0),
    "Lognormal": lambda mu, sigma: (LOG_NORMAL, mu, 1.0 / sigma, 0.0),
}
"""PyMC's names -> row of the table, from the arguments of ``DENSITIES``; densities that end in a cliff have none."""


def prior_table(priors: Iterable[Prior]) -> np.ndarray | None:
    """The table of some priors [prior, 5]: function, three numbers, constant; None where one of them has no row.

    Raises
    ------
    SpecError
        For arguments that a distribution does not take.
    """
    rows = []
    for prior in priors:
        if prior.distribution not in ROWS:
            return None
        density, _ = log_density(prior, INSIDE)
        bound = inspect.signature(DENSITIES[prior.distribution]).bind(
            1.0, None, *prior.positional, **dict(prior.keyword)
        )
        bound.apply_defaults()
        _, _, *arguments = bound.args
        row = np.array([*ROWS[prior.distribution](*arguments), 0.0])
        row[4] = density - prior_density.py_func(row, INSIDE)[0]
        rows.append(row)
    return np.array(rows).reshape(-1, 5)


@numba.njit(nogil=True, error_model="numpy", forceinline=True)
def prior_density(row, x):  # type: ignore[no-untyped-def] # pragma: no cover
    """Log density of a prior at x, and its derivative."""
    kind, a, b, c, constant = row[0], row[1], row[2], row[3], row[4]
    standard = (x - a) * b
    if kind == NORMAL:
        return constant - 0.5 * standard * standard, -standard * b
    if kind == STUDENT_T:
        square = standard * standard / c
        return constant - 0.5 * (c + 1.0) * math.log1p(square), -(c + 1.0) * standard * b / (c * (1.0 + square))
    if kind == GAMMA:
        return constant + a * math.log(x) - b * x, a / x - b
    if kind == INVERSE_GAMMA:
        return constant - a * math.log(x) - b / x, (b / x - a) / x
    if kind == LOG_NORMAL:
        standard = (math.log(x) - a) * b
        return constant - 0.5 * standard * standard - math.log(x), -(standard * b + 1.0) / x
    if kind == BETA:
        return constant + a * math.log(x) + b * math.log1p(-x), a / x - b / (1.0 - x)
    if kind == LAPLACE:
        return constant - abs(standard), -b if standard > 0.0 else b
    if kind == LOGISTIC:
        t = math.exp(-abs(standard))
        slope = b * (1.0 - t) / (1.0 + t)
        return constant - abs(standard) - 2.0 * math.log1p(t), -slope if standard > 0.0 else slope
    return constant, 0.0


@numba.njit(nogil=True, error_model="numpy")
def thresholds_density(priors, beta, a, slope, a_slope):  # type: ignore[no-untyped-def] # pragma: no cover
    """What the priors of the second and later thresholds add; derivatives in beta and a are added to their slopes.

    The first is less the first coefficient, and each later one a step a above the one before.
    """
    value, threshold = 0.0, 0.0
    for k in range(len(priors)):
        threshold += a[k]
        own, own_slope = prior_density(priors[k], threshold - beta[0])
        value += own
        slope[0] -= own_slope
        for j in range(k + 1):
            a_slope[j] += own_slope
    return value


@numba.njit(nogil=True, error_model="numpy", forceinline=True)
def constant_at(kind, x):  # type: ignore[no-untyped-def] # pragma: no cover
    """A constant at its free coordinate, and its derivative; as :data:`~bayes_glmm.numerics.free.FREE` has them."""
    if kind == UNIT:
        t = math.exp(-abs(x))
        return (1.0 if x >= 0.0 else t) / (1.0 + t), t / ((1.0 + t) * (1.0 + t))
    if kind == REAL:
        return x, 1.0
    a = math.exp(min(x, LARGEST_LOG))
    return a, a


@numba.njit(nogil=True, error_model="numpy", forceinline=True)
def constant_density(row, kind, x, remainder):  # type: ignore[no-untyped-def] # pragma: no cover
    """Log density of a constant's prior over its free coordinate x, with what merged rows add, and its derivative.

    ``remainder`` has the number of rows lost and their sum of squares within in its second and third place. Only
    Gaussian rows lose some, whose only constant is sigma.
    """
    a, along = constant_at(kind, x)
    value, slope = prior_density(row, a)
    bend = 1.0 - 2.0 * a if kind == UNIT else 0.0 if kind == REAL else 1.0
    value, slope = value + math.log(along), slope * along + bend
    lost, within = remainder[1], remainder[2]
    if lost > 0.0:
        value -= lost * math.log(a) + 0.5 * within / (a * a)
        slope += within / (a * a) - lost
    return value, slope
