"""Priors beside posteriors: small panels, one a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayes_glmm.plots.notes import annotate, interval_text
from bayes_glmm.plots.style import CONDITIONAL
from bayes_glmm.report.figures import draw, shorten
from bayes_glmm.report.svg import REPLICATED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 4


@dataclass(frozen=True)
class Before:
    """What a parameter was thought to be before the data, and its draws after.

    Attributes
    ----------
    label : str
    prior : str
        As it is written.
    grid, log_prior : array [point]
        The prior's log density where it is shown.
    draws : array [draw]
    sensitive : bool
        Whether the posterior would change with the prior.
    """

    label: str
    prior: str
    grid: np.ndarray
    log_prior: np.ndarray
    draws: np.ndarray
    sensitive: bool


def before_and_after(panels: Sequence[Before]) -> bytes:
    """Prior and posterior densities, each drawn to the height of its panel."""
    from arviz_stats.base import array_stats

    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)

    def plot(canvas: Figure) -> None:
        axes = canvas.subplots(rows, columns, squeeze=False).ravel()
        for place, panel in zip(axes, panels, strict=False):
            # reflected at the ends of the panel, which are those of the support where it has any near
            ends = [min(panel.grid[0], panel.draws.min()), max(panel.grid[-1], panel.draws.max())]
            x, density, _ = array_stats.kde(panel.draws, custom_lims=ends)
            prior = np.exp(panel.log_prior - panel.log_prior.max())
            place.fill_between(
                x, density / density.max(), color=CONDITIONAL, alpha=0.35, linewidth=0, label="posterior"
            )
            place.plot(panel.grid, prior, color=REPLICATED, linewidth=1.8, label="prior")
            annotate(place, "panel", [_note(panel)])
            place.set_xlim(panel.grid[0], panel.grid[-1])
            place.set_ylim(0, 1.08)
            place.set_yticks([])
            place.spines["left"].set_visible(False)
            place.locator_params(axis="x", nbins=4)
            place.tick_params(labelsize=8)
            place.set_title(f"{shorten(panel.label, 24)}{' *' if panel.sensitive else ''}", fontsize=9)
        for place in axes[len(panels) :]:
            place.set_axis_off()
        canvas.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)

    return draw(plot, height=0.5 + 1.45 * rows)


def _note(panel: Before) -> str:
    after = interval_text(*np.quantile(panel.draws, [0.5, 0.025, 0.975]))
    sensitive = "\nsensitive to the prior" if panel.sensitive else ""
    return f"{panel.label}\nprior {panel.prior}\nposterior {after}{sensitive}"
