r"""Two integrals from which the tails of many distributions follow, accurate to about 1e-13 wherever a tail is small.

    log_gamma_integral(k, a, b)     log of the integral of exp(-k d - a (e^d - 1) - b (e^-d - 1)) over d > 0
    log_beta_integral(a, b, x)      log of the integral of p(x - d)^a q(x - d)^b / (p(x)^a q(x)^b) over d > 0

with p(x) = 1 / (1 + e^-x) and q = 1 - p. They are tails of a gamma or inverse Gaussian variate in its logarithm, and of
a beta one in its logit, relative to the density where the tail begins. Their integrands are log-concave: from that end
on they fall if it is beyond the mode, as callers see to. So 40 Gauss-Legendre nodes serve up to where an integrand is
e^-38, which Newton's steps from above find. Nodes stay where they are as derivatives are taken: those of the sum are
sums of derivatives.

Each namespace has a form: NumPy's with slopes, that of power series and JAX (:func:`forms`), operations of PyTensor
(:mod:`~bayes_glmm.numerics.tail_operations`), and a compiled one (:mod:`bayes_glmm.inference.kernels.tail_integrals`).
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import special

DROP = 38.0  # e^-38 is below the last digit
GAMMA_STEPS, BETA_STEPS = 4, 7  # of Newton, from bounds that are at most three times the end
_ON_SQUARE = np.polynomial.legendre.leggauss(40)
NODES, WEIGHTS = 0.5 * (_ON_SQUARE[0] + 1.0), 0.5 * _ON_SQUARE[1]
LEAST = 1e-300
_BLOCK = 4096  # rows at once, so that the nodes of all fit a cache


def _first_root(slope: Any, curvature: Any, f: Any) -> Any:
    """The distance d at which slope d + curvature d^2 / 2 reaches the drop, without overflow."""
    slope = f.maximum(slope, 0.0)
    root = f.sqrt(2.0 * DROP * curvature)
    size = f.maximum(f.maximum(slope, root), LEAST)
    return 2.0 * DROP / (slope + size * f.sqrt((slope / size) ** 2 + (root / size) ** 2))


def gamma_length(k: Any, a: Any, b: Any, f: Any) -> Any:
    """The point at which the integrand of the first is e^-38."""
    slope = k + a - b
    end = _first_root(slope, a, f)  # as e^d - 1 >= d + d^2 / 2 and 1 - e^-d <= d
    near = _first_root(slope, 0.72 * b, f)  # as 1 - e^-d <= d - 0.36 d^2 up to d = 1
    end = f.where(near < 1.0, f.minimum(near, end), end)
    # both terms of a falling integrand bound it by themselves
    most = (DROP + b) / f.maximum(f.abs(k), LEAST)
    far = f.minimum(most, f.log1p((DROP + b) / f.maximum(a, LEAST)))
    end = f.where(k > 0.0, f.minimum(end, far), end)
    for _ in range(GAMMA_STEPS):
        up, down = f.expm1(end), f.expm1(-end)
        end = end - (k * end + a * up + b * down - DROP) / (k + a * (up + 1.0) - b * (down + 1.0))
    return end


def beta_length(a: Any, b: Any, x: Any, f: Any) -> Any:
    """The point at which the integrand of the second is e^-38."""
    sign, small = f.where(x > 0.0, 1.0, -1.0), f.expit(-f.abs(x))
    rise, total = f.where(x > 0.0, b, -a), a + b

    def fall(d: Any) -> tuple[Any, Any]:
        """Fall of the log of the integrand at d, and its rate."""
        change = f.expm1(sign * d)
        return total * f.log1p(small * change) - rise * d, total * sign * small * (change + 1.0) / (
            1.0 + small * change
        ) - rise

    p, q = f.expit(x), f.expit(-x)
    end = _first_root(a * q - b * p, total * p * q * np.exp(-1.0), f)  # p q is at least a third of that up to d = 1
    fallen, rate = fall(1.0)
    tangent = 1.0 + f.maximum(DROP - fallen, 0.0) / f.maximum(rate, LEAST)
    end = f.where(end > 1.0, tangent, end)
    for _ in range(BETA_STEPS):
        fallen, rate = fall(end)
        end = end - (fallen - DROP) / rate
    return end


def forms(
    f: Any, still: Callable[[Any], Any], wide: Callable[[Any], Any], total: Callable[[Any], Any]
) -> dict[str, Any]:
    """Return both functions in a namespace of arrays.

    Parameters
    ----------
    f : namespace
        With the elementary functions.
    still : function
        What takes derivatives away.
    wide : function
        Adds an axis for the nodes.
    total : function
        The sum over that axis.
    """

    def log_gamma_integral(k: Any, a: Any, b: Any) -> Any:
        length = gamma_length(still(k), still(a), still(b), f)
        d = wide(length) * NODES
        exponent = -1.0 * (wide(k) * d + wide(a) * f.expm1(d) + wide(b) * f.expm1(-d))
        return f.log(length) + f.log(total(f.exp(exponent) * WEIGHTS))

    def log_beta_integral(a: Any, b: Any, x: Any) -> Any:
        at = still(x)
        length = beta_length(still(a), still(b), at, f)
        d = wide(length) * NODES
        sign, a, b, x = wide(f.where(at > 0.0, 1.0, -1.0)), wide(a), wide(b), wide(x)
        # in the smaller of p and q, of which log(1 - p (1 - e^-d)) and log(1 + q (e^d - 1)) have all digits
        rise = f.where(sign > 0.0, b, -1.0 * a) * d
        exponent = rise - (a + b) * f.log1p(f.expit(-1.0 * sign * x) * f.expm1(sign * d))
        return f.log(length) + f.log(total(f.exp(exponent) * WEIGHTS))

    return {"log_gamma_integral": log_gamma_integral, "log_beta_integral": log_beta_integral}


_PLAIN = SimpleNamespace(
    **{name: getattr(np, name) for name in ("maximum", "minimum", "where", "abs", "sqrt", "expm1", "log1p")},
    expit=special.expit,
)


def gamma_values(k: Any, a: Any, b: Any) -> np.ndarray:
    """Return the first and its derivatives in k, a and b [4, ...]."""

    def block(k: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, ...]:
        length = gamma_length(k, a, b, _PLAIN)
        d = length * NODES[:, None]
        up, down = np.expm1(d), np.expm1(-d)
        mass = np.exp(-(k * d + a * up + b * down)) * WEIGHTS[:, None]
        whole = mass.sum(axis=0)
        return np.log(length * whole), *(-(mass * by).sum(axis=0) / whole for by in (d, up, down))

    return _in_blocks(block, k, a, b)


def beta_values(a: Any, b: Any, x: Any) -> np.ndarray:
    """Return the second and its derivatives in a, b and x [4, ...]."""

    def block(a: np.ndarray, b: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, ...]:
        length = beta_length(a, b, x, _PLAIN)
        d = length * NODES[:, None]
        positive, sign, small = x > 0.0, np.where(x > 0.0, 1.0, -1.0), special.expit(-np.abs(x))
        change = np.expm1(sign * d)
        log_ratio = np.log1p(small * change)
        of_a, of_b = np.where(positive, 0.0, -d) - log_ratio, np.where(positive, d, 0.0) - log_ratio
        of_x = (a + b) * sign * small * (1.0 - small) * change / (1.0 + small * change)
        mass = np.exp(np.where(positive, b, -a) * d - (a + b) * log_ratio) * WEIGHTS[:, None]
        whole = mass.sum(axis=0)
        return np.log(length * whole), *((mass * by).sum(axis=0) / whole for by in (of_a, of_b, of_x))

    return _in_blocks(block, a, b, x)


def _in_blocks(function: Callable[..., tuple[np.ndarray, ...]], *arguments: Any) -> np.ndarray:
    arrays = np.broadcast_arrays(*(np.asarray(one, float) for one in arguments))
    flat = [np.ravel(one) for one in arrays]
    found = np.empty((4, flat[0].size))
    with np.errstate(all="ignore"):
        for start in range(0, flat[0].size, _BLOCK):
            rows = slice(start, start + _BLOCK)
            found[:, rows] = function(*(one[rows] for one in flat))
    return found.reshape(4, *arrays[0].shape)
