"""What cens() and trunc() say of rows: codes, bounds, errors that name rows, replicated censoring, scale of priors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import bayes_glmm as bg
from bayes_glmm.design import Design, build_design, take_rows
from bayes_glmm.design.imputed import imputed
from bayes_glmm.design.notation import limit_lines
from bayes_glmm.design.recensor import censoring_limits, recensored, with_response
from bayes_glmm.design.scale import spread
from bayes_glmm.errors import DataError, GLMMError, SpecError
from bayes_glmm.spec import ModelSpec

DATA = pd.DataFrame(
    {
        "y": [1.0, 2.0, 3.0, 4.0],
        "c": ["none", "Right", "left", "interval"],
        "y2": [0.0, 0.0, 0.0, 9.0],
        "x": [0, 1, 0, 1],
        "low": [0.0, 1.0, 0.0, 2.0],
        "k": [1, 0, 2, 3],
        "event": [1, 0, 1, 1],
        "later": [False, True, False, True],
    }
)


def design(formula: str, family: str, data: pd.DataFrame = DATA) -> Design:
    return build_design(ModelSpec.from_formula(formula, family), data)


@pytest.mark.parametrize(
    ("term", "codes"),
    [("c, y2", [0, 1, -1, 2]), ("1 - event", [0, 1, 0, 0]), ("later", [0, 1, 0, 1]), ("x", [0, 1, 0, 1])],
)
def test_kinds_of_censoring_are_words_numbers_or_truth_values(term: str, codes: list[int]) -> None:
    assert_array_equal(design(f"y | cens({term}) ~ 1", "weibull").observed.code, codes)


def test_bambis_words_mean_the_same() -> None:
    for bambi, brms in (
        ("censored(y, later)", "y | cens(later)"),
        ("censored(y, y2, c)", "y | cens(c, y2)"),
        ("truncated(y, lb=0, ub=10)", "y | trunc(0, 10)"),
    ):
        assert ModelSpec.from_formula(f"{bambi} ~ x") == ModelSpec.from_formula(f"{brms} ~ x")


def test_counts_take_their_ends_in() -> None:
    found = design("y | cens(c, y2) + trunc(lb=1) ~ 1", "poisson").observed
    assert_array_equal(found.code, [0, 1, 2, 2])  # of at least 1, a count of 3 or less is one of 1 to 3
    assert_array_equal(found.values, [1, 1, 0, 3])
    assert_array_equal(found.end[2:], [3, 9])
    assert_array_equal(found.lower, [0, 0, 0, 0])


def test_what_bounds_nothing_changes_nothing() -> None:
    plain = design("y ~ x", "weibull").observed
    for term in ("cens(0 * x)", "trunc(lb=0)", "trunc(lb=0, ub=Inf) + cens(0 * x)"):
        found = design(f"y | {term} ~ x", "weibull").observed
        assert found.form == ()
        assert_array_equal(found.values, plain.values)


ERRORS = [
    ("y | cens(c) ~ x", "weibull", "no upper end", "row 3"),
    ("y | cens(c, low) ~ x", "weibull", "ends at 2, not above", "row 3"),
    ("y | cens(k) ~ x", "weibull", "'3' is no kind", "row 3"),
    ("y | trunc(lb=2) ~ x", "gaussian", "out of the bounds", "row 0"),
    ("y | trunc(ub=low) ~ x", "gaussian", "out of the bounds", "rows 0, 1, 2, 3"),
    ("y | trunc(lb=2, ub=1) ~ x", "gaussian", "between the bounds", "rows 0, 1, 2, 3"),
    ("k | trunc(lb=1) ~ x", "poisson", "out of the bounds", "row 1"),
    ("k | cens(later) ~ x", "poisson", "allows all", "row 1"),
    ("y | cens(c, y2) + trunc(lb=3.5) ~ x", "gaussian", "out of the bounds", "rows 0, 2"),
    ("y | trunc(ub=12.5) ~ x", "poisson", "whole numbers", "trunc(ub=12.5)"),
    ("y | cens(c, y3) ~ x", "weibull", "no column 'y3'", ""),
    ("k | cens(x) ~ 1", "com_poisson", "distribution function", "cens(x)"),
    ("y | trunc(lb=1) ~ 1", "zero_inflated_binomial", "distribution function", "trunc(lb=1)"),
]


@pytest.mark.parametrize(("formula", "family", "words", "where"), ERRORS)
def test_errors_say_what_is_wrong_and_where(formula: str, family: str, words: str, where: str) -> None:
    with pytest.raises(GLMMError) as caught:
        design(formula, family)
    assert words in str(caught.value)
    assert where in str(caught.value)


def test_some_rows_keep_their_limits() -> None:
    whole = design("y | cens(c, y2) + trunc(lb=-low) ~ 1", "gaussian")
    some = take_rows(whole, np.array([3, 1]))
    assert_array_equal(some.observed.code, [2, 1])
    assert_array_equal(some.observed.lower, [-2, -1])


def test_the_printed_model_names_bounds_and_censored_rows() -> None:
    spec = ModelSpec.from_formula("y | cens(c, y2) + trunc(lb=low - 1, ub=20) ~ 1")
    censored, bounds = limit_lines(spec, build_design(spec, DATA))
    assert bounds == "(low - 1)_i ≤ y_i ≤ 20"
    assert censored == "censored rows of 4: 1 right (y_i > observed), 1 left (y_i < observed), 1 in intervals " + (
        "(observed < y_i < y2)"
    )


def test_one_limit_is_that_of_every_row() -> None:
    data = pd.DataFrame({"y": [2.0, 5.0, 5.0, 1.0], "c": [0, 1, 1, -1]})
    found = design("y | cens(c) ~ 1", "gaussian", data)
    assert_array_equal(censoring_limits(found), np.array([[1.0] * 4, [5.0] * 4]))
    assert_array_equal(recensored(found, np.array([[0.0, 3.0, 9.0, 5.0]])), [[1.0, 3.0, 5.0, 5.0]])
    again = with_response(found, np.array([0.0, 3.0, 9.0, 5.0]))
    assert_array_equal(again.limits.code, [-1, 0, 1, 1])  # type: ignore[union-attr]


def test_other_limits_are_drawn_beyond_what_was_seen() -> None:
    """Independent exponential censoring: of limits that were not seen, the distribution is that beyond the response."""
    rng = np.random.default_rng(8)
    times, limits = rng.exponential(2.0, 4000), rng.exponential(3.0, 4000)
    data = pd.DataFrame({"y": np.minimum(times, limits), "c": (limits < times).astype(int)})
    _, right = censoring_limits(design("y | cens(c) ~ 1", "exponential", data))  # type: ignore[misc]
    assert (right >= data["y"]).all()
    assert_array_equal(right[data["c"] == 1], data["y"][data["c"] == 1])
    for t in (1.0, 3.0, 6.0):
        assert np.mean(right > t) == pytest.approx(np.exp(-t / 3.0), abs=4.0 * np.sqrt(0.25 / 4000) + 0.005)


def test_limits_of_intervals_are_not_known() -> None:
    found = design("y | cens(c, y2) ~ 1", "gaussian")
    assert censoring_limits(found) is None
    with pytest.raises(SpecError, match="not known"):
        with_response(found, found.y)


@pytest.mark.parametrize("kind", ["right", "left", "interval"])
def test_default_priors_have_the_scale_of_the_response_and_not_of_its_limits(kind: str) -> None:
    rng = np.random.default_rng(5)
    y = rng.normal(10.0, 3.0, 4000)
    if kind == "interval":
        low = 4.0 * np.floor(y / 4.0)
        data = pd.DataFrame({"y": low, "y2": low + 4.0, "c": 2})
    else:
        code, limit = (1, 9.0) if kind == "right" else (-1, 11.0)
        beyond = y > limit if kind == "right" else y < limit
        data = pd.DataFrame({"y": np.where(beyond, limit, y), "y2": 0.0, "c": np.where(beyond, code, 0)})
    spec = ModelSpec.from_formula("y | cens(c, y2) ~ 1")
    found = build_design(spec, data)
    values, _ = imputed(spec, found)
    assert values.mean() == pytest.approx(10.0, abs=0.3)
    assert spread(spec, found) == pytest.approx(3.0, rel=0.08)


def test_the_middle_of_survival_times_is_not_that_of_their_limits() -> None:
    rng = np.random.default_rng(6)
    times = rng.lognormal(3.0, 0.5, 2000)
    data = pd.DataFrame({"t": np.minimum(times, 15.0), "c": times > 15.0})  # 7 of 10 are censored
    model = bg.GLMM("t | cens(c) ~ 1", data, "lognormal")
    prior = dict(model.priors.entries["beta[Intercept]"].keyword)
    assert prior["mu"] == pytest.approx(3.0, abs=0.1)


def test_missing_ends_are_missing_values() -> None:
    with pytest.raises(DataError, match="column 'y2'"):
        design("y | cens(c, y2) ~ x", "gaussian", DATA.assign(y2=[np.nan, 1.0, 1.0, 9.0]))


def test_scale_of_exact_rows_is_untouched() -> None:
    spec = ModelSpec.from_formula("y | trunc(ub=10) ~ x")
    found = build_design(spec, DATA)
    assert_allclose(imputed(spec, found)[0], DATA["y"])
