"""Ranks of true values among posterior draws: their distribution function less the uniform one, a panel a quantity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_glmm.diagnostics.uniformity import envelope
from bayes_glmm.plots.canvas import Canvas
from bayes_glmm.plots.style import FAINT, INK, QUIET, compose, fit, small_print

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayes_glmm.plots.canvas import Area

COLUMNS = 4
OUTSIDE = "#C0392B"
_NOTE = (
    "Share of true values up to a place among the draws, less what it should be. In grey, where the whole line of a "
    "quantity is in {probability:.0%} of studies if all is right; red where it is not."
)


def ranks(
    ranks: pd.DataFrame,
    draws: int,
    probability: float = 0.95,
    *,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Figure:
    """Draw what simulation-based calibration found.

    Parameters
    ----------
    ranks : DataFrame
        One column a quantity, values 0, ..., ``draws``.
    draws : int
        Among how many the ranks are.
    probability : float
        Of the envelope of one quantity.
    ax : matplotlib Axes, optional
        Axes to draw in the place of; by default a fresh figure.
    figsize : (float, float), optional
        Width and height of the fresh figure in inches.
    """
    points, lower, upper = envelope(len(ranks), draws, probability)
    columns = min(COLUMNS, ranks.shape[1])
    rows = -(-ranks.shape[1] // columns)

    def plot(figure: Area) -> None:
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
        for axes, name in zip(grid, ranks, strict=False):
            share = np.bincount(ranks[name], minlength=draws + 1).cumsum()[:-1] / len(ranks)
            outside = ((share < lower) | (share > upper)).any()
            axes.fill_between(points, lower - points, upper - points, color=FAINT, linewidth=0)
            axes.plot(points, share - points, color=OUTSIDE if outside else INK, linewidth=1.2)
            axes.axhline(0.0, color=QUIET, linewidth=0.8)
            axes.set_title(fit(str(name), 24, 2), fontsize=9)
            axes.set_xlim(0.0, 1.0)
            axes.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
        for axes in grid[ranks.shape[1] :]:
            axes.set_axis_off()
        small_print(figure, _NOTE.format(probability=probability))

    return compose(plot, height=0.8 + 1.6 * rows, canvas=Canvas(ax, figsize))
