r"""Families of ordered categories 1, ..., K with free thresholds: sratio, cratio and acat.

With one linear predictor eta, thresholds c_1, ..., c_{K-1} in any order, and h the inverse of the link,

    sratio    P(y = k | y >= k) = h(c_k - eta)                  stopping ratio, sequential model
    cratio    P(y > k | y >= k) = h(eta - c_k)                  continuation ratio
    acat      P(y = k + 1 | y in {k, k + 1}) = h(eta - c_k)     adjacent categories

(Tutz 1991; Agresti 2010, chapter 4), with the signs of brms: eta makes higher categories more probable. Under
symmetric links sratio and cratio are the same model. A discrimination disc multiplies c_k - eta; it is 1 without a
formula. Effects may differ between thresholds: eta + cs_k then stands for eta at c_k, and every probability stays one,
which it would not under cumulative.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import sqrt
from typing import Any

import numpy as np

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
    thresholds_at,
)
from bayes_glmm.families.value import At, Value

_LARGEST = 1e300  # of a logit: sums of 50 are doubles

_GOES_ON = "Coefficients refer to the probability that a row which reached a category goes on to a higher one."

Share = Callable[[At, int], Any]


@dataclass(frozen=True)
class _Ratio:
    """One of the two families of ratios: h is the probability to stop in a category, or that to go on.

    Attributes
    ----------
    name, title, equation, event : str
    rising : bool
        Whether h is at eta - c_k, and so the probability to go on.
    """

    name: str
    title: str
    equation: str
    event: str
    rising: bool

    def ordered(self, stop: Any, on: Any) -> tuple[Any, Any]:
        """Put the member of the pair (stop, go on) whose probability is h first."""
        return (on, stop) if self.rising else (stop, on)

    def at(self, threshold: Any, at: At) -> Value:
        """H at one threshold less the first."""
        return _value(at["mu"].eta - threshold if self.rising else threshold - at["mu"].eta, at)

    def prior(self, link: str, remaining: int) -> str:
        """The prior of a threshold whose probability to stop is Beta(1, m), m the categories above it."""

        def quantile(u: float) -> float:
            on = (1.0 - u) ** (1.0 / remaining)
            own = forward(link, self.ordered(1.0 - on, on)[0])
            return -own if self.rising else own

        return prior_from_quantiles(link, quantile)


_STOPPING = _Ratio("sratio", "stopping ratio", "StoppingRatio({categories})", "{y} = k", rising=False)
_CONTINUATION = _Ratio("cratio", "continuation ratio", "ContinuationRatio({categories})", "{y} > k", rising=True)


@cache
def sratio(form: Form) -> Family:
    """The stopping-ratio family of that form."""
    return _of_ratio(_STOPPING, form, sratio)


@cache
def cratio(form: Form) -> Family:
    """The continuation-ratio family of that form."""
    return _of_ratio(_CONTINUATION, form, cratio)


def _of_ratio(ratio: _Ratio, form: Form, with_form: Callable[[Form], Family]) -> Family:
    categories = form.categories

    def reached(at: At, k: int) -> tuple[Any, list[Any]]:
        """P(y >= k), and the thresholds less the first."""
        thresholds, total = thresholds_at(at, form), 1.0
        for c in thresholds[: k - 1]:
            one = ratio.at(c, at)
            total = total * ratio.ordered(one.value, one.complement)[1]
        return total, thresholds

    def upper(at: At) -> list[Any]:
        found, total = [], 1.0
        for c in thresholds_at(at, form):
            one = ratio.at(c, at)
            total = total * ratio.ordered(one.value, one.complement)[1]
            found.append(total)
        return found

    def every(at: At) -> np.ndarray:
        left, found = 1.0, []
        for c in thresholds_at(at, form):
            stop, on = ratio.ordered((one := ratio.at(c, at)).value, one.complement)
            found.append(left * stop)
            left = left * on
        return np.stack(np.broadcast_arrays(*found, left))

    def share(at: At, k: int) -> Any:
        total, thresholds = reached(at, k)
        if k == categories:
            return total
        one = ratio.at(thresholds[k - 1], at)
        return total * ratio.ordered(one.value, one.complement)[0]

    def log_density(y: Response, at: At, f: Any) -> Any:
        k, total = y.values, 0.0
        for j, c in enumerate(thresholds_at(at, form), start=1):
            there, on = k > j - 0.5, f.where(k > j + 0.5, 1.0, 0.0)
            stop = f.where(there, f.where(k > j + 0.5, 0.0, 1.0), 0.0)
            total = total + f.log_binary(*ratio.ordered(stop, on), f.where(there, ratio.at(c, at).logit, 0.0))
        return total

    thresholds = Thresholds(
        form,
        ordered=False,
        priors=lambda link: tuple(ratio.prior(link, categories - k) for k in range(1, categories)),
        marginal=lambda link, k: ratio.prior(link, categories - k),
        event=ratio.event,
        condition="{y} ≥ k",
        rising=ratio.rising,
        sides=_reached,
        comparisons=lambda k: _ratio_comparisons(k, categories),
        shares=every,
        from_odds=ratios_of_odds,
        meaning=_GOES_ON,
    )
    record = _Record(ratio.name, ratio.title, ratio.equation, thresholds, max(2.0, sqrt(categories - 1.0)))
    return record.family(log_density, share, lambda at, k: reached(at, k)[0], upper, with_form)


def ratios_of_odds(odds, shares, left, points):  # type: ignore[no-untyped-def]
    """Write the probabilities of categories from the odds of going on at each threshold."""
    last = odds.shape[0]
    for m in range(points):
        left[m] = 1.0
    for k in range(last):
        for m in range(points):
            stop = 1.0 / (1.0 + odds[k, m])
            shares[k, m] = left[m] * stop
            left[m] = left[m] * odds[k, m] * stop
    for m in range(points):
        shares[last, m] = left[m]


def products_of_odds(odds, shares, left, points):  # type: ignore[no-untyped-def]
    """Write the probabilities of categories from the odds between neighbours."""
    last = odds.shape[0]
    for m in range(points):
        shares[0, m] = 1.0
        left[m] = 1.0
    for k in range(last):
        for m in range(points):
            shares[k + 1, m] = shares[k, m] * odds[k, m]
            left[m] = left[m] + shares[k + 1, m]
    for m in range(points):
        left[m] = 1.0 / left[m]
    for k in range(last + 1):
        for m in range(points):
            shares[k, m] = shares[k, m] * left[m]


@cache
def acat(form: Form) -> Family:
    """The adjacent-category family of that form."""
    categories = form.categories

    def logits(at: At) -> list[Any]:
        """Log odds of category k + 1 against k, k = 1, ..., K - 1."""
        return [_value(at["mu"].eta - c, at).logit for c in thresholds_at(at, form)]

    def weights(at: At) -> np.ndarray:
        """Weights proportional to P(y = k), scaled so that the largest is 1 [category, ...]."""
        up = [np.clip(one, -_LARGEST, _LARGEST) for one in logits(at)]
        sums = np.cumsum(np.stack(np.broadcast_arrays(0.0 * up[0], *up)), axis=0)
        return np.exp(sums - sums.max(axis=0))

    def share(at: At, k: int) -> Any:
        found = weights(at)
        return found[k - 1] / found.sum(axis=0)

    def every(at: At) -> np.ndarray:
        found = weights(at)
        return found / found.sum(axis=0)

    def at_least(at: At, k: int) -> Any:
        found = weights(at)
        return found[k - 1 :].sum(axis=0) / found.sum(axis=0)

    def upper(at: At) -> list[Any]:
        found = weights(at)
        from_top = np.cumsum(found[::-1], axis=0)[::-1]
        return list(from_top[1:] / from_top[0])

    def prior(link: str) -> str:
        return prior_from_quantiles(link, lambda u: -forward(link, 1.0 - u))

    thresholds = Thresholds(
        form,
        ordered=False,
        priors=lambda link: (prior(link),) * (categories - 1),
        marginal=lambda link, k: prior(link),
        event="{y} = k+1",
        condition="{y} ∈ {{k, k+1}}",
        rising=True,
        sides=lambda counts: (counts[:-1], counts[1:]),
        comparisons=lambda k: _pairs(k, categories),
        shares=every,
        from_odds=products_of_odds,
        powers=categories - 1,
        meaning="Coefficients refer to the probability of the higher one of two adjacent categories.",
    )
    # a sum of K powers of e^eta with positive weights has no zero within pi / (K - 1) of the real axis
    record = _Record(
        "acat", "adjacent category", "AdjacentCategory({categories})", thresholds, max(2.0, categories - 1.0)
    )
    return record.family(
        lambda y, at, f: _log_of_adjacent(y.values, logits(at), categories, f), share, at_least, upper, acat
    )


def _value(distance: Any, at: At) -> Value:
    """H at a distance of the linear predictor and a threshold, times the discrimination."""
    return Value(discriminated(distance, at), at["mu"].link, at["mu"].f)


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


@dataclass(frozen=True)
class _Record:
    """The facts in which the families of free thresholds differ.

    Attributes
    ----------
    name, title, equation : str
    thresholds : Thresholds
    narrow : float
        See :class:`~bayes_glmm.families.functional.Functional`.
    """

    name: str
    title: str
    equation: str
    thresholds: Thresholds
    narrow: float

    def family(
        self,
        log_density: Callable[..., Any],
        share: Share,
        at_least: Share,
        upper: Callable[[At], list[Any]],
        with_form: Callable[[Form], Family],
    ) -> Family:
        """A family from P(y = k), from P(y >= k), and from all of the latter but the first."""
        form, categories = self.thresholds.form, self.thresholds.form.categories
        above, scale = range(2, categories + 1), DISC.name if form.disc else ""

        def variance(at: At) -> Any:
            found = upper(at)
            square = sum((2 * k - 1) * one for k, one in enumerate(found, start=2))
            return square - 2.0 * sum(found) - sum(found) ** 2

        def draw(rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
            found = np.broadcast_arrays(*upper(at))
            uniform = rng.uniform(size=found[0].shape)
            return 1.0 + np.sum([uniform < one for one in found], axis=0)

        def of(name: str, what: str, value: Share, k: int, weights: tuple[float, ...]) -> Functional:
            return Functional(
                name, what, form.reads, lambda at: value(at, k), range="unit", narrow=self.narrow, weights=weights,
                scale=scale,
            )  # fmt: skip

        def score(weights: tuple[float, ...]) -> Functional:
            def value(at: At) -> Any:
                steps_up = np.diff(weights)
                return weights[0] + sum(step * share for step, share in zip(steps_up, upper(at), strict=True))

            return Functional(
                "mean", "mean score", form.reads, value, range="real", narrow=self.narrow, weights=weights, scale=scale
            )

        what = "probability of each category", "probability of at least each category"
        each = [of(CATEGORY, what[0], share, k, only(k, categories)) for k in (1, *above)]
        from_each = [of("at_least", what[1], at_least, k, from_category(k, categories)) for k in above]
        return Family(
            self.name,
            title=self.title,
            parameters=form.parameters(self.thresholds.ordered),
            response=ORDERED,
            variance=variance,
            log_density=log_density,
            draw=draw,
            mean=score(numbers(categories)),
            score=score,
            with_categories=lambda labels: with_form(form.named(labels)),
            with_form=with_form,
            categories=categories,
            by_category={CATEGORY: tuple(each), "at_least": (None, *from_each)},
            thresholds=self.thresholds,
            equation=self.equation,
            elsewhere={"brms": self.name, "Bambi": self.name} if self.name == "sratio" else {"brms": self.name},
        )


SRATIO = sratio(Form())
CRATIO = cratio(Form())
ACAT = acat(Form())
