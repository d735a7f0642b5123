"""What changing a variable changes, on average in the population, beside the same at u = 0."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from bayes_glmm.design.expressions import columns_of
from bayes_glmm.effects import ESTIMANDS, compare
from bayes_glmm.effects.contrasts import contrasts_of
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.figures import forest
from bayes_glmm.report.html import certainty, details, figure, heading, interval, number, paragraph, side_by_side

AVERAGED, CONDITIONAL = "population-averaged", "conditional (u = 0)"
_LABELS = ("variable", "contrast", "estimand", "effect")
VARIABLES = 20  # more are left to fit.compare()

_FLATTER = (
    "averaging over groups flattens the curve, so population-averaged coefficients and odds ratios lie nearer to no "
    "effect; a difference of probabilities can be smaller or larger, as the curve is steeper or flatter at u = 0"
)
_WHY = {
    "logit": _FLATTER,
    "probit": _FLATTER,
    "cauchit": _FLATTER,
    "cloglog": _FLATTER,
    "log": (
        "averaging over groups raises the mean, by exp(variance / 2) with random intercepts: ratios are then the same, "
        "differences are larger; random slopes change the ratios too"
    ),
    "sqrt": "averaging over groups adds the variance of the random effects to the mean",
    "inverse": "the mean of an inverse is not the inverse of a mean",
}

_HOW = (
    "Every row of the data is set to one value of the variable, then to the other, its other columns as they are; the "
    "predicted means are averaged over all rows and compared. The same numbers come from <code>{call}</code>."
)
_SENTENCE = Markup(
    "<strong>{}</strong> ({}): the {} is {} {} on average (95 % interval {}; probability that it is {}: {})"
)


def render_population(posterior: Posterior, tables: Sequence[pd.DataFrame] = ()) -> Markup:
    """What the two readings mean, a forest for each scale, and the table."""
    variables = columns_of(posterior.spec.formula.fixed)
    if not variables:
        return paragraph("The model has no variables whose effect could be compared.")
    frame = comparisons(posterior, variables[:VARIABLES], tables)
    parts = [_explanation(posterior), _sentences(posterior, frame)]
    for estimand in dict.fromkeys(frame["estimand"]):
        if estimand in _pictured(frame):
            parts.append(_forest(posterior, frame[frame["estimand"] == estimand], estimand))
    calls = f'fit.compare("{variables[0]}")'
    parts.append(details("All comparisons in one table", _table(frame)))
    parts.append(paragraph(_HOW, kind="note", call=calls))
    if len(variables) > VARIABLES:
        parts.append(paragraph("Shown: the first {n} of {total} variables.", n=VARIABLES, total=len(variables)))
    return Markup("").join(parts)


def comparisons(posterior: Posterior, variables: list[str], tables: Sequence[pd.DataFrame] = ()) -> pd.DataFrame:
    """All comparisons of some variables, one row a contrast, an estimand and a reading; from tables that have them."""
    asked = [{AVERAGED: "integrated", CONDITIONAL: "zero"}[reading] for reading in readings(posterior)]
    found = []
    for name in variables:
        made = next((rows for table in tables if (rows := _made(posterior, name, table)) is not None), None)
        found.append(compare(posterior, name, random_effects=asked).table if made is None else made)
    return pd.concat(found, ignore_index=True)


def _made(posterior: Posterior, variable: str, table: pd.DataFrame) -> pd.DataFrame | None:
    """The default comparisons of a variable out of a table; None where it has other ones, or others alone."""
    if [str(column) for column in table.columns[: len(_LABELS) + 1]] != [*_LABELS, "estimate"]:
        return None
    contrasts = [contrast.label for contrast in contrasts_of(posterior.design, variable, None)]
    asked = {(contrast, reading) for contrast in contrasts for reading in readings(posterior)}
    of_this = table[table["variable"] == variable]
    pairs = list(zip(of_this["contrast"], of_this["effect"], strict=True))
    return of_this[[pair in asked for pair in pairs]] if asked <= set(pairs) else None


def readings(posterior: Posterior) -> tuple[str, ...]:
    """Which effects there are to tell apart: both; one where they are the same, or where no average exists."""
    link = posterior.spec.link
    if not posterior.design.blocks or link.name == "identity":
        return (AVERAGED,)
    exists = link.averaged is not None or link.strip > 0
    return (AVERAGED, CONDITIONAL) if exists else (CONDITIONAL,)


def _explanation(posterior: Posterior) -> Markup:
    spec = posterior.spec
    if not posterior.design.blocks:
        return paragraph("The model has no random effects: effects are population-averaged as they stand.")
    groups = " and ".join(block.group for block in posterior.design.blocks)
    found = readings(posterior)
    if AVERAGED not in found:
        return paragraph(
            "Under the {link} link the mean over the random effects does not exist: the effects below are <span "
            "class='conditional'>conditional (u = 0)</span>, in the middle of the groups.",
            link=spec.link_name,
        )
    if CONDITIONAL not in found:
        return paragraph(
            "Under the identity link the mean is the same averaged over {groups} and at u = 0: the effects below are "
            "both <span class='averaged'>population-averaged</span> and <span class='conditional'>conditional</span>.",
            groups=groups,
        )
    why = _WHY.get(spec.link_name, "the mean of a curve is not the curve of a mean")
    return paragraph(
        "<span class='averaged'>Population-averaged</span>: how the mean of {response} changes over the whole "
        "population of {groups}, random effects averaged out. <span class='conditional'>Conditional (u = 0)</span>: "
        "how it changes in a group whose random effects are 0, in the middle of the groups. Under the {link} link they "
        "differ: {why}. For decisions about many groups, read the first; for one typical group, the second.",
        response=posterior.design.response, groups=groups, link=spec.link_name, why=why,
    )  # fmt: skip


def _sentences(posterior: Posterior, frame: pd.DataFrame) -> Markup:
    """Each contrast in words: the difference, and the ratio where there is one."""
    items = []
    first, *others = readings(posterior)
    averaged = frame[frame["effect"] == first]
    for (variable, contrast), rows in list(averaged.groupby(["variable", "contrast"], sort=False))[:8]:
        row = rows[rows["estimand"] == "difference"].iloc[0]
        direction = "higher" if row["estimate"] > 0 else "lower"
        size, low, high = sorted_size(row)
        text = _SENTENCE.format(
            variable, contrast, mean_of(posterior), number(size), direction, interval(low, high), direction,
            certainty(row["probability"]),
        )  # fmt: skip
        at_zero = frame.query("variable == @variable and contrast == @contrast and estimand == 'difference'")
        at_zero = at_zero[at_zero["effect"].isin(others)]
        if len(at_zero):
            values = at_zero.iloc[0]
            text += Markup("; at u = 0, the difference is {} ({})").format(
                number(float(values["estimate"])), interval(values["lower"], values["upper"])
            )
        items.append(Markup("<li>{}.</li>").format(text))
    return Markup("<ul>") + Markup("").join(items) + Markup("</ul>")


def mean_of(posterior: Posterior) -> str:
    """What the mean of the response is called."""
    design = posterior.design
    if posterior.spec.family.response not in ("binary", "successes"):
        return f"mean of {design.response}"
    return f"probability of {f'{design.response} = {design.success}' if design.success else design.response}"


def sorted_size(row: pd.Series) -> tuple[float, float, float]:
    """The size of a difference and its interval, turned so that the size is positive."""
    if row["estimate"] < 0:
        return -float(row["estimate"]), -float(row["upper"]), -float(row["lower"])
    return float(row["estimate"]), float(row["lower"]), float(row["upper"])


def _pictured(frame: pd.DataFrame) -> tuple[str, ...]:
    """Differences of probabilities and odds ratios; ratios of positive means; differences of others."""
    found = set(frame["estimand"])
    if "odds_ratio" in found:
        return ("difference", "odds_ratio")
    return ("ratio",) if "ratio" in found else ("difference",)


def _forest(posterior: Posterior, frame: pd.DataFrame, estimand: str) -> Markup:
    named = frame.assign(row=frame["variable"] + ": " + frame["contrast"])
    title = ESTIMANDS[estimand].title
    first = named[named["effect"] == named["effect"].iloc[0]]
    spoken = "; ".join(f"{row} {value:.3g}" for row, value in zip(first["row"], first["estimate"], strict=True))
    effects = list(dict.fromkeys(named["effect"]))
    alt = f"{title} by variable, {' and '.join(effects)}, with 95 % intervals. {effects[0]}: {spoken}."
    svg = forest(named, f"{title}, {posterior.design.response}")
    return heading(title.capitalize()) + figure(svg, alt, "Posterior medians and 95 % intervals.")


def _table(frame: pd.DataFrame) -> Markup:
    named = frame.assign(
        comparison=[f"{v}: {c}" for v, c in zip(frame["variable"], frame["contrast"], strict=True)],
        estimand=[name.replace("_", " ") for name in frame["estimand"]],
    )
    return side_by_side(named, ["comparison", "estimand"])
