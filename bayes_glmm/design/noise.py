"""Responses without noise: continuous values that the linear predictor explains to the last digit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import lsqr

from bayes_glmm.design.design import Design
from bayes_glmm.design.finding import Finding
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.spec import ModelSpec

EXACT = 1e-8  # of the response's spread: less is rounding
STEPS = 200  # of the iterative least squares; exact data need few


def noiseless(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """The predictor fits every row exactly: the scale of the noise is 0, and its posterior has no end towards it."""
    if spec.family.discrete or not explains_all(spec, design):
        return
    yield Finding(
        "noiseless",
        f"The predictors explain {design.response} exactly: no noise is left, the scale of the family has no estimate "
        "above 0, and its prior and rounding decide the width of intervals.",
        "response",
        "Check whether the response was computed from a predictor, or take the column it was computed from out.",
        weight="look",
    )


def explains_all(spec: ModelSpec, design: Design) -> bool:
    """Whether fixed and random effects fit g(y) up to rounding, with rows to spare."""
    with np.errstate(all="ignore"):
        y = spec.family.located.values(design.y) if spec.family.located else design.y
        target = np.asarray(spec.link.forward(y, NUMPY), float) - design.offset
    if not np.isfinite(target).all():
        return False
    spread = float(np.linalg.norm(target - target.mean()))
    basis = np.linalg.qr(design.X)[0]
    rest = target - basis @ (basis.T @ target)
    if np.linalg.norm(rest) <= EXACT * max(spread, 1e-300):
        return len(target) > design.X.shape[1]
    blocks = [block for block in design.blocks if len(block.levels) * len(block.effects) < len(target) / 2]
    if not blocks:
        return False
    Z = sparse.hstack([_matrix(block.values, block.index, len(block.levels)) for block in blocks], format="csr")
    if Z.shape[1] + basis.shape[1] >= len(target) / 2 + 1:
        return False
    found = lsqr(
        sparse.hstack([sparse.csr_array(basis), Z], format="csr"), target, atol=0, btol=EXACT / 10, iter_lim=STEPS
    )
    return bool(found[3] <= EXACT * max(spread, 1e-300))


def _matrix(values: np.ndarray, index: np.ndarray, levels: int) -> sparse.csr_array:
    """Columns with the span of the random effects [row, level x effect], orthogonal over all rows."""
    effects = values.shape[1]
    scaled = np.linalg.qr(values)[0] * np.sqrt(len(values))
    columns = index[:, None] * effects + np.arange(effects)
    pointers = np.arange(len(values) + 1) * effects
    return sparse.csr_array((scaled.ravel(), columns.ravel(), pointers), shape=(len(values), levels * effects))
