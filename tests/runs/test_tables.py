"""Tables as files: a spreadsheet that opens one runs nothing of it, and numbers stay numbers."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.runs.tables import csv_text

HARMFUL = ["=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "-", "--5", "=", "+a"]
HARMLESS = ["-1.5", "+2", "-1e-3", "a=1", "1", "-inf", "", " a", "2020-01-01", "x@y", "'", "ü"]


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("kind", ["str", object, "category", "string"])
def test_cells_that_a_spreadsheet_would_run_are_text(kind):
    table = pd.DataFrame({"level": pd.Series(HARMFUL + HARMLESS).astype(kind)})
    expected = [f"'{cell}" for cell in HARMFUL] + HARMLESS
    assert [[cell] for cell in ["level", *expected]] == cells(csv_text(table))


def test_names_of_columns_too():
    table = pd.DataFrame([[1, 2.5, "a"]], columns=["=x", "-y", "-y"])
    assert [["'=x", "'-y", "'-y"], ["1", "2.5", "a"]] == cells(csv_text(table))


def test_numbers_are_written_as_ever():
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"estimate": rng.normal(size=9), "n": np.arange(-4, 5), "b": [True, False, None] * 3})
    assert table.to_csv(index=False) == csv_text(table)
    assert pd.DataFrame({"a": []}).to_csv(index=False) == csv_text(pd.DataFrame({"a": []}))
