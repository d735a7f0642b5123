"""A CSV file as typed columns, in which nothing is merged, shifted or rounded in silence.

A column is whole numbers, numbers or truth values where each of its texts is one; else it is text. Numbers with leading
zeros are codes: such a column stays text, and ``01`` and ``1`` are two levels.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_glmm.errors import DataError

MOST_COLUMNS = 50_000  # a million take pandas minutes
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(
    r"[-+]?(?:(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:e[-+]?[0-9]+)?|inf|infinity)", re.IGNORECASE
)
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def read_csv(path: Path, labels: Collection[str] = (), missing: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a CSV file, in UTF-8, plain or with gzip; names that appear twice still do, where pandas would number them.

    Parameters
    ----------
    path : Path
    labels : collection of str
        Columns whose values are labels: two texts for one number, as ``1e5`` and ``100000``, are refused there.
    missing : sequence of str, optional
        Texts that are missing values; by default those of pandas, such as ``NA``, and the empty one.

    Raises
    ------
    DataError
        For too many columns, lines with more fields than the header, and labels that would merge.
    ValueError, OSError, EOFError, csv.Error
        For a file that is not a table.
    """
    lines = _lines(path)
    header = next(lines, (1, []))[1]
    if len(header) > MOST_COLUMNS:
        raise DataError(f"The file has {len(header):,} columns.", str(path), f"Keep at most {MOST_COLUMNS:,}.")
    for line, fields in lines:
        if len(fields) > len(header):
            raise DataError(
                f"A line has {len(fields)} fields, the header has {len(header)}.",
                f"{path}, line {line}, column {len(header) + 1}",
                "Remove the comma at the end, put quotes around text with commas, or name the missing column. Fields "
                "are divided by commas, and decimals are written with points.",
            )
    texts = pd.read_csv(
        path, dtype=str, index_col=False, encoding="utf-8-sig", keep_default_na=missing is None, na_values=missing
    )
    typed = [_typed(texts.iloc[:, place]) for place in range(texts.shape[1])]
    table = pd.concat(typed, axis=1) if typed else texts
    if len(header) == table.shape[1]:
        table.columns = pd.Index([name or numbered for name, numbered in zip(header, table.columns, strict=True)])
    for label in labels:
        for place in np.flatnonzero(table.columns == label).tolist():
            _check_labels(path, texts.iloc[:, place], table.iloc[:, place])
    return table


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Fields by the number of the line, without empty lines."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        yield from ((reader.line_num, fields) for fields in reader if fields)


def _typed(column: pd.Series) -> pd.Series:
    """A column of text as what all of its texts are; missing values stay missing, and round nothing."""
    codes, texts = pd.factorize(column)
    kind, values = _values([text.strip() for text in texts])
    if values is None:
        return column
    missing = codes < 0
    if not missing.any():
        return pd.Series(values[codes], index=column.index, name=column.name)
    if kind == "number":
        return pd.Series(np.where(missing, np.nan, values[codes]), index=column.index, name=column.name)
    objects = pd.Series(values[codes].astype(object), index=column.index, name=column.name).mask(missing, None)
    if values.dtype == object:
        return objects
    return objects.astype("Int64") if kind == "whole" else objects.astype("boolean")


def _values(texts: Sequence[str]) -> tuple[str, np.ndarray | None]:
    """What each text means: all of them one kind, or None."""
    if not texts:
        return "number", np.array([np.nan])  # of a column without values
    if all(text in _TRUTH for text in texts):
        return "truth", np.array([_TRUTH[text] for text in texts])
    if all(_WHOLE.fullmatch(text) for text in texts) and max(map(len, texts)) < 1000:
        numbers = [int(text) for text in texts]
        fits = min(numbers) >= -(2**63) and max(numbers) < 2**63
        return "whole", np.array(numbers, dtype="int64" if fits else object)
    if all(_NUMBER.fullmatch(text) for text in texts):
        return "number", np.array([float(text) for text in texts])
    return "text", None


def _check_labels(path: Path, texts: pd.Series, values: pd.Series) -> None:
    first: dict[Any, tuple[int, str]] = {}
    for place, (text, value) in enumerate(zip(texts.str.strip(), values, strict=True)):
        if pd.isna(value):
            continue
        earlier, other = first.setdefault(value, (place, text))
        if text != other:
            numbers = [line for line, _ in _lines(path)]
            kind = "truth value" if isinstance(value, bool | np.bool) else "number"
            raise DataError(
                f"{other!r} and {text!r} are one {kind}, and would be one level.",
                f"{path}, lines {numbers[earlier + 1]} and {numbers[place + 1]}, column {texts.name!r}",
                "Write them in one way; for two levels, make one of them a text, such as 'a1'.",
            )
