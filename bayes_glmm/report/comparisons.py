"""The default comparisons of variables: population-averaged, and at u = 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bayes_glmm.design.encode import mean_columns
from bayes_glmm.effects import Estimates, compare
from bayes_glmm.effects.contrasts import contrasts_of
from bayes_glmm.effects.estimands import default_part
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.answer import Answer

AVERAGED, CONDITIONAL = "population-averaged", "conditional (u = 0)"
VARIABLES = 20  # more are left to fit.compare()
_BEFORE, _AFTER = ("variable", "contrast"), ("estimand", "effect", "estimate")


def unasked(posterior: Posterior, answers: Sequence[Answer]) -> list[str]:
    """Return the variables of the mean that no question is about: those that are compared by default."""
    asked = {answer.variable for answer in answers if answer.part in (None, default_part(posterior.spec))}
    return [name for name in mean_columns(posterior.spec) if name not in asked]


def compared(posterior: Posterior, variables: Sequence[str], comparisons: Sequence[Estimates] = ()) -> list[Estimates]:
    """The default comparisons of some variables; those that are already made are taken."""
    asked = [{AVERAGED: "integrated", CONDITIONAL: "zero"}[reading] for reading in readings(posterior)]
    found = []
    for name in variables:
        made = next((each for made in comparisons if (each := _made(posterior, name, made)) is not None), None)
        found.append(compare(posterior, name, random_effects=asked) if made is None else made)
    return found


def _made(posterior: Posterior, variable: str, estimates: Estimates) -> Estimates | None:
    """The default comparisons of a variable out of others; None where they are missing."""
    table, of_category = estimates.table, ("category",) * bool(posterior.design.categories)
    expected = [*_BEFORE, *of_category, *_AFTER]
    if [str(column) for column in table.columns[: len(expected)]] != expected:
        return None
    contrasts = [contrast.label for contrast in contrasts_of(posterior.design, variable, None)]
    asked = {(contrast, reading) for contrast in contrasts for reading in readings(posterior)}
    of_this = table[table["variable"] == variable]
    pairs = list(zip(of_this["contrast"], of_this["effect"], strict=True))
    chosen = of_this[[pair in asked for pair in pairs]]
    return replace(estimates, table=chosen) if asked <= set(pairs) else None


def readings(posterior: Posterior) -> tuple[str, ...]:
    """Readings that differ: both, or one where they are the same or no average exists."""
    spec = posterior.spec
    if not posterior.design.blocks or spec.link_of_part(spec.family.mean).name == "identity":
        return (AVERAGED,)
    return (AVERAGED, CONDITIONAL) if spec.has_averages else (CONDITIONAL,)
