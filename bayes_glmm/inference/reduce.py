"""Rows that are alike become one: the same log likelihood from fewer rows.

Rows are alike when covariates, offset, levels and effect values are the same; they make up a cell, and share eta. Of a
cell with n rows the likelihood needs no more than a sufficient statistic, which is again a row of a family:

    Bernoulli and binomial    sum of y, sum of the trials                 binomial
    Poisson                   sum of y                                    Poisson with mean n mu
    Gaussian, identity link   sqrt(n) mean of y, sqrt(n) eta              Gaussian with the same sigma

n mu is eta + log n (log link), n eta (identity) or sqrt(n) eta (square root). What is lost on the way does not depend
on beta and u; it is added, so that log p is the same number. Only sampling sees reduced designs: whatever is said
about rows afterwards is about the rows of the data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from bayes_glmm.design import Design
from bayes_glmm.design.patterns import row_kinds
from bayes_glmm.families import FAMILIES
from bayes_glmm.numerics.functions import Functions
from bayes_glmm.spec import ModelSpec

MOST_LEFT = 0.9  # of the rows: above, what is won is not worth a second design


@dataclass(frozen=True)
class Cells:
    """Rows that are alike.

    Attributes
    ----------
    of_row : array [row]
        The cell of each row.
    first : array [cell]
        The first row of each.
    """

    of_row: np.ndarray
    first: np.ndarray

    @property
    def count(self) -> np.ndarray:
        """How many rows a cell has [cell]."""
        return np.bincount(self.of_row, minlength=len(self.first)).astype(float)

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sums over the rows of each cell [cell]."""
        return np.bincount(self.of_row, values, len(self.first))


@dataclass(frozen=True)
class Reduced:
    """A model of fewer rows with the same log likelihood, but for terms that beta and u do not enter.

    Attributes
    ----------
    spec : ModelSpec
        Its family is the cells'.
    design : Design
        One row a cell; coefficients, levels and effects are those of the whole design.
    constant : float
        What the log likelihood of the rows is more than that of the cells.
    lost_rows : int
        How many rows fewer, where each has a factor of sigma.
    within : float
        Sum of squares within cells, where there is sigma.
    """

    spec: ModelSpec
    design: Design
    constant: float = 0.0
    lost_rows: int = 0
    within: float = 0.0

    def remainder(self, auxiliary: Mapping[str, Any], f: Functions) -> Any:
        """The log likelihood of the rows less that of the cells."""
        if not self.lost_rows:
            return self.constant
        sigma = auxiliary["sigma"]
        return self.constant - self.lost_rows * f.log(sigma) - 0.5 * self.within / sigma**2


def reduce_rows(spec: ModelSpec, design: Design) -> Reduced:
    """Merge rows that are alike.

    Parameters
    ----------
    spec : ModelSpec
    design : Design

    Returns
    -------
    Reduced
        With the very same design where the family has no sufficient statistic of a cell, or less than a tenth of the
        rows would go.
    """
    merge = REDUCTIONS.get((spec.family_name, spec.link_name))
    cells = None if merge is None else find_cells(design)
    return Reduced(spec, design) if merge is None or cells is None else merge(spec, design, cells)


def find_cells(design: Design) -> Cells | None:
    """The cells of a design; None where there are more than nine tenths as many as rows."""
    columns = [block.index for block in design.blocks]
    columns += [*design.X.T, design.offset, *(column for block in design.blocks for column in block.values.T)]
    most = int(MOST_LEFT * len(design.y))
    of_row = row_kinds(columns, len(design.y), most)
    count = of_row.max() + 1
    if count > most:
        return None
    first = np.empty(count, dtype=int)
    first[of_row[::-1]] = np.arange(len(design.y))[::-1]  # the last one written stays
    return Cells(of_row, first)


def _binomial(spec: ModelSpec, design: Design, cells: Cells) -> Reduced:
    trials = np.ones(len(design.y)) if design.trials is None else design.trials
    y, total = cells.sum(design.y), cells.sum(trials)
    constant = _log_ways(trials, design.y) - _log_ways(total, y)
    return Reduced(replace(spec, family_name="binomial"), _merged(design, cells, y, trials=total), constant)


def _log_ways(n: np.ndarray, y: np.ndarray) -> float:
    """Sum of the logarithms of the binomial coefficients."""
    return float((special.gammaln(n + 1.0) - special.gammaln(y + 1.0) - special.gammaln(n - y + 1.0)).sum())


def _poisson(spec: ModelSpec, design: Design, cells: Cells) -> Reduced:
    y, n = cells.sum(design.y), cells.count
    scale, shift = _EXPOSURE[spec.link_name](n)
    constant = (special.gammaln(y + 1.0) - y * np.log(n)).sum() - special.gammaln(design.y + 1.0).sum()
    return Reduced(spec, _merged(design, cells, y, scale, shift), float(constant))


# the factor of eta, and what is added to it, for n times the mean
_EXPOSURE: dict[str, Callable[[np.ndarray], tuple[np.ndarray | float, np.ndarray | float]]] = {
    "log": lambda n: (1.0, np.log(n)),
    "identity": lambda n: (n, 0.0),
    "sqrt": lambda n: (np.sqrt(n), 0.0),
}


def _gaussian(spec: ModelSpec, design: Design, cells: Cells) -> Reduced:
    n = cells.count
    mean = cells.sum(design.y) / n
    lost = len(design.y) - len(n)
    within = float(((design.y - mean[cells.of_row]) ** 2).sum())
    merged = _merged(design, cells, np.sqrt(n) * mean, scale=np.sqrt(n))
    return Reduced(spec, merged, -0.5 * lost * math.log(2.0 * math.pi), lost, within)


Merge = Callable[[ModelSpec, Design, Cells], Reduced]
REDUCTIONS: dict[tuple[str, str], Merge] = {
    **{(family, link): _binomial for family in ("bernoulli", "binomial") for link in FAMILIES[family].links},
    **{("poisson", link): _poisson for link in _EXPOSURE},
    ("gaussian", "identity"): _gaussian,
}


def _merged(
    design: Design,
    cells: Cells,
    y: np.ndarray,
    scale: np.ndarray | float = 1.0,
    shift: np.ndarray | float = 0.0,
    trials: np.ndarray | None = None,
) -> Design:
    """One row a cell with these responses, its linear predictor multiplied by ``scale`` and moved by ``shift``."""
    first = cells.first
    factor = np.broadcast_to(scale, len(first))[:, None]
    predictors = replace(
        design.predictors,
        X=factor * design.X[first],
        offset=scale * design.offset[first] + shift,
        blocks=tuple(
            replace(block, values=factor * block.values[first], index=block.index[first]) for block in design.blocks
        ),
    )
    data = design.data.iloc[first].reset_index(drop=True)
    return replace(design, y=y, trials=trials, predictors=predictors, data=data)
