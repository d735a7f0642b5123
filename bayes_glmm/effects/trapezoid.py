r"""The trapezoidal rule on the whole line, for averages over a standard normal Z.

    E[h(eta + s Z)]  ~  step * sum_k h(eta + s z_k) phi(z_k),      z_k = k step,

which converges exponentially (Trefethen & Weideman 2014, theorem 5.1). Shift the line by i d: the error is about
exp(d^2 / 2 - 2 pi d / step), and d may go up to the poles of h, d = strip / s. Asking for exp(-28) there gives the
step; it shrinks as strip / s, so the cost grows in proportion to s. Where the mean is small the mass of the integrand
lies further up, by at most s times the slope of log h, and the nodes reach that much further: that keeps the relative
accuracy.

Measured against mpmath, the relative error stays below 1e-11 for logit, cloglog and cauchit with s from 0 to 10.
Gauss-Hermite is no match at large s: poles of h at strip / s from the real axis hold it to exp(-c sqrt(n)).
Nodes for E[expit(1 + 10 Z)] to a given relative error:

    ============= ====== ====== ====== ======
    rule            1e-4   1e-6   1e-8  1e-10
    ============= ====== ====== ====== ======
    trapezoid         29     59    109    129
    Gauss-Hermite    180    248    850   1350
    ============= ====== ====== ====== ======

(with 2 Z in place of 10 Z: 9, 17, 21, 29 against 12, 27, 42, 65).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from bayes_glmm.effects.kernel import logit_sums
from bayes_glmm.families import Link

DIGITS = 28.0  # the error asked for is exp(-28) = 7e-13
LONGEST_STEP = 0.8  # exp(-2 pi^2 / 0.8^2) = 4e-14: the limit that phi alone sets
REACH = 8.5  # the mass of phi beyond is 2e-17
RUNGS = 4  # steps are 0.8 * 2^(-j / 4): all elements on one rung share nodes and weights
BLOCK = 8192  # elements at a time: a few arrays of this length stay in the cache
FARTHEST = 38.0  # phi underflows beyond
SHORTEST_STEP = 7e-4  # about 24,000 nodes; sd 900 under the logit. Beyond, the error grows to the order of the step.
PLANE_DIGITS, PLANE_REACH = 15.0, 5.5  # of a product of two rules: 3e-7 of the size of the function
# Half-widths where h has no pole but what is made of it is not bounded: Phi grows as exp(y^2 / 2) at distance y from
# the real axis, and exp(-e^x), the probability of a zero, is bounded up to pi / 2
_STRIPS = {"log": math.pi / 2.0, "sqrt": 1.0, "probit": 1.0}
COMPILE_FROM = 20_000_000  # evaluations of h from which the compiled kernel pays for its compilation

Integrand = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Fine:
    """Fineness of a rule.

    Attributes
    ----------
    digits : float
        The error asked for is exp(-digits).
    reach : float
        Where the nodes end.
    further : float
        How much further they reach per unit of the sd, which keeps the relative accuracy of small averages.
    """

    digits: float = DIGITS
    reach: float = REACH
    further: float = 2.0

    def last(self, widest: float) -> float:
        """The last node for sds up to the widest: exp(2 eta) puts the peak at z = 2 sd."""
        return self.reach + self.further * min(widest, 0.5 * FARTHEST)


def trapezoid(
    link: Link, function: Integrand, eta: np.ndarray, sd: np.ndarray, shift: np.ndarray, bend: Any = 1.0
) -> np.ndarray:
    """The rule of the module's docstring, for a function that rises from 0 to at most 1.

    ``shift`` bounds how far up eta + sd * z the integrand peaks; ``bend`` is the curvature of its logarithm in z, where
    that is more than the 1 of phi.
    """
    shape = eta.shape
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        step = step_for(link.strip / sd, bend)
        extra = np.minimum(shift / sd, FARTHEST)
    rung = np.where(sd > 0.0, np.ceil(RUNGS * np.log2(LONGEST_STEP / step) - 1e-9), -1.0).astype(np.int16).ravel()
    eta, sd, extra = eta.ravel(), sd.ravel(), extra.ravel()
    result = np.empty(eta.size)
    for j in np.flatnonzero(np.bincount(rung + 1)) - 1:
        chosen = np.flatnonzero(rung == j)
        if j < 0:  # no variance
            result[chosen] = function(eta[chosen])
            continue
        nodes, weights = _rule(int(j), math.ceil(extra[chosen].max()))
        count = ((REACH + extra[chosen] - nodes[0]) / (nodes[1] - nodes[0])).astype(np.int64) + 1
        if link.name == "logit" and count.sum() > COMPILE_FROM:
            result[chosen] = logit_sums(eta[chosen], sd[chosen], nodes, weights, count)
            continue
        order = np.argsort(count, kind="stable")
        for start in range(0, chosen.size, BLOCK):
            block = chosen[order[start : start + BLOCK]]
            terms = count[order[start : start + BLOCK]].max()
            result[block] = _sum(function, eta[block], sd[block], nodes[:terms], weights)
    result[np.isnan(sd)] = np.nan
    return result.reshape(shape)


def _sum(function: Integrand, eta: np.ndarray, sd: np.ndarray, nodes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    total = np.zeros_like(eta)
    for z, weight in zip(nodes, weights, strict=False):
        total += weight * function(eta + sd * z)
    return total


def step_for(pole: np.ndarray, bend: Any, digits: float = DIGITS) -> np.ndarray:
    """The longest step whose error is exp(-digits): 2 pi d / step - bend d^2 / 2 = digits at the best d <= pole."""
    d = np.minimum(pole, np.sqrt(2.0 * digits / bend))
    step = 2.0 * math.pi * d / (digits + 0.5 * bend * d * d)
    longest = LONGEST_STEP * math.sqrt(DIGITS / digits)
    return np.clip(step, SHORTEST_STEP, longest / np.sqrt(bend))


@lru_cache(maxsize=256)
def _rule(rung: int, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes from -REACH to REACH + shift, and weights step * phi(node)."""
    step = LONGEST_STEP * 2.0 ** (-rung / RUNGS)
    nodes = step * np.arange(-math.ceil(REACH / step), math.ceil((REACH + shift) / step) + 1)
    return nodes, step * np.exp(-0.5 * nodes * nodes) / math.sqrt(2.0 * math.pi)


