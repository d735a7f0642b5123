from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayes_glmm import effects
from bayes_glmm.errors import SpecError
from bayes_glmm.plots import contrasts, contrasts_by
from bayes_glmm.posterior import posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.cases import frame, logistic
from tests.plots.cases import AVERAGED, ZERO, across, intervals, labelled, many_groups, rows_of, texts, upward


def test_panels_hold_the_table() -> None:
    estimates = effects.compare(logistic(), "dose")
    figure = contrasts(estimates)
    names = ["difference of means", "ratio of means", "odds ratio"]
    assert names == [axes.get_title(loc="left") for axes in figure.axes]
    assert ["linear", "log", "log"] == [axes.get_xscale() for axes in figure.axes]
    table = estimates.table
    for axes, estimand, null in zip(figure.axes, ["difference", "ratio", "odds_ratio"], [0.0, 1.0, 1.0], strict=True):
        for effect, ends in zip([AVERAGED, ZERO], intervals(axes), strict=True):
            part = table[(table["estimand"] == estimand) & (table["effect"] == effect)]
            assert list(part["estimate"]) == list(across(axes, effect))
            np.testing.assert_array_equal(part[["lower", "upper"]], ends)
        assert any([null, null] == np.asarray(each.get_xdata()).tolist() for each in axes.lines)
        assert {AVERAGED, ZERO} == labelled(axes)
    assert [f"dose: {text}" for text in dict.fromkeys(table["contrast"])] == rows_of(figure.axes[0])


def test_several_tables_interactions_slopes_and_coefficients() -> None:
    posterior = logistic()
    slopes, coefficients = effects.slopes(posterior, "x"), effects.marginal_coefficients(posterior)
    both = contrasts(slopes, effects.compare(posterior, "dose", estimands="difference"))
    assert ["average slope", "difference of means"] == [axes.get_title(loc="left") for axes in both.axes]
    assert 3 == len(rows_of(both.axes[0]))
    only = contrasts(effects.slopes(posterior, "x", random_effects="zero"), effects.compare(posterior, "dose"))
    assert [AVERAGED, ZERO] == [each.get_text() for each in only.legends[0].get_texts()]
    drawn = across(both.axes[0], AVERAGED)
    assert slopes.table["estimate"][0] == drawn[0]
    assert np.isnan(drawn[1:]).all()
    assert list(posterior.design.coefficients) == rows_of(contrasts(coefficients).axes[0])
    change = contrasts(effects.interact(posterior, "dose", "x", estimands=("difference", "ratio")))
    assert "change of the ratio of means" in [axes.get_title(loc="left").replace("\n", " ") for axes in change.axes]
    assert any("x: x + 1 vs x" in name for name in rows_of(change.axes[0]))


def test_rows_say_the_values_they_are_averaged_by() -> None:
    axes = contrasts(effects.compare(logistic(), "dose", ("low", "high"), by="h")).axes[0]
    assert [f"h = {level}" for level in "abcde"] == rows_of(axes)
    assert "dose: high vs low" in texts(axes.figure)


def test_many_contrasts_of_one_variable_say_its_name_once() -> None:
    data = frame().assign(ward=np.resize(list("pqrstu"), 60))
    spec = ModelSpec.from_formula("y ~ ward + (1 | g)", family="bernoulli")
    posterior = posterior_at(spec, data, np.linspace(0.0, 0.5, 6), {"g": [[1.0]]})
    axes = contrasts(effects.compare(posterior, "ward")).axes[0]
    assert ("ward", [f"{level} vs p" for level in "qrstu"]) == (axes.get_ylabel(), rows_of(axes))


def test_an_interval_without_a_finite_end_is_an_arrow() -> None:
    estimates = effects.compare(logistic(), "dose", estimands="odds_ratio")
    table = estimates.table.copy()
    table.loc[0, ["estimate", "upper"]] = np.inf
    axes = contrasts(replace(estimates, table=table)).axes[0]
    assert np.isnan(across(axes, AVERAGED)[0])
    assert [">"] == [each.get_marker() for each in axes.lines if each.get_marker() in ("<", ">")]


def test_by_a_column_text_is_sorted_and_numbers_are_not() -> None:
    posterior = logistic()
    estimates = effects.compare(posterior, "dose", ("low", "high"), by="h", random_effects=("known", "integrated"))
    axes = contrasts_by(estimates, "h", "ratio").axes[0]
    table = estimates.table[estimates.table["estimand"] == "ratio"]
    for effect in ("conditional (this group)", AVERAGED):
        values = table[table["effect"] == effect].set_index("h")["estimate"]
        assert list(values[rows_of(axes)]) == list(across(axes, effect))
    assert (np.diff(across(axes, "conditional (this group)")) <= 0).all()
    assert ("log", "ratio of means", "h") == (axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel())
    rows = posterior.design.data.assign(year=np.resize([2003, 2001, 2002], 60))
    axes = contrasts_by(effects.slopes(posterior, "x", newdata=rows, by="year"), "year").axes[0]
    assert ["2001", "2002", "2003"] == rows_of(axes)


def test_many_values_are_a_band() -> None:
    estimates = effects.compare(many_groups(70), "x", by="g", random_effects="known", estimands="difference")
    axes = contrasts_by(estimates, "g").axes[0]
    assert sorted(estimates.table["estimate"]) == list(upward(axes, "conditional (this group)"))
    with pytest.raises(SpecError, match="70 rows, too many"):
        contrasts(estimates)


def test_what_cannot_be_drawn_is_said() -> None:
    posterior = logistic()
    dose = effects.compare(posterior, "dose")
    with pytest.raises(SpecError, match="no estimates"):
        contrasts()
    with pytest.raises(SpecError, match="not of comparisons"):
        contrasts(effects.variance(posterior))
    with pytest.raises(SpecError, match="both called"):
        contrasts(dose, dose)
    with pytest.raises(SpecError, match="not by 'h' alone"):
        contrasts_by(dose, "h")
    by = effects.compare(posterior, "dose", by="h")
    with pytest.raises(SpecError, match="Did you mean 'ratio'"):
        contrasts_by(by, "h", "ratios")
    with pytest.raises(SpecError, match="Slopes have no estimand"):
        contrasts_by(effects.slopes(posterior, "x", by="h"), "h", "ratio")
    five = effects.compare(posterior, "dose", estimands=("difference", "ratio", "odds_ratio", "log_odds_ratio", "lift"))
    with pytest.raises(SpecError, match="5 estimands, too many"):
        contrasts(five)
    assert isinstance(five.table, pd.DataFrame)
