"""The probability of each category over a variable, population-averaged, from the first category to the last by colour.

At each value of the variable the probabilities of all categories add up to 1: where one rises, others fall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_glmm.design import Design
from bayes_glmm.effects.columns import in_our_names
from bayes_glmm.effects.predictions import predict
from bayes_glmm.errors import SpecError
from bayes_glmm.families import CATEGORY
from bayes_glmm.fits import takes_fit
from bayes_glmm.numerics.spread import evenly_spread
from bayes_glmm.plots.canvas import Canvas
from bayes_glmm.plots.grid import axes_of, label_panels, shape_of
from bayes_glmm.plots.notes import annotate, estimates_text
from bayes_glmm.plots.point import held_of, is_discrete, panels_of, readings_of, values_of
from bayes_glmm.plots.style import FAINT, INK, compose, fit, name_rows, number, sequential, settings, small_print
from bayes_glmm.plots.tables import SHOWN
from bayes_glmm.posterior import Posterior
from bayes_glmm.summaries import IntervalKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayes_glmm.plots.canvas import Area

PANELS = 6
THINNED = 4  # every how many of the points of a curve of the mean: the average over groups is computed by category
NAMED = 12  # categories that have their names in the figure; of more, some evenly spread
TALL = 3.6  # inches of a panel of curves


@takes_fit
def categories(
    posterior: Posterior,
    variable: str,
    at: Mapping[str, Any] | None = None,
    level: float = 0.95,
    interval: IntervalKind = "eti",
    *,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Figure:
    """Draw the population-averaged probability of each category of the response over a variable.

    Parameters
    ----------
    posterior : Posterior or Fit
        Of a family of categories: ``cumulative``, ``categorical``.
    variable : str
        A column of the data. A number gives one curve per category; a factor, or a number with two values, gives points
        with intervals, the categories below each other within each value.
    at : mapping of column to value or values, optional
        What to set columns to; the others take their mean or most common level, as
        :func:`~bayes_glmm.effects.reference_grid`. Several values of a column give a panel each.
    level : float
        Posterior probability of the intervals, between 0 and 1.
    interval : {"eti", "hdi"}
        Equal-tailed, or the shortest (highest density).
    ax : matplotlib Axes, optional
        Axes to draw in the place of; by default a fresh figure.
    figsize : (float, float), optional
        Width and height of the fresh figure in inches.

    Returns
    -------
    Figure
        Posterior means, which add up to 1 over the categories, with their intervals: what
        ``predict(..., random_effects="integrated")`` returns at these rows.

    Raises
    ------
    SpecError
        For a response without categories, an unknown column, or too many panels.
    DataError
        For unknown levels.
    """
    design, spec = posterior.design, posterior.spec
    if not spec.family.categories:
        raise SpecError(f"A {spec.family_name} response has no categories.", advice="Draw plots.curves().")
    panels = panels_of(design, variable, {**_thinned(design, variable), **(at or {})}, PANELS)
    discrete = is_discrete(design, variable) or len(panels[0]) < 3
    reading = readings_of(posterior)[0]
    estimates = [predict(posterior, rows, reading, level=level, interval=interval) for rows in panels]
    # by row, by category: estimate, lower and upper
    values = [in_our_names(each.table)[SHOWN].to_numpy(float).reshape(len(panels[0]), -1, 3) for each in estimates]
    top = max(float(np.nanmax(each)) for each in values)
    changed, fixed = held_of(design, panels, variable, at)
    lines, columns = shape_of(len(panels))
    tall = 0.7 + len(panels[0]) * (0.2 + 0.14 * spec.family.categories) if discrete else TALL
    what = f"{spec.family.by_category[CATEGORY][0].title} of {design.response.strip('`')}"  # type: ignore[union-attr]

    def plot(figure: Area) -> None:
        found = axes_of(figure, len(panels))
        for axes, rows, each in zip(found, panels, values, strict=True):
            (_points if discrete else _curves)(axes, rows[variable], each, design)
            if changed:
                axes.set_title(fit(settings({name: rows[name].iloc[0] for name in changed}), 90 // columns))
        (found[0].set_xlim if discrete else found[0].set_ylim)(0.0, min(1.0, 1.04 * top))
        label_panels(found, *((what, variable) if discrete else (variable, what)), tall)
        if discrete:
            _legend(figure, found[0], design.response)
        effect = str(in_our_names(estimates[0].table)["effect"].iloc[0])
        where = f"; at {settings(fixed)}" if fixed else ""
        small_print(figure, f"{effect}, posterior means and {100 * level:g} % intervals{where}")

    return compose(
        plot, height=0.9 + tall * (lines if discrete or lines == 1 else 0.75 * lines), canvas=Canvas(ax, figsize)
    )


def _thinned(design: Design, variable: str) -> dict[str, Any]:
    """Some of the points that a curve of the mean has."""
    return {} if is_discrete(design, variable) else {variable: values_of(design, variable)[::THINNED]}


def _curves(axes: Axes, x: pd.Series, values: np.ndarray, design: Design) -> None:
    place = x.to_numpy(float)
    for k, colour in enumerate(sequential(values.shape[1])):
        estimate, lower, upper = values[:, k].T
        axes.fill_between(place, lower, upper, color=colour, alpha=0.15, linewidth=0)
        axes.plot(place, estimate, color=colour, linewidth=2.2, label=design.categories[k])
    annotate(axes, "column", _texts(x, values, design), place)
    axes.set_xlim(place.min(), place.max())
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    _name_ends(axes, values[-1, :, 0], design.categories, float(np.nanmax(values)))


def _name_ends(axes: Axes, ends: np.ndarray, names: Sequence[str], top: float) -> None:
    """The name of each category at the right end of its curve, with a line to it where names would overlap."""
    shown = evenly_spread(len(names), NAMED)
    places = apart(ends[shown], 0.05 * top)
    transform, colours = axes.get_yaxis_transform(), sequential(len(names))
    for k, place in zip(shown, places, strict=True):
        axes.plot([1.0, 1.035], [ends[k], place], color=colours[k], linewidth=1.2, transform=transform, clip_on=False)
        axes.text(1.045, place, fit(names[k], 16, 1), transform=transform, va="center", color=INK, fontsize=8.5)


def apart(places: np.ndarray, least: float) -> np.ndarray:
    """The places in their order, moved as little as it takes for each two to be that far apart, and none below 0.

    Examples
    --------
    >>> apart(np.array([0.5, 0.1, 0.12]), 0.1).round(2).tolist()
    [0.5, 0.06, 0.16]
    """
    order = np.argsort(places, kind="stable")
    steps = least * np.arange(len(places))
    blocks: list[tuple[float, int]] = []  # mean of the places less their steps, and how many have it
    for value in places[order] - steps:
        blocks.append((float(value), 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:  # they touch: move as one
            (low, n), (high, m) = blocks[-2:]
            blocks[-2:] = [((n * low + m * high) / (n + m), n + m)]
    moved = np.repeat([mean for mean, _ in blocks], [count for _, count in blocks]) + steps
    result = np.empty_like(places)
    result[order] = np.maximum(moved, steps)
    return result


def _points(axes: Axes, x: pd.Series, values: np.ndarray, design: Design) -> None:
    place = name_rows(axes, [number(value) for value in x])
    count = values.shape[1]
    steps = np.linspace(0.36, -0.36, count) if count > 1 else np.zeros(1)
    size = 5.0 if count <= NAMED else 2.5
    for k, colour in enumerate(sequential(count)):
        estimate, lower, upper = values[:, k].T
        axes.hlines(place + steps[k], lower, upper, color=colour, linewidth=0.42 * size, alpha=0.7)
        axes.plot(
            estimate, place + steps[k], "o", color=colour, markersize=size, linestyle="none", label=design.categories[k]
        )
    for between in (place[1:] + place[:-1]) / 2:
        axes.axhline(between, color=FAINT, linewidth=0.6)
    heights = (place[:, None] + steps).ravel()
    texts = [f"{x.name} = {number(at)}" for at in x for _ in range(count)]
    notes = [
        estimates_text(text, {f"{design.response} = {design.categories[i % count]}": values[i // count, i % count]})
        for i, text in enumerate(texts)
    ]
    annotate(axes, "row", notes, heights)


def _legend(figure: Area, axes: Axes, response: str) -> None:
    """The categories in their order, above the panels."""
    handles, labels = axes.get_legend_handles_labels()
    shown = evenly_spread(len(labels), NAMED)
    names = [fit(labels[k], 18, 1) for k in shown]
    columns = len(names) if sum(map(len, names)) + 4 * len(names) < 90 else 4
    title = fit(response.strip("`"), 40, 1)
    legend = figure.legend([handles[k] for k in shown], names, loc="outside upper left", ncols=columns, title=title)
    legend.set_alignment("left")
    legend.get_title().set_color(INK)


def _texts(x: pd.Series, values: np.ndarray, design: Design) -> list[str]:
    """What each value of the variable says, category by category."""
    shown = evenly_spread(len(design.categories), NAMED)
    return [
        estimates_text(
            f"{x.name} = {number(at)}", {f"{design.response} = {design.categories[k]}": row[k] for k in shown}
        )
        for at, row in zip(x, values, strict=True)
    ]
