"""Text of formulas in pieces: brackets and quotes that belong together are never cut."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bayes_glmm.errors import SpecError

_OPEN, _CLOSE, _QUOTES = "([{", ")]}", "'\"`"
_COLUMN = re.compile(r"[^\W\d]\w*(?:\.\w+)*$|`[^`]+`$")
_QUOTED = -1_000_000  # no depth of brackets


def depths(text: str) -> Iterator[tuple[int, str, int]]:
    """Position, character and bracket depth; quoted characters have a depth of their own and are never split at."""
    depth, quote = 0, ""
    for i, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
            yield i, character, _QUOTED
            continue
        if character in _QUOTES:
            quote = character
            yield i, character, _QUOTED
            continue
        depth -= character in _CLOSE
        yield i, character, depth
        depth += character in _OPEN


def split(text: str, separator: str) -> list[str]:
    """Split at a one-character separator outside brackets and quotes."""
    cuts = [i for i, character, depth in depths(text) if character == separator and depth == 0]
    return [text[a + 1 : b] for a, b in zip([-1, *cuts], [*cuts, len(text)], strict=True)]


def is_wrapped(term: str) -> bool:
    """Whether one pair of parentheses holds the whole term."""
    closing = [i for i, character, depth in depths(term) if character == ")" and depth == 0]
    return term.startswith("(") and closing[:1] == [len(term) - 1]


def is_call(text: str) -> bool:
    """Whether a function with one pair of parentheses is the whole text: ``f(x)``, not ``f(x) + (z)``."""
    return is_wrapped(text[text.find("(") :])


def is_column(text: str) -> bool:
    """Whether the text is the name of a column, in backquotes or not."""
    return _COLUMN.match(text) is not None


def without_quotes(text: str) -> str:
    """The text outside quotes."""
    return "".join(character for _, character, depth in depths(text) if depth != _QUOTED)


def check_balanced(text: str) -> None:
    """Check that every bracket and every quote has its partner.

    Raises
    ------
    SpecError
    """
    if quote := _open_quote(text):
        raise SpecError(f"A {quote} is not closed.", text, "Close the quotation.")
    stack: list[str] = []
    for _, character, depth in depths(text):
        if depth == _QUOTED:
            continue
        if character in _OPEN:
            stack.append(_CLOSE[_OPEN.index(character)])
        elif character in _CLOSE and (not stack or stack.pop() != character):
            raise SpecError(f"A {character!r} has no partner.", text, "Balance the brackets.")
    if stack:
        raise SpecError(f"A {stack[-1]!r} is missing.", text, "Balance the brackets.")


def _open_quote(text: str) -> str:
    """The quotation mark that is still open at the end; empty if none."""
    quote = ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
    return quote