def expectation(function: Integrand, link: Link, eta: np.ndarray, sd: np.ndarray, narrow: float = 1.0) -> np.ndarray:
    """E[f(eta + sd Z)] for f made of squares and products of the link's h, by the same rule, elementwise.

    Parameters
    ----------
    function : array -> array
        Called with arrays of the shape of ``eta``.
    link : Link
        With a strip above 0.
    eta, sd : array of one shape
    narrow : float
        How many times narrower than the link's the strip is in which f is analytic and bounded.
    """
    total: Any = np.zeros_like(eta)
    for z, weight in line(link, float(sd.max(initial=0.0)), narrow=narrow):
        total = total + weight * function(eta + sd * z)
    return total


def plane_expectation(
    function: Callable[..., np.ndarray], links: Sequence[Link], eta: Sequence[np.ndarray], V: np.ndarray
) -> np.ndarray:
    """E[f(eta1 + u1, eta2 + u2)], (u1, u2) ~ N(0, V), by the product of two rules over u = L z, V = L L'.

    To some 1e-7 of the size of f, far below what draws tell: nodes cost the square of what they do for one rule.

    Parameters
    ----------
    function : (array, array) -> array
        Called with arrays of the shape of each ``eta``.
    links : two Links
        With strips above 0.
    eta : two arrays of one shape
    V : array [..., 2, 2]
        Of that shape; it may be singular.
    """
    first = np.sqrt(np.maximum(V[..., 0, 0], 0.0))
    across = np.divide(V[..., 1, 0], first, out=np.zeros_like(first), where=first > 0.0)
    second = np.sqrt(np.maximum(V[..., 1, 1] - across**2, 0.0))
    widest = max(float(first.max(initial=0.0)), float(np.sqrt(V[..., 1, 1]).max(initial=0.0)))
    narrow = min(links, key=strip_of)
    wide, fine = float(second.max(initial=0.0)), (PLANE_DIGITS, PLANE_REACH)
    lines = list(line(narrow, widest, *fine)), list(line(links[1], wide, *fine))
    total: Any = np.zeros_like(eta[0])
    for z, weight in lines[0]:
        own, moved = eta[0] + first * z, eta[1] + across * z
        for w, other in lines[1]:
            total = total + weight * other * function(own, moved + second * w)
    return total


def strip_of(link: Link) -> float:
    """Half-width of the strip in which functions of an h are bounded."""
    return _STRIPS.get(link.name, link.strip)


def line(
    link: Link, widest: float, digits: float = DIGITS, reach: float = REACH, narrow: float = 1.0
) -> Iterator[tuple[float, float]]:
    """Nodes and weights of the rule for functions of an h, for sds up to the widest."""
    step = float(step_for(np.asarray(strip_of(link) / narrow / max(widest, 1e-300)), 1.0, digits))
    last = math.ceil((reach + 2.0 * min(widest, 0.5 * FARTHEST)) / step)  # exp(2 eta) puts the peak at z = 2 sd
    for z in step * np.arange(-last, last + 1):
        yield float(z), step * math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
