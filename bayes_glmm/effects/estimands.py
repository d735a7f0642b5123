"""How two averaged means are compared. One record an estimand; a new one is one entry in ``ESTIMANDS``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayes_glmm.errors import SpecError, choices
from bayes_glmm.families import CATEGORY, Functional
from bayes_glmm.spec import ModelSpec


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


def chosen_parts(part: str | None, spec: ModelSpec, categories: Sequence[str] = ()) -> dict[str | None, Functional]:
    """The functionals of a part by category; a part that is one number stands under None.

    Raises
    ------
    SpecError
        For a name that is not one of the family's ``parts``, or ``by_category``.
    """
    name, family = default_part(spec) if part is None else part, spec.family
    if name in family.by_category:
        pairs = zip(categories, family.by_category[name], strict=True)
        return {label: functional for label, functional in pairs if functional is not None}
    if name not in family.parts:
        known = [*family.by_category, *family.parts]
        raise SpecError(f"A {spec.family_name} response has no part {part!r}.", advice=choices(str(part), known))
    return {None: family.parts[name]}


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
