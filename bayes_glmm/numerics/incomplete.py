r"""Logarithms of the regularised incomplete gamma and beta functions, of both tails, with all derivatives.

The tail on the smaller side is computed, the other is its complement. Lower tails take three terms of their series
before the integral of :mod:`~bayes_glmm.numerics.tail_integrals`, which then falls at least as fast as e^-3d whatever
the shape is; shapes near 0 spread a tail over scales that no one rule covers.

    P(a, x) = x^a e^-x / Gamma(a + 1) (1 + x / (a + 1) (1 + x / (a + 2) (1 + x J)))
    I_p(a, b) = p^a q^b / (a B(a, b)) (1 + (a + b) p / (a + 1) (1 + (a + b + 1) p / (a + 2) (1 + (a + b + 2) p J)))

with J the integral for a + 3. Which side is smaller is decided by the mean for that shape.
"""

from __future__ import annotations

import math
from typing import Any

from bayes_glmm.numerics.functions import STIRLING_FROM, Functions, log_gamma_ratio, stirling
from bayes_glmm.numerics.tails import steep

_STEEP = 300.0  # where exponentials go on as straight lines, so that they and their derivatives stay numbers
_LARGEST_SHAPE = 2.0**100
_LARGEST = -1e-300  # logarithm of a probability
_FEW = 30.0  # a shape below which no large terms cancel
_NEAR, _ODD_TERMS = 0.1, 8  # |t| up to which a power series serves, in sds; its terms, the next below 1e-17
_LOG_2 = math.log(2.0)
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def log_complement(log_p: Any, f: Functions) -> Any:
    """log(1 - p) from log p, which is finite where p rounds to 1."""
    return f.log(-f.expm1(f.minimum(log_p, _LARGEST)))


def _bounded(a: Any, log_a: Any, f: Functions) -> tuple[Any, Any]:
    """A shape and its logarithm, up to where products of shapes are numbers."""
    return f.minimum(a, _LARGEST_SHAPE), f.minimum(log_a, math.log(_LARGEST_SHAPE))


def log_gamma_tails(a: Any, log_a: Any, r: Any, f: Functions) -> tuple[Any, Any]:
    """Return log P(a, x) and log Q(a, x) for x = a e^r.

    Parameters
    ----------
    a, log_a : array
        The shape, and its logarithm.
    r : array
        log(x / a): near 0 it has digits that x has not.
    f : Functions
    """
    a, log_a = _bounded(a, log_a, f)
    excess = steep(f.expm1, r, _STEEP, f)
    x = a * (1.0 + excess)
    lower = x < a + 1.5
    of_upper, of_lower = f.where(lower, 0.0, x), f.where(lower, x, 0.0)
    log_integral = f.log_gamma_integral(f.where(lower, a + 3.0, -1.0 * a), of_upper, of_lower)
    front = -0.5 * log_a - _HALF_LOG_2PI - _beyond_stirling(a, log_a, f) - a * (excess - r)
    series = of_lower / (a + 1.0) * (1.0 + of_lower / (a + 2.0) * (1.0 + of_lower * f.exp(log_integral)))
    known = front + f.where(lower, f.log1p(series), log_a + log_integral)
    other = log_complement(known, f)
    return f.where(lower, known, other), f.where(lower, other, known)


def log_beta_tails(a: Any, b: Any, logs: tuple[Any, Any], x: Any, f: Functions) -> tuple[Any, Any]:
    """Return log I_p(a, b) and log(1 - I_p(a, b)) for p with the logit x; ``logs`` are those of a and b."""
    (a, log_a), (b, log_b) = _bounded(a, logs[0], f), _bounded(b, logs[1], f)
    logs = log_a, log_b
    lower = (b + 1.5) * f.expit(x) < (a + 1.5) * f.expit(-1.0 * x)
    own, rest = f.where(lower, a, b), f.where(lower, b, a)
    at = f.where(lower, x, -1.0 * x)
    p, total = f.expit(at), a + b
    integral = f.exp(f.log_beta_integral(own + 3.0, rest, at))
    first, second = total * p / (own + 1.0), (total + 1.0) * p / (own + 2.0)
    series = first * (1.0 + second * (1.0 + (total + 2.0) * p * integral))
    known = _log_beta_front(a, b, logs, x, f) - f.where(lower, *logs) + f.log1p(series)
    other = log_complement(known, f)
    return f.where(lower, known, other), f.where(lower, other, known)


