"""The working response of a generalised linear mixed model, and the mode of its penalised quasi-likelihood."""

from __future__ import annotations

import numpy as np

from bayes_glmm.approx.henderson import LinearMixedModel, Solution
from bayes_glmm.errors import EstimationError, rows_text
from bayes_glmm.likelihood import Likelihood, Parameters
from bayes_glmm.likelihood.modes import by_row
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.numerics.search import Step, climb

STEPS = 100
DECREMENT = 1e-9  # twice what a step gains


def working_model(likelihood: Likelihood, eta: np.ndarray) -> LinearMixedModel:
    """The linear mixed model that has the quasi-score and the Fisher information of the rows at eta.

    Its response is eta - offset + (y - mu) / h'(eta), its weights are trials h'(eta)^2 / V(mu), V the variance at a
    dispersion of 1.

    Raises
    ------
    EstimationError
        If a working response is not finite.
    """
    spec, design = likelihood.spec, likelihood.design
    unit = dict.fromkeys(spec.family.auxiliary, 1.0)
    with np.errstate(all="ignore"):
        mu, slope = spec.link.inverse(eta, NUMPY), spec.link.derivative(eta, NUMPY)
        variance = spec.family.variance_of(mu, unit)
        variance = np.where(variance == 0, np.finfo(float).eps, variance)  # 1 - mu rounds to 0
        trials = 1.0 if design.trials is None else design.trials
        weights = np.maximum(trials * slope**2 / variance, np.finfo(float).tiny)
        response = eta - design.offset + by_row(likelihood.rows(eta, unit, 1), 1, len(eta)) / weights
    wrong = np.flatnonzero(~np.isfinite(response + weights))
    if len(wrong):
        raise EstimationError(
            "The working response is not finite: conditional means went to the edge of their range.",
            rows_text(wrong),
            "Use bg.approx.laplace(model), or another link.",
        )
    return LinearMixedModel(likelihood.elimination, design.X, response, weights)


def joint_mode(likelihood: Likelihood, variances: Parameters, beta: np.ndarray, z: np.ndarray) -> tuple[Solution, bool]:
    """Where the penalised quasi-likelihood is largest over beta and z, by Fisher scoring.

    Parameters
    ----------
    likelihood : Likelihood
    variances : Parameters
        L and the dispersion.
    beta, z : array
        Where to start; from z = 0 if the quasi-likelihood is not finite there.

    Returns
    -------
    solution : Solution
        Of the working model at the mode.
    converged : bool

    Raises
    ------
    numpy.linalg.LinAlgError
        If the coefficients cannot be told apart.
    EstimationError
        If a working response is not finite.
    """
    unit = dict.fromkeys(likelihood.spec.family.auxiliary, 1.0)
    A, p = likelihood.part.matrix(likelihood.part.values(variances.L)), len(beta)
    dispersion = variances.auxiliary.get("dispersion", 1.0)

    def at(both: np.ndarray) -> tuple[float, np.ndarray]:
        z = both[p:]
        eta = likelihood.fixed(both[:p]) + A @ z
        value = float(np.sum(likelihood.rows(eta, unit, 1).value)) / dispersion - 0.5 * float(z @ z)
        return (value if np.isfinite(value) else -np.inf), eta

    def propose(both: np.ndarray, eta: np.ndarray) -> Step[Solution]:
        solution = working_model(likelihood, eta).solve(variances)
        step = np.concatenate([solution.beta, solution.z]) - both
        change = solution.fitted + likelihood.design.offset - eta
        return Step(step, float(solution.weights @ change**2 + step[p:] @ step[p:]), solution)

    at_zero = np.concatenate([beta, np.zeros_like(z)])
    found = climb(at, propose, np.concatenate([beta, z]), DECREMENT, STEPS, otherwise=at_zero)
    return found.step.basis, found.converged
