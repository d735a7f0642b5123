"""The figures of a run as files of their own, for slides and papers: SVG, drawn by the report's functions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bayes_glmm.effects.columns import columns_of_table, in_our_names
from bayes_glmm.posterior import Posterior
from bayes_glmm.runs.tables import SIDE_BY_SIDE


def write_figures(posterior: Posterior, tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write ``coefficients.svg``, ``predictive.svg`` and, for each comparison, its differences.

    Parameters
    ----------
    posterior : Posterior
    tables : mapping of str to DataFrame
        Of :func:`~bayes_glmm.runs.tables.result_tables`.
    folder : Path
        Made here.
    """
    from bayes_glmm.report.predictive_figures import predictive_figure  # matplotlib takes a second

    folder.mkdir()
    coefficients = tables.get(SIDE_BY_SIDE, tables["coefficients"])
    xlabel = f"coefficient ({posterior.spec.link_name} scale)"
    (folder / "coefficients.svg").write_bytes(_forest(coefficients, ["coefficient"], xlabel))
    (folder / "predictive.svg").write_bytes(predictive_figure(posterior)[0])
    for name, table in tables.items():
        if name.startswith("compare_"):
            columns = columns_of_table(table)
            differences = table[table[str(columns.estimand)] == "difference"]
            xlabel = f"difference of the mean of {posterior.design.response}"
            (folder / f"{name}.svg").write_bytes(_forest(differences, list(columns.labels), xlabel))


def _forest(table: pd.DataFrame, labels: list[str], xlabel: str) -> bytes:
    """Estimates and intervals of a table, one line a combination of labels."""
    from bayes_glmm.report.figures import forest

    return forest(in_our_names(table).assign(row=table[labels].astype(str).agg(", ".join, axis=1)), xlabel)
