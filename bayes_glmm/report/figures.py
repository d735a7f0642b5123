"""Figures of the report as SVG: what the plots do not show, in the plots' palette; no state outlives a call.

The data are black, what the model replicates is grey; chains have those of the palette that mean nothing else.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_glmm.plots.notes import annotate
from bayes_glmm.plots.panels import draw_panels
from bayes_glmm.plots.style import compose
from bayes_glmm.plots.tables import panel_of
from bayes_glmm.report.svg import DATA, with_notes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# what XML cannot hold: Matplotlib writes labels as comments, just as they are, and notes hold them as text
_NOT_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")
CHAINS = ("#009E73", "#CC79A7", "#56B4E9", "#E69F00")


def draw(plot: Callable[[Figure], None], height: float) -> bytes:
    """Run a plotting function on a fresh figure, and give it as SVG."""
    return saved(compose(plot, height))


def saved(canvas: Figure) -> bytes:
    """A figure as SVG with its notes; without a date and with fixed ids: the same draws give the same report."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "bayes_glmm", "svg.fonttype": "path"}):
        canvas.savefig(buffer, format="svg", dpi=144, metadata={"Date": None, "Creator": None})
    return _NOT_XML.sub(b"", with_notes(buffer.getvalue(), canvas))


def forest(table: pd.DataFrame, xlabel: str) -> bytes:
    """Estimates with intervals, the readings of a row under each other.

    Parameters
    ----------
    table : DataFrame
        Of one estimand: ``row``, the name of what is estimated, ``effect``, ``estimate``, ``lower``, ``upper``.
    xlabel : str
    """
    names = list(dict.fromkeys(table["row"]))
    return saved(draw_panels([panel_of(table, names, "", xlabel)], names, ""))


def traces(names: Sequence[str], draws: np.ndarray, notes: Sequence[tuple[str, str]] = ()) -> bytes:
    """Rank histograms by chain, and traces, one line of panels a parameter.

    Parameters
    ----------
    names : sequence of str
    draws : array [parameter, chain, draw]
    notes : sequence of (str, str), optional
        What to say of each parameter's ranks and of its trace.

    Notes
    -----
    Ranks over all chains, counted by chain: level where the chains agree (Vehtari et al. 2021, figure 5).
    """
    _, chains, length = draws.shape
    colours = [CHAINS[c % len(CHAINS)] for c in range(chains)]
    bins = int(np.clip(length // 25, 5, 20))

    def plot(canvas: Figure) -> None:
        grid = canvas.subplots(len(names), 2, squeeze=False, width_ratios=(1, 2))
        for row, texts in zip(grid, notes, strict=False):
            for axes, text in zip(row, texts, strict=True):
                annotate(axes, "panel", [text])
        for row, name, values in zip(grid, names, draws, strict=True):
            ranks = values.ravel().argsort().argsort().reshape(values.shape)
            edges = np.linspace(0, values.size, bins + 1)
            row[0].axhline(length / bins, color=DATA, linewidth=0.7, linestyle=(0, (4, 3)))
            for chain in range(chains):
                counts = np.histogram(ranks[chain], edges)[0]
                row[0].stairs(counts, edges, color=colours[chain], linewidth=1.3, baseline=None)
                # thousands of points a line are drawn as an image within the SVG
                row[1].plot(values[chain], color=colours[chain], linewidth=0.5, alpha=0.8, rasterized=True)
            row[0].set_ylim(0, None)
            row[0].set_title(shorten(name, 44))
            row[0].set_xticks([])
            row[0].set_yticks([])
            row[1].set_xlim(0, length)
            row[1].tick_params(labelsize=8, labelbottom=name == names[-1])
        grid[-1][0].set_xlabel("rank among all draws")
        grid[-1][1].set_xlabel("draw")

    return draw(plot, height=0.5 + 1.05 * len(names))


def shorten(label: str, limit: int = 34) -> str:
    """A label that leaves room for the figure."""
    return label if len(label) <= limit else f"{label[: limit - 1]}…"
