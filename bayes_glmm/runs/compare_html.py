"""A comparison of runs as one HTML file, in the style of the report."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from markupsafe import Markup

from bayes_glmm.report.html import badge, heading, paragraph, table
from bayes_glmm.report.render import page
from bayes_glmm.runs.compare import Comparison, table_title


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write the page: all of it or, if that fails, nothing."""
    loo = [heading(f"By {unit}") + _table(ranked) for unit, ranked in comparison.loo.items()]
    loo.append(paragraph("{note}", note=comparison.loo_note))
    effects = [heading(table_title(name)) + _table(wide) for name, wide in comparison.effects.items()]
    note = paragraph("Posterior mean and 95&nbsp;% interval; a dash where a run has no such estimate.")
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


def _table(frame: pd.DataFrame) -> Markup:
    columns = {str(column): frame[column].tolist() for column in frame.columns}
    for column in {"convergence", "predictive"} & set(columns):
        columns[column] = [badge(verdict) for verdict in columns[column]]
    return table(columns.items())
