"""Average counterfactual comparisons, and average slopes.

Every row of the grid is set to one value of a variable, then to another; the predicted means are averaged over the
rows; the estimand compares the two averages. Under ``integrated`` these are population-averaged effects: averaged over
the random effects and over the rows' covariates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_glmm.design.extrapolation import beyond_data
from bayes_glmm.effects.averages import averaging, described, labelled, repeats
from bayes_glmm.effects.categories import of_each_part
from bayes_glmm.effects.contrasts import Contrast, Setting, Trend, contrasts_of, meant_for
from bayes_glmm.effects.estimands import Estimand, Part, chosen_estimands
from bayes_glmm.effects.grid import check_variable, factor_columns, with_value
from bayes_glmm.effects.patterns import not_determined
from bayes_glmm.effects.readings import Reading, readings
from bayes_glmm.effects.tidy import Estimates, tidy
from bayes_glmm.errors import SpecError
from bayes_glmm.families import Functional
from bayes_glmm.posterior import Posterior
from bayes_glmm.summaries import Interval, IntervalKind

BEYOND = 0.05  # of the range of the data: a step past the last value is no extrapolation worth a word
STEP = 1e-4  # of an sd, for slopes: the error of the central difference is of order STEP^2


def compare(
    posterior: Posterior,
    variable: str,
    contrast: Any = None,
    newdata: pd.DataFrame | None = None,
    by: str | Sequence[str] | None = None,
    random_effects: str | Sequence[str] = ("integrated", "zero"),
    estimands: str | Sequence[str] = ("difference", "ratio", "odds_ratio"),
    level: float = 0.95,
    interval: IntervalKind = "eti",
    seed: int = 0,
    keep: str | Sequence[str] = (),
    weights: str | np.ndarray | None = None,
    part: Part | None = None,
) -> Estimates:
    """Compare averaged means at two values of a variable.

    Parameters
    ----------
    posterior : Posterior
    variable : str
        A column of the data.
    contrast : optional
        See :func:`~bayes_glmm.effects.contrasts.contrasts_of`: by default each level against the first, 1 against 0, or
        x + 1 against x. ``"polynomial"``, the trends over ordered values, has the estimand ``difference`` only.
    newdata : DataFrame, optional
        Rows to average over; the data's own by default.
    by : str or sequence of str, optional
        Columns within whose values to average. Where the answer is the same within all of them, as it is without an
        interaction or a random slope, the table has one row for all and ``notes`` the reason.
    random_effects : {"integrated", "zero", "known", "new", "known_or_new"} or several of them
        As :func:`~bayes_glmm.effects.predictions.predict`.
    estimands : str or sequence of str
        Names in ``ESTIMANDS``; those that make no sense for the model's mean (an odds ratio of counts) are left out.
    level : float
        Posterior probability of the interval, between 0 and 1.
    interval : {"eti", "hdi"}
        Equal-tailed, or the shortest (highest density).
    seed : int
        Of the fresh groups of ``"new"``.
    keep : str or sequence of str
        As :func:`~bayes_glmm.effects.predictions.predict`.
    weights : str or array [row], optional
        How much each row counts in the averages, such as survey weights: a column of the rows, or the numbers.
    part : str, optional
        What is averaged and compared, as :func:`~bayes_glmm.effects.predictions.predict`.

    Returns
    -------
    Estimates
        Labels: ``variable``, ``contrast``, the ``by`` columns, of categories ``category``, ``estimand``, ``effect``.

    Raises
    ------
    SpecError
        For an unknown variable, contrast, estimand or reading, or if no estimand makes sense.
    DataError
        For missing columns and unknown levels.

    Examples
    --------
    The spinal-pain fit of adaptive quadrature: -0.288 within a patient is -0.134 in the population.

    >>> from bayes_glmm.posterior import posterior_at
    >>> from bayes_glmm.spec import ModelSpec
    >>> data = pd.DataFrame({"pain": [1, 0, 1, 1], "visit": [0, 1, 0, 1], "patient": ["a", "a", "b", "b"]})
    >>> spec = ModelSpec.from_formula("pain ~ visit + (1 | patient)", family="bernoulli")
    >>> posterior = posterior_at(spec, data, beta=[1.12431, -0.287682], G={"patient": [[2.99606**2]]})
    >>> compare(posterior, "visit", estimands="log_odds_ratio").table[["contrast", "effect", "estimate"]].round(4)
      contrast               effect  estimate
    0   1 vs 0  population-averaged   -0.1336
    1   1 vs 0  conditional (u = 0)   -0.2877
    """
    chosen, asked = readings(random_effects, posterior.design, keep), Interval(level, interval)

    def compared(of: Sequence[Functional]) -> list[Estimates]:
        return _compared(posterior, variable, contrast, newdata, by, chosen, estimands, asked, seed, weights, of)

    return of_each_part(posterior, part, compared)


def _compared(
    posterior: Posterior,
    variable: str,
    contrast: Any,
    newdata: pd.DataFrame | None,
    by: str | Sequence[str] | None,
    chosen: Sequence[Reading],
    estimands: str | Sequence[str],
    asked: Interval,
    seed: int,
    weights: str | np.ndarray | None,
    parts: Sequence[Functional],
) -> list[Estimates]:
    """Averages of functionals, compared: one answer per functional."""
    wanted = chosen_estimands(estimands, posterior.spec, parts[0])
    contrasts = contrasts_of(posterior.design, variable, contrast)
    wanted = meant_for(wanted, contrasts, variable)
    rows, groups, average = averaging(posterior, chosen, newdata, by, weights, seed, parts)
    settings = dict.fromkeys(setting for item in contrasts for setting in item.settings)
    moved = (setting.apply(posterior.design, rows, variable) for setting in settings)
    beyond = beyond_data(posterior.design, moved, BEYOND)
    means = {setting: average(setting.apply(posterior.design, rows, variable)) for setting in settings}
    what = f"{_sentence(parts[0].title)} of {posterior.design.response} compared by {variable}"
    return [
        _compared_means(
            posterior,
            variable,
            {setting: each[k] for setting, each in means.items()},
            contrasts,
            wanted,
            groups,
            by,
            chosen,
            asked,
            described(posterior, what, rows, by),
            beyond,
        )
        for k in range(len(parts))
    ]


def _compared_means(
    posterior: Posterior,
    variable: str,
    means: Mapping[Setting, np.ndarray],
    contrasts: Sequence[Contrast | Trend],
    wanted: Sequence[Estimand],
    groups: pd.DataFrame,
    by: str | Sequence[str] | None,
    chosen: Sequence[Reading],
    asked: Interval,
    description: str,
    beyond: str | None,
) -> Estimates:
    """The answer from the averages [draw, group, reading] at each setting of the variable."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        sides = [item.sides(means) for item in contrasts]
        values = np.array([[estimand.compute(*pair) for estimand in wanted] for pair in sides])
    once, note = repeats(np.moveaxis(values, (0, 1), (-2, -1)), chosen, by)
    if once:
        values, groups = values[:, :, :, :1], pd.DataFrame(index=[0])
    labels = [
        (item.label, g, estimand.name, reading.label)
        for item in contrasts
        for g in range(len(groups))
        for estimand in wanted
        for reading in chosen
    ]
    table = pd.DataFrame(labels, columns=["contrast", "group", "estimand", "effect"])
    null = np.array([{e.name: e.null for e in wanted}[name] for name in table["estimand"]])
    return tidy(
        values.transpose(2, 0, 3, 1, 4).reshape(values.shape[2], -1),  # [draw, contrast, group, estimand, reading]
        labelled(table, groups, variable),
        asked,
        posterior.sample_shape,
        description,
        null,
        notes=(
            *filter(None, [note, beyond]),
            *not_determined(posterior.design, np.stack([*means.values()], axis=1)),
        ),
    )


