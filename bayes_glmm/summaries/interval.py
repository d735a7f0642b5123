"""Posterior intervals: equal-tailed, or the shortest (highest density), of any level."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Literal

import numpy as np

from bayes_glmm.errors import SpecError, choices

IntervalKind = Literal["eti", "hdi"]
KINDS = {"eti": "equal-tailed", "hdi": "highest-density"}


@dataclass(frozen=True)
class Interval:
    """A kind of interval and its level.

    Attributes
    ----------
    level : float
        Posterior probability inside, between 0 and 1.
    kind : {"eti", "hdi"}
        Equal-tailed: as much probability below as above. Highest-density: the shortest interval of that level; it
        changes with the scale (that of an odds ratio is not the exponential of that of the log odds ratio).

    Raises
    ------
    SpecError
        For another kind, or a level that is not between 0 and 1.
    """

    level: float = 0.95
    kind: IntervalKind = "eti"

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            number = isinstance(self.kind, Real) and 0 < self.kind < 1
            advice = f"Write level={self.kind}." if number else choices(str(self.kind), KINDS)
            raise SpecError(f"interval must be 'eti' or 'hdi': got {self.kind!r}.", advice=advice)
        check_level(self.level)

    def __str__(self) -> str:
        return f"{100.0 * self.level:g}% {KINDS[self.kind]} interval"

    def ends(self, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower and the upper ends [estimate] of draws [estimate, draw]."""
        return self.ends_of_sorted(np.sort(draws, axis=1))

    def ends_of_sorted(self, ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of draws [estimate, draw] that are in ascending order, NaN last."""
        ends = _shortest(ordered, self.level) if self.kind == "hdi" else _equal_tailed(ordered, self.level)
        unknown = np.isnan(ordered[:, -1])
        return np.where(unknown, np.nan, ends[0]), np.where(unknown, np.nan, ends[1])


def check_level(level: float) -> None:
    """Check that the level of an interval lies between 0 and 1.

    Raises
    ------
    SpecError
    """
    if isinstance(level, Real) and not isinstance(level, bool) and 0.0 < level < 1.0:
        return
    percent = isinstance(level, Real) and 1.0 < level < 100.0
    meant = f"{float(level) / 100.0:g}" if percent else "0.95"
    raise SpecError(f"level must lie between 0 and 1: got {level!r}.", advice=f"Write level={meant}.")


def _equal_tailed(ordered: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    tail = 0.5 * (1.0 - level)
    return _quantile(ordered, tail), _quantile(ordered, 1.0 - tail)


def _quantile(ordered: np.ndarray, probability: float) -> np.ndarray:
    """Linear interpolation between order statistics, as NumPy has it; infinite draws stay apart from finite ones."""
    place = probability * (ordered.shape[1] - 1)
    below = int(place)
    share = place - below
    low, high = ordered[:, below], ordered[:, min(below + 1, ordered.shape[1] - 1)]
    with np.errstate(invalid="ignore", over="ignore"):
        between = low + (high - low) * share
    return np.where((low == high) | (share == 0.0), low, between)


def median_of_sorted(ordered: np.ndarray) -> np.ndarray:
    """The middle order statistic, or the mean of the two in the middle, as NumPy has it."""
    low, high = ordered[:, (ordered.shape[1] - 1) // 2], ordered[:, ordered.shape[1] // 2]
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(low == high, low, 0.5 * (low + high))


def _shortest(ordered: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The shortest of the intervals from one order statistic to another with that share of the draws inside."""
    total = ordered.shape[1]
    steps = min(int(level * total), total - 1)
    with np.errstate(invalid="ignore", over="ignore"):
        widths = ordered[:, steps:] - ordered[:, : total - steps]
    start = np.argmin(np.where(np.isnan(widths), np.inf, widths), axis=1)
    rows = np.arange(len(ordered))
    return ordered[rows, start], ordered[rows, start + steps]
