"""The speed table: for a family and a link, what one row adds to the log likelihood and to its gradient.

log p(y | eta, a) = sum_i row(y_i, n_i, eta_i, a) + shared(statistics, a)

with eta_i the linear predictors of a row, a the constants of the family and n the trials. ``shared`` gathers what does
not depend on eta: it is evaluated once a call, over statistics that are taken from the data once. A pair that is not in
the table has a kernel that is written from the family's density
(:mod:`~bayes_glmm.inference.kernels.generated`); these have been tuned by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from bayes_glmm.inference.kernels.elementary import elementary, exp, fused, log1p_unit, log_gamma, log_rising

MOST_FACTORS = 1000  # each at most 2, so that their product is a double


@dataclass(frozen=True)
class Kernel:
    """The log likelihood of a family under a link, in the form that a compiled loop takes.

    Attributes
    ----------
    row : function, compiled
        ``(y, n, eta, a, log_a) -> (value, d value / d eta, d value / d a)`` of one row, by arithmetic and
        :mod:`~bayes_glmm.inference.kernels.elementary` alone, so that rows fill vectors. ``eta``, ``a``, the logarithm
        of ``a`` and the derivatives are tuples.
    shared : function, compiled
        ``(statistics, a, log_a) -> (value, d value / d a)``, of all rows together.
    statistics : function
        ``(y, n) -> array``, what ``shared`` needs of the data; NumPy.
    rows : function, compiled, optional
        ``(y, n, eta, a, log_a) -> (value, d value / d a)`` of many rows with one linear predictor, which writes
        d value / d eta over eta: for a family whose rows are faster together.
    constants : int
        How many there are; a family without has one that nothing reads.
    predictors : int
        How many linear predictors a row has.
    """

    row: Callable[..., Any]
    shared: Callable[..., Any]
    statistics: Callable[[np.ndarray, np.ndarray], np.ndarray]
    rows: Callable[..., Any] | None = None
    constants: int = 1
    predictors: int = 1


@elementary
def _constant(statistics, a, log_a):  # type: ignore[no-untyped-def] # pragma: no cover
    """A term of the data alone."""
    return statistics[0], (0.0,)


@elementary
def _binomial_logit(y, n, eta, a, log_a):  # type: ignore[no-untyped-def] # pragma: no cover
    # y x - n log(1 + e^x), from the tail that x is in: both tails keep their relative accuracy
    x = eta[0]
    t = exp(-abs(x))
    beyond = y - n if x > 0.0 else y
    tail = n * (t / (1.0 + t))
    return beyond * x - n * log1p_unit(t), (beyond + (tail if x > 0.0 else -tail),), (0.0,)


@elementary
def _bernoulli_logit(y, n, eta, a, log_a):  # type: ignore[no-untyped-def] # pragma: no cover
    return _binomial_logit(y, 1.0, eta, a, log_a)


@fused
def _bernoulli_logit_rows(y, n, eta, a, log_a):  # type: ignore[no-untyped-def] # pragma: no cover
    # sum log(1 + t) = log prod (1 + t): one logarithm for many rows
    total = 0.0
    for start in range(0, len(eta), MOST_FACTORS):
        stop = min(start + MOST_FACTORS, len(eta))
        value, product = 0.0, 1.0
        for i in range(start, stop):
            t = exp(-abs(eta[i]))
            beyond, tail = (y[i] - 1.0 if eta[i] > 0.0 else y[i]), t / (1.0 + t)
            value += beyond * eta[i]
            product *= 1.0 + t
            eta[i] = beyond + (tail if eta[i] > 0.0 else -tail)
        value -= math.log(product)
        if value > -0.5:  # so near 0 that rounding of the product shows; each p(y) is then 1 - |slope|
            value = 0.0
            for i in range(start, stop):
                value += math.log1p(-abs(eta[i]))
        total += value
    return total, (0.0,)


def _binomial_statistics(y: np.ndarray, n: np.ndarray) -> np.ndarray:
    ways = special.gammaln(n + 1.0) - special.gammaln(y + 1.0) - special.gammaln(n - y + 1.0)
    return np.array([ways.sum()])


@elementary
def _poisson_log(y, n, eta, a, log_a):  # type: ignore[no-untyped-def] # pragma: no cover
    rate = exp(eta[0])
    return y * eta[0] - rate, (y - rate,), (0.0,)


@elementary
def _negative_binomial_log(y, n, eta, a, log_a):  # type: ignore[no-untyped-def] # pragma: no cover
    # binomial in form, with log odds x = log(mu / phi): -y log(1 + e^-x) - phi log(1 + e^x)
    phi, x = a[0], eta[0] - log_a[0]
    t = exp(-abs(x))
    log1p, large = log1p_unit(t), 1.0 / (1.0 + t)
    small = t * large
    mu_share = large if x > 0.0 else small  # mu / (mu + phi)
    phi_share = small if x > 0.0 else large
    value = (-phi if x > 0.0 else y) * x - (y + phi) * log1p
    slope = mu_share - y * phi_share / phi - log1p - max(x, 0.0)
    return value, (y * phi_share - phi * mu_share,), (slope,)


@elementary
def _negative_binomial_shared(statistics, a, log_a):  # type: ignore[no-untyped-def] # pragma: no cover
    # sum_i log Gamma(y_i + phi) - log Gamma(phi), one step from each distinct y to the next for all rows above it
    phi, value, slope = a[0], statistics[0], 0.0
    for k in range(1, len(statistics), 3):
        step, step_slope = log_rising(phi + statistics[k], statistics[k + 1])
        value += statistics[k + 2] * step
        slope += statistics[k + 2] * step_slope
    return value, (slope,)


def _negative_binomial_statistics(y: np.ndarray, n: np.ndarray) -> np.ndarray:
    """The term of the data alone; then, for each step between distinct y: start, length, number of rows above."""
    above, count = np.unique(y[y > 0.0], return_counts=True)
    start = np.concatenate([[0.0], above])[:-1]
    rows_above = np.cumsum(count[::-1])[::-1]
    steps = np.column_stack([start, above - start, rows_above])
    return np.concatenate([[-special.gammaln(y + 1.0).sum()], steps.ravel()])


@elementary
def _gamma_log(y, n, eta, a, log_a):  # type: ignore[no-untyped-def] # pragma: no cover
    phi, relative = a[0], y * exp(-eta[0])  # y / mu
    return -phi * (eta[0] + relative), (phi * (relative - 1.0),), (-(eta[0] + relative),)


@elementary
def _gamma_shared(statistics, a, log_a):  # type: ignore[no-untyped-def] # pragma: no cover
    phi, log_phi = a[0], log_a[0]
    rows, sum_log_y = statistics[0], statistics[1]
    value, slope = log_gamma(phi)
    return (
        rows * (phi * log_phi - value) + (phi - 1.0) * sum_log_y,
        (rows * (log_phi + 1.0 - slope) + sum_log_y,),
    )


@elementary
def _gaussian_identity(y, n, eta, a, log_a):  # type: ignore[no-untyped-def] # pragma: no cover
    sigma = a[0]
    standardised = (y - eta[0]) / sigma
    return -0.5 * standardised * standardised, (standardised / sigma,), (standardised * standardised / sigma,)


@elementary
def _gaussian_shared(statistics, a, log_a):  # type: ignore[no-untyped-def] # pragma: no cover
    rows = statistics[0]
    return -rows * (log_a[0] + 0.5 * math.log(2.0 * math.pi)), (-rows / a[0],)


KERNELS: dict[tuple[str, str], Kernel] = {
    ("bernoulli", "logit"): Kernel(
        row=_bernoulli_logit,
        shared=_constant,
        statistics=lambda y, n: np.zeros(1),
        rows=_bernoulli_logit_rows,
    ),
    ("binomial", "logit"): Kernel(
        row=_binomial_logit,
        shared=_constant,
        statistics=_binomial_statistics,
    ),
    ("poisson", "log"): Kernel(
        row=_poisson_log,
        shared=_constant,
        statistics=lambda y, n: np.array([-special.gammaln(y + 1.0).sum()]),
    ),
    ("negative_binomial", "log"): Kernel(
        row=_negative_binomial_log,
        shared=_negative_binomial_shared,
        statistics=_negative_binomial_statistics,
    ),
    ("gamma", "log"): Kernel(
        row=_gamma_log,
        shared=_gamma_shared,
        statistics=lambda y, n: np.array([len(y), np.log(y).sum()]),
    ),
    ("gaussian", "identity"): Kernel(
        row=_gaussian_identity,
        shared=_gaussian_shared,
        statistics=lambda y, n: np.array([float(len(y))]),
    ),
}
