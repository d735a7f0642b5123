"""ApproxFit: what every approximation returns, with the same effects as a posterior.

Effects of an approximation are those at the estimates. Their uncertainty is simulated: parameters are drawn from the
Gaussian around the estimates in the coordinates of the search, random effects from theirs given beta.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd
import xarray as xr

from bayes_glmm.design import Canonical, Design, Priors, Problem
from bayes_glmm.design.thresholds import thresholds_of
from bayes_glmm.draws import to_written
from bayes_glmm.effects import EffectMethods, Estimates
from bayes_glmm.effects.columns import beside
from bayes_glmm.effects.tidy import at_point
from bayes_glmm.families.thresholds import threshold_columns
from bayes_glmm.likelihood import Layout, Parameters
from bayes_glmm.likelihood.estimate import LogLikelihood
from bayes_glmm.names import threshold
from bayes_glmm.posterior import Posterior, posterior_of
from bayes_glmm.spec import ModelSpec

_DIGITS = 1e-6  # of sds: squared, what eigenvalues of a covariance keep beside each other


class Model(Protocol):
    """What the approximations take: a :class:`bayes_glmm.GLMM`, or anything with its three records."""

    @property
    def spec(self) -> ModelSpec:
        """What was asked for."""

    @property
    def design(self) -> Design:
        """The data in the model's terms."""

    @property
    def priors(self) -> Priors:
        """One a parameter."""


