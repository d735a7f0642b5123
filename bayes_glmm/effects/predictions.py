"""Predictions for rows: the mean of the response, its link, or new responses, with u read in one way or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from bayes_glmm.design import Design, Predictors
from bayes_glmm.design.expressions import arithmetic, columns_of
from bayes_glmm.design.extrapolation import beyond_data
from bayes_glmm.design.response import read_trials
from bayes_glmm.effects.categories import of_each_part
from bayes_glmm.effects.columns import beside
from bayes_glmm.effects.estimands import Part, require_mean
from bayes_glmm.effects.grid import collapse, columns_read, given_rows, model_columns, observed, with_unread
from bayes_glmm.effects.patterns import draw_slices, encode, not_determined
from bayes_glmm.effects.readings import (
    OUTCOME,
    Reading,
    fresh_effects,
    kept_factors,
    linear_predictors,
    mean_response,
    parts_of_response,
    readings,
)
from bayes_glmm.effects.tidy import Estimates, tidy
from bayes_glmm.effects.unseen import with_unseen_groups
from bayes_glmm.errors import DataError, SpecError, choices
from bayes_glmm.families import Functional, Response
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import values_at
from bayes_glmm.summaries import Interval, IntervalKind, functional_of_outcomes

Scale = Literal["response", "link", "outcome"]
_SCALES = {
    "response": "{what} of {y}",
    "link": "Linear predictor of {of} ({link} scale)",
    "outcome": "New {y}",
}


def predict(
    posterior: Posterior,
    newdata: pd.DataFrame | None = None,
    random_effects: str | Sequence[str] = ("integrated", "zero"),
    scale: Scale = "response",
    level: float = 0.95,
    interval: IntervalKind = "eti",
    seed: int = 0,
    keep: str | Sequence[str] = (),
    part: Part | None = None,
) -> Estimates:
    """Predict at rows.

    Parameters
    ----------
    posterior : Posterior
    newdata : DataFrame, optional
        Rows to predict at; by default the data's own, those with the same predictors taken together and counted in
        ``n`` (and in the same groups, with ``"known"``).
    random_effects : {"integrated", "zero", "known", "new", "known_or_new"} or several of them
        ``integrated``: u averaged out under N(0, G), the population-averaged mean. ``zero``: at u = 0. ``known``: at
        the row's own groups, which the model must have seen. ``new``: in one fresh group of each factor, the same for
        all rows, so that the interval also holds the variation between groups. ``known_or_new``: at the row's own
        groups where the model has seen them, and in fresh groups, one a label, where it has not.
    scale : {"response", "link", "outcome"}
        The mean (of one trial, under trials); the link of the mean, for ``integrated`` the link of the
        population-averaged mean; or new responses drawn from the posterior predictive distribution, in a fresh group
        for ``integrated`` and ``new``. The estimate of new responses is their mean where it exists whatever the tails
        of the posterior (bounded responses, identity link), else their median.
    level : float
        Posterior probability of the interval, between 0 and 1.
    interval : {"eti", "hdi"}
        Equal-tailed, or the shortest (highest density).
    seed : int
        Of the fresh groups and the new responses.
    keep : str or sequence of str
        Grouping factors at whose own levels to stay, while the others are read so: with ``keep="school"``,
        ``integrated`` is the average over the doctors of each row's own school.
    part : str or mapping of category to number, optional
        What to predict: ``"mean"``, the default of numbers; a parameter of the family (``"sigma"``, ``"zi"``; ``"mu"``
        where that is not the mean); of counts ``"zero"``, the probability of a zero. Of ordered categories
        ``"category"``, the default, the probability of each; ``"at_least"``, that of each or a higher one; or
        ``"mean"``, the mean of their numbers 1, 2, ...; a mapping is that of other scores, ``{"low": 0, "high": 5}``.

    Returns
    -------
    Estimates
        Labels: the columns that the model uses, ``n`` where rows were taken together, of categories ``category``,
        ``effect``. Probabilities of categories are posterior means, which add up to 1.

    Raises
    ------
    SpecError
        For an unknown reading or scale, and for ``integrated`` under a link that has no such mean.
    DataError
        For missing columns, unknown levels, and unknown groups with ``known``.
    """
    chosen = readings(random_effects, posterior.design, keep)
    asked = Interval(level, interval)
    if scale not in _SCALES:
        raise SpecError(f"A prediction cannot be on the scale {scale!r}.", advice=choices(scale, _SCALES))
    if scale == "outcome":
        require_mean(posterior.spec)
        if part not in (None, "mean"):
            raise SpecError(f"New responses have no part {part!r}.", advice="Use scale='response'.")
        part = "mean"

    def predicted(of: Sequence[Functional]) -> list[Estimates]:
        return _predicted(posterior, newdata, chosen, scale, asked, seed, of)

    return of_each_part(posterior, part, predicted)


def _predicted(
    posterior: Posterior,
    newdata: pd.DataFrame | None,
    chosen: Sequence[Reading],
    scale: Scale,
    asked: Interval,
    seed: int,
    parts: Sequence[Functional],
) -> list[Estimates]:
    """Functionals of the response, or new responses, at rows: one answer per functional."""
    of = parts[0]
    if scale == "link" and posterior.spec.family.categories:
        raise SpecError(
            "Probabilities of categories are not the inverse link of one predictor.",
            "scale='link'",
            "Use scale='response', or fit.coefficients().",
        )
    if scale == "link" and of.name != "mean" and of.reads != (of.factor,):
        raise SpecError(
            f"The {of.title} is not the inverse link of a predictor.", "scale='link'", "Use scale='response'."
        )
    newdata = None if newdata is None else given_rows(newdata)
    rows, trials = _rows(posterior, newdata, chosen, scale, of)
    whole = rows if scale == "outcome" else with_unread(posterior.design, rows, columns_read(posterior, of))
    posterior = with_unseen_groups(posterior, whole, chosen, seed)
    predictors = encode(posterior.design, whole, kept_factors(chosen))
    total = int(np.prod(posterior.sample_shape))
    values = np.empty((len(parts), total, len(rows), len(chosen)))  # rows of one pattern side by side
    fresh = fresh_effects(posterior, seed)
    for k, reading in enumerate(chosen):
        rng = np.random.default_rng([seed, OUTCOME, k])
        for draws in draw_slices(posterior, len(rows)):
            if scale == "outcome":
                values[0, draws, :, k] = _outcomes(posterior, predictors, reading, draws, fresh, trials, rng)
            elif scale == "link":
                values[0, draws, :, k] = mean_response(posterior, predictors, reading, draws, fresh, scale, of)
            else:
                values[:, draws, :, k] = parts_of_response(posterior, predictors, reading, parts, draws, fresh)
    repeated = rows.loc[rows.index.repeat(len(chosen))].reset_index(drop=True)
    labels = beside(repeated, effect=[reading.label for reading in chosen] * len(rows))
    link = posterior.spec.link_of_part(of).name
    response, title = posterior.design.response, of.title[:1].upper() + of.title[1:]
    whose = response if of.name == "mean" else of.factor
    of_outcomes = functional_of_outcomes(posterior.spec) if scale == "outcome" else None
    by_category = of.name in posterior.spec.family.by_category
    what = _SCALES[scale].format(y=response, of=whose, link=link, what=title)
    beyond = beyond_data(posterior.design, [whole])
    readings_text = ", ".join(filter(None, (*(reading.label for reading in chosen), posterior.spec.formula.before)))
    notes = (*_unused_groups(posterior.design, newdata, chosen), *([beyond] if beyond else []))
    return [
        tidy(
            own,
            labels,
            asked,
            posterior.sample_shape,
            f"{what}, {readings_text}.",
            functional=of_outcomes or ("mean" if by_category else "median"),
            notes=(*notes, *not_determined(posterior.design, own)),
        )
        for own in values.reshape(len(parts), total, -1)
    ]


def _unused_groups(design: Design, newdata: pd.DataFrame | None, chosen: Sequence[Reading]) -> tuple[str, ...]:
    """A word where new rows name groups that no reading looks at."""
    if newdata is None or "new" in {reading.name for reading in chosen}:
        return ()
    used, kept = set(model_columns(design)), kept_factors(chosen)
    unused = [
        block.group
        for block in design.blocks
        if block.group not in kept
        and not set(block.group.split(":")) <= used
        and set(block.group.split(":")) <= set(newdata.columns)
    ]
    if not unused:
        return ()
    names = ", ".join(unused)
    return (f"The {names} of the rows does not matter here; random_effects='known' or keep={unused[0]!r} uses it.",)


def _rows(
    posterior: Posterior, newdata: pd.DataFrame | None, chosen: Sequence[Reading], scale: str, of: Functional
) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Rows with the columns to show, and trials where new responses are drawn."""
    design, groups = posterior.design, kept_factors(chosen)
    if newdata is not None:
        rows = newdata
        shown = [column for column in model_columns(design, groups) if column in rows.columns]
        needed = model_columns(design) if scale == "outcome" else columns_read(posterior, of)
        missing = [column for column in needed if column not in rows.columns]
        trials = _trials(posterior, rows) if scale == "outcome" else None
        return (rows if missing else rows[shown]), trials
    if scale == "outcome":
        return observed(design, groups).reset_index(drop=True), design.trials
    return collapse(design.data, columns_read(posterior, of, groups)), None


def _trials(posterior: Posterior, rows: pd.DataFrame) -> np.ndarray | None:
    trials = posterior.spec.formula.trials
    if trials is None:
        return None
    if missing := [column for column in columns_of(arithmetic(trials)) if column not in rows.columns]:
        raise DataError(
            f"New responses need the number of trials, {trials}.",
            f"missing column {missing[0]!r}",
            "Add the column, or use scale='response'.",
        )
    return read_trials(trials, rows)


def _outcomes(
    posterior: Posterior,
    predictors: Predictors,
    reading: Reading,
    draws: slice,
    fresh: dict[str, np.ndarray],
    trials: np.ndarray | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """New responses [draw, row]."""
    drawn = replace(reading, name="new") if reading.name == "integrated" else reading
    at = values_at(posterior, linear_predictors(posterior, predictors, drawn, draws, fresh), draws)
    return np.asarray(posterior.spec.family.draw(rng, Response(None, trials), at), float)
