r"""Henderson's mixed-model equations, and the likelihood of the linear mixed model they belong to.

For t = X beta + A z + e with e ~ N(0, W^-1), z ~ N(0, I), A = Z L (Henderson 1975; in u = L z the corner is
Z'WZ + G^-1, which does not exist where a standard deviation is 0):

    C [beta; z] = [X A]' W t,        C = [ X'WX    X'WA     ]
                                         [ A'WX    A'WA + I ].

Eliminating z with P = A'WA + I leaves S = X'WX - X'WA F, F = P^-1 A'WX: S^-1 is the covariance of beta, -F how z
follows beta, and log|C| = log|P| + log|S|. With the residuals e, n rows and p coefficients, the restricted log
likelihood and its derivatives are (Patterson & Thompson 1971)

    -1/2 [(n - p) log 2 pi + log|C| - sum log w_i + e'We + z'z]
    d/d A_i     = w_i (e_i z - c_i)                        c_i = the part of C^-1 [x_i; a_i] in z, own columns
    d/d log phi = 1/2 sum_i (w_i (e_i^2 + h_i) - 1)        W ~ 1 / phi,  h_i = [x_i; a_i]' C^-1 [x_i; a_i].

Maximum likelihood has n in place of n - p and P in place of C.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from bayes_glmm.approx.result import RandomEffects
from bayes_glmm.likelihood import Parameters
from bayes_glmm.likelihood.factor import Elimination, Factor, factorise

Criterion = Literal["REML", "ML"]


@dataclass(frozen=True)
class LinearMixedModel:
    """A linear mixed model without its variances.

    Attributes
    ----------
    elimination : Elimination
        The random part.
    X : array [row, coefficient]
    response : array [row]
    weights : array [row]
        Inverse of the variance of each row's error, at a dispersion of 1.
    """

    elimination: Elimination
    X: np.ndarray
    response: np.ndarray
    weights: np.ndarray

    def solve(self, variances: Parameters) -> Solution:
        """The solution of Henderson's equations.

        Parameters
        ----------
        variances : Parameters
            L, and ``auxiliary["dispersion"]`` where it is not 1.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the coefficients cannot be told apart, or weights are not finite.
        """
        part, weights = self.elimination.part, self.weights / variances.auxiliary.get("dispersion", 1.0)
        if not np.isfinite(weights).all():
            raise np.linalg.LinAlgError("weights that are not finite")
        values = part.values(variances.L)
        A, factor = part.matrix(values), factorise(self.elimination, values, weights)
        WX = weights[:, None] * self.X
        F = factor.solve(A.T @ WX)
        swept = self.X - A @ F
        S_root = np.linalg.inv(np.linalg.cholesky(WX.T @ swept))
        beta = S_root.T @ (S_root @ (swept.T @ (weights * self.response)))
        z = factor.solve(A.T @ (weights * (self.response - self.X @ beta)))
        return Solution(self, variances, weights, factor, F, swept, S_root, beta, z)


@dataclass(frozen=True)
class Solution:
    """Best linear unbiased estimates and predictions, given the variances.

    Attributes
    ----------
    model : LinearMixedModel
    variances : Parameters
    weights : array [row]
        With the dispersion.
    factor : Factor
        Of P.
    F : array [column of z, coefficient]
    swept : array [row, coefficient]
        X - A F: what of X the random effects do not follow.
    S_root : array [coefficient, coefficient]
        Inverse of the Cholesky factor of S.
    beta : array [coefficient]
    z : array [column of z]
    """

    model: LinearMixedModel
    variances: Parameters
    weights: np.ndarray
    factor: Factor
    F: np.ndarray
    swept: np.ndarray
    S_root: np.ndarray
    beta: np.ndarray
    z: np.ndarray

    @cached_property
    def fitted(self) -> np.ndarray:
        """X beta + A z [row]."""
        part = self.model.elimination.part
        return self.model.X @ self.beta + part.spread(self.factor.values, self.z)

    @property
    def covariance(self) -> np.ndarray:
        """Of beta [coefficient, coefficient]."""
        return self.S_root.T @ self.S_root

    def log_likelihood(self, criterion: Criterion) -> float:
        """The (restricted) log likelihood, all constants included."""
        errors = self.model.response - self.fitted
        determinants, degrees = self.factor.log_determinant, len(errors)
        if criterion == "REML":
            determinants -= 2.0 * float(np.log(np.diagonal(self.S_root)).sum())
            degrees -= len(self.beta)
        quadratic = float(self.weights @ errors**2 + self.z @ self.z)
        constant = degrees * np.log(2.0 * np.pi) - float(np.log(self.weights).sum())
        return -0.5 * (constant + determinants + quadratic)

    def gradient(self, criterion: Criterion) -> Parameters:
        """Derivatives of :meth:`log_likelihood` in L (its lower triangle) and the dispersion."""
        part, errors = self.model.elimination.part, self.model.response - self.fitted
        own = self.factor.own()
        leverage = np.einsum("ij,ij->i", own, self.factor.values)
        if criterion == "REML":
            scaled = self.swept @ self.S_root.T
            own = own - np.einsum("ijc,ic->ij", self.F[part.columns], scaled @ self.S_root)
            leverage = leverage + np.einsum("ic,ic->i", scaled, scaled)
        by_entry = self.weights[:, None] * (errors[:, None] * self.z[part.columns] - own)
        by_log = 0.5 * float(np.sum(self.weights * (errors**2 + leverage) - 1.0))
        auxiliary = {name: by_log / value for name, value in self.variances.auxiliary.items()}
        return Parameters(np.empty(0), part.by_factor(by_entry), auxiliary)

    def random_effects(self) -> RandomEffects:
        """Predictions, and their error variance with that of beta: the corner of C^-1, in u."""
        return predicted_effects(self.factor, self.variances, self.z, -self.F, self.covariance)


def predicted_effects(
    factor: Factor, variances: Parameters, z: np.ndarray, follow: np.ndarray, covariance: np.ndarray
) -> RandomEffects:
    """Predicted random effects with their prediction error variance, from standardised ones.

    Parameters
    ----------
    factor : Factor
        Of their precision given beta.
    variances : Parameters
    z : array [column of z]
    follow : array [column of z, coefficient]
        dz / dbeta.
    covariance : array [coefficient, coefficient]
        Of beta.
    """
    part, own = factor.elimination.part, factor.own_covariances()
    u, errors, by_beta = {}, {}, {}
    for group, effects in part.split(z).items():
        root = variances.L[group]
        u[group] = effects @ root.T
        by_beta[group] = np.einsum("kl,jlc->jkc", root, part.split(follow)[group])
        spread = by_beta[group] @ covariance @ by_beta[group].transpose(0, 2, 1)
        errors[group] = root @ own[group] @ root.T + spread
    return RandomEffects(u, errors, by_beta)
