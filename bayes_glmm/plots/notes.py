"""What a figure says to those who point at it: texts that are not drawn, each for a part of the figure.

They hang on the axes as Matplotlib's own texts that are not visible. Whoever shows the figure where people can point,
as the report does, asks :func:`notes_of` for them and for the parts they belong to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bayes_glmm.plots.style import is_averaged

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 200  # in one axes: of more, a pointer could not choose one
POINT = 0.008  # half the width of the part of a point, as a share of the figure's width
_NOWHERE = np.empty((0, 2))
_MARK = "note "  # how the texts are told from others, and their kind after it


@dataclass(frozen=True)
class Note:
    """A text and the part of the figure that it is for.

    Attributes
    ----------
    left, bottom, right, top : float
        As shares of the figure's width and height.
    text : str
    """

    left: float
    bottom: float
    right: float
    top: float
    text: str


def annotate(
    axes: Axes,
    kind: Literal["row", "column", "point", "panel"],
    texts: Sequence[str],
    places: np.ndarray = _NOWHERE,
) -> None:
    """Say what rows, columns or points of some axes mean, or the axes as a whole.

    Parameters
    ----------
    axes : Axes
    kind : {"row", "column", "point", "panel"}
        The parts: everything at about a height, at about a horizontal place, around a point, or all.
    texts : sequence of str
        Of more than 200 some are taken, evenly spread.
    places : array [text], for points [text, 2]
        In the units of the data; a panel needs none.
    """
    transform = {
        "row": axes.get_yaxis_transform(),
        "column": axes.get_xaxis_transform(),
        "point": axes.transData,
        "panel": axes.transAxes,
    }[kind]
    middle = np.full(len(texts), 0.5)
    x: Any = places[:, 0] if kind == "point" else places if kind == "column" else middle
    y: Any = places[:, 1] if kind == "point" else places if kind == "row" else middle
    for i in np.unique(np.linspace(0, len(texts) - 1, min(len(texts), MOST)).round().astype(int)):
        axes.text(x[i], y[i], texts[i], transform=transform, visible=False, gid=_MARK + kind)


def estimates_text(name: str, readings: Mapping[str, np.ndarray]) -> str:
    """A name, and below it what each reading says of it.

    Parameters
    ----------
    name : str
    readings : mapping of str to array
        By the label of the reading: estimate, lower and upper; left out where they are NaN.

    Examples
    --------
    >>> print(estimates_text("drug", {"population-averaged": np.array([-0.12345, -1.0, 2.5])}))
    drug
    population-averaged −0.123 [−1, 2.5]
    """
    ordered = sorted(readings, key=lambda effect: not is_averaged(effect))
    lines = [f"{effect} {interval_text(*readings[effect])}" for effect in ordered if not np.isnan(readings[effect][0])]
    return "\n".join([name, *lines])


def interval_text(estimate: float, lower: float, upper: float) -> str:
    """An estimate with its interval, where it has one.

    Examples
    --------
    >>> print(interval_text(0.5, 0.25, 0.75), interval_text(0.5, np.nan, np.nan))
    0.5 [0.25, 0.75] 0.5
    """
    if np.isnan(lower) or np.isnan(upper):
        return short(estimate)
    return f"{short(estimate)} [{short(lower)}, {short(upper)}]"


def short(value: float) -> str:
    """Three digits, or all before the point, and a true minus sign.

    Examples
    --------
    >>> short(-0.12345), short(12345.6)
    ('−0.123', '12,346')
    """
    return (f"{value:,.0f}" if 1e3 <= abs(value) < np.inf else f"{value:.3g}").replace("-", "−")


def notes_of(figure: Figure) -> list[Note]:
    """The notes of a figure that has been drawn, from left to right or from above.

    Rows reach as far to the left as their names do where no other axes are in between; rows and columns share the axes
    among them, each from the middle between it and the one before to the middle between it and the next.
    """
    first = min((axes.get_position().x0 for axes in figure.axes), default=0.0)
    found: list[Note] = []
    for axes in figure.axes:
        hanging = [text for text in axes.texts if (text.get_gid() or "").startswith(_MARK)]
        if hanging:
            pixels = [text.get_transform().transform(text.get_position()) for text in hanging]
            places = figure.transFigure.inverted().transform(np.array(pixels))
            texts = [text.get_text() for text in hanging]
            kind = str(hanging[0].get_gid()).removeprefix(_MARK)
            if kind == "point":
                width, height = figure.get_size_inches()
                wide, tall = POINT, POINT * width / height
                points = zip(places, texts, strict=True)
                found += [Note(x - wide, y - tall, x + wide, y + tall, text) for (x, y), text in points]
            else:
                found += _tiles(axes, kind, places, texts, first)
    return found


def _tiles(axes: Axes, kind: str, places: np.ndarray, texts: Sequence[str], first: float) -> list[Note]:
    box = axes.get_position()
    if kind == "panel":
        return [Note(box.x0, box.y0, box.x1, box.y1, text) for text in texts]
    if kind == "column":
        order, edges = _shared(places[:, 0], box.x0, box.x1)
        return [Note(edges[i], box.y0, edges[i + 1], box.y1, texts[k]) for i, k in enumerate(order)]
    order, edges = _shared(places[:, 1], box.y0, box.y1)
    left = 0.0 if box.x0 <= first else box.x0
    return [Note(left, edges[i], box.x1, edges[i + 1], texts[k]) for i, k in enumerate(order)][::-1]


def _shared(places: np.ndarray, low: float, high: float) -> tuple[np.ndarray, list[float]]:
    """The order of places along an axis, and the edges between them."""
    order = np.argsort(places, kind="stable")
    ordered = np.clip(places[order], low, high)
    return order, [low, *((ordered[1:] + ordered[:-1]) / 2).tolist(), high]
