r"""The profile likelihood of one parameter, and where it has fallen by half a chi-square quantile.

The profile of a coordinate c is the maximum over all others. The interval holds the c with 2 (l_max - l(c)) below the
quantile of chi-square with one degree of freedom. Every coordinate is one entry of the likelihood's vector x: a
coefficient, a logarithm of an auxiliary parameter, or the entry L_11, the standard deviation of the first of correlated
effects. Others become the first when the effects change places, which leaves the model as it is. L_11 may take either
sign, so that the profile is smooth at 0, where an interval may end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize

from bayes_glmm.approx.result import ApproxFit
from bayes_glmm.design import RandomBlock
from bayes_glmm.errors import EstimationError, SpecError
from bayes_glmm.likelihood import Layout, likelihood_of, maximum_likelihood
from bayes_glmm.likelihood.estimate import Evaluator
from bayes_glmm.likelihood.maximum import Objective

GRADIENT = 1e-3  # of a maximum over the others, in their standard errors: a millionth of the log likelihood
WIDENING = 1.5
FURTHEST = 20  # widenings, before an interval is taken as without end
ACCURACY = 1e-5  # of an end, in standard errors
HIGHER = 1e-3  # of twice a log likelihood: more is a better maximum than the estimates


@dataclass(frozen=True)
class Surface:
    """A likelihood around its maximum.

    Attributes
    ----------
    objective : function
        ``x -> (value, gradient)``.
    layout : Layout
    x : array [parameter]
        Where the maximum is.
    value : float
    covariance : array [parameter, parameter]
        The inverse of the curvature there.
    """

    objective: Objective
    layout: Layout
    x: np.ndarray
    value: float
    covariance: np.ndarray

    def interval(self, j: int, quantile: float, positive: bool = False) -> tuple[float, float]:
        """Ends of the interval of coordinate j.

        Parameters
        ----------
        j : int
        quantile : float
            Of chi-square with one degree of freedom.
        positive : bool
            Whether the coordinate stands for its absolute value.

        Returns
        -------
        lower, upper : float
            0 or infinite where the profile does not fall far enough.

        Raises
        ------
        EstimationError
            If a point of the profile lies above the maximum.
        """
        profile = _Profile(self, j)
        error = float(np.sqrt(self.covariance[j, j]))
        step = np.sqrt(quantile) * error

        def excess(c: float) -> float:
            return np.sqrt(profile.drop(c)) - np.sqrt(quantile)

        def end(direction: float) -> float:
            inside, c = float(self.x[j]), float(self.x[j] + direction * step)
            for _ in range(FURTHEST):
                if positive and c <= 0.0:
                    return 0.0 if excess(0.0) <= 0.0 else optimize.brentq(excess, 0.0, inside, xtol=ACCURACY * error)
                if excess(c) >= 0.0:
                    return float(optimize.brentq(excess, min(inside, c), max(inside, c), xtol=ACCURACY * error))
                inside, c = c, float(self.x[j] + WIDENING * (c - self.x[j]))
            return direction * np.inf

        return end(-1.0), end(1.0)


class _Profile:
    """The profile of one coordinate. It remembers its points, from which the search for the next one starts."""

    def __init__(self, surface: Surface, j: int) -> None:
        self.surface, self.j = surface, j
        self.others = np.delete(np.arange(len(surface.x)), j)
        precision = np.linalg.inv(surface.covariance)[np.ix_(self.others, self.others)]
        self.root = np.linalg.inv(np.linalg.cholesky(precision)).T
        along = surface.covariance[self.others, j] / surface.covariance[j, j]
        self.found: dict[float, tuple[float, np.ndarray]] = {float(surface.x[j]): (surface.value, along)}

    def drop(self, c: float) -> float:
        """Twice what the maximum over the others has lost at c."""
        if c not in self.found:
            self.found[c] = self._maximum(c)
        lost = 2.0 * (self.surface.value - self.found[c][0])
        if lost < -HIGHER:
            raise EstimationError(
                f"The profile of {self.surface.layout.names[self.j]} rises above the maximum, by {-0.5 * lost:.3g}.",
                advice="The search for the maximum ended too early: rescale the columns.",
            )
        return max(lost, 0.0)

    def _maximum(self, c: float) -> tuple[float, np.ndarray]:
        """The largest value at c, and how far from the estimates the others are for each unit of c."""
        x, distance = self.surface.x.copy(), c - self.surface.x[self.j]
        nearest = min(self.found, key=lambda known: abs(known - c))
        x[self.j] = c
        x[self.others] += distance * self.found[nearest][1]
        start = x[self.others].copy()

        def objective(w: np.ndarray) -> tuple[float, np.ndarray]:
            x[self.others] = start + self.root @ w
            value, gradient = self.surface.objective(x)
            return -value, -(self.root.T @ gradient[self.others])

        if not start.size:
            return -objective(start)[0], start
        with np.errstate(all="ignore"):
            found = optimize.minimize(
                objective, np.zeros(len(start)), jac=True, method="BFGS", options={"gtol": GRADIENT}
            )
        others = start + self.root @ found.x
        return -float(found.fun), (others - self.surface.x[self.others]) / distance


def surface_of(fit: ApproxFit) -> Surface:
    """The likelihood that a fit has maximised, around its maximum.

    Raises
    ------
    SpecError
        For a fit that has maximised no likelihood.
    EstimationError
        If it has not converged.
    """
    if fit.objective is None or fit.free:
        raise SpecError(f"{fit.method} has no likelihood to profile.", advice="Use method='wald', or a fit by aghq.")
    if not fit.converged or np.isnan(fit.covariance).any():
        raise EstimationError("A likelihood without a clear maximum has no profile.", advice=" ".join(fit.messages))
    evaluate = Evaluator(likelihood_of(fit.spec, fit.design), fit.objective, fit.layout)
    return Surface(evaluate, fit.layout, fit.x, fit.log_likelihood, fit.covariance)


def with_first(fit: ApproxFit, block: RandomBlock, effect: int) -> ApproxFit:
    """The same fit with an effect as the first of those that it is correlated with."""
    first = _first_of_run(block, effect)
    if first == effect or fit.objective is None:
        return fit
    order = list(range(len(block.effects)))
    order.insert(first, order.pop(effect))
    moved = replace(block, effects=tuple(block.effects[i] for i in order), values=block.values[:, order])
    blocks = tuple(moved if other is block else other for other in fit.design.blocks)
    design = replace(fit.design, predictors=replace(fit.design.predictors, blocks=blocks))
    root = np.linalg.qr(fit.parameters.L[block.group][order].T, mode="r").T
    root *= np.where(np.diagonal(root) < 0, -1.0, 1.0)
    start = replace(fit.parameters, L={**fit.parameters.L, block.group: root})
    found = maximum_likelihood(likelihood_of(fit.spec, design), fit.objective, start)
    return replace(
        fit,
        design=design,
        parameters=found.parameters,
        layout=found.layout,
        x=found.maximum.x,
        covariance=found.maximum.covariance,
        log_likelihood=found.log_likelihood,
        converged=found.maximum.converged,
    )


def _first_of_run(block: RandomBlock, effect: int) -> int:
    """The first of the effects that one is correlated with."""
    return next(run.start for run in block.runs if run.start <= effect < run.stop)
