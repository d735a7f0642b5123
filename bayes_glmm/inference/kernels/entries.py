"""What compiled loops take of a family and a link: what one row adds to the log likelihood and to its gradient.

log p(y | eta, a) = sum_i row(y_i, n_i, eta_i, a) + shared(statistics, a)

with eta_i the linear predictors of a row, a the constants of the family and n the trials, or what is known beside y of
a censored or truncated response. ``shared`` gathers what does not depend on eta: it is evaluated once a call, over
statistics that are taken from the data once. Both are written from the family's density
(:mod:`~bayes_glmm.inference.kernels.generated`). Binary rows under the logit link have a pass of their own as well:
sums of their logarithms are logarithms of products, which saves a quarter to a third of the time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayes_glmm.inference.kernels.elementary import exp, fused

MOST_FACTORS = 1000  # each at most 2, so that their product is a double


@dataclass(frozen=True)
class Kernel:
    """The log likelihood of a family under a link, in the form that a compiled loop takes.

    Attributes
    ----------
    row : function, compiled
        ``(y, n, eta, a, log_a) -> (value, d value / d eta, d value / d a)`` of one row, by arithmetic and
        :mod:`~bayes_glmm.inference.kernels.elementary` alone, so that rows fill vectors. All but ``y`` and the value
        are tuples.
    shared : function, compiled
        ``(statistics, a, log_a) -> (value, d value / d a)``, of all rows together.
    statistics : function
        ``(y, n) -> array``, what ``shared`` needs of the data; NumPy.
    rows : function, compiled, optional
        ``(y, n, eta, a, log_a) -> (value, d value / d a)`` of many rows with one linear predictor, which writes
        d value / d eta over eta: where rows are faster together (``TOGETHER``).
    constants : int
        How many there are; a family without has one that nothing reads.
    predictors : int
        How many linear predictors a row has.
    beside : int
        How many numbers n has.
    """

    row: Callable[..., Any]
    shared: Callable[..., Any]
    statistics: Callable[[np.ndarray, np.ndarray], np.ndarray]
    rows: Callable[..., Any] | None = None
    constants: int = 1
    predictors: int = 1
    beside: int = 1


@fused
def _binary_rows(y, n, eta, a, log_a):  # type: ignore[no-untyped-def] # pragma: no cover
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


TOGETHER: dict[tuple[str, str], Callable[..., Any]] = {("bernoulli", "logit"): _binary_rows}
"""Passes over many rows at once, by family and link."""
