"""A comparison of runs as one HTML file, in the style of the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from bayes_glmm.effects import ESTIMANDS
from bayes_glmm.effects.columns import columns_of_table, in_our_names
from bayes_glmm.plots.style import LEGIBLE
from bayes_glmm.report.figures import forest
from bayes_glmm.report.html import badge, figure, heading, paragraph, table
from bayes_glmm.report.render import page
from bayes_glmm.runs.compare import Comparison, table_title


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write the page: all of it or, if that fails, nothing."""
    loo = [heading(f"By {unit}") + _differences(ranked) + _table(ranked) for unit, ranked in comparison.loo.items()]
    loo.append(paragraph("{note}", note=comparison.loo_note))
    effects = [
        heading(table_title(name)) + _forest(comparison.estimates.get(name)) + _table(wide)
        for name, wide in comparison.effects.items()
    ]
    note = paragraph("Posterior median and 95&nbsp;% interval; a dash where a run has no such estimate.")
    page(
        title="Comparison of " + ", ".join(comparison.runs["run"]),
        subtitle="Runs side by side",
        facts=[f"{len(comparison.runs)} runs"],
        sections=[
            ("Verdicts", "verdicts", _table(comparison.runs)),
            ("Leave-one-out", "loo", Markup("").join(loo)),
            ("Effects", "effects", note + Markup("").join(effects)),
        ],
        path=path,
    )


def _differences(ranked: pd.DataFrame) -> Markup:
    """How far each run is behind the best, with two standard errors to each side."""
    behind, error = ranked["elpd_diff"], 2 * ranked["dse"].fillna(0.0)
    table = pd.DataFrame({"row": ranked["run"], "effect": "elpd difference", "estimate": behind})
    svg = forest(table.assign(lower=behind - error, upper=behind + error), "difference of elpd from the best run")
    alt = f"Differences of elpd from {ranked['run'].iloc[0]}, the best; numbers in the table below."
    return figure(svg, alt, "Differences of elpd from the best run, with two standard errors to each side.")


def _forest(long: pd.DataFrame | None) -> Markup:
    """Estimates of all runs under each other, of one estimand; nothing where there are too many to read."""
    if long is None or (columns := columns_of_table(long)).effect is None:
        return Markup("")
    what = "estimate"
    if columns.estimand is not None:
        first = str(long[columns.estimand].iloc[0])
        long, what = long[long[columns.estimand] == first], ESTIMANDS[first].title
    if columns.kind == "coefficient":
        long = long[long["coefficient"] != "Intercept"]
    names = long[list(columns.labels)].astype(str).agg(", ".join, axis=1)
    run = long[[str(name) for name in long.columns if str(name).rstrip("_") == "run"][-1]]
    table = in_our_names(long).assign(row=names + ": " + run, run=run)
    table = table.iloc[np.argsort(pd.factorize(names)[0], kind="stable")]
    if not 0 < table["row"].nunique() <= LEGIBLE or table.duplicated(["row", "effect"]).any():
        return Markup("")
    alt = f"Estimates of {', '.join(dict.fromkeys(run))}, with 95 % intervals; numbers in the table below."
    return figure(forest(table, what), alt, "Posterior medians and 95 % intervals.")


def _table(frame: pd.DataFrame) -> Markup:
    columns = {str(column): frame[column].tolist() for column in frame.columns}
    for column in {"convergence", "predictive"} & set(columns):
        columns[column] = [badge(verdict) for verdict in columns[column]]
    return table(columns.items())
