"""Figures of Matplotlib as parts of a page: their values for those who point at them, colours of the page's theme.

A figure stands in the page itself and not in an image of its own, so that its colours follow the theme and its notes
can be pointed at. What could clash or act is taken out: ids that nothing refers to, styles, comments (Matplotlib writes
each label as shapes, and as a comment just as it is). Labels of data are left as shapes and as escaped text.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from markupsafe import Markup

from bayes_glmm.plots.notes import notes_of
from bayes_glmm.plots.style import AVERAGED, CONDITIONAL, FAINT, INK, QUIET

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DATA, REPLICATED = "#1b1b1b", "#9aa3ad"
# the colour of a figure -> the property of the style sheet that takes its place in the page; others stay as they are
THEME = {
    CONDITIONAL.lower(): "conditional",
    AVERAGED.lower(): "averaged",
    QUIET: "soft",
    FAINT: "line",
    INK: "soft",
    DATA: "text",
    REPLICATED: "replicated",
    "#ffffff": "ground",
}
_POINTS = 72  # an inch, the unit of the SVG
_MARK = Markup(
    '<rect class="mark" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="none" pointer-events="all">'
    "<title>{}</title></rect>\n"
)
_UNUSED = {"metadata", "style"}


def with_notes(svg: bytes, canvas: Figure) -> bytes:
    """The file of a figure with its notes on top; a browser that opens it shows them to who points at a part."""
    width, height = canvas.get_size_inches() * _POINTS
    marks = [
        _MARK.format(
            note.left * width,
            (1.0 - note.top) * height,
            (note.right - note.left) * width,
            (note.top - note.bottom) * height,
            note.text,
        )
        for note in notes_of(canvas)
    ]
    before, end, after = svg.rpartition(b"</svg>")
    return before + "".join(marks).encode() + end + after


def inline(svg: bytes, alt: str) -> Markup:
    """The figure as an element of a page, with its text for those who cannot see it."""
    root = ElementTree.fromstring(svg)  # drops comments and the document type
    prefix = f"f{hashlib.sha256(svg + alt.encode()).hexdigest()[:10]}-"
    for parent in list(root.iter()):
        for child in [child for child in parent if _local(child.tag) in _UNUSED]:
            parent.remove(child)
    used = set(re.findall(rb'(?:href="|url\()#([^")]+)', svg))
    for element in root.iter():
        element.tag = _local(element.tag)
        attributes = {_local(name): value for name, value in element.attrib.items()}
        attributes |= _declarations(attributes.pop("style", ""))
        if attributes.get("id", "").encode() not in used:
            attributes.pop("id", None)
        element.attrib.clear()
        element.attrib.update({name: _adapted(name, value, prefix) for name, value in attributes.items()})
    root.attrib.update({"role": "img", "aria-label": alt})
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _local(name: str) -> str:
    """A name without its namespace, as HTML has it."""
    return name.rpartition("}")[2]


def _declarations(style: str) -> dict[str, str]:
    """``fill: none; stroke: #000`` as attributes, which a page that allows no styles but its own shows all the same."""
    pairs = (declaration.partition(":") for declaration in style.split(";") if declaration.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _adapted(name: str, value: str, prefix: str) -> str:
    """Colours of the theme, ids of this figure, coordinates to a hundredth of a point."""
    if name in ("fill", "stroke") and value in THEME:
        return f"var(--{THEME[value]})"
    if name == "id":
        return prefix + value
    if name == "d":
        return re.sub(r"(\.\d\d)\d+", r"\1", " ".join(value.split()))
    return re.sub(r"^(url\()?#", rf"\g<1>#{prefix}", value) if name in ("href", "clip-path") else value
