"""How far the random effects move the mean, beside how far the predictors do: histograms on one common axis.

Each panel is a histogram over the data's rows of the mean h(x'b + z_p s), s^2 = z'Gz the variance of the row's random
part and z_p the p-th percentile of the standard normal. Within a panel only the predictors vary; from panel to panel
only u does; in the last both do, and the mean of that histogram is population-averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from bayes_glmm.effects.averages import counterfactual_rows
from bayes_glmm.effects.integrate import average_over_normal, variance_of_predictor
from bayes_glmm.effects.patterns import distinct, encode
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.plots.point import at_posterior_medians, mean_text, readings_of
from bayes_glmm.plots.style import AVERAGED, CONDITIONAL, DASHES, FAINT, INK, compose, fit, legend, number
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import fixed_predictor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 48
EVENLY = 199  # percentiles of u that stand for all of them
TAIL = 0.95  # of means without an upper bound, the share that the axis holds


def percentiles(
    posterior: Posterior,
    at: Sequence[float] = (20.0, 40.0, 50.0, 60.0, 80.0),
    group: str | None = None,
    newdata: pd.DataFrame | None = None,
) -> Figure:
    """Draw histograms of the rows' means at percentiles of the random effects.

    Parameters
    ----------
    posterior : Posterior
        Taken at its posterior median parameters.
    at : sequence of float
        Percentiles of the random part of the linear predictor, between 0 and 100.
    group : str, optional
        Only this grouping factor varies, the others stay at u = 0; all vary together by default.
    newdata : DataFrame, optional
        Rows; the data's own by default.

    Returns
    -------
    Figure
        From above: u = 0 (predictors alone), u at each percentile, and u at all of them. Of means without an upper
        bound the largest 5 % lie beyond the axis.

    Raises
    ------
    SpecError
        For a model without random effects, an unknown grouping factor, or percentiles that are none.
    DataError
        For missing columns and unknown levels.
    """
    factors = [block.group for block in posterior.design.blocks]
    if not factors or group not in (None, *factors):
        raise SpecError(
            f"The model has no grouping factor {group!r}." if factors else "The model has no random effects.",
            advice=choices(str(group), factors) if factors else "Draw curves().",
        )
    if not len(at) or not all(0.0 < percentile < 100.0 for percentile in at):
        raise SpecError(f"Percentiles cannot be {list(at)}.", "at", "Give numbers between 0 and 100.")
    rows = counterfactual_rows(posterior.design, newdata)
    eta, sd, counts = rows_at_medians(posterior, rows, group)
    link = posterior.spec.link

    def means(z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", divide="ignore"):
            return np.asarray(link.inverse(eta + z[:, None] * sd, NUMPY), float)  # [percentile, row]

    chosen = means(ndtri(np.asarray(at, float) / 100.0))
    everywhere = means(ndtri((np.arange(EVENLY) + 0.5) / EVENLY))
    zero = means(np.zeros(1))
    averaged = float(np.average(average_over_normal(link, eta, sd**2), weights=counts)) if _exists(posterior) else None
    conditional = float(np.average(zero[0], weights=counts))
    names = ["predictors alone (u = 0)", *(f"percentile {number(p)} of u" for p in at), "all percentiles of u"]
    panels = [zero, *(values[None] for values in chosen), everywhere]
    edges = _edges(np.concatenate([chosen, zero, everywhere]), link.range, averaged)

    def plot(figure: Figure) -> None:
        grid = figure.subplots(len(panels), 1, sharex=True)
        for axes, values, name in zip(grid, panels, names, strict=True):
            last = name == names[-1]
            _histogram(axes, values, counts, edges, fit(name, 28), AVERAGED if last else CONDITIONAL)
            if averaged is not None:
                alone = group is None or len(factors) == 1
                label = "population-averaged mean" if alone else f"mean averaged over {group}, the rest at u = 0"
                axes.axvline(averaged, color=AVERAGED, linewidth=1.6, label=label)
            label = "conditional mean (u = 0)"
            axes.axvline(conditional, color=CONDITIONAL, linestyle=DASHES, linewidth=1.6, label=label)
        grid[-1].set_xlabel(fit(mean_text(posterior), 90))
        figure.supylabel("share of rows", fontsize=9.5, color=INK)
        legend(figure)

    return compose(plot, height=1.1 + 0.72 * len(panels))


def rows_at_medians(
    posterior: Posterior, rows: pd.DataFrame, group: str | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear predictor at u = 0, sd of its random part, and count of each distinct row, at posterior medians [row]."""
    point = at_posterior_medians(posterior)
    predictors, position = distinct(encode(posterior.design, rows))
    variance = variance_of_predictor(point, predictors, None if group is None else [group])
    return fixed_predictor(point, predictors)[0], np.sqrt(variance[0]), np.bincount(position)


def _exists(posterior: Posterior) -> bool:
    return "integrated" in readings_of(posterior)


def _edges(values: np.ndarray, kind: str, averaged: float | None) -> np.ndarray:
    """Bins common to all panels, with room for the population-averaged mean."""
    finite = values[np.isfinite(values)]
    low, high = float(finite.min()), float(np.quantile(finite, 1.0 if kind == "real" else TAIL))
    if averaged is not None:
        high = max(high, averaged + 0.05 * (averaged - low))
    if kind == "unit":
        low, high = 0.0, 1.0
    return np.linspace(low, high if high > low else low + 1.0, BINS + 1)


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
