"""The functions that kernels are made of: exp and log(1 + t), log Gamma and rising factorials with their derivatives.

The first two, and what is made of them, are plain arithmetic, which LLVM turns into vector instructions; calls into
libm it cannot. All are right to a few units in the last place, erfcx to x^2 of them
(tests/inference/test_kernels_elementary.py, against mpmath).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
from numba.core import types
from numba.extending import intrinsic

# Rounding is that of IEEE: exp takes its argument apart by adding and taking away a large number, which reassociation
# would undo. Only products may be fused into sums.
elementary = numba.njit(nogil=True, forceinline=True, error_model="numpy", fastmath={"contract"})
# Loops over rows: sums may be reordered, so that they fill vectors; what inf and NaN mean stays.
fused = numba.njit(nogil=True, forceinline=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})

_ROUND = 1.5 * 2.0**52  # added to a double, it leaves the nearest whole number in the lowest bits
_LOG2_HIGH, _LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # log 2 in two parts (fdlibm, e_exp.c)
_EXP_FIRST, *_EXP = [1.0 / math.factorial(k) for k in range(13, -1, -1)]
_EXP_REST = tuple(_EXP)
_ARTANH_FIRST, *_ARTANH = [1.0 / k for k in range(31, 0, -2)]
_ARTANH_REST = tuple(_ARTANH)
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_ERFC_UNTIL, _ROOT_PI = 25.0, math.sqrt(math.pi)  # beyond 26 erfc is no normal double
_STIRLING_FROM = 10.0  # from here on the eight terms below leave an error under 1e-17
# B_2k / (2k (2k - 1)), highest first (Abramowitz & Stegun 1964, 6.1.40)
_STIRLING = (-3617 / 122400, 1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12)


def _reinterpreted(as_type: Any, of_type: Any) -> tuple[Any, Callable[..., Any]]:
    """Signature and code of a function that reads the same 64 bits as another type."""
    return as_type(of_type), lambda context, builder, _, arguments: builder.bitcast(
        arguments[0], context.get_value_type(as_type)
    )


@intrinsic
def _bits(context: Any, x: Any) -> Any:
    """The bits of a double as an integer."""
    return _reinterpreted(types.int64, types.float64)


@intrinsic
def _double(context: Any, x: Any) -> Any:
    """The double with these bits."""
    return _reinterpreted(types.float64, types.int64)


@elementary
def exp(x):  # type: ignore[no-untyped-def] # pragma: no cover
    """exp(x), 0 and inf where it leaves the doubles: 2^k exp(r), x = k log 2 + r, |r| <= log(2) / 2."""
    x = min(max(x, -746.0), 710.0)
    shifted = x * 1.4426950408889634 + _ROUND
    k = shifted - _ROUND
    r = (x - k * _LOG2_HIGH) - k * _LOG2_LOW
    series = _EXP_FIRST
    for coefficient in _EXP_REST:
        series = series * r + coefficient
    exponent = _bits(shifted) - _bits(_ROUND)
    half = exponent >> 1  # in two steps, as 2^k itself need not be a double
    return series * _double((half + 1023) << 52) * _double((exponent - half + 1023) << 52)


@elementary
def log1p_unit(t):  # type: ignore[no-untyped-def] # pragma: no cover
    """log(1 + t) for t in [0, 1]: 2 artanh(s), s = t / (2 + t) <= 1/3."""
    s = t / (2.0 + t)
    square = s * s
    series = _ARTANH_FIRST
    for coefficient in _ARTANH_REST:
        series = series * square + coefficient
    return 2.0 * s * series


@elementary
def where(condition, a, b):  # type: ignore[no-untyped-def] # pragma: no cover
    """One of two numbers."""
    return a if condition else b


@elementary
def expit(x):  # type: ignore[no-untyped-def] # pragma: no cover
    """1 / (1 + exp(-x)), with its relative accuracy in both tails."""
    t = exp(-abs(x))
    return (1.0 if x >= 0.0 else t) / (1.0 + t)


@elementary
def softplus(x):  # type: ignore[no-untyped-def] # pragma: no cover
    """log(1 + exp(x)), without overflow and with its relative accuracy in both tails."""
    return max(x, 0.0) + log1p_unit(exp(-abs(x)))


@elementary
def erfcx(x):  # type: ignore[no-untyped-def] # pragma: no cover
    """exp(x^2) erfc(x); from 25 on by its asymptotic series (Abramowitz & Stegun 1964, 7.1.23)."""
    if x < _ERFC_UNTIL:
        return math.exp(x * x) * math.erfc(x)
    square = 0.5 / (x * x)
    series = 0.0
    for k in (11.0, 9.0, 7.0, 5.0, 3.0, 1.0):
        series = -k * square * (1.0 + series)
    return (1.0 + series) / (x * _ROOT_PI)


@elementary
def _stirling(x):  # type: ignore[no-untyped-def] # pragma: no cover
    """What log Gamma(x) is more than (x - 1/2) log x - x + log(2 pi) / 2, and its derivative, for x >= 10."""
    square = 1.0 / (x * x)
    value, slope, power = 0.0, 0.0, 15.0
    for coefficient in _STIRLING:
        value = value * square + coefficient
        slope = slope * square - power * coefficient
        power -= 2.0
    return value / x, slope * square


@elementary
def log_gamma(x):  # type: ignore[no-untyped-def] # pragma: no cover
    """Log Gamma(x) and its derivative, x > 0."""
    value, slope = 0.0, 0.0
    while x < _STIRLING_FROM:
        value -= math.log(x)
        slope -= 1.0 / x
        x += 1.0
    rest, rest_slope = _stirling(x)
    value += (x - 0.5) * math.log(x) - x + _HALF_LOG_2PI + rest
    return value, slope + math.log(x) - 0.5 / x + rest_slope


@elementary
def log_rising(x, m):  # type: ignore[no-untyped-def] # pragma: no cover
    """Log of x (x + 1) ... (x + m - 1) and its derivative in x, for x > 0 and whole m >= 0.

    It is log Gamma(x + m) - log Gamma(x), without the cancellation of that difference for large x.
    """
    value, slope = 0.0, 0.0
    while m > 0.0 and (x < _STIRLING_FROM or m < 2.0):
        value += math.log(x)
        slope += 1.0 / x
        x, m = x + 1.0, m - 1.0
    if m > 0.0:
        low, low_slope = _stirling(x)
        high, high_slope = _stirling(x + m)
        ratio = math.log1p(m / x)
        value += (x - 0.5) * ratio + m * math.log(x + m) - m + (high - low)
        slope += ratio + 0.5 * m / (x * (x + m)) + (high_slope - low_slope)
    return value, slope
