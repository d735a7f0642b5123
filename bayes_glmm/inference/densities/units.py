"""The pass of a density over the units of its likelihood: rows of a family, or blocks of correlated residuals."""

from __future__ import annotations

import numpy as np

from bayes_glmm.design import Design
from bayes_glmm.inference.densities.blocks import block_statistics
from bayes_glmm.inference.densities.callbacks import Part
from bayes_glmm.inference.kernels.generated import kernel_key, kernel_of
from bayes_glmm.inference.kernels.inputs import response_inputs
from bayes_glmm.spec import ModelSpec


def unit_pass(
    spec: ModelSpec, design: Design, order: np.ndarray
) -> tuple[Part, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The code that passes over the units, and what it reads: response [row], columns beside it, statistics.

    Rows are in the order given.
    """
    if design.residual is not None:
        y = design.y[order]
        return Part("blocks"), (y, y, block_statistics(design.residual, order, "sigma" in spec.formulas))
    key = kernel_key(spec, design.observed.form)
    return Part("rows", key), response_inputs(kernel_of(*key), design, order)
