"""Average counterfactual comparisons, and average slopes.

Every row of the grid is set to one value of a variable, then to another; the predicted means are averaged over the
rows; the estimand compares the two averages. Under ``integrated`` these are population-averaged effects: averaged over
the random effects and over the rows' covariates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_glmm.design import Design, Predictors
from bayes_glmm.effects.contrasts import contrasts_of
from bayes_glmm.effects.estimands import chosen_estimands
from bayes_glmm.effects.grid import check_variable, factor_columns, model_columns
from bayes_glmm.effects.means import (
    Reading,
    distinct,
    draw_slices,
    encode,
    fresh_effects,
    mean_response,
    readings,
)
from bayes_glmm.effects.tidy import Estimates, check_interval, tidy
from bayes_glmm.errors import DataError, SpecError, choices
from bayes_glmm.posterior import Posterior

STEP = 1e-4  # of an sd, for slopes: the error of the central difference is of order STEP^2


def compare(
    posterior: Posterior,
    variable: str,
    contrast: Any = None,
    newdata: pd.DataFrame | None = None,
    by: str | Sequence[str] | None = None,
    random_effects: str | Sequence[str] = ("integrated", "zero"),
    estimands: str | Sequence[str] = ("difference", "ratio", "odds_ratio"),
    interval: float = 0.95,
    seed: int = 0,
) -> Estimates:
    """Compare averaged means at two values of a variable.

    Parameters
    ----------
    posterior : Posterior
    variable : str
        A column of the data.
    contrast : optional
        See :func:`~bayes_glmm.effects.contrasts.contrasts_of`: by default each level against the first, 1 against 0, or
        x + 1 against x.
    newdata : DataFrame, optional
        Rows to average over; the data's own by default.
    by : str or sequence of str, optional
        Columns within whose values to average.
    random_effects : {"integrated", "zero", "known", "new"} or several of them
        As :func:`~bayes_glmm.effects.predictions.predict`.
    estimands : str or sequence of str
        Names in ``ESTIMANDS``; those that make no sense for the model's mean (an odds ratio of counts) are left out.
    interval : float
        Mass of the equal-tailed interval.
    seed : int
        Of the fresh groups of ``"new"``.

    Returns
    -------
    Estimates
        Labels: ``variable``, ``contrast``, the ``by`` columns, ``estimand``, ``effect``.

    Raises
    ------
    SpecError
        For an unknown variable, contrast, estimand or reading, or if no estimand makes sense.
    DataError
        For missing columns and unknown levels.
    """
    chosen, wanted = readings(random_effects), chosen_estimands(estimands, posterior.spec)
    check_interval(interval)
    contrasts = contrasts_of(posterior.design, variable, contrast)
    rows = _rows(posterior.design, newdata)
    groups, member = _groups(rows, by)
    average = _averager(posterior, chosen, member, seed)
    settings = {setting: None for item in contrasts for setting in (item.low, item.high)}
    means = {
        setting: average(encode(posterior.design, setting.apply(posterior.design, rows, variable), chosen))
        for setting in settings
    }
    labels, draws = [], []
    for item in contrasts:
        high, low = means[item.high], means[item.low]  # [draw, group, reading]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            values = [estimand.compute(high, low) for estimand in wanted]
        for g in range(len(groups)):
            for estimand, value in zip(wanted, values, strict=True):
                draws.append(value[:, g, :])
                labels += [(item.label, g, estimand.name, reading.label) for reading in chosen]
    table = pd.DataFrame(labels, columns=["contrast", "group", "estimand", "effect"])
    null = np.array([{e.name: e.null for e in wanted}[name] for name in table["estimand"]])
    return tidy(
        np.concatenate(draws, axis=1),
        _labelled(table, groups, variable),
        interval,
        posterior.sample_shape,
        _description(posterior, f"Mean of {posterior.design.response} compared by {variable}", rows, by),
        null,
    )


def slopes(
    posterior: Posterior,
    variable: str,
    newdata: pd.DataFrame | None = None,
    by: str | Sequence[str] | None = None,
    random_effects: str | Sequence[str] = ("integrated", "zero"),
    interval: float = 0.95,
    seed: int = 0,
) -> Estimates:
    """Average slope of the mean in a numeric variable: the average over rows of d mean / d x.

    By central differences of the rows' own columns, so that transforms, interactions and splines of x, and random
    slopes, are all respected.

    Parameters
    ----------
    posterior, variable, newdata, by, random_effects, interval, seed
        As :func:`compare`; the variable numeric.

    Returns
    -------
    Estimates
        Labels: ``variable``, the ``by`` columns, ``effect``. Unit: response per unit of x.

    Raises
    ------
    SpecError
        For an unknown or categorical variable.
    DataError
        For missing columns and unknown levels.
    """
    design, chosen = posterior.design, readings(random_effects)
    check_interval(interval)
    check_variable(design, variable)
    if variable in factor_columns(design):
        raise SpecError(f"{variable!r} is categorical and has no slope.", advice="Use compare().")
    rows = _rows(design, newdata)
    groups, member = _groups(rows, by)
    average = _averager(posterior, chosen, member, seed)
    x = rows[variable].to_numpy(float)
    h = STEP * (float(np.std(design.data[variable].to_numpy(float))) or 1.0)
    up, down = (average(encode(design, rows.assign(**{variable: moved}), chosen)) for moved in (x + h, x - h))
    draws = (up - down) / (2.0 * h)
    labels = pd.DataFrame(
        [(g, reading.label) for g in range(len(groups)) for reading in chosen], columns=["group", "effect"]
    )
    return tidy(
        draws.reshape(len(draws), -1),
        _labelled(labels, groups, variable),
        interval,
        posterior.sample_shape,
        _description(posterior, f"Average slope of the mean of {posterior.design.response} in {variable}", rows, by),
        null=0.0,
    )


def _rows(design: Design, newdata: pd.DataFrame | None) -> pd.DataFrame:
    rows = (design.data if newdata is None else newdata).reset_index(drop=True)
    if rows.empty:
        raise DataError("There are no rows to average over.", advice="Give at least one row.")
    for column in model_columns(design):
        if column not in rows.columns:
            raise DataError(
                f"The new rows have no column {column!r}, which the model uses.",
                advice=choices(column, map(str, rows.columns)),
            )
    return rows


def _groups(rows: pd.DataFrame, by: str | Sequence[str] | None) -> tuple[pd.DataFrame, np.ndarray]:
    """The combinations of ``by`` that occur, one a row, and which of them each row belongs to [row]."""
    columns = [] if by is None else [by] if isinstance(by, str) else list(by)
    for column in columns:
        if column not in rows.columns:
            raise SpecError(f"The rows have no column {column!r} to average by.", advice=choices(column, rows.columns))
    if not columns:
        return pd.DataFrame(index=[0]), np.zeros(len(rows), int)
    grouped = rows.groupby(columns, observed=True, dropna=False)
    return grouped.size().index.to_frame(index=False), grouped.ngroup().to_numpy()


def _averager(
    posterior: Posterior, chosen: Sequence[Reading], member: np.ndarray, seed: int
) -> Callable[[Predictors], np.ndarray]:
    """A function from rows to their averaged means [draw, group, reading], each distinct row worked out once."""
    fresh = fresh_effects(posterior, seed)
    total, groups = int(np.prod(posterior.sample_shape)), int(member.max()) + 1

    def average(predictors: Predictors) -> np.ndarray:
        result = np.empty((total, groups, len(chosen)))
        for own_groups in {reading.groups for reading in chosen}:
            patterns, position = distinct(predictors, own_groups)
            weights = np.zeros((len(patterns), groups))
            np.add.at(weights, (position, member), 1.0)
            weights /= weights.sum(axis=0)
            for draws in draw_slices(posterior, len(patterns)):
                for k, reading in enumerate(chosen):
                    if reading.groups == own_groups:
                        result[draws, :, k] = mean_response(posterior, patterns, reading, draws, fresh) @ weights
        return result

    return average


def _labelled(table: pd.DataFrame, groups: pd.DataFrame, variable: str) -> pd.DataFrame:
    """The labels with the variable first and the columns of ``by`` in place of the group's number."""
    named = groups.loc[table["group"]].reset_index(drop=True)
    if "contrast" not in table:
        return pd.concat([pd.Series([variable] * len(table), name="variable"), named, table[["effect"]]], axis=1)
    first = table[["contrast"]].assign(variable=variable)[["variable", "contrast"]]
    return pd.concat([first, named, table[["estimand", "effect"]]], axis=1)


def _description(posterior: Posterior, what: str, rows: pd.DataFrame, by: str | Sequence[str] | None) -> str:
    within = "" if by is None else f" within {by if isinstance(by, str) else ', '.join(by)}"
    return f"{what}, averaged over {len(rows)} rows{within} ({posterior.spec.family_name})."
