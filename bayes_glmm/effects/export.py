"""Tables of estimates as text for papers and other programs: Markdown, LaTeX, HTML, Excel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bayes_glmm import notebook
from bayes_glmm.errors import GLMMError, SpecError

_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    character: f"\\{character}" for character in "&%$#_{}"
}


def rounded(table: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """Return the table as text, its numbers with so many significant digits.

    Raises
    ------
    SpecError
        For a number of digits outside 1 to 15.

    Examples
    --------
    >>> rounded(pd.DataFrame({"term": ["x"], "estimate": [0.034567], "n": [12345]})).to_numpy().tolist()
    [['x', '0.0346', '12345']]
    """
    if isinstance(digits, bool) or not isinstance(digits, (int, np.integer)) or not 1 <= digits <= 15:
        raise SpecError(f"digits must be a whole number from 1 to 15: got {digits!r}.", advice="Write digits=3.")
    columns = {
        name: [number(value, digits) for value in values] if values.dtype.kind == "f" else values.astype(str)
        for name, values in table.items()
    }
    return pd.DataFrame(columns)


def number(value: float, digits: int) -> str:
    """Return a number with so many significant digits, without an exponent where that is short.

    Examples
    --------
    >>> number(1234.5, 3), number(-0.0001234, 2), number(1e-9, 3), number(float("nan"), 3)
    ('1234', '-0.00012', '1.00e-09', '')
    """
    if np.isnan(value):
        return ""
    size = abs(value)
    if not np.isfinite(value) or (size != 0.0 and not 1e-5 <= size < 1e6):
        return f"{value:.{digits - 1}e}" if np.isfinite(value) else f"{value}"
    before = int(np.floor(np.log10(size))) + 1 if size else 1
    return f"{value:.{max(digits - before, 0)}f}"


def markdown(table: pd.DataFrame, digits: int = 3) -> str:
    r"""Return a table in Markdown; numbers are aligned to the right.

    Examples
    --------
    >>> print(markdown(pd.DataFrame({"term": ["a|b"], "estimate": [0.5]})))
    | term | estimate |
    |:--|--:|
    | a\|b | 0.500 |
    """
    text = rounded(table, digits)
    rows = [[str(cell).replace("|", "\\|") for cell in row] for row in [list(text.columns), *text.to_numpy().tolist()]]
    rule = "|".join("--:" if right else ":--" for right in _numeric(table))
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"|{rule}|", *body])


def latex(table: pd.DataFrame, digits: int = 3, caption: str = "") -> str:
    """Return a floating table in LaTeX, for the package booktabs."""
    columns = "".join("r" if right else "l" for right in _numeric(table))
    text = rounded(table, digits).map(_escaped).rename(columns=_escaped)
    return text.to_latex(index=False, column_format=columns, caption=_escaped(caption) or None)


def html(table: pd.DataFrame, digits: int = 3, caption: str = "") -> str:
    """Return a table in HTML, which word processors paste as a table."""
    return notebook.aligned(rounded(table, digits), _numeric(table), caption)


def excel(table: pd.DataFrame, path: str | Path) -> Path:
    """Write a table to an Excel file, numbers in full; return its path.

    Raises
    ------
    GLMMError
        If openpyxl is not installed.
    """
    path = Path(path)
    try:
        table.to_excel(path, index=False)
    except ImportError as error:
        raise GLMMError("Excel files need the package openpyxl.", advice="Install it, or write to_html().") from error
    return path


def _numeric(table: pd.DataFrame) -> list[bool]:
    return [values.dtype.kind in "fiu" for _, values in table.items()]


def _escaped(text: object) -> str:
    return "".join(_LATEX.get(character, character) for character in str(text))
