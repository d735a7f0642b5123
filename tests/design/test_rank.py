"""Columns that depend on earlier ones are left out, as lme4 does; rows that the data do not determine are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.design import Design, build_design, new_predictors
from bayes_glmm.design.rank import rank_of
from bayes_glmm.spec import ModelSpec

N = 60


def data() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    arm, visit = np.repeat([*"abc"], 20), np.tile([*"1234"], 15)
    x = rng.normal(size=N)
    return pd.DataFrame(
        {
            "y": rng.normal(size=N),
            "arm": arm,
            "visit": visit,
            "x": x,
            "twice": 2.0 * x,
            "z": rng.normal(size=N),
            "one": 3.0,
        }
    )


def design(right: str, frame: pd.DataFrame | None = None) -> Design:
    return build_design(ModelSpec.from_formula(f"y ~ {right}"), data() if frame is None else frame)


@pytest.mark.parametrize(
    ("right", "aliased"),
    [
        ("x + one", ("one",)),
        ("x + twice", ("twice",)),
        ("twice + x", ("x",)),  # the later one, whichever it is
        ("x + z + I(x - z)", ("I(x - z)",)),
        ("0 + arm + one", ("one",)),
        ("x + z", ()),
        ("0 + x + one", ()),
        ("1", ()),
    ],
)
def test_later_columns_are_left_out(right: str, aliased: tuple[str, ...]) -> None:
    made = design(right)
    assert aliased == made.aliased
    assert not set(aliased) & set(made.coefficients)
    assert np.linalg.matrix_rank(made.X) == len(made.coefficients)


def test_an_empty_cell_of_an_interaction() -> None:
    """lme4 of `y ~ arm * visit` with no row of arm c at visit 4: it drops armc:visit4 and says so."""
    frame = data().query("not (arm == 'c' and visit == '4')")
    made = design("arm * visit", frame)
    assert made.aliased == ("arm[c]:visit[4]",)
    assert len(made.coefficients) == 11
    # what is fitted are the eleven cell means
    fitted = made.X @ np.linalg.lstsq(made.X, made.y)[0]
    assert_allclose(fitted, made.data.groupby(["arm", "visit"])["y"].transform("mean"), atol=1e-12)


def test_rows_are_estimable_where_the_data_determine_them() -> None:
    frame = data().query("not (arm == 'c' and visit == '4')")
    made = design("arm * visit", frame)
    cells = pd.DataFrame([(arm, visit) for arm in "abc" for visit in "1234"], columns=["arm", "visit"])
    np.testing.assert_array_equal(new_predictors(made, cells).estimable, [True] * 11 + [False])
    assert new_predictors(design("arm * visit"), cells).estimable is None
    # of duplicated columns, rows that repeat the dependence are determined and no others
    twice = design("x + twice")
    rows = pd.DataFrame({"x": [1.0, 1.0, -300.0], "twice": [2.0, 2.1, -600.0]})
    np.testing.assert_array_equal(new_predictors(twice, rows).estimable, [True, False, True])


@pytest.mark.parametrize("origin", [0.0, 1.0, 10.0, 100.0, 1e3, 1e4])
@pytest.mark.parametrize("right", ["year + I(year ** 2)", "year * arm", "year + I(year ** 2) + arm"])
def test_an_origin_far_away_aliases_nothing(right: str, origin: float) -> None:
    """The origin in sds of year: year and its square correlate to 1 - 1e-9, and are two columns nevertheless."""
    frame = data().assign(year=data()["x"] + origin)
    assert design(right, frame).aliased == ()


def test_units_alias_nothing() -> None:
    frame = data().assign(tiny=1e-12 * data()["z"], huge=1e12 * data()["x"])
    assert design("tiny + huge + arm", frame).aliased == ()


def test_a_constant_up_to_rounding_is_a_constant() -> None:
    frame = data().assign(nearly=0.1 + 0.2 + np.where(np.arange(N) % 2, 1e-17, 0.0))
    frame.loc[::3, "nearly"] = 0.3
    assert design("x + nearly", frame).aliased == ("nearly",)


def test_the_combination_is_that_of_the_columns() -> None:
    rng = np.random.default_rng(1)
    A = rng.normal(size=(40, 4))
    X = np.column_stack([A, A @ [1.0, 0.0, -2.0, 0.5], A[:, 1]])
    rank = rank_of(X)
    np.testing.assert_array_equal(rank.kept, np.arange(4))
    np.testing.assert_array_equal(rank.aliased, [4, 5])
    assert_allclose(rank.combination, np.array([[1.0, 0.0, -2.0, 0.5], [0.0, 1.0, 0.0, 0.0]]).T, atol=1e-12)
    assert rank.estimable(X).all()


def test_more_columns_than_rows() -> None:
    with pytest.raises(bg.DataError, match=r"13 columns, the data 12 rows.*random effects.*horseshoe"):
        design("arm * visit + x", data().iloc[::5])


def test_a_model_of_aliased_columns_has_priors_for_those_kept() -> None:
    model = bg.GLMM("y ~ x + twice + (1 | arm)", data())
    assert [name for name in model.priors.entries if name.startswith("beta")] == ["beta[Intercept]", "beta[x]"]
    with pytest.raises(bg.SpecError, match="no parameter 'twice'"):
        bg.GLMM("y ~ x + twice + (1 | arm)", data(), priors={"twice": "Normal(0, 1)"})
