"""Predictor: the fixed part of the linear predictor of one parameter, for some rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayes_glmm import names

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True)
class Predictor:
    """Offset + X beta of one parameter of the family.

    Attributes
    ----------
    parameter : str
        ``"mu"`` for the location.
    coefficients : tuple of str
        Names of the fixed effects, the columns of X.
    X : array [row, coefficient]
    offset : array [row]
    """

    parameter: str
    coefficients: tuple[str, ...]
    X: Float[np.ndarray, "row coefficient"]
    offset: Float[np.ndarray, " row"]

    @property
    def variable(self) -> str:
        """The variable of its coefficients in draws."""
        return names.coefficients(self.parameter)

    @property
    def dim(self) -> str:
        """The dimension of draws along its coefficients."""
        return names.coefficient_dim(self.parameter)

    def take(self, rows: slice | np.ndarray) -> Predictor:
        """The same of some of the rows."""
        return Predictor(self.parameter, self.coefficients, self.X[rows], self.offset[rows])
