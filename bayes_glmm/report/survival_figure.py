"""The Kaplan-Meier curve of responses that are censored to the right, with the band of replicated data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayes_glmm.diagnostics.survival import kaplan_meier
from bayes_glmm.plots.style import INK, fit
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import replicate
from bayes_glmm.report.figures import draw
from bayes_glmm.report.svg import REPLICATED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED, REPLICATES, TIMES = 4711, 200, 60
VALUES = 4_000_000  # replicated values held at once


def survival_figure(posterior: Posterior, right: np.ndarray) -> tuple[bytes, str, str]:
    """The figure, its alternative text and its caption.

    Parameters
    ----------
    posterior : Posterior
    right : array [row]
        From where on each row is censored.
    """
    name, y = posterior.design.response, posterior.design.y
    replicated = replicate(posterior, int(np.clip(VALUES // len(y), 20, REPLICATES)), SEED)
    times = np.linspace(min(0.0, float(y.min())), float(np.quantile(y, 0.99)), TIMES)
    observed = kaplan_meier(y, y < right, times)
    curves = np.array([kaplan_meier(row, row < right, times) for row in replicated])
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)

    def plot(canvas: Figure) -> None:
        axes = canvas.subplots()
        axes.fill_between(
            times, low, high, color=REPLICATED, alpha=0.35, linewidth=0, label="replicated: 95 % of data sets"
        )
        axes.step(times, observed, where="post", color=INK, linewidth=1.6, label="observed")
        axes.set_ylim(0, 1.02)
        axes.set_xlabel(fit(name, 90))
        axes.set_ylabel("share above")
        axes.legend()

    inside = float(np.mean((observed >= low - 1e-12) & (observed <= high + 1e-12)))
    alt = f"Kaplan-Meier curve of {name} with the 95 % band of replicated data: {inside:.0%} of the curve lies inside."
    caption = (
        "Line: the Kaplan-Meier estimate of the share above each value. Band: the same estimate in 95 % of the data "
        "sets that the fitted model replicates, which are censored in the same way."
    )
    return draw(plot, height=3.2), alt, caption
