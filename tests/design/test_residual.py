"""Blocks of rows with correlated residuals: occasions, gaps, patterns, and their priors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import bayes_glmm as bg
from bayes_glmm.design.residual import Residual
from bayes_glmm.errors import GLMMError
from bayes_glmm.spec import Prior


def data() -> pd.DataFrame:
    """Six people on four occasions; two of them miss some, rows are in no order."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.repeat(list("abcdef"), 4), "week": np.tile([0, 4, 8, 16], 6)})
    frame = frame.assign(x=rng.normal(size=24), y=rng.normal(size=24), when=frame["week"].map("week {}".format))
    return frame.drop([1, 6, 7]).sample(frac=1.0, random_state=1).reset_index(drop=True)


def residual(term: str, frame: pd.DataFrame | None = None, **priors: str) -> Residual:
    found = bg.GLMM(f"y ~ x + {term}", data() if frame is None else frame, priors=priors).design.residual
    assert found is not None
    return found


def test_steps_count_gaps_of_all_occasions() -> None:
    found = residual("ar(week, gr = id)")
    assert found.labels == ("0", "4", "8", "16")
    assert_array_equal(found.occasions.steps, [0, 1, 2, 4])
    assert_array_equal(residual("ar(when, gr = id)").occasions.steps, [0, 1, 2, 4])  # the numbers in text
    assert_array_equal(residual("unstr(week, gr = id)").occasions.steps, [0, 1, 2, 3])


def test_levels_with_the_same_occasions_are_a_pattern() -> None:
    found, frame = residual("ar(week, gr = id)"), data()
    assert sorted(len(pattern.rows) for pattern in found.patterns) == [1, 1, 4]
    for pattern in found.patterns:
        for level, rows in zip(pattern.levels, pattern.rows, strict=True):
            assert (frame["id"].to_numpy()[rows] == found.levels[level]).all()
            assert_array_equal(frame["week"].to_numpy()[rows], np.array([0, 4, 8, 16])[pattern.at])


def test_rows_without_occasions_are_numbered_within_their_level() -> None:
    found = residual("cosy(gr = id)")
    assert found.labels == ("1", "2", "3", "4")
    assert_allclose(found.occasions.low, -1 / 3)


@pytest.mark.parametrize(
    ("frame", "term", "words"),
    [
        (data().assign(week=lambda one: one["week"] ** 1.5), "ar(week, gr = id)", "not whole steps apart"),
        (data().assign(week=lambda one: one["week"].replace(4, 0)), "ar(week, gr = id)", "two rows on one occasion"),
        (data().assign(week=lambda one: one["week"].replace(4, 0)), "unstr(week, gr = id)", "two rows on one occasion"),
        (data().assign(week=list("abcdefghijklmnopqrstu")), "ar(week, gr = id)", "have no order"),
        (data().assign(id=range(21)), "cosy(gr = id)", "No level of id has two rows"),
        (data().assign(week=range(21), id=["a"] * 11 + ["b"] * 10).iloc[:3], "unstr(week, gr = id)", ""),
    ],
)
def test_data_that_do_not_fit_are_refused(frame: pd.DataFrame, term: str, words: str) -> None:
    if not words:
        assert residual(term, frame).labels == tuple(map(str, range(3)))
        return
    with pytest.raises(GLMMError, match=words):
        residual(term, frame)


def test_too_many_occasions_are_refused() -> None:
    frame = pd.DataFrame(
        {"id": np.repeat([0, 1], 40), "week": np.tile(np.arange(40), 2), "y": np.arange(80.0), "x": 1.0}
    )
    frame["x"] = np.cos(np.arange(80))
    with pytest.raises(GLMMError, match="40 occasions: it takes 30"):
        residual("unstr(week, gr = id)", frame)


def test_categories_have_their_own_order() -> None:
    order = pd.CategoricalDtype(["late", "early", "mid", "last"], ordered=True)
    when = data()["week"].map({0: "late", 4: "early", 8: "mid", 16: "last"}).astype(order)
    found = residual("ar(week, gr = id)", data().assign(week=when))
    assert found.labels == ("late", "early", "mid", "last")
    assert_array_equal(found.occasions.steps, np.arange(4))


@pytest.mark.parametrize(
    ("term", "key", "prior", "low", "shapes"),
    [
        ("ar(week, gr = id)", "rho", "LKJ(3)", -1.0, [3.0]),
        ("ar(week, gr = id)", "rho", "Uniform(0, 1)", 0.0, [1.0]),
        ("cosy(gr = id)", "cosy", "Uniform(lower=0, upper=1)", 0.0, [1.0]),
        ("unstr(week, gr = id)", "cor_residual", "LKJ(eta=2)", -1.0, [3.0, 3.0, 2.5, 3.0, 2.5, 2.0]),
    ],
)
def test_a_prior_becomes_one_of_places(term: str, key: str, prior: str, low: float, shapes: list[float]) -> None:
    model = bg.GLMM(f"y ~ x + {term}", data(), priors={key: prior})
    found = model.design.residual
    assert found is not None
    assert found.occasions.low == low
    assert str(model.priors[key]) == str(Prior.parse(prior))
    own = [dict(model.priors.scalars[name].keyword) for name in found.names]
    assert [one["alpha"] for one in own] == shapes == [one["beta"] for one in own]


@pytest.mark.parametrize(
    ("term", "key", "prior", "words"),
    [
        ("ar(week, gr = id)", "rho", "Normal(0, 1)", "not one of a correlation"),
        ("cosy(gr = id)", "cosy", "Uniform(-1, 1)", "leaves the range of cosy"),
        ("unstr(week, gr = id)", "cor_residual", "Uniform(0, 1)", "not one of a correlation"),
        ("cosy(gr = id)", "rho", "LKJ(1)", "no parameter 'rho'"),
    ],
)
def test_other_priors_are_refused(term: str, key: str, prior: str, words: str) -> None:
    with pytest.raises(GLMMError, match=words):
        bg.GLMM(f"y ~ x + {term}", data(), priors={key: prior})


def test_the_model_is_printed_with_its_correlation() -> None:
    text = str(bg.GLMM("y ~ x + ar(week, gr = id)", data(), priors={"rho": "LKJ(2)"}))
    assert "residuals of one id: corr(i, j) = ρ^d, d steps of week,  6 levels of 2 to 4 rows" in text
    assert "place of ρ between -1 and 1 ~ Beta(2, 2)" in text
    assert "cor_residual ~ LKJ(eta=1)" in str(bg.GLMM("y ~ x + unstr(week, gr = id)", data()))
