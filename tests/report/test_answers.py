"""The report of questions: each first, in its direction, with the numbers of its estimates; defaults for the rest."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib import import_module

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.effects import Estimates, compare, predict, reference_grid, slopes
from bayes_glmm.posterior import Posterior
from bayes_glmm.report import SECTIONS, Answer, render
from bayes_glmm.report.effect_parts import EffectRows, effect_rows, effects_figure, one_reading_each, sentences
from bayes_glmm.report.html import number
from bayes_glmm.report.sections.answers import render_answers
from bayes_glmm.report.words import scale_of
from tests.report.page import HOSTILE, POSTERIORS, WORDS, case, check_fragment


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return POSTERIORS["bernoulli"]()


def words(html: object) -> str:
    return " ".join(" ".join(check_fragment(str(html)).text).split())


def section(page: str, anchor: str) -> str:
    found = re.search(rf'<section id="{anchor}".*?</section>', page, re.DOTALL)
    return found[0] if found else ""


def compared(estimates: Estimates) -> EffectRows:
    return effect_rows(estimates.table, compared=True)


class Cells(HTMLParser):
    """The texts of the cells of all tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.inside = tag == "td"
        if self.inside:
            self.found.append("")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.found[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self.inside = False


@pytest.fixture
def effects_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports have the sections on effects alone."""
    sections = tuple(section for section in SECTIONS if section.anchor in ("answers", "population"))
    monkeypatch.setattr(import_module("bayes_glmm.report.render"), "SECTIONS", sections)


def anchors(page: str) -> list[str]:
    return [each["id"] for each in check_fragment(page).all("section")]


def test_answers_come_before_all_other_results() -> None:
    assert ["verdict", "answers", "population"] == [section.anchor for section in SECTIONS][:3]


@pytest.mark.usefixtures("effects_alone")
def test_questions_come_first_and_their_variables_are_not_compared_again(posterior: Posterior) -> None:
    asked = Answer("Does f matter?", "f", compare(posterior, "f", ("c", "a")))
    page = render(posterior, answers=[asked])
    assert ["answers", "population"] == anchors(page)
    answers, defaults = section(page, "answers"), section(page, "population")
    assert "<h3>Does f matter?</h3>" in answers
    assert "a vs c" in answers
    assert "c vs a" not in page
    assert "b vs a" not in page
    assert "x + 1 vs x" in defaults
    assert "x + 1 vs x" not in answers
    assert "Population-averaged" not in defaults, "explained with the answers, once"


@pytest.mark.usefixtures("effects_alone")
def test_a_section_without_content_is_left_out(posterior: Posterior) -> None:
    asked = [Answer(f"{name}?", name, compare(posterior, name)) for name in ("f", "x")]
    assert ["answers"] == anchors(render(posterior, answers=asked))
    assert ["population"] == anchors(render(posterior))


def test_an_answer_has_the_numbers_of_its_estimates(posterior: Posterior) -> None:
    estimates = compare(posterior, "f", ("c", "a"), by="g")
    cells = Cells(str(render_answers(posterior, [Answer("?", "f", estimates)]))).found
    for name in ("estimate", "lower", "upper"):
        for value in estimates.table[name]:
            assert any(str(number(float(value))) in cell for cell in cells), (name, value)


@pytest.fixture(scope="module")
def turned() -> tuple[str, str]:
    """The sentences of a comparison, and of the same one the other way around."""
    posterior = POSTERIORS["bernoulli"]()
    asked = [Answer("?", "f", compare(posterior, "f", pair)) for pair in (("a", "c"), ("c", "a"))]
    return tuple(re.findall("<li>.*?</li>", str(render_answers(posterior, asked)))[:2])


def test_the_other_direction_has_the_same_sizes_and_the_opposite_words(turned: tuple[str, str]) -> None:
    there, back = turned
    assert "c vs a" in there
    assert "a vs c" in back
    opposite = {"higher": "lower", "lower": "higher"}
    swapped = [opposite.get(word, word) for word in re.findall(r"higher|lower|[\d.]+(?= percentage)", back)]
    assert sorted(swapped) == sorted(re.findall(r"higher|lower|[\d.]+(?= percentage)", there))


def test_slopes_are_per_unit_and_predictions_have_no_line_at_0() -> None:
    posterior = case("gaussian", "y ~ x + f + (1 | g)", f=np.tile(WORDS, 16))
    text = words(render_answers(posterior, [Answer("How steep?", "x", slopes(posterior, "x"))]))
    assert "per unit of x : population-averaged , the mean of y is" in text
    assert "percentage points" not in text
    rows = reference_grid(posterior.design, [], {"x": [0.0, 1.0], "f": WORDS[:2]})
    predicted = predict(posterior, rows)
    text = words(render_answers(posterior, [Answer("How much?", "", predicted)]))
    assert "higher" not in text
    svg = effects_figure(effect_rows(predicted.table, False), scale_of(posterior)).decode()
    assert "stroke-dasharray" not in svg
    assert "stroke-dasharray" in effects_figure(compared(slopes(posterior, "x")), scale_of(posterior)).decode()


def test_under_the_identity_link_each_number_is_shown_once() -> None:
    posterior = case("gaussian")
    rows = compared(compare(posterior, "x"))
    assert 2 == rows.ours["effect"].nunique()
    assert ["population-averaged"] == one_reading_each(rows).ours["effect"].unique().tolist()
    logit = compared(compare(POSTERIORS["bernoulli"](), "x"))
    pd.testing.assert_frame_equal(logit.ours, one_reading_each(logit).ours)


def test_columns_of_the_data_may_have_our_names(posterior: Posterior) -> None:
    numbers = {"estimate_": [0.1, 0.2], "lower": [0.0, 0.1], "upper": [0.2, 0.3], "probability": [0.9, 0.9]}
    readings = ["population-averaged", "conditional (u = 0)"]
    labels = {"variable": "x", "contrast": "1 vs 0", "estimate": 5, "effect": "low", "estimand": "difference"}
    rows = effect_rows(pd.DataFrame({**labels, "effect_": readings, **numbers}), compared=True)
    assert ["estimate", "effect"] == list(rows.data)
    assert [0.1, 0.2] == rows.ours["estimate"].tolist()
    assert readings == rows.ours["effect"].tolist()
    text = " ".join(str(sentences(rows, scale_of(posterior))).split())
    assert "(estimate = 5, effect = low)" in text
    assert "10.0 percentage points higher" in text
    predicted = effect_rows(pd.DataFrame({"variable": ["v", "v"], "effect": readings, **numbers}), compared=False)
    assert ["variable"] == list(predicted.data)


def test_trends_are_sums_and_not_differences() -> None:
    posterior = case("gaussian", "y ~ x + f + (1 | g)", f=pd.Categorical(np.tile(WORDS, 16), ordered=True))
    text = words(render_answers(posterior, [Answer("Trend?", "f", compare(posterior, "f", "polynomial"))]))
    assert "the linear trend of the mean of y is" in text
    assert "higher" not in text


def test_many_rows_and_rows_of_one_name_can_be_drawn() -> None:
    posterior = case("bernoulli", levels=80)
    many = compare(posterior, "x", by="g")
    html = render_answers(posterior, [Answer("By group?", "x", many)])
    assert "has 72 more" in words(html)
    data = posterior.design.data.assign(mixed=pd.Series(np.resize([1, "1"], len(posterior.design.data)), dtype=object))
    same = compare(posterior, "x", newdata=data, by="mixed")
    assert len(effects_figure(compared(same), scale_of(posterior))) > 1000


def test_a_large_grid_has_its_first_rows_in_the_page() -> None:
    posterior = case("poisson", "y ~ x + (1 | g)")
    grid = reference_grid(posterior.design, [], {"x": np.linspace(0.0, 1.0, 400).tolist()})
    found = predict(posterior, grid, random_effects="zero")
    html = render_answers(posterior, [Answer("Along x?", "", found)])
    assert "Shown: the first 300 of 400 rows." in words(html)
    assert 300 == str(html).count("<tr><td>")


def test_questions_and_levels_are_text(posterior: Posterior) -> None:
    hostile = Estimates(
        compare(posterior, "x", by="f").table.replace({"f": {"a": HOSTILE}}), compare(posterior, "x").draws, HOSTILE
    )
    page = check_fragment(str(render_answers(posterior, [Answer(HOSTILE, "x", hostile)])))
    assert HOSTILE in " ".join(page.text)
    assert "script" not in {tag for tag, _ in page.tags}
