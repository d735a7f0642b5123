"""Thresholds of ordered categories: what a family states about them, as one record.

Thresholds c_1, ..., c_{K-1} that move together are an intercept of eta. So what computes has an intercept, -c_1, as
other families do, and the steps from one threshold to the next as constants of the family: positive ones where the
thresholds are in order, real ones where they are free. A pattern (:mod:`~bayes_glmm.families.patterns`) gives several
steps one constant. Where the family has a discrimination, disc, it multiplies c_k - eta.

Where effects differ between thresholds, threshold k has a parameter cs_k with a predictor of these columns, and c_k -
cs_k takes the place of c_k.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayes_glmm.families.link import LINKS
from bayes_glmm.families.parameter import DISC, Parameter
from bayes_glmm.families.patterns import FLEXIBLE, PATTERNS
from bayes_glmm.families.value import At
from bayes_glmm.names import SPECIFIC, specific
from bayes_glmm.numerics.functions import NUMPY

Comparison = tuple[float, int, int]

# distribution of the prior by link: name, arguments and interquartile range; a normal one for cloglog
_OF_LINK = {
    "logit": ("Logistic", "mu", "s", 2.1972245773),
    "probit": ("Normal", "mu", "sigma", 1.3489795004),
    "cloglog": ("Normal", "mu", "sigma", 1.3489795004),
    "cauchit": ("Cauchy", "alpha", "beta", 2.0),
}


_LARGEST = {"cloglog": 700.0}  # whose e^eta is a double
_PREDICTOR = Parameter("mu", ("logit", "probit", "cloglog", "cauchit"), "unit")


@dataclass(frozen=True)
class Form:
    """What distinguishes the families of ordered categories that have one name.

    Attributes
    ----------
    categories : int
        2 at least.
    pattern : str
        A name in ``PATTERNS``.
    disc : bool
        Whether there is a discrimination, which has a formula then.
    specific : bool
        Whether there are effects that differ between thresholds.
    """

    categories: int = 2
    pattern: str = FLEXIBLE
    disc: bool = False
    specific: bool = False

    @property
    def steps(self) -> tuple[str, ...]:
        """The parameter that is the distance from each threshold to the next; one that several share is repeated."""
        return PATTERNS[self.pattern].steps(self.categories)

    @property
    def suffix(self) -> str:
        """What follows the name of the family in its key: "5", "5_equidistant_disc"."""
        pattern = f"_{self.pattern}" if PATTERNS[self.pattern].ties(self.categories) else ""
        words = (DISC.name if self.disc else "", SPECIFIC if self.specific else "")
        return "_".join(filter(None, (f"{self.categories}{pattern}", *words)))

    @property
    def of_thresholds(self) -> tuple[str, ...]:
        """The parameter that has the effects at each threshold alone; none where effects are the same at all."""
        return tuple(map(specific, range(1, self.categories))) if self.specific else ()

    @property
    def reads(self) -> tuple[str, ...]:
        """All parameters."""
        return ("mu", *((DISC.name,) if self.disc else ()), *self.of_thresholds, *dict.fromkeys(self.steps))

    def parameters(self, ordered: bool) -> tuple[Parameter, ...]:
        """The records of all parameters, of thresholds in order or not."""
        disc = (DISC,) if self.disc else ()
        own = (specific_parameter(k) for k in range(1, len(self.of_thresholds) + 1))
        return (_PREDICTOR, *disc, *own, *(step_parameter(name, ordered) for name in dict.fromkeys(self.steps)))

    def named(self, labels: tuple[str, ...]) -> Form:
        """The same for these categories."""
        return replace(self, categories=len(labels))


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of a family with K ordered categories.

    Attributes
    ----------
    form : Form
    ordered : bool
        Whether they increase; free ones may be in any order.
    priors : function
        ``link -> tuple of str``: the default prior of each threshold at the centre of the columns.
    marginal : function
        ``(link, k) -> str``: that of the k-th threshold, k = 1, ..., by itself.
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
    shares : function
        ``(at) -> array [category, ...]``: the probability of each category; NumPy.
    from_odds : function
        ``(odds, shares, left, points)``: writes the probabilities ``shares`` [category, point] of the first points from
        the odds of the higher side of each threshold under the logit link, [threshold, point], with room for
        intermediate results, ``left`` [point]. Loops, which numba compiles.
    powers : int
        The highest power of odds that these are made of.
    meaning : str
        What a coefficient refers to, as a sentence; empty for the probability of higher categories.
    """

    form: Form
    ordered: bool
    priors: Callable[[str], tuple[str, ...]]
    marginal: Callable[[str, int], str]
    event: str
    condition: str
    rising: bool
    sides: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    comparisons: Callable[[int], tuple[Comparison, ...]]
    shares: Callable[[At], np.ndarray]
    from_odds: Callable[..., None]
    powers: int = 1
    meaning: str = ""

    @property
    def steps(self) -> tuple[str, ...]:
        """The parameter that is the distance from each threshold to the next; one that several share is repeated."""
        return self.form.steps

    def defaults(self, link: str) -> tuple[str, ...]:
        """The default prior of each threshold; flat between the first and last where these two determine all.

        The product of all of them, which other patterns have, would leave little to the categories between: of K
        densities that prefer the same place, each keeps K - 1 thresholds together.
        """
        chosen = determining(threshold_columns(self.steps))
        if not PATTERNS[self.form.pattern].ties(self.form.categories) or len(chosen) > 2:
            return self.priors(link)
        return tuple(self.marginal(link, k + 1) if k in chosen else "Flat()" for k in range(len(self.steps) + 1))


