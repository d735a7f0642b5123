r"""Damped Newton searches for a maximum: steps are halved while they lead down.

:func:`climb` is for one point, with steps from any curvature that the caller chooses (observed, expected, from
differences). :func:`climb_all` is for many small searches that are evaluated together; each halves its own steps.

Both end where the next step is small: its gain g'd, for the gradient g and the step d, is twice what the step adds to
the value to second order, and the squared length of d in standard errors. That step is returned but not evaluated.
Taking it (``end``) leaves an error of about the square of its length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

HALVINGS = 30
ROUNDING = 1e-14  # of a value that is a sum over rows, relative: a step may lead down by so much


@dataclass(frozen=True)
class Step[B]:
    """A proposed step.

    Attributes
    ----------
    direction : array [parameter]
    gain : float
        g'd: twice the expected gain in value.
    basis : object
        What the caller derived the step from and needs after the search.
    """

    direction: np.ndarray
    gain: float
    basis: B


@dataclass(frozen=True)
class Found[D, B]:
    """Where a search ended.

    Attributes
    ----------
    x : array [parameter]
    value : float
    derivatives : object
        As the objective returned them at x.
    step : Step
        The last one. At x and not taken where the search converged.
    converged : bool
    """

    x: np.ndarray
    value: float
    derivatives: D
    step: Step[B]
    converged: bool

    @property
    def end(self) -> np.ndarray:
        """The point after the last step where the search converged [parameter]; otherwise x."""
        return self.x + self.step.direction if self.converged else self.x


def climb[D, B](
    objective: Callable[[np.ndarray], tuple[float, D]],
    propose: Callable[[np.ndarray, D], Step[B]],
    start: np.ndarray,
    least: float,
    iterations: int,
    halvings: int = HALVINGS,
    otherwise: np.ndarray | None = None,
) -> Found[D, B]:
    """Search for a maximum by damped Newton steps.

    Parameters
    ----------
    objective : function
        ``x -> (value, derivatives)``; the value is -inf outside the domain.
    propose : function
        ``(x, derivatives) -> Step``.
    start : array [parameter]
    least : float
        The search has converged where the next step has a smaller gain.
    iterations : int
        Most steps.
    halvings : int
        Most lengths of a step to try, at least 1. The search ends, not converged, if all lead down.
    otherwise : array [parameter], optional
        Where to start if the objective has no value at the first start.

    Returns
    -------
    Found

    Examples
    --------
    >>> log_cosh = lambda x: (-float(np.log(np.cosh(x[0]))), np.tanh(x))
    >>> newton = lambda x, tanh: Step(-tanh / (1.0 - tanh**2), float(tanh**2 @ (1.0 / (1.0 - tanh**2))), None)
    >>> found = climb(log_cosh, newton, np.array([2.0]), least=1e-10, iterations=50)
    >>> found.converged, bool(abs(found.end[0]) < 1e-10)
    (True, True)
    """
    x = start
    value, derivatives = objective(x)
    if otherwise is not None and value == -np.inf:
        x = otherwise
        value, derivatives = objective(x)
    for _ in range(iterations):
        step = propose(x, derivatives)
        if step.gain < least:
            return Found(x, value, derivatives, step, True)
        scaled = (x + 0.5**k * step.direction for k in range(halvings))
        tried = ((new, *objective(new)) for new in scaled)
        better = next((one for one in tried if one[1] >= _lowest(value)), None)
        if better is None:
            break
        x, value, derivatives = better
    return Found(x, value, derivatives, step, False)


@dataclass(frozen=True)
class FoundAll:
    """Where searches that were evaluated together ended.

    Attributes
    ----------
    x : array [..., parameter]
    precision : array [..., parameter, parameter]
        At x.
    step : array [..., parameter]
        The last ones, not taken.
    gain : array [...]
        Of the steps.
    """

    x: np.ndarray
    precision: np.ndarray
    step: np.ndarray
    gain: np.ndarray

    @property
    def end(self) -> np.ndarray:
        """The points after the last steps [..., parameter]."""
        return self.x + self.step


def climb_all(
    objective: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]],
    start: np.ndarray,
    least: float,
    evaluations: int,
) -> FoundAll:
    """Search for many maxima at once by damped Newton steps, each in a few parameters.

    A search whose step leads down halves it while the others take their next steps, so that the slowest search alone
    decides how many evaluations there are.

    Parameters
    ----------
    objective : function
        ``x -> (value [...], gradient [..., parameter], precision [..., parameter, parameter])``, the precision positive
        definite; the value is -inf outside the domain.
    start : array [..., parameter]
    least : float
        The searches end where no next step has a gain as large.
    evaluations : int
        Most evaluations of the objective, the first included.
    """
    x = start
    value, gradient, precision = objective(x)
    step, gain = _newton(gradient, precision)
    for _ in range(evaluations - 1):
        if (gain < least).all():
            break
        found, gradient, bend = objective(x + step)
        better = found >= _lowest(value)
        newton, next_gain = _newton(gradient, bend)
        if better.all():
            x, value, precision, step, gain = x + step, found, bend, newton, next_gain
            continue
        moved = better[..., None]
        x, value = np.where(moved, x + step, x), np.where(better, found, value)
        precision = np.where(moved[..., None], bend, precision)
        step, gain = np.where(moved, newton, 0.5 * step), np.where(better, next_gain, 0.25 * gain)
    return FoundAll(x, precision, step, gain)


def _newton(gradient: np.ndarray, precision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Newton steps [..., parameter] and their gains [...]."""
    step = np.linalg.solve(precision, gradient[..., None])[..., 0]
    return step, np.sum(gradient * step, axis=-1)


def _lowest[T: (float, np.ndarray)](value: T) -> T:
    """The value that a step must reach: the present one, less rounding."""
    return value - ROUNDING * abs(value)
