"""The report of ordered categories: each category by name, in its order, with the numbers of its estimates."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayes_glmm.diagnostics import check
from bayes_glmm.diagnostics.prior_density import log_threshold_density
from bayes_glmm.effects import Estimates, compare, predict, reference_grid
from bayes_glmm.plots.categories import categories
from bayes_glmm.plots.notes import interval_text, notes_of, short
from bayes_glmm.posterior import Posterior
from bayes_glmm.report import Answer
from bayes_glmm.report.effect_parts import effect_rows, effects_figure, effects_table, of_categories, sentences
from bayes_glmm.report.html import number
from bayes_glmm.report.predictive_figures import predictive_figure
from bayes_glmm.report.sections.answers import render_answers
from bayes_glmm.report.sections.coefficients import render_coefficients
from bayes_glmm.report.sections.cross_check import render_cross_check
from bayes_glmm.report.sections.curves import render_curves
from bayes_glmm.report.sections.data import render_data
from bayes_glmm.report.sections.predictive import render_predictive
from bayes_glmm.report.sections.priors import render_priors
from bayes_glmm.report.words import change, scale_of
from bayes_glmm.spec import Prior
from tests.report.page import POSTERIORS, case, check_fragment


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return POSTERIORS["cumulative"]()


def words(html: object) -> str:
    return " ".join(" ".join(check_fragment(str(html)).text).split())


def test_sentences_are_one_per_category_within_each_contrast(posterior: Posterior) -> None:
    found = compare(posterior, "f", estimands="difference")
    scale = scale_of(posterior)
    text = words(sentences(of_categories(effect_rows(found.table, compared=True), scale), scale))
    assert text.count("the probability of each category of y is") == 2
    assert re.findall(r"y = (\d) :|y = (\d):", text) == [("", str(k)) for k in (1, 2, 3, 4)] * 2
    for _, row in found.table.iterrows():
        assert change(row["estimate"], row["lower"], row["upper"], scale).removesuffix(")") in text


def test_many_categories_leave_the_rest_to_the_table(posterior: Posterior) -> None:
    found, scale = compare(posterior, "f", ("b", "a"), estimands="difference"), scale_of(posterior)
    table = pd.concat([found.table.assign(contrast=f"{k} vs a") for k in range(5)], ignore_index=True)
    text = words(sentences(of_categories(effect_rows(table, compared=True), scale), scale))
    assert "The table below has 1 more." in text


def svg_of(estimates: Estimates, posterior: Posterior, part: str | None = None) -> str:
    scale = scale_of(posterior, part)
    rows = of_categories(effect_rows(estimates.table, compared=False), scale)
    assert "y = 3" in words(effects_table(rows))
    return effects_figure(rows, scale).decode()


@pytest.mark.parametrize(("part", "name"), [(None, "y = 3"), ("at_least", "y = 3 or higher")])
def test_predictions_name_their_categories(posterior: Posterior, part: str | None, name: str) -> None:
    rows = reference_grid(posterior.design, "f", {"x": 0.0})
    found = predict(posterior, rows, part=part)
    svg = svg_of(found, posterior, part)
    table = found.table[found.table["category"] == "3"]
    for _, row in table.iterrows():
        assert f"x = 0, f = {row['f']}, {name}\n" in svg
        assert interval_text(*row[["estimate", "lower", "upper"]].to_numpy(float)) in svg


def test_answers_have_the_words_of_their_parts(posterior: Posterior) -> None:
    asked = {part: compare(posterior, "x", part=part) for part in ("category", "at_least", "mean")}
    text = words(render_answers(posterior, [Answer(part, "x", found, part) for part, found in asked.items()]))
    assert "y = 2 or higher" in text
    assert "the mean category of y (1 to 4) is" in text
    assert "the probability of at least each category of y is" in text


def test_curves_are_those_of_categories_with_groups_or_without(posterior: Posterior) -> None:
    assert 'bg.plots.categories(fit, "x")' in words(render_curves(posterior))
    alone = case("cumulative", "y ~ x + 1")
    found = str(render_curves(alone))
    check_fragment(found)
    notes = notes_of(categories(alone, "x"))
    assert any(f"<title>{note.text}</title>" in found for note in notes)
    assert "y = 4" in notes[0].text


def test_data_are_counted_by_category(posterior: Posterior) -> None:
    text = words(render_data(posterior))
    assert "y: 4 categories from 1 to 4." in text
    counts = np.bincount(posterior.design.y.astype(int))[1:]
    for k, count in enumerate(counts, start=1):
        assert f"{k} {count} {count / counts.sum():.1%}" in text
    assert "mean category of y by level" in text


def test_the_predictive_figure_has_observed_and_replicated_shares(posterior: Posterior) -> None:
    svg, alt, _ = predictive_figure(posterior)
    for k in (1, 2, 3, 4):
        assert f"y = {k}\nobserved {short((posterior.design.y == k).mean())}\nreplicated " in svg.decode()
    assert "share of each category of y" in alt
    text = words(render_predictive(posterior, check(posterior, "predictive")))
    assert "Shares of categories" in text
    assert "in all rows" in text
    assert "allows for their number" in text


def test_thresholds_are_explained_and_not_drawn_as_slopes(posterior: Posterior) -> None:
    text = words(render_coefficients(posterior))
    assert "threshold[1|2]" in text
    assert "higher categories more probable" in text
    assert "The thresholds are in the table only." in text
    middle = float(np.median(posterior.draws["posterior"]["threshold"], axis=(0, 1))[0])
    assert str(number(middle)) in text
    drawn = re.findall(r"<title>(.*?)</title>", str(render_cross_check(posterior)), re.DOTALL)
    assert drawn
    assert not any("threshold" in title for title in drawn)


def test_priors_of_thresholds_are_those_of_the_order(posterior: Posterior) -> None:
    grid = np.linspace(-4.0, 4.0, 9)
    share = stats.logistic.cdf(grid)
    for k in (1, 2, 3):
        # flat over the probabilities: the share below the k-th of three is Beta(k, 4 - k)
        expected = stats.beta.logpdf(share, k, 4 - k) + stats.logistic.logpdf(grid)
        found = log_threshold_density(Prior.parse("Logistic(0, 1)"), k, 3, grid)
        np.testing.assert_allclose(expected - expected[0], found - found[0], rtol=1e-6, atol=1e-9)
    page = str(render_priors(posterior))
    assert "threshold[2|3]\nprior Logistic(mu=0, s=1), in order\n" in page
