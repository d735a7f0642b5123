"""Patterns of thresholds: how the distances from one threshold to the next are tied to each other.

Thresholds c_1, ..., c_{K-1} have K - 2 distances between neighbours. A pattern states which of them are equal:

    flexible       each distance is a parameter of its own
    equidistant    all are equal: c_k = c_1 + (k - 1) d
    symmetric      those at the same place from both ends are equal: c_k + c_{K-k} is the same for all k

(Christensen 2019, ordinal: regression models for ordinal data). Three categories have one distance, and all patterns
are the same model. Of four categories, symmetric thresholds are equidistant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayes_glmm.names import THRESHOLD, step

FLEXIBLE = "flexible"
"""The pattern without ties."""


@dataclass(frozen=True)
class Pattern:
    """How the distances between thresholds are tied.

    Attributes
    ----------
    name : str
        As written in a call or a config.
    distances : function
        ``number of distances -> tuple of int``: of each distance the first one that it is equal to, counted from 0.
    own : str
        The variable in draws of the parameter that describes the pattern; empty where there is none.
    title : str
        That parameter in prose.
    value : function
        ``thresholds [..., threshold] -> array [...]``: its value.
    equation : str
        The pattern as the printed model writes it, with ``{first}``, ``{second}`` and ``{last}`` for names of
        thresholds; empty where there is none.
    """

    name: str
    distances: Callable[[int], tuple[int, ...]]
    own: str = ""
    title: str = ""
    value: Callable[[np.ndarray], np.ndarray] = lambda thresholds: thresholds[..., 0]
    equation: str = ""

    def steps(self, categories: int) -> tuple[str, ...]:
        """The parameter that is the distance from each threshold to the next, of that many categories."""
        return tuple(step(place + 2) for place in self.distances(max(categories - 2, 0)))

    def ties(self, categories: int) -> bool:
        """Whether two distances are tied, with that many categories."""
        names = self.steps(categories)
        return len(set(names)) < len(names)


PATTERNS: dict[str, Pattern] = {
    one.name: one
    for one in (
        Pattern(FLEXIBLE, lambda count: tuple(range(count))),
        Pattern(
            "equidistant",
            lambda count: (0,) * count,
            own=f"{THRESHOLD}_distance",
            title="distance of neighbouring thresholds",
            value=lambda thresholds: thresholds[..., 1] - thresholds[..., 0],
            equation="threshold[{second}] − threshold[{first}] = … = threshold_distance",
        ),
        Pattern(
            "symmetric",
            lambda count: tuple(min(k, count - 1 - k) for k in range(count)),
            own=f"{THRESHOLD}_middle",
            title="middle of the thresholds",
            value=lambda thresholds: 0.5 * (thresholds[..., 0] + thresholds[..., -1]),
            equation="threshold[{first}] + threshold[{last}] = … = 2 threshold_middle",
        ),
    )
}
"""By name."""
