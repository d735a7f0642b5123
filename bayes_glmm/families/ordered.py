r"""Families of ordered categories 1, ..., K: cumulative.

P(y <= k | u) = h(disc (c_k - eta)) with thresholds c_1 < ... < c_{K-1}, h the inverse of the link (McCullagh 1980), and
a discrimination disc that is 1 where it has no formula. Thresholds that move together are an intercept of eta. So what
computes has an intercept, -c_1, as other families do, and the steps from one threshold to the next, which are positive
constants; what people read has the thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from scipy import special

from bayes_glmm.families.family import Family
from bayes_glmm.families.functional import CATEGORY, Functional
from bayes_glmm.families.kind import ORDERED
from bayes_glmm.families.parameter import DISC
from bayes_glmm.families.response import Response
from bayes_glmm.families.thresholds import (
    Comparison,
    Form,
    Thresholds,
    discriminated,
    forward,
    from_category,
    numbers,
    only,
    prior_from_quantiles,
)
from bayes_glmm.families.value import At, Value
from bayes_glmm.numerics.functions import NUMPY

# flat over the probabilities of the categories: densities of h, in order; of cloglog with its mean and sd
THRESHOLD_PRIORS = {
    "logit": "Logistic(mu=0, s=1)",
    "probit": "Normal(mu=0, sigma=1)",
    "cloglog": "Normal(mu=-0.5772, sigma=1.2825)",
    "cauchit": "Cauchy(alpha=0, beta=1)",
}


@cache
def cumulative(form: Form) -> Family:
    """The cumulative family of that form."""
    categories, steps, reads = form.categories, form.steps, form.reads
    scale = DISC.name if form.disc else ""

    def threshold(k: int) -> Callable[[At], Any]:
        """The k-th threshold, k = 1, ..., K - 1, less the first."""
        return lambda at: sum((at[name].value for name in steps[: k - 1]), 0.0)

    thresholds = [threshold(k) for k in range(1, categories)]

    def shares(at: At) -> list[Any]:
        """P(y <= k) for k = 1, ..., K - 1."""
        return [_below(c(at), at).value for c in thresholds]

    def variance(at: At) -> Any:
        # y = K - (number of thresholds above), and E of its square by sums of P(y <= k)
        below = shares(at)
        square = sum((2 * (categories - k) - 1) * share for k, share in enumerate(below, start=1))
        return square - sum(below) ** 2

    def draw(rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
        below = np.broadcast_arrays(*shares(at))
        uniform = rng.uniform(size=below[0].shape)
        return 1.0 + np.sum([uniform > share for share in below], axis=0)

    log_density = _log_density(categories, steps)

    def every(at: At) -> np.ndarray:
        each = [np.exp(log_density(Response(float(k)), at, NUMPY)) for k in range(1, categories + 1)]
        return np.stack(np.broadcast_arrays(*each))

    def category(k: int) -> Functional:
        def value(at: At) -> Any:
            return np.exp(log_density(Response(float(k)), at, NUMPY))

        upper, lower = thresholds[k - 1 : k], thresholds[k - 2 : k - 1] if k > 1 else []
        events = (*((1.0, c) for c in upper), *((-1.0, c) for c in lower))
        title, constant, weights = "probability of each category", float(k == categories), only(k, categories)
        return Functional(
            CATEGORY, title, reads, value, range="unit", constant=constant, events=events, weights=weights, scale=scale
        )

    def at_least(k: int) -> Functional:
        def value(at: At) -> Any:
            return _below(thresholds[k - 2](at), at).complement

        title, events = "probability of at least each category", ((-1.0, thresholds[k - 2]),)
        weights = from_category(k, categories)
        return Functional(
            "at_least", title, reads, value, range="unit", constant=1.0, events=events, weights=weights, scale=scale
        )

    def score(weights: tuple[float, ...]) -> Functional:
        steps_up = np.diff(weights)

        def value(at: At) -> Any:
            return weights[-1] - sum(step * share for step, share in zip(steps_up, shares(at), strict=True))

        events = tuple((-float(step), c) for step, c in zip(steps_up, thresholds, strict=True))
        return Functional(
            "mean", "mean score", reads, value, range="real", constant=weights[-1], events=events, weights=weights,
            scale=scale,
        )  # fmt: skip

    return Family(
        "cumulative",
        title="cumulative",
        parameters=form.parameters(ordered=True),
        response=ORDERED,
        variance=variance,
        log_density=log_density,
        draw=draw,
        mean=score(numbers(categories)),
        score=score,
        with_categories=lambda labels: cumulative(form.named(labels)),
        with_form=cumulative,
        categories=categories,
        by_category={
            CATEGORY: tuple(category(k) for k in range(1, categories + 1)),
            "at_least": (None, *(at_least(k) for k in range(2, categories + 1))),
        },
        thresholds=Thresholds(
            form,
            ordered=True,
            priors=lambda link: (THRESHOLD_PRIORS[link],) * (categories - 1),
            marginal=lambda link, k: _marginal(link, k, categories),
            event="{y} ≤ k",
            condition="",
            rising=False,
            sides=lambda counts: (np.cumsum(counts)[:-1], np.cumsum(counts[::-1])[::-1][1:]),
            comparisons=lambda k: _around(k, categories),
            shares=every,
            from_odds=between_odds,
        ),
        equation="Cumulative({categories})",
        elsewhere={"brms": "cumulative", "Bambi": "cumulative"},
    )


def between_odds(odds, shares, left, points):  # type: ignore[no-untyped-def]
    """Write the probabilities of categories from the odds of y > k at each threshold."""
    last = odds.shape[0]
    for m in range(points):
        left[m] = 1.0 / (1.0 + odds[0, m])
        shares[0, m] = left[m]
    for k in range(1, last):
        for m in range(points):
            below = 1.0 / (1.0 + odds[k, m])
            shares[k, m] = (odds[k - 1, m] - odds[k, m]) * left[m] * below
            left[m] = below
    for m in range(points):
        shares[last, m] = odds[last - 1, m] * left[m]


def _marginal(link: str, k: int, categories: int) -> str:
    """The prior of a threshold for which P(y <= k) has about its distribution under a flat one, Beta(k, K - k)."""
    return prior_from_quantiles(link, lambda u: forward(link, float(special.betaincinv(k, categories - k, u))))


def _around(k: int, categories: int) -> tuple[Comparison, ...]:
    """Above the threshold below category k, and below the one above it."""
    return (*((1.0, k - 2, k - 1) for _ in range(k > 1)), *((-1.0, k - 1, k) for _ in range(k < categories)))


def _below(threshold: Any, at: At) -> Value:
    """P(y <= k) at the k-th threshold less the first."""
    mu = at["mu"]
    return Value(discriminated(threshold - mu.eta, at), mu.link, mu.f)


def _log_density(categories: int, steps: Sequence[str]) -> Callable[..., Any]:
    """Log P(y = k) = log(P(y <= k) - P(y < k)), as accurate in both tails as the link is.

    With logits a and b of the two, log(expit(a) - expit(b)) = log(1 - e^(b - a)) - log(1 + e^-a) - log(1 + e^b).
    """

    def log_density(y: Response, at: At, f: Any) -> Any:
        k = y.values
        above, below = (_passed(k - shift, steps, at, f) for shift in (0.5, 1.5))
        upper, lower = _below(above, at).logit, _below(below, at).logit
        value = -f.where(k > categories - 0.5, 0.0, f.softplus(-upper)) - f.where(k < 1.5, 0.0, f.softplus(lower))
        if not steps:
            return value
        # under the logit link eta is not in it: without a discrimination it is the same in all rows of a category
        logit = at["mu"].link.name == "logit"
        distance = discriminated(above - below, at) if logit else upper - lower
        inner = f.where(k > 1.5, f.where(k > categories - 0.5, 1.0, distance), 1.0)
        between = f.where(k > 1.5, f.where(k > categories - 0.5, 0.0, f.log(-f.expm1(-inner))), 0.0)
        return value + between

    return log_density


def _passed(k: Any, steps: Sequence[str], at: At, f: Any) -> Any:
    """The sum of the steps up to a category, threshold by threshold."""
    total = 0.0 * k
    for j, name in enumerate(steps, start=2):
        total = total + f.where(k > j - 1.0, at[name].value, 0.0)
    return total


CUMULATIVE = cumulative(Form())
