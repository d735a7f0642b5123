"""Lists of parameters without a dash before nothing, and without a space before a closing bracket."""

from __future__ import annotations

import re
from typing import Any

_NOTHING = re.compile(r'–\s*<div class="doc-md-description">\s*</div>')
_GAP = re.compile(r"</code>\s+\)")


def on_page_content(html: str, **_: Any) -> str:
    """The page so; called by mkdocs."""
    return _GAP.sub("</code>)", _NOTHING.sub("", html))