@dataclass(frozen=True)
class RandomEffects:
    """Predicted random effects (BLUPs; conditional modes) and how uncertain they are.

    Attributes
    ----------
    u : mapping of group to array [level, effect]
    covariance : mapping of group to array [level, effect, effect]
        Prediction error variance Var(u_hat - u): given the variances, with the uncertainty of beta (Henderson 1975).
    by_beta : mapping of group to array [level, effect, coefficient]
        How the predictions follow beta: du / dbeta.
    """

    u: Mapping[str, np.ndarray]
    covariance: Mapping[str, np.ndarray]
    by_beta: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class ApproxFit(EffectMethods):
    """Estimates of a model by some method.

    Attributes
    ----------
    method : str
        In words: "Laplace, maximum likelihood".
    spec : ModelSpec
    design : Design
    priors : Priors
        As resolved; used by the maximum a posteriori only.
    parameters : Parameters
        Estimates of beta, L (G = L L') and the auxiliary parameters.
    layout : Layout
        Names and order of the coordinates x.
    x : array [parameter]
        The estimates as one vector.
    covariance : array [parameter, parameter]
        Of x; NaN where the method has none.
    free : bool
        Whether x and its covariance are over free coordinates (:meth:`bayes_glmm.likelihood.Layout.to_free`).
    log_likelihood : float
        Random effects integrated out, all constants included; NaN where the method has none.
    random_effects : RandomEffects or None
        None where the method predicts none.
    converged : bool
    messages : tuple of str
        What a reader must know before using the estimates; empty if nothing.
    seconds : float
    objective : function or None
        The integrated log likelihood that was maximised, or whose posterior was; None where the method has none.
    details : mapping
        What only some methods have, by name: ``nodes``, ``dispersion``, ``working_correlation``, ...
    draws : int
        How many draws :attr:`posterior` simulates.
    seed : int
    canonical : (ApproxFit, Canonical) or None
        The same estimates in the columns in which they were found, where those are others.
    """

    method: str
    spec: ModelSpec
    design: Design
    priors: Priors
    parameters: Parameters
    layout: Layout
    x: np.ndarray
    covariance: np.ndarray
    free: bool
    log_likelihood: float
    random_effects: RandomEffects | None
    converged: bool
    messages: tuple[str, ...] = ()
    seconds: float = float("nan")
    objective: LogLikelihood | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    draws: int = 1000
    seed: int = 0
    canonical: tuple[ApproxFit, Canonical] | None = None

    @property
    def beta(self) -> np.ndarray:
        """Fixed effects [coefficient]."""
        return self.parameters.beta

    @property
    def standard_errors(self) -> np.ndarray:
        """Of beta [coefficient]."""
        return np.sqrt(np.diagonal(self.covariance)[self.layout.beta])

    @property
    def coefficients_with_errors(self) -> pd.DataFrame:
        """Name, estimate and standard error of all coefficients; of ordered categories thresholds for the intercept."""
        pairs = zip(self.layout.coefficients, self.layout.terms, strict=True)
        names = [self.design.specific.get(key, term) for key, term in pairs]
        found = list(zip(names, self.beta, self.standard_errors, strict=True))
        if self.design.thresholds:
            found = [*self._thresholds(), *found[1:]]
        return pd.DataFrame(found, columns=["parameter", "estimate", "sd"])

    def _thresholds(self) -> Iterator[tuple[str, float, float]]:
        """Thresholds, and the parameter of a pattern that ties them."""
        names, steps = [*map(threshold, self.design.thresholds)], self.spec.family.steps
        sizes = self.parameters.auxiliary
        values = thresholds_of(self.beta[0], np.array([sizes[name] for name in self.design.steps]))
        columns = threshold_columns(self.design.steps)
        slope = np.zeros((len(names), len(self.x)))  # in x, which has the free coordinates of the steps
        slope[:, 0] = -columns[:, 0]
        start = self.layout.theta.stop
        changes = [self.layout.constants[name].slope(sizes[name]) for name in steps]
        slope[:, start : start + len(steps)] = columns[:, 1:] * np.array(changes)
        if (tied := self.design.tied) is not None:
            names, values = [*names, tied.own], np.append(values, tied.value(values))
            slope = np.vstack([slope, tied.value(slope.T)])
        errors = np.sqrt(np.einsum("kj,jl,kl->k", slope, self.covariance, slope))
        yield from zip(names, values.tolist(), errors.tolist(), strict=True)

    def G(self, group: str) -> np.ndarray:
        """Covariance of the random effects of a group [effect, effect]."""
        return self.parameters.G(group)

    def sd(self, group: str) -> np.ndarray:
        """Standard deviations of the random effects of a group [effect]."""
        return np.sqrt(np.diagonal(self.G(group)))

    @property
    def degrees_of_freedom(self) -> int:
        """Number of parameters estimated: coefficients, free entries of G, auxiliary parameters."""
        return len(self.x)

    @property
    def aic(self) -> float:
        """Akaike's criterion of the integrated likelihood, -2 log L + 2 k."""
        return -2.0 * self.log_likelihood + 2.0 * self.degrees_of_freedom

    def summary(self) -> pd.DataFrame:
        """One row a parameter: its kind, estimate and, for coefficients, standard error and z value."""
        rows = [
            ("coefficient", name, value, error, value / error)
            for name, value, error in self.coefficients_with_errors.itertuples(index=False, name=None)
        ]
        nothing = float("nan")
        for block in self.layout.blocks:
            sd = self.sd(block.group)
            rows += [
                (f"sd of {block.group}", effect, value, nothing, nothing)
                for effect, value in zip(block.effects, sd, strict=True)
            ]
            if block.correlated:
                with np.errstate(invalid="ignore"):
                    corr = self.G(block.group) / np.outer(sd, sd)
                rows += [
                    (f"correlation of {block.group}", f"{a}, {b}", corr[j, i], nothing, nothing)
                    for i, a in enumerate(block.effects)
                    for j, b in enumerate(block.effects)
                    if i < j
                ]
        own = [name for name in self.parameters.auxiliary if name not in self.spec.family.inner]
        rows += [("auxiliary", name, self.parameters.auxiliary[name], nothing, nothing) for name in own]
        if (residual := self.design.residual) is not None:
            found = residual.shown(self.parameters.auxiliary)
            rows += [("correlation of residuals", name, float(value), nothing, nothing) for name, value in found]
        return pd.DataFrame(rows, columns=["kind", "parameter", "estimate", "standard error", "z"])

    def ranef(self, group: str) -> pd.DataFrame:
        """Predicted random effects of a group, one row a level and effect, with prediction standard errors.

        Raises
        ------
        KeyError
            If the model has no such factor, or the method predicts no random effects.
        """
        if self.random_effects is None:
            raise KeyError(group)
        block = self.design.block(group)
        errors = np.sqrt(np.diagonal(self.random_effects.covariance[group], axis1=1, axis2=2))
        return beside(
            pd.DataFrame({group: np.repeat(block.levels, len(block.effects))}),
            effect=np.tile(block.effects, len(block.levels)),
            estimate=self.random_effects.u[group].ravel(),
            **{"standard error": errors.ravel()},
        )

    def _ask(self, question: Callable[..., Estimates], *arguments: Any, **options: Any) -> Estimates:
        """The answer at the estimates, with the spread of the answers at simulated draws."""
        simulated, exact = (question(draws, *arguments, **options) for draws in (self.posterior, self.point))
        return at_point(simulated, exact, self.method)

    @cached_property
    def point(self) -> Posterior:
        """The estimates as a posterior of one draw."""
        G = {block.group: self.G(block.group) for block in self.layout.blocks}
        u = self.random_effects.u if self.random_effects else {}
        return self._made(self.beta, G, self.parameters.auxiliary, u)

    def _made(
        self,
        beta: np.ndarray,
        G: Mapping[str, np.ndarray],
        auxiliary: Mapping[str, Any],
        u: Mapping[str, np.ndarray],
    ) -> Posterior:
        """A posterior of coefficients of one parameter after another [..., coefficient]."""
        location, *further = self.design.predictors.split(beta).items()
        return posterior_of(self._problem, location[1], G, auxiliary, u, dict(further))

    @property
    def _problem(self) -> Problem:
        return Problem(self.spec, self.design, self.priors)

    @cached_property
    def posterior(self) -> Posterior:
        """Simulated draws, in pairs around the estimates, in the columns in which these were found."""
        if self.canonical is not None:
            fit, canonical = self.canonical
            fit = replace(fit, draws=self.draws, seed=self.seed)
            draws = to_written(fit.posterior.draws["posterior"].to_dataset(), canonical, self.design)
            return Posterior(
                self.spec, self.design, self.priors, xr.DataTree.from_dict({"posterior": draws.copy(deep=True)})
            )
        rng = np.random.default_rng(self.seed)
        half = (self.draws + 1) // 2
        noise = rng.standard_normal((half, len(self.x)))
        moves = noise @ _scaled_root(self.covariance).T
        x = self.x + np.concatenate([moves, -moves])
        parameters = [self.layout.parameters(self.layout.from_free(row) if self.free else row) for row in x]
        beta = np.array([one.beta for one in parameters])
        G = {b.group: np.array([one.G(b.group) for one in parameters]) for b in self.layout.blocks}
        auxiliary = {name: np.array([one.auxiliary[name] for one in parameters]) for name in self.layout.auxiliary}
        return self._made(beta, G, auxiliary, self._simulated_effects(beta - self.beta, rng))

    def _simulated_effects(self, moves: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Random effects that follow each draw of beta, with what is uncertain given it."""
        if self.random_effects is None:
            return {}
        result = {}
        beta = self.covariance[self.layout.beta, self.layout.beta]
        for group, u in self.random_effects.u.items():
            by_beta = self.random_effects.by_beta[group]
            given_beta = self.random_effects.covariance[group] - by_beta @ beta @ by_beta.transpose(0, 2, 1)
            noise = rng.standard_normal((len(moves) // 2, *u.shape))
            noise = np.concatenate([noise, -noise])
            scatter = np.einsum("jkl,djl->djk", _root(given_beta), noise)
            result[group] = u + np.einsum("jkc,dc->djk", by_beta, moves) + scatter
        return result

    def __str__(self) -> str:
        parts = [self.method, str(self.spec), "", self.summary().to_string(index=False, na_rep="")]
        if np.isfinite(self.log_likelihood):
            parts.append(f"log likelihood {self.log_likelihood:.4f}, AIC {self.aic:.2f}")
        return "\n".join([*parts, *self.messages])

    __repr__ = __str__


def _scaled_root(covariance: np.ndarray) -> np.ndarray:
    """A square root that keeps its digits where the parameters are of very different sizes: a year and its square."""
    sd = np.sqrt(np.maximum(np.diagonal(np.nan_to_num(covariance)), 0.0))
    if sd.min(initial=np.inf) <= _DIGITS * sd.max(initial=0.0):
        unit = np.where(sd > 0.0, sd, 1.0)
        return unit[:, None] * _root(covariance / np.outer(unit, unit))
    return _root(covariance)


def _root(covariance: np.ndarray) -> np.ndarray:
    """A symmetric square root [..., k, k], also of a singular matrix; 0 where the covariance is unknown."""
    values, vectors = np.linalg.eigh(np.nan_to_num(covariance))
    return (vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]) @ np.swapaxes(vectors, -1, -2)
