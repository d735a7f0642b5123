"""The report of categories without an order: coefficients by category, counts and shares of each, no mean anywhere."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bayes_glmm.approx import cross_check
from bayes_glmm.diagnostics import check
from bayes_glmm.effects import coefficients, compare
from bayes_glmm.plots.notes import short
from bayes_glmm.posterior import Posterior
from bayes_glmm.report import Answer
from bayes_glmm.report.html import number
from bayes_glmm.report.predictive_figures import predictive_figure
from bayes_glmm.report.sections.answers import render_answers
from bayes_glmm.report.sections.coefficients import render_coefficients
from bayes_glmm.report.sections.curves import render_curves
from bayes_glmm.report.sections.data import render_data
from bayes_glmm.report.sections.predictive import render_predictive
from bayes_glmm.report.sections.priors import _support, render_priors
from bayes_glmm.runs.figures import write_figures
from bayes_glmm.runs.tables import result_tables
from tests.report.page import check_fragment, rendered, unordered


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return unordered()


def words(html: object) -> str:
    return " ".join(" ".join(check_fragment(str(html)).text).split())


def test_the_title_has_one_formula_and_one_link() -> None:
    assert "Categorical model with logit link: y ~ x + f + (1 | g)" in rendered("categorical")


def test_coefficients_are_those_of_each_category(posterior: Posterior) -> None:
    page = str(render_coefficients(posterior))
    text = words(page)
    assert "Each category but the first, a, has a linear predictor" in text
    for name, label in (("mub", "b"), ("muc", "c")):
        for _, row in coefficients(posterior, name).table.iterrows():
            assert f"{name} {label} against a {row['coefficient']} {number(row['estimate'])}" in text
            drawn = f"<title>{name}: {row['coefficient']}\n" in page
            assert drawn == (row["coefficient"] != "Intercept")
    assert "population-averaged" not in text


def test_answers_name_each_category(posterior: Posterior) -> None:
    text = words(render_answers(posterior, [Answer("What of f?", "f", compare(posterior, "f"))]))
    assert text.count("the probability of each category of y is") == 2
    assert re.findall(r"y = (\w) ?: population", text) == ["a", "b", "c"] * 2


def test_curves_are_those_of_categories_alone(posterior: Posterior) -> None:
    text = words(render_curves(posterior))
    assert 'bg.plots.categories(fit, "x")' in text
    assert "bg.plots.curves" not in text


def test_data_are_counted_by_category_and_shares_by_level(posterior: Posterior) -> None:
    text = words(render_data(posterior))
    assert "y: 3 categories without an order. The first, a, is the reference." in text
    y = posterior.design.y
    for k, name in enumerate("abc", start=1):
        assert f"{name} {int((y == k).sum())} {(y == k).mean():.1%}" in text
        assert f"share of {name} by level" in text
    shares = (y == 2).reshape(8, 6).mean(axis=1)
    assert ", ".join(f"{value:.3g}" for value in np.quantile(shares, [0.05, 0.5, 0.95])) in text
    assert "mean category" not in text


def test_the_predictive_section_has_bars_and_thirds_by_own_predictor(posterior: Posterior) -> None:
    svg, _, caption = predictive_figure(posterior)
    for k, name in enumerate("abc", start=1):
        assert f"y = {name}\nobserved {short((posterior.design.y == k).mean())}\nreplicated " in svg.decode()
    assert "threshold" not in caption
    text = words(render_predictive(posterior, check(posterior, "predictive")))
    assert {"b in the highest third", "c in the lowest third", "g, a"} <= set(
        re.findall(r"[abc] in the \w+ third|g, a", text)
    )
    assert "a in the lowest third" not in text  # the reference has no predictor


def test_priors_of_coefficients_are_drawn_below_zero(posterior: Posterior) -> None:
    assert _support(posterior, "beta_muc[f[b]]") == (-np.inf, np.inf)
    page = str(render_priors(posterior))
    assert "beta_mub[x]\nprior Normal" in page
    assert "beta_muc[x]\nprior Normal" in page


def test_other_methods_have_the_names_of_the_posterior(posterior: Posterior) -> None:
    table = cross_check(posterior).wide().set_index("parameter")
    conditional = table[table["effect"] == "conditional"]
    assert [f"{mu}_{name}" for mu in ("mub", "muc") for name in posterior.design.coefficients] == list(
        conditional.index
    )
    assert conditional[["posterior", "Laplace"]].notna().all(axis=None)


def test_tables_and_figures_of_a_run_have_all_predictors(posterior: Posterior, tmp_path) -> None:
    tables = result_tables(posterior)
    assert ["mub"] * 4 + ["muc"] * 4 == tables["coefficients"]["predictor"].tolist()
    assert "marginal_coefficients" not in tables
    write_figures(posterior, tables, {}, tmp_path / "figures")
    assert "muc: x\n" in (tmp_path / "figures" / "coefficients.svg").read_text(encoding="utf-8")
