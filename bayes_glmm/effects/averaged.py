"""Means averaged over rows: of all rows, within groups of them, and at each value of a variable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_glmm.design.extrapolation import beyond_data
from bayes_glmm.effects.averages import averaging, described, repeats
from bayes_glmm.effects.categories import of_each_part
from bayes_glmm.effects.columns import beside
from bayes_glmm.effects.grid import check_levels, check_variable, default_values, with_value
from bayes_glmm.effects.patterns import not_determined
from bayes_glmm.effects.readings import Reading, readings
from bayes_glmm.effects.tidy import Estimates, tidy
from bayes_glmm.errors import SpecError
from bayes_glmm.families import Functional
from bayes_glmm.posterior import Posterior
from bayes_glmm.summaries import Interval, IntervalKind


def averaged_means(
    posterior: Posterior,
    variable: str | None = None,
    values: Sequence[Any] | None = None,
    newdata: pd.DataFrame | None = None,
    by: str | Sequence[str] | None = None,
    random_effects: str | Sequence[str] = ("integrated", "zero"),
    level: float = 0.95,
    interval: IntervalKind = "eti",
    seed: int = 0,
    keep: str | Sequence[str] = (),
    weights: str | np.ndarray | None = None,
    part: str | None = None,
) -> Estimates:
    """Average the mean over rows, with a variable set to each of its values.

    Each row is predicted with the variable at a value and its other columns as they are, and the predictions are
    averaged: the standardised means whose differences :func:`compare` reports (g-computation). Without a variable the
    rows are averaged as they are: with ``newdata`` a table of cells and ``weights`` their sizes in the population,
    this is poststratification (Gelman & Little 1997, Survey Methodology 23, 127-135).

    Parameters
    ----------
    posterior : Posterior
    variable : str, optional
        A column of the data to set.
    values : sequence, optional
        The values to set it to; by default all levels, or all values of a number with six at most, else its minimum,
        quartiles and maximum.
    newdata : DataFrame, optional
        Rows to average over; the data's own by default.
    by, random_effects, level, interval, seed, keep, weights, part
        As :func:`compare`.

    Returns
    -------
    Estimates
        Labels: the variable under its own name, the ``by`` columns, of categories ``category``, ``effect``.

    Raises
    ------
    SpecError
        For an unknown variable, one that is in ``by``, ``values`` without one, and what :func:`compare` refuses.
    DataError
        For missing columns and unknown levels.
    """
    chosen, asked = readings(random_effects, posterior.design, keep), Interval(level, interval)
    settings = _settings(posterior, variable, values)
    if variable is not None and variable in ([by] if isinstance(by, str) else by or ()):
        raise SpecError(f"{variable!r} is set to its values and in 'by'.", advice="Leave it out of one of them.")

    def averaged(of: Sequence[Functional]) -> list[Estimates]:
        return _averaged(posterior, variable, settings, newdata, by, chosen, asked, seed, weights, of)

    return of_each_part(posterior, part, averaged)


def _settings(posterior: Posterior, variable: str | None, values: Sequence[Any] | None) -> list[Any]:
    """The values to set the variable to; one that sets nothing without a variable."""
    if variable is None:
        if values is not None:
            raise SpecError("There are values and no variable to set to them.", advice="Name it: means('x', [0, 1]).")
        return [None]
    check_variable(posterior.design, variable)
    if values is None:
        return default_values(posterior.design, variable)
    given = [values] if np.ndim(values) == 0 else list(values)
    if not given:
        raise SpecError(f"There are no values of {variable!r}.", advice="Give one at least, or leave values out.")
    check_levels(posterior.design, variable, given)
    return given


def _averaged(
    posterior: Posterior,
    variable: str | None,
    settings: Sequence[Any],
    newdata: pd.DataFrame | None,
    by: str | Sequence[str] | None,
    chosen: Sequence[Reading],
    asked: Interval,
    seed: int,
    weights: str | np.ndarray | None,
    parts: Sequence[Functional],
) -> list[Estimates]:
    """Averages of functionals: one answer per functional."""
    design = posterior.design
    rows, groups, average = averaging(posterior, chosen, newdata, by, weights, seed, parts)
    versions = [rows if variable is None else with_value(design, rows, variable, value) for value in settings]
    means = np.stack([average(version) for version in versions], axis=2)  # part, draw, setting, group, reading
    beyond = beyond_data(design, versions)
    return [
        _table(posterior, variable, settings, each, rows, groups, by, chosen, asked, part, beyond)
        for each, part in zip(means, parts, strict=True)
    ]


def _table(
    posterior: Posterior,
    variable: str | None,
    settings: Sequence[Any],
    draws: np.ndarray,
    rows: pd.DataFrame,
    groups: pd.DataFrame,
    by: str | Sequence[str] | None,
    chosen: Sequence[Reading],
    asked: Interval,
    part: Functional,
    beyond: str | None,
) -> Estimates:
    """The answer from averages [draw, setting, group, reading]."""
    once, note = repeats(np.moveaxis(draws, 1, -1), chosen, by)
    if once:
        draws, groups = draws[:, :, :1], pd.DataFrame(index=[0])
    order = [(s, g, k) for s in range(len(settings)) for g in range(len(groups)) for k in range(len(chosen))]
    named = groups.iloc[[g for _, g, _ in order]].reset_index(drop=True)
    at_values = {} if variable is None else {variable: [settings[s] for s, _, _ in order]}
    labels = beside(pd.DataFrame({**at_values, **named}), effect=[chosen[k].label for _, _, k in order])
    title = part.title[:1].upper() + part.title[1:]
    at = "" if variable is None else f" by {variable}"
    return tidy(
        draws.reshape(len(draws), -1),
        labels,
        asked,
        posterior.sample_shape,
        described(posterior, f"{title} of {posterior.design.response}{at}", rows, by),
        functional="mean" if part.name in posterior.spec.family.by_category else "median",
        notes=(*filter(None, [note, beyond]), *not_determined(posterior.design, draws)),
    )
