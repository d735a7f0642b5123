"""Formulas as MathML, written when the site is built: browsers draw it themselves, without a script.

The Markdown extension ``arithmatex`` marks what stands between dollar signs; this turns each mark into MathML.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from latex2mathml.converter import convert

_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>([.,;:)]*)', re.DOTALL)
_DISPLAY = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)
_BETTER = (
    (re.compile(r"<mo>([A-Za-z]+)</mo>"), r'<mi mathvariant="normal">\1</mi>'),  # Var(y): upright, no gap
    (re.compile(r"<mi>log</mi>"), r'<mi>log</mi><mspace width="0.167em"/>'),
    (re.compile(r"<mi>&#x0007E;</mi>"), r"<mo>&#x0223C;</mo>"),  # "is distributed as" is a relation
)


def on_page_content(html: str, **_: Any) -> str:
    """The page with its formulas as MathML; called by mkdocs."""
    html = _DISPLAY.sub(lambda found: f'<div class="formula">{_mathml(found[1], "block")}</div>', html)
    return _INLINE.sub(lambda found: f'<span class="together">{_mathml(found[1], "inline")}{found[2]}</span>', html)


def _mathml(latex: str, display: str) -> str:
    mathml = convert(unescape(latex).strip(), display=display)
    for pattern, better in _BETTER:
        mathml = pattern.sub(better, mathml)
    return mathml
