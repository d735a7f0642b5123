"""The coefficients on the link scale: conditional, and of the marginal model."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from markupsafe import Markup

from bayes_glmm.effects import Estimates, coefficients, marginal_coefficients
from bayes_glmm.effects.coefficients import coefficients_by_predictor
from bayes_glmm.names import threshold
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.comparisons import readings
from bayes_glmm.report.figures import forest
from bayes_glmm.report.html import figure, heading, paragraph, side_by_side
from bayes_glmm.report.words import caption_of, summary_of

_THRESHOLDS = (
    " A positive coefficient makes higher categories more probable. Thresholds are on the same scale and separate "
    "adjacent categories: the higher the linear predictor, the more probable are the categories above a threshold. "
    "{meaning}All are <span class='conditional'>conditional</span>: they compare rows of one group, whatever its "
    "random effects are."
)

_CATEGORIES = (
    "Each category but the first, {reference}, has a linear predictor: its log odds against {reference}. Coefficients "
    "are on the {link} scale, per unit of each column, and <span class='conditional'>conditional</span>: they compare "
    "rows of one group, whatever its random effects are. A positive coefficient makes a category more probable "
    "relative to {reference}; its own probability can still decrease, if other categories gain more. Use the "
    "probabilities above to report effects: they have the same meaning under each reference."
)
_INTERCEPTS = "Intercepts are in the table only."


def render_coefficients(posterior: Posterior) -> Markup:
    """A sentence, the forest, the table."""
    if not posterior.design.coefficients:
        return paragraph("The model has no fixed effects.")
    if posterior.spec.family.response.nominal:
        return _by_category(posterior)
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
    record = posterior.spec.family.thresholds
    meaning = f"{record.meaning} " if record and record.meaning else ""
    parts = [paragraph(text, link=posterior.spec.scale_name, meaning=meaning)]
    constants = ["Intercept", *map(threshold, posterior.design.thresholds)]
    constants += [posterior.design.tied.own] if posterior.design.tied else []
    slopes = frame[~frame["coefficient"].isin(constants)]
    if len(slopes):
        kept = "The thresholds are" if posterior.design.thresholds else "The intercept is"
        caption = f"{caption_of(found)} {kept} in the table only."
        parts.append(_forest(slopes, posterior.spec.scale_name, caption))
    parts.append(side_by_side(frame, ["coefficient"]) + paragraph("{summary}", kind="note", summary=summary_of(found)))
    return Markup("").join([*parts, *_further(posterior)])


def _by_category(posterior: Posterior) -> Markup:
    """The coefficients of each category against the reference: a forest of the slopes, and the table."""
    reference, *others = posterior.design.categories
    names = posterior.design.predictors.parameters
    against = {name: f"{label} against {reference}" for name, label in zip(names, others, strict=True)}
    frame = coefficients_by_predictor(posterior)
    frame.insert(1, "log odds of", frame["predictor"].map(against))
    slopes = frame[frame["coefficient"] != "Intercept"]
    parts = [paragraph(_CATEGORIES, reference=reference, link=posterior.spec.scale_name)]
    found = coefficients(posterior)
    if len(slopes):
        rows = slopes["predictor"] + ": " + slopes["coefficient"]
        parts.append(_forest(slopes, posterior.spec.scale_name, f"{caption_of(found)} {_INTERCEPTS}", rows))
    labels = ["predictor", "log odds of", "coefficient"]
    parts.append(side_by_side(frame, labels) + paragraph("{summary}", kind="note", summary=summary_of(found)))
    return Markup("").join(parts)


def _further(posterior: Posterior) -> Iterator[Markup]:
    """The coefficients of further parameters."""
    spec = posterior.spec
    for name in spec.stated:
        title = spec.family.auxiliary[name].title or name
        found = coefficients(posterior, name).table
        if not len(found):  # known row by row
            continue
        text = "Coefficients of the {title} are on the {link} scale, and conditional."
        yield heading(f"{title[:1].upper()}{title[1:]}")
        yield paragraph(text, title=title, link=spec.link_of(name).name)
        yield side_by_side(found, ["coefficient"])


def _forest(frame: pd.DataFrame, link: str, caption: str, names: pd.Series | None = None) -> Markup:
    svg = forest(frame.assign(row=frame["coefficient"] if names is None else names), f"coefficient, {link} scale")
    effects = " and ".join(dict.fromkeys(frame["effect"]))
    alt = f"Coefficients on the {link} scale with 95 % intervals, {effects}; numbers in the table below."
    return figure(svg, alt, caption)
