"""Censored and truncated responses: the range in which each row lies, and the bounds within which rows were recorded.

A censored count of y says "y or more" to the right, "y or less" to the left, and an interval takes both ends in, as
bounds of truncated ones do. For continuous responses ends do not matter. In the form of a density everything is ``low
< Y <= high``, low being a count less here, and what is known of a row is what lies within its bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayes_glmm.design.expressions import arithmetic, columns_of, numeric_column
from bayes_glmm.errors import DataError, rows_text
from bayes_glmm.families import Response
from bayes_glmm.families.response import CODES, EXACT, INTERVAL, LEFT, RIGHT
from bayes_glmm.spec import Formula, ModelSpec
from bayes_glmm.spec.splitting import is_column

_WORDS = {"none": EXACT, **CODES}
_ADVICE = "Write left, none, right or interval (or -1, 0, 1, 2); True is right."


@dataclass(frozen=True)
class Limits:
    """The ranges of censored responses, and the bounds within which responses were recorded.

    Attributes
    ----------
    code : array [row] or None
        The kind of censoring of each row, by the numbers of ``families.response``; None without ``cens()``.
    end : array [row] or None
        Upper ends of intervals; NaN in other rows.
    lower, upper : array [row] or None
        Bounds, as written; None without.
    discrete : bool
        Whether the response is a count.
    least, most : float
        The numbers that no response is below, and above.
    """

    code: np.ndarray | None
    end: np.ndarray | None
    lower: np.ndarray | None
    upper: np.ndarray | None
    discrete: bool
    least: float
    most: float = np.inf

    def take(self, rows: np.ndarray) -> Limits:
        """Those of some of the rows."""
        code, end, lower, upper = (
            None if one is None else one[rows] for one in (self.code, self.end, self.lower, self.upper)
        )
        return replace(self, code=code, end=end, lower=lower, upper=upper)

    def known(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The ends of what is known of each row, low < Y <= high, within its bounds; of exact rows just y [row]."""
        lower, upper = self.bounds(y.shape[-1])
        if self.code is None:
            return self._below(y), y
        low = np.where(self.code == LEFT, -np.inf, self._below(y))
        high = np.where(self.code == RIGHT, np.inf, np.where(self.code == INTERVAL, self._ends(y), y))
        return np.maximum(low, lower), np.minimum(high, upper)

    def bounds(self, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """The bounds of each row, lower < Y <= upper; infinite where they bound nothing [row]."""
        lower = np.full(rows, -np.inf) if self.lower is None else self._below(self.lower)
        upper = np.full(rows, np.inf) if self.upper is None else self.upper
        return np.where(lower <= self.nothing, -np.inf, lower), np.where(upper >= self.most, np.inf, upper)

    def exact(self, rows: int) -> np.ndarray:
        """Whether the value of each row is known [row]."""
        return np.ones(rows, dtype=bool) if self.code is None else self.code == EXACT

    def response(self, y: np.ndarray) -> Response:
        """The response in the form of a density."""
        lower: np.ndarray | None
        upper: np.ndarray | None
        lower, upper = self.bounds(y.shape[-1])
        low, high = self.known(y)
        lower, upper = (one if np.isfinite(one).any() else None for one in (lower, upper))
        if self.code is None or not self.code.any():
            return Response(y, lower=lower, upper=upper)
        exact, from_below, to_above = self.code == EXACT, low > self.nothing, np.isfinite(high)
        code = np.select([exact, from_below & to_above, from_below], [EXACT, INTERVAL, RIGHT], LEFT)
        values = np.where(code == EXACT, y, np.where(code == LEFT, high, low))
        end = np.where(code == INTERVAL, high, 2.0 * np.abs(values) + 1.0)  # not read in other rows
        kinds = tuple(name for name, number in CODES.items() if (code == number).any())
        return Response(values, None, code, end if "interval" in kinds else None, lower, upper, kinds)

    @property
    def nothing(self) -> float:
        """The low end below which there is no response: P(Y <= it) = 0."""
        return self.least - 1.0 if self.discrete else self.least

    def _below(self, y: np.ndarray) -> np.ndarray:
        return y - 1.0 if self.discrete else y

    def _ends(self, y: np.ndarray) -> np.ndarray:
        return y if self.end is None else self.end


def limit_columns(formula: Formula) -> list[str]:
    """Columns that ``cens()`` and ``trunc()`` use."""
    written = [*(part for part in formula.censoring or () if part), *formula.bounds.values()]
    names = [name for one in written for name in ([one.strip("`")] if is_column(one) else columns_of(arithmetic(one)))]
    return [name for name in names if name]


def read_limits(spec: ModelSpec, rows: pd.DataFrame, y: np.ndarray) -> Limits | None:
    """Return what ``cens()`` and ``trunc()`` say of the rows; None without them.

    Raises
    ------
    DataError
        For unknown kinds of censoring, intervals without an upper end or with one that is not above y, and responses
        that are out of bounds.
    """
    formula, kind = spec.formula, spec.family.response
    if formula.cens is None and formula.trunc is None:
        return None
    code, end = (None, None) if formula.censoring is None else _read_censoring(formula.censoring, rows)
    bounds = {name: numeric_column(text, rows) for name, text in formula.bounds.items()}
    limits = Limits(code, end, bounds.get("lb"), bounds.get("ub"), kind.discrete, kind.least, kind.most)
    _check_ends(limits, formula, y)
    _check_bounds(limits, formula, y)
    _check_whole(spec, limits, y)
    return limits


def _read_censoring(written: tuple[str, str | None], rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
    text, end = written
    code = _codes(text, rows)
    intervals = code == INTERVAL
    if end is None:
        if intervals.any():
            raise DataError(
                "Intervals have no upper end.",
                f"cens({text}), {rows_text(np.flatnonzero(intervals))}",
                f"Name the column of the upper ends: cens({text}, y2).",
            )
        return code, None
    return code, np.where(intervals, numeric_column(end, rows), np.nan)


def _codes(text: str, rows: pd.DataFrame) -> np.ndarray:
    """The kind of censoring of each row, from words, numbers or truth values."""
    name = text.strip("`")
    if name in rows.columns and not pd.api.types.is_numeric_dtype(rows[name]):
        words = rows[name].astype(str).str.strip().str.lower()
        code = words.map(_WORDS).to_numpy(float)
        shown = rows[name].astype(str)
    else:
        code = numeric_column(text, rows).copy()
        shown = pd.Series(code).map("{:g}".format)
        code[~np.isin(code, list(_WORDS.values()))] = np.nan
    if (bad := np.isnan(code)).any():
        first = np.flatnonzero(bad)
        raise DataError(
            f"{shown.iloc[first[0]]!r} is no kind of censoring.", f"cens({text}), {rows_text(first)}", _ADVICE
        )
    return code


def _check_ends(limits: Limits, formula: Formula, y: np.ndarray) -> None:
    """Intervals end above where they begin."""
    if limits.end is None:
        return
    with np.errstate(invalid="ignore"):
        bad = (limits.end < y) if limits.discrete else (limits.end <= y)
        bad |= (limits.code == INTERVAL) & ~np.isfinite(limits.end)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"An interval ends at {limits.end[first]:g}, not above its beginning, {y[first]:g}.",
            f"cens({formula.cens}), {rows_text(np.flatnonzero(bad))}",
            "Correct these rows; where the value itself is known, write none.",
        )


def _check_bounds(limits: Limits, formula: Formula, y: np.ndarray) -> None:
    """Values lie within their bounds, and something of what is known of a censored row does."""
    lower, upper = limits.bounds(len(y))
    if (bad := lower >= upper).any():
        where = f"trunc({formula.trunc}), {rows_text(np.flatnonzero(bad))}"
        raise DataError("No response lies between the bounds.", where, "Let ub be above lb.")
    low, high = limits.known(y)
    least = -np.inf if limits.lower is None else limits.lower
    out = (y < least) | (y > upper)
    bad = np.where(limits.exact(len(y)), out, np.maximum(low, limits.nothing) >= high)
    if bad.any():
        raise DataError(
            f"The response {y[bad][0]:g} is out of the bounds of trunc({formula.trunc}).",
            rows_text(np.flatnonzero(bad)),
            "Leave these rows out, or correct the bounds. A value known to lie beyond a limit is censored: cens().",
        )
    if (bad := ~limits.exact(len(y)) & (low <= limits.nothing) & ~np.isfinite(high)).any():
        where = f"cens({formula.cens}), {rows_text(np.flatnonzero(bad))}"
        raise DataError("A censored row allows all responses.", where, "Leave these rows out: they say nothing.")


def _check_whole(spec: ModelSpec, limits: Limits, y: np.ndarray) -> None:
    """Ends and bounds of counts are counts."""
    found = limits.response(y)
    ends = [one[np.isfinite(one)] for one in (found.lower, found.upper) if one is not None]
    ends += [] if found.code is None else [found.values[found.code != EXACT]]
    ends += [] if found.end is None else [found.end[found.code == INTERVAL]]
    every = np.concatenate([np.empty(0), *ends])
    if limits.discrete and (every != np.floor(every)).any():
        raise DataError("Ends and bounds of counts are whole numbers.", str(spec.formula), "Correct them.")
