"""Probabilities of categories are drawn as predict returns them; other figures draw the mean category."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.text import Text

from bayes_glmm import effects
from bayes_glmm.errors import DataError, SpecError
from bayes_glmm.names import step
from bayes_glmm.plots import categories, contrasts, contrasts_by, curves, groups, percentiles
from bayes_glmm.plots.categories import apart
from bayes_glmm.plots.point import at_posterior_medians, mean_text
from bayes_glmm.plots.style import sequential
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.cases import logistic
from tests.plots.cases import AVERAGED, ZERO, across, intervals, labelled, rows_of, texts, upward
from tests.report.test_outline import COLOURS, luminance

PAIN = ("none", "some", "much", "severe")


@cache
def painful(names: tuple[str, ...] = PAIN, drug: tuple[str, ...] = ("placebo", "low", "high")) -> Posterior:
    """``pain ~ x + drug + (1 | g)`` in four ordered categories, forty draws."""
    rng = np.random.default_rng(4)
    data = pd.DataFrame(
        {
            "pain": pd.Categorical(np.resize(names, 72), list(names), ordered=True),
            "x": rng.normal(size=72).round(2),
            "drug": pd.Categorical(np.resize(drug, 72), list(drug)),
            "g": np.repeat([f"g{i}" for i in range(8)], 9),
        }
    )
    spec = ModelSpec.from_formula("pain ~ x + drug + (1 | g)", family="cumulative")
    beta = np.array([1.0, 0.8, -0.5, -1.0]) + 0.2 * rng.normal(size=(40, 4))
    steps = {step(k): 1.0 + 0.2 * rng.random(40) for k in (2, 3)}
    return posterior_at(spec, data, beta, {"g": [[1.2]]}, steps, {"g": rng.normal(size=(40, 8, 1))})


def predicted(posterior: Posterior, rows: pd.DataFrame, **options: object) -> np.ndarray:
    """Estimate, lower and upper [row, category, 3]."""
    table = effects.predict(posterior, rows, "integrated", **options).table  # type: ignore[arg-type]
    return table[["estimate", "lower", "upper"]].to_numpy().reshape(len(rows), -1, 3)


def test_curves_and_ribbons_are_the_predictions() -> None:
    posterior = painful()
    axes = categories(posterior, "x", at={"drug": "low"}, level=0.8).axes[0]
    x, column = across(axes, "none"), posterior.design.data["x"]
    assert (column.min(), column.max()) == (x[0], x[-1])
    assert set(PAIN) == labelled(axes)
    rows = effects.reference_grid(posterior.design, [], {"x": list(x), "drug": "low"})
    expected = predicted(posterior, rows, level=0.8)
    np.testing.assert_allclose(expected[..., 0].sum(axis=1), 1.0, rtol=1e-12)
    ribbons = [each for each in axes.collections if isinstance(each, PolyCollection)]
    for k, (name, ribbon) in enumerate(zip(PAIN, ribbons, strict=True)):
        np.testing.assert_array_equal(expected[:, k, 0], upward(axes, name))
        corners = np.asarray(ribbon.get_paths()[0].vertices)[:, 1]
        assert (expected[:, k, 1].min(), expected[:, k, 2].max()) == (corners.min(), corners.max())
    written = texts(axes.figure)
    assert {*PAIN, "population-averaged, posterior means and 80 % intervals; at drug = low"} <= set(written)


def test_values_of_a_factor_are_points_with_intervals() -> None:
    posterior = painful()
    figure = categories(posterior, "drug", at={"x": 0.5}, interval="hdi")
    axes = figure.axes[0]
    assert ["placebo", "low", "high"] == rows_of(axes)
    rows = effects.reference_grid(posterior.design, "drug", {"x": 0.5})
    expected = predicted(posterior, rows, interval="hdi")
    heights = []
    for k, (name, ends) in enumerate(zip(PAIN, intervals(axes), strict=True)):
        np.testing.assert_array_equal(expected[:, k, 0], across(axes, name))
        np.testing.assert_array_equal(expected[:, k, 1:], ends)
        heights.append(upward(axes, name))
    assert (np.diff(heights, axis=0) < 0).all()  # the lowest category uppermost
    assert (heights[-1][:-1] > heights[0][1:]).all()  # and the values apart
    [legend] = figure.legends
    assert list(PAIN) == [text.get_text() for text in legend.get_texts()]
    assert legend.get_title().get_text() == "pain"


def test_several_values_of_another_column_give_panels() -> None:
    posterior = painful()
    figure = categories(posterior, "x", at={"drug": ["high", "placebo"]})
    assert ["drug = high", "drug = placebo"] == [axes.get_title(loc="left") for axes in figure.axes]
    for axes, drug in zip(figure.axes, ["high", "placebo"], strict=True):
        rows = effects.reference_grid(posterior.design, [], {"x": list(across(axes, "much")), "drug": drug})
        np.testing.assert_array_equal(predicted(posterior, rows)[:, 2, 0], upward(axes, "much"))


def test_colours_go_from_low_to_high_and_are_seen_on_both_themes() -> None:
    for count in (2, 5, 30):
        colours = sequential(count)
        assert count == len(set(colours))
        light = [luminance(colour) for colour in colours]
        assert (np.diff(light) > -1e-3).all()  # mixtures of two of them are a little darker
        for ground in COLOURS["ground"]:
            for found in light:
                low, high = sorted((found, luminance(ground)))
                assert (high + 0.05) / (low + 0.05) >= 3.0
    axes = categories(painful(), "x").axes[0]
    assert sequential(4) == [line.get_color() for line in axes.lines if line.get_label() in PAIN]


@pytest.mark.parametrize("seed", range(5))
def test_names_at_the_ends_of_curves_do_not_overlap(seed: int) -> None:
    places = np.random.default_rng(seed).dirichlet(np.ones(9))
    moved = apart(places, 0.05)
    assert (np.diff(np.sort(moved)) >= 0.05 - 1e-12).all()
    assert (np.argsort(moved) == np.argsort(places)).all()
    assert moved.min() >= 0.0
    wide = np.array([0.1, 0.9, 0.4])
    np.testing.assert_allclose(wide, apart(wide, 0.05), rtol=1e-12)


def test_many_categories_and_names_that_mean_something_to_mathtext() -> None:
    many = painful(tuple(f"$\\frac{{{i}}}{{$ <b>" for i in range(4)))
    for figure in (categories(many, "x"), categories(many, "drug")):
        figure.savefig(io.BytesIO(), format="png")
        assert not any(each.get_parse_math() for each in figure.findobj(Text) if isinstance(each, Text))
        assert "$\\frac{0}{$ <b>" in texts(figure)


def test_numbers_have_the_words_of_their_categories() -> None:
    assert mean_text(painful()) == "mean category of pain (1 = none to 4 = severe)"
    assert mean_text(painful(("1", "2", "3", "4"))) == "mean category of pain (1 to 4)"


def test_other_figures_draw_the_mean_category() -> None:
    posterior = painful()
    words = mean_text(posterior)
    axes = curves(posterior, "x", groups=3).axes[0]
    rows = effects.reference_grid(posterior.design, [], {"x": list(across(axes, AVERAGED))})
    table = effects.predict(posterior, rows, part="mean").table
    for effect in (AVERAGED, ZERO):
        np.testing.assert_array_equal(table.loc[table["effect"] == effect, "estimate"], upward(axes, effect))
    assert "".join(words.split()) == "".join(axes.get_ylabel().split())
    assert groups(posterior, scale="response").axes[0].get_xlabel() == words
    compared = effects.compare(posterior, "drug", part="mean")
    assert "difference of means" in texts(contrasts(compared))


@pytest.mark.parametrize("group", [None, "g"])
def test_percentiles_are_of_the_mean_category(group: str | None) -> None:
    posterior = painful()
    figure = percentiles(posterior, at=[20.0], group=group)
    assert figure.axes[-1].get_xlabel() == mean_text(posterior)
    assert figure.axes[0].get_xlim() == (1.0, 4.0)
    table = effects.predict(at_posterior_medians(posterior), part="mean").table
    means = {effect: np.average(part["estimate"], weights=part["n"]) for effect, part in table.groupby("effect")}
    assert means[AVERAGED] == pytest.approx(across(figure.axes[-1], "population-averaged mean")[0], rel=1e-9)
    assert means[ZERO] == pytest.approx(across(figure.axes[-1], "conditional mean (u = 0)")[0], rel=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variable": "drugs"}, "Did you mean 'drug'"),
        ({"variable": "g"}, "is a grouping factor"),
        ({"variable": "drug", "at": {"x": list(range(7))}}, "7 panels, too many"),
        ({"variable": "x", "level": 95}, "level must lie between 0 and 1: got 95"),
    ],
)
def test_what_cannot_be_drawn_is_said(options: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        categories(painful(), **options)


def test_numbers_and_events_have_no_categories() -> None:
    with pytest.raises(SpecError, match=r"bernoulli response has no categories.*plots\.curves"):
        categories(logistic(), "x")
    with pytest.raises(DataError, match="has not seen drug 'none'"):
        categories(painful(), "x", at={"drug": "none"})


def test_comparisons_by_category_keep_their_order() -> None:
    posterior = painful()
    found = effects.compare(posterior, "drug")
    assert list(PAIN) == list(found.table["category"].cat.categories)
    figure = contrasts_by(found, "category")
    named = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert named in ([*PAIN], [*reversed(PAIN)])
