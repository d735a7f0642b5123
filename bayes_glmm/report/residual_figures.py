"""Rows beside what is predicted for them without them: uniformity, residuals, calibration and separation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from bayes_glmm.diagnostics.calibration import Calibration, calibrate
from bayes_glmm.diagnostics.residuals import checked_rows, left_out
from bayes_glmm.plots.notes import annotate, short
from bayes_glmm.plots.style import CONDITIONAL, QUIET
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.figures import draw
from bayes_glmm.report.svg import DATA, REPLICATED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIMULATED = 500
SEED = 214
_BINS = 12
_FAR = 30  # residuals that say which row they are of


def residual_figure(posterior: Posterior) -> tuple[bytes, str, str]:
    """The distribution function of the LOO-PIT less that of a uniform one; residuals by predicted mean."""
    from arviz_stats.ecdf_utils import ecdf_pit

    rows = checked_rows(posterior)
    found = left_out(posterior, rows)
    pit, fitted = found.pit, found.mean
    grid, ecdf, lower, upper = ecdf_pit(pit, 0.95, SIMULATED, rng=np.random.default_rng(SEED))
    residuals = special.ndtri(pit)
    outside = bool(((ecdf < lower) | (ecdf > upper)).any())
    far = np.argsort(-np.abs(residuals), kind="stable")[:_FAR]
    far = far[np.isfinite(residuals[far])]
    texts = [f"row {rows[i]}\npredicted {short(fitted[i])}, residual {short(residuals[i])}" for i in far]

    def plot(canvas: Figure) -> None:
        left, right = canvas.subplots(1, 2)
        left.fill_between(grid, lower - grid, upper - grid, color=REPLICATED, alpha=0.35, linewidth=0, step="mid")
        left.plot(grid, ecdf - grid, color=DATA, linewidth=1.4)
        left.axhline(0, color=REPLICATED, linewidth=0.8)
        left.set_xlim(0, 1)
        left.set_xlabel("LOO-PIT")
        left.set_ylabel("ECDF less uniform")
        # an image within the figure has no theme: a grey that is seen on white and on black
        right.plot(fitted, residuals, ".", color=QUIET, markersize=3, alpha=0.6, rasterized=True)
        annotate(right, "point", texts, np.column_stack([fitted, residuals])[far])
        _quantiles(right, fitted, residuals)
        right.set_xlabel("mean predicted without the row")
        right.set_ylabel("quantile residual")

    alt = (
        f"Left: the distribution function of the LOO-PIT of {len(rows):,} rows less the uniform one, which "
        f"{'leaves' if outside else 'stays within'} its 95 % band. Right: quantile residuals by predicted mean."
    )
    caption = (
        "Left: where rows lie in the distributions predicted without them; all of the line is within the grey band for "
        "95 % of data sets, if these are right. Right: the same as normal residuals; blue, their 5, 50 and 95 % in "
        "bins of rows, should follow the grey lines."
    )
    return draw(plot, height=3.2), alt, caption


def calibration_figure(posterior: Posterior) -> tuple[bytes, str, str]:
    """Calibrated against predicted probabilities; for 0/1 responses also the events in the order of prediction."""
    rows = checked_rows(posterior)
    found = calibrate(posterior, rows, left_out(posterior, rows))
    binary = posterior.spec.family.response.is_binary
    places, first = np.unique(found.predicted.round(2), return_index=True)
    numbers = np.column_stack([found.predicted, found.calibrated, found.lower, found.upper])[first]
    texts = [
        f"predicted {predicted}\ncalibrated {calibrated}, if right {low} to {high}"
        for predicted, calibrated, low, high in ([short(value) for value in row] for row in numbers)
    ]

    def plot(canvas: Figure) -> None:
        panels = canvas.subplots(1, 2 if binary else 1, squeeze=False)[0]
        axes = panels[0]
        axes.fill_between(found.predicted, found.lower, found.upper, color=REPLICATED, alpha=0.35, linewidth=0)
        axes.plot([0, 1], [0, 1], color=REPLICATED, linewidth=0.8)
        axes.step(found.predicted, found.calibrated, color=DATA, linewidth=1.6, where="mid")
        annotate(axes, "column", texts, places)
        axes.set_aspect("equal")
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("probability predicted without the row")
        axes.set_ylabel("calibrated probability")
        if binary:
            _separation(panels[1], found)

    inside = float(np.mean((found.calibrated >= found.lower) & (found.calibrated <= found.upper)))
    alt = f"Calibrated against predicted probabilities: {inside:.0%} of rows within the 95 % band."
    caption = (
        "The black steps are the shares of events among rows of like predicted probability (isotonic regression); in "
        "the grey band for 95 % of data sets, row by row, if the predictions are right."
    )
    if binary:
        caption += (
            " Right: each row a line, in the order of its probability (black curve); blue where the event happened. "
            "The better the model tells rows apart, the more blue lies to the right."
        )
    return draw(plot, height=3.6), alt, caption


def _separation(axes: Axes, found: Calibration) -> None:
    """Greenhill, Ward & Sacks (2011), American Journal of Political Science 55, 991-1002."""
    place = np.arange(len(found.predicted))
    events = place[found.share == 1]
    axes.vlines(events, 0, 1, color=CONDITIONAL, linewidth=max(0.2, 150 / len(place)), alpha=0.45, rasterized=True)
    axes.plot(place, found.predicted, color=DATA, linewidth=1.4)
    axes.set_xlim(-0.5, len(place) - 0.5)
    axes.set_ylim(0, 1)
    axes.set_xticks([])
    axes.set_xlabel("rows by predicted probability")
    axes.set_ylabel("predicted probability")


def _quantiles(axes: Axes, fitted: np.ndarray, residuals: np.ndarray) -> None:
    """5, 50 and 95 % of the residuals in bins of equally many rows."""
    bins = np.array_split(np.argsort(fitted, kind="stable"), min(_BINS, max(2, len(fitted) // 20)))
    middle = [float(np.median(fitted[some])) for some in bins]
    for level in (0.05, 0.5, 0.95):
        axes.axhline(special.ndtri(level), color=REPLICATED, linewidth=0.9)
        found = [float(np.quantile(residuals[some], level)) for some in bins]
        axes.plot(middle, found, color=CONDITIONAL, linewidth=1.5)
