"""The rows and columns of a data frame that a model may use: present, of a kind that can be read, complete, finite."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from bayes_glmm.errors import DataError, choices, rows_text

# what pandas says a column holds, for a column of numbers or levels and for a grouping factor
_READABLE = ("integer", "floating", "mixed-integer-float", "boolean", "string", "categorical")
_GROUPING = (*_READABLE, "datetime64", "datetime", "date", "period", "decimal")


def complete_rows(
    data: pd.DataFrame, inputs: tuple[str, ...], groups: tuple[str, ...], missing: Literal["error", "drop"]
) -> pd.DataFrame:
    """The used columns of the rows that miss none of them, numbered 0, 1, ...

    Parameters
    ----------
    data : DataFrame
    inputs, groups : tuple of str
        Columns of numbers or levels, and columns that only group.
    missing : {"error", "drop"}
        What to do with rows that have a missing value in a used column.

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
            "Fill them in, or pass missing='drop' to leave these rows out.",
        )
    rows = rows[~incomplete].reset_index(drop=True)
    if len(rows) < 2:
        raise DataError(
            f"The data have {len(rows)} complete row{'' if len(rows) else 's'}: too few for a model.",
            advice="Check the columns of the formula for missing values.",
        )
    for column in rows:
        _check_kind(rows[column], groups_only=column not in inputs)
        check_finite(rows[column])
        if isinstance(rows[column].dtype, pd.CategoricalDtype):
            # formulae keeps the order of levels, the first as reference, of ordered factors only, and codes unused ones
            rows[column] = rows[column].cat.remove_unused_categories().cat.as_ordered()
    return rows


def check_columns(data: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """The data are a frame that has each of these columns once.

    Raises
    ------
    DataError
    """
    if not isinstance(data, pd.DataFrame):
        raise DataError(f"The data are a {type(data).__name__}.", advice="Give a pandas DataFrame.")
    for column in columns:
        if column not in data.columns:
            raise DataError(f"The data have no column {column!r}.", advice=choices(column, data.columns))
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


def _check_kind(column: pd.Series, groups_only: bool) -> None:
    kind = pd.api.types.infer_dtype(column)
    if kind not in (_GROUPING if groups_only else _READABLE):
        raise DataError(
            f"The column {column.name!r} holds {kind} values, which cannot be read.",
            advice="Make it numbers (a date: days since the first) or text (several types: data[column].astype(str)).",
        )
