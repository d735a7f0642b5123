"""Odd categories without an order: one message before sampling that says what is wrong and what to do; or a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.errors import DataError, SpecError
from tests.hostile.cases import is_refused, sixty_rows

ROWS = 60
NUMBER = np.random.default_rng(0).integers(1, 4, ROWS)
TEXT = np.array(list("abc"))[NUMBER - 1]
WITHOUT_B = [None if label == "b" else label for label in TEXT]


def frame(y: Any = TEXT, **columns: Any) -> pd.DataFrame:
    return sixty_rows(y, **columns)


def model(
    y: Any = TEXT, formula: Any = "y ~ x + (1 | g)", priors: Mapping[str, str] | None = None, **columns: Any
) -> bg.GLMM:
    return bg.GLMM(formula, frame(y, **columns), "categorical", priors=priors)


RESPONSES: dict[str, tuple[Any, Sequence[str]]] = {
    "one label": (np.repeat("a", ROWS), ["one category", "column 'y'"]),
    "one of two declared": (pd.Categorical(["a"] * ROWS, ["a", "b"]), ["one category", "column 'y'"]),
    "fractions": (NUMBER + 0.5, ["1.5", "no whole number", "column 'y'", "pd.cut"]),
    "51 numbers": (np.arange(ROWS) % 51, ["51 categories", "column 'y'"]),
    "51 labels": (np.array([f"c{k % 51}" for k in range(ROWS)]), ["51 categories", "column 'y'"]),
    "missing numbers": (np.where(NUMBER == 2, np.nan, NUMBER), ["missing", "column 'y'", "missing='drop'"]),
    "missing text": (WITHOUT_B, ["missing", "column 'y'", "missing='drop'"]),
    "infinite": (np.where(NUMBER == 2, np.inf, NUMBER), ["infinite", "column 'y'"]),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_without_categories_is_refused(name: str) -> None:
    y, words = RESPONSES[name]
    is_refused(lambda: model(y), DataError, *words)


def test_what_is_like_categories_works() -> None:
    """Their order is that of the alphabet, of numbers or of a categorical: the first is the reference."""
    cases: dict[str, tuple[Any, tuple[str, ...]]] = {
        "numbers": (NUMBER * 10 - 20, ("-10", "0", "10")),
        "truth": (NUMBER > 1, ("False", "True")),
        "numbers as text": (np.where(NUMBER == 3, "10", NUMBER.astype(str)), ("1", "10", "2")),
        "in an order": (pd.Categorical(TEXT, ["c", "a", "b"], ordered=True), ("c", "a", "b")),
        "without one": (pd.Categorical(TEXT, ["b", "c", "a"]), ("b", "c", "a")),
        "50": (np.arange(ROWS) % 50, tuple(map(str, range(50)))),
    }
    for name, (y, expected) in cases.items():
        made = model(y, "y ~ 1" if name == "50" else "y ~ x + (1 | g)")
        assert made.design.categories == expected, name
        assert len(made.design.predictors.fixed) == len(expected) - 1


def test_a_declared_category_that_no_row_has_is_left_out_and_named() -> None:
    made = model(pd.Categorical(TEXT, ["a", "zz", "b", "c"]))
    assert made.design.categories == ("a", "b", "c")
    (found,) = [str(one) for one in made.findings if "zz" in str(one)]
    assert "probability is 0" in found
    dropped = bg.GLMM("y ~ x", frame(WITHOUT_B), "categorical", missing="drop")
    assert dropped.design.categories == ("a", "c")


FORMULAS: dict[str, tuple[Any, Sequence[str]]] = {
    "of sigma": (["y ~ x", "sigma ~ x"], ["no parameter 'sigma'"]),
    "trials": ("y | trials(5) ~ x", ["takes no trials"]),
    "successes": ("p(y, 5) ~ x", ["takes no trials"]),
    "weights": ("y | weights(x) ~ x", ["weights(x, frequency)"]),
    "a sum": ("y + 1 ~ x", ["I(y + 1)"]),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_that_categories_do_not_have_is_refused(name: str) -> None:
    formula, words = FORMULAS[name]
    is_refused(lambda: model(formula=formula), SpecError, *words)


@pytest.mark.parametrize("link", ["probit", "log", {"mub": "probit"}])
def test_another_link_is_refused(link: Any) -> None:
    with pytest.raises(SpecError, match="link"):
        bg.GLMM("y ~ x", frame(), "categorical", link)


@pytest.mark.parametrize("formula", ["y ~ offset(x)", "y ~ x + offset(2 * x) + (1 | g)", "y ~ 0 + x", "y ~ 0 + f"])
def test_offsets_and_formulas_without_a_constant_are_fitted(formula: str) -> None:
    """An offset enters each predictor but the reference's, which has none: a slope less what it moves."""
    fit = bg.approx.laplace(model(formula=formula, f=np.where(np.arange(ROWS) % 2, "p", "q")))
    assert np.isfinite(fit.log_likelihood)
    rows = pd.DataFrame({"x": [0.0, 1.0], "f": ["p", "q"]})
    assert fit.predict(rows, "integrated").table["estimate"].between(0.0, 1.0).all()
    if "2 * x" in formula:
        without = bg.approx.laplace(model())
        assert fit.log_likelihood == pytest.approx(without.log_likelihood, abs=1e-6)
        a, b = (one.coefficients_with_errors.set_index("parameter")["estimate"] for one in (fit, without))
        assert a["mub_x"] == pytest.approx(b["mub_x"] - 2.0, abs=1e-4)


