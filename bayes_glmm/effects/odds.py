r"""Averages of the probabilities of ordered categories under the logit link, for many rows and draws, compiled.

At threshold j the odds of the higher side are e^(l_j + s Z), Z ~ N(0, 1), so one exponential per node serves all
thresholds, and each node all categories: a family states how odds make probabilities, ``Thresholds.from_odds``. The
rule is that of :mod:`~bayes_glmm.effects.trapezoid`, with steps on the rungs of its ladder.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from bayes_glmm.effects.trapezoid import COMPILE_FROM, DIGITS, LONGEST_STEP, RUNGS, Fine, step_for

TILE = 256  # nodes that are worked on together, so that they stay in the cache
_LARGEST = 650.0  # of log odds at a node, and of their sums: e to this is a double
_CERTAIN = 40.0  # log odds of what is certain


def within(logits: np.ndarray, sd: np.ndarray, fine: Fine, powers: int) -> tuple[np.ndarray, np.ndarray]:
    """Log odds that are cut off where they make no difference, and the draws whose odds are doubles at all nodes.

    Parameters
    ----------
    logits, sd, fine
        As :func:`average_by_odds`.
    powers : int
        The highest power of the odds that probabilities are made of.
    """
    moves = sd.max(axis=1, initial=0.0)
    moves = moves * np.array([fine.last(float(one)) for one in moves])
    if powers == 1:  # probabilities of single thresholds are 0 or 1 in double precision at all nodes from there
        most = (_CERTAIN + moves)[:, None]
        logits = np.clip(logits, -most, most)
    sizes = np.nanmax(np.abs(logits), axis=(0, 2), initial=0.0)
    return logits, np.flatnonzero(powers * (sizes + moves) < _LARGEST)


def average_by_odds(
    from_odds: Callable[..., None],
    logits: np.ndarray,
    sd: np.ndarray,
    strip: float,
    fine: Fine,
) -> np.ndarray | None:
    """Probabilities averaged over l + s Z [category, draw, row]; None where compiled code does not pay.

    Parameters
    ----------
    from_odds : function
        ``Thresholds.from_odds``.
    logits : array [threshold, draw, row]
        Log odds of the higher side at Z = 0.
    sd : array [draw, row] or [draw, 1]
    strip : float
        Half-width of the strip in which probabilities are bounded, as functions of one logit.
    fine : Fine
    """
    longest = LONGEST_STEP * math.sqrt(DIGITS / fine.digits)
    with np.errstate(divide="ignore"):
        step = step_for(strip / sd, 1.0, fine.digits)
    rung = np.where(sd > 0.0, np.ceil(RUNGS * np.log2(longest / step) - 1e-9), 0.0).astype(np.int64)
    widest_on = np.zeros(int(rung.max(initial=0)) + 1)
    np.maximum.at(widest_on, rung.ravel(), sd.ravel())
    rules = [_rule(longest * 2.0 ** (-j / RUNGS), fine.last(float(own))) for j, own in enumerate(widest_on)]
    counts = np.array([len(nodes) for nodes, _ in rules])
    total = float(counts[rung].sum()) * (logits[0].size / max(rung.size, 1)) * len(logits)
    if total < COMPILE_FROM:
        return None
    padded = np.zeros((2, len(rules), counts.max()))
    for j, rule in enumerate(rules):
        padded[:, j, : counts[j]] = rule
    result: np.ndarray = _compiled(from_odds)(np.exp(logits), np.ascontiguousarray(sd), rung, padded, counts)
    return result


def _rule(step: float, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights."""
    last = math.ceil(reach / step)
    nodes = step * np.arange(-last, last + 1)
    return nodes, step * np.exp(-0.5 * nodes * nodes) / math.sqrt(2.0 * math.pi)


@cache
def _compiled(from_odds: Callable[..., None]) -> Callable[..., Any]:
    import numba

    options = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": {"reassoc", "contract"}}
    shares_of = numba.njit(**options)(from_odds)

    @numba.njit(**options)
    def average(odds, sd, rung, rules, counts):  # type: ignore[no-untyped-def] # pragma: no cover
        thresholds, draws, rows = odds.shape
        result = np.zeros((thresholds + 1, draws, rows))
        at, shares, left = np.empty((thresholds, TILE)), np.empty((thresholds + 1, TILE)), np.empty(TILE)
        factors = np.empty(rules.shape[2])
        for d in range(draws):
            for i in range(rows):
                same = min(i, sd.shape[1] - 1)
                s, j = sd[d, same], rung[d, same]
                if i == 0 or s != sd[d, min(i - 1, sd.shape[1] - 1)]:
                    factors[0] = math.exp(s * rules[0, j, 0])
                    ratio = math.exp(s * (rules[0, j, 1] - rules[0, j, 0]))
                    for m in range(1, counts[j]):  # equal steps
                        factors[m] = factors[m - 1] * ratio
                for start in range(0, counts[j], TILE):
                    points = min(TILE, counts[j] - start)
                    for t in range(thresholds):
                        own = odds[t, d, i]
                        for m in range(points):
                            at[t, m] = own * factors[start + m]
                    shares_of(at, shares, left, points)
                    for k in range(thresholds + 1):
                        total = 0.0
                        for m in range(points):
                            total += rules[1, j, start + m] * shares[k, m]
                        result[k, d, i] += total
        return result

    return average
