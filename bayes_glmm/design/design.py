"""What the data say, as arrays: the response, the predictors' fixed parts, and one block a grouping factor."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_glmm import names
from bayes_glmm.design.block import RandomBlock
from bayes_glmm.design.limits import Limits
from bayes_glmm.design.predictor import Predictor
from bayes_glmm.design.residual import Residual
from bayes_glmm.families import FLEXIBLE, PATTERNS, Pattern, Response

if TYPE_CHECKING:
    from jaxtyping import Float

    from bayes_glmm.design.encode import Encoder


@dataclass(frozen=True)
class Predictors:
    """What linear predictors need for some rows, of the data or new: eta = offset + X beta + Z u of each parameter.

    Attributes
    ----------
    fixed : tuple of Predictor
        One a parameter with a formula, the location first.
    blocks : tuple of RandomBlock
    estimable : array of bool [row] or None
        Whether the data determine the row's fixed effects; None where they determine those of all rows.
    """

    fixed: tuple[Predictor, ...]
    blocks: tuple[RandomBlock, ...]
    estimable: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.location.X)

    @property
    def location(self) -> Predictor:
        """That of the location."""
        return self.fixed[0]

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters with a predictor, the location first."""
        return tuple(one.parameter for one in self.fixed)

    @property
    def specific(self) -> tuple[Predictor, ...]:
        """Those of single thresholds, in their order; none where effects are the same at all."""
        return tuple(one for one in self.fixed if names.is_specific(one.parameter))

    @property
    def of_response(self) -> tuple[Predictor, ...]:
        """Those with effects of the formula of the response: that of the location, and those of single thresholds."""
        return self.location, *self.specific

    def take(self, rows: slice | np.ndarray) -> Predictors:
        """The same of some of the rows, with all levels."""
        return Predictors(
            tuple(one.take(rows) for one in self.fixed),
            tuple(replace(block, values=block.values[rows], index=block.index[rows]) for block in self.blocks),
            None if self.estimable is None else self.estimable[rows],
        )

    @property
    def X(self) -> np.ndarray:
        """The fixed-effects matrix of the location [row, coefficient]."""
        return self.location.X

    @property
    def offset(self) -> np.ndarray:
        """The offset of the location [row]."""
        return self.location.offset

    def of(self, parameter: str) -> Predictor:
        """The predictor of a parameter with a formula.

        Raises
        ------
        KeyError
            If it has none.
        """
        return {one.parameter: one for one in self.fixed}[parameter]

    def split(self, beta: np.ndarray) -> dict[str, np.ndarray]:
        """Coefficients of each parameter [..., coefficient] from those of one parameter after another."""
        ends = np.cumsum([len(one.coefficients) for one in self.fixed])[:-1]
        return dict(zip(self.parameters, np.split(beta, ends, axis=-1), strict=True))

    def with_location(self, X: np.ndarray, offset: np.ndarray) -> Predictors:
        """The same with another fixed part of the location, of the same coefficients."""
        return replace(self, fixed=(replace(self.location, X=X, offset=offset), *self.fixed[1:]))


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
    predictors : Predictors
    data : DataFrame
        The columns that the formula uses, complete rows only; index 0, 1, ...
    dropped : int
        How many rows with missing values were left out.
    encoder : Encoder
        Makes the same columns for new rows.
    aliased : tuple of str
        Columns of the location that were left out because they depend on earlier ones.
    categories : tuple of str
        Names of the response's categories; ``y`` has their numbers 1, 2, ...
    thresholds : tuple of str
        Names of the thresholds between ordered categories: ``low|high``.
    unanswered : DataFrame
        The rows of those left out that miss the response and nothing else, without it.
    pattern : str
        That of the thresholds, a name in ``families.PATTERNS``.
    count_row : array of int [row] or None
        Of counts of categories the row of the data that each row, a trial, is from.
    weights : array [row] or None
        Sampling weights, scaled.
    limits : Limits or None
        What ``cens()`` and ``trunc()`` say of the rows.
    residual : Residual or None
        The rows whose residuals are correlated.
    """

    response: str
    success: str | None
    y: Float[np.ndarray, " row"]
    trials: Float[np.ndarray, " row"] | None
    predictors: Predictors
    data: pd.DataFrame
    dropped: int
    encoder: Encoder
    aliased: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    thresholds: tuple[str, ...] = ()
    unanswered: pd.DataFrame = field(default_factory=pd.DataFrame)
    pattern: str = FLEXIBLE
    limits: Limits | None = None
    weights: Float[np.ndarray, " row"] | None = None
    count_row: np.ndarray | None = None
    residual: Residual | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        """The constant that is the distance from each threshold to the next; one that several share is repeated."""
        return PATTERNS[self.pattern].steps(len(self.categories)) if self.thresholds else ()

    @property
    def tied(self) -> Pattern | None:
        """The pattern that ties distances of thresholds; None where each is a parameter of its own."""
        found = PATTERNS[self.pattern]
        return found if self.thresholds and found.ties(len(self.categories)) else None

    @property
    def step_places(self) -> tuple[int, ...]:
        """The place of each of the steps among the constants, of which they are the first."""
        distinct = list(dict.fromkeys(self.steps))
        return tuple(distinct.index(name) for name in self.steps)

    @property
    def occasions(self) -> int:
        """Number of occasions of correlated residuals; 0 where residuals are independent."""
        return 0 if self.residual is None else len(self.residual.labels)

    @property
    def response_variable(self) -> str:
        """The response's variable in draws."""
        return names.response_variable(self.response)

    @cached_property
    def observed(self) -> Response:
        """The observed values [row], trials, weights, and what is known of censored and truncated ones."""
        found = Response(self.y, self.trials) if self.limits is None else self.limits.response(self.y)
        return found if self.weights is None else replace(found, weight=self.weights)

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Names of the location's fixed effects, the columns of X."""
        return self.predictors.location.coefficients

    @property
    def specific(self) -> dict[str, str]:
        """Effects at single thresholds as people read them, ``x[low|medium]``, by key: ``beta_cs1[x]``."""
        return {
            f"{one.variable}[{name}]": f"{name}[{between}]"
            for one, between in zip(self.predictors.specific, self.thresholds, strict=False)
            for name in one.coefficients
        }

    @property
    def X(self) -> np.ndarray:
        """The fixed-effects matrix of the location [row, coefficient]."""
        return self.predictors.X

    @property
    def offset(self) -> np.ndarray:
        """The offset of the location [row]."""
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
