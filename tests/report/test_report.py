"""The report as a reader gets it: whole, self-contained, safe, for posteriors of every form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.design import findings
from bayes_glmm.diagnostics import check
from bayes_glmm.effects import Estimates, compare
from bayes_glmm.posterior import Posterior, load_posterior, posterior_at
from bayes_glmm.report import SECTIONS, comparisons, render
from bayes_glmm.report.comparisons import compared
from bayes_glmm.report.figures import forest
from bayes_glmm.report.html import number, paragraph
from bayes_glmm.report.predictive_figures import predictive_figure
from bayes_glmm.report.render import page
from bayes_glmm.report.sections.verdict import render_verdict
from bayes_glmm.spec import ModelSpec
from tests.diagnostics import made_up
from tests.report.page import HOSTILE, POSTERIORS, Page, case, check_fragment, check_page, rendered


def only(monkeypatch: pytest.MonkeyPatch, anchor: str) -> None:
    """Reports have this section alone."""
    sections = tuple(section for section in SECTIONS if section.anchor == anchor)
    monkeypatch.setattr(import_module("bayes_glmm.report.render"), "SECTIONS", sections)


def verdict_of(posterior: Posterior) -> str:
    checks = (check(posterior, group) for group in ("convergence", "predictive"))
    return " ".join(check_fragment(str(render_verdict(posterior, *checks))).text)


def test_sampled_posterior_says_its_verdict() -> None:
    words = verdict_of(made_up.good())
    assert "fit to use" in words
    assert "fits" in words


def test_broken_posterior_is_not_to_be_used() -> None:
    words = verdict_of(made_up.broken("poisson"))
    assert "do not use" in words
    assert "does not fit" in words
    assert "What to do" in words


def test_findings_about_the_design_are_at_the_verdict() -> None:
    posterior = case("bernoulli", "y ~ f + (1 | g)", f=np.tile(["a", "b", "c"], 16))
    data = posterior.design.data.assign(y=np.tile([0, 1, 0], 16))  # f separates
    separated = posterior_at(posterior.spec, data, posterior.beta, {"g": posterior.G("g")})
    [found] = [each for each in findings(separated.spec, separated.design) if each.name == "separation"]
    words = verdict_of(separated)
    assert found.what in words
    assert found.advice in words
    assert "findings" not in verdict_of(posterior)


def test_checks_that_are_made_are_taken_and_others_made(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "verdict")
    posterior = POSTERIORS["bernoulli"]()
    assert "do not use" in " ".join(Page(render(posterior)).text)
    words = " ".join(Page(render(posterior, checks={"convergence": check(made_up.good())})).text)
    assert "fit to use" in words
    assert "do not use" not in words
    assert "Data that the model replicates" in words


def test_comparisons_that_are_made_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    posterior = POSTERIORS["bernoulli"]()
    made = [compare(posterior, "f", "pairwise"), compare(posterior, "x")]
    expected = joined(posterior)
    assert {"b vs a", "c vs a"} == set(expected.loc[expected["variable"] == "f", "contrast"])
    pd.testing.assert_frame_equal(expected, joined(posterior, made))
    others = [compare(posterior, "x", "sd"), compare(posterior, "x", by="f")]
    others += [compare(posterior, "x", random_effects="integrated")]
    pd.testing.assert_frame_equal(expected, joined(posterior, others))
    only(monkeypatch, "population")
    page = render(posterior)
    monkeypatch.setattr(comparisons, "compare", None)  # nothing is computed
    assert page == render(posterior, comparisons=made)


def joined(posterior: Posterior, comparisons: Sequence[Estimates] = ()) -> pd.DataFrame:
    tables = [found.table for found in compared(posterior, ["x", "f"], comparisons)]
    return pd.concat(tables, ignore_index=True)


def test_bins_of_small_groups_hold_what_a_right_model_replicates() -> None:
    rng = np.random.default_rng(5)
    groups, rows = 600, 3
    g, x = np.repeat(np.arange(groups), rows), rng.normal(size=groups * rows)
    u = rng.normal(0.0, 3.0, size=groups)
    data = pd.DataFrame({"g": g, "x": x, "y": rng.random(x.size) < 1 / (1 + np.exp(-x - u[g]))})
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", family="bernoulli")
    # u as a fit knows it: shrunk towards 0, uncertain, and drawn towards the responses it was estimated from
    sums = np.bincount(g, np.asarray(data["y"], float) - 0.5)
    drawn = 2.0 * sums + rng.normal(0.0, 1.5, size=(80, groups))
    posterior = posterior_at(
        spec, data, np.tile([0.0, 1.0], (80, 1)), {"g": np.full((80, 1, 1), 9.0)}, {}, {"g": drawn[..., None]}
    )
    found = re.search(r"(\d+) outside", predictive_figure(posterior)[1])
    assert found
    assert int(found[1]) <= 4  # of 20; sorted by fitted values given u, 14 lie outside


def test_labels_of_the_data_are_text_and_nothing_else() -> None:
    text = rendered("hostile")
    found = check_page(text)
    assert HOSTILE in " ".join(found.text)
    assert any(HOSTILE in svg["aria-label"] for svg in found.all("svg"))
    assert not re.search(r"<svg[^>]*>.*<script.*</svg>", text)


def test_without_random_effects() -> None:
    words = " ".join(check_page(render(case("bernoulli", "y ~ x + 1"))).text)
    assert "no random effects" in words


def test_without_fixed_effects() -> None:
    check_page(render(case("gaussian", "y ~ 1 + (1 | g)")))


@pytest.mark.parametrize("name", POSTERIORS)
def test_pages_of_all_structures(name: str) -> None:
    check_page(rendered(name))


def test_one_draw() -> None:
    posterior = case("poisson")
    check_page(render(posterior_at(posterior.spec, posterior.design.data, [0.1, 0.2], {"g": np.eye(2)})))


def test_many_levels_become_a_band() -> None:
    text = render(case("gaussian", levels=200))
    check_page(text)
    assert "Line and band" in text


def test_saved_and_loaded_posterior_reads_the_same(tmp_path: Path) -> None:
    loaded = load_posterior(POSTERIORS["crossed"]().save(tmp_path / "run"))
    assert rendered("crossed") == render(loaded, title="A crossed model")


def test_file_is_written_whole_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    text = page("A title", "below", ["a fact"], [("A section", "section", paragraph("words"))], path)
    assert text == path.read_text(encoding="utf-8")
    assert [path] == list(path.parent.iterdir())
    assert "<h1>A title</h1>" in text


def test_figures_are_the_same_each_time_and_leave_no_state() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    numbers = {"estimate": [0.5, 2.0], "lower": [0.2, 1.0], "upper": [0.9, 3.0], "estimand": "ratio"}
    table = pd.DataFrame({"row": ["a $x$", "b"], "effect": "conditional"} | numbers)
    first, second = (forest(table, "ratio") for _ in range(2))
    assert first == second
    assert before == dict(matplotlib.rcParams)


def test_numbers_are_short_and_keep_their_sign() -> None:
    shown = {0.0: "0.00", -0.5: "−0.500", 123456.7: "123,457", np.inf: "∞", np.nan: "–", 99.96: "100.0"}
    assert list(shown.values()) == [str(number(value)) for value in shown]
