"""The chains themselves: what the checks of the verdict summarise."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup

from bayes_glmm.diagnostics import summary
from bayes_glmm.diagnostics.parameters import parameters
from bayes_glmm.plots.notes import interval_text
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.figures import traces
from bayes_glmm.report.html import details, figure, interval, paragraph, table

PANELS = 12
FEWEST = 50  # draws a chain


def render_chains(posterior: Posterior) -> Markup:
    """Ranks and traces of coefficients, sds, correlations and the family's parameters; the worst if there are many."""
    labels, draws = parameters(posterior, per_level=False)
    frame = summary(posterior)
    if draws.shape[2] < FEWEST or not labels:
        return paragraph("There are too few draws for a figure.") + _table(frame)
    chosen = np.arange(len(labels))
    note = ""
    if len(labels) > PANELS:
        worst = np.argsort(-np.nan_to_num(frame["rhat"][labels].to_numpy(), nan=np.inf), kind="stable")[:PANELS]
        chosen = np.sort(worst)
        note = f" Of {len(labels)} parameters, the {PANELS} with the largest R-hat."
    svg = traces([labels[i] for i in chosen], draws[chosen], [_notes(frame, labels[i]) for i in chosen])
    chains, length = posterior.sample_shape
    names = ", ".join(labels[i] for i in chosen)
    text = (
        "Left: histograms of the ranks of each chain's draws among all draws; they are level, within noise, where the "
        "chains agree. Right: the draws in order, one colour per chain; they form one band without trend where the "
        "chains mix." + note
    )
    picture = figure(svg, f"Rank histograms and traces of {chains} chains of {length} draws: {names}.", text)
    return picture + details("All parameters in one table", _table(frame))


def _notes(frame: pd.DataFrame, label: str) -> tuple[str, str]:
    """What to say of a parameter's ranks, and of its trace."""
    row = frame.loc[label]
    estimate = interval_text(*row[["median", "lower", "upper"]].to_numpy(float))
    mixed = ""
    if "rhat" in row:
        mixed = f"\nR-hat {row['rhat']:.3f}\nESS {row['ess_median']:,.0f} (median), {row['ess_tail']:,.0f} (tail)"
    return f"{label}{mixed}", f"{label}\nmedian {estimate}"


def _table(frame: pd.DataFrame) -> Markup:
    columns: dict[str, list[object]] = {
        "parameter": list(frame.index),
        "median": frame["median"].tolist(),
        "MCSE": frame["mcse"].tolist(),
        "95 % interval": [interval(low, high) for low, high in zip(frame["lower"], frame["upper"], strict=True)],
    }
    if "rhat" in frame:
        columns |= {
            "ESS of the median": [f"{value:,.0f}" for value in frame["ess_median"]],
            "tail ESS": [f"{value:,.0f}" for value in frame["ess_tail"]],
            "R-hat": [f"{value:.3f}" for value in frame["rhat"]],
        }
    return table(columns.items())
