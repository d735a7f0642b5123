r"""The Laplace approximation of the log likelihood with the random effects integrated out, and its gradient.

log p(y | beta, L, phi) is about l(eta) - z'z / 2 - log|P| / 2 at the conditional mode z (Tierney & Kadane 1986;
Pinheiro & Chao 2006). Its derivative follows the mode: with a_i the rows of A = Z L, h_i = a_i'P^-1 a_i,
v_i = h_i l_i''' / 2, s = P^-1 A'v and r = l' + v - W A s,

    d/d beta  = X' r
    d/d A_i   = r_i z + l_i' s - W_i P^-1 a_i       (own columns), so that d/d L = sum_i values_i (...)'
    d/d phi   = sum_i  l_phi + h_i l''_phi / 2 + (A s)_i l'_phi.

Of a row with K predictors l' is a vector, a_i, W and h_i are matrices over them and l''' has three indices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayes_glmm.likelihood.correlated import carried_gradient, independent_rows
from bayes_glmm.likelihood.likelihood import Likelihood, Parameters
from bayes_glmm.likelihood.modes import Modes, conditional_modes


@dataclass(frozen=True)
class Evaluation:
    """A log likelihood with the random effects integrated out, and its gradient.

    Attributes
    ----------
    value : float
        With all constants.
    gradient : Parameters
        Derivatives in place of the parameters; in L, of its lower triangle.
    modes : Modes
        At the parameters; of rows that are made independent where residuals are correlated.
    """

    value: float
    gradient: Parameters
    modes: Modes


def laplace_log_likelihood(
    likelihood: Likelihood, parameters: Parameters, start: np.ndarray | None = None
) -> Evaluation:
    """The Laplace approximation of log p(y | beta, L, phi).

    Parameters
    ----------
    likelihood : Likelihood
    parameters : Parameters
    start : array [column of z], optional
        Where to start the search for the conditional modes.

    Returns
    -------
    Evaluation

    Raises
    ------
    numpy.linalg.LinAlgError
        If there is no conditional mode with a positive definite curvature.
    """
    rows = independent_rows(likelihood, parameters)
    modes = conditional_modes(rows.likelihood, rows.parameters, start)
    gradient = carried_gradient(likelihood, parameters, _gradient(rows.likelihood, rows.parameters, modes), modes)
    return Evaluation(_value(modes) - rows.log_size, gradient, modes)


def laplace_value(
    likelihood: Likelihood, parameters: Parameters, start: np.ndarray | None = None
) -> tuple[float, Modes]:
    """The value alone, and the conditional modes; as :func:`laplace_log_likelihood`."""
    rows = independent_rows(likelihood, parameters)
    modes = conditional_modes(rows.likelihood, rows.parameters, start)
    return _value(modes) - rows.log_size, modes


def _value(modes: Modes) -> float:
    return modes.log_joint - 0.5 * modes.factor.log_determinant


def _gradient(likelihood: Likelihood, parameters: Parameters, modes: Modes) -> Parameters:
    part, rows, curvature, values = likelihood.part, modes.rows, modes.curvature, modes.values
    first = rows.first.ravel()
    own = curvature.turn_back(modes.factor.own())
    h = _between(own, values, curvature.predictors)
    v = 0.5 * np.einsum("kli,klmi->mi", h, rows.third).ravel()
    s = modes.factor.solve(part.gather(values, v))
    As = part.spread(values, s)
    r = first + v - curvature.times(As)
    by_entry = r[:, None] * modes.z[part.columns] + first[:, None] * s[part.columns] - curvature.times(own)
    auxiliary = {
        name: float(np.sum(by.value) + 0.5 * np.sum(h * by.second) + np.sum(As * by.first.ravel()))
        for name, by in rows.by.items()
    }
    return Parameters(likelihood.X.T @ r, part.by_factor(by_entry), auxiliary)


def _between(own: np.ndarray, values: np.ndarray, predictors: int) -> np.ndarray:
    """The h [predictor, predictor, row], from P^-1 a and a [predictor row, own effect]."""
    if predictors == 1:
        return np.einsum("ij,ij->i", own, values)[None, None]
    shape = predictors, len(own) // predictors, own.shape[1]
    one, other = own.reshape(shape), values.reshape(shape)
    return np.einsum("kij,lij->kli", one, other)
