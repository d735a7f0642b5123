"""Columns of every kind that pandas knows, and of values that no model can use."""
# ruff: noqa: E501  one case a line

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from bayes_glmm.errors import DataError, SpecError
from tests.hostile.cases import Case, check, frame, keep, put

ARROW_LEVELS = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))
DAYS = pd.Series(pd.date_range("2020-01-01", periods=6).repeat(5)).reset_index(drop=True)


def one(column: str, value: object):
    """One value of a column replaced."""
    return put(**{column: lambda d: d[column].astype(object).where(d.index != 3, value)})


KINDS = [
    # kinds that mean numbers, truth values or text are read as such
    Case("nullable integers", "y ~ x", put(x=lambda d: d.g.astype("Int64")), None, "x"),
    Case("nullable floats", "y ~ x", put(x=lambda d: d.x.astype("Float32")), None, "x"),
    Case("nullable truth values", "y ~ x", put(x=lambda d: d.b.astype("boolean")), None, "x"),
    Case("truth values", "y ~ x", put(x=lambda d: d.b.astype(bool)), None, "x"),
    Case("objects that are floats", "y ~ x", put(x=lambda d: d.x.astype(object)), None, "x"),
    Case("objects that are integers", "y ~ x", put(x=lambda d: d.g.astype(object)), None, "x"),
    Case("objects that are truth values", "y ~ x", put(x=lambda d: (d.b == 1).astype(object)), None, "x"),
    Case("integers and floats mixed", "y ~ x", one("x", 3), None, "x"),
    Case("half floats", "y ~ x", put(x=lambda d: d.x.astype("float16")), None, "x"),
    Case("long floats", "y ~ x", put(x=lambda d: d.x.astype("longdouble")), None, "x"),
    Case("sparse numbers", "y ~ x", put(x=lambda d: pd.arrays.SparseArray(d.x)), None, "x"),
    Case("Arrow floats", "y ~ x", put(x=lambda d: d.x.astype("float64[pyarrow]")), None, "x"),
    Case("Arrow integers", "y ~ x", put(x=lambda d: d.g.astype("int8[pyarrow]")), None, "x"),
    Case("Arrow truth values", "y ~ x", put(x=lambda d: (d.b == 1).astype("bool[pyarrow]")), None, "x"),
    Case("Arrow text", "y ~ f", put(f=lambda d: d.f.astype("string[pyarrow]")), None, "f[b] f[c]"),
    Case("Arrow dictionary", "y ~ f", put(f=lambda d: d.f.astype(ARROW_LEVELS)), None, "f[b] f[c]"),
    Case("Python text", "y ~ f", put(f=lambda d: d.f.astype("string[python]")), None, "f[b] f[c]"),
    Case("text as objects", "y ~ f", put(f=lambda d: d.f.astype(object)), None, "f[b] f[c]"),
    Case("Arrow text as group", "y ~ (1 | f)", put(f=lambda d: d.f.astype("string[pyarrow]")), None, "Intercept"),
    Case("categories with unused levels", "y ~ f", put(f=lambda d: pd.Categorical(d.f, list("dcba"))), None, "f[b] f[a]"),
    Case("categories of numbers", "y ~ f", put(f=lambda d: pd.Categorical(d.g)), None, "f[1] f[2]"),
    Case("intervals as categories", "y ~ c", put(c=lambda d: pd.cut(d.z, 3)), None, "c[(1."),
    Case("intervals as group", "y ~ (1 | c)", put(c=lambda d: pd.cut(d.z, 3)), None, "Intercept"),
    Case("dates as group", "y ~ (1 | c)", put(c=DAYS), None, "Intercept"),
    Case("dates with a zone as group", "y ~ (1 | c)", put(c=DAYS.dt.tz_localize("UTC")), None, "Intercept"),
    Case("Python dates as group", "y ~ (1 | c)", put(c=DAYS.dt.date), None, "Intercept"),
    Case("periods as group", "y ~ (1 | c)", put(c=DAYS.dt.to_period("D")), None, "Intercept"),
    Case("decimals as group", "y ~ (1 | c)", put(c=lambda d: d.g.map(lambda v: decimal.Decimal(v))), None, "Intercept"),
    Case("integers beyond 64 bits as group", "y ~ (1 | c)", put(c=lambda d: d.g.astype(object) + 10**20), None, "Intercept"),
    Case("decimals of many digits as group", "y ~ (1 | c)", put(c=lambda d: d.g.map(lambda v: decimal.Decimal(10**33 + v))), None, "Intercept"),
    Case("floats of 17 digits as group", "y ~ (1 | c)", put(c=lambda d: d.g + 1e17), DataError, "digits are lost. [column 'c', rows 0, 1"),
    Case("single floats of 9 digits as group", "y ~ (1 | c)", put(c=lambda d: (d.g + 1e8).astype("float32")), DataError, "Labels of 16,777,216"),
    Case("half floats of 4 digits as group", "y ~ (1 | c)", put(c=lambda d: (d.g + 3e3).astype("float16")), DataError, "Labels of 2,048"),
    Case("nullable floats of 9 digits as group", "y ~ (1 | c)", put(c=lambda d: (d.g + 1e8).astype("Float32")), DataError, "Labels of 16,777,216"),
    Case("Arrow floats of 9 digits as group", "y ~ (1 | c)", put(c=lambda d: (d.g + 1e8).astype("float[pyarrow]")), DataError, "Labels of 16,777,216"),
    Case("sparse floats of 9 digits as group", "y ~ (1 | c)", put(c=lambda d: pd.arrays.SparseArray((d.g + 1e8).astype("float32"))), DataError, "Labels of 16,777,216"),
    Case("objects that are floats of 17 digits as group", "y ~ (1 | c)", put(c=lambda d: (d.g + 1e17).astype(object)), DataError, "digits are lost"),
    Case("integers of 19 digits and a float as group", "y ~ (1 | c)", put(c=lambda d: (d.g + 2**60).astype(object).where(d.index != 3, 1.5)), DataError, "digits are lost"),
    Case("categories of floats of 17 digits", "y ~ c", put(c=lambda d: pd.Categorical(d.g * 1e17)), DataError, "digits are lost"),
    Case("floats of 17 digits within C()", "y ~ C(c)", put(c=lambda d: d.g * 1e17), DataError, "digits are lost"),
    Case("integers of 17 digits within C()", "y ~ C(c)", put(c=lambda d: d.g + 10**17), None, "C(c)[100000000000000001]"),
    Case("response of truth values", "b ~ x", put(b=lambda d: d.b == 1), None, "x", "bernoulli"),
    Case("response of nullable truth values", "b ~ x", put(b=lambda d: d.b.astype("boolean")), None, "x", "bernoulli"),
    Case("response of nullable integers", "k ~ x", put(k=lambda d: d.k.astype("Int8")), None, "x", "poisson"),
    Case("response of objects", "k ~ x", put(k=lambda d: d.k.astype(object)), None, "x", "poisson"),
    Case("response of float objects", "y ~ x", put(y=lambda d: d.y.astype(object)), None, "x"),
    Case("response of unused categories", "answer ~ x", put(answer=lambda d: pd.Categorical(d.answer, ["yes", "no", "-"])), None, "x", "bernoulli"),
    Case("trials of narrow integers", "p(k, n) ~ x", put(n=np.uint8(5)), None, "x", "binomial"),
    # kinds that mean nothing to a linear predictor
    Case("complex numbers", "y ~ x", put(x=lambda d: d.x.astype(complex)), DataError, "holds complex"),
    Case("complex response", "y ~ x", put(y=lambda d: d.y.astype(complex)), DataError, "column 'y' holds complex"),
    Case("timedeltas", "y ~ x", put(x=lambda d: pd.to_timedelta(d.i, unit="s")), DataError, "timedelta64"),
    Case("timedeltas as group", "y ~ (1 | x)", put(x=lambda d: pd.to_timedelta(d.g, unit="s")), DataError, "timedelta64"),
    Case("timedelta response", "y ~ x", put(y=lambda d: pd.to_timedelta(d.i, unit="s")), DataError, "timedelta64"),
    Case("dates", "y ~ x", put(x=DAYS), DataError, "days since the first"),
    Case("date response", "y ~ x", put(y=DAYS), DataError, "holds datetime64"),
    Case("times of day", "y ~ x", put(x=datetime.time(12)), DataError, "holds time"),
    Case("decimals", "y ~ x", put(x=decimal.Decimal(1)), DataError, "holds decimal"),
    Case("bytes", "y ~ x", put(x=b"a"), DataError, "holds bytes"),
    Case("bytes as group", "y ~ (1 | x)", put(x=b"a"), DataError, "holds bytes"),
    Case("lists", "y ~ x", put(x=pd.Series([[1, 2]] * 30)), DataError, "holds mixed"),
    Case("arrays", "y ~ x", put(x=pd.Series([np.zeros(2)] * 30)), DataError, "holds mixed"),
    Case("dicts", "y ~ (1 | x)", put(x=pd.Series([{}] * 30)), DataError, "holds mixed"),
    Case("functions", "y ~ x", put(x=pd.Series([print] * 30)), DataError, "holds mixed"),
    Case("data frames", "y ~ x", put(x=pd.Series([pd.DataFrame()] * 30)), DataError, "holds mixed"),
    Case("text among numbers", "y ~ x", one("x", "a"), DataError, "astype(str)"),
    Case("text among numbers of a group", "y ~ (1 | g)", one("g", "a"), DataError, "holds mixed-integer"),
    Case("truth value among text", "y ~ f", one("f", True), DataError, "holds mixed"),
    Case("a set as column", "y ~ x", put(x=pd.Series([frozenset()] * 30)), DataError, "holds mixed"),
]  # fmt: skip

