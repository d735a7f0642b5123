"""How two averaged means are compared. One record an estimand; a new one is one entry in ``ESTIMANDS``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from bayes_glmm.errors import SpecError, choices
from bayes_glmm.families import CATEGORY, Functional
from bayes_glmm.spec import ModelSpec

Part = str | Mapping[str, float]
"""A part of the response by name, or scores of ordered categories, which ask for the mean score."""


@dataclass(frozen=True)
class Estimand:
    """A comparison of two means.

    Attributes
    ----------
    name : str
        As written in a call.
    title : str
        Its name in prose.
    null : float
        Its value where the two means are the same.
    compute : function
        ``(high, low) -> value``, elementwise.
    ranges : tuple of {"real", "positive", "unit"}
        What the mean must be for it to make sense.
    """

    name: str
    title: str
    null: float
    compute: Callable[[Any, Any], Any]
    ranges: tuple[str, ...]


def _odds(mean: Any) -> Any:
    return mean / (1.0 - mean)


ESTIMANDS: dict[str, Estimand] = {
    estimand.name: estimand
    for estimand in (
        Estimand(
            "difference",
            title="difference of means",
            null=0.0,
            compute=lambda high, low: high - low,
            ranges=("real", "positive", "unit"),
        ),
        Estimand(
            "ratio",
            title="ratio of means",
            null=1.0,
            compute=lambda high, low: high / low,
            ranges=("positive", "unit"),
        ),
        Estimand(
            "odds_ratio",
            title="odds ratio",
            null=1.0,
            compute=lambda high, low: _odds(high) / _odds(low),
            ranges=("unit",),
        ),
        Estimand(
            "log_odds_ratio",
            title="log odds ratio",
            null=0.0,
            compute=lambda high, low: np.log(_odds(high)) - np.log(_odds(low)),
            ranges=("unit",),
        ),
        Estimand(
            "lift",
            title="relative difference, (high - low) / low",
            null=0.0,
            compute=lambda high, low: (high - low) / low,
            ranges=("positive", "unit"),
        ),
    )
}


def require_mean(spec: ModelSpec) -> None:
    """The response has a mean.

    Raises
    ------
    SpecError
    """
    if spec.family.response.nominal:
        raise SpecError(
            "Categories without an order have no mean.", str(spec), "Ask for their probabilities: predict(), compare()."
        )


def default_part(spec: ModelSpec) -> str:
    """What is asked of a response where nothing is named: its mean, of categories the probability of each."""
    return CATEGORY if spec.family.categories else spec.family.mean.name


def chosen_parts(part: Part | None, spec: ModelSpec, categories: Sequence[str] = ()) -> dict[str | None, Functional]:
    """The functionals of a part by category; a part that is one number stands under None.

    Raises
    ------
    SpecError
        For a name that is not one of the family's ``parts``, or ``by_category``, and for scores that are not valid.
    """
    if isinstance(part, Mapping):
        return {None: _mean_score(part, spec, categories)}
    name, family = default_part(spec) if part is None else part, spec.family
    if name in family.by_category:
        pairs = zip(categories, family.by_category[name], strict=True)
        return {label: functional for label, functional in pairs if functional is not None}
    if name not in family.parts:
        known = [*family.by_category, *family.parts]
        raise SpecError(f"A {spec.family_name} response has no part {part!r}.", advice=choices(str(part), known))
    return {None: family.parts[name]}


def _mean_score(scores: Mapping[Any, Any], spec: ModelSpec, categories: Sequence[str]) -> Functional:
    """The mean of given scores of ordered categories."""
    given = {str(label): score for label, score in scores.items()}
    if spec.family.score is None:
        raise SpecError(
            f"A {spec.family_name} response has no ordered categories to give scores.",
            f"part {given}",
            "Name a part: part='mean'.",
        )
    where = f"scores of {spec.formula.response}: {given}"
    if unknown := [label for label in given if label not in categories]:
        raise SpecError(f"The response has no category {unknown[0]!r}.", where, choices(unknown[0], categories))
    if missing := [label for label in categories if label not in given]:
        raise SpecError(f"The category {missing[0]!r} has no score.", where, "Give each category a number.")
    for label, score in given.items():
        number = isinstance(score, Real) and not isinstance(score, bool)
        if not number or not math.isfinite(score):
            raise SpecError(f"The score of {label!r} is not a finite number: {score!r}.", where, "Write a number.")
    weights = tuple(float(given[label]) for label in categories)
    shown = ", ".join(f"{label} = {weight:g}" for label, weight in zip(categories, weights, strict=True))
    return replace(spec.family.score(weights), title=f"mean score ({shown})")


def mean_range(spec: ModelSpec) -> str:
    """What the mean can be: "unit" for probabilities and fractions, "positive", or "real"."""
    if spec.family.response.range == "unit":
        return "unit"
    if spec.family.response.range == "positive" or spec.link.range == "positive":
        return "positive"
    return "real"


def chosen_estimands(
    names: str | Sequence[str], spec: ModelSpec, part: Functional | None = None
) -> tuple[Estimand, ...]:
    """The estimands of those names that make sense for the model's mean, or another part.

    Raises
    ------
    SpecError
        For a name that is not in ``ESTIMANDS``, or if none of them makes sense (an odds ratio of counts).
    """
    asked = (names,) if isinstance(names, str) else tuple(names)
    for name in asked:
        if name not in ESTIMANDS:
            raise SpecError(f"There is no estimand {name!r}.", advice=choices(name, ESTIMANDS))
    name, scale = (part.name if part else "mean"), (part and part.range) or mean_range(spec)
    fitting = tuple(ESTIMANDS[name] for name in dict.fromkeys(asked) if scale in ESTIMANDS[name].ranges)
    if not fitting:
        valid = [estimand.name for estimand in ESTIMANDS.values() if scale in estimand.ranges]
        raise SpecError(
            f"{', '.join(asked) or 'No estimand'} cannot be had from a {spec.family_name} {name}.",
            f"the {name} is {scale}",
            choices("", valid),
        )
    return fitting
