"""One list of function names, and two of its namespaces: NumPy and PyTensor.

A link or a log density is written once, as a function of ``f``, one of the namespaces, and so serves the PyMC model and
everything that is computed from draws. :mod:`~bayes_glmm.numerics.series` (derivatives) and
:mod:`~bayes_glmm.numerics.source` (compiled kernels) have two more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import special

from bayes_glmm.numerics import conway_maxwell_forms, tail_integrals

Function = Callable[..., Any]


@dataclass(frozen=True)
class Functions:
    """The elementwise functions that links and densities are written in."""

    exp: Function
    log: Function
    log1p: Function
    expm1: Function
    sqrt: Function
    tan: Function
    arctan2: Function
    erfc: Function
    erfcx: Function
    erfcinv: Function
    expit: Function
    softplus: Function
    gammaln: Function
    maximum: Function
    minimum: Function
    where: Function
    abs: Function
    log_binary: Function
    log_rising: Function
    conway_maxwell: Function
    log_gamma_integral: Function
    log_beta_integral: Function


def completed(**own: Function) -> Functions:
    """A namespace from all its functions but the two that others make up.

    ``log_binary(k, m, x)`` is k log p + m log(1 - p) with logit p = x, accurate in both tails; ``log_rising(x, k)`` is
    log Gamma(x + k) - log Gamma(x), for whole k >= 0. ``conway_maxwell(y, log_mu, log_nu)``, a log density, and the
    integrals of :mod:`~bayes_glmm.numerics.tail_integrals` have a form of their own in each namespace.
    """
    softplus, f = own["softplus"], SimpleNamespace(**own)
    return Functions(
        **own,
        log_binary=lambda k, m, x: -k * softplus(-x) - m * softplus(x),
        log_rising=lambda x, k: log_gamma_ratio(x, k, f),
    )


STIRLING_FROM = 100.0  # from here on the next term is below 1e-17


def log_gamma_ratio(x: Any, k: Any, f: Any) -> Any:
    """Return log Gamma(x + k) - log Gamma(x), for any k > 0.

    The difference of two large log Gammas has few digits: Stirling's series, for large x, has all.
    """
    small, large = f.minimum(x, STIRLING_FROM), f.maximum(x, STIRLING_FROM)
    series = (large - 0.5) * f.log1p(k / large) + k * f.log(large + k) - k + stirling(large + k) - stirling(large)
    return f.where(x > STIRLING_FROM, series, f.gammaln(small + k) - f.gammaln(small))


def stirling(x: Any) -> Any:
    """Return log Gamma(x) - ((x - 1/2) log x - x + log(2 pi) / 2), for large x (Abramowitz & Stegun 1964, 6.1.41)."""
    inverse = 1.0 / x
    square = inverse * inverse
    return inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0)))


_COMPOSED = ("log_binary", "log_rising", "conway_maxwell", "log_gamma_integral", "log_beta_integral")
ELEMENTARY = tuple(name for name in Functions.__dataclass_fields__ if name not in _COMPOSED)


def _softplus(x: Any) -> Any:
    """log(1 + exp(x)) without overflow."""
    return np.logaddexp(0.0, x)


NUMPY = completed(
    exp=np.exp,
    log=np.log,
    log1p=np.log1p,
    expm1=np.expm1,
    sqrt=np.sqrt,
    tan=np.tan,
    arctan2=np.arctan2,
    erfc=special.erfc,
    erfcx=special.erfcx,
    erfcinv=special.erfcinv,
    expit=special.expit,
    softplus=_softplus,
    gammaln=special.gammaln,
    maximum=np.maximum,
    minimum=np.minimum,
    where=np.where,
    abs=np.abs,
    conway_maxwell=conway_maxwell_forms.density,
    log_gamma_integral=lambda k, a, b: tail_integrals.gamma_values(k, a, b)[0],
    log_beta_integral=lambda a, b, x: tail_integrals.beta_values(a, b, x)[0],
)


@cache
def pytensor_functions() -> Functions:
    """The PyTensor namespace; a function because importing PyTensor takes seconds that most callers should not pay."""
    import pytensor.tensor as pt

    from bayes_glmm.numerics.tail_operations import VALUES, function_of

    elementary = {name: getattr(pt, name) for name in ELEMENTARY}
    integrals = {name: function_of(name) for name in VALUES}
    return completed(**elementary, conway_maxwell=conway_maxwell_forms.pytensor_form(), **integrals)


def log_normal_cdf(x: Any, f: Functions) -> Any:
    """Log Phi(x), accurate in both tails, with a finite gradient everywhere.

    Below -1 the scaled complementary error function carries the tail; each branch sees only arguments it is good at, so
    that neither poisons the gradient of the other.
    """
    lower, upper = f.minimum(x, -1.0), f.maximum(x, -1.0)
    tail = f.log(0.5 * f.erfcx(-lower * np.sqrt(0.5))) - 0.5 * lower * lower
    return f.where(x < -1.0, tail, f.log1p(-0.5 * f.erfc(upper * np.sqrt(0.5))))


def log_softplus(x: Any, f: Functions) -> Any:
    """log(log(1 + e^x)), with finite derivatives where log(1 + e^x) is as small as e^x."""
    lower, upper = f.minimum(x, -20.0), f.maximum(x, -20.0)
    # log(1 + e^x) = e^x (1 - e^x / 2 + ...): the next term is below 1e-18
    return f.where(x < -20.0, lower - 0.5 * f.exp(lower), f.log(f.softplus(upper)))


def log_probability_of_some(x: Any, f: Functions) -> Any:
    """log(1 - exp(-e^x)): of at least one event where e^x are expected, with finite derivatives in both tails."""
    lower, upper = f.minimum(x, -4.0), f.minimum(f.maximum(x, -4.0), 7.0)
    rate = f.exp(lower)
    # log((1 - e^-t) / t) = -t / 2 + t^2 / 24 - t^4 / 2880 + ...: the next term is below 3e-16
    tail = lower - 0.5 * rate + rate**2 / 24.0 - rate**2 * rate**2 / 2880.0
    # above 7 it is 0 to the last digit
    return f.where(x < -4.0, tail, f.log(-f.expm1(-f.exp(upper))))


def log_rising_from(log_x: Any, x: Any, k: Any, f: Functions) -> Any:
    """``log_rising(x, k)`` of data k, for an x that may be as small as e^-700, with the logarithm of x."""
    return f.where(k > 0, log_x + f.log_rising(x + 1.0, f.maximum(k - 1.0, 0.0)), 0.0)
