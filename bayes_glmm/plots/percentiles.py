"""How far the random effects move the mean, beside how far the predictors do: histograms on one common axis.

Each panel is a histogram over the data's rows of the mean at x'b + z_p s, s^2 = z'Gz the variance of the row's random
part and z_p the p-th percentile of the standard normal. Within a panel only the predictors vary; from panel to panel
only u does; in the last both do, and the mean of that histogram is population-averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from bayes_glmm.design import Predictors
from bayes_glmm.effects.averages import counterfactual_rows
from bayes_glmm.effects.expect import expect, value_of
from bayes_glmm.effects.integrate import variance_of_predictor
from bayes_glmm.effects.levels import block_of
from bayes_glmm.effects.patterns import distinct, encode, split_blocks
from bayes_glmm.errors import SpecError
from bayes_glmm.fits import takes_fit
from bayes_glmm.names import LOCATION
from bayes_glmm.plots.canvas import Canvas
from bayes_glmm.plots.point import at_posterior_medians, link_of_mean, mean_text, readings_of, require_mean
from bayes_glmm.plots.style import AVERAGED, CONDITIONAL, DASHES, FAINT, INK, compose, fit, legend, number
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import fixed_predictor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayes_glmm.plots.canvas import Area

BINS = 48
EVENLY = 199  # percentiles of u that stand for all of them
TAIL = 0.95  # of means without an upper bound, the share that the axis holds


@takes_fit
def percentiles(
    posterior: Posterior,
    at: Sequence[float] = (20.0, 40.0, 50.0, 60.0, 80.0),
    group: str | None = None,
    newdata: pd.DataFrame | None = None,
    *,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Figure:
    """Draw histograms of the rows' means at percentiles of the random effects.

    Parameters
    ----------
    posterior : Posterior or Fit
        Taken at its posterior median parameters.
    at : sequence of float
        Percentiles of the random part of the linear predictor, between 0 and 100.
    group : str, optional
        Only this grouping factor varies, the others stay at u = 0; all vary together by default.
    newdata : DataFrame, optional
        Rows; the data's own by default.
    ax : matplotlib Axes, optional
        Axes to draw in the place of; by default a fresh figure.
    figsize : (float, float), optional
        Width and height of the fresh figure in inches.

    Returns
    -------
    Figure
        From above: u = 0 (predictors alone), u at each percentile, and u at all of them. Of means without an upper
        bound the largest 5 % lie beyond the axis.

    Raises
    ------
    SpecError
        For a model without random effects, an unknown grouping factor, percentiles that are none, or categories without
        an order.
    DataError
        For missing columns and unknown levels.
    """
    require_mean(posterior)
    block_of(posterior.design, group)
    if not len(at) or not all(0.0 < percentile < 100.0 for percentile in at):
        raise SpecError(f"Percentiles cannot be {list(at)}.", "at", "Give numbers between 0 and 100.")
    rows = counterfactual_rows(posterior.design, newdata)
    at_medians = rows_at_medians(posterior, rows, group)
    counts, means = at_medians.counts, at_medians.means
    chosen = means(ndtri(np.asarray(at, float) / 100.0))
    everywhere = means(ndtri((np.arange(EVENLY) + 0.5) / EVENLY))
    zero = means(np.zeros(1))
    averaged = float(np.average(at_medians.averaged, weights=counts)) if _exists(posterior) else None
    conditional = float(np.average(zero[0], weights=counts))
    names = ["predictors alone (u = 0)", *(f"percentile {number(p)} of u" for p in at), "all percentiles of u"]
    panels = [zero, *(values[None] for values in chosen), everywhere]
    edges = _edges(np.concatenate([chosen, zero, everywhere]), posterior, averaged)

    def plot(figure: Area) -> None:
        grid = figure.subplots(len(panels), 1, sharex=True)
        for axes, values, name in zip(grid, panels, names, strict=True):
            last = name == names[-1]
            _histogram(axes, values, counts, edges, fit(name, 28), AVERAGED if last else CONDITIONAL)
            if averaged is not None:
                alone = group is None or len(posterior.design.blocks) == 1
                label = "population-averaged mean" if alone else f"mean averaged over {group}, the rest at u = 0"
                axes.axvline(averaged, color=AVERAGED, linewidth=1.6, label=label)
            label = "conditional mean (u = 0)"
            axes.axvline(conditional, color=CONDITIONAL, linestyle=DASHES, linewidth=1.6, label=label)
        grid[-1].set_xlabel(fit(mean_text(posterior), 90))
        figure.supylabel("share of rows", fontsize=9.5, color=INK)
        legend(figure)

    return compose(plot, height=1.1 + 0.72 * len(panels), canvas=Canvas(ax, figsize))


@dataclass(frozen=True)
class RowsAtMedians:
    """Distinct rows at posterior median parameters.

    Attributes
    ----------
    point : Posterior
        One draw.
    predictors : Predictors
        Of the rows, with the grouping factors that vary.
    counts : array [row]
        How many rows each stands for.
    """

    point: Posterior
    predictors: Predictors
    counts: np.ndarray

    @cached_property
    def eta(self) -> dict[str, np.ndarray]:
        """Linear predictors at u = 0, by parameter [1, row]."""
        names = self.predictors.parameters
        return {name: fixed_predictor(self.point, self.predictors, parameter=name) for name in names}

    def means(self, z: np.ndarray) -> np.ndarray:
        """Means of the response where the random part of the location is z of its sds [percentile, row]."""
        sd = np.sqrt(variance_of_predictor(self.point, self.predictors)[0])
        moved = {**self.eta, LOCATION: self.eta[LOCATION] + z[:, None] * sd}
        return value_of(self.point, self.point.spec.family.mean, moved, slice(None))

    @property
    def averaged(self) -> np.ndarray:
        """Population-averaged means [row]."""
        return expect(self.point, self.point.spec.family.mean, self.predictors, self.eta)[0]


def rows_at_medians(posterior: Posterior, rows: pd.DataFrame, group: str | None = None) -> RowsAtMedians:
    """The distinct rows among these, where all grouping factors vary or one of them."""
    predictors, position = distinct(encode(posterior.design, rows))
    if group is not None:
        predictors, _ = split_blocks(predictors, [group])
    return RowsAtMedians(at_posterior_medians(posterior), predictors, np.bincount(position))


def _exists(posterior: Posterior) -> bool:
    return "integrated" in readings_of(posterior)


def _edges(values: np.ndarray, posterior: Posterior, averaged: float | None) -> np.ndarray:
    """Bins common to all panels, with room for the population-averaged mean."""
    kind = link_of_mean(posterior).range
    if kind == "unit":
        return np.linspace(*_ends(posterior), BINS + 1)
    finite = values[np.isfinite(values)]
    low, high = float(finite.min()), float(np.quantile(finite, 1.0 if kind == "real" else TAIL))
    if averaged is not None:
        high = max(high, averaged + 0.05 * (averaged - low))
    return np.linspace(low, high if high > low else low + 1.0, BINS + 1)


def _ends(posterior: Posterior) -> tuple[float, float]:
    """Where the mean lies under a link onto (0, 1): there, or between the first and the last category."""
    return (1.0, float(posterior.spec.family.categories)) if posterior.spec.family.categories else (0.0, 1.0)


def _histogram(axes: Axes, values: np.ndarray, counts: np.ndarray, edges: np.ndarray, name: str, colour: str) -> None:
    weights = np.broadcast_to(counts / (counts.sum() * len(values)), values.shape)
    shares, _ = np.histogram(values, edges, weights=weights)
    axes.stairs(shares, edges, fill=True, color=colour, alpha=0.45)
    axes.stairs(shares, edges, color=colour, linewidth=0.9, baseline=None)
    axes.set_ylim(0.0, 1.08 * shares.max())
    axes.set_xlim(edges[0], edges[-1])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8.5, color=INK)
