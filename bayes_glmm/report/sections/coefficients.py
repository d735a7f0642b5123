"""The coefficients on the link scale: conditional, and of the marginal model."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from markupsafe import Markup

from bayes_glmm.effects import Estimates, coefficients, marginal_coefficients
from bayes_glmm.names import threshold
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.figures import forest
from bayes_glmm.report.html import figure, heading, paragraph, side_by_side
from bayes_glmm.report.sections.population import readings
from bayes_glmm.report.words import caption_of, summary_of

_THRESHOLDS = (
    " A positive coefficient makes higher categories more probable. Thresholds are on the same scale and separate "
    "adjacent categories: the higher the linear predictor, the more probable are the categories above a threshold. All "
    "are <span class='conditional'>conditional</span>: they compare rows of one group, whatever its random effects are."
)


def render_coefficients(posterior: Posterior) -> Markup:
    """A sentence, the forest, the table."""
    if not posterior.design.coefficients:
        return paragraph("The model has no fixed effects.")
    both = len(readings(posterior)) == 2 and not posterior.design.thresholds
    found: Estimates = marginal_coefficients(posterior) if both else coefficients(posterior)
    frame = found.table
    text = "Coefficients are on the {link} scale, per unit of each column."
    if both:
        text += (
            " <span class='conditional'>Conditional</span> coefficients compare rows of one group, for any value of "
            "its random effects. <span class='averaged'>Population-averaged</span> coefficients are those of the "
            "marginal model, which a GEE estimates: the population-averaged mean on the link scale, projected on the "
            "columns."
        )
    if posterior.design.thresholds:
        text += _THRESHOLDS
    parts = [paragraph(text, link=posterior.spec.link_name)]
    constants = ["Intercept", *map(threshold, posterior.design.thresholds)]
    slopes = frame[~frame["coefficient"].isin(constants)]
    if len(slopes):
        kept = "The thresholds are" if posterior.design.thresholds else "The intercept is"
        caption = f"{caption_of(found)} {kept} in the table only."
        parts.append(_forest(slopes, posterior.spec.link_name, caption))
    parts.append(side_by_side(frame, ["coefficient"]) + paragraph("{summary}", kind="note", summary=summary_of(found)))
    return Markup("").join([*parts, *_further(posterior)])


def _further(posterior: Posterior) -> Iterator[Markup]:
    """The coefficients of further parameters."""
    spec = posterior.spec
    for name in spec.formulas:
        title = spec.family.auxiliary[name].title or name
        text = "Coefficients of the {title} are on the {link} scale, and conditional."
        yield heading(f"{title[:1].upper()}{title[1:]}")
        yield paragraph(text, title=title, link=spec.link_of(name).name)
        yield side_by_side(coefficients(posterior, name).table, ["coefficient"])


def _forest(frame: pd.DataFrame, link: str, caption: str) -> Markup:
    svg = forest(frame.assign(row=frame["coefficient"]), f"coefficient, {link} scale")
    effects = " and ".join(dict.fromkeys(frame["effect"]))
    alt = f"Coefficients on the {link} scale with 95 % intervals, {effects}; numbers in the table below."
    return figure(svg, alt, caption)
