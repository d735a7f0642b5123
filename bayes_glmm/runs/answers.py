"""The questions of a config: their words, and the answers of a posterior."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayes_glmm.design import Design
from bayes_glmm.effects import compare, predict, slopes
from bayes_glmm.effects.grid import model_columns, reference_grid
from bayes_glmm.effects.tidy import Estimates
from bayes_glmm.plots.style import number
from bayes_glmm.posterior import Posterior
from bayes_glmm.runs.schema import EffectSection

if TYPE_CHECKING:
    from bayes_glmm.report import Answer

LISTED = 4  # values of a column that a question names before it counts them


def answers_of(posterior: Posterior, effects: Sequence[EffectSection]) -> dict[str, Answer]:
    """The answers to all questions, by names that are fit for files, such as ``compare_treatment``.

    Parameters
    ----------
    posterior : Posterior
    effects : sequence of EffectSection

    Returns
    -------
    dict of str to Answer
        In the order of the questions. The same question twice has the names ``compare_x`` and ``compare_x_2``.

    Raises
    ------
    SpecError, DataError
        As :func:`answer`.
    """
    from bayes_glmm.report import Answer  # Jinja2 and Matplotlib take a second

    found: dict[str, Answer] = {}
    for effect in effects:
        variable = str(effect.compare or effect.slopes or "")
        estimates = answer(posterior, effect)
        found[_free_name(effect.name, found)] = Answer(question(posterior, effect), variable, estimates, effect.part)
    return found


def answer(posterior: Posterior, effect: EffectSection) -> Estimates:
    """The estimates that answer one question.

    Raises
    ------
    SpecError, DataError
        For variables, values and contrasts that the model does not have.
    """
    readings: dict[str, Any] = {"random_effects": effect.random_effects, "keep": effect.keep, "part": effect.part}
    match effect.kind:
        case "compare":
            return compare(posterior, str(effect.compare), contrast=effect.contrast, by=effect.by, **readings)
        case "slopes":
            return slopes(posterior, str(effect.slopes), by=effect.by, **readings)
        case "predict":
            return predict(posterior, _grid(posterior.design, effect.predict or {}), **readings)


def question(posterior: Posterior, effect: EffectSection) -> str:
    """The question in words: the config's own, or one made from its keys."""
    from bayes_glmm.report.words import listed, scale_of

    if effect.question:
        return effect.question
    mean = scale_of(posterior, effect.part).mean
    within = f", by {listed(effect.by)}" if effect.by else ""
    match effect.kind:
        case "compare":
            return f"How does the {mean} change with {effect.compare}{within}?"
        case "slopes":
            return f"What is the average slope of the {mean} in {effect.slopes}{within}?"
        case "predict":
            places = [_place(name, values) for name, values in (effect.predict or {}).items()]
            return f"What is the {mean}{f' at {listed(places)}' if places else ''}?"


def _place(name: str, values: Sequence[Any]) -> str:
    """A column of a grid with its values."""
    if len(values) > LISTED:
        return f"{len(values)} values of {name}"
    return f"{name} = {', '.join(map(number, values))}"


def _free_name(name: str, taken: dict[str, Answer]) -> str:
    """A name fit for a file that no other answer has."""
    name = "".join(character if character.isalnum() or character in "_-" else "_" for character in name)
    names = itertools.chain([name], (f"{name}_{count}" for count in itertools.count(2)))
    return next(free for free in names if free not in taken)


def _grid(design: Design, values: dict[str, list[Any]]) -> pd.DataFrame:
    """All combinations of the values; those of grouping factors beside those of predictors."""
    groups = {column for block in design.blocks for column in block.group.split(":")} - set(model_columns(design))
    rows = reference_grid(design, [], at={name: given for name, given in values.items() if name not in groups})
    for name in (name for name in values if name in groups):
        rows = rows.merge(pd.DataFrame({name: values[name]}), how="cross")
    return rows
