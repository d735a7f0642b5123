"""How the pictures look: one palette, one canvas, text that is shown as it is.

Conditional is always blue, a dashed line and a dot; population-averaged always orange, a solid line and a diamond (two
of Okabe & Ito's colours, told apart by all readers; the shapes serve those who print in grey). Figures are made without
pyplot: nothing stays open, and nothing global changes. ``figure.savefig("name.png")`` writes one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_glmm.plots.canvas import FRESH, Canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayes_glmm.plots.canvas import Area

CONDITIONAL, AVERAGED = "#0072B2", "#D55E00"
QUIET, FAINT, INK = "#6b7280", "#d9dde2", "#374151"
_LOOKS = {  # by the start of a reading's label: colour and marker
    "population": (AVERAGED, "D"),
    "conditional (this group)": (CONDITIONAL, "^"),
    "conditional (this or a new group)": (CONDITIONAL, "v"),
    "new group": ("#009E73", "s"),
    "conditional": (CONDITIONAL, "o"),
    "": (INK, "o"),  # what is no reading
}
# from low to high by hue and lightness: each is seen on a white and on a black page, none is blue or orange as above
_SEQUENCE = ("#7e4ac2", "#4f67c6", "#2382ba", "#13929e", "#31a080", "#58a451")
WIDTH = 8.6  # inches
LEGIBLE = 60  # rows that can have a line of their own
DASHES = (0, (4, 2.5))

_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "text.parse_math": False,  # names of data may hold dollar signs
    "figure.facecolor": "white",
    "svg.hashsalt": "bayes_glmm",
}


def compose(plot: Callable[..., None], height: float, width: float = WIDTH, canvas: Canvas = FRESH) -> Figure:
    """Run a plotting function on a canvas; return the whole figure."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):  # type: ignore[arg-type]  # matplotlib names every key
        figure, part = canvas.figure(width, height)
        plot(part)
        figure.draw_without_rendering()  # ticks are made when first drawn: in this style, not the caller's
    return figure


def is_averaged(effect: str) -> bool:
    """Whether the label of a reading says population-averaged."""
    return effect.startswith("population")


def colour_of(effect: str) -> str:
    """The colour of a reading, the same in every figure."""
    return _look(effect)[0]


def sequential(count: int) -> list[str]:
    """Colours of ordered things, from the lowest to the highest.

    Examples
    --------
    >>> sequential(3)
    ['#7e4ac2', '#1b8aac', '#58a451']
    """
    known = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in _SEQUENCE], float)
    places = np.linspace(0.0, len(known) - 1.0, count)
    channels = [np.interp(places, np.arange(len(known)), channel) for channel in known.T]
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in np.rint(channels).astype(int).T]


def _look(effect: str) -> tuple[str, str]:
    return next(look for start, look in _LOOKS.items() if effect.startswith(start))


def dots(axes: Axes, place: np.ndarray, values: np.ndarray, effect: str, size: float = 5.0) -> None:
    """Estimates with intervals on horizontal lines; an arrow at the edge where an interval has no finite end.

    Parameters
    ----------
    axes : Axes
    place : array [row]
        Heights.
    values : array [row, 3]
        Estimate, lower and upper.
    effect : str
        Label of the reading: decides colour and shape, and stands in the legend.
    size : float
        Of the marker, in points.
    """
    colour, marker = _look(effect)
    shown = np.where(np.isfinite(values), values, np.nan)
    axes.hlines(place, shown[:, 1], shown[:, 2], color=colour, linewidth=0.42 * size, alpha=0.7)
    axes.plot(shown[:, 0], place, marker, color=colour, markersize=size, linestyle="none", label=effect)
    for end, edge, arrow in [(-np.inf, 0.0, "<"), (np.inf, 1.0, ">")]:
        beyond = place[(values == end).any(axis=1)]
        if len(beyond):
            across = axes.get_yaxis_transform()
            axes.plot(np.full(len(beyond), edge), beyond, arrow, color=colour, transform=across, clip_on=False)


def beside(effects: Sequence[str]) -> dict[str, float]:
    """How far above its row each reading is drawn: population-averaged uppermost, none over another."""
    ordered = sorted(effects, key=lambda effect: not is_averaged(effect))
    half = 0.17 if len(ordered) == 2 else 0.3 if len(ordered) > 2 else 0.0
    steps = np.linspace(half, -half, len(ordered))
    return dict(zip(ordered, steps.tolist(), strict=True))


def name_rows(axes: Axes, names: Sequence[str], small: bool = False) -> np.ndarray:
    """Names on the vertical axis, the first uppermost; gives the heights of the rows [row]."""
    place = np.arange(len(names), dtype=float)[::-1]
    axes.set_yticks(place, [fit_row(name, small) for name in names], fontsize=8 if small else None)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    return place


def null_line(axes: Axes, value: float, vertical: bool = True) -> None:
    """Where no effect lies."""
    line = axes.axvline if vertical else axes.axhline
    line(value, color=QUIET, linewidth=0.9, linestyle=DASHES, zorder=0.5)


def legend(figure: Area) -> None:
    """One legend of all panels above them, over no data: population-averaged, conditional, the rest."""
    found: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(str(label), handle)
    labels = sorted(found, key=lambda label: (not is_averaged(label), not label.startswith("conditional")))
    if labels:
        columns = 4 if sum(map(len, labels)) < 90 else 2
        figure.legend([found[label] for label in labels], labels, loc="outside upper left", ncols=columns)


def small_print(figure: Area, text: str) -> None:
    """A note below all panels."""
    figure.supxlabel(fit(text, 110), fontsize=8, color=QUIET, x=0.01, ha="left")


def logarithmic(axes: Axes, vertical: bool = False) -> None:
    """Round numbers on a logarithmic axis, however short or long it is."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    axis = axes.yaxis if vertical else axes.xaxis
    (axes.set_yscale if vertical else axes.set_xscale)("log")
    low, high = axes.get_ylim() if vertical else axes.get_xlim()
    if high < 4 * low:
        axis.set_major_locator(MaxNLocator(5))
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 60 * low else (1.0,), numticks=7))
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def fit(text: str, width: int = 32, lines: int = 3) -> str:
    r"""Text broken into a few lines (or as it is broken); what does not fit is cut, and ends in an ellipsis.

    Examples
    --------
    >>> fit("a short name")
    'a short name'
    >>> fit("one two three four", width=9)
    'one two\nthree\nfour'
    >>> fit("one two three four", width=9, lines=2)
    'one two\nthree…'
    """
    if "\n" in text:
        return "\n".join(fit(line, width, 2) for line in text.split("\n"))
    return "\n".join(textwrap.wrap(text, width, max_lines=lines, placeholder="…")) or text


def fit_row(name: str, small: bool) -> str:
    """The name of a row; small print holds more on a line."""
    return fit(name, 42, 2) if small else fit(name)


def settings(values: Mapping[Any, Any]) -> str:
    """Columns and what they are set to, in words.

    Examples
    --------
    >>> settings({"age": 51.25003, "sex": "female"})
    'age = 51.25, sex = female'
    """
    return ", ".join(f"{name} = {number(value)}" for name, value in values.items())


def number(value: Any) -> str:
    """A value as text, numbers to four digits."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return str(value)
    return f"{value:,.0f}" if abs(float(value)) >= 1e4 else f"{value:.4g}"