def slopes(
    posterior: Posterior,
    variable: str,
    newdata: pd.DataFrame | None = None,
    by: str | Sequence[str] | None = None,
    random_effects: str | Sequence[str] = ("integrated", "zero"),
    level: float = 0.95,
    interval: IntervalKind = "eti",
    seed: int = 0,
    keep: str | Sequence[str] = (),
    weights: str | np.ndarray | None = None,
    part: Part | None = None,
) -> Estimates:
    """Average slope of the mean in a numeric variable: the average over rows of d mean / d x.

    By central differences of the rows' own columns, so that transforms, interactions and splines of x, and random
    slopes, are all respected.

    Parameters
    ----------
    posterior, variable, newdata, by, random_effects, level, interval, seed, keep, weights, part
        As :func:`compare`; the variable numeric.

    Returns
    -------
    Estimates
        Labels: ``variable``, the ``by`` columns, of categories ``category``, ``effect``. Unit: response per unit of x.

    Raises
    ------
    SpecError
        For an unknown or categorical variable.
    DataError
        For missing columns and unknown levels.
    """
    chosen, asked = readings(random_effects, posterior.design, keep), Interval(level, interval)
    check_variable(posterior.design, variable)
    if variable in factor_columns(posterior.design):
        raise SpecError(f"{variable!r} is categorical and has no slope.", advice="Use compare().")

    def slope(of: Sequence[Functional]) -> list[Estimates]:
        return _slope(posterior, variable, newdata, by, chosen, asked, seed, weights, of)

    return of_each_part(posterior, part, slope)


def _slope(
    posterior: Posterior,
    variable: str,
    newdata: pd.DataFrame | None,
    by: str | Sequence[str] | None,
    chosen: Sequence[Reading],
    asked: Interval,
    seed: int,
    weights: str | np.ndarray | None,
    parts: Sequence[Functional],
) -> list[Estimates]:
    """The average slopes of functionals: one answer per functional."""
    design = posterior.design
    rows, groups, average = averaging(posterior, chosen, newdata, by, weights, seed, parts)
    x = rows[variable].to_numpy(float)
    h = STEP * (float(np.std(design.data[variable].to_numpy(float))) or 1.0)
    up, down = (average(with_value(design, rows, variable, moved)) for moved in (x + h, x - h))
    what = f"Average slope of the {parts[0].title} of {design.response} in {variable}"
    description, beyond = described(posterior, what, rows, by), beyond_data(design, [rows])
    slopes_of_parts = (up - down) / (2.0 * h)
    return [
        _slope_of(posterior, variable, draws, groups, by, chosen, asked, description, beyond)
        for draws in slopes_of_parts
    ]


def _slope_of(
    posterior: Posterior,
    variable: str,
    draws: np.ndarray,
    groups: pd.DataFrame,
    by: str | Sequence[str] | None,
    chosen: Sequence[Reading],
    asked: Interval,
    description: str,
    beyond: str | None,
) -> Estimates:
    """The answer from average slopes [draw, group, reading]."""
    once, note = repeats(draws, chosen, by)
    if once:
        draws, groups = draws[:, :1], pd.DataFrame(index=[0])
    labels = pd.DataFrame(
        [(g, reading.label) for g in range(len(groups)) for reading in chosen], columns=["group", "effect"]
    )
    return tidy(
        draws.reshape(len(draws), -1),
        labelled(labels, groups, variable),
        asked,
        posterior.sample_shape,
        description,
        null=0.0,
        notes=(*filter(None, [note, beyond]), *not_determined(posterior.design, draws)),
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
