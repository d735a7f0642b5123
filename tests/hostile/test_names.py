"""Names of columns and levels that are hostile, collide with the model's own, or come by the million; new rows."""
# ruff: noqa: E501  one case a line

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.design import build_design, new_predictors
from bayes_glmm.effects import compare, slopes
from bayes_glmm.errors import DataError, SpecError, choices
from bayes_glmm.glmm import GLMM
from bayes_glmm.posterior import load_posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.hostile.cases import Case, check, frame, keep, put, refused, within

LEVELS = [
    *("<script>alert(1)</script>", '"]}', "'", '"', "`", "\\", "a/b", "../..", "a:b", "a|b", "a~b", "[x]", "{{ 7*7 }}", "%s {0}", "$x$"),
    *(" ", "", "nan", "NaN", "None", "NA", "<NA>", "inf", "True", "0", "1.0", "1e3", "Intercept", "row", "chain", "draw", "coefficient", "beta"),
    *("é", "e\u0301", "\u202ea", "\u200b", "\x1b[31m", "\n", "\t", "日本", "😀", "İ", "ß", "a" * 100_000, "=cmd|' /C calc'!A0", "-", "__class__"),
]  # fmt: skip


def hostile() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    rows = 3 * len(LEVELS)
    return pd.DataFrame(
        {"y": rng.normal(size=rows), "x": rng.normal(size=rows), "f": LEVELS * 3, "g": np.repeat(LEVELS, 3)}
    )


def test_levels_are_only_names_and_survive_a_file(tmp_path) -> None:
    spec = ModelSpec.from_formula("y ~ x + f + (1 | g)")
    data = hostile()
    n = len(LEVELS)
    with within(60):
        saved = posterior_at(spec, data, np.zeros(n + 1), {"g": np.eye(1)}, {"sigma": 1.0})
        again = load_posterior(saved.save(tmp_path / "run"))
    assert set(again.design.block("g").levels) == set(LEVELS)
    assert {f"f[{level}]" for level in LEVELS} > set(again.design.coefficients) - {"Intercept", "x"}
    assert again.design.coefficients == saved.design.coefficients
    np.testing.assert_array_equal(new_predictors(again.design, data, known_groups=True).X, saved.design.X)
    assert again.draws["posterior"].dataset["g"].values.tolist() == list(saved.design.block("g").levels)


def test_a_missing_group_is_not_the_level_called_nan() -> None:
    design = build_design(ModelSpec.from_formula("y ~ x + (1 | g)"), hostile())
    rows = pd.DataFrame({"x": [0.0] * 4, "g": ["nan", None, float("nan"), "never seen"]})
    assert [design.block("g").levels.index("nan"), -1, -1, -1] == new_predictors(design, rows).blocks[0].index.tolist()


