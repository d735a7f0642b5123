"""Data files are read as they are written: nothing merges, shifts or is rounded in silence."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.design import build_design, findings
from bayes_glmm.errors import ConfigError, DataError
from bayes_glmm.runs.data import read_table
from bayes_glmm.runs.job import prepare
from bayes_glmm.spec import ModelSpec

RNG = np.random.default_rng(0)
N = 60
Y = [f"{value:.3f}" for value in RNG.normal(size=N)]


def config(folder: Path, formula: str, data: str = "", family: str = "gaussian") -> Path:
    path = folder / "config.yaml"
    file = next(path.name for path in folder.iterdir() if path.name.startswith("data."))
    path.write_text(f"data:\n  file: {file}\n{data}model:\n  formula: {formula}\n  family: {family}\n")
    return path


def write(folder: Path, **columns: object) -> None:
    """A CSV file, every cell as given."""
    rows = zip(Y, *(list(values) * (N // len(list(values))) for values in columns.values()), strict=True)  # type: ignore[call-overload]
    quoted = [",".join(f'"{cell}"' if "," in cell else cell for cell in row) for row in rows]
    (folder / "data.csv").write_text("\n".join([",".join(["y", *columns]), *quoted]) + "\n", encoding="utf-8")


def levels(path: Path, block: int = 0) -> tuple[str, ...]:
    return prepare(path).design.blocks[block].levels


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["9223372036854775808", "9223372036854775809", "9223372036854775807"], None),
        (["12345678901234567890", "12345678901234567891", "12345678901234567892"], None),
        (["12345678901234567", "12345678901234568", "12345678901234569"], None),
        (["01", "1", "001"], ["001", "01", "1"]),
        (["007", "010", "100"], None),
        (["-9223372036854775809", "-9223372036854775810", "3"], ["-9223372036854775810", "-9223372036854775809", "3"]),
        (["10", "9", "1"], ["1", "9", "10"]),
        (["1.5", "2.25", "10"], ["1.5", "2.25", "10"]),
        (["true", "false", "true"], ["False", "True"]),
    ],
)
@pytest.mark.parametrize("missing", [False, True], ids=["whole", "one missing"])
def test_labels_of_groups_are_those_of_the_file(tmp_path, cells, expected, missing):
    write(tmp_path, g=cells, z=["1", "2", "4", "3", "1", "5"])
    if missing:
        text = (tmp_path / "data.csv").read_text()
        (tmp_path / "data.csv").write_text(text + "0.5,,1\n")
    path = config(tmp_path, "y ~ z + (1 | g)", "  missing: drop\n")
    assert (expected or sorted(cells)) == list(levels(path))
    assert N == len(prepare(path).design.y)


@pytest.mark.parametrize(("one", "two"), [("1e5", "100000"), ("1", "1.0"), ("+1", "1"), ("1.50", "1.5"), ("0", "-0")])
@pytest.mark.parametrize(
    ("formula", "more"),
    [("y ~ z + (1 | g)", ""), ("y ~ z + C(g)", ""), ("y ~ g + z", "  categories: {g: [1, 2]}\n")],
    ids=["group", "C()", "categories"],
)
def test_two_texts_of_one_number_are_not_one_level(tmp_path, one, two, formula, more):
    write(tmp_path, g=[one, "7", two], z=["1", "2", "4", "3", "1", "5"])
    with pytest.raises(ConfigError, match=r"are one number.*data\.csv, lines 2 and 4, column 'g'"):
        prepare(config(tmp_path, formula, more))
    assert prepare(config(tmp_path, "y ~ g + z")).design.X.shape == (N, 3)  # as numbers they are what they are


@pytest.mark.parametrize("name", ["data.csv", "data.csv.gz"])
@pytest.mark.parametrize(
    ("text", "line", "fields"),
    [
        ("y,g,x\n1,a,2,\n2,b,3,\n1,a,2,\n", 2, 4),
        ("y,g,x\n1,a,2\n2,b,3\n\n1,a,2,\n", 5, 4),
        ('y,g,x\n1,"a\nb",2\n2,b,3,9\n', 4, 4),
        ("y,x\n1,a,2\n2,b,3\n", 2, 3),  # R's names of rows
        ("y;x\n1,5;2\n2,5;3\n", 2, 2),
    ],
)
def test_a_line_longer_than_the_header(tmp_path, name, text, line, fields):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    with pytest.raises(DataError, match=rf"{fields} fields, the header has .*{name}, line {line}, column {fields}"):
        read_table(path)


def test_numbers_are_read_to_the_bit(tmp_path):
    numbers = RNG.normal(size=300) * 10.0 ** RNG.integers(-300, 300, 300)
    frame = pd.DataFrame({"x": numbers, "k": RNG.integers(-(2**62), 2**62, 300), "b": numbers > 0, "t": "a"})
    frame.to_csv(tmp_path / "a.csv", index=False)
    pd.testing.assert_frame_equal(frame, read_table(tmp_path / "a.csv"), check_exact=True)


def test_missing_values_change_no_other(tmp_path):
    (tmp_path / "a.csv").write_text("k,b,x,t,n\n1,True,.5,a,\n12345678901234567,False,1e3,NA,\nNA,,,,\n 4,true, 7,b,\n")
    table = read_table(tmp_path / "a.csv")
    assert ["Int64", "boolean", "float64", "str", "float64"] == [str(dtype) for dtype in table.dtypes]
    assert [1, 12345678901234567, 4] == table["k"].dropna().tolist()
    assert [0.5, 1000.0, 7.0] == table["x"].dropna().tolist()
    assert [True, False, True] == table["b"].dropna().tolist()


MANY = [f"{value:.2f}".replace(".", ",") for value in RNG.uniform(0, 9, N)]
TEXTS = {
    "decimal commas": MANY,
    "percentages": [f"{k}%" for k in range(N)],
    "thousands": [f"{k + 1},{k + 100}" for k in range(N)],
    "one with a comma": [*map(str, range(N - 1)), "1,234"],
    "one that is none": [*map(str, range(N - 1)), "unknown"],
    "a unit of money": [f"${k}.50" for k in range(N)],
    "spaces for thousands": [f"{k + 1} {k + 100}" for k in range(N)],
    "zeros in front": [f"{k:03d}" for k in range(N)],
}


@pytest.mark.parametrize("cells", TEXTS.values(), ids=TEXTS)
def test_text_that_was_meant_as_numbers(tmp_path, cells):
    write(tmp_path, x=cells)
    with pytest.raises(
        ConfigError, match=r"'x' is text, but .* read as numbers.*column 'x', row.*Write numbers as 123"
    ):
        prepare(config(tmp_path, "y ~ x"))


@pytest.mark.parametrize("cells", [["1,5", "2", "3"], ["5%", "10%", "20%"], ["01", "02", "03"]])
def test_text_that_may_be_labels_is_a_finding(tmp_path, cells):
    write(tmp_path, x=cells)
    job = prepare(config(tmp_path, "y ~ x"))
    (found,) = findings(job.spec, job.design)
    assert found.name == "number_text"
    assert "3 levels" in found.what
    assert "column 'x', row" in found.where
    labelled = prepare(config(tmp_path, "y ~ C(x)"))
    assert findings(labelled.spec, labelled.design) == ()
    assert job.design.X.tolist() == labelled.design.X.tolist()


def parquet(folder: Path, **columns: object) -> None:
    pd.DataFrame({"y": np.array(Y, float)} | columns).to_parquet(folder / "data.parquet")


KINDS = {
    "whole numbers": pd.Categorical([1, 2, 5] * 20),
    "whole numbers with one unused": pd.Categorical([1, 2, 5] * 20, categories=[1, 2, 3, 5]),
    "floats": pd.Categorical([0.5, 1.0, 2.5] * 20),
    "truth values": pd.Categorical([True, False, True] * 20),
    "text": pd.Categorical(["b", "a", "c"] * 20, categories=["c", "z", "a", "b"]),
    "ordered text": pd.Categorical(["b", "a", "c"] * 20, categories=["c", "a", "b"], ordered=True),
    "nullable whole numbers": pd.array([1, 2, 5] * 20, dtype="Int64"),
    "nullable truth values": pd.array([True, False, True] * 20, dtype="boolean"),
    "Arrow text": pd.array(["b", "a", "c"] * 20, dtype="string[pyarrow]"),
}


@pytest.mark.parametrize("column", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("formula", ["y ~ x", "y ~ 1 + (1 | x)"])
def test_python_and_parquet_mean_the_same(tmp_path, column, formula):
    parquet(tmp_path, x=column)
    job = prepare(config(tmp_path, formula))
    frame = pd.DataFrame({"y": np.array(Y, float), "x": column})
    design = prepare_in_python(formula, frame)
    assert design.coefficients == job.design.coefficients
    np.testing.assert_array_equal(design.X, job.design.X)
    assert [block.levels for block in design.blocks] == [block.levels for block in job.design.blocks]


def prepare_in_python(formula, frame):
    return build_design(ModelSpec.from_formula(formula), frame)


@pytest.mark.parametrize(
    ("cells", "written"),
    [
        ([5, 1, 2], "[5, 1, 2]"),
        ([0.5, 2.5, 1.0], "[0.5, 2.5, 1.0]"),
        ([True, False], "[true, false]"),
        (["b", "a"], "[b, a]"),
        (["01", "1"], "['01', '1']"),
        (["010", "1"], "[010, '1']"),
    ],
)
def test_python_and_csv_with_categories_mean_the_same(tmp_path, cells, written):
    column = cells * (N // len(cells))
    write(tmp_path, x=[str(cell) for cell in column])
    job = prepare(config(tmp_path, "y ~ x", f"  categories: {{x: {written}}}\n"))
    frame = pd.DataFrame({"y": np.array(Y, float), "x": pd.Categorical(column, categories=cells)})
    design = prepare_in_python("y ~ x", frame)
    assert design.coefficients == job.design.coefficients
    np.testing.assert_array_equal(design.X, job.design.X)


def test_levels_of_a_config_are_those_of_the_file(tmp_path):
    write(tmp_path, x=["5", "1", "2"])
    job = prepare(config(tmp_path, "y ~ x", "  categories: {x: [1.0, 2, 5.0]}\n"))
    assert job.design.coefficients == ("Intercept", "x[2]", "x[5]")
    write(tmp_path, x=["1", "0"])
    with pytest.raises(ConfigError, match="has no level True"):
        prepare(config(tmp_path, "y ~ x", "  categories: {x: [true, false]}\n"))


def test_a_file_in_another_encoding(tmp_path):
    (tmp_path / "a.csv").write_bytes("y,g\n1,a\n2,é\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"not UTF-8.*a\.csv, line 3, byte 0xe9.*encoding UTF-8"):
        read_table(tmp_path / "a.csv")


def test_a_response_with_decimal_commas(tmp_path):
    (tmp_path / "data.csv").write_text("y,x\n" + "".join(f'"{k},5",{k % 7}\n' for k in range(30)))
    with pytest.raises(ConfigError, match=r"'y' is text, but 100% of its rows read as numbers"):
        prepare(config(tmp_path, "y ~ x"))


def test_an_order_that_parquet_has_lost_is_asked_for(tmp_path):
    parquet(tmp_path, x=pd.Categorical([1, 2, 5] * 20, categories=[5, 1, 2], ordered=True))
    with pytest.raises(ConfigError, match=r"lost the order.*categories: \{x: \[1, 2, 5\]\}"):
        prepare(config(tmp_path, "y ~ x"))
    listed = prepare(config(tmp_path, "y ~ x", "  categories: {x: [5, 1, 2]}\n"))
    assert listed.design.coefficients == ("Intercept", "x[1]", "x[2]")
