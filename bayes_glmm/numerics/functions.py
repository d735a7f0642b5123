"""One list of function names, and two of its namespaces: NumPy and PyTensor.

A link or a log density is written once, as a function of ``f``, one of the namespaces, and so serves the PyMC model and
everything that is computed from draws. :mod:`~bayes_glmm.numerics.series` (derivatives) and
:mod:`~bayes_glmm.numerics.source` (compiled kernels) have two more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import special

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


def completed(**own: Function) -> Functions:
    """A namespace from all its functions but the two that others make up.

    ``log_binary(k, m, x)`` is k log p + m log(1 - p) with logit p = x, accurate in both tails; ``log_rising(x, k)`` is
    log Gamma(x + k) - log Gamma(x), for whole k >= 0.
    """
    softplus, gammaln = own["softplus"], own["gammaln"]
    return Functions(
        **own,
        log_binary=lambda k, m, x: -k * softplus(-x) - m * softplus(x),
        log_rising=lambda x, k: gammaln(x + k) - gammaln(x),
    )


ELEMENTARY = tuple(name for name in Functions.__dataclass_fields__ if name not in ("log_binary", "log_rising"))


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
)


@cache
def pytensor_functions() -> Functions:
    """The PyTensor namespace; a function because importing PyTensor takes seconds that most callers should not pay."""
    import pytensor.tensor as pt

    return completed(**{name: getattr(pt, name) for name in ELEMENTARY})


def log_normal_cdf(x: Any, f: Functions) -> Any:
    """Log Phi(x), accurate in both tails, with a finite gradient everywhere.

    Below -1 the scaled complementary error function carries the tail; each branch sees only arguments it is good at, so
    that neither poisons the gradient of the other.
    """
    lower, upper = f.minimum(x, -1.0), f.maximum(x, -1.0)
    tail = f.log(0.5 * f.erfcx(-lower * np.sqrt(0.5))) - 0.5 * lower * lower
    return f.where(x < -1.0, tail, f.log1p(-0.5 * f.erfc(upper * np.sqrt(0.5))))
