"""The likelihood of a design: log p(y | eta) by row with its derivatives, and the parameters it depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayes_glmm.design import Design
from bayes_glmm.errors import SpecError
from bayes_glmm.likelihood.factor import Elimination
from bayes_glmm.likelihood.groups import Groups, groups_of
from bayes_glmm.likelihood.random_part import RandomPart, random_part
from bayes_glmm.names import LOCATION
from bayes_glmm.numerics.series import SERIES, Series, variables
from bayes_glmm.spec import ModelSpec


@dataclass(frozen=True)
class Parameters:
    """All parameters of a model but the random effects.

    Attributes
    ----------
    beta : array [coefficient]
    L : mapping of group to array [effect, effect]
        Lower triangular, G = L L'.
    auxiliary : mapping of name to float
        The family's further parameters.
    """

    beta: np.ndarray
    L: Mapping[str, np.ndarray]
    auxiliary: Mapping[str, float]

    def G(self, group: str) -> np.ndarray:
        """Covariance of the random effects of a group [effect, effect]."""
        return self.L[group] @ self.L[group].T


@dataclass(frozen=True)
class Likelihood:
    """A model and its data, ready for derivatives.

    Attributes
    ----------
    spec : ModelSpec
    design : Design
    elimination : Elimination
        The random part, and the order in which its precision is factorised.
    """

    spec: ModelSpec
    design: Design
    elimination: Elimination

    @property
    def part(self) -> RandomPart:
        """The random part of the linear predictor."""
        return self.elimination.part

    def fixed(self, beta: np.ndarray) -> np.ndarray:
        """Offset + X beta [row]."""
        return self.design.offset + self.design.X @ beta

    def rows(
        self, eta: np.ndarray, auxiliary: Mapping[str, float], order: int, which: slice | np.ndarray = slice(None)
    ) -> Series:
        """Log p(y_i | eta_i) and its derivatives up to an order in eta_i, and once in auxiliary parameters [..., row].

        ``which`` are the rows that the last axis of eta stands for.
        """
        moving, parameters = variables(eta, auxiliary, order)
        at = self.spec.at({LOCATION: moving}, parameters, SERIES)
        with np.errstate(all="ignore"):  # a step too far shows as a density that is not finite
            return self.spec.family.log_density(self.design.observed[which], at, SERIES)

    @cached_property
    def groups(self) -> Groups:
        """The rows by level of the factor that is integrated out first."""
        return groups_of(self.design, self.part.blocks[0].index)


def likelihood_of(spec: ModelSpec, design: Design) -> Likelihood:
    """The likelihood of a specification for its data.

    Raises
    ------
    SpecError
        If further parameters have formulas, or the factors beside the largest have too many levels.
    """
    if spec.formulas:
        raise SpecError(
            f"The approximations are for models with one formula; {', '.join(spec.formulas)} has one of its own.",
            str(spec),
            "Sample with model.fit().",
        )
    return Likelihood(spec, design, Elimination(random_part(design)))
