r"""Families of ordered categories 1, ..., K with free thresholds: sratio, cratio and acat.

With one linear predictor eta, thresholds c_1, ..., c_{K-1} in any order, and h the inverse of the link,

    sratio    P(y = k | y >= k) = h(c_k - eta)                  stopping ratio, sequential model
    cratio    P(y > k | y >= k) = h(eta - c_k)                  continuation ratio
    acat      P(y = k + 1 | y in {k, k + 1}) = h(eta - c_k)     adjacent categories

(Tutz 1991; Agresti 2010, chapter 4), with the signs of brms: eta makes higher categories more probable. Under
symmetric links sratio and cratio are the same model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import sqrt
from typing import Any

import numpy as np

from bayes_glmm.families.family import Family
from bayes_glmm.families.functional import CATEGORY, Functional
from bayes_glmm.families.kind import ORDERED
from bayes_glmm.families.parameter import Parameter
from bayes_glmm.families.response import Response
from bayes_glmm.families.thresholds import (
    Comparison,
    Thresholds,
    forward,
    prior_from_quantiles,
    step_names,
    step_parameter,
    thresholds_at,
)
from bayes_glmm.families.value import At, Value

_PREDICTOR = Parameter("mu", ("logit", "probit", "cloglog", "cauchit"), "unit")
_LARGEST = 1e300  # of a logit: sums of 50 are doubles

_GOES_ON = "Coefficients refer to the probability that a row which reached a category goes on to a higher one."

Shares = Callable[[At], list[Any]]


@cache
def sratio(categories: int) -> Family:
    """The stopping-ratio family with that many categories, 2 at least."""
    steps = step_names(categories)

    def stops(at: At) -> list[Value]:
        """P(y = k | y >= k), k = 1, ..., K - 1."""
        return [_value(c - at["mu"].eta, at) for c in thresholds_at(at, steps)]

    def log_density(y: Response, at: At, f: Any) -> Any:
        return _log_of_ratios(y.values, [one.logit for one in stops(at)], f, stop=True)

    def prior(link: str, k: int) -> str:
        # h(c_k) has the quantile 1 - (1 - u)^(1 / m) under Beta(1, m)
        m = categories - k
        return prior_from_quantiles(link, lambda u: forward(link, 1.0 - (1.0 - u) ** (1.0 / m)))

    return _family(
        "sratio",
        "stopping ratio",
        "StoppingRatio({categories})",
        Thresholds(
            steps,
            ordered=False,
            priors=lambda link: tuple(prior(link, k) for k in range(1, categories)),
            event="{y} = k",
            condition="{y} ≥ k",
            rising=False,
            sides=_reached,
            comparisons=lambda k: _ratio_comparisons(k, categories),
            meaning=_GOES_ON,
        ),
        categories,
        log_density,
        lambda at: _of_ratios([one.value for one in stops(at)], [one.complement for one in stops(at)]),
        narrow=max(2.0, sqrt(categories - 1.0)),
        with_categories=lambda labels: sratio(len(labels)),
    )


@cache
def cratio(categories: int) -> Family:
    """The continuation-ratio family with that many categories, 2 at least."""
    steps = step_names(categories)

    def goes_on(at: At) -> list[Value]:
        """P(y > k | y >= k), k = 1, ..., K - 1."""
        return [_value(at["mu"].eta - c, at) for c in thresholds_at(at, steps)]

    def log_density(y: Response, at: At, f: Any) -> Any:
        return _log_of_ratios(y.values, [one.logit for one in goes_on(at)], f, stop=False)

    def prior(link: str, k: int) -> str:
        m = categories - k
        return prior_from_quantiles(link, lambda u: -forward(link, (1.0 - u) ** (1.0 / m)))

    return _family(
        "cratio",
        "continuation ratio",
        "ContinuationRatio({categories})",
        Thresholds(
            steps,
            ordered=False,
            priors=lambda link: tuple(prior(link, k) for k in range(1, categories)),
            event="{y} > k",
            condition="{y} ≥ k",
            rising=True,
            sides=_reached,
            comparisons=lambda k: _ratio_comparisons(k, categories),
            meaning=_GOES_ON,
        ),
        categories,
        log_density,
        lambda at: _of_ratios([one.complement for one in goes_on(at)], [one.value for one in goes_on(at)]),
        narrow=max(2.0, sqrt(categories - 1.0)),
        with_categories=lambda labels: cratio(len(labels)),
    )


@cache
def acat(categories: int) -> Family:
    """The adjacent-category family with that many categories, 2 at least."""
    steps = step_names(categories)

    def logits(at: At) -> list[Any]:
        """Log odds of category k + 1 against k, k = 1, ..., K - 1."""
        return [_value(at["mu"].eta - c, at).logit for c in thresholds_at(at, steps)]

    def shares(at: At) -> list[Any]:
        up = [np.clip(one, -_LARGEST, _LARGEST) for one in logits(at)]
        sums = np.cumsum(np.stack(np.broadcast_arrays(0.0 * up[0], *up)), axis=0)
        weights = np.exp(sums - sums.max(axis=0))
        return list(weights / weights.sum(axis=0))

    def prior(link: str) -> str:
        return prior_from_quantiles(link, lambda u: -forward(link, 1.0 - u))

    return _family(
        "acat",
        "adjacent category",
        "AdjacentCategory({categories})",
        Thresholds(
            steps,
            ordered=False,
            priors=lambda link: (prior(link),) * (categories - 1),
            event="{y} = k+1",
            condition="{y} ∈ {{k, k+1}}",
            rising=True,
            sides=lambda counts: (counts[:-1], counts[1:]),
            comparisons=lambda k: _pairs(k, categories),
            meaning="Coefficients refer to the probability of the higher one of two adjacent categories.",
        ),
        categories,
        lambda y, at, f: _log_of_adjacent(y.values, logits(at), categories, f),
        shares,
        # a sum of K powers of e^eta with positive weights has no zero within pi / (K - 1) of the real axis
        narrow=max(2.0, categories - 1.0),
        with_categories=lambda labels: acat(len(labels)),
    )


def _value(eta: Any, at: At) -> Value:
    """H at another linear predictor."""
    return Value(eta, at["mu"].link, at["mu"].f)


def _log_of_ratios(k: Any, logits: list[Any], f: Any, stop: bool) -> Any:
    """The sum over the categories that a row reached of the log probability to stop in it, or to go on."""
    total = 0.0
    for j, logit in enumerate(logits, start=1):
        reached = k > j - 0.5
        ends, passes = f.where(reached, f.where(k > j + 0.5, 0.0, 1.0), 0.0), f.where(k > j + 0.5, 1.0, 0.0)
        x = f.where(reached, logit, 0.0)
        total = total + (f.log_binary(ends, passes, x) if stop else f.log_binary(passes, ends, x))
    return total


def _log_of_adjacent(k: Any, logits: list[Any], categories: int, f: Any) -> Any:
    """Log P(y = k) = -log(1 + P(y > k) / P(y = k) + P(y < k) / P(y = k)), without differences of large sums.

    With l_j the log odds of j + 1 against j, log(P(y >= j) / P(y = j)) is A_j = log(1 + exp(l_j + A_{j+1})), and
    log(P(y <= j) / P(y = j)) is B_j = log(1 + exp(B_{j-1} - l_{j-1})).
    """
    above, below = [logits[-1]], [-logits[0]]  # logs of P(y > j) / P(y = j), and of P(y < j) / P(y = j)
    for logit in reversed(logits[:-1]):
        above.insert(0, logit + f.softplus(above[0]))
    for logit in logits[1:]:
        below.append(f.softplus(below[-1]) - logit)
    higher, lower = 0.0 * k, 0.0 * k
    for j in range(1, categories):
        higher = f.where(k > j - 0.5, f.where(k > j + 0.5, higher, above[j - 1]), higher)
        lower = f.where(k > j + 0.5, f.where(k > j + 1.5, lower, below[j - 1]), lower)
    distance = lower - higher
    both = f.where(distance > 0.0, lower + f.softplus(-distance), higher + f.softplus(distance))
    return -f.softplus(f.where(k < 1.5, higher, f.where(k > categories - 0.5, lower, both)))


def _of_ratios(ends: list[Any], passes: list[Any]) -> list[Any]:
    """P(y = k), k = 1, ..., K, from the probabilities to stop in a category and to go on."""
    found, reached = [], 1.0
    for end, further in zip(ends, passes, strict=True):
        found.append(reached * end)
        reached = reached * further
    return [*found, reached]


def _reached(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that stopped in each category, and rows that went on."""
    return counts[:-1], np.cumsum(counts[::-1])[::-1][1:]


