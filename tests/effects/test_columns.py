"""Columns of result tables: the names of the data win over ours, in every table and in the report."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm import plots
from bayes_glmm.effects import compare, group_percentiles, hypothesis, interact, predict, response_variance, slopes
from bayes_glmm.effects.columns import beside, columns_of_table, free_name, in_our_names
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.report import render
from bayes_glmm.runs.compare import _side_by_side
from bayes_glmm.runs.show import side_by_side
from bayes_glmm.spec import ModelSpec

WORDS = (
    "contrast",
    "chain",
    "coefficient",
    "draw",
    "effect",
    "estimand",
    "estimate",
    "ess_bulk",
    "event",
    "group",
    "hypothesis",
    "level",
    "lower",
    "mcse",
    "moderator",
    "n",
    "percentile",
    "probability",
    "quantity",
    "row",
    "sd",
    "term",
    "upper",
    "value",
    "variable",
)
OURS = {"estimate", "mcse", "lower", "upper"}


def posterior(*words: str, draws: int = 12) -> Posterior:
    """Yes or no by some columns and two groups, the first column a category and the others numbers."""
    rng = np.random.default_rng(2)
    first, *others = words
    data = pd.DataFrame({first: np.resize(["a", "b"], 40)} | {word: rng.normal(size=40).round(1) for word in others})
    data["y"], data["g"] = rng.integers(0, 2, 40), np.repeat(list("pqrs"), 10)
    spec = ModelSpec.from_formula(f"y ~ {' + '.join(words)} + x + (1 | g)", "bernoulli")
    data["x"] = rng.normal(size=40).round(1)
    beta = 0.5 * rng.normal(size=(draws, len(words) + 2))
    return posterior_at(spec, data, beta, {"g": rng.gamma(4.0, 0.2, (draws, 1, 1))})


@cache
def estimates_by_f() -> list[float]:
    """The same estimates where no name is in the way."""
    return compare(posterior("f"), "x", by="f").table["estimate"].tolist()


def check_table(table: pd.DataFrame, word: str, values: object = None) -> None:
    """No column twice, all numbers there, the column of the data as the data have it."""
    assert table.columns.is_unique
    assert set(in_our_names(table)) >= OURS
    if values is not None:
        assert table[word].tolist() == list(values)  # type: ignore[call-overload]


@pytest.mark.parametrize("word", WORDS)
def test_a_category_of_any_name_keeps_its_column(word: str) -> None:
    fit = posterior(word)
    rows = pd.DataFrame({word: ["b", "a"], "x": [0.5, -0.5]})
    predicted = predict(fit, rows)
    check_table(predicted.table, word, ["b", "b", "a", "a"])
    assert set(in_our_names(predicted.table)["effect"]) == {"population-averaged", "conditional (u = 0)"}
    check_table(predict(fit).table, word)
    by = compare(fit, "x", by=word)
    check_table(by.table, word, np.repeat(["a", "b"], 6))
    assert columns_of_table(by.table).by == (word,)
    np.testing.assert_array_equal(in_our_names(by.table)["estimate"], estimates_by_f())
    check_table(slopes(fit, "x", by=word).table, word, ["a", "a", "b", "b"])
    check_table(compare(fit, word, newdata=fit.design.data, by=["g", word]).table, word)
    check_table(interact(fit, word, "x").table, word)
    check_table(group_percentiles(fit, rows).table, word)
    check_table(response_variance(fit, rows).table, word)
    check_table(hypothesis(compare(fit, word), "b0 > 0").table, word)
    check_table(hypothesis(bg.effects.coefficients(fit), f"`{word}[b]` > 0").table, word)
    assert len(bg.diagnostics.summary(fit)) == 4


@pytest.mark.parametrize(
    "word", ["effect", "estimate", "estimand", "contrast", "variable", "row", "where", "run", "text"]
)
def test_figures_and_tables_of_runs_take_any_name(word: str, tmp_path) -> None:
    fit = posterior(word)
    by = compare(fit, "x", by=word, estimands="difference")
    plots.contrasts(by)
    plots.contrasts_by(by, word)
    plots.curves(fit, word)
    plots.groups(fit, "g", scale="response")
    by.table.to_csv(tmp_path / "table.csv", index=False)
    read = pd.read_csv(tmp_path / "table.csv")
    columns = columns_of_table(read)
    assert columns == columns_of_table(by.table)
    shown = side_by_side(read, [name for name in columns.all_labels if name != columns.effect])
    assert shown[word].tolist() == ["a", "b"]
    both = _side_by_side({"one": read, "other": read})
    assert (both["one"] == both["other"]).all()
    assert both[word].tolist() == np.repeat(["a", "b"], 2).tolist()


def test_the_report_takes_all_names_at_once() -> None:
    page = render(posterior(*WORDS[6:16]))
    assert all(f"{word}: " in page for word in WORDS[6:16])


def test_ours_is_the_name_with_most_underscores() -> None:
    assert free_name("effect", ["x"]) == "effect"
    assert free_name("effect", ["effect", "effects"]) == "effect_"
    assert free_name("effect", ["effect", "effect__"]) == "effect___"
    table = beside(pd.DataFrame({"effect": [1]}), effect=["theirs first"])
    assert table.to_dict("list") == {"effect": [1], "effect_": ["theirs first"]}


def test_a_factor_of_any_name_has_its_predicted_effects() -> None:
    data = bg.datasets.clinics().rename(columns={"clinic": "effect"})
    model = bg.GLMM("p(favourable, n) ~ treatment + (1 | effect)", data, family="binomial")
    table = bg.approx.laplace(model).ranef("effect")
    assert table["effect"].nunique() == 8
    assert set(table["effect_"]) == {"Intercept"}
