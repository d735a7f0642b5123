"""Thresholds of ordered categories: what a family states about them, as one record.

Thresholds c_1, ..., c_{K-1} that move together are an intercept of eta. So what computes has an intercept, -c_1, as
other families do, and the steps from one threshold to the next as constants of the family: positive ones where the
thresholds are in order, real ones where they are free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayes_glmm.families.link import LINKS
from bayes_glmm.families.parameter import Parameter
from bayes_glmm.families.value import At
from bayes_glmm.names import step
from bayes_glmm.numerics.functions import NUMPY

Comparison = tuple[float, int, int]

# distribution of the prior by link: name, arguments and interquartile range; a normal one for cloglog
_OF_LINK = {
    "logit": ("Logistic", "mu", "s", 2.1972245773),
    "probit": ("Normal", "mu", "sigma", 1.3489795004),
    "cloglog": ("Normal", "mu", "sigma", 1.3489795004),
    "cauchit": ("Cauchy", "alpha", "beta", 2.0),
}


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of a family with K ordered categories.

    Attributes
    ----------
    steps : tuple of str
        The parameters that are distances from one threshold to the next.
    ordered : bool
        Whether they increase; free ones may be in any order.
    priors : function
        ``link -> tuple of str``: the default prior of each threshold at the centre of the columns.
    event, condition : str
        The event whose probability, given the condition, is a function of one threshold, with ``{y}`` for the response.
    rising : bool
        Whether that probability is h(eta - c_k), and not h(c_k - eta).
    sides : function
        ``counts [category] -> (below, above)`` [threshold]: numbers of rows on both sides of each threshold among those
        that it divides.
    comparisons : function
        ``k -> tuple of (sign, start, stop)``: the sums over thresholds j = start, ..., stop - 1, counted from 0, of
        sign (eta - c_j) that make category k certain as all of them grow.
    meaning : str
        What a coefficient refers to, as a sentence; empty for the probability of higher categories.
    """

    steps: tuple[str, ...]
    ordered: bool
    priors: Callable[[str], tuple[str, ...]]
    event: str
    condition: str
    rising: bool
    sides: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    comparisons: Callable[[int], tuple[Comparison, ...]]
    meaning: str = ""


def step_names(categories: int) -> tuple[str, ...]:
    """The names of the steps between the thresholds of that many categories."""
    return tuple(step(k) for k in range(2, categories))


def step_parameter(name: str, ordered: bool) -> Parameter:
    """A step as a parameter of a family; its prior is that of the thresholds."""
    if ordered:
        return Parameter(name, (), "positive", "HalfFlat()", title="distance of two thresholds", middle=1.0)
    return Parameter(name, (), "real", "Flat()", title="difference of two thresholds")


def thresholds_at(at: At, steps: tuple[str, ...]) -> list[Any]:
    """Each threshold less the first."""
    found: list[Any] = [0.0]
    for name in steps:
        found.append(found[-1] + at[name].value)
    return found


def prior_from_quantiles(link: str, quantile: Callable[[float], float]) -> str:
    """The prior of the form of h whose median and quartiles a threshold has under a uniform probability.

    Parameters
    ----------
    link : str
    quantile : function
        From a probability to that quantile of the threshold.
    """
    name, middle, scale, width = _OF_LINK[link]
    low, median, high = (float(quantile(u)) for u in (0.25, 0.5, 0.75))
    return f"{name}({middle}={median + 0.0:.4g}, {scale}={(high - low) / width:.4g})"


def forward(link: str, probability: float) -> float:
    """g(p)."""
    return float(LINKS[link].forward(np.float64(probability), NUMPY))
