"""The questions of a config, put to a posterior."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bayes_glmm.design import Design
from bayes_glmm.effects import compare, predict, slopes
from bayes_glmm.effects.grid import model_columns, reference_grid
from bayes_glmm.effects.tidy import Estimates
from bayes_glmm.posterior import Posterior
from bayes_glmm.runs.schema import EffectSection


def answer(posterior: Posterior, effect: EffectSection) -> Estimates:
    """What a posterior says to one question.

    Raises
    ------
    SpecError, DataError
        For variables, values and contrasts that the model does not know.
    """
    readings: dict[str, Any] = {"random_effects": effect.random_effects, "keep": effect.keep}
    match effect.kind:
        case "compare":
            return compare(posterior, str(effect.compare), contrast=effect.contrast, by=effect.by, **readings)
        case "slopes":
            return slopes(posterior, str(effect.slopes), by=effect.by, **readings)
        case "predict":
            return predict(posterior, _grid(posterior.design, effect.predict or {}), **readings)


def _grid(design: Design, values: dict[str, list[Any]]) -> pd.DataFrame:
    """All combinations of the values; those of grouping factors beside those of predictors."""
    groups = {column for block in design.blocks for column in block.group.split(":")} - set(model_columns(design))
    rows = reference_grid(design, [], at={name: given for name, given in values.items() if name not in groups})
    for name in (name for name in values if name in groups):
        rows = rows.merge(pd.DataFrame({name: values[name]}), how="cross")
    return rows