VALUES = [
    Case("missing number", "y ~ x", one("x", np.nan), DataError, "column 'x', row 3"),
    Case("missing nullable", "y ~ x", put(x=lambda d: d.g.astype("Int64").mask(d.i == 3)), DataError, "column 'x', row 3"),
    Case("missing date", "y ~ (1 | c)", put(c=DAYS.mask(DAYS.index == 3)), DataError, "column 'c', row 3"),
    Case("category that is none", "y ~ f", put(f=lambda d: pd.Categorical.from_codes(np.tile([0, -1, 1], 10), pd.Index(["a", "b"]))), DataError, "column 'f', rows 1"),
    Case("infinite number", "y ~ x", one("x", np.inf), DataError, "infinite. [column 'x', row 3]"),
    Case("infinite among objects", "y ~ x", one("x", -np.inf), DataError, "infinite"),
    Case("infinite group", "y ~ (1 | x)", one("x", np.inf), DataError, "infinite"),
    Case("infinite offset", "y ~ offset(x)", put(x=-np.inf), DataError, "infinite"),
    Case("offset that overflows", "k ~ offset(exp(x))", put(x=1e3), DataError, "offset is not finite", "poisson"),
    Case("log of no exposure", "k ~ offset(log(x))", put(x=0), DataError, "exposure above 0", "poisson"),
    Case("predictor that overflows", "y ~ exp(x)", put(x=1e3), DataError, "exp(x) is not finite"),
    Case("response that overflows", "exp(x) ~ z", put(x=1e3), DataError, "found inf"),
    Case("division by 0", "y ~ I(x / 0)", keep, DataError, "is not finite"),
    Case("huge response", "y ~ x", put(y=lambda d: d.y * 1e300), DataError, "large as 2.52233e+300"),
    Case("tiny response", "y ~ x", put(y=lambda d: d.y * 1e-300), DataError, "Change the unit"),
    Case("huge predictor", "y ~ x", put(x=lambda d: d.x * 1e300), DataError, "[fixed effects, x"),
    Case("tiny predictor", "y ~ x", put(x=lambda d: d.x * 1e-300), DataError, "small as"),
    Case("denormal predictor", "y ~ x", put(x=lambda d: d.x * 1e-310), DataError, "small as"),
    Case("huge effect of a group", "y ~ (x | g)", put(x=lambda d: d.x * 1e300), DataError, "random effects by g"),
    Case("huge offset", "y ~ offset(x)", put(x=1e308), DataError, "[offset"),
    Case("large predictor and small response", "y ~ x", put(x=lambda d: d.x * 1e60, y=lambda d: d.y * 1e-60), None, "x"),
    Case("predictor that hardly varies", "y ~ x", put(x=lambda d: 1e15 + d.x), DataError, "center(x)"),
    Case("response far from 0", "y ~ x", put(y=lambda d: 1e15 + d.y), None, "x"),
    Case("integers beyond 64 bits", "y ~ x", put(x=pd.Series([10**30 * i for i in range(30)], dtype=object)), None, "x"),
    Case("integers beyond any float", "y ~ x", put(x=pd.Series([10**400 + i for i in range(30)], dtype=object)), DataError, "too large"),
    Case("unsigned integers of 64 bits", "y ~ x", put(x=lambda d: (d.g.astype("uint64") + 2) * 2**60), None, "x"),
    Case("huge count", "k ~ x", put(k=lambda d: d.k * 1e19), DataError, "larger than any that is exact", "poisson"),
    Case("huge count of the other family", "k ~ x", put(k=lambda d: d.k * 1e19), DataError, "is exact", "negative_binomial"),
    Case("huge trials", "p(k, n) ~ x", put(n=1e19), DataError, "is exact", "binomial"),
    Case("no trials", "p(k, n) ~ x", put(n=0), DataError, "not a whole number above 0", "binomial"),
    Case("negative trials", "p(k, n) ~ x", put(n=-5), DataError, "not a whole number above 0", "binomial"),
    Case("half a trial", "p(k, n) ~ x", put(n=4.5), DataError, "not a whole number above 0", "binomial"),
    Case("more successes than trials", "p(k, n) ~ x", put(n=2), DataError, "the number of trials; found", "binomial"),
    Case("more successes than fixed trials", "p(k, 2) ~ x", keep, DataError, "the number of trials; found", "binomial"),
    Case("trials that are text", "p(k, f) ~ x", keep, DataError, "not one number a row", "binomial"),
    Case("negative count", "k ~ x", put(k=lambda d: d.k - 1), DataError, "found -1", "poisson"),
    Case("fractional count", "k ~ x", put(k=lambda d: d.k + 0.5), DataError, "whole numbers 0, 1, 2", "negative_binomial"),
    Case("gamma at 0", "z ~ x", one("z", 0.0), DataError, "numbers above 0; found 0", "gamma"),
    Case("share of 1", "share ~ x", one("share", 1.0), DataError, "strictly between 0 and 1", "beta"),
    Case("shares near 0 and 1", "share ~ x", put(share=lambda d: np.where(d.i % 2, 1e-99, 1 - 1e-16)), None, "x", "beta"),
    Case("three levels of a binary response", "f ~ x", keep, DataError, "levels 'a', 'b', 'c'", "bernoulli"),
    Case("text for counts", "answer ~ x", keep, DataError, "Make the column numeric", "poisson"),
    Case("constant response", "y ~ x", put(y=3.0), DataError, "is 3 in every row"),
    Case("constant text response", "f ~ x", put(f="a"), DataError, "in every row", "bernoulli"),
    Case("constant successes", "p(k, n) ~ x", put(k=5), DataError, "is 1 in every row", "binomial"),
    Case("offset out of proportion", "k ~ x + offset(i * 1000)", keep, SpecError, "cannot start", "poisson"),
]  # fmt: skip


