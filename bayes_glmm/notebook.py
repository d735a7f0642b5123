"""HTML of results in notebooks: text and tables without styles but alignment; everything is escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

import pandas as pd

_COLOURS = {"pass": "#1a7f37", "fit to use": "#1a7f37", "look": "#9a6700", "fail": "#cf222e", "do not use": "#cf222e"}


def paragraph(text: object, bold: str = "") -> str:
    """Return a paragraph, with a word in bold before it."""
    return f"<p>{f'<b>{escape(bold)}</b> ' if bold else ''}{escape(str(text))}</p>"


def preformatted(text: object) -> str:
    """Return text whose lines are kept, such as equations."""
    return f"<pre>{escape(str(text))}</pre>"


def items(texts: Iterable[object]) -> str:
    """Return a list; an empty text without items."""
    listed = "".join(f"<li>{escape(str(text))}</li>" for text in texts)
    return f"<ul>{listed}</ul>" if listed else ""


def table(frame: pd.DataFrame, caption: str = "") -> str:
    """Return a table: numbers to the right, fractions with four digits; verdicts in colour.

    Examples
    --------
    >>> table(pd.DataFrame({"x": ["<b>"], "estimate": [0.123456]})).count("&lt;b&gt;")
    1
    """
    return aligned(frame, [column.dtype.kind in "fiu" for _, column in frame.items()], caption)


def aligned(frame: pd.DataFrame, numeric: Sequence[bool], caption: str = "") -> str:
    """Return a table with the columns that are ``numeric`` to the right."""
    sides = [f' style="text-align: {"right" if right else "left"}"' for right in numeric]
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    head = "".join(f"<th{side}>{escape(str(name))}</th>" for side, name in zip(sides, frame.columns, strict=True))
    rows = [
        "".join(_cell(value, side) for value, side in zip(row, sides, strict=True))
        for row in frame.itertuples(index=False, name=None)
    ]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table>{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object, side: str) -> str:
    missing = isinstance(value, float) and math.isnan(value)
    text = "" if missing else f"{value:.4g}" if isinstance(value, float) else str(value)
    colour = _COLOURS.get(text)
    return f"<td{side}>{f'<b style="color: {colour}">{escape(text)}</b>' if colour else escape(text)}</td>"
