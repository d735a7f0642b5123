"""Panels of estimates that share their rows: dots beside names where few, a band where many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_glmm.plots.canvas import FRESH, Canvas
from bayes_glmm.plots.notes import annotate, estimates_text
from bayes_glmm.plots.style import (
    DASHES,
    FAINT,
    LEGIBLE,
    beside,
    colour_of,
    compose,
    dots,
    fit,
    fit_row,
    is_averaged,
    legend,
    logarithmic,
    name_rows,
    null_line,
    small_print,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayes_glmm.plots.canvas import Area

MANY = 12  # rows from which print is small


@dataclass(frozen=True)
class Panel:
    """Estimates on one axis.

    Attributes
    ----------
    title : str
    label : str
        Of the axis of estimates.
    series : mapping of str to array [row, 3]
        By the label of the reading: estimate, lower and upper; NaN where a row has none.
    null : float or None
        Where no effect lies.
    ratio : bool
        Whether the axis is logarithmic.
    lines : mapping of str to float
        Further values to mark, by the label of the reading they are of.
    """

    title: str
    label: str
    series: Mapping[str, np.ndarray]
    null: float | None = None
    ratio: bool = False
    lines: Mapping[str, float] = field(default_factory=dict)


def draw_panels(
    panels: Sequence[Panel], names: Sequence[str], rows: str, note: str = "", canvas: Canvas = FRESH
) -> Figure:
    """A figure of panels with the same rows, the first row uppermost.

    Parameters
    ----------
    panels : sequence of Panel
    names : sequence of str
        One a row.
    rows : str
        What the rows are, such as the name of a column.
    note : str
        Small print below.
    canvas : Canvas
    """
    many = len(names) > LEGIBLE
    small = len(names) > MANY
    lines = sum(1 + fit_row(name, small).count("\n") for name in names)
    readings = {effect for panel in panels for effect in (*panel.series, *panel.lines)}
    beside_each_other = max(len(panel.series) for panel in panels)
    tall = (0.1 if small else 0.13) * (1 + beside_each_other) * len(names) + 0.12 * (lines - len(names))

    def plot(figure: Area) -> None:
        shape = (len(panels), 1) if many else (1, len(panels))
        grid = figure.subplots(*shape, squeeze=False, sharey=False if many else "row", sharex=many).ravel()
        for axes, panel in zip(grid, panels, strict=True):
            (_band if many else _rows)(axes, panel, names)
            axes.set_title(fit(panel.title, 72 // shape[1]))
        if many:
            grid[-1].set_xlabel(f"{len(names):,} values of {fit(rows, 40, 1)}, from lowest to highest")
        else:
            grid[0].set_ylabel(fit(rows, max(8, int(9 * tall))))
        if note:
            small_print(figure, note)
        if len(readings) > 1:
            legend(figure)

    return compose(plot, height=0.9 + 2.3 * len(panels) if many else 1.3 + tall, canvas=canvas)


def _rows(axes: Axes, panel: Panel, names: Sequence[str]) -> None:
    small = len(names) > MANY
    place = name_rows(axes, names, small)
    for effect, shift in beside(list(panel.series)).items():
        dots(axes, place + shift, panel.series[effect], effect, 3.8 if small else 5.0)
    readings = [{effect: values[i] for effect, values in panel.series.items()} for i in range(len(names))]
    texts = [estimates_text(_named(name, panel), each) for name, each in zip(names, readings, strict=True)]
    annotate(axes, "row", texts, place)
    _marks(axes, panel, vertical=True)
    if panel.ratio:
        logarithmic(axes)
    axes.set_xlabel(panel.label)


def _band(axes: Axes, panel: Panel, names: Sequence[str]) -> None:
    """Each reading in its own order of size."""
    place = np.arange(len(names))
    texts = []
    for effect, values in panel.series.items():
        order = np.argsort(values[:, 0], kind="stable")
        ordered = values[order]
        texts.append([estimates_text(_named(names[i], panel), {effect: values[i]}) for i in order])
        colour = colour_of(effect)
        axes.fill_between(place, ordered[:, 1], ordered[:, 2], color=colour, alpha=0.22, linewidth=0)
        axes.plot(place, ordered[:, 0], color=colour, linewidth=1.8, label=effect)
    annotate(axes, "column", ["\n".join(below) for below in zip(*texts, strict=True)], place)
    _marks(axes, panel, vertical=False)
    if panel.ratio:
        logarithmic(axes, vertical=True)
    axes.set_xlim(0, len(names) - 1)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_ylabel(fit(panel.label, 36))


def _named(name: str, panel: Panel) -> str:
    return f"{name}, {panel.title}" if panel.title else str(name)


def _marks(axes: Axes, panel: Panel, vertical: bool) -> None:
    if panel.null is not None:
        null_line(axes, panel.null, vertical)
    for effect, value in panel.lines.items():
        line = axes.axvline if vertical else axes.axhline
        style: Any = "-" if is_averaged(effect) else DASHES
        line(value, color=colour_of(effect), linewidth=1.3, zorder=0.6, label=effect, linestyle=style)
