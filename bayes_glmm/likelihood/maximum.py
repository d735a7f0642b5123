"""The maximum of a log likelihood or log posterior density, and the curvature there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from bayes_glmm.errors import EstimationError

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]

ITERATIONS = 300
NEWTON_STEPS = 8
DECREMENT = 1e-8  # twice the log likelihood still to gain, at the last step
STEP = 1e-3  # of finite differences of the gradient, in standard errors


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
        return -value, -(root.T @ gradient)

    if not np.isfinite(standardised(np.zeros_like(start))[0]):
        raise EstimationError("The likelihood is not finite where the search starts.", advice="Rescale the columns.")
    with np.errstate(all="ignore"):
        found = optimize.minimize(
            standardised, np.zeros_like(start), jac=True, method="BFGS", options={"gtol": 1e-4, "maxiter": ITERATIONS}
        )
    w, value, precision, converged = _newton(standardised, found.x, np.sqrt(np.diagonal(np.asarray(found.hess_inv))))
    inverse = np.linalg.inv(root)
    message = "" if converged else _complaint(precision)
    return Maximum(start + root @ w, -value, inverse.T @ precision @ inverse, count, converged, message)


def _newton(objective: Objective, w: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, float, np.ndarray, bool]:
    """Newton steps until they gain nothing; the last point, its value and Hessian, and whether that is a maximum."""
    value, gradient = objective(w)
    precision, fresh = _hessian(objective, w, errors), True
    for _ in range(NEWTON_STEPS):
        if not definite(precision):
            return w, value, precision, False
        step = -np.linalg.solve(precision, gradient)
        done = bool(-gradient @ step < DECREMENT)
        if done and not fresh:
            precision, fresh = _hessian(objective, w, errors), True
            continue
        moved = _downhill(objective, w, step, value)
        if done or moved is None:
            return (*(moved or (w, value))[:2], precision, done)
        errors = np.sqrt(np.diagonal(np.linalg.inv(precision)))
        fresh = bool(np.abs((moved[0] - w) / errors).max() < 0.01)
        w, value, gradient = moved
    return w, value, precision, False


def _downhill(
    objective: Objective, w: np.ndarray, step: np.ndarray, value: float
) -> tuple[np.ndarray, float, np.ndarray] | None:
    """The longest of some fractions of a step that leads down; None if none does."""
    for fraction in (1.0, 0.5, 0.1, 0.01):
        new = w + fraction * step
        found, gradient = objective(new)
        if found < value:
            return new, found, gradient
    return None


def definite(precision: np.ndarray) -> bool:
    """Whether a matrix is positive definite beyond rounding, whatever the units of its rows."""
    diagonal = np.diagonal(precision)
    if not np.isfinite(precision).all() or (diagonal <= 0.0).any():
        return False
    root = np.sqrt(diagonal)
    return bool(np.linalg.eigvalsh(precision / root[:, None] / root).min(initial=np.inf) > 1e-10)


def _hessian(objective: Objective, w: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Central differences of the gradient, symmetric."""
    steps = STEP * np.clip(errors, 1e-3, 1e3)
    columns = []
    for j, step in enumerate(steps):
        move = np.zeros_like(w)
        move[j] = step
        columns.append((objective(w + move)[1] - objective(w - move)[1]) / (2.0 * step))
    hessian = np.array(columns)
    return 0.5 * (hessian + hessian.T)


def _complaint(precision: np.ndarray) -> str:
    if not np.isfinite(precision).all():
        return "the likelihood cannot be evaluated around the last step"
    if not definite(precision):
        return "the likelihood has no maximum that it falls away from in all directions"
    return "the search ended before the gradient was zero"
