r"""The linear predictors of all rows as one long vector, one parameter's after another's: eta = offset + X beta + A z.

With K predictors and n rows every matrix has K n rows: X is block-diagonal over parameters, and an effect has zeros in
the rows of predictors that it does not enter. Sums over rows are then the same whatever K is. What is not is the
curvature of a row's log density, a K x K matrix W_i; :class:`Curvature` turns the K entries of a row by its
eigenvectors, after which it is K numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import linalg

from bayes_glmm.design import Design, RandomBlock


@dataclass(frozen=True)
class Stacked:
    """The predictors of a design.

    Attributes
    ----------
    X : array [predictor row, coefficient]
        Coefficients of one parameter after another.
    offset : array [predictor row]
    blocks : tuple of RandomBlock
        With a row for each predictor of each row.
    rows : int
        Rows of the data.
    """

    X: np.ndarray
    offset: np.ndarray
    blocks: tuple[RandomBlock, ...]
    rows: int


def stacked(design: Design) -> Stacked:
    """Stack the predictors of a design; those of a design with one are itself."""
    fixed = design.predictors.fixed
    if len(fixed) == 1:
        return Stacked(design.X, design.offset, design.blocks, len(design.y))
    return Stacked(
        linalg.block_diag(*(one.X for one in fixed)),
        np.concatenate([one.offset for one in fixed]),
        tuple(_stacked_block(block, design.predictors.parameters) for block in design.blocks),
        len(design.y),
    )


def _stacked_block(block: RandomBlock, parameters: tuple[str, ...]) -> RandomBlock:
    of_parameter = np.array([[name == one for name in block.parameters] for one in parameters])
    values = np.concatenate([np.where(mask, block.values, 0.0) for mask in of_parameter])
    return replace(block, values=values, index=np.tile(block.index, len(parameters)))


@dataclass(frozen=True)
class Curvature:
    """Negative second derivatives of the rows' log densities in their predictors.

    Attributes
    ----------
    W : array [predictor, predictor, row]
    """

    W: np.ndarray

    @property
    def predictors(self) -> int:
        """How many predictors a row has."""
        return len(self.W)

    @cached_property
    def _eigen(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues [row, predictor] and eigenvectors [row, predictor, eigenvalue]."""
        matrices = np.moveaxis(self.W, -1, 0)
        if not np.isfinite(matrices).all():
            raise np.linalg.LinAlgError("The curvature of a row is not finite.")
        values, vectors = np.linalg.eigh(matrices)
        return values, vectors

    @cached_property
    def weights(self) -> np.ndarray:
        """The curvature of the turned predictors [predictor row]."""
        return self.W[0, 0] if self.predictors == 1 else self._eigen[0].T.ravel()

    def at_least(self, share: float) -> Curvature:
        """The same with no weight below a share of the largest."""
        weights = np.maximum(self.weights, share * self.weights.max(initial=0.0))
        if self.predictors == 1:
            return Curvature(weights[None, None])
        vectors = self._eigen[1]
        return Curvature(np.einsum("ikm,mi,ilm->kli", vectors, weights.reshape(self.predictors, -1), vectors))

    def turn(self, values: np.ndarray) -> np.ndarray:
        """The entries of each row in the directions of its eigenvectors [predictor row, ...]."""
        return self._product("ikm,ki...->mi...", values)

    def turn_back(self, values: np.ndarray) -> np.ndarray:
        """The reverse of :meth:`turn`."""
        return self._product("imk,ki...->mi...", values)

    def times(self, values: np.ndarray) -> np.ndarray:
        """W_i times the entries of each row [predictor row, ...]."""
        if self.predictors == 1:
            return self.W[0, 0].reshape(-1, *(1,) * (values.ndim - 1)) * values
        return np.einsum("kli,li...->ki...", self.W, self._apart(values)).reshape(values.shape)

    def _product(self, subscripts: str, values: np.ndarray) -> np.ndarray:
        if self.predictors == 1:
            return values
        return np.einsum(subscripts, self._eigen[1], self._apart(values)).reshape(values.shape)

    def _apart(self, values: np.ndarray) -> np.ndarray:
        """Values by predictor and row [predictor, row, ...]."""
        return values.reshape(self.predictors, len(values) // self.predictors, *values.shape[1:])
