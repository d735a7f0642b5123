"""Advice from a table of patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable


def first_match(table: Iterable[tuple[str, str]], text: str) -> str:
    """The advice of the first pattern that matches a text, with its named parts; empty if none does."""
    for pattern, advice in table:
        if match := re.fullmatch(pattern, text.strip(), re.DOTALL):
            return advice.format(**{name: part.strip() for name, part in match.groupdict().items()})
    return ""
