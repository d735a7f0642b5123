"""Free coordinates: constants on the whole real line, by where they lie. One record a support."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Free:
    """A change from a number a in some range to x on the real line.

    Attributes
    ----------
    name : str
        What x is of a; empty for a itself.
    forward, back : function
        ``a -> x`` and ``x -> a``; the last without overflow.
    slope : function
        ``a -> da / dx``.
    bend : function
        ``a -> d log(da / dx) / dx``.
    inside : function
        ``a -> bool``: whether a number is in the range, ends excluded.
    """

    name: str
    forward: Callable[[float], float]
    back: Callable[[float], float]
    slope: Callable[[float], float]
    bend: Callable[[float], float]
    inside: Callable[[float], bool]


def _exp(x: float) -> float:
    return math.exp(min(x, 700.0))


def _expit(x: float) -> float:
    t = math.exp(-abs(x))
    return (1.0 if x >= 0.0 else t) / (1.0 + t)


FREE: dict[str, Free] = {
    "positive": Free(
        "log",
        forward=math.log,
        back=_exp,
        slope=lambda a: a,
        bend=lambda a: 1.0,
        inside=lambda a: 0.0 < a < math.inf,
    ),
    "unit": Free(
        "logit",
        forward=lambda a: math.log(a) - math.log1p(-a),
        back=_expit,
        slope=lambda a: a * (1.0 - a),
        bend=lambda a: 1.0 - 2.0 * a,
        inside=lambda a: 0.0 < a < 1.0,
    ),
    "real": Free(
        "",
        forward=lambda a: a,
        back=lambda x: x,
        slope=lambda a: 1.0,
        bend=lambda a: 0.0,
        inside=math.isfinite,
    ),
}
"""By the support of a parameter."""

KINDS = {support: kind for kind, support in enumerate(FREE)}
"""Numbers of the supports, for compiled code."""
