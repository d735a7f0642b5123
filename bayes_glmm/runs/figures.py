"""The figures of a run as files of their own, for slides and papers: SVG, by the report's functions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bayes_glmm.posterior import Posterior
from bayes_glmm.runs.tables import SIDE_BY_SIDE

if TYPE_CHECKING:
    from bayes_glmm.report import Answer


def write_figures(
    posterior: Posterior, tables: Mapping[str, pd.DataFrame], answers: Mapping[str, Answer], folder: Path
) -> None:
    """Write ``coefficients.svg``, ``predictive.svg`` and one figure per answer, such as ``compare_treatment.svg``.

    Parameters
    ----------
    posterior : Posterior
    tables : mapping of str to DataFrame
        Of :func:`~bayes_glmm.runs.tables.result_tables`.
    answers : mapping of str to Answer
        Of :func:`~bayes_glmm.runs.answers.answers_of`.
    folder : Path
        Made here.
    """
    from bayes_glmm.report.effect_parts import (
        effect_rows,
        effects_figure,
        of_categories,
        one_reading_each,
    )  # Matplotlib takes a second
    from bayes_glmm.report.figures import forest
    from bayes_glmm.report.predictive_figures import predictive_figure
    from bayes_glmm.report.words import scale_of

    folder.mkdir()
    coefficients = tables.get(SIDE_BY_SIDE, tables["coefficients"])
    xlabel = f"coefficient ({posterior.spec.scale_name} scale)"
    rows = coefficients["coefficient"]
    if "predictor" in coefficients:
        rows = coefficients["predictor"] + ": " + rows
    (folder / "coefficients.svg").write_bytes(forest(coefficients.assign(row=rows), xlabel))
    (folder / "predictive.svg").write_bytes(predictive_figure(posterior)[0])
    for name, answer in answers.items():
        scale = scale_of(posterior, answer.part)
        found = one_reading_each(of_categories(effect_rows(answer.estimates.table, bool(answer.variable)), scale))
        (folder / f"{name}.svg").write_bytes(effects_figure(found, scale))