def step_parameter(name: str, ordered: bool) -> Parameter:
    """A step as a parameter of a family; its prior is that of the thresholds."""
    if ordered:
        return Parameter(name, (), "positive", "HalfFlat()", title="distance of two thresholds", middle=1.0)
    return Parameter(name, (), "real", "Flat()", title="difference of two thresholds")


def specific_parameter(threshold: int) -> Parameter:
    """The parameter that is added to eta at one threshold alone, counted from 1."""
    return Parameter(
        specific(threshold),
        ("identity",),
        "real",
        title=f"effects at threshold {threshold} alone",
        reach=2.5,
        sd=2.5,
        anchored=True,
        threshold=threshold,
    )


def thresholds_at(at: At, form: Form) -> list[Any]:
    """Each threshold less the first, and less what is added to eta there alone."""
    found: list[Any] = [0.0]
    for name in form.steps:
        found.append(found[-1] + at[name].value)
    return [c - at[name].value for c, name in zip(found, form.of_thresholds, strict=True)] if form.specific else found


def only(category: int, categories: int) -> tuple[float, ...]:
    """Weights of the probabilities of categories 1, ..., K: one category."""
    return tuple(float(k == category) for k in range(1, categories + 1))


def from_category(category: int, categories: int) -> tuple[float, ...]:
    """Weights of the probabilities of categories 1, ..., K: a category and all above it."""
    return tuple(float(k >= category) for k in range(1, categories + 1))


def numbers(categories: int) -> tuple[float, ...]:
    """The numbers of the categories, 1, ..., K."""
    return tuple(float(k) for k in range(1, categories + 1))


def logits_at(at: At, form: Form) -> np.ndarray:
    """Under the logit link the log odds of the higher side of each threshold [threshold, ...]."""
    each = [discriminated(at["mu"].eta - c, at) for c in thresholds_at(at, form)]
    return np.stack(np.broadcast_arrays(*each))


def threshold_columns(steps: tuple[str, ...]) -> np.ndarray:
    """How thresholds follow from the first one and the distinct steps [threshold, 1 + distinct step]."""
    distinct = list(dict.fromkeys(steps))
    found = np.zeros((len(steps) + 1, len(distinct) + 1))
    found[:, 0] = 1.0
    for k, name in enumerate(steps, start=1):
        found[k:, 1 + distinct.index(name)] += 1.0
    return found


def determining(columns: np.ndarray) -> list[int]:
    """Thresholds that determine all others, from both ends inwards, in increasing order; rows of such columns."""
    found: list[int] = []
    for k in sorted(range(len(columns)), key=lambda k: min(k, len(columns) - 1 - k)):
        if np.linalg.matrix_rank(columns[[*found, k]]) > len(found):
            found.append(k)
    return sorted(found)


def scale_of(at: At) -> Any:
    """The discrimination; 1 where there is none."""
    return at[DISC.name].value if DISC.name in at else 1.0


def discriminated(distance: Any, at: At) -> Any:
    """A distance of a threshold and the linear predictor times the discrimination, where there is one.

    Cut off where h and its complement are 0 or 1 in double precision and their logarithms would overflow.
    """
    if DISC.name not in at:
        return distance
    disc = at[DISC.name]
    x, largest = disc.value * distance, _LARGEST.get(at["mu"].link.name, 1e30)
    return disc.f.where(x > largest, largest, disc.f.where(x < -largest, -largest, x))


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
