"""Correlated residuals in the plain PyMC model: rows of one level are multivariate normal with covariance S R S.

S has the standard deviations sigma of the rows on its diagonal, R is the correlation matrix of their occasions. Levels
with the same occasions share one Cholesky factor.
"""

from __future__ import annotations

import math

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor.linalg import solve_triangular

from bayes_glmm.design.priors import Priors
from bayes_glmm.design.residual import Residual
from bayes_glmm.model.variables import scalar_variable
from bayes_glmm.names import OCCASION, OCCASION_2
from bayes_glmm.numerics.residual import below, distances


def residual_constants(residual: Residual, priors: Priors) -> dict[str, pt.TensorVariable]:
    """Add the places that the correlation is made of to the model in context."""
    return {name: scalar_variable(name, priors.scalars[name], "unit") for name in residual.names}


def correlation_matrix(residual: Residual, places: dict[str, pt.TensorVariable]) -> pt.TensorVariable:
    """Add the correlation under its own name to the model in context; R [occasion, occasion]."""
    name, occasions = residual.form.variable, residual.occasions
    if residual.form.single:
        rho = pm.Deterministic(name, occasions.low + (occasions.high - occasions.low) * places[residual.names[0]])
        D = distances(residual.name, occasions.steps)
        powers = pt.stack([rho ** int(d) if d else pt.ones(()) for d in np.unique(D)])
        return powers[np.searchsorted(np.unique(D), D)]
    m = len(residual.labels)
    rows = [[pt.zeros(()) for _ in range(m)] for _ in range(m)]
    left = [pt.ones(()) for _ in range(m)]
    for (s, t), place in zip(below(m), places.values(), strict=True):
        partial = 2.0 * place - 1.0
        rows[s][t] = partial * pt.sqrt(left[s])
        left[s] = left[s] * (1.0 - partial**2)
    for s in range(m):
        rows[s][s] = pt.sqrt(left[s])
    C = pt.stack([pt.stack(row) for row in rows])
    return pm.Deterministic(name, C @ C.T, dims=(OCCASION, OCCASION_2))


def add_correlated_response(
    residual: Residual, name: str, y: np.ndarray, mu: pt.TensorVariable, sigma: pt.TensorVariable, R: pt.TensorVariable
) -> None:
    """Add the observed response, multivariate normal level by level, to the model in context."""

    def logp(value, mu, sigma, R):  # type: ignore[no-untyped-def]
        scaled = (value - mu) / sigma
        total = -pt.log(sigma).sum() - 0.5 * len(y) * math.log(2.0 * math.pi)
        for pattern in residual.patterns:
            C = pt.linalg.cholesky(R[np.ix_(pattern.at, pattern.at)])
            white = solve_triangular(C, scaled[pattern.rows].T, lower=True)
            total += -0.5 * (white**2).sum() - len(pattern.rows) * pt.log(pt.diagonal(C)).sum()
        return total

    def random(mu, sigma, R, rng=None, size=None):  # type: ignore[no-untyped-def]
        found = np.empty(np.shape(mu))
        for pattern in residual.patterns:
            C = np.linalg.cholesky(R[np.ix_(pattern.at, pattern.at)])
            found[pattern.rows] = rng.normal(size=pattern.rows.shape) @ C.T
        return mu + sigma * found

    sigma = sigma * pt.ones(len(y))
    pm.CustomDist(name, mu, sigma, R, logp=logp, random=random, signature="(n),(n),(m,m)->(n)", observed=y, dims="row")
