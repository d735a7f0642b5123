"""Odd ordered categories: one message before sampling that says what is wrong, where and what to do; or a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.errors import ConfigError, DataError, GLMMError, SpecError
from bayes_glmm.runs.job import prepare
from tests.hostile.cases import is_refused, refused, sixty_rows

ROWS = 60
WORDS = ["low", "mid", "high", "top"]
NUMBER = np.random.default_rng(0).integers(1, 5, ROWS)


def frame(y: Any = NUMBER, **columns: Any) -> pd.DataFrame:
    return sixty_rows(y, **columns)


def ordered(labels: Sequence[Any]) -> pd.Categorical:
    return pd.Categorical.from_codes(NUMBER - 1, pd.Index(list(labels)), ordered=True)


def model(
    y: Any = NUMBER, formula: Any = "y ~ x + (1 | g)", priors: Mapping[str, str] | None = None, **columns: Any
) -> bg.GLMM:
    return bg.GLMM(formula, frame(y, **columns), "cumulative", priors=priors)


TEXT = np.array(WORDS)[NUMBER - 1]
RESPONSES: dict[str, tuple[Any, Sequence[str]]] = {
    "text": (TEXT, ["order of the categories is not known", "column 'y'", "ordered=True", "categories:"]),
    "text in a categorical": (pd.Categorical(TEXT), ["order of the categories is not known", "ordered=True"]),
    "numbers as text": (NUMBER.astype(str), ["order of the categories is not known", "ordered=True"]),
    "one number": (np.ones(ROWS), ["one category", "column 'y'"]),
    "one label": (pd.Categorical(["a"] * ROWS, ordered=True), ["one category", "column 'y'"]),
    "one of two declared": (pd.Categorical(["a"] * ROWS, ["a", "b"], ordered=True), ["one category", "column 'y'"]),
    "halves": (NUMBER + 0.5, ["1.5", "no whole number", "column 'y'", "pd.cut"]),
    "logarithms": (np.log(NUMBER), ["no whole number", "column 'y'"]),
    "51 numbers": (np.arange(ROWS) % 51, ["51 categories", "column 'y'"]),
    "51 labels": (
        pd.Categorical.from_codes(np.arange(ROWS) % 51, pd.Index([f"c{k}" for k in range(51)]), ordered=True),
        ["51 categories", "column 'y'"],
    ),
    "infinite": (np.where(NUMBER == 4, np.inf, NUMBER), ["infinite", "column 'y'", "rows"]),
    "missing": (np.where(NUMBER == 4, np.nan, NUMBER), ["missing", "column 'y'", "missing='drop'"]),
    "dates": (pd.Timestamp("2020-01-01") + pd.to_timedelta(NUMBER, "D"), ["column 'y'", "datetime64"]),
    "complex": (NUMBER.astype(complex), ["column 'y'", "complex"]),
    "labels alike as text": (ordered([1, "1", 2, 3]), ["column 'y'"]),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_without_categories_in_order_is_refused(name: str) -> None:
    y, words = RESPONSES[name]
    is_refused(lambda: model(y), DataError, *words)


def test_the_advice_for_text_can_be_followed() -> None:
    """Its line of code, with the levels in their order, makes the model."""
    data = frame(TEXT)
    with pytest.raises(DataError) as caught:
        bg.GLMM("y ~ x + (1 | g)", data, "cumulative")
    line = str(caught.value).split("Write ")[1].split(", lowest first")[0]
    exec(line, {"pd": pd, "data": data})
    assert set(bg.GLMM("y ~ x + (1 | g)", data, "cumulative").design.categories) == set(WORDS)


FORMULAS: dict[str, tuple[Any, type[GLMMError], Sequence[str]]] = {
    "0 +": ("y ~ 0 + x + (1 | g)", SpecError, ["intercept", "0 +"]),
    "- 1": ("y ~ x - 1", SpecError, ["intercept"]),
    "0 + factor": ("y ~ 0 + f + (1 | g)", SpecError, ["intercept", "0 +"]),
    "nothing": ("y ~ 0", SpecError, ["intercept"]),
    "weights": ("y | weights(x) ~ x", SpecError, ["weights(x, frequency)"]),
    "trials": ("y | trials(5) ~ x", SpecError, ["takes no trials"]),
    "successes": ("p(y, 5) ~ x", SpecError, ["takes no trials"]),
    "thres": ("y | thres(3) ~ x", SpecError, ["is not understood"]),
    "category-specific": ("y ~ cs(x)", SpecError, ["coefficient of x per threshold", "cs(0 + f | g)"]),
    "two columns": ("C(y) ~ x", SpecError, ["Categories have more than one column"]),
    "a sum": ("y + 1 ~ x", SpecError, ["I(y + 1)"]),
    "disc": (["y ~ x", "disc ~ 1 + x"], SpecError, ["fixed at 0", "Leave out 1 +"]),
    "a step": (["y ~ x", "threshold_step_2 ~ x"], SpecError, ["no further parameter 'threshold_step_2'"]),
    "thresholds": (["y ~ x", "threshold ~ x"], SpecError, ["no further parameter 'threshold'"]),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_that_categories_do_not_have_is_refused(name: str) -> None:
    formula, error, words = FORMULAS[name]
    is_refused(lambda: model(formula=formula, f=TEXT), error, *words)


def test_a_link_of_another_range_is_refused() -> None:
    for link in ("log", "identity"):
        refused(partial(bg.GLMM, "y ~ x", frame(), "cumulative", link), SpecError, "logit, probit, cloglog, cauchit")


EACH = {"threshold[1|2]": "Normal(-1, 1)", "threshold[2|3]": "Normal(0, 1)", "threshold[3|4]": "Normal(1, 1)"}
PRIORS: dict[str, tuple[dict[str, str], Sequence[str]]] = {
    "of one alone": ({"threshold[1|2]": "Normal(0, 1)"}, ["threshold[1|2]", "threshold[2|3]", "Set 'threshold'"]),
    "of the last alone": ({"threshold[3|4]": "Normal(0, 1)"}, ["threshold[3|4]", "threshold[1|2]", "Set 'threshold'"]),
    "of an unknown pair": ({"threshold[4|5]": "Normal(0, 1)"}, ["threshold[4|5]", "threshold[3|4]"]),
    "of two apart": ({"threshold[1|3]": "Normal(0, 1)"}, ["threshold[1|3]", "threshold[2|3]"]),
    "of a number": ({"threshold[1]": "Normal(0, 1)"}, ["threshold[1]", "threshold[1|2]"]),
    "of the intercept": ({"Intercept": "Normal(0, 1)"}, ["'Intercept'", "threshold"]),
    "of the intercept, in full": ({"beta[Intercept]": "Normal(0, 1)"}, ["'beta[Intercept]'", "threshold"]),
    "of the intercept at the centre": ({"Intercept[centre]": "Normal(0, 1)"}, ["Intercept[centre]", "threshold"]),
    "of a step": ({"threshold_step_2": "HalfNormal(1)"}, ["threshold_step_2", "threshold"]),
    "of a positive number": ({"threshold": "HalfNormal(1)"}, ["HalfNormal(1)", "threshold[1|2]", "Normal"]),
    "bounded": ({"threshold": "Uniform(-3, 3)"}, ["Uniform(-3, 3)", "threshold[1|2]", "Normal"]),
    "misspelt": ({"threshold": "Norml(0, 3)"}, ["Norml", "threshold[1|2]", "Normal"]),
    "of many": ({"threshold": "Dirichlet(1)"}, ["Dirichlet", "threshold[1|2]", "Normal"]),
    "with a negative scale": ({"threshold": "Normal(0, -3)"}, ["sigma > 0", "threshold[1|2]"]),
    "with three arguments": ({"threshold": "Normal(0, 3, 1)"}, ["threshold[1|2]"]),
}


@pytest.mark.parametrize("name", PRIORS)
def test_a_prior_that_thresholds_cannot_have_is_refused(name: str) -> None:
    priors, words = PRIORS[name]
    is_refused(lambda: model(priors=priors), SpecError, *words)


@pytest.mark.parametrize(
    "priors",
    [EACH, {"threshold": "Normal(0, 5)"}, {"threshold[1|2]": "Normal(-2, 1)", "threshold": "Normal(0, 5)"}],
    ids=["each", "all", "one and the others"],
)
def test_priors_of_all_thresholds_work(priors: dict[str, str]) -> None:
    found = model(priors=priors).priors
    expected = [priors.get(f"threshold[{k}|{k + 1}]", priors.get("threshold")) for k in (1, 2, 3)]
    assert [str(prior) for prior in found.thresholds] == expected


def test_a_flat_prior_is_refused_in_words_where_it_is_drawn_from() -> None:
    """It can be fitted, and not be drawn from."""
    made = model(priors={"threshold": "Flat()"})
    assert np.isfinite(bg.approx.laplace(made, "posterior").log_likelihood)
    with pytest.raises((GLMMError, NotImplementedError), match=r"[Ff]lat"):
        made.prior_predictive(draws=5)


def test_words_for_other_names_of_the_cumulative_family() -> None:
    for name in ("ordered_logit", "cumulative(logit)"):
        with pytest.raises(SpecError, match="family='cumulative'"):
            bg.GLMM("y ~ x", frame(), name)


ODD_LABELS: dict[str, list[Any]] = {
    "bars": ["a|b", "b|c", "c", "|"],
    "pairs": ["1|2", "2|3", "3|4", "4|5"],
    "nothing": ["", "b", "c", "d"],
    "blanks": [" ", "a b", "  ", "c d"],
    "unicode": ["ü", "ß", "漢字", "😀"],
    "missing in words": ["NA", "nan", "None", "NaN"],
    "brackets": ["a]", "[b", "(c)", "{d}"],
    "markup": ["<script>", "'", '"', "\\"],
    "paths": ["a/b", "../c", ".", "d/"],
    "lines": ["a\nb", "c\td", "e", "f"],
    "our words": ["chain", "threshold", "adjacent", "mean"],
    "long": ["a" * 3_000, "b" * 3_000, "c", "d"],
    "numbers": [0.5, 1.5, 2.5, 10.0],
    "truths": ["False", "True", "false", "true"],
    "$ and %": ["$x$", "%d", "{0}", "${a}"],
}


@pytest.mark.parametrize("name", ODD_LABELS)
def test_odd_labels_are_labels(name: str, tmp_path: Path) -> None:
    """Fitted, printed, asked, saved and read."""
    labels = ODD_LABELS[name]
    made = model(ordered(labels))
    assert made.design.categories == tuple(map(str, labels))
    assert len(set(made.design.thresholds)) == 3
    assert len(made.priors.thresholds) == 3
    assert str(made)
    assert len(made.priors.table) == 5
    fit = bg.approx.laplace(made)
    assert str(fit)
    rows = pd.DataFrame({"x": [0.0, 1.0]})
    assert fit.predict(rows, "zero").table["category"].tolist() == [*map(str, labels)] * 2
    again = bg.load(bg.Fit(fit.posterior).save(tmp_path / "saved"))
    assert again.design.categories == made.design.categories
    assert again.idata["posterior"]["adjacent"].to_numpy().tolist() == list(made.design.thresholds)


def test_labels_that_make_two_thresholds_alike_are_refused() -> None:
    """Between a|b and c, and between a and b|c: both are a|b|c, in tables and in keys of priors."""
    is_refused(lambda: model(ordered(["a|b", "c", "a", "b|c"])), DataError, "a|b|c", "column 'y'")


@pytest.mark.parametrize("name", ["threshold", "threshold_at_centre", "threshold_step_2", "adjacent", "category", "b"])
def test_columns_may_be_called_like_variables_of_the_model(name: str) -> None:
    """The response, a group or a covariate: the PyMC model can be built, and has the response."""
    response = bg.GLMM(f"{name} ~ x + (1 | g)", frame().rename(columns={"y": name}), "cumulative")
    assert response.design.response_variable in response.pymc.named_vars
    data = frame().assign(**{name: np.arange(ROWS) % 6})
    group = bg.GLMM(f"y ~ x + (1 | {name})", data, "cumulative")
    assert f"u_{name}" in group.pymc.named_vars
    data[name] = np.linspace(-1.0, 1.0, ROWS)
    covariate = bg.GLMM(f"y ~ {name} + (1 | g)", data, "cumulative")
    assert covariate.design.coefficients == ("Intercept", name)
    assert "y" in covariate.pymc.named_vars


def test_a_category_that_no_row_has_is_left_out_and_named() -> None:
    """Declared, or a whole number between others: the model has three, and a finding has the fourth."""
    declared = pd.Categorical(np.where(TEXT == "mid", "low", TEXT), WORDS, ordered=True)
    for y, expected, absent in [
        (declared, ("low", "high", "top"), "mid"),
        (np.where(NUMBER == 2, 1, NUMBER), ("1", "3", "4"), "2"),
    ]:
        made = model(y)
        assert made.design.categories == expected
        found = [str(one) for one in made.findings if absent in str(one) and "y" in one.where]
        assert len(found) == 1, made.findings


def test_what_is_like_ordered_numbers_works() -> None:
    cases: dict[str, tuple[Any, tuple[str, ...]]] = {
        "truth": (NUMBER > 2, ("0", "1")),
        "truth as objects": ((NUMBER > 2).astype(object), ("0", "1")),
        "objects": (NUMBER.astype(object), ("1", "2", "3", "4")),
        "nullable": (pd.array(NUMBER, dtype="Int64"), ("1", "2", "3", "4")),
        "floats": (NUMBER.astype(float), ("1", "2", "3", "4")),
        "negative": (NUMBER - 3, ("-2", "-1", "0", "1")),
        "far apart": (10**NUMBER, ("10", "100", "1000", "10000")),
        "50": (np.arange(ROWS) % 50, tuple(map(str, range(50)))),
    }
    for name, (y, expected) in cases.items():
        made = model(y)
        categories = made.design.categories
        assert categories == expected or (name.startswith("truth") and categories == ("False", "True")), name
        assert len(made.priors.thresholds) == len(expected) - 1


def test_rows_with_missing_values_are_dropped_before_categories_are_counted() -> None:
    data = frame(np.where(NUMBER == 4, np.nan, NUMBER))
    assert bg.GLMM("y ~ x", data, "cumulative", missing="drop").design.categories == ("1", "2", "3")
    data = frame(ordered(WORDS), z=np.where(NUMBER == 2, np.nan, 1.0 + NUMBER))
    assert bg.GLMM("y ~ x + z", data, "cumulative", missing="drop").design.categories == ("low", "high", "top")


def test_new_data_need_no_response() -> None:
    fit = bg.approx.laplace(model(ordered(WORDS)))
    rows = pd.DataFrame({"x": [0.0, 1.0], "g": [0, 5]})
    for reading in ("integrated", "zero", "known"):
        for part in (None, "at_least", "mean"):
            expected = fit.predict(rows, reading, part=part).table["estimate"].to_numpy()
            for response in ("other words", 99, None):
                found = fit.predict(rows.assign(y=response), reading, part=part).table["estimate"].to_numpy()
                np.testing.assert_array_equal(found, expected)
    with pytest.raises(GLMMError, match="x"):
        fit.predict(pd.DataFrame({"g": [0]}), "zero")


def config(folder: Path, y: Any, categories: str = "", priors: str = "") -> Path:
    frame(y).to_csv(folder / "rows.csv", index=False)
    text = f"data:\n  file: rows.csv\n{categories}model:\n  formula: y ~ x + (1 | g)\n  family: cumulative\n{priors}"
    (folder / "c.yaml").write_text(text)
    return folder / "c.yaml"


def test_a_config_orders_text_by_its_categories(tmp_path: Path) -> None:
    """What the message for text says of YAML."""
    listed = "  categories: {y: [low, mid, high, top]}\n"
    assert prepare(config(tmp_path, TEXT, listed)).design.categories == tuple(WORDS)
    is_refused(lambda: prepare(config(tmp_path, TEXT)), ConfigError, "order of the categories", "categories:", "c.yaml")
    wrong = "  categories: {y: [low, mid, high]}\n"
    is_refused(lambda: prepare(config(tmp_path, TEXT, wrong)), ConfigError, "top", "c.yaml")


def test_a_config_names_the_line_of_a_wrong_prior(tmp_path: Path) -> None:
    priors = '  priors: {"threshold[1|2]": "Normal(0, 1)"}\n'
    is_refused(lambda: prepare(config(tmp_path, NUMBER, priors=priors)), ConfigError, "Set 'threshold'", "c.yaml")
