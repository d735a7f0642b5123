"""Spellings of R, brms, patsy and Bambi are translated, or answered with what to write here; never by their letters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest

import bayes_glmm as bg
from bayes_glmm.errors import DataError, GLMMError, SpecError, choices
from bayes_glmm.families import FAMILIES, get_family
from tests.hostile.cases import Case, check, frame, keep, put

FORMULAS = [
    ('y ~ C(f, Treatment("b"))', 'Write T(f, "b").'),
    ('y ~ C(f, Treatment(reference="b"))', 'Write T(f, "b").'),
    ("y ~ C(f, Sum)", "Write S(f)"),
    ("y ~ factor(f)", "Write C(f)."),
    ("y ~ as.factor(k)", "Write C(k)."),
    ('y ~ relevel(f, ref="b")', 'Write T(f, "b").'),
    ("y ~ interaction(f, b)", "Write f:b."),
    ("y ~ x^2", "Write a power as **"),
    ("y ~ I(x^2)", "Write a power as **"),
    ("y ~ (x + z)^2", "Write a power as **"),
    ("y ~ poly(x, 2, raw=TRUE)", "Write True."),
    ("y ~ poly(x, 2, raw=T)", "Write True."),
    ("y ~ I(x == TRUE)", "Write True."),
    ("y ~ ns(x, df=3)", "bs(x, df=4)"),
    ("y ~ s(x)", "bs(x, df=5)"),
    ("y ~ te(x, z)", "not supported"),
    ("y ~ hsgp(x, m=10, c=2)", "bs(x, df=5)"),
    ('y ~ Q("x")', "Write `x`"),
    ("y ~ numpy.log(z)", "Write log(z)."),
    ("y ~ ifelse(x > 0, 1, 0)", "Write where(x > 0, 1, 0)."),
    ("y ~ pmax(x, z)", "Write maximum(x, z)."),
    ("y ~ log(x, 2)", "log2(x)"),
    ("y ~ scale(x, scale=FALSE)", "center(x)"),
    ("y ~ mo(k)", "Write k, or C(k)."),
    ("y ~ me(x, z)", "not supported"),
    ("y ~ f %in% c('a', 'b')", "(x == 'a') + (x == 'b')"),
    ("y ~ x %% 2", "I(x % 2)"),
    ("y ~ I(x > 0 & z > 1)", "I((x > 1) * (z < 2))"),
    ("y ~ I(x > 0 and z > 1)", "I((x > 1) * (z < 2))"),
    ("y ~ I(not x)", "Write 'not' as"),
    ("y ~ .", "Name the columns"),
    ("y ~ x + offset=log(z)", "Write + offset(log(z))."),
    ("y ~ x + weights=z", "y | weights(z, frequency)"),
    ("y ~ x + weights(z)", "y | weights(z, frequency)"),
    ("y ~ (1|gr(g))", "Write (1 | g)."),
    ("y ~ (1|mm(g, f))", "Multi-membership is not supported"),
    ("y ~ (1|g*f)", "Write (1 | g) + (1 | f) + (1 | g:f)."),
    ("y ~ (1|f %in% g)", "(1 | g:f)"),
    ("y ~ (1|factor(g))", "Write (1 | g)"),
    ("y ~ un(x | g)", "Write (x | g)."),
    ("y ~ toep(0 + t | g)", "cs(0 + f | g), ar1(0 + C(t) | g)"),
    ("y ~ ar1(x)", "those of gaussian residuals"),
    ("y ~ x | g", "(x | g)"),
    ("y ~ Error(g)", "Write (1 | g)"),
    ("y ~ x$z", "Name the column alone"),
    ("y ~ i.f##c.x", "a * b"),
    ("y | weights(z) ~ x", "weights(z, frequency): each row counts as w identical rows"),
    ("y | weights(z, sampling, 2) ~ x", "weights(w, sampling, g)"),
    ("weighted(y, z) ~ x", "y | weights(z, frequency)"),
    ("y | se(z, sigma=TRUE) ~ x", "(1 | row)"),
    ("y | cens(z, x, x) ~ x", "intervals from y to y2"),
    ("k | rates(z) ~ x", "trunc(lb=0, ub=10)"),
    ("k/n ~ x", "Write p(k, n)"),
    ("bf(y ~ x)", "Write the formula itself"),
    ("Surv(x, y) ~ z", "cens(1 - y)"),
    ("y = x + z", "Write '~' for '='"),
    ("y ~ x, random = ~ 1 | g", "y ~ x + (1 | g)"),
]


@pytest.mark.parametrize(("formula", "words"), FORMULAS)
def test_formulas_are_answered_with_ours(formula: str, words: str) -> None:
    with pytest.raises(GLMMError) as caught:
        Case("", formula, keep, None, "").build()
    assert words in caught.value.advice
    assert "Did you mean" not in caught.value.advice


@pytest.mark.parametrize("name", ["pi", "TRUE", "T", "NA", "in", "log", "c"])
def test_a_column_of_that_name_is_the_column(name: str) -> None:
    check(Case("", f"y ~ {name}", put(**{name: frame()["x"]}), None, name))


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        *((name, "negative_binomial") for name in ("nbinom", "nbinom2", "nb", "negbinomial", "NegativeBinomial")),
        *((name, "student_t") for name in ("student", "t", "Student")),
        *((name, "gaussian") for name in ("normal", "Gaussian")),
        ("Gamma", "gamma"),
        *((name, "cumulative") for name in ("ordinal", "ordered", "clm", "clmm", "polr")),
        *((name, "negative_binomial_1") for name in ("nbinom1", "NB1")),
        *((name, "beta_binomial") for name in ("betabinomial", "BetaBinomial", "beta.binomial")),
        *((name, "hurdle_poisson") for name in ("hurdle-poisson", "HurdlePoisson")),
        *((name, "hurdle_negative_binomial") for name in ("hurdle_negbinomial", "HurdleNegBinomial")),
        ("ztpoisson", "truncated_poisson"),
        ("truncated_nbinom2", "truncated_negative_binomial"),
        ("truncated_nbinom1", "truncated_negative_binomial_1"),
        *((name, "zero_inflated_negative_binomial") for name in ("zinb", "zero_inflated_negbinomial")),
        ("zeroinflated.negbinomial", "zero_inflated_negative_binomial"),
        ("zi_binomial", "zero_inflated_binomial"),
        ("zero_inflated_betabinomial", "zero_inflated_beta_binomial"),
        ("Geometric", "geometric"),
        *((name, "sratio") for name in ("sequential", "StoppingRatio", "stopping_ratio")),
        *((name, "cratio") for name in ("continuation_ratio", "ContinuationRatio")),
        *((name, "acat") for name in ("AdjacentCategory", "adjacent")),
    ],
)
def test_families_of_the_same_likelihood(name: str, ours: str) -> None:
    assert get_family(name) is FAMILIES[ours]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nbinom12", "Write family='negative_binomial'"),
        ("quasipoisson", "Write family='negative_binomial'"),
        ("quasibinomial", "Write family='beta_binomial'"),
        ("binom", "Write family='binomial'"),
        ("Gamma(link=log)", "Write family='gamma', link='log'"),
        ("binomial('probit')", "Write family='binomial', link='probit'"),
        *((name, "Write family='cumulative'") for name in ("ordered_probit", "ordinal_logistic", "clmm2")),
        *((name, "Zero-inflated") for name in ("zero_inflated_beta", "hurdle_weibull", "truncated_binomial")),
        *((name, "Write family='categorical'") for name in ("softmax", "mlogit", "mclogit")),
        ("dirichlet", "not supported"),
        *((name, "not supported") for name in ("frechet", "exgaussian", "shifted_lognormal", "skew_normal", "tweedie")),
    ],
)
def test_families_that_are_not_there(name: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        get_family(name)
    assert words in caught.value.advice
    assert "Did you mean" not in caught.value.advice
    assert "poisson, negative_binomial" in caught.value.advice  # those that are


@pytest.mark.parametrize(("name", "ours"), [("bernouli", "bernoulli"), ("poison", "poisson"), ("gausian", "gaussian")])
def test_misspelt_families(name: str, ours: str) -> None:
    with pytest.raises(SpecError, match=f"Did you mean '{ours}'"):
        get_family(name)


def test_case_does_not_matter_to_a_suggestion() -> None:
    assert choices("AGE", ["sex", "Age"]).startswith("Did you mean 'Age'?")


def _not_frames() -> list[tuple[object, str]]:
    data = frame()
    return [
        (data.to_dict(), "pd.DataFrame(data)"),
        (data.to_dict("records"), "pd.DataFrame(data)"),
        (data[["x", "z"]].to_numpy(), "pd.DataFrame(data, columns=['y', 'x'])"),
        (data.to_xarray(), "data.to_dataframe().reset_index()"),
        (data["y"], "data.to_frame()"),
        ("data.csv", "pd.read_csv(data)"),
        (type("DataFrame", (), {"__module__": "polars.dataframe.frame"})(), "data.to_pandas()"),
        (type("LazyFrame", (), {"__module__": "polars.lazyframe.frame"})(), "data.collect().to_pandas()"),
    ]


@pytest.mark.parametrize("i", range(8))
def test_other_tables_are_told_how_to_become_a_frame(i: int) -> None:
    table, words = _not_frames()[i]
    with pytest.raises(DataError) as caught:
        Case("", "y ~ x", lambda _: table, None, "").build()
    assert words in caught.value.advice
    assert "not a pandas DataFrame" in caught.value.what


class Exported:
    """A table of another package: nothing is known of it but that it exports Arrow columns."""

    def __init__(self, table: pyarrow.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("wrap", [lambda table: table, Exported], ids=["pyarrow", "other"])
def test_tables_that_export_arrow_columns_are_taken(wrap: Callable[[pyarrow.Table], Any]) -> None:
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"x": rng.normal(size=40), "f": pd.Categorical(list("abcd") * 10, list("dcba"))})
    data = data.assign(g=np.repeat(np.arange(8), 5), y=rng.normal(size=40))
    ours, theirs = (bg.GLMM("y ~ x + f + (1 | g)", one) for one in (data, wrap(pyarrow.Table.from_pandas(data))))
    assert ours.design.encoder.columns == theirs.design.encoder.columns
    np.testing.assert_array_equal(ours.design.y, theirs.design.y)
    np.testing.assert_array_equal(ours.design.predictors.fixed[0].X, theirs.design.predictors.fixed[0].X)
    laplace = bg.approx.laplace(ours)
    rows = pd.DataFrame({"x": [0.0, 1.0], "f": ["d", "a"]})
    expected = laplace.predict(rows, "zero").table
    found = laplace.predict(wrap(pyarrow.Table.from_pandas(rows)), "zero").table
    np.testing.assert_array_equal(found["estimate"], expected["estimate"])


def test_a_missing_value_of_an_arrow_table_is_found() -> None:
    table = pyarrow.table({"y": [1.0, None, 3.0, 2.0], "x": [1, 2, 3, 5]})
    with pytest.raises(DataError, match=r"'y'.*missing"):
        bg.GLMM("y ~ x", table)


def test_an_ordered_response_is_not_sent_to_bernoulli() -> None:
    for ordered in (True, False):
        data = put(f=pd.Categorical(list("abc") * 10, ordered=ordered))
        with pytest.raises(DataError) as caught:
            Case("", "f ~ x", data, None, "").build()
        assert "For ordered categories write family='cumulative'" in caught.value.advice
        assert "bernoulli" not in str(caught.value)


def test_a_missing_group_is_not_told_to_use_what_it_uses() -> None:
    from bayes_glmm.effects import predict
    from bayes_glmm.posterior import posterior_at
    from bayes_glmm.spec import ModelSpec

    spec = ModelSpec.from_formula("y ~ x + (1 | g)")
    posterior = posterior_at(spec, frame(), beta=[0.0, 1.0], G={"g": np.eye(1)}, auxiliary={"sigma": 1.0})
    new = pd.DataFrame({"x": [0.0, 1.0], "g": [1.0, np.nan]})
    with pytest.raises(DataError) as caught:
        predict(posterior, new, random_effects="known_or_new")
    assert "known_or_new" not in str(caught.value)
    assert "row 1" in caught.value.where