def renamed(**names: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda data: data.rename(columns=names)


def instead(value: object) -> Callable[[pd.DataFrame], object]:
    return lambda data: value


def group(name: str, beside: str = "") -> Case:
    return Case(
        f"group {name}",
        f"y ~ (1 | {name}){beside}",
        put(**{name: lambda d: d.f}),
        None,
        "Intercept",
    )


NAMES = [
    *(group(name) for name in ("row", "coefficient", "chain", "draw", "beta", "sigma")),
    *(group(f"{kind}g{end}", " + (1 | g)") for kind, end in [("", "_effect"), ("", "_effect_2"), ("sd_", ""), ("u_", ""), ("z_", ""), ("G_", ""), ("corr_", ""), ("chol_", "")]),
    *(Case(f"response {name}", f"`{name}` ~ x + (1 | g)", renamed(y=name), None, "x") for name in ("row", "chain", "sigma", "beta", "sd_g", "u_g", "g_effect")),
    Case("predictors with the names of dims", "y ~ row + chain + draw + coefficient", put(row=lambda d: d.x, chain=lambda d: d.z, draw=lambda d: d.k, coefficient=lambda d: d.share), None, "row chain draw coefficient"),
    Case("predictors with names of Python", "y ~ self + cls + data", lambda d: d.rename(columns={"x": "self", "z": "cls", "share": "data"}), None, "self cls data"),
    Case("column called Intercept", "y ~ `Intercept`", put(Intercept=lambda d: d.x), SpecError, "'Intercept'"),
    Case("column called like a coefficient", "y ~ f + `f[b]`", lambda d: d.rename(columns={"x": "f[b]"}), SpecError, "Two coefficients"),
    Case("columns that differ by a mark", "y ~ é + `e\u0301`", put(**{"é": lambda d: d.x, "e\u0301": lambda d: d.z}), None, "é e\u0301"),
    Case("levels that are the same as text", "y ~ (1 | a:c)", put(a=["p:1", "p"] * 15, c=["2", "1:2"] * 15), DataError, "are both called"),
    Case("numbers for names", "y ~ x", lambda d: d.rename(columns={"x": 3}), DataError, "no column 'x'"),
    Case("tuples for names", "y ~ x", lambda d: pd.concat({"a": d}, axis=1), DataError, "no column 'y'"),
    Case("a column twice", "y ~ x", lambda d: pd.concat([d, d[["x"]]], axis=1), DataError, "'x' stands twice"),
    Case("another column twice", "y ~ x", lambda d: pd.concat([d, d[["z"]]], axis=1), None, "x"),
    Case("one index for all rows", "y ~ x + (1 | g)", lambda d: d.set_index(np.zeros(30, int)), None, "x"),
    Case("an index of levels", "y ~ x", lambda d: d.set_index(["f", "g"]), None, "x"),
    Case("NUL in a level", "y ~ f", put(f=lambda d: d.f.replace("a", "\x00")), DataError, "no file can"),
    Case("half a character in a level", "y ~ (1 | f)", put(f=lambda d: d.f.astype(object).replace("a", "\ud800")), DataError, "[column 'f', rows 0, 3"),
    Case("no rows", "y ~ x", lambda d: d.head(0), DataError, "0 complete rows"),
    Case("one row", "y ~ x", lambda d: d.head(1), DataError, "1 complete row"),
    Case("two rows", "y ~ x", lambda d: d.head(2), None, "x"),
    Case("fewer rows than columns", "y ~ x + z + k", lambda d: d.head(3), DataError, "4 columns, the data 3 rows"),
    Case("no columns", "y ~ x", lambda d: pd.DataFrame(index=d.index), DataError, "no column 'y'"),
    *(Case(f"{kind} for data", "y ~ x", instead(value), DataError, f"The data are a {kind}") for kind, value in [("NoneType", None), ("str", "data.csv"), ("list", [1]), ("Series", pd.Series([1.0])), ("ndarray", np.zeros((3, 3)))]),
    Case("one level", "y ~ f", put(f="a"), DataError, "has one level (a)"),
    Case("one level without a name", "y ~ f", put(f=""), DataError, "has one level"),
    Case("one group", "y ~ (1 | g)", put(g=1), DataError, "one level ('1')"),
    Case("a level a row", "y ~ (1 | i)", keep, None, "Intercept"),
]  # fmt: skip


@pytest.mark.parametrize("case", NAMES, ids=[case.name for case in NAMES])
def test_names(case: Case) -> None:
    check(case)


NEW_ROWS: list[tuple[str, Callable[[pd.DataFrame], object], str]] = [
    ("no column", lambda d: d.drop(columns="x"), "no column 'x'"),
    ("no rows", lambda d: d.head(0), "no rows"),
    ("no frame", lambda d: d.to_dict(), "The data are a dict"),
    ("a column twice", lambda d: pd.concat([d, d[["x"]]], axis=1), "'x' stands twice"),
    ("a group's column twice", lambda d: pd.concat([d, d[["k"]]], axis=1), "'k' stands twice"),
    ("missing number", lambda d: d.assign(x=np.nan), "A value is missing. [column 'x'"),
    ("missing level", lambda d: d.assign(f=None), "A value is missing. [column 'f'"),
    ("infinite number", lambda d: d.assign(x=-np.inf), "infinite"),
    ("huge number", lambda d: d.assign(x=1e300), "Numbers as large as 1e+300"),
    ("complex number", lambda d: d.assign(x=1j), "holds complex"),
    ("date", lambda d: d.assign(x=pd.Timestamp("2020-01-01")), "holds datetime64"),
    ("text for a number", lambda d: d.assign(x="1.5"), "pd.to_numeric"),
    ("number for text", lambda d: d.assign(f=1), "has not seen f 1."),
    ("another level", lambda d: d.assign(f="<b>"), "has not seen f '<b>'. [rows 0, 1"),
    ("another category", lambda d: d.assign(f=pd.Categorical(["zz"] * 30)), "has not seen f 'zz'"),
    ("another level of a number within C()", lambda d: d.assign(g=9), "has not seen g 9."),
    ("half a level of a number within C()", lambda d: d.assign(g=d.g + 0.5), "has not seen g 0.5."),
    ("text for a number within C()", lambda d: d.assign(g="1"), "pd.to_numeric"),
    ("outside the domain of a transform", lambda d: d.assign(z=-1.0), "log(z) is not finite"),
    ("another group", lambda d: d.assign(k=99), "has not seen k '99'"),
    ("missing group", lambda d: d.assign(k=None), "has not seen k '(missing)'"),
    ("group of mixed values", lambda d: d.assign(k=pd.Series([1, "a"] * 15, dtype=object)), "holds mixed"),
    ("no group", lambda d: d.drop(columns="k"), "do not say which k"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "edit", "words"), NEW_ROWS, ids=[name for name, *_ in NEW_ROWS])
def test_new_rows(name: str, edit: Callable, words: str) -> None:
    design = build_design(ModelSpec.from_formula("y ~ x + f + C(g) + log(z) + (x | k)"), frame())
    refused(lambda: new_predictors(design, edit(frame()), known_groups=True), DataError, words)


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.convert_dtypes(),
        lambda d: d.convert_dtypes(dtype_backend="pyarrow"),
        lambda d: d.astype(object),
        lambda d: d.astype({"g": "int8", "k": "float32", "f": "category"}),
        lambda d: d.set_index(np.zeros(30, int)),
        lambda d: d[sorted(d.columns, reverse=True)],
    ],
)
def test_new_rows_of_other_types_are_the_same_rows(edit: Callable) -> None:
    design = build_design(
        ModelSpec.from_formula("y ~ I(g - 3) + f + C(g):z + where(x > 0, 'p', 'q') + (x | k)"), frame()
    )
    new = new_predictors(design, edit(frame()), known_groups=True)
    np.testing.assert_array_equal(new.X, design.X)
    np.testing.assert_array_equal(new.blocks[0].index, design.blocks[0].index)


