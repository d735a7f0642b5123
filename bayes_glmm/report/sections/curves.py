"""The classic picture: the curves of single groups, and over them the population-averaged one."""

from __future__ import annotations

from markupsafe import Markup

from bayes_glmm.design.encode import mean_columns
from bayes_glmm.plots import curves
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.figures import saved
from bayes_glmm.report.html import figure, heading, paragraph
from bayes_glmm.report.sections.population import AVERAGED, readings

VARIABLES = 3  # more are left to bg.plots.curves()

_HOW = (
    "Thin lines or dots: groups drawn from the estimated distribution of the random effects. Other columns are at "
    "their mean or most common level. <code>{call}</code> draws the same figures."
)


def render_curves(posterior: Posterior) -> Markup:
    """One figure per variable, for the first few."""
    variables = mean_columns(posterior.spec)
    if not variables or not posterior.design.blocks:
        return paragraph("Curves need a variable and a grouping factor; the model has no such pair.")
    average = " and the population-averaged mean" if AVERAGED in readings(posterior) else ""
    parts = []
    for variable in variables[:VARIABLES]:
        alt = f"Mean of {posterior.design.response} by {variable}: single groups, the mean at u = 0{average}."
        parts.append(heading(variable) + figure(saved(curves(posterior, variable)), alt))
    return Markup("").join(parts) + paragraph(
        _HOW, kind="note", call=f'bg.plots.curves(fit.posterior, "{variables[0]}")'
    )
