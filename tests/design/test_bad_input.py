"""Whatever is wrong with a formula or the data ends in one error that names the place and says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.design import build_design, new_predictors, resolve_priors
from bayes_glmm.errors import DataError, GLMMError, SpecError
from bayes_glmm.spec import ModelSpec

Edit = Callable[[pd.DataFrame], Any]


def _frame() -> pd.DataFrame:
    rng = np.random.default_rng(9)
    return pd.DataFrame(
        {
            "y": rng.normal(size=30),
            "x": rng.normal(size=30),
            "z": rng.uniform(1.0, 2.0, 30),
            "f": list("abc") * 10,
            "g": np.repeat(np.arange(6), 5),
            "k": rng.integers(0, 5, 30),
            "n": 5,
            "b": rng.integers(0, 2, 30),
            "share": rng.uniform(0.1, 0.9, 30),
            "answer": ["yes", "no", "no"] * 10,
            "const": 1.0,
            "day": pd.date_range("2020-01-01", periods=30),
            "my x": rng.normal(size=30),
        }
    )


def _keep(data: pd.DataFrame) -> pd.DataFrame:
    return data


def _put(column: str, value: Any, row: int = 3) -> Edit:
    def edit(data: pd.DataFrame) -> pd.DataFrame:
        data[column] = data[column].astype(object if isinstance(value, str | type(None)) else float)
        data.loc[row, column] = value
        return data

    return edit


def _set(**columns: Any) -> Edit:
    return lambda data: data.assign(**columns)


CASES: list[tuple[str, str, Edit, type[GLMMError], str]] = [
    # columns that are not there, or more than once, or no data frame
    ("y ~ nope", "gaussian", _keep, DataError, "no column 'nope'"),
    ("nope ~ x", "gaussian", _keep, DataError, "no column 'nope'"),
    ("y ~ x + (1 | nope)", "gaussian", _keep, DataError, "no column 'nope'"),
    ("y ~ x + (nope | g)", "gaussian", _keep, DataError, "no column 'nope'"),
    ("y ~ log(shar)", "gaussian", _keep, DataError, "Did you mean 'share'?"),
    ("k ~ offset(log(nope))", "poisson", _keep, DataError, "no column 'nope'"),
    ("p(k, nope) ~ x", "binomial", _keep, DataError, "no column 'nope'"),
    ("y ~ `my z`", "gaussian", _keep, DataError, "Did you mean 'my x'?"),
    ("y ~ x", "gaussian", lambda d: d.rename(columns={"x": 3}), DataError, "no column 'x'"),
    ("y ~ x", "gaussian", lambda d: pd.concat({"a": d}, axis=1), DataError, "no column 'y'"),
    ("y ~ x", "gaussian", lambda d: pd.concat([d, d[["x"]]], axis=1), DataError, "'x' stands twice"),
    ("y ~ x", "gaussian", lambda d: d.to_dict(), DataError, "The data are a dict"),
    ("y ~ x", "gaussian", lambda d: None, DataError, "The data are a NoneType"),
    # values that are missing, infinite, or of a kind that has no number
    ("y ~ x", "gaussian", _put("x", np.nan), DataError, "column 'x', row 3"),
    ("y ~ x", "gaussian", _put("y", np.nan), DataError, "missing='drop'"),
    ("y ~ x + (1 | f)", "gaussian", _put("f", None), DataError, "column 'f', row 3"),
    ("y ~ x", "gaussian", _put("x", np.inf), DataError, "infinite. [column 'x', row 3]"),
    ("y ~ x", "gaussian", _put("y", -np.inf), DataError, "infinite. [column 'y', row 3]"),
    ("y ~ day", "gaussian", _keep, DataError, "days since the first"),
    ("y ~ f", "gaussian", lambda d: d.assign(f=d.f.astype(object).where(d.index != 3, 7)), DataError, "astype(str)"),
    ("y ~ (1 | f)", "gaussian", lambda d: d.assign(f=d.f.astype(object).where(d.index != 3, 7)), DataError, "mixed"),
    ("y ~ x", "gaussian", lambda d: d.assign(x=d.x.astype(complex)), DataError, "complex"),
    ("y ~ x", "gaussian", lambda d: d.assign(x=pd.Series([[1, 2]] * 30)), DataError, "holds mixed values"),
    ("y ~ log(x)", "gaussian", _keep, DataError, "log(x) is not finite. [fixed effects, rows"),
    ("y ~ (log(x) | g)", "gaussian", _keep, DataError, "random effects by g, rows"),
    ("log(y) ~ x", "gaussian", _keep, DataError, "found nan"),
    ("k ~ offset(log(b))", "poisson", _keep, DataError, "an exposure above 0"),
    ("k ~ offset(f)", "poisson", _keep, DataError, "not one number a row"),
    # too little data
    ("y ~ x", "gaussian", lambda d: d.head(1), DataError, "1 complete row:"),
    ("y ~ 1", "gaussian", lambda d: d.head(1), DataError, "too few"),
    ("y ~ x", "gaussian", lambda d: d.head(0), DataError, "0 complete rows"),
    ("y ~ x + (1 | g)", "gaussian", _set(g="one"), DataError, "one level ('one')"),
    ("y ~ x + (1 | g:f)", "gaussian", _set(g="one", f="two"), DataError, "one level ('one:two')"),
    ("y ~ f", "gaussian", _set(f="one"), DataError, "'f' has one level (one)"),
    ("y ~ x * f", "gaussian", _set(f="one"), DataError, "'f' has one level (one)"),
    # more coefficients than rows
    ("y ~ x * f * z", "gaussian", lambda d: d.head(9), DataError, "12 columns, the data 9 rows. [fixed effects]"),
    # responses outside the support
    ("y ~ x", "poisson", _keep, DataError, "whole numbers 0, 1, 2"),
    ("k ~ x", "poisson", _put("k", -1), DataError, "found -1. [response 'k', row 3]"),
    ("k ~ x", "negative_binomial", _put("k", 1.5), DataError, "found 1.5"),
    ("z ~ x", "gamma", _put("z", 0), DataError, "numbers above 0; found 0"),
    ("share ~ x", "beta", _put("share", 1), DataError, "strictly between 0 and 1; found 1"),
    ("b ~ x", "bernoulli", _put("b", 2), DataError, "0 and 1; found 2"),
    ("const ~ x", "gaussian", _keep, DataError, "is 1 in every row"),
    ("b ~ x", "bernoulli", _set(b=0), DataError, "is 0 in every row"),
    ("p(k, 4) ~ x", "binomial", _set(k=4), DataError, "in every row"),
    ("p(k, n) ~ x", "binomial", _put("n", 0), DataError, "trials is not a whole number above 0. [n, row 3]"),
    ("p(k, n) ~ x", "binomial", _put("k", 6), DataError, "the number of trials; found 6"),
    ("p(k, n) ~ x", "binomial", _put("n", 4.5), DataError, "trials is not a whole number"),
    ("p(k, f) ~ x", "binomial", _keep, DataError, "f is not one number a row"),
    ("p(k, log(z)) ~ x", "binomial", _keep, DataError, "trials is not a whole number"),
    ("answer ~ x", "gaussian", _keep, DataError, "use family='bernoulli'"),
    ("answer ~ x", "poisson", _keep, DataError, "Make the column numeric"),
    ("f ~ x", "bernoulli", _keep, DataError, "f['c'] ~"),
    ("answer['maybe'] ~ x", "bernoulli", _keep, DataError, "Valid: no, yes."),
    ("y['yes'] ~ x", "bernoulli", _keep, DataError, "no level 'yes'"),
    ("answer['yes'] ~ x", "gaussian", _keep, DataError, "family='bernoulli'"),
    # text that is no formula of terms
    ("y ~ x z", "gaussian", _keep, SpecError, "operator is missing before 'z'"),
    ("y ~ (x z | g)", "gaussian", _keep, SpecError, "operator is missing before 'z'"),
    ("y ~ f %in% g", "gaussian", _keep, SpecError, "Add comparisons"),
    ("y ~ x ** 2", "gaussian", _keep, SpecError, "I(x ** 2)"),
    ("y ~ x ^ 2", "gaussian", _keep, SpecError, "Write a power as **: I(x ** 2)"),
    ("y ~ 2 * x", "gaussian", _keep, SpecError, "The number 2 is not a term"),
    ("y ~ 5", "gaussian", _keep, SpecError, "The number 5 is not a term"),
    ("y ~ - x", "gaussian", _keep, SpecError, "Nothing comes before"),
    ("y ~ x > 0", "gaussian", _keep, SpecError, "I(x > 2)"),
    ("y ~ x = 3", "gaussian", _keep, SpecError, "cannot be read"),
    ("y ~ .", "gaussian", _keep, SpecError, "Name the columns"),
    ("y ~ x\x00", "gaussian", _keep, SpecError, "cannot be read"),
    ("y ~ f['a']", "gaussian", _keep, SpecError, "in the response only"),
    ("y ~ I(f['a'])", "gaussian", _keep, SpecError, "in the response only"),
    ("y ~ x:offset(z)", "gaussian", _keep, SpecError, "cannot call 'offset'"),
    ("y ~ bs(x)", "gaussian", _keep, DataError, "df"),
    ("y ~ bs(f, df=4)", "gaussian", _keep, DataError, "[bs(f, df=4)]"),
    ("y ~ log(f)", "gaussian", _keep, DataError, "[log(f)]"),
    ("y + z ~ x", "gaussian", _keep, GLMMError, "y + z"),
    ("y:z ~ x", "gaussian", _keep, GLMMError, "y:z"),
    ("1 ~ x", "gaussian", _keep, GLMMError, "[1]"),
    # names outside the closed world of columns and listed functions
    ("y ~ foo(x)", "gaussian", _keep, SpecError, "cannot call 'foo'"),
    ("foo(y) ~ x", "gaussian", _keep, SpecError, "cannot call 'foo'"),
    ("y ~ log(sqrt(foo(x)))", "gaussian", _keep, SpecError, "cannot call 'foo'"),
    ("y ~ np.load('a.npy')", "gaussian", _keep, SpecError, "cannot call 'np.load'"),
    ("y ~ np.random.normal(x)", "gaussian", _keep, SpecError, "cannot call 'np.random.normal'"),
    ("y ~ os.system('true')", "gaussian", _keep, SpecError, "cannot call 'os.system'"),
    ("y ~ __import__('os')", "gaussian", _keep, SpecError, "cannot call '__import__'"),
    ("y ~ eval('1')", "gaussian", _keep, SpecError, "cannot call 'eval'"),
    ("y ~ (lambda: 1)()", "gaussian", _keep, SpecError, "formula"),
    ("y ~ x.__class__", "gaussian", _keep, DataError, "no column 'x.__class__'"),
    ("y ~ I(x.__class__)", "gaussian", _keep, DataError, "no column 'x.__class__'"),
    ("y ~ log(x.values)", "gaussian", _keep, DataError, "no column 'x.values'"),
    ("y ~ x; import os", "gaussian", _keep, SpecError, "cannot be read"),
    ("p(k, __import__('os')) ~ x", "binomial", _keep, SpecError, "cannot call '__import__'"),
    ("k ~ offset(open('a'))", "poisson", _keep, SpecError, "cannot call 'open'"),
    # names that mean something else
    ("y ~ x + y", "gaussian", _keep, SpecError, "The response also stands on the right"),
    ("y ~ Intercept", "gaussian", lambda d: d.rename(columns={"x": "Intercept"}), SpecError, "'Intercept'"),
    ("y ~ (1 | f:g)", "gaussian", _set(f=["a:1", "a"] * 15, g=["2", "1:2"] * 15), DataError, "called 'a:1:2'"),
    # random terms
    ("y ~ (0 | g)", "gaussian", _keep, SpecError, "no effects"),
    ("y ~ (1 | g) + (1 | g)", "gaussian", _keep, SpecError, "more than one term"),
    ("y ~ (x | g) + (z | g)", "gaussian", _keep, SpecError, "(0 + x | g)"),
    ("y ~ (1 | g) + (1 | h/g) + (1 | h)", "gaussian", _set(h=list("uv") * 15), SpecError, "more than one term"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "family", "edit", "error", "words"), CASES, ids=[f"{c[1]}: {c[0]}" for c in CASES])
def test_one_error_says_what_is_wrong(formula, family, edit, error, words) -> None:
    data = edit(_frame())
    with pytest.raises(GLMMError) as caught:
        build_design(ModelSpec.from_formula(formula, family), data)
    assert isinstance(caught.value, error)
    assert words in str(caught.value)


def test_hostile_level_names_are_only_names() -> None:
    hostile = [
        "\u202ea'b\"`|~: [x]",
        "<script>alert(1)</script>",
        "a/b:c",
        " ",
        "",
        "é\u0301",
        "0",
        "$(true)",
        "a" * 500,
    ]
    data = pd.DataFrame({"y": np.arange(27.0), "f": hostile * 3, "g": np.repeat(hostile, 3)})
    design = build_design(ModelSpec.from_formula("y ~ f + (1 | g)"), data)
    assert design.coefficients == ("Intercept", *(f"f[{level}]" for level in sorted(hostile)[1:]))
    assert set(design.block("g").levels) == set(hostile)
    np.testing.assert_array_equal(np.array(design.block("g").levels)[design.block("g").index], data.g)
    np.testing.assert_array_equal(new_predictors(design, data, known_groups=True).X, design.X)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda d: d.drop(columns="x"), "no column 'x'"),
        (lambda d: d.assign(x=np.nan), "A value is missing. [column 'x', row 0]"),
        (lambda d: d.assign(x=np.inf), "infinite. [column 'x', row 0]"),
        (lambda d: d.assign(x="1.5"), "pd.to_numeric"),
        (lambda d: d.assign(f="d"), "has not seen f 'd'"),
        (lambda d: d.assign(f=7), "Valid: a, b, c."),
        (lambda d: d.assign(z=-1.0), "log(z)"),
        (lambda d: d.assign(n=0), "offset(log(n))"),
        (lambda d: d.to_dict(), "The data are a dict"),
        (lambda d: pd.concat([d, d[["x"]]], axis=1), "stands twice"),
        (lambda d: d.head(0), "no rows"),
    ],
)
def test_new_rows_are_read_with_the_same_care(edit: Edit, words: str) -> None:
    design = build_design(ModelSpec.from_formula("y ~ x + f + log(z) + offset(log(n)) + (x | g)"), _frame())
    with pytest.raises(DataError) as caught:
        new_predictors(design, edit(_frame().head(1)))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("priors", "words"),
    [
        ({"betta": "Normal(0, 1)"}, "Did you mean 'beta'?"),
        ({"phi": "Exponential(1)"}, "no parameter 'phi'"),
        ({"sd_h": "Exponential(1)"}, "sd_g"),
        ({"x[1]": "Normal(0, 1)"}, "no parameter 'x[1]'"),
        ({"corr": "LKJ(2)"}, "no parameter 'corr'"),
    ],
)
def test_priors_of_parameters_that_are_not_there(priors: dict[str, str], words: str) -> None:
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", priors=priors)
    with pytest.raises(SpecError) as caught:
        resolve_priors(spec, build_design(spec, _frame()))
    assert words in str(caught.value)


def test_an_unknown_way_with_missing_values() -> None:
    with pytest.raises(DataError, match="Valid: error, drop"):
        build_design(ModelSpec.from_formula("y ~ x"), _frame(), missing="ignore")  # type: ignore[arg-type]
