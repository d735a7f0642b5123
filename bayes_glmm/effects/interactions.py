"""Interactions as effects: how much a comparison changes when a second variable changes.

On the link scale an interaction is a coefficient; on the scale of the response it is a difference in differences (or a
ratio of ratios) of averaged means, there even without a product in the formula (Ai & Norton 2003).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_glmm.effects.averages import averaging, described
from bayes_glmm.effects.categories import of_each_part
from bayes_glmm.effects.contrasts import Contrast, Setting, Trend, contrasts_of, meant_for
from bayes_glmm.effects.estimands import ESTIMANDS, Estimand, Part, chosen_estimands
from bayes_glmm.effects.readings import Reading, readings
from bayes_glmm.effects.tidy import Estimates, tidy
from bayes_glmm.errors import SpecError
from bayes_glmm.families import Functional
from bayes_glmm.posterior import Posterior
from bayes_glmm.summaries import Interval, IntervalKind

# the estimand, and how its values at the two settings of the moderator are compared
_CHANGE = {"difference": "difference", "log_odds_ratio": "difference", "ratio": "ratio", "odds_ratio": "ratio"}


def interact(
    posterior: Posterior,
    variable: str,
    moderator: str,
    contrast: Any = None,
    moderator_contrast: Any = None,
    newdata: pd.DataFrame | None = None,
    random_effects: str | Sequence[str] = ("integrated", "zero"),
    estimands: str | Sequence[str] = ("difference",),
    level: float = 0.95,
    interval: IntervalKind = "eti",
    seed: int = 0,
    keep: str | Sequence[str] = (),
    weights: str | np.ndarray | None = None,
    part: Part | None = None,
) -> Estimates:
    """Change of a comparison between two values of a moderator, both set for all rows.

    Parameters
    ----------
    posterior : Posterior
    variable, moderator : str
        Columns of the data.
    contrast, moderator_contrast : optional
        As ``contrast`` of :func:`~bayes_glmm.effects.comparisons.compare`, for each of them.
    newdata, random_effects, level, interval, seed, keep, weights, part
        As :func:`~bayes_glmm.effects.comparisons.compare`.
    estimands : str or sequence of str
        ``difference`` and ``log_odds_ratio`` are compared by their difference (difference in differences), ``ratio``
        and ``odds_ratio`` by their ratio.

    Returns
    -------
    Estimates
        Labels: ``variable``, ``contrast``, ``moderator``, ``at`` (the moderator's contrast), ``estimand``, ``effect``.

    Raises
    ------
    SpecError
        As ``compare``; also for a variable that is its own moderator, and for estimands not listed above.
    DataError
        For missing columns and unknown levels.
    """
    chosen, asked = readings(random_effects, posterior.design, keep), Interval(level, interval)
    if variable == moderator:
        raise SpecError(f"{variable!r} cannot be its own moderator.", advice="Name two columns.")
    contrasts = contrasts_of(posterior.design, variable, contrast)
    moderators = contrasts_of(posterior.design, moderator, moderator_contrast)

    def changed(parts: Sequence[Functional]) -> list[Estimates]:
        wanted = tuple(item for item in chosen_estimands(estimands, posterior.spec, parts[0]) if item.name in _CHANGE)
        if not wanted:
            raise SpecError("An interaction has no such estimand.", advice=f"Valid: {', '.join(_CHANGE)}.")
        fitting = meant_for(meant_for(wanted, contrasts, variable), moderators, moderator)
        names = variable, moderator
        return _changed(posterior, names, contrasts, moderators, newdata, chosen, fitting, asked, seed, weights, parts)

    return of_each_part(posterior, part, changed)


def _changed(
    posterior: Posterior,
    names: tuple[str, str],
    contrasts: Sequence[Contrast | Trend],
    moderators: Sequence[Contrast | Trend],
    newdata: pd.DataFrame | None,
    chosen: Sequence[Reading],
    wanted: Sequence[Estimand],
    asked: Interval,
    seed: int,
    weights: str | np.ndarray | None,
    parts: Sequence[Functional],
) -> list[Estimates]:
    """The change of comparisons by the first variable with the second: one answer per functional."""
    design, (variable, moderator) = posterior.design, names
    rows, _, average = averaging(posterior, chosen, newdata, None, weights, seed, parts)
    means = {}
    for at in dict.fromkeys(setting for item in moderators for setting in item.settings):
        moved = at.apply(design, rows, moderator)
        for setting in dict.fromkeys(setting for item in contrasts for setting in item.settings):
            means[setting, at] = average(setting.apply(design, moved, variable))[:, :, 0, :]
    what = f"Change with {moderator} of the comparison of the {parts[0].title} of {design.response} by {variable}"
    description = described(posterior, what, rows, None)
    return [
        _change_of(
            posterior,
            names,
            {settings: each[k] for settings, each in means.items()},
            contrasts,
            moderators,
            chosen,
            wanted,
            asked,
            description,
        )
        for k in range(len(parts))
    ]


def _change_of(
    posterior: Posterior,
    names: tuple[str, str],
    means: Mapping[tuple[Setting, Setting], np.ndarray],
    contrasts: Sequence[Contrast | Trend],
    moderators: Sequence[Contrast | Trend],
    chosen: Sequence[Reading],
    wanted: Sequence[Estimand],
    asked: Interval,
    description: str,
) -> Estimates:
    """The answer from the averages [draw, reading] at each setting of both variables."""
    variable, moderator = names
    labels, draws, null = [], [], []
    for item in contrasts:
        for at_item in moderators:
            for estimand in wanted:
                change = ESTIMANDS[_CHANGE[estimand.name]]
                with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                    values = {
                        at: estimand.compute(*item.sides({setting: means[setting, at] for setting in item.settings}))
                        for at in at_item.settings
                    }
                    draws.append(change.compute(*at_item.sides(values)))
                null += [change.null] * len(chosen)
                labels += [
                    (variable, item.label, moderator, at_item.label, estimand.name, reading.label) for reading in chosen
                ]
    table = pd.DataFrame(labels, columns=["variable", "contrast", "moderator", "at", "estimand", "effect"])
    return tidy(
        np.concatenate(draws, axis=1),
        table,
        asked,
        posterior.sample_shape,
        description,
        np.array(null),
    )
