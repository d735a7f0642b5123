"""One estimate a group, in order of size: random effects, or means of groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from bayes_glmm.design import RandomBlock
from bayes_glmm.effects.columns import in_our_names
from bayes_glmm.effects.grid import collapse, means, reference_grid
from bayes_glmm.effects.levels import block_of
from bayes_glmm.effects.patterns import encode
from bayes_glmm.effects.predictions import predict
from bayes_glmm.effects.tidy import summarise
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.fits import takes_fit
from bayes_glmm.plots.canvas import Canvas
from bayes_glmm.plots.panels import Panel, draw_panels
from bayes_glmm.plots.point import mean_text, readings_of, require_mean
from bayes_glmm.plots.style import settings
from bayes_glmm.plots.tables import SHOWN
from bayes_glmm.posterior import Posterior
from bayes_glmm.summaries import Interval, IntervalKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCALES = ("link", "response")
CONDITIONAL = "conditional (this group)"


@takes_fit
def groups(
    posterior: Posterior,
    group: str | None = None,
    scale: Literal["link", "response"] = "link",
    at: Mapping[str, Any] | None = None,
    level: float = 0.95,
    interval: IntervalKind = "eti",
    *,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Figure:
    """Draw what is particular to each group, in order of size (of the first effect).

    Parameters
    ----------
    posterior : Posterior or Fit
    group : str, optional
        A grouping factor; the first by default.
    scale : {"link", "response"}
        The random effects u, a panel each; or the mean at typical values of the columns in each group, other grouping
        factors at u = 0, beside the mean at u = 0 and the population-averaged one.
    at : mapping of column to value, optional
        For the scale of the response: what to set columns to.
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
        Named rows up to 60 groups, bands for more, in which each panel has its own order.

    Raises
    ------
    SpecError
        For a model without random effects, an unknown grouping factor, scale or column, or the mean of categories
        without an order.
    DataError
        For unknown levels.
    """
    block = block_of(posterior.design, group)
    if scale not in SCALES:
        raise SpecError(f"Groups cannot be drawn on the scale {scale!r}.", advice=choices(scale, SCALES))
    asked = Interval(level, interval)
    if scale == "link":
        panels, names, note = _random_effects(posterior, block, asked), list(block.levels), ""
    else:
        panels, names, note = _group_means(posterior, block, dict(at or {}), asked)
    order = np.argsort(-panels[0].series[CONDITIONAL][:, 0], kind="stable")
    ordered = [replace(panel, series={CONDITIONAL: panel.series[CONDITIONAL][order]}) for panel in panels]
    return draw_panels(ordered, [names[i] for i in order], block.group, note, Canvas(ax, figsize))


def _random_effects(posterior: Posterior, block: RandomBlock, interval: Interval) -> list[Panel]:
    labels = pd.DataFrame({"level": block.levels})
    tables = [
        summarise(posterior.u(block.group)[:, :, k], labels, interval)[SHOWN].to_numpy()
        for k in range(len(block.effects))
    ]
    links = [posterior.spec.link_of(parameter).name for parameter in block.parameters]
    labels_of_axes = ["u" if link == "identity" else f"u ({link} scale)" for link in links]
    return [
        Panel(effect, label, {CONDITIONAL: values}, null=0.0)
        for effect, label, values in zip(block.effects, labels_of_axes, tables, strict=True)
    ]


def _group_means(
    posterior: Posterior, block: RandomBlock, at: dict[str, Any], interval: Interval
) -> tuple[list[Panel], list[str], str]:
    require_mean(posterior)
    design = posterior.design
    typical = reference_grid(design, [], at) if at else means(design)
    if len(typical) > 1:
        raise SpecError("Groups are drawn at one value of each column.", "at", "Give one value a column.")
    columns = [column for column in block.group.split(":") if column not in typical]
    rows = collapse(design.data, columns)[columns].merge(typical, how="cross") if columns else typical
    asked: dict[str, Any] = {"level": interval.level, "interval": interval.kind, "part": "mean"}
    inside = in_our_names(predict(posterior, rows, "zero", keep=block.group, **asked).table)
    index = next(each for each in encode(design, rows).blocks if each.group == block.group).index
    overall = in_our_names(predict(posterior, typical, readings_of(posterior), **asked).table)
    lines = dict(zip(overall["effect"].astype(str), overall["estimate"].astype(float), strict=True))
    panel = Panel("", mean_text(posterior), {CONDITIONAL: inside[SHOWN].to_numpy()}, lines=lines)
    note = f"at {settings(typical.iloc[0].to_dict())}" if len(typical.columns) else ""
    return [panel], [block.levels[i] for i in index], note
