"""The rows and columns of a data frame that a model may use: present, of a kind that can be read, complete, finite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd

from bayes_glmm.design.other_tables import frame_advice, frame_type
from bayes_glmm.errors import DataError, choices, is_storable, rows_text
from bayes_glmm.foreign import WORDS

# what pandas says a column holds, for a column of numbers or levels and for a grouping factor
_FLOATS = ("floating", "mixed-integer-float")
_NUMBERS = ("integer", *_FLOATS)
_READABLE = (*_NUMBERS, "boolean", "string", "categorical")
_GROUPING = (*_READABLE, "datetime64", "datetime", "date", "period", "decimal")


def complete_rows(
    data: pd.DataFrame,
    inputs: tuple[str, ...],
    groups: tuple[str, ...],
    missing: Literal["error", "drop"],
    labels: Sequence[str],
) -> pd.DataFrame:
    """The used columns of the rows that miss none of them, numbered 0, 1, ...

    Parameters
    ----------
    data : DataFrame
    inputs, groups : tuple of str
        Columns of numbers or levels, and columns that only group.
    missing : {"error", "drop"}
        What to do with rows that have a missing value in a used column.
    labels : sequence of str
        Columns whose values are labels whatever they look like: the groups, and inputs within ``C()``.

    Raises
    ------
    DataError
        For a column that is missing, repeated or of a kind that is not read, missing or infinite values, and where
        fewer than two rows are left.
    """
    if missing not in ("error", "drop"):
        raise DataError(f"missing={missing!r} is not known.", advice=choices(str(missing), ("error", "drop")))
    check_columns(data, tuple(dict.fromkeys([*inputs, *groups])))
    rows = data[list(dict.fromkeys([*inputs, *groups]))]
    incomplete = rows.isna().any(axis=1).to_numpy()
    if incomplete.any() and missing == "error":
        column = next(column for column in rows if rows[column].isna().any())
        raise DataError(
            f"Values are missing in {incomplete.sum()} of {len(rows)} rows.",
            f"column {column!r}, {rows_text(np.flatnonzero(rows[column].isna()))}",
            "Fill them in, or pass missing='drop' to leave these rows out; fit.missing_responses() then predicts those "
            "that miss the response alone.",
        )
    rows = rows[~incomplete].reset_index(drop=True)
    if len(rows) < 2:
        raise DataError(
            f"The data have {len(rows)} complete row{'' if len(rows) else 's'}: too few for a model.",
            advice="Check the columns of the formula for missing values.",
        )
    categories = [str(name) for name in rows if isinstance(rows[name].dtype, pd.CategoricalDtype)]
    check_exact_labels(rows, [*labels, *categories])
    return readable(rows, groups_only=[column for column in groups if column not in inputs])


def readable(rows: pd.DataFrame, groups_only: Sequence[str] = ()) -> pd.DataFrame:
    """Columns in pandas' plain types: whole numbers, floats, truth values, text, dates, categories of numbers or text.

    Parameters
    ----------
    rows : DataFrame
        Without missing values.
    groups_only : sequence of str
        Columns that only group, which may hold dates.

    Raises
    ------
    DataError
        For a column of a kind that is not read, infinite values, and text that no file can hold.
    """
    return pd.DataFrame({name: _plain(rows[name], groups_only=name in groups_only) for name in rows}, index=rows.index)


def _plain(column: pd.Series, groups_only: bool) -> pd.Series:
    column = _without_arrow(column)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _plain_categories(column, groups_only)
    kind = _check_kind(column, groups_only)
    if kind == "decimal":
        return _in_order(column, _decimal_text)
    if column.dtype == object:
        _check_text(column)
    if kind == "integer" and len(column) and not (int(column.min()) >= -(2**63) and int(column.max()) < 2**63):
        return _in_order(column, str) if groups_only else _large(column)
    if column.dtype == object:
        column = column.astype(float) if kind in _FLOATS else column.infer_objects()
    dtype = column.dtype
    if pd.api.types.is_bool_dtype(dtype):
        column = column.astype(bool)
    elif pd.api.types.is_integer_dtype(dtype):
        column = column.astype("int64")  # narrow ones wrap round: the uint8 2 - 3 is 255
    elif pd.api.types.is_float_dtype(dtype):
        check_finite(column)
        column = column.astype(float)
    elif pd.api.types.is_string_dtype(dtype):
        _check_text(column)
    return column


def _without_arrow(column: pd.Series) -> pd.Series:
    """Values of Arrow and of sparse columns as Python's; a dictionary as the categories that it is."""
    if isinstance(column.dtype, pd.ArrowDtype):
        if not str(column.dtype).startswith("dictionary"):
            return column.astype(object)
        values = column.array.__arrow_array__().to_pandas()
        return pd.Series(values.array, index=column.index, name=column.name)
    return column.astype(object) if isinstance(column.dtype, pd.SparseDtype) else column


