"""The maximum of a log likelihood or log posterior density, and the curvature there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import optimize

from bayes_glmm.errors import EstimationError
from bayes_glmm.numerics.differences import hessian
from bayes_glmm.numerics.search import Step, climb

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]

ITERATIONS = 300
NEWTON_STEPS, HALVINGS, PRECISIONS = 8, 7, 4  # at most: steps by a precision, lengths of a step, precisions
DECREMENT = 1e-8  # twice the log likelihood still to gain, at the last step
STEP = 1e-3  # of finite differences of the gradient, in standard errors
NEAR = 0.01  # standard errors within which a precision is that of another point


@dataclass(frozen=True)
class Maximum:
    """Where an objective is largest.

    Attributes
    ----------
    x : array [parameter]
    value : float
    precision : array [parameter, parameter]
        The negative second derivative.
    evaluations : int
        Of value and gradient.
    converged : bool
    message : str
        What went wrong, or empty.
    known : array [parameter, parameter] or None
        The inverse of the precision, where it was found in better conditioned coordinates and carried.
    """

    x: np.ndarray
    value: float
    precision: np.ndarray
    evaluations: int
    converged: bool
    message: str
    known: np.ndarray | None = None

    @property
    def covariance(self) -> np.ndarray:
        """The inverse of the precision [parameter, parameter]; NaN where it is not positive definite."""
        if self.known is not None:
            return self.known
        if not definite(self.precision):
            return np.full_like(self.precision, np.nan)
        return np.linalg.inv(self.precision)


def maximise(objective: Objective, start: np.ndarray, scale: np.ndarray) -> Maximum:
    """Climb by BFGS, then by Newton steps with the Hessian from differences of the gradient.

    Parameters
    ----------
    objective : function
        ``x -> (value, gradient)``; -inf and any gradient where it cannot be evaluated.
    start : array [parameter]
        Where the objective is finite.
    scale : array [parameter, parameter]
        A guess of the inverse of the precision; the better, the fewer steps.

    Returns
    -------
    Maximum

    Raises
    ------
    EstimationError
        If the objective is not finite at the start.
    """
    root = np.linalg.cholesky(scale)
    count = 0

    def standardised(w: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal count
        count += 1
        value, gradient = objective(start + root @ w)
        return value, root.T @ gradient

    def falling(w: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = standardised(w)
        return -value, -gradient

    if not np.isfinite(falling(np.zeros_like(start))[0]):
        raise EstimationError("The likelihood is not finite where the search starts.", advice="Rescale the columns.")
    with np.errstate(all="ignore"):
        found = optimize.minimize(
            falling, np.zeros_like(start), jac=True, method="BFGS", options={"gtol": 1e-4, "maxiter": ITERATIONS}
        )
    w, value, precision, converged = _newton(standardised, found.x, np.sqrt(np.diagonal(np.asarray(found.hess_inv))))
    inverse = np.linalg.inv(root)
    message = "" if converged else _complaint(precision)
    return Maximum(start + root @ w, value, inverse.T @ precision @ inverse, count, converged, message)


def _newton(objective: Objective, w: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, float, np.ndarray, bool]:
    """Newton steps until they gain nothing; the last point, its value and precision, and whether it is a maximum.

    One precision serves until the steps that it proposes are small. It is derived again where w has moved since.
    """
    for _ in range(PRECISIONS):
        precision = _precision(objective, w, errors)
        if not definite(precision):
            return w, objective(w)[0], precision, False
        covariance = np.linalg.inv(precision)
        found = climb(objective, partial(_along, covariance), w, DECREMENT, NEWTON_STEPS, HALVINGS)
        errors = np.sqrt(np.diagonal(covariance))
        moved = float(np.abs((found.x - w) / errors).max(initial=0.0))
        w = found.x
        if not found.converged:
            break
        if moved < NEAR:
            value, _ = objective(found.end)
            return (found.end, value, precision, True) if value > found.value else (w, found.value, precision, True)
    return w, found.value, precision, False


def _along(covariance: np.ndarray, _: np.ndarray, gradient: np.ndarray) -> Step[None]:
    direction = covariance @ gradient
    return Step(direction, float(gradient @ direction), None)


def definite(precision: np.ndarray) -> bool:
    """Whether a matrix is positive definite beyond rounding, whatever the units of its rows."""
    diagonal = np.diagonal(precision)
    if not np.isfinite(precision).all() or (diagonal <= 0.0).any():
        return False
    root = np.sqrt(diagonal)
    return bool(np.linalg.eigvalsh(precision / root[:, None] / root).min(initial=np.inf) > 1e-10)


def _precision(objective: Objective, w: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """The negative Hessian by differences of the gradient."""
    return -hessian(lambda at: objective(at)[1], w, STEP * np.clip(errors, 1e-3, 1e3))


def _complaint(precision: np.ndarray) -> str:
    if not np.isfinite(precision).all():
        return "the likelihood cannot be evaluated around the last step"
    if not definite(precision):
        return "the likelihood has no maximum that it falls away from in all directions"
    return "the search ended before the gradient was zero"
