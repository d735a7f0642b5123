"""The effects of the variables that no question is about: population-averaged, and at u = 0."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from bayes_glmm.effects import Estimates
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.answer import Answer
from bayes_glmm.report.comparisons import AVERAGED, CONDITIONAL, VARIABLES, compared, readings, unasked
from bayes_glmm.report.effect_parts import (
    effect_rows,
    effects_figure,
    effects_table,
    figure_words,
    of_categories,
    sentences,
)
from bayes_glmm.report.html import details, figure, paragraph
from bayes_glmm.report.words import caption_of, scale_of

_FLATTER = (
    "averaging over groups flattens the curve, so population-averaged coefficients are nearer to 0 and odds ratios "
    "nearer to 1; a difference of probabilities can be smaller or larger, depending on how steep the curve is at u = 0"
)
_WHY = {
    "logit": _FLATTER,
    "probit": _FLATTER,
    "cauchit": _FLATTER,
    "cloglog": _FLATTER,
    "log": (
        "averaging over groups raises the mean, by a factor of exp(variance / 2) with random intercepts: ratios are "
        "then the same and differences are larger; random slopes change the ratios too"
    ),
    "sqrt": "averaging over groups adds the variance of the random effects to the mean",
    "inverse": "the mean of an inverse is not the inverse of a mean",
}

_OTHERWISE = "the mean of a curve is not the curve of a mean"
_HOW = (
    "Every row of the data is set to one value of the variable, then to the other, with its other columns unchanged. "
    "The predictions are averaged over all rows and compared. <code>{call}</code> returns the same numbers."
)


def render_population(
    posterior: Posterior, answers: Sequence[Answer] = (), comparisons: Sequence[Estimates] = ()
) -> Markup:
    """The default comparisons of the variables that no answer is about: sentences, a figure, the table."""
    variables = unasked(posterior, answers)
    if not variables:
        return Markup("") if answers else paragraph("The model has no variables whose effect could be compared.")
    found = compared(posterior, variables[:VARIABLES], comparisons)
    table, scale = pd.concat([estimates.table for estimates in found], ignore_index=True), scale_of(posterior)
    rows = of_categories(effect_rows(table, compared=True), scale)
    parts = [
        Markup("") if answers else explanation(posterior),
        sentences(rows, scale),
        figure(effects_figure(rows, scale), f"By variable: {figure_words(rows, scale)}", caption_of(found[0])),
        details("All comparisons in one table", effects_table(rows)),
        paragraph(_HOW, kind="note", call=f'fit.compare("{variables[0]}")'),
    ]
    if len(variables) > VARIABLES:
        parts.append(paragraph("Shown: the first {n} of {total} variables.", n=VARIABLES, total=len(variables)))
    return Markup("").join(parts)


def explanation(posterior: Posterior) -> Markup:
    """What population-averaged and conditional mean for this model."""
    mean, groups = posterior.spec.family.mean, " and ".join(block.group for block in posterior.design.blocks)
    link = posterior.spec.link_of_part(mean).name
    if not groups:
        return paragraph("The model has no random effects: its effects are population-averaged.")
    found = readings(posterior)
    if AVERAGED not in found:
        plain = f"Under the {link} link the mean over the random effects does not exist."
        why = next(iter(mean.diverges.values()), plain)
        return paragraph(
            "{why} The effects are <span class='conditional'>conditional (u = 0)</span>: those of a group whose random "
            "effects are 0.",
            why=why,
        )
    if CONDITIONAL not in found:
        return paragraph(
            "Under the identity link the mean averaged over the random effects of {groups} equals the mean at u = 0. "
            "The effects are both <span class='averaged'>population-averaged</span> and <span "
            "class='conditional'>conditional</span>.",
            groups=groups,
        )
    others = {name for block in posterior.design.blocks for name in block.parameters} & {*mean.reads[1:]}
    return paragraph(
        "<span class='averaged'>Population-averaged</span>: the {mean} with the random effects of {groups} averaged "
        "out under their estimated distribution. <span class='conditional'>Conditional (u = 0)</span>: the {mean} in a "
        "group whose random effects are 0. Under the {link} link the two differ: {why}. Use the first for decisions "
        "about many groups, the second for one typical group.",
        mean=scale_of(posterior).mean, groups=groups, link=link,
        why=_WHY.get("" if others else link, _OTHERWISE),
    )  # fmt: skip
