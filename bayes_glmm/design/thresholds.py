"""Thresholds of ordered categories: priors, where a search starts, the way to an intercept with steps and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from bayes_glmm.design.design import Design
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.names import threshold
from bayes_glmm.spec import ModelSpec, Prior

# the argument that says where a distribution lies, and its place
_MIDDLE = {"Normal": ("mu", 0), "StudentT": ("mu", 1), "Cauchy": ("alpha", 0), "Laplace": ("mu", 0)}
_MIDDLE |= {"Logistic": ("mu", 0), "Flat": ("", 0)}


def in_order(spec: ModelSpec) -> bool:
    """Whether thresholds are restricted to increasing order."""
    return spec.family.thresholds is not None and spec.family.thresholds.ordered


def check_thresholds(given: Mapping[str, Prior], names: tuple[str, ...]) -> None:
    """The priors that are set for thresholds are such as have a middle, and are set for all of them or for none.

    Raises
    ------
    SpecError
    """
    keys = [threshold(name) for name in names]
    own = [key for key in keys if key in given]
    for key in own:
        if given[key].distribution not in _MIDDLE:
            raise SpecError(
                f"The prior {given[key]} is not one that thresholds can have.",
                f"prior of {key}",
                choices("", _MIDDLE),
            )
    if own and len(own) < len(keys):
        missing = next(key for key in keys if key not in given)
        raise SpecError(
            f"{own[0]} has a prior at x = 0, {missing} has none.", "priors", "Set 'threshold' for the others."
        )


def threshold_priors(spec: ModelSpec, design: Design, given: Mapping[str, Prior]) -> dict[str, Prior]:
    """The prior of each threshold: that which is set at x = 0, else the default at the centre of the columns."""
    record = spec.family.thresholds
    texts = record.defaults(spec.link_name) if record else ()
    keys = map(threshold, design.thresholds)
    return {key: given.get(key, Prior.parse(text)) for key, text in zip(keys, texts, strict=True)}


def threshold_sources(
    spec: ModelSpec, design: Design, given: Mapping[str, Prior], centred: bool
) -> Iterator[tuple[str, str]]:
    """Where each of these priors comes from, in words."""
    order = ", in order" if in_order(spec) else ""
    order += f", {design.tied.name}" if design.tied is not None else ""
    defaults = threshold_priors(spec, design, given)
    for name in map(threshold, design.thresholds):
        default = f"default{order}, at the centre" if centred else f"default{order}"
        if design.tied is not None and defaults[name].distribution == "Flat":
            default = "default: follows from others"
        yield name, f"given{order}, at x = 0" if name in given else default


def reflected(prior: Prior) -> Prior:
    """The prior of -x for one of x."""
    name, place = _MIDDLE[prior.distribution]
    positional = tuple(_minus(value) if k == place and name else value for k, value in enumerate(prior.positional))
    keyword = tuple((key, _minus(value) if key == name else value) for key, value in prior.keyword)
    return replace(prior, positional=positional, keyword=keyword)


def _minus(value):  # type: ignore[no-untyped-def]
    return 0.0 - value


def thresholds_of(intercept: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The thresholds [..., threshold] of an intercept [...] and steps [..., threshold - 1]."""
    first = -np.asarray(intercept)[..., None]
    return np.concatenate([first, first + np.cumsum(steps, axis=-1)], axis=-1)


def starting_steps(spec: ModelSpec, design: Design) -> dict[str, float]:
    """Where a search starts: distances of the log odds of rows on both sides of each threshold, by step.

    Thresholds that are tied have the mean of theirs.
    """
    record = spec.family.thresholds
    if record is None:
        return {}
    below, above = record.sides(np.bincount(design.y.astype(int), minlength=len(design.categories) + 1)[1:])
    distances = np.diff(np.log((below + 0.5) / (above + 0.5)))
    distances = np.maximum(distances, 0.1) if record.ordered else distances
    names = np.array(record.steps)
    return {name: float(distances[names == name].mean()) for name in spec.family.steps}