def test_a_hundred_thousand_levels() -> None:
    n = 100_000
    data = pd.DataFrame({"y": np.arange(n, dtype=float), "f": np.arange(n).astype(str), "i": np.arange(n)})
    with within(60):
        assert len(build_design(ModelSpec.from_formula("y ~ (1 | f)"), data).block("f").levels) == n
        for formula in ("y ~ f", "y ~ C(i)", "y ~ (f | i)", "y ~ (C(i) | f)", "y ~ i + i:f"):
            case = Case("", formula, instead(data), None, "")
            refused(case.build, DataError, "100,000 levels")
        for label, words in (("", "a factor with 100,000 levels"), ("a", "text with levels")):  # numbers as text; text
            case = Case("", "f ~ i", instead(data.assign(f=label + data["f"])), None, "", "bernoulli")
            refused(case.build, DataError, words)


@pytest.mark.slow
def test_a_million_levels_are_a_model_or_an_error() -> None:
    n = 1_000_000
    rng = np.random.default_rng(3)
    data = pd.DataFrame(
        {"y": rng.integers(0, 2, n), "x": rng.normal(size=n), "g": np.arange(n), "h": np.arange(n) // 3}
    )
    data["g"] = "level " + data["g"].astype(str)
    with within(120):
        model = GLMM("y ~ x + (1 | g) + (1 | h)", data, family="bernoulli")
        assert [n, 333_334] == [len(block.levels) for block in model.design.blocks]
        assert ["single_rows"] == [found.name for found in model.findings]
        assert [n, 333_334] == [model.pymc.initial_point()[f"z_{group}"].size for group in "gh"]
        for formula in ("y ~ g", "y ~ x + (g | h)"):
            refused(partial(GLMM, formula, data, family="bernoulli"), DataError, "1,000,000 levels")


def test_a_hundred_thousand_columns() -> None:
    data = pd.DataFrame(np.zeros((2, 100_000)), columns=[f"column {i}" for i in range(100_000)])
    with within(30):
        refused(lambda: Case("", "y ~ x", lambda _: data, None, "").build(), DataError, "and 99,940 more")


def test_advice_is_short_however_long_the_names() -> None:
    assert len(choices("a" * 10_000, ["a" * 1_000_000] * 1000)) < 10_000


def test_effects_of_columns_with_names_of_python_and_of_dims() -> None:
    data = frame().rename(columns={"x": "self", "f": "row", "z": "draw"})
    spec = ModelSpec.from_formula("y ~ self + row + draw + (1 | g)")
    posterior = posterior_at(spec, data, np.ones((5, 5)), {"g": np.eye(1)}, {"sigma": 1.0})
    for name in ("self", "row", "draw"):
        found = compare(posterior, name).table
        np.testing.assert_allclose(found["estimate"], 1.0)
    np.testing.assert_allclose(slopes(posterior, "self").table["estimate"], 1.0, rtol=1e-6)
