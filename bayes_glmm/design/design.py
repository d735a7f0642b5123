"""What the data say, as arrays: the response, the fixed-effects matrix, and one block a grouping factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_glmm import names
from bayes_glmm.families import Response

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from bayes_glmm.design.encode import Encoder


@dataclass(frozen=True)
class RandomBlock:
    """All random effects of one grouping factor.

    The matrix Z of the textbooks is never formed: row i of it has ``values[i]`` in the columns of level ``index[i]``.

    Attributes
    ----------
    group : str
        The grouping factor, ``"g"`` or ``"a:b"``.
    effects : tuple of str
        What varies by group: ``("Intercept", "x")``.
    values : array [row, effect]
    index : array [row]
        Position of the row's level in ``levels``; -1 for a level that the model has not seen (new rows only).
    levels : tuple of str
    pattern : tuple of int
        Sizes of the runs of effects that are correlated among themselves: (2,) for ``(x | g)``, (1, 1) for
        ``(x || g)``.
    """

    group: str
    effects: tuple[str, ...]
    values: Float[np.ndarray, "row effect"]
    index: Int[np.ndarray, " row"]
    levels: tuple[str, ...]
    pattern: tuple[int, ...]

    @property
    def level_dim(self) -> str:
        """The dimension of draws along the levels."""
        return names.level_dim(self.group)

    @property
    def effect_dim(self) -> str:
        """The dimension of draws along the effects."""
        return names.effect_dim(self.group)

    @property
    def second_effect_dim(self) -> str:
        """The other dimension of matrices over the effects."""
        return names.second_effect_dim(self.group)

    @property
    def correlated(self) -> bool:
        """Whether any two effects are correlated."""
        return max(self.pattern) > 1


@dataclass(frozen=True)
class Predictors:
    """What the linear predictor needs for some rows, of the data or new: eta = offset + X beta + Z u.

    Attributes
    ----------
    X : array [row, coefficient]
    offset : array [row]
    blocks : tuple of RandomBlock
    estimable : array of bool [row] or None
        Whether the data determine the row's fixed effects; None where they determine those of all rows.
    """

    X: Float[np.ndarray, "row coefficient"]
    offset: Float[np.ndarray, " row"]
    blocks: tuple[RandomBlock, ...]
    estimable: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.X)


@dataclass(frozen=True)
class Design:
    """The data in the model's terms.

    Attributes
    ----------
    response : str
        The response as the formula names it.
    success : str or None
        The level that counts as 1, where the response was not numeric.
    y : array [row]
    trials : array [row] or None
    coefficients : tuple of str
        Names of the fixed effects, the columns of X.
    predictors : Predictors
    data : DataFrame
        The columns that the formula uses, complete rows only; index 0, 1, ...
    dropped : int
        How many rows with missing values were left out.
    encoder : Encoder
        Makes the same columns for new rows.
    aliased : tuple of str
        Columns that were left out because they depend on earlier ones.
    """

    response: str
    success: str | None
    y: Float[np.ndarray, " row"]
    trials: Float[np.ndarray, " row"] | None
    coefficients: tuple[str, ...]
    predictors: Predictors
    data: pd.DataFrame
    dropped: int
    encoder: Encoder
    aliased: tuple[str, ...] = ()

    @property
    def response_variable(self) -> str:
        """The response's variable in draws."""
        return names.response_variable(self.response)

    @property
    def observed(self) -> Response:
        """The observed values [row] and their numbers of trials."""
        return Response(self.y, self.trials)

    @property
    def X(self) -> np.ndarray:
        """The fixed-effects matrix [row, coefficient]."""
        return self.predictors.X

    @property
    def offset(self) -> np.ndarray:
        """The offset [row]."""
        return self.predictors.offset

    @property
    def blocks(self) -> tuple[RandomBlock, ...]:
        """One block a grouping factor."""
        return self.predictors.blocks

    def block(self, group: str) -> RandomBlock:
        """The block of a grouping factor.

        Raises
        ------
        KeyError
            If the model has no such factor.
        """
        return {block.group: block for block in self.blocks}[group]
