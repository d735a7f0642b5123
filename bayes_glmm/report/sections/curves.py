"""The classic picture: curves of single groups and the population-averaged one; of categories, their probabilities."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bayes_glmm.design.encode import mean_columns
from bayes_glmm.plots import categories, curves
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.comparisons import AVERAGED, readings
from bayes_glmm.report.figures import saved
from bayes_glmm.report.html import figure, heading, paragraph

VARIABLES = 3  # more are left to bg.plots.curves()

_HOW_CATEGORIES = (
    "The probabilities of all categories add up to 1 at each value. Other columns are at their mean or most common "
    "level. <code>{call}</code> draws the same figures"
)
_HOW_ORDERED = _HOW_CATEGORIES + ", and <code>bg.plots.curves</code> the mean category."
_HOW_UNORDERED = _HOW_CATEGORIES + "."
_HOW = (
    "Thin lines or dots: groups drawn from the estimated distribution of the random effects. Other columns are at "
    "their mean or most common level. <code>{call}</code> draws the same figures."
)


def render_curves(posterior: Posterior) -> Markup:
    """One figure per variable, for the first few."""
    variables = mean_columns(posterior.spec)
    if variables and posterior.spec.family.categories:
        return _categories(posterior, variables)
    if not variables or not posterior.design.blocks:
        return paragraph("Curves need a variable and a grouping factor; the model has no such pair.")
    average = " and the population-averaged mean" if AVERAGED in readings(posterior) else ""
    parts = []
    for variable in variables[:VARIABLES]:
        alt = f"Mean of {posterior.design.response} by {variable}: single groups, the mean at u = 0{average}."
        parts.append(heading(variable) + figure(saved(curves(posterior, variable)), alt))
    return Markup("").join(parts) + paragraph(_HOW, kind="note", call=f'bg.plots.curves(fit, "{variables[0]}")')


def _categories(posterior: Posterior, variables: Sequence[str]) -> Markup:
    """The probability of each category, one figure per variable."""
    parts = []
    for variable in variables[:VARIABLES]:
        alt = f"Probability of each category of {posterior.design.response} by {variable}, {AVERAGED}, with intervals."
        parts.append(heading(variable) + figure(saved(categories(posterior, variable)), alt))
    call = f'bg.plots.categories(fit, "{variables[0]}")'
    text = _HOW_UNORDERED if posterior.spec.family.response.nominal else _HOW_ORDERED
    return Markup("").join(parts) + paragraph(text, kind="note", call=call)
