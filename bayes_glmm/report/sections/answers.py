"""The questions that were asked, in their order and direction, each with its answer."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bayes_glmm.posterior import Posterior
from bayes_glmm.report.answer import Answer
from bayes_glmm.report.effect_parts import (
    effect_rows,
    effects_figure,
    effects_table,
    figure_words,
    of_categories,
    one_reading_each,
    sentences,
)
from bayes_glmm.report.html import details, figure, heading, paragraph
from bayes_glmm.report.sections.population import explanation
from bayes_glmm.report.words import Scale, caption_of, scale_of, summary_of


def render_answers(posterior: Posterior, answers: Sequence[Answer] = ()) -> Markup:
    """Each question with sentences, a figure and its table; nothing without questions."""
    if not answers:
        return Markup("")
    parts = [_answer(answer, scale_of(posterior, answer.part)) for answer in answers]
    return Markup("").join([*parts, explanation(posterior)])


def _answer(answer: Answer, scale: Scale) -> Markup:
    rows = one_reading_each(of_categories(effect_rows(answer.estimates.table, bool(answer.variable)), scale))
    alt = f"{answer.question} Shown: {figure_words(rows, scale)}"
    picture = figure(effects_figure(rows, scale), alt, caption_of(answer.estimates))
    numbers = effects_table(rows) + paragraph("{summary}", kind="note", summary=summary_of(answer.estimates))
    if not answer.variable:
        return heading(answer.question) + picture + numbers
    return heading(answer.question) + sentences(rows, scale) + picture + details("All estimates in one table", numbers)
