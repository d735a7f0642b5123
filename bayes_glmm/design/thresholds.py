"""Thresholds of ordered categories: their priors, and the way between them and an intercept with steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from bayes_glmm.design.design import Design
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.families.ordered import THRESHOLD_PRIORS
from bayes_glmm.names import threshold
from bayes_glmm.spec import ModelSpec, Prior

# the argument that says where a distribution lies, and its place
_MIDDLE = {"Normal": ("mu", 0), "StudentT": ("mu", 1), "Cauchy": ("alpha", 0), "Laplace": ("mu", 0)}
_MIDDLE |= {"Logistic": ("mu", 0), "Flat": ("", 0)}


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
    default = Prior.parse(THRESHOLD_PRIORS[spec.link_name]) if design.thresholds else Prior("Flat")
    return {threshold(name): given.get(threshold(name), default) for name in design.thresholds}


def threshold_sources(design: Design, given: Mapping[str, Prior], centred: bool) -> Iterator[tuple[str, str]]:
    """Where each of these priors comes from, in words."""
    for name in map(threshold, design.thresholds):
        default = "default, in order, at the centre" if centred else "default, in order"
        yield name, "given, in order, at x = 0" if name in given else default


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


def starting_steps(design: Design) -> np.ndarray:
    """Distances of the logits of the shares of rows up to each category: where a search starts [step]."""
    below = np.array([(design.y <= k).mean() for k in range(1, len(design.categories))])
    inside = (below * len(design.y) + 0.5) / (len(design.y) + 1.0)
    return np.maximum(np.diff(np.log(inside) - np.log1p(-inside)), 0.1)
