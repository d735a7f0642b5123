"""The response as numbers: a column, an expression, one level of a column of text; and the number of trials."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from bayes_glmm.design.expressions import arithmetic, columns_of, is_one_term, numeric_column, response_column
from bayes_glmm.design.limits import limit_columns
from bayes_glmm.errors import DataError, SpecError, choices, rows_text
from bayes_glmm.foreign import response_advice
from bayes_glmm.spec import ModelSpec
from bayes_glmm.spec.formula import counted_columns

# y['yes'], `my response`["yes"], y[1]
_LEVEL = re.compile(r"""(?P<column>[\w.]+|`[^`]+`)\s*\[\s*(?P<quote>['"]?)(?P<level>.*?)(?P=quote)\s*\]$""", re.DOTALL)


def response_columns(spec: ModelSpec) -> tuple[str, ...]:
    """Columns that the left-hand side uses.

    Raises
    ------
    SpecError
        If formulae cannot read it.
    """
    trials, frequency = spec.formula.trials, spec.formula.frequency
    own = own_columns(spec.formula.response)
    if not own:
        raise SpecError("The response uses no column.", spec.formula.response, "Write a column: y ~ x.")
    names = [*own, *(columns_of(arithmetic(trials)) if trials else []), *([frequency.strip("`")] if frequency else [])]
    names += [*limit_columns(spec.formula), *(name.strip("`") for name in spec.formula.weighting)]
    return tuple(dict.fromkeys(names))


def own_columns(response: str) -> list[str]:
    """Columns that the response itself uses, trials left out."""
    if counts := counted_columns(response):
        return [name.strip("`") for name in counts]
    match = _LEVEL.match(response)
    if match:
        return columns_of(match["column"])
    if not is_one_term(response):
        advice = response_advice(response) or f"Write arithmetic inside I(): I({response}) ~ ..."
        raise SpecError("The response is not one term.", response, advice)
    return columns_of(response)


def read_response(spec: ModelSpec, rows: pd.DataFrame) -> tuple[np.ndarray, str | None]:
    """The response [row] and, where it was text, the level that counts as 1: the second of two unless one is named.

    Raises
    ------
    SpecError
        For an expression that formulae cannot read.
    DataError
        For a level that the column does not have, and for text where the family needs numbers.
    """
    response = spec.formula.response
    if match := _LEVEL.match(response):
        return _is_level(spec, rows[match["column"].strip("`")], match["level"])
    name = response.strip("`")
    if name not in rows.columns:
        return response_column(response, rows), None
    column = rows[name]
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(float), None
    levels = _levels(column)
    if len(levels) > 2:
        raise _more_than_two(spec, column, levels)
    return _is_level(spec, column, levels[-1])


def _more_than_two(spec: ModelSpec, column: pd.Series, levels: list[str]) -> DataError:
    shown = f"{', '.join(map(repr, levels[:5]))}{' ...' if len(levels) > 5 else ''}"
    what = f"with levels {shown}; the {spec.family_name} family needs {spec.family.response.support_text}."
    where = f"column {column.name!r}"
    missing = "For ordered categories write family='cumulative'; for others there is no family."
    if isinstance(column.dtype, pd.CategoricalDtype):
        return DataError(f"The response is categorical, {what}", where, missing)
    name = spec.formula.response
    event = f"Name the level that counts as 1, with family='bernoulli': {name}['{levels[-1]}'] ~ ..."
    return DataError(f"The response is text {what}", where, f"{event} {missing}")


def _is_level(spec: ModelSpec, column: pd.Series, level: str) -> tuple[np.ndarray, str]:
    levels = _levels(column)
    if not spec.family.response.is_binary:
        raise DataError(
            f"The response is text, but the {spec.family_name} family needs {spec.family.response.support_text}.",
            f"column {column.name!r}",
            "Make the column numeric, or use family='bernoulli'.",
        )
    if level not in levels:
        raise DataError(f"The response has no level {level!r}.", f"column {column.name!r}", choices(level, levels[:20]))
    return (column.astype(str) == level).to_numpy(float), level


def _levels(column: pd.Series) -> list[str]:
    return [str(level) for level in column.astype("category").cat.remove_unused_categories().cat.categories]


def read_trials(trials: str, rows: pd.DataFrame) -> np.ndarray:
    """The number of trials [row].

    Raises
    ------
    DataError
        If one is not a whole number above 0.
    """
    values = numeric_column(trials, rows)
    check_whole(values, "The number of trials", trials, "Leave rows without trials out: they say nothing.")
    return values


def check_whole(values: np.ndarray, what: str, where: str, advice: str) -> None:
    """Check that numbers [row] are whole and above 0.

    Raises
    ------
    DataError
    """
    bad = ~(np.isfinite(values) & (values > 0) & (values == np.floor(values)))
    if bad.any():
        raise DataError(f"{what} is not a whole number above 0.", f"{where}, {rows_text(np.flatnonzero(bad))}", advice)
