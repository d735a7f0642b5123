"""The same quantities by other methods, and in words where and why they differ."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from bayes_glmm.approx import CrossCheck, cross_check
from bayes_glmm.approx.cross_check import listed
from bayes_glmm.effects.coefficients import CONDITIONAL, POPULATION_AVERAGED
from bayes_glmm.names import THRESHOLD
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.figures import forest
from bayes_glmm.report.html import bullets, details, figure, number, paragraph, table

PICTURED = 4  # coefficients: those on which the methods differ most


def render_cross_check(posterior: Posterior) -> Markup:
    """Sentences, the forest, the table, and notes on each method."""
    found = cross_check(posterior)
    parts = [paragraph(_introduction(found)), bullets(found.sentences)]
    pictured = _pictured(found)
    if len(pictured):
        parts.append(_forest(pictured, posterior.spec.scale_name))
    parts += [_table(found), *_notes(found)]
    return Markup("").join(parts)


def _introduction(found: CrossCheck) -> str:
    """The methods that gave estimates, and the names of those that did not."""
    sentences = []
    if found.used:
        titles = listed([method.title for method in found.used])
        sentences.append(f"Other methods, given the same data and formula, without the priors: {titles}.")
    if found.left_out:
        sentences.append(f"No estimates by {listed(found.left_out)}: the notes on each method have the reason.")
    return " ".join(sentences)


def _pictured(found: CrossCheck) -> pd.DataFrame:
    """Some slopes, those with the largest range of estimates in posterior sds first."""
    rows = found.table[found.table["effect"].isin([CONDITIONAL, POPULATION_AVERAGED])]
    rows = rows[~rows["parameter"].str.fullmatch(rf"(\w+_)?Intercept|{THRESHOLD}\[.*\]")]
    by = rows.groupby(["parameter", "effect"], sort=False)
    span = (by["estimate"].max() - by["estimate"].min()) / by["sd"].first()
    order = span.groupby("parameter", sort=False).max().sort_values(ascending=False, kind="stable")
    chosen = [name for name in dict.fromkeys(rows["parameter"]) if name in order.index[:PICTURED]]
    return rows[rows["parameter"].isin(chosen)].sort_values(
        "parameter", key=lambda names: names.map(chosen.index), kind="stable"
    )


def _forest(rows: pd.DataFrame, link: str) -> Markup:
    svg = forest(rows.assign(row=rows["method"] + ": " + rows["parameter"]), f"coefficient, {link} scale")
    methods = ", ".join(dict.fromkeys(rows["method"]))
    alt = f"Coefficients by {methods}, with 95 % intervals; estimates in the table below."
    few = rows["parameter"].nunique() == PICTURED
    note = " Shown: the coefficients on which the methods differ most." if few else ""
    return figure(svg, alt, f"Estimates with 95 % intervals, from the posterior and from the other methods.{note}")


def _table(found: CrossCheck) -> Markup:
    wide = found.wide()
    looks = {CONDITIONAL: "conditional", POPULATION_AVERAGED: "averaged"}
    effects = [Markup('<span class="{}">{}</span>').format(looks.get(e, ""), e) for e in wide["effect"]]
    methods = [str(name) for name in wide.columns[2:]]
    values = {name: [float(value) for value in wide[name]] for name in methods}
    likelihood = found.methods.set_index("method")["log_likelihood"]
    last = "log likelihood"
    return table(
        {
            "quantity": [*wide["parameter"], last],
            "": [*effects, "random effects integrated out"],
            **{name: [*values[name], number(float(likelihood[name]), 6)] for name in methods},
        }.items()
    )


def _notes(found: CrossCheck) -> list[Markup]:
    """Notes on the methods, each text once."""
    notes = found.methods[found.methods["note"] != ""]
    texts = [f"{', '.join(part['method'])}: {note}" for note, part in notes.groupby("note", sort=False)]
    return [details("Notes on each method", bullets(texts))] if texts else []