KEYS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "x": ({"x": "Normal(0, 1)"}, dict.fromkeys(("beta_mub[x]", "beta_muc[x]"), "Normal(0, 1)")),
    "mub.x": ({"mub.x": "Normal(0, 1)", "beta": "Normal(0, 2)"}, {"beta_mub[x]": "Normal(0, 1)"}),
    "in full": ({"beta_muc[x]": "Normal(0, 1)", "x": "Normal(0, 2)"}, {"beta_mub[x]": "Normal(0, 2)"}),
    "mub.Intercept": (
        {"mub.Intercept": "Normal(1, 1)", "Intercept": "Normal(0, 5)"},
        {"beta_mub[Intercept]": "Normal(1, 1)", "beta_muc[Intercept]": "Normal(0, 5)"},
    ),
    "sds": (
        {"sd": "HalfNormal(3)", "muc.sd_g": "HalfNormal(1)"},
        {"sd_g[mub_Intercept]": "HalfNormal(3)", "sd_g[muc_Intercept]": "HalfNormal(1)"},
    ),
}


@pytest.mark.parametrize("name", KEYS)
def test_priors_are_set_by_the_most_particular_key(name: str) -> None:
    priors, expected = KEYS[name]
    found = model(priors=priors).priors
    assert {key: str(found[key]) for key in expected} == expected


PRIORS: dict[str, tuple[dict[str, str], Sequence[str]]] = {
    "of the reference": ({"mua.x": "Normal(0, 1)"}, ["'mua.x'", "muc.x"]),
    "of no category": ({"mud.x": "Normal(0, 1)"}, ["'mud.x'", "muc.x"]),
    "of no column": ({"mub.z": "Normal(0, 1)"}, ["'mub.z'", "mub.x"]),
    "of mu": ({"mu.x": "Normal(0, 1)"}, ["'mu.x'", "mub.x"]),
    "of thresholds": ({"threshold": "Normal(0, 1)"}, ["'threshold'", "mub.Intercept"]),
    "of no correlation": ({"corr": "LKJ(2)"}, ["'corr'"]),
    "twice": ({"mub.x": "Normal(0, 1)", "beta_mub[x]": "Normal(0, 1)"}, ["are one parameter"]),
    "of a negative sd": ({"mub.sd": "Normal(0, 1)"}, ["sd_g[mub_Intercept]", "HalfNormal"]),
    "with a negative scale": ({"mub.x": "Normal(0, -1)"}, ["sigma > 0", "beta_mub[x]"]),
}


@pytest.mark.parametrize("name", PRIORS)
def test_a_prior_that_categories_cannot_have_is_refused(name: str) -> None:
    priors, words = PRIORS[name]
    is_refused(lambda: model(priors=priors), SpecError, *words)


@pytest.mark.parametrize("name", ["mub", "beta_mub", "b_mub", "mub_Intercept", "category", "coefficient_mub"])
def test_columns_may_be_called_like_variables_of_the_model(name: str) -> None:
    """The response, a group or a covariate."""
    response = bg.GLMM(f"{name} ~ x + (1 | g)", frame().rename(columns={"y": name}), "categorical")
    assert response.design.response_variable in response.pymc.named_vars
    group = bg.GLMM(f"y ~ x + (1 | {name})", frame(**{name: np.arange(ROWS) % 6}), "categorical")
    assert f"u_{name}" in group.pymc.named_vars
    covariate = bg.GLMM(f"y ~ {name}", frame(**{name: np.linspace(-1.0, 1.0, ROWS)}), "categorical")
    fit = bg.approx.laplace(covariate)
    assert set(fit.posterior.draws["posterior"].data_vars) == {"beta_mub", "beta_muc"}
    assert len(fit.predict(pd.DataFrame({name: [0.0]}), "zero").table) == 3


def test_separation_is_a_finding_and_its_absence_is_none() -> None:
    """Of one category against both others, of it in one level of a factor alone, and of none."""

    def names(formula: str, y: Any) -> list[str]:
        f = np.where(np.arange(ROWS) % 2, "p", "q")
        made = bg.GLMM(formula, pd.DataFrame({"y": y, "x": np.linspace(-1.0, 1.0, ROWS), "f": f}), "categorical")
        return [str(one) for one in made.findings if "separates" in str(one)]

    (found,) = names("y ~ x + f", np.where(np.arange(ROWS) > 40, "c", np.where(NUMBER > 1, "a", "b")))
    assert found.startswith("x separates a category from others")
    level = np.where((np.arange(ROWS) % 2 == 0) & (NUMBER == 1), "c", np.where(NUMBER == 2, "a", "b"))
    (found,) = names("y ~ f + x", level)
    assert found.startswith("f[q] separates")
    assert not names("y ~ x + f", TEXT)


def test_new_data_need_no_response() -> None:
    fit, rows = bg.approx.laplace(model()), pd.DataFrame({"x": [0.0, 1.0], "g": [0, 5]})
    for reading in ("integrated", "zero", "known"):
        expected = fit.predict(rows, reading).table["estimate"].to_numpy()
        for response in ("other words", 99, None):
            found = fit.predict(rows.assign(y=response), reading).table["estimate"].to_numpy()
            np.testing.assert_array_equal(found, expected)
