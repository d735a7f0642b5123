"""Averages of many rows by a table: with random intercepts the average depends on eta alone, smoothly, within a draw.

Where the variance of the predictor is the same in all rows (random intercepts, however many factors), E h(eta + s Z) of
one draw is one smooth function of eta. It is worked out at Chebyshev points of short intervals that cover the rows'
etas, and read off the polynomials through them: a few hundred integrals a draw in place of one a row.

On an interval of length strip / pi (1 for the logit) the interpolant of degree 12 of a function that is analytic in the
strip is good to about rho^-12, rho = 2 pi + sqrt(4 pi^2 + 1) = 12.6 (Trefethen 2019, theorem 8.2), relative to the
size of the function there; within one unit the mean changes by a factor of e at most. Measured: 1e-12.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.polynomial import chebyshev

from bayes_glmm.families import Link

DEGREE = 12
Average = Callable[[Link, np.ndarray, np.ndarray], np.ndarray]


def by_table(function: Average, link: Link, eta: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """As :func:`several_by_table`, of one function with values [draw, row]."""
    return several_by_table(lambda *of: function(*of)[None], link, eta, variance)[0]


def several_by_table(function: Average, link: Link, eta: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """``function(link, eta, variance)`` for one variance a draw, through a table where that saves work.

    Parameters
    ----------
    function : function
        Such as ``average_over_normal``, with values [function, draw, row].
    link : Link
    eta : array [draw, row]
    variance : array [draw, 1]

    Returns
    -------
    array [function, draw, row]
    """
    low, high = float(eta.min(initial=np.inf)), float(eta.max(initial=-np.inf))
    if link.averaged is not None or link.strip == 0.0 or not np.isfinite([low, high]).all():
        return function(link, eta, variance)
    length = link.strip / math.pi
    intervals = int((high - low) / length) + 1
    if 4 * intervals * (DEGREE + 1) > eta.shape[1]:
        return function(link, eta, variance)
    centres = low + length * (np.arange(intervals) + 0.5)
    points = (centres[:, None] + 0.5 * length * _points()).ravel()
    values = function(link, np.broadcast_to(points, (len(eta), points.size)), variance)
    if not np.isfinite(values).all():  # the link of a mean that is 0 or 1 in floating point
        return function(link, eta, variance)
    result = np.empty((len(values), *eta.shape))
    for own, found in zip(values, result, strict=True):
        polynomials = own.reshape(len(eta), intervals, DEGREE + 1) @ _interpolation().T
        _compiled()(eta, low, 1.0 / length, polynomials, found)
    return result


@cache
def _points() -> np.ndarray:
    """Chebyshev points of [-1, 1]."""
    return chebyshev.chebpts1(DEGREE + 1)


@cache
def _interpolation() -> np.ndarray:
    """From values at the points to coefficients of powers, lowest first."""
    columns = [chebyshev.cheb2poly(row) for row in np.eye(DEGREE + 1)]
    to_powers = np.column_stack([np.pad(column, (0, DEGREE + 1 - len(column))) for column in columns])
    return to_powers @ np.linalg.inv(chebyshev.chebvander(_points(), DEGREE))


@cache
def _compiled() -> Callable[..., None]:
    import numba

    @numba.njit(nogil=True, cache=True, error_model="numpy")
    def evaluate(eta, low, per_unit, polynomials, result):  # type: ignore[no-untyped-def] # pragma: no cover
        last, degree = polynomials.shape[1] - 1, polynomials.shape[2] - 1
        for d in range(eta.shape[0]):
            for r in range(eta.shape[1]):
                x = (eta[d, r] - low) * per_unit
                k = min(int(x), last)
                t = 2.0 * (x - k) - 1.0
                total = polynomials[d, k, degree]
                for j in range(degree - 1, -1, -1):
                    total = total * t + polynomials[d, k, j]
                result[d, r] = total

    return evaluate
