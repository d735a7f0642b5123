"""Columns of text that were meant as numbers: decimal commas, ``5%``, ``1,234``, one ``n/a`` among numbers.

As text they are factors, and may take a coefficient per row. Text with few levels may be meant as labels: there it is a
finding; with many it is an error, unless the column is within ``C()`` or is categories.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayes_glmm.errors import DataError, rows_text

NEARLY_ALL = 0.8  # of the rows; a file with more that is not a number is seen by looking at it
MANY_LEVELS = 10
_PLAIN = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?")
_LIKE_A_NUMBER = re.compile(
    r"[(+\-\u2212]?\s*[$€£]?\s*"  # a sign, brackets of accounting, a currency
    r"(?:\d{1,3}(?:[,.'\s\u00a0\u202f]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d*)?|[.,]\d+)"  # 1,234.5 or 1.234,5 or 12,5
    r"(?:e[-+]?\d+)?\s*[%‰€]?\)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class NumberText:
    """A column of text most of whose values are numbers.

    Attributes
    ----------
    column : str
    share : float
        Of the rows whose text reads as a number.
    levels : int
    odd : array of int
        Rows whose text is not a plain number.
    example : str
        The first of them; empty if there are none.
    rows : int
    """

    column: str
    share: float
    levels: int
    odd: np.ndarray
    example: str
    rows: int

    @property
    def what(self) -> str:
        """The problem, in a sentence."""
        return (
            f"The column {self.column!r} is text, but {self.share:.0%} of its rows read as numbers: "
            f"as text it is a factor with {self.levels:,} levels."
        )

    @property
    def where(self) -> str:
        """The rows that keep the column from being numbers."""
        place = f"column {self.column!r}"
        return f"{place}, {rows_text(self.odd)}: {self.example!r}" if self.odd.size else place

    @property
    def advice(self) -> str:
        """What to do."""
        return (
            "Write numbers as 1234.5, without %, currency, zeros in front or commas for thousands, and mark missing "
            f"values as NA. If they are labels, write C({self.column}) in the formula."
        )

    @property
    def certain(self) -> bool:
        """Whether they can hardly be meant as labels."""
        return self.levels > MANY_LEVELS and (self.odd.size > 0 or 2 * self.levels > self.rows)

    @property
    def suspicious(self) -> bool:
        """Whether they may be meant as numbers: text of a few plain numbers is labels by intention."""
        return self.odd.size > 0 or self.levels > MANY_LEVELS


def number_texts(rows: pd.DataFrame) -> Iterator[NumberText]:
    """Columns of text in which nearly all rows read as numbers.

    Parameters
    ----------
    rows : DataFrame
        Without missing values.
    """
    for name, column in rows.items():
        if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.infer_dtype(column) != "string":
            continue
        codes, texts = pd.factorize(column)
        like = np.array([_LIKE_A_NUMBER.fullmatch(text.strip()) is not None for text in texts])
        if like[codes].mean() < NEARLY_ALL:
            continue
        plain = np.array([_PLAIN.fullmatch(text.strip()) is not None for text in texts])
        odd = np.flatnonzero(~plain[codes])
        worst = np.flatnonzero(~like[codes])  # what is no number at all is what to look at first
        odd = worst if worst.size else odd
        example = str(column.iloc[odd[0]]) if odd.size else ""
        yield NumberText(str(name), float(like[codes].mean()), len(texts), odd, example, len(column))


def check_number_texts(rows: pd.DataFrame, labels: Collection[str]) -> None:
    """Check that no predictor with many levels is text that was meant as numbers.

    Parameters
    ----------
    rows : DataFrame
        The predictors, without missing values.
    labels : collection of str
        Columns that the formula takes as labels.

    Raises
    ------
    DataError
    """
    for found in number_texts(rows[[name for name in rows if name not in labels]]):
        if found.certain:
            raise DataError(found.what, found.where, found.advice)