def _log_beta_front(a: Any, b: Any, logs: tuple[Any, Any], x: Any, f: Functions) -> Any:
    """log(p^a q^b / B(a, b)); large terms cancel, so from how far x lies from the logit of a / (a + b) if both are."""
    first = a < b
    least, most, log_least = f.where(first, a, b), f.where(first, b, a), f.where(first, *logs)
    direct = f.log_binary(a, b, x) + log_gamma_ratio(most, f.minimum(least, _FEW), f)
    direct = direct - f.gammaln(1.0 + least) + log_least
    total, middle = a + b, logs[0] - logs[1]
    distance = x - middle
    above = distance > 0.0
    far, step = f.where(above, -1.0 * middle, middle), f.where(above, -1.0 * distance, distance)
    change, near = f.expit(far) * f.expm1(step), f.expit(-1.0 * far) + f.expit(far) * f.exp(step)
    log_ratio = f.where(change < -0.5, f.log(near), f.log1p(f.maximum(change, -0.5)))
    deviance = total * log_ratio + f.where(above, b, -1.0 * a) * distance
    log_total = f.log(total)
    rest = _beyond_stirling(total, log_total, f) - _beyond_stirling(a, logs[0], f) - _beyond_stirling(b, logs[1], f)
    from_middle = 0.5 * (logs[0] + logs[1] - log_total) - _HALF_LOG_2PI + rest - deviance
    return f.where(least < _FEW, direct, from_middle)


def _beyond_stirling(a: Any, log_a: Any, f: Functions) -> Any:
    """Log Gamma(a) - ((a - 1/2) log a - a + log(2 pi) / 2)."""
    small, large = f.minimum(a, STIRLING_FROM), f.maximum(a, STIRLING_FROM)
    direct = f.gammaln(small) - (small - 0.5) * log_a + small - _HALF_LOG_2PI
    return f.where(a > STIRLING_FROM, stirling(large), direct)


def log_student_tails(t: Any, nu: Any, log_nu: Any, f: Functions) -> tuple[Any, Any]:
    """Return log P(T <= t) and log P(T > t) of Student's t, smooth through t = 0, about which it has a power series."""
    bound = _NEAR * f.sqrt(nu / (nu + 1.0))
    near, size = f.maximum(f.minimum(t, bound), -1.0 * bound), f.abs(t)
    square, series = near * near / nu, 0.0
    for n in range(_ODD_TERMS, -1, -1):
        series = 1.0 / (2.0 * n + 1.0) - square * (0.5 * (nu + 1.0) + n) / (n + 1.0) * series
    density = f.exp(log_gamma_ratio(0.5 * nu, 0.5, f) - 0.5 * (log_nu + math.log(math.pi)))
    beside = near * density * series
    x = log_nu - 2.0 * f.log(f.maximum(size, 0.5 * bound))
    half = 0.5 + 0.0 * nu  # as namespaces have it
    log_tail, _ = log_beta_tails(0.5 * nu, half, (log_nu - _LOG_2, f.log(half)), x, f)
    log_tail = log_tail - _LOG_2  # beyond |t|, on one side
    rest = f.log1p(-1.0 * f.exp(log_tail))
    in_middle, right = size < bound, t > 0.0
    up_to = f.where(in_middle, f.log(0.5 + beside), f.where(right, rest, log_tail))
    return up_to, f.where(in_middle, f.log(0.5 - beside), f.where(right, log_tail, rest))


def log_inverse_gaussian_tails(log_y: Any, log_mu: Any, shape: Any, log_shape: Any, f: Functions) -> tuple[Any, Any]:
    """Return log P(Y <= y) and log P(Y > y) of an inverse Gaussian with mean mu and variance mu^3 / shape."""
    rest = 0.5 * f.exp(log_shape - log_y)
    ratio = steep(f.exp, log_y - log_mu, 0.5 * _STEEP, f)
    own, distance = rest * ratio * ratio, steep(f.expm1, log_y - log_mu, 0.5 * _STEEP, f)
    lower = rest > own + 0.5
    k = f.where(lower, -0.5, 0.5)
    log_integral = f.log_gamma_integral(k, f.where(lower, rest, own), f.where(lower, own, rest))
    known = 0.5 * (log_shape - log_y) - _HALF_LOG_2PI - rest * distance * distance + log_integral
    other = log_complement(known, f)
    return f.where(lower, known, other), f.where(lower, other, known)
