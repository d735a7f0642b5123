"""The functions that kernels are made of: exp, logarithms, error functions, log Gamma with their derivatives.

All but rising factorials are plain arithmetic, which LLVM turns into vector instructions; calls into libm it cannot.
They are right to a few units in the last place (tests/inference/test_kernels_elementary.py, against mpmath).
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
_EXP_REST, _EXP_MIDDLE = tuple(_EXP), tuple(_EXP[:-1])
_ARTANH_FIRST, *_ARTANH = [1.0 / k for k in range(31, 0, -2)]
_ARTANH_REST = tuple(_ARTANH)
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_ROOT_HALF = 0x3FE6A09E667F3BCC  # the bits of the root of 1/2
_SMALLEST, _SCALE, _SCALE_BITS = 2.2250738585072014e-308, 2.0**54, 54.0  # the smallest normal double
_LOG = tuple(2.0 / k for k in range(23, 2, -2))  # log m = 2 s + sum of these times s^k, s = (m - 1) / (m + 1)
_UPPER_HALF = ~0x7FFFFFF  # of the bits of a double: what is left has a square that is a double
# erfcx(x) = t times a polynomial in 2 t - 1, t = 3 / (3 + x), through values at Chebyshev points; its error is 2e-17
_ERFCX_ODD_FIRST = -2.8159509281076503e-10
_ERFCX_ODD_REST = (
    2.9626149638389826e-09,
    -1.7222715872994848e-08,
    7.818223334208088e-08,
    -3.3314597870270045e-07,
    1.5831303440440469e-06,
    -1.0132730174040267e-05,
    9.225928273365532e-05,
    -0.0010113540003986608,
    0.008942411541493538,
    0.1034890873001889,
    0.2944648177232945,
)
_ERFCX_EVEN_FIRST = 3.719707966416795e-12
_ERFCX_EVEN_REST = (
    -1.1971203723870318e-09,
    1.667106728097079e-08,
    -1.3725325306312533e-07,
    9.226037418424269e-07,
    -5.823868584100777e-06,
    3.585392750000691e-05,
    -0.00018276991508258444,
    -0.0004041388738382599,
    0.03984258709565953,
    0.1967427857013695,
    0.3580023023627799,
)
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
def expm1(x):  # type: ignore[no-untyped-def] # pragma: no cover
    """exp(x) - 1, with its relative accuracy near 0: 2^k (exp(r) - 1) + (2^k - 1)."""
    bounded = min(max(x, -746.0), 710.0)
    shifted = bounded * 1.4426950408889634 + _ROUND
    k = shifted - _ROUND
    r = (bounded - k * _LOG2_HIGH) - k * _LOG2_LOW
    series = _EXP_FIRST
    for coefficient in _EXP_MIDDLE:
        series = series * r + coefficient
    exponent = _bits(shifted) - _bits(_ROUND)
    half = exponent >> 1
    first, second = _double((half + 1023) << 52), _double((exponent - half + 1023) << 52)
    value = first * (second * (series * r)) + (first * second - 1.0)
    return value if x == x else x


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
def log(x):  # type: ignore[no-untyped-def] # pragma: no cover
    """log(x): -inf at 0, NaN below; x = 2^k m, m between the root of 1/2 and that of 2."""
    subnormal = x < _SMALLEST
    bits = _bits(x * _SCALE if subnormal else x)
    exponent = (bits - _ROOT_HALF) >> 52
    f = _double(bits - (exponent << 52)) - 1.0
    k = exponent - (_SCALE_BITS if subnormal else 0.0)
    s = f / (2.0 + f)
    square = s * s
    series = 0.0
    for coefficient in _LOG:
        series = series * square + coefficient
    value = k * _LOG2_HIGH + (f - (s * f - (s * square * series + k * _LOG2_LOW)))
    value = x if x == math.inf else -math.inf if x == 0.0 else value
    return value if x >= 0.0 else math.nan


@elementary
def log1p(x):  # type: ignore[no-untyped-def] # pragma: no cover
    """log(1 + x): that of the rounded sum, and what rounding took."""
    u = 1.0 + x
    value = log(u) + (x - (u - 1.0)) / u
    value = x if u == 1.0 else value
    return log(u) if u == 0.0 or u == math.inf else value


@elementary
def _erfcx_above(x):  # type: ignore[no-untyped-def] # pragma: no cover
    """exp(x^2) erfc(x) for x >= 0."""
    t = 3.0 / (3.0 + x)
    z = 2.0 * t - 1.0
    square = z * z
    odd, even = _ERFCX_ODD_FIRST, _ERFCX_EVEN_FIRST
    for coefficient in _ERFCX_ODD_REST:
        odd = odd * square + coefficient
    for coefficient in _ERFCX_EVEN_REST:
        even = even * square + coefficient
    return t * (odd * z + even)


@elementary
def _gauss(x):  # type: ignore[no-untyped-def] # pragma: no cover
    """exp(-x^2), with the digits that rounding takes from the square."""
    upper = _double(_bits(x) & _UPPER_HALF)
    return exp(-upper * upper) * exp((upper - x) * (upper + x))


@elementary
def erfc(x):  # type: ignore[no-untyped-def] # pragma: no cover
    """The complementary error function."""
    size = min(abs(x), 30.0)  # beyond 28 it is 0
    tail = _gauss(size) * _erfcx_above(size)
    value = tail if x >= 0.0 else 2.0 - tail
    return value if x == x else x


@elementary
def erfcx(x):  # type: ignore[no-untyped-def] # pragma: no cover
    """exp(x^2) erfc(x)."""
    above = _erfcx_above(abs(x))
    size = min(abs(x), 30.0)  # below -27 it is infinite
    upper = _double(_bits(size) & _UPPER_HALF)
    value = above if x >= 0.0 else 2.0 * exp(upper * upper) * exp((size - upper) * (size + upper)) - above
    return value if x == x else x


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
    """Log Gamma(x) and its derivative, x > 0; below 10 that of x + 10, less log x (x + 1) ... (x + 9)."""
    small = x < _STIRLING_FROM
    product, slope = 1.0, 0.0
    for k in range(10):
        factor = x + k if small else 1.0
        slope = slope * factor + product
        product *= factor
    z = x + 10.0 if small else x
    rest, rest_slope = _stirling(z)
    log_z = log(z)
    value = (z - 0.5) * log_z - z + _HALF_LOG_2PI + rest - log(product)
    return value, log_z - 0.5 / z + rest_slope - (slope / product if small else 0.0)


@elementary
def log_rising(x, m):  # type: ignore[no-untyped-def] # pragma: no cover
    """Log of x (x + 1) ... (x + m - 1) and its derivative in x, for x > 0 and whole m >= 0.

    It is log Gamma(x + m) - log Gamma(x), without the cancellation of that difference for large x. Below 10 that of
    x + 10, and the log of the ratio of x (x + 1) ... (x + 9) and the same from x + m.
    """
    small = x < _STIRLING_FROM
    # both products and their derivatives in x, so that there are three divisions and not thirty
    below, above, below_slope, above_slope = 1.0, 1.0, 0.0, 0.0
    for k in range(10):
        low, high = (x + k, x + m + k) if small else (1.0, 1.0)
        below_slope, above_slope = below_slope * low + below, above_slope * high + above
        below *= low
        above *= high
    ratio, slope = below / above, below_slope / below - above_slope / above
    z = x + 10.0 if small else x
    low, low_slope = _stirling(z)
    high, high_slope = _stirling(z + m)
    growth = log1p(m / z)
    value = (z - 0.5) * growth + m * log(z + m) - m + (high - low) + log(ratio)
    return value, slope + growth + 0.5 * m / (z * (z + m)) + (high_slope - low_slope)


@elementary
def log_binary(k, m, x):  # type: ignore[no-untyped-def] # pragma: no cover
    """Return k log p + m log(1 - p) with logit p = x, and its derivatives in k, m and x, from the tail that x is in."""
    t = exp(-abs(x))
    rest, total, beyond = log1p_unit(t), k + m, -m if x > 0.0 else k
    tail = total * (t / (1.0 + t))
    slope = beyond + (tail if x > 0.0 else -tail)
    return beyond * x - total * rest, min(x, 0.0) - rest, -max(x, 0.0) - rest, slope
