"""The likelihood of a design: log p(y | eta) by row with its derivatives, and the parameters it depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayes_glmm.design import Design
from bayes_glmm.errors import SpecError
from bayes_glmm.families import Response
from bayes_glmm.families.observed import draw_observed, log_observed, seen_again
from bayes_glmm.likelihood.factor import Elimination
from bayes_glmm.likelihood.groups import Groups, groups_of
from bayes_glmm.likelihood.random_part import RandomPart, random_part
from bayes_glmm.likelihood.stacked import Stacked, stacked
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.numerics.jet import Jet, jet
from bayes_glmm.numerics.series import SERIES, Series, variables
from bayes_glmm.spec import ModelSpec

DRAWS, VALUES = (16, 100), 1_000_000  # of a response for its information: fewest and most, and in all


@dataclass(frozen=True)
class Parameters:
    """All parameters of a model but the random effects.

    Attributes
    ----------
    beta : array [coefficient]
        Of one parameter after another.
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

    @cached_property
    def predictors(self) -> Stacked:
        """The fixed parts of the linear predictors."""
        return stacked(self.design)

    @property
    def X(self) -> np.ndarray:
        """The fixed-effects matrix [predictor row, coefficient]."""
        return self.predictors.X

    @property
    def offset(self) -> np.ndarray:
        """The offset [predictor row]."""
        return self.predictors.offset

    @property
    def part(self) -> RandomPart:
        """The random part of the linear predictors."""
        return self.elimination.part

    def fixed(self, beta: np.ndarray) -> np.ndarray:
        """Offset + X beta [predictor row]."""
        return self.offset + self.X @ beta

    def by_predictor(self, stacked_rows: np.ndarray) -> np.ndarray:
        """Entries of stacked rows [predictor row, ...] apart [predictor, row, ...]."""
        return stacked_rows.reshape(-1, len(self.design.y), *stacked_rows.shape[1:])

    def jet(self, eta: np.ndarray, auxiliary: Mapping[str, float], order: int, response: Response | None = None) -> Jet:
        """Log p(y_i | eta_i) and its derivatives up to an order, for linear predictors [predictor row].

        ``response`` takes the place of the data's.
        """
        return self.jet_at(np.split(eta, len(self.design.predictors.fixed)), auxiliary, order, response)

    def jet_at(
        self,
        etas: Sequence[np.ndarray],
        auxiliary: Mapping[str, float],
        order: int,
        response: Response | None = None,
    ) -> Jet:
        """The same for linear predictors that broadcast to [..., row], one per parameter with a formula."""
        names, y = self.design.predictors.parameters, response or self.design.observed

        def density(etas: Sequence[Series], constants: Mapping[str, Series]) -> Series:
            at = self.spec.at(dict(zip(names, etas, strict=True)), constants, SERIES)
            return log_observed(self.spec.family, y, at, SERIES)

        with np.errstate(all="ignore"):  # a step too far shows as a density that is not finite
            return jet(density, etas, auxiliary, order)

    def information(self, eta: np.ndarray, auxiliary: Mapping[str, float]) -> np.ndarray:
        """Fisher's information of each row in its predictors [predictor, predictor, row].

        The average of score times score over responses that are drawn: never below zero, where the observed curvature
        of a mean and a scale together is so in no direction of its own.
        """
        names, observed = self.design.predictors.parameters, self.design.observed
        at = self.spec.at(dict(zip(names, np.split(eta, len(names)), strict=True)), auxiliary, NUMPY)
        rng, draws = np.random.default_rng(0), int(np.clip(VALUES // len(self.design.y), *DRAWS))
        total = np.zeros((len(names), len(names), len(self.design.y)))
        for _ in range(draws):
            values = np.asarray(draw_observed(self.spec.family, rng, observed, at), float)
            drawn = seen_again(observed, values)
            score = np.nan_to_num(self.jet(eta, auxiliary, 1, drawn).first, posinf=0.0, neginf=0.0)
            total += score[:, None] * score[None, :]
        return total / draws

    def rows(self, eta: np.ndarray, auxiliary: Mapping[str, float], order: int) -> Series:
        """Log p(y_i | eta_i) and its derivatives up to an order in eta_i, and once in auxiliary parameters [..., row].

        For models with one predictor.
        """
        moving, parameters = variables(eta, auxiliary, order)
        at = self.spec.at({self.spec.family.location.name: moving}, parameters, SERIES)
        with np.errstate(all="ignore"):  # a step too far shows as a density that is not finite
            return log_observed(self.spec.family, self.design.observed, at, SERIES)

    @cached_property
    def groups(self) -> Groups:
        """The rows by level of the factor that is integrated out first."""
        return groups_of(self.design, self.part.blocks[0].index[: len(self.design.y)])


def likelihood_of(spec: ModelSpec, design: Design) -> Likelihood:
    """The likelihood of a specification for its data.

    Raises
    ------
    SpecError
        If the factors beside the largest have too many levels.
    """
    predictors = stacked(design)
    return Likelihood(spec, design, Elimination(random_part(predictors.blocks, len(predictors.offset))))


def check_free_covariances(design: Design) -> None:
    """Refuse models whose effects covary in a form of their own.

    Raises
    ------
    SpecError
    """
    for block in design.blocks:
        for form in filter(None, block.forms):
            raise SpecError(
                f"This approximation is for free covariances; effects by {block.group} have {form.name}(...).",
                advice="Use bg.approx.laplace(model), or sample with model.fit().",
            )


def check_one_predictor(spec: ModelSpec, method: str) -> None:
    """Refuse models in which further parameters have formulas, for methods that know a response by mean and variance.

    Raises
    ------
    SpecError
    """
    if spec.formulas:
        raise SpecError(
            f"{method} takes one linear predictor, that of the mean; this model has predictors of "
            f"{', '.join(spec.predicted)}.",
            str(spec),
            "Use bg.approx.laplace(model) or bg.approx.aghq(model), or sample with model.fit().",
        )


def check_independent_residuals(design: Design) -> None:
    """Refuse models whose residuals are correlated, for approximations that add up densities of rows.

    Raises
    ------
    SpecError
    """
    if design.residual is not None:
        raise SpecError(
            f"This approximation is for independent residuals; those of one {design.residual.group} are correlated.",
            advice="Use bg.approx.laplace(model), which is exact here, or sample with model.fit().",
        )


def check_values_known(spec: ModelSpec) -> None:
    """Refuse censored and truncated responses, for approximations that take the response as numbers with a variance.

    Raises
    ------
    SpecError
    """
    if spec.formula.sampling is not None:
        raise SpecError(
            "This approximation has no form for sampling weights.",
            str(spec),
            "Use bg.approx.laplace(model) or bg.approx.aghq(model), or sample with model.fit().",
        )
    if spec.limited:
        raise SpecError(
            "This approximation is for responses whose values are known, without bounds.",
            str(spec),
            "Use bg.approx.laplace(model) or bg.approx.aghq(model), or sample with model.fit().",
        )
