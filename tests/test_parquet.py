"""Rows of every kind that a formula takes come back from a saved fit as they were, to the bit."""

from __future__ import annotations

import datetime
import decimal
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from bayes_glmm.design import build_design
from bayes_glmm.errors import DataError
from bayes_glmm.parquet import read_frame, write_frame
from bayes_glmm.posterior import load_posterior, posterior_at
from bayes_glmm.spec import ModelSpec

N = 60
DAYS = pd.Series(pd.date_range("2020-01-01", periods=6)).repeat(10).reset_index(drop=True)
G = np.repeat([3, 1, 2], 20)


def categories(*levels: object, unused: object = None, ordered: bool = False) -> pd.Categorical:
    """Sixty rows of levels whose order is theirs, with a level that no row has."""
    values = list(levels) * (N // len(levels))
    return pd.Categorical(values, categories=[*levels[::-1], unused] if unused is not None else levels, ordered=ordered)


COLUMNS: dict[str, object] = {
    "whole numbers": G,
    "large whole numbers": np.repeat([2**53 + 1, 2**53 + 2, 2**62], 20),
    "floats": np.repeat([0.1, 1 / 3, -0.0], 20),
    "truth values": np.tile([True, False], 30),
    "text": np.repeat(["b", "a", "ü"], 20),
    "categories of whole numbers": categories(5, 1, 2, unused=9),
    "ordered categories of whole numbers": categories(5, 1, 2, unused=9, ordered=True),
    "categories of floats": categories(0.1, 1 / 3, 2.0, unused=9.5),
    "categories of truth values": categories(False, True),
    "categories of truth values, true first": pd.Categorical([True, False] * 30, categories=[True, False]),
    "categories of text": categories("b", "a", "c", unused="z"),
    "ordered categories of text": categories("b", "a", "c", ordered=True),
    "categories of numbers as text": categories("10", "9", "1"),
    "intervals": pd.cut(np.arange(60.0), 3),
    "nullable whole numbers": pd.array(G, dtype="Int64"),
    "nullable truth values": pd.array([True, False] * 30, dtype="boolean"),
    "nullable text": pd.array(["b", "a", "c"] * 20, dtype="string"),
    "categories of nullable whole numbers": pd.Categorical(pd.array(G, dtype="Int64")),
    "narrow whole numbers": G.astype("uint8"),
    "Arrow whole numbers": pd.Series(G).astype("int32[pyarrow]"),
    "Arrow truth values": pd.array([True, False] * 30, dtype="bool[pyarrow]"),
    "Arrow text": pd.array(["b", "a", "c"] * 20, dtype="string[pyarrow]"),
    "Arrow dictionary": pd.arrays.ArrowExtensionArray(pa.array(["b", "a", "c"] * 20).dictionary_encode()),
    "Arrow dictionary of whole numbers": pd.arrays.ArrowExtensionArray(pa.array(G).dictionary_encode()),
    "objects that are whole numbers": pd.Series(G, dtype=object),
    "objects that are text": pd.Series(["b", "a", "c"] * 20, dtype=object),
}
ONLY_GROUPS: dict[str, object] = {
    "dates": DAYS,
    "dates with a zone": DAYS.dt.tz_localize("Europe/Berlin"),
    "dates to the nanosecond": DAYS.astype("datetime64[ns]") + pd.to_timedelta(1, unit="ns"),
    "Python dates": DAYS.dt.date,
    "periods": DAYS.dt.to_period("M") + np.repeat(np.arange(6), 10),
    "decimals": pd.Series([decimal.Decimal(text) for text in ["10", "1.50", "9", "1.5", "2", "1.500"]] * 10),
    "categories of dates": pd.Categorical(DAYS, categories=DAYS.unique()[::-1]),
    "categories of Python dates": pd.Categorical([datetime.date(2020, 1, 2), datetime.date(2020, 1, 1)] * 30),
    "whole numbers beyond 63 bits": np.repeat(np.array([2**63, 2**63 + 1, 2**64 - 1], dtype="uint64"), 20),
    "numbers of 20 digits": pd.Series(np.repeat(np.array([10**20 + 1, 10**20 + 2, 7], dtype=object), 20)),
}  # fmt: skip
CASES = [(name, "y ~ f + (1 | f:g)", column) for name, column in COLUMNS.items()] + [
    (name, "y ~ (1 | f)", column) for name, column in (COLUMNS | ONLY_GROUPS).items()
]


@pytest.mark.parametrize(("name", "formula", "column"), CASES, ids=[f"{name}, {text}" for name, text, _ in CASES])
def test_a_saved_fit_has_the_rows_it_was_made_from(tmp_path: Path, name: str, formula: str, column: object) -> None:
    data = pd.DataFrame({"y": np.random.default_rng(1).normal(size=N), "g": np.tile([1, 2, 3], 20), "f": column})
    spec = ModelSpec.from_formula(formula)
    design = build_design(spec, data)
    effects = {block.group: np.eye(1) for block in design.blocks}
    made = posterior_at(spec, data, np.zeros((2, len(design.coefficients))), effects, {"sigma": 1.0})
    loaded = load_posterior(made.save(tmp_path / "fit")).design
    pd.testing.assert_frame_equal(design.data, loaded.data, check_exact=True)
    assert design.coefficients == loaded.coefficients
    assert_array_equal(design.X, loaded.X, strict=True)
    for block, other in zip(design.blocks, loaded.blocks, strict=True):
        assert block.levels == other.levels
        assert_array_equal(block.index, other.index)


@pytest.mark.parametrize("rows", [[0, 60], [-1], ["0"], 3, [0, 0]])
def test_notes_that_do_not_fit_the_rows(tmp_path: Path, rows: object) -> None:
    path = tmp_path / "a.parquet"
    write_frame(path, pd.DataFrame({"f": categories(1, 2, 5)}))
    assert read_frame(path)["f"].cat.categories.tolist() == [1, 2, 5]
    table = pq.read_table(path)
    notes = {**table.schema.metadata, b"bayes_glmm": json.dumps({"categories": {"f": rows}}).encode()}
    pq.write_table(table.replace_schema_metadata(notes), path)
    with pytest.raises((ValueError, TypeError)):
        read_frame(path)


def test_a_fit_of_version_1_is_refused_in_words(tmp_path: Path) -> None:
    data = pd.DataFrame({"y": np.arange(6.0), "x": [0.0, 1.0, 3.0, 2.0, 5.0, 1.0]})
    folder = posterior_at(ModelSpec.from_formula("y ~ x"), data, [0.0, 1.0], {}, {"sigma": 1.0}).save(tmp_path / "fit")
    path = folder / "model.json"
    path.write_text(path.read_text().replace('"format": 3', '"format": 1'))
    with pytest.raises(DataError, match="has format 1, this version reads 3"):
        load_posterior(folder)
