r"""Canonical columns: the same model in columns whose coefficients, and whose effects' roots, are independent a priori.

    X* = X T,  beta = T b;        Z* = Z A,  u = A u_c,  G = A G_c A'

T holds the default prior of the span (:mod:`~bayes_glmm.design.span`): the constant a is one column, X a = 1, and the
others are the columns about their weighted mean m times R^-1, P = R'R. So b has independent scalar priors, and the
model does not depend on where a covariate's zero is, on its unit, or on the coding of factors and powers. Columns with
a prior of their own stay as they are. A moves correlated effects to the centre of their covariates, where the default
priors of their standard deviations and correlations hold. :mod:`~bayes_glmm.design.canonical_columns` finds T and A.

Everything that computes (search, sampler, approximations) works in canonical columns; everything that people read is
carried back.

Coefficients of several predictors may be correlated a priori: b is then a mixture M of independent coefficients, whose
scalar priors are evaluated at M^-1 b (:mod:`~bayes_glmm.design.mixture`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import linalg

from bayes_glmm.design.block import RandomBlock
from bayes_glmm.design.design import Design
from bayes_glmm.design.predictor import Predictor
from bayes_glmm.names import is_specific

CENTRE = "Intercept[centre]"  # a linear predictor at the centre of its columns, u = 0


@dataclass(frozen=True, eq=False)
class Columns:
    """The change from canonical to written columns of one parameter's fixed effects.

    Attributes
    ----------
    names : tuple of str
        One name per canonical coefficient.
    T : array [coefficient, canonical coefficient]
    centre : array [coefficient]
        Weighted means that are taken off X before T applies: where the constant is in the span, X - 1 m' annihilates
        it exactly. 0 where nothing is centred. Without a constant, thresholds take what is taken off.
    constant : int or None
        Position of the canonical constant.
    """

    names: tuple[str, ...]
    T: np.ndarray
    centre: np.ndarray
    constant: int | None

    @classmethod
    def identity(cls, coefficients: tuple[str, ...]) -> Columns:
        """No change."""
        p = len(coefficients)
        return cls(coefficients, np.eye(p), np.zeros(p), None)

    @cached_property
    def is_identity(self) -> bool:
        """Whether coefficients are the canonical ones, of the same columns."""
        return bool(np.array_equal(self.T, np.eye(len(self.T)))) and not self.centre.any()

    def values(self) -> tuple:
        """All fields as values that compare to one bool, which arrays do not."""
        return self.names, self.T.tolist(), self.centre.tolist(), self.constant

    def columns(self, X: np.ndarray) -> np.ndarray:
        """X* [row, canonical coefficient] of X [row, coefficient]."""
        if self.is_identity:
            return X
        result = np.zeros((len(X), len(self.names)))
        for j, row in enumerate(self.T):  # not a matrix product, whose rounding may differ between equal rows
            result += (X[:, j] - self.centre[j])[:, None] * row
        if self.constant is not None:
            result[:, self.constant] = 1.0
        return result

    def predictor(self, predictor: Predictor) -> Predictor:
        """The predictor in canonical columns."""
        return replace(predictor, coefficients=self.names, X=self.columns(predictor.X))

    def to_written(self, b: np.ndarray) -> np.ndarray:
        """Coefficients beta [..., coefficient] of b [..., canonical coefficient]."""
        return b if self.is_identity else b @ self.T.T

    def to_canonical(self, beta: np.ndarray) -> np.ndarray:
        """The b [..., canonical coefficient] of beta [..., coefficient]."""
        return beta if self.is_identity else beta @ np.linalg.inv(self.T).T


@dataclass(frozen=True, eq=False)
class Canonical:
    """The change from canonical to written columns.

    Attributes
    ----------
    fixed : mapping of parameter to Columns
        Of the fixed effects of each parameter with a formula, the location first.
    A : mapping of group to array [effect, effect]
    means : mapping of group to array [effect]
        Weighted means of the effects' columns that A takes off.
    mix : array [canonical coefficient, independent coefficient] or None
        M, over the coefficients of one parameter after another; None where canonical coefficients are independent.
    """

    fixed: Mapping[str, Columns]
    A: Mapping[str, np.ndarray]
    means: Mapping[str, np.ndarray]
    mix: np.ndarray | None = None

    @cached_property
    def apart(self) -> np.ndarray:
        """M^-1 [independent coefficient, canonical coefficient]; without rows where coefficients are independent."""
        return np.empty((0, 0)) if self.mix is None else np.linalg.inv(self.mix)

    @cached_property
    def log_apart(self) -> float:
        """Log |M^-1|: what the log density of canonical coefficients has beyond that of the independent ones."""
        return float(np.linalg.slogdet(self.apart)[1])

    @property
    def location(self) -> Columns:
        """That of the location's fixed effects."""
        return next(iter(self.fixed.values()))

    @property
    def T(self) -> np.ndarray:
        """That of the coefficients of one parameter after another."""
        found = linalg.block_diag(*(columns.T for columns in self.fixed.values()))
        if len(self.lift):  # the intercept is less the first threshold
            found[0] -= self.lift[0] @ found
        return found

    @cached_property
    def lift(self) -> np.ndarray:
        """Rise of each threshold from the centre to x = 0, of the columns with effects there alone.

        Per unit of the coefficients, as written, of one parameter after another [threshold, coefficient]; without rows
        where no columns have such effects.
        """
        centres = [
            columns.centre if is_specific(name) else 0.0 * columns.centre for name, columns in self.fixed.items()
        ]
        owners = [name for name in self.fixed if is_specific(name)]
        found = np.zeros((len(owners), sum(map(len, centres))))
        ends = np.cumsum([len(one) for one in centres])
        for (name, end), centre in zip(zip(self.fixed, ends, strict=True), centres, strict=True):
            if name in owners:
                found[owners.index(name), end - len(centre) : end] = centre
        return found

    @property
    def is_identity(self) -> bool:
        """Whether coefficients are the canonical ones."""
        return all(columns.is_identity for columns in self.fixed.values())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Canonical):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(tuple(self.fixed))

    def _values(self) -> tuple:
        fixed = {parameter: columns.values() for parameter, columns in self.fixed.items()}
        effects = [{group: matrix.tolist() for group, matrix in each.items()} for each in (self.A, self.means)]
        return fixed, *effects, None if self.mix is None else self.mix.tolist()

    def carried(self, group: str) -> bool:
        """Whether a group's effects have their priors at a centre other than the written zero."""
        return bool(self.means[group].any())

    def effect_columns(self, block: RandomBlock) -> np.ndarray:
        """Z* [row, effect] of a block."""
        return block.values - self.means[block.group] if self.carried(block.group) else block.values

    def design(self, design: Design) -> Design:
        """The design in canonical columns."""
        fixed = tuple(self.fixed[one.parameter].predictor(one) for one in design.predictors.fixed)
        blocks = tuple(replace(block, values=self.effect_columns(block)) for block in design.blocks)
        return replace(design, predictors=replace(design.predictors, fixed=fixed, blocks=blocks))

    def inverse(self, group: str) -> np.ndarray:
        """A^-1 [effect, effect]; exact, since A - I squares to 0."""
        return 2.0 * np.eye(len(self.A[group])) - self.A[group]


def identity(design: Design) -> Canonical:
    """No change: of a model whose columns have priors of their own, or are canonical already."""
    return Canonical(
        {one.parameter: Columns.identity(one.coefficients) for one in design.predictors.fixed},
        {block.group: np.eye(len(block.effects)) for block in design.blocks},
        {block.group: np.zeros(len(block.effects)) for block in design.blocks},
    )


def without_coefficients(canonical: Canonical, design: Design) -> Canonical:
    """The change of the effects alone."""
    return replace(canonical, fixed=identity(design).fixed)
