"""The same log likelihood from fewer rows: those that are alike become their sufficient statistics.

Rows are alike when covariates, offset, levels and effect values are the same; they make up a cell, and share eta. Of a
cell with n rows the likelihood needs no more than a sufficient statistic, which is again a row of a family:

    Bernoulli and binomial    sum of y, sum of the trials                 binomial
    Poisson                   sum of y                                    Poisson with mean n mu

n mu is eta + log n (log link), n eta (identity) or sqrt(n) eta (square root). Of a Gaussian response under the identity
link the likelihood takes the rows of a cell together as a sum of squares, which is a quadratic in beta and u wherever
the levels alone are the same:

    |y - offset - X beta - Z u|^2 = |y* - X* beta - Z* u|^2 + rest

with as many rows on the right as (X, Z) has rank in the cell (:mod:`~bayes_glmm.numerics.triangular`): not more than
there are coefficients and effects, not more than there are distinct rows, however many observations there are.

What is lost on the way does not depend on beta and u; it is added, so that log p is the same number. Only sampling sees
reduced designs: whatever is said about rows afterwards is about the rows of the data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from bayes_glmm.design import Design
from bayes_glmm.design.patterns import row_kinds
from bayes_glmm.families import FAMILIES
from bayes_glmm.numerics.functions import Functions
from bayes_glmm.numerics.triangular import turn
from bayes_glmm.spec import ModelSpec

MOST_LEFT = 0.9  # of the rows: above, what is won is not worth a second design


@dataclass(frozen=True)
class Cells:
    """Rows that are alike, in what the family needs to be so.

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
        Its family is that of the rows left.
    design : Design
        Coefficients, levels and effects are those of the whole design; its data are the first row of each cell.
    constant : float
        What the log likelihood of all rows is more than that of those left.
    lost_rows : int
        How many rows fewer, where each has a factor of 1 / sigma.
    within : float
        Sum of squares that the rows left do not have, where there is sigma.
    """

    spec: ModelSpec
    design: Design
    constant: float = 0.0
    lost_rows: int = 0
    within: float = 0.0

    def remainder(self, auxiliary: Mapping[str, Any], f: Functions) -> Any:
        """The log likelihood of all rows less that of those left."""
        if not self.lost_rows:
            return self.constant
        sigma = auxiliary["sigma"]
        return self.constant - self.lost_rows * f.log(sigma) - 0.5 * self.within / sigma**2


def reduce_rows(spec: ModelSpec, design: Design) -> Reduced:
    """Reduce a design to fewer rows.

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
    plain = not spec.formulas and not design.observed.form and design.residual is None
    reduction = REDUCTIONS.get((spec.family_name, spec.link_name)) if plain else None
    cells = None if reduction is None else find_cells(reduction.alike(design), len(design.y))
    reduced = None if reduction is None or cells is None else reduction.reduce(spec, design, cells)
    return reduced or Reduced(spec, design)


def find_cells(columns: Sequence[np.ndarray], rows: int) -> Cells | None:
    """The cells of rows with the same values in these columns; None for more than nine tenths as many as rows."""
    most = int(MOST_LEFT * rows)
    of_row = row_kinds(columns, rows, most)
    count = of_row.max() + 1
    if count > most:
        return None
    first = np.empty(count, dtype=int)
    first[of_row[::-1]] = np.arange(rows)[::-1]  # the last one written stays
    return Cells(of_row, first)


def _levels(design: Design) -> list[np.ndarray]:
    return [block.index for block in design.blocks]


def _predictor(design: Design) -> list[np.ndarray]:
    """All that eta is made of."""
    return [*_levels(design), design.offset, *_columns(design)]


def _columns(design: Design) -> list[np.ndarray]:
    """The columns of X, then the effect values of each factor."""
    return [column for matrix in (design.X, *(block.values for block in design.blocks)) for column in matrix.T]


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


def _gaussian(spec: ModelSpec, design: Design, cells: Cells) -> Reduced | None:
    rows = len(design.y)
    turned = turn(_columns(design), design.y - design.offset, cells.of_row, int(MOST_LEFT * rows))
    if turned is None or not len(turned.y):
        return None
    lost = rows - len(turned.y)
    fewer = _with_rows(design, cells.first[turned.group], turned.y, turned.columns, np.zeros(len(turned.y)))
    return Reduced(spec, fewer, -0.5 * lost * math.log(2.0 * math.pi), lost, turned.rest)


@dataclass(frozen=True)
class Reduction:
    """How a family's rows become fewer.

    Attributes
    ----------
    alike : function
        ``design -> columns``, in which the rows of a cell are the same.
    reduce : function
        ``(spec, design, cells) -> Reduced``, or None where little would be gained.
    """

    alike: Callable[[Design], list[np.ndarray]]
    reduce: Callable[[ModelSpec, Design, Cells], Reduced | None]


REDUCTIONS: dict[tuple[str, str], Reduction] = {
    **{
        (family, link): Reduction(alike=_predictor, reduce=_binomial)
        for family in ("bernoulli", "binomial")
        for link in FAMILIES[family].links
    },
    **{("poisson", link): Reduction(alike=_predictor, reduce=_poisson) for link in _EXPOSURE},
    ("gaussian", "identity"): Reduction(alike=_levels, reduce=_gaussian),
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
    columns = np.array([scale * column[first] for column in _columns(design)]).reshape(-1, len(first))
    return _with_rows(design, first, y, columns, scale * design.offset[first] + shift, trials)


def _with_rows(
    design: Design,
    first: np.ndarray,
    y: np.ndarray,
    columns: np.ndarray,
    offset: np.ndarray,
    trials: np.ndarray | None = None,
) -> Design:
    """Other rows with the levels of those in ``first``; ``columns`` [column, row] are X, then the effect values."""
    ends = np.cumsum([len(design.coefficients), *(len(block.effects) for block in design.blocks)])
    X, *values = np.split(columns.T, ends[:-1], axis=1)
    blocks = tuple(
        replace(block, values=one, index=block.index[first]) for block, one in zip(design.blocks, values, strict=True)
    )
    predictors = replace(design.predictors.with_location(X, offset), blocks=blocks)
    data = design.data.iloc[first].reset_index(drop=True)
    return replace(design, y=y, trials=trials, predictors=predictors, data=data, limits=None)
