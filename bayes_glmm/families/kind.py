"""Kinds of responses: what the values may be, and what follows from that, whatever the distribution is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class ResponseKind:
    """The kind of a response: reading, checks and figures follow from it.

    Attributes
    ----------
    name : str
    support : function
        ``(values, trials) -> bool array [row]``, True in rows that are impossible.
    support_text : str
        The support in words, for messages.
    range : {"real", "positive", "unit"}
        Where the mean lies.
    discrete : bool
        Whether it takes separate values.
    events : bool
        Whether it counts events of a known number of trials, so that its mean is their probability.
    trials : bool
        Whether each row has a number of trials.
    ordered : bool
        Whether it is one of several ordered categories, numbered 1, 2, ...
    nominal : bool
        Whether it is one of several categories without an order, whose numbers 1, 2, ... have no mean.
    first : int
        Of counts: the smallest that there can be.
    advice : str
        What to do with rows outside the support.
    masses : tuple of float
        Of a response that is not discrete: the values that have a probability of their own, in increasing order.
    """

    name: str
    support: Callable[[np.ndarray, np.ndarray | None], np.ndarray]
    support_text: str
    range: Literal["real", "positive", "unit"]
    discrete: bool = False
    events: bool = False
    trials: bool = False
    ordered: bool = False
    nominal: bool = False
    first: int = 0
    advice: str = "Correct these rows or choose another family."
    masses: tuple[float, ...] = ()

    @property
    def has_zeros(self) -> bool:
        """Whether it is a number above 0, or 0 with a probability of its own: zeros are worth counting."""
        return (self.is_count and self.first == 0) or 0.0 in self.masses

    @property
    def least(self) -> float:
        """The number that no response is below."""
        return -math.inf if self.range == "real" else float(self.first)

    @property
    def most(self) -> float:
        """The number that no response is above."""
        return 1.0 if self.range == "unit" and not self.trials else math.inf

    @property
    def is_binary(self) -> bool:
        """Whether it is one event that happens or does not."""
        return self.events and not self.trials

    @property
    def of_latent(self) -> bool:
        """Whether it says between which thresholds a latent variable lies: an event, or an ordered category."""
        return self.events or self.ordered

    @property
    def is_count(self) -> bool:
        """Whether it is a number without a largest one."""
        return self.discrete and self.range == "positive"

    @property
    def counted(self) -> bool:
        """Whether it is a number of things: successes of trials, or a count."""
        return self.trials or self.is_count


def _not_successes(y: np.ndarray, trials: np.ndarray | None) -> np.ndarray:
    n = 1 if trials is None else trials
    return ~(np.isfinite(y) & (y >= 0) & (y == np.floor(y)) & (y <= n))


REAL = ResponseKind("real", lambda y, trials: ~np.isfinite(y), "finite numbers", "real")
POSITIVE = ResponseKind("positive", lambda y, trials: ~(np.isfinite(y) & (y > 0)), "numbers above 0", "positive")
NONNEGATIVE = ResponseKind(
    "nonnegative", lambda y, trials: ~(np.isfinite(y) & (y >= 0)), "numbers of 0 and above", "positive", masses=(0.0,)
)
FRACTION = ResponseKind("fraction", lambda y, trials: ~((y > 0) & (y < 1)), "numbers strictly between 0 and 1", "unit")
CLOSED_FRACTION = ResponseKind(
    "closed_fraction",
    lambda y, trials: ~((y >= 0) & (y <= 1)),
    "numbers between 0 and 1, ends included",
    "unit",
    masses=(0.0, 1.0),
)
BINARY = ResponseKind("binary", _not_successes, "0 and 1", "unit", discrete=True, events=True)
SUCCESSES = ResponseKind(
    "successes",
    _not_successes,
    "whole numbers of successes between 0 and the number of trials",
    "unit",
    discrete=True,
    events=True,
    trials=True,
)
COUNT = ResponseKind(
    "count",
    lambda y, trials: ~(np.isfinite(y) & (y >= 0) & (y == np.floor(y))),
    "whole numbers 0, 1, 2, ...",
    "positive",
    discrete=True,
)
POSITIVE_COUNT = ResponseKind(
    "positive_count",
    lambda y, trials: ~(np.isfinite(y) & (y >= 1) & (y == np.floor(y))),
    "whole numbers 1, 2, 3, ...",
    "positive",
    discrete=True,
    first=1,
    advice="Correct these rows, or choose a family with zeros: hurdle_poisson, hurdle_negative_binomial.",
)
ORDERED = ResponseKind(
    "ordered",
    lambda y, trials: ~(np.isfinite(y) & (y >= 1) & (y == np.floor(y))),
    "ordered categories",
    "real",
    discrete=True,
    ordered=True,
)
UNORDERED = ResponseKind("unordered", ORDERED.support, "categories", "real", discrete=True, nominal=True)
