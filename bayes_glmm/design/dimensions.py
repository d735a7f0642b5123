"""The names that dimensions of a posterior go by, and what stands along them."""

from __future__ import annotations

from bayes_glmm.design.design import Design
from bayes_glmm.names import ADJACENT, OCCASION, OCCASION_2


def dimension_labels(design: Design) -> dict[str, list]:
    """Labels of every dimension of the model."""
    coords: dict[str, list] = {"row": list(range(len(design.y)))}
    if design.thresholds:
        coords[ADJACENT] = list(design.thresholds)
    if design.residual is not None and not design.residual.form.single:
        coords |= {OCCASION: list(design.residual.labels), OCCASION_2: list(design.residual.labels)}
    coords |= {one.dim: list(one.coefficients) for one in design.predictors.fixed}
    for block in design.blocks:
        coords[block.level_dim] = list(block.levels)
        coords[block.effect_dim] = list(block.effects)
        coords[block.second_effect_dim] = list(block.effects)
    return coords
