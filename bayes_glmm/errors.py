"""What the package raises: one message that says what is wrong, where, and what to do.

Each error is also a builtin (``ValueError`` or ``RuntimeError``), so code that does not know this package can catch it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONG_NAME, _LONG_TEXT = 100, 4_000  # characters of one name, of one part of a message
_COMPARED = 5_000  # names that a wrong one is compared with


class GLMMError(Exception):
    """Base of all errors of this package.

    Parameters
    ----------
    what : str
        What is wrong, one sentence.
    where : str
        The place: a column, row numbers, a term of the formula, a line of a file. May be empty.
    advice : str
        What to do about it. May be empty.
    """

    def __init__(self, what: str, where: str = "", advice: str = "") -> None:
        self.what, self.where, self.advice = what, where, advice
        super().__init__(" ".join(_shown(part) for part in (what, where and f"[{where}]", advice) if part))


class SpecError(GLMMError, ValueError):
    """The model as written cannot be: formula, family, link, prior or argument."""


class DataError(GLMMError, ValueError):
    """The data do not fit the model: columns, rows, levels or support."""


class ConfigError(GLMMError, ValueError):
    """A configuration file is wrong."""


class SamplingError(GLMMError, RuntimeError):
    """The sampler could not run."""


class EstimationError(GLMMError, RuntimeError):
    """An estimate does not exist, or the search for it failed."""


def choices(name: str, valid: Iterable[object], limit: int = 60, alike: float = 0.6) -> str:
    """Advice for a name that is not among the valid ones: the nearest match, then the list, or the start of it.

    Parameters
    ----------
    name : str
    valid : iterable
    limit : int
        How many names are listed.
    alike : float
        Share of letters, between 0 and 1, that a suggestion must have in common with the name, whatever their case.

    Examples
    --------
    >>> choices("logti", ["logit", "probit"])
    "Did you mean 'logit'? Valid: logit, probit."
    """
    names = [_cut(str(item), _LONG_NAME) for item in valid]
    folded = {item.casefold(): item for item in reversed(names[:_COMPARED])}
    near = difflib.get_close_matches(_cut(str(name), _LONG_NAME).casefold(), folded, n=1, cutoff=alike)
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return (f"Did you mean {folded[near[0]]!r}? " if near else "") + f"Valid: {', '.join(names[:limit])}{more}."


def rows_text(rows: Iterable[int], limit: int = 5) -> str:
    """Row numbers (0-based) for a message: the first few and how many there are.

    Examples
    --------
    >>> rows_text([3, 7])
    'rows 3, 7'
    >>> rows_text(range(100))
    'rows 0, 1, 2, 3, 4 and 95 more'
    """
    rows = [int(row) for row in rows]
    more = f" and {len(rows) - limit} more" if len(rows) > limit else ""
    return f"row{'s' if len(rows) != 1 else ''} {', '.join(map(str, rows[:limit]))}{more}"


def is_storable(text: str) -> bool:
    r"""Whether text can be written to any file: no NUL, no half of a surrogate pair.

    Examples
    --------
    >>> is_storable("ü"), is_storable("a\x00"), is_storable("\ud800")
    (True, False, False)
    """
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


def _shown(text: str) -> str:
    """Text of others as a terminal may show it: escape sequences and marks that turn the line round are spelled out."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in _cut(text, _LONG_TEXT))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