def _ratio_comparisons(k: int, categories: int) -> tuple[Comparison, ...]:
    """Above each threshold below category k, and below its own."""
    return (*((1.0, j, j + 1) for j in range(k - 1)), *((-1.0, k - 1, k) for _ in range(k < categories)))


def _pairs(k: int, categories: int) -> tuple[Comparison, ...]:
    """Category k against each other one, by the sum of the log odds between them."""
    lower = ((1.0, j, k - 1) for j in range(k - 1))
    return (*lower, *((-1.0, k - 1, j) for j in range(k, categories)))


def _family(
    name: str,
    title: str,
    equation: str,
    thresholds: Thresholds,
    categories: int,
    log_density: Callable[..., Any],
    shares: Shares,
    narrow: float,
    with_categories: Callable[[tuple[str, ...]], Family],
) -> Family:
    """A family from the probabilities of its categories."""
    reads = ("mu", *thresholds.steps)

    def at_least(at: At) -> list[Any]:
        """P(y >= k), k = 2, ..., K."""
        found, total = [], 0.0
        for share in reversed(shares(at)[1:]):
            total = total + share
            found.append(total)
        return found[::-1]

    def mean(at: At) -> Any:
        return 1.0 + sum(at_least(at))

    def variance(at: At) -> Any:
        upper = at_least(at)
        square = sum((2 * k - 1) * share for k, share in enumerate(upper, start=2))
        return square - 2.0 * sum(upper) - sum(upper) ** 2

    def draw(rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
        upper = np.broadcast_arrays(*at_least(at))
        uniform = rng.uniform(size=upper[0].shape)
        return 1.0 + np.sum([uniform < share for share in upper], axis=0)

    def of_category(k: int) -> Functional:
        what = "probability of each category"
        return Functional(CATEGORY, what, reads, lambda at: shares(at)[k - 1], range="unit", narrow=narrow)

    def from_category(k: int) -> Functional:
        what = "probability of at least each category"
        return Functional("at_least", what, reads, lambda at: at_least(at)[k - 2], range="unit", narrow=narrow)

    return Family(
        name,
        title=title,
        parameters=(_PREDICTOR, *(step_parameter(one, thresholds.ordered) for one in thresholds.steps)),
        response=ORDERED,
        variance=variance,
        log_density=log_density,
        draw=draw,
        mean=Functional("mean", "mean score", reads, mean, range="real", narrow=narrow),
        with_categories=with_categories,
        categories=categories,
        by_category={
            CATEGORY: tuple(of_category(k) for k in range(1, categories + 1)),
            "at_least": (None, *(from_category(k) for k in range(2, categories + 1))),
        },
        thresholds=thresholds,
        equation=equation,
        elsewhere={"brms": name, "Bambi": name} if name == "sratio" else {"brms": name},
    )


SRATIO = sratio(2)
CRATIO = cratio(2)
ACAT = acat(2)
