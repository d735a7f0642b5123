"""Pieces of HTML: paragraphs, tables, figures, lists. Whatever is filled in is escaped; labels of data are hostile."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from bayes_glmm.report.svg import inline


def paragraph(text: str, kind: str = "", **values: Any) -> Markup:
    """A paragraph; ``text`` is HTML of ours with ``{}`` places, the values are escaped."""
    opening = Markup('<p class="{}">').format(kind) if kind else Markup("<p>")
    return opening + Markup(text).format(**values) + Markup("</p>")


def heading(text: str) -> Markup:
    """A heading within a section."""
    return Markup("<h3>{}</h3>").format(text)


def bullets(items: Iterable[str]) -> Markup:
    """A list."""
    return Markup("<ul>") + Markup("").join(Markup("<li>{}</li>").format(item) for item in items) + Markup("</ul>")


def copied(text: str) -> Markup:
    """Text to copy, lines kept, with a button that appears where the page can copy."""
    return Markup(
        '<blockquote class="copied">{}</blockquote><button class="copy" type="button" hidden>Copy</button>'
    ).format(text)


def code(text: str) -> Markup:
    """Code or equations, lines kept."""
    return Markup('<pre tabindex="0">{}</pre>').format(text)


def badge(verdict: str, word: str = "") -> Markup:
    """A verdict as a coloured word."""
    return Markup('<span class="badge {}">{}</span>').format(verdict.replace(" ", "-"), word or verdict)


def details(summary: str, content: Markup) -> Markup:
    """Content that a reader opens; always open on paper."""
    return Markup("<details><summary>{}</summary>{}</details>").format(summary, content)


def figure(svg: bytes, alt: str, caption: str = "") -> Markup:
    """A figure with its text for those who cannot see it; its notes are read by pointing, touch and arrow keys."""
    image = Markup('<div class="plot">{}</div>').format(inline(svg, alt))
    below = Markup("<figcaption>{}</figcaption>").format(caption) if caption else Markup("")
    return Markup("<figure>{}{}</figure>").format(image, below)


def table(columns: Iterable[tuple[str, Sequence[Any]]]) -> Markup:
    """A table: text to the left, numbers to the right.

    Parameters
    ----------
    columns : iterable of (heading, cells)
        Cells may be text, numbers (three digits), or Markup.
    """
    headings, cells = zip(*columns, strict=True)
    classes = [Markup(' class="number"') if all(map(_is_number, column)) else Markup("") for column in cells]
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(*pair) for pair in zip(classes, headings, strict=True)
    )
    body = []
    for record in zip(*cells, strict=True):
        row = (Markup("<td{}>{}</td>").format(kind, number(value)) for kind, value in zip(classes, record, strict=True))
        body.append(Markup("<tr>{}</tr>").format(Markup("").join(row)))
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="Table">'
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(head, Markup("").join(body))


def number(value: Any, digits: int = 3) -> Markup:
    """A number for people: three significant digits, a true minus sign, no exponents where they can be avoided.

    Examples
    --------
    >>> [str(number(value)) for value in (-0.12345, 1234.5, 1.0, 12.345, 0.00001234, 3)]
    ['−0.123', '1,234', '1.00', '12.3', '1.23e−05', '3']
    """
    if not isinstance(value, float):
        return escape(value) if not isinstance(value, int) or isinstance(value, bool) else Markup(f"{value:,}")
    if math.isnan(value):
        return Markup("–")
    if math.isinf(value):
        return Markup("∞" if value > 0 else "−∞")
    size = abs(value)
    if size >= 10 ** (digits + 9) or 0 < size < 1e-4:
        text = f"{value:.{digits - 1}e}"
    else:
        decimals = max(0, digits - 1 - (math.floor(math.log10(size)) if size > 0 else 0))
        text = f"{value:,.{min(decimals, digits + 2)}f}"
    return Markup(text.replace("-", "−"))


def certainty(probability: float) -> str:
    """A probability in per cent, never rounded to certainty.

    Examples
    --------
    >>> certainty(0.9999), certainty(0.971)
    ('over 99.9 %', '97.1 %')
    """
    return "over 99.9 %" if probability > 0.999 else f"{100 * probability:.1f} %"


def interval(lower: float, upper: float) -> Markup:
    """An interval as text: ``0.12 to 0.34``."""
    return number(lower) + Markup("\u00a0to\u00a0") + number(upper)


def side_by_side(frame: pd.DataFrame, labels: Sequence[str]) -> Markup:
    """Estimates as a table in which the readings of ``effect`` stand next to each other, population-averaged first.

    Parameters
    ----------
    frame : DataFrame
        Columns ``effect``, ``estimate`` (a posterior median), ``lower``, ``upper`` and the labels, the same for each
        reading.
    labels : sequence of str
        Columns that say what is estimated.
    """
    readings = sorted(frame["effect"].unique(), key=lambda effect: not effect.startswith("population"))
    first = frame[frame["effect"] == readings[0]]
    columns: list[tuple[str, Sequence[Any]]] = [(label, first[label].tolist()) for label in labels]
    for reading in readings:
        rows = frame[frame["effect"] == reading]
        kind = "averaged" if reading.startswith("population") else "conditional"
        bounds = zip(rows["lower"], rows["upper"], strict=True)
        columns += [
            (Markup('<span class="{}">{}</span>, median').format(kind, reading), rows["estimate"].tolist()),
            ("95 % interval", [interval(low, high) for low, high in bounds]),
        ]
    return table(columns)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
