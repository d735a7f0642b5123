"""Probabilities of both tails at once, as the logarithm of a cumulative hazard H = -log P(Y > y).

Where H is small it is P(Y <= y) to first order, and where it is large it is the exponent of the upper tail. Its
logarithm keeps the relative accuracy of both, from e^-1e300 on, and differences of it give those of intervals:

    log P(Y > y) = -H(y),    log P(Y <= y) = log(1 - exp(-H(y))),    P(a < Y <= b) = exp(-H(a)) (1 - exp(H(a) - H(b)))
"""

from __future__ import annotations

import math
from typing import Any

from bayes_glmm.numerics.functions import Functions, log_normal_cdf, log_probability_of_some, log_softplus

_STEEP = 300.0  # from there on an exponential goes on as a straight line, so that it and its derivatives stay numbers
_SMALLEST = 1e-300
_LOG_2 = math.log(2.0)


def steep(function: Any, x: Any, end: float, f: Functions) -> Any:
    """An exponential function of x that goes on as a straight line from an end on, where no data are."""
    return function(f.minimum(x, end)) * (1.0 + f.maximum(x - end, 0.0))


def log_above(log_hazard: Any, f: Functions) -> Any:
    """Log P(Y > y) from the logarithm of the cumulative hazard at y."""
    return -steep(f.exp, log_hazard, _STEEP, f)


def log_up_to(log_hazard: Any, f: Functions) -> Any:
    """Log P(Y <= y) from the logarithm of the cumulative hazard at y."""
    tail = f.exp(-f.exp(f.minimum(f.maximum(log_hazard, 0.0), 7.0)))  # above 7 it is 0
    return f.where(log_hazard < 0.0, log_probability_of_some(f.minimum(log_hazard, 0.0), f), f.log1p(-tail))


def log_between(low: Any, high: Any, f: Functions) -> Any:
    """Log P(a < Y <= b) from the logarithms of the cumulative hazard at a and b."""
    # log(e^high - e^low), the difference of the hazards
    ratio = f.log(f.maximum(high - low, _SMALLEST))
    return log_above(low, f) + log_up_to(high + log_probability_of_some(ratio, f), f)


def log_cumulative_hazard(log_cdf: Any, log_tail: Any, f: Functions) -> Any:
    """Return log(-log P(Y > y)) from log P(Y <= y) and log P(Y > y), each of which is read where it is below 1/2."""
    below = f.minimum(log_cdf, -0.5)
    # -log(1 - p) = p (1 + p / 2 + p^2 / 3 + ...): the next term of its logarithm is below 1e-16
    small, middle = f.exp(f.minimum(below, -12.0)), f.maximum(below, -12.0)
    lower = f.where(below < -12.0, below + 0.5 * small + (5.0 / 24.0) * small * small, f.log(-f.log1p(-f.exp(middle))))
    return f.where(log_cdf < -_LOG_2, lower, f.log(-f.minimum(log_tail, -0.5)))


def log_hazard_of_normal(z: Any, f: Functions) -> Any:
    """Return log(-log P(Z > z)) of a standard normal Z."""
    return log_cumulative_hazard(log_normal_cdf(z, f), log_normal_cdf(-z, f), f)


def log_hazard_of_none(log_rate: Any, f: Functions) -> Any:
    """Return log(-log P(Y > 0)) of a count with P(Y = 0) = exp(-e^log_rate)."""
    rate = f.exp(f.minimum(log_rate, 700.0))
    return log_cumulative_hazard(-rate, log_probability_of_some(log_rate, f), f)


def log_sum(a: Any, b: Any, f: Functions) -> Any:
    """Return log(e^a + e^b): of the hazards of two things, one of which is enough, that of either."""
    return a + f.softplus(b - a)


def log_difference(a: Any, b: Any, f: Functions) -> Any:
    """Return log(e^a - e^b) for a >= b; of equal ones about -690."""
    return a + f.log(-f.expm1(f.minimum(b - a, -_SMALLEST)))


def log_hazard_with_zeros(logit: Any, log_hazard: Any, positive: Any, f: Functions) -> Any:
    """Return log(-log P(Y > y)) where Y is 0 with a probability that has this logit, else of this hazard at y > 0."""
    none = log_softplus(logit, f)  # P(Y > 0) = exp(-softplus(logit))
    return f.where(positive, log_sum(none, log_hazard, f), none)
