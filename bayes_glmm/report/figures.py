"""Figures of the report as SVG: what the plots do not show, in the plots' palette; no state outlives a call.

The data are black, what the model replicates is grey; chains have those of the palette that mean nothing else.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_glmm.plots.style import AVERAGED, CONDITIONAL, FAINT, LEGIBLE, WIDTH, colour_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DATA, REPLICATED = "#1b1b1b", "#9aa3ad"
CHAINS = ("#009E73", "#CC79A7", "#56B4E9", "#E69F00")

_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#6b7280",
    "axes.linewidth": 0.8,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelcolor": "#374151",
    "xtick.color": "#374151",
    "ytick.color": "#374151",
    "legend.frameon": False,
    "axes.unicode_minus": True,
    "text.parse_math": False,  # labels of data may hold dollar signs
}


def draw(plot: Callable[[Figure], None], height: float, width: float = WIDTH) -> bytes:
    """Run a plotting function on a fresh figure, and give it as SVG."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):  # type: ignore[arg-type]  # matplotlib names every key
        canvas = Figure(figsize=(width, height), layout="constrained")
        plot(canvas)
        return saved(canvas)


def saved(canvas: Figure) -> bytes:
    """A figure as SVG; without a date and with fixed ids, so that the same draws give the same report."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "bayes_glmm", "svg.fonttype": "path"}):
        canvas.savefig(buffer, format="svg", dpi=144, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def forest(
    labels: Sequence[str], series: Mapping[str, np.ndarray], xlabel: str, null: float | None = 0.0, log: bool = False
) -> bytes:
    """Estimates with intervals, one line a label, the series of a label under each other.

    Parameters
    ----------
    labels : sequence of str
    series : mapping of name to array [label, 3]
        Estimate, lower and upper; colours by name: "conditional..." is blue, "population-averaged" orange.
    xlabel : str
    null : float, optional
        Where no effect lies.
    log : bool
        Whether the axis is logarithmic, as ratios want it.
    """

    def plot(canvas: Figure) -> None:
        axes = canvas.subplots()
        place = np.arange(len(labels), dtype=float)[::-1]
        offsets = np.linspace(0.16, -0.16, len(series)) if len(series) > 1 else np.zeros(1)
        ordered = sorted(series.items(), key=lambda item: colour_of(item[0]) != AVERAGED)
        for (name, values), offset in zip(ordered, offsets, strict=True):
            colour, values = colour_of(name), np.where(np.isfinite(values), values, np.nan)
            axes.hlines(place + offset, values[:, 1], values[:, 2], color=colour, linewidth=2.2, alpha=0.75)
            marker = "o" if colour == CONDITIONAL else "D"
            axes.plot(values[:, 0], place + offset, marker, color=colour, markersize=5.5, label=name)
        if null is not None:
            axes.axvline(null, color="#6b7280", linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
        if log:
            _logarithmic(axes)
        axes.set_yticks(place, [shorten(label) for label in labels])
        axes.set_ylim(-0.6, len(labels) - 0.4)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel(xlabel)
        if len(series) > 1:
            canvas.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2)

    return draw(plot, height=1.15 + 0.4 * len(labels))


def caterpillar(levels: Sequence[str], estimates: np.ndarray, xlabel: str) -> bytes:
    """Random effects of one kind in order of size, with intervals: named where few, a band where many.

    Parameters
    ----------
    levels : sequence of str
    estimates : array [level, 3]
        Mean, lower and upper.
    xlabel : str
    """
    order = np.argsort(estimates[:, 0], kind="stable")
    values, place = estimates[order], np.arange(len(order))

    def named(canvas: Figure) -> None:
        axes = canvas.subplots()
        axes.hlines(place, values[:, 1], values[:, 2], color=CONDITIONAL, linewidth=1.8, alpha=0.7)
        axes.plot(values[:, 0], place, "o", color=CONDITIONAL, markersize=4)
        axes.set_yticks(place, [shorten(levels[i]) for i in order], fontsize=8)
        axes.set_ylim(-0.7, len(order) - 0.3)
        axes.axvline(0.0, color="#6b7280", linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(xlabel)

    def band(canvas: Figure) -> None:
        axes = canvas.subplots()
        axes.fill_between(place, values[:, 1], values[:, 2], color=CONDITIONAL, alpha=0.22, linewidth=0)
        axes.plot(place, values[:, 0], color=CONDITIONAL, linewidth=1.6)
        axes.axhline(0.0, color="#6b7280", linewidth=0.9, linestyle=(0, (4, 3)))
        axes.set_xlim(0, len(order) - 1)
        axes.set_xlabel(f"{len(order):,} levels, from lowest to highest")
        axes.set_ylabel(xlabel)

    if len(levels) > LEGIBLE:
        return draw(band, height=3.2)
    return draw(named, height=0.9 + 0.17 * len(levels))


def traces(names: Sequence[str], draws: np.ndarray) -> bytes:
    """Rank histograms by chain, and traces, one line of panels a parameter.

    Parameters
    ----------
    names : sequence of str
    draws : array [parameter, chain, draw]

    Notes
    -----
    Ranks over all chains, counted by chain: level where the chains agree (Vehtari et al. 2021, figure 5).
    """
    _, chains, length = draws.shape
    colours = [CHAINS[c % len(CHAINS)] for c in range(chains)]
    bins = int(np.clip(length // 25, 5, 20))

    def plot(canvas: Figure) -> None:
        grid = canvas.subplots(len(names), 2, squeeze=False, width_ratios=(1, 2))
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


def _logarithmic(axes: Axes) -> None:
    """Round numbers on a logarithmic axis, however short or long it is."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    if high < 4 * low:
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 300 * low else (1.0,), numticks=12))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