def _decimal_text(value: Decimal) -> str:
    """All digits, without zeros at the end: ``normalize`` rounds to 28 digits."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _in_order(column: pd.Series, text: Callable[[Any], str]) -> pd.Series:
    """Text for values that no plain column holds, in the order of the values."""
    levels = list(dict.fromkeys(text(value) for value in sorted(column.unique())))
    return column.map(text).astype(pd.CategoricalDtype(levels, ordered=True))


def _large(column: pd.Series) -> pd.Series:
    """Whole numbers beyond 64 bits as floats, where they stay apart.

    Raises
    ------
    DataError
        Where two of them become one float, or one is too large.
    """
    where = f"column {column.name!r}"
    try:
        floats = column.astype(float)
    except OverflowError as error:
        raise DataError("A whole number is too large.", where, "Change the unit.") from error
    if floats.nunique() < column.nunique():
        raise DataError(
            "Whole numbers of 64 bits or more differ in digits that a number of 53 bits does not have.",
            where,
            "If they are labels, make them text: data[column].astype(str). Else subtract the smallest.",
        )
    return floats


def check_exact_labels(rows: pd.DataFrame, labels: Sequence[str]) -> None:
    """Check that no column of labels has floats so large that neighbouring whole numbers are the same float.

    Parameters
    ----------
    rows : DataFrame
        Without missing values.
    labels : sequence of str
        Columns whose values are labels.

    Raises
    ------
    DataError
        As where one missing value has turned ids of 17 digits into floats, or a float32 column has ids of 9 digits.
    """
    for name in labels:
        column, exact = rows[name], 2.0**53
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(column.cat.categories.dtype)
        if pd.api.types.is_float_dtype(column.dtype):
            plain = getattr(column.dtype, "numpy_dtype", getattr(column.dtype, "subtype", column.dtype))
            exact = 2.0 ** (np.finfo(plain).nmant + 1)
        elif pd.api.types.infer_dtype(column) not in _FLOATS:  # objects of which one is a float
            continue
        numbers = np.abs(column.to_numpy(float))
        large = np.flatnonzero((numbers >= exact) & np.isfinite(numbers))
        if large.size:
            raise DataError(
                f"Labels of {exact:,.0f} and more are floats that differ by 2 or more there: digits are lost.",
                f"column {name!r}, {rows_text(large)}",
                "Read the column as text or as nullable whole numbers (Int64): one missing value makes it floats.",
            )


def _plain_categories(column: pd.Series, groups_only: bool) -> pd.Series:
    """Used categories in their order, the first as reference; intervals and the like as their text."""
    column = column.cat.remove_unused_categories()
    categories = column.cat.categories.to_series(name=column.name)
    if len(categories):
        kind = pd.api.types.infer_dtype(categories, skipna=False)
        if kind == "interval":
            column = column.cat.rename_categories(categories.astype(str).to_dict())
        else:
            column = column.cat.rename_categories(_plain(categories, groups_only).to_dict())
    # formulae keeps the order of levels, the first as reference, of ordered factors only, and codes unused ones
    return column.cat.as_ordered()


def _check_text(column: pd.Series) -> None:
    if bad := [level for level in column.unique() if isinstance(level, str) and not is_storable(level)]:
        raise DataError(
            f"A text holds a character that no file can: {bad[0]!r}.",
            f"column {column.name!r}, {rows_text(np.flatnonzero(column == bad[0]))}",
            "Take NUL and halves of surrogate pairs out.",
        )


def check_columns(data: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """The data are a frame that has each of these columns once.

    Raises
    ------
    DataError
    """
    if not isinstance(data, pd.DataFrame):
        raise DataError(f"The data are a {frame_type(data)}, not a pandas DataFrame.", advice=frame_advice(data))
    for column in columns:
        if column not in data.columns:
            advice = WORDS.get(column) or choices(column, data.columns)
            raise DataError(f"The data have no column {column!r}.", advice=advice)
        if (data.columns == column).sum() > 1:
            raise DataError(f"The column {column!r} stands twice in the data.", advice="Rename one of them.")


def check_levels(rows: pd.DataFrame) -> None:
    """Every column of text has two levels or more.

    Raises
    ------
    DataError
    """
    for name, column in rows.items():
        if not pd.api.types.is_numeric_dtype(column) and column.nunique() == 1:
            raise DataError(
                f"The column {name!r} has one level ({column.iloc[0]}): it explains nothing.",
                advice="Leave it out of the formula.",
            )


def check_finite(column: pd.Series) -> None:
    """No value of a numeric column is infinite.

    Raises
    ------
    DataError
    """
    if pd.api.types.is_float_dtype(column) and (infinite := np.isinf(column.to_numpy(float, na_value=np.nan))).any():
        raise DataError(
            "A value is infinite.",
            f"column {column.name!r}, {rows_text(np.flatnonzero(infinite))}",
            "Correct it, or make it a missing value and pass missing='drop'.",
        )


def _check_kind(column: pd.Series, groups_only: bool) -> str:
    kind = pd.api.types.infer_dtype(column)
    if kind not in (_GROUPING if groups_only else _READABLE):
        raise DataError(
            f"The column {column.name!r} holds {kind} values, which cannot be read.",
            advice="Make it numbers (a date: days since the first) or text (several types: data[column].astype(str)).",
        )
    return kind