@pytest.mark.parametrize("case", KINDS, ids=[case.name for case in KINDS])
def test_kinds_of_columns(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", VALUES, ids=[case.name for case in VALUES])
def test_values(case: Case) -> None:
    check(case)


@pytest.mark.parametrize(
    ("formula", "kind", "expected"),
    [
        ("y ~ 0 + I(x - 3)", "uint8", lambda x: x - 3),
        ("y ~ 0 + I(x ** 12)", "int8", lambda x: x**12),
        ("y ~ 0 + I(x * x * x)", "int64", lambda x: x**3),
        ("y ~ 0 + I(-x)", "bool", lambda x: -x),
        ("y ~ 0 + I(x + x)", "bool", lambda x: 2 * x),
    ],
)
def test_whole_numbers_and_truth_values_do_not_wrap_round(formula, kind, expected) -> None:
    data = frame()
    whole = (data.g % 2 if kind == "bool" else data.g * 10**9 if kind == "int64" else data.g).astype(kind)
    design = Case("", formula, put(x=whole), None, "").build()
    np.testing.assert_array_equal(design.X[:, 0], expected(whole.to_numpy(float)))


@pytest.mark.parametrize(
    "make",
    [
        lambda g: g.astype(object) + 10**20,
        lambda g: g.map(lambda v: decimal.Decimal(10**33 + v)),
        lambda g: g.astype("uint64") + 2**63,
    ],
)
def test_labels_of_many_digits_stay_apart(make) -> None:
    data = frame().assign(c=lambda d: make(d.g))
    levels = Case("", "y ~ (1 | c)", lambda _: data, None, "").build().block("c").levels
    assert list(levels) == [str(value) for value in sorted(data.c.unique())]
