r"""The most likely random effects given the parameters, and the curvature there.

This is penalised iteratively reweighted least squares, with the observed information (Bates 2010, chapter 5).

For z ~ N(0, I) and eta = offset + X beta + A z the log joint density l(eta) - z'z / 2 has gradient A'g - z and Hessian
-P, P = I + A'WA, with g = l' and W = -l'' row by row, K x K where a row has K predictors. The search is
:func:`bayes_glmm.numerics.search.climb`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayes_glmm.likelihood.factor import Factor, factorise
from bayes_glmm.likelihood.likelihood import Likelihood, Parameters
from bayes_glmm.likelihood.stacked import Curvature
from bayes_glmm.numerics.jet import Jet
from bayes_glmm.numerics.search import Step, climb
from bayes_glmm.numerics.series import Series

ITERATIONS = 100
DECREMENT = 1e-10  # g'P^-1 g: twice what the step gains; after it the mode is right to about its square


@dataclass(frozen=True)
class Modes:
    """Conditional modes of the standardised random effects.

    Attributes
    ----------
    z : array [column of z]
    eta : array [predictor row]
    log_joint : float
        log p(y | z) - z'z / 2 (N(0, I) without its constant).
    rows : Jet
        Derivatives of the rows' log densities, of order 3.
    curvature : Curvature
    values : array [predictor row, own effect]
        Non-zero entries of A.
    factor : Factor
        Of P at the mode, from A and its weights turned by the curvature.
    converged : bool
    """

    z: np.ndarray
    eta: np.ndarray
    log_joint: float
    rows: Jet
    curvature: Curvature
    values: np.ndarray
    factor: Factor
    converged: bool


def conditional_modes(likelihood: Likelihood, parameters: Parameters, start: np.ndarray | None = None) -> Modes:
    """Maximise p(y, z | parameters) over z.

    Parameters
    ----------
    likelihood : Likelihood
    parameters : Parameters
    start : array [column of z], optional
        Where to start; 0 if not given.

    Returns
    -------
    Modes

    Raises
    ------
    numpy.linalg.LinAlgError
        If the joint density has no maximum with a positive definite curvature.
    """
    part, fixed = likelihood.part, likelihood.fixed(parameters.beta)
    values = part.values(parameters.L)

    def at(z: np.ndarray) -> tuple[float, Jet]:
        rows = likelihood.jet(fixed + part.spread(values, z), parameters.auxiliary, 2)
        return _log_joint(rows, z), rows

    def propose(z: np.ndarray, rows: Jet) -> Step[None]:
        gradient = part.gather(values, rows.first.ravel()) - z
        if not np.isfinite(gradient).all():
            raise np.linalg.LinAlgError("The density has no slope: parameters went beyond the range of numbers.")
        step = _factor(likelihood, values, Curvature(-rows.second)).solve(gradient)
        return Step(step, float(gradient @ step), None)

    middle = np.zeros(part.size)
    found = climb(at, propose, middle if start is None else start, DECREMENT, ITERATIONS, otherwise=middle)
    z = found.end
    eta = fixed + part.spread(values, z)
    rows = likelihood.jet(eta, parameters.auxiliary, 3)
    curvature = Curvature(-rows.second)
    factor = factorise(likelihood.elimination, curvature.turn(values), curvature.weights)
    return Modes(z, eta, _log_joint(rows, z), rows, curvature, values, factor, found.converged)


def by_row(rows: Series, order: int, count: int, parameter: str | None = None) -> np.ndarray:
    """A derivative as an array [row], also where it is the same in all rows."""
    return np.broadcast_to(np.asarray(rows.derivative(order, parameter), float), count)


def _log_joint(rows: Jet, z: np.ndarray) -> float:
    """The log of p(y | z) less z'z / 2; -inf where it is not a number."""
    value = float(np.sum(rows.value)) - 0.5 * float(z @ z)
    return value if np.isfinite(value) else -np.inf


def _factor(likelihood: Likelihood, values: np.ndarray, curvature: Curvature) -> Factor:
    """The precision; where it is not positive definite on the way to the mode, without what bends it up."""
    turned = curvature.turn(values)
    try:
        return factorise(likelihood.elimination, turned, curvature.weights)
    except np.linalg.LinAlgError:
        return factorise(likelihood.elimination, turned, np.maximum(curvature.weights, 0.0))
