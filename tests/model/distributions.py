"""Priors in SciPy's words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from bayes_glmm.spec import Prior

# PyMC's parameters to SciPy's
PRIORS: dict[str, Callable[..., Any]] = {
    "Normal": lambda mu, sigma: stats.norm(mu, sigma),
    "HalfNormal": lambda sigma: stats.halfnorm(scale=sigma),
    "StudentT": lambda nu, mu, sigma: stats.t(nu, mu, sigma),
    "Laplace": lambda mu, b: stats.laplace(mu, b),
    "Cauchy": lambda alpha, beta: stats.cauchy(alpha, beta),
    "HalfCauchy": lambda beta: stats.halfcauchy(scale=beta),
    "Exponential": lambda lam: stats.expon(scale=1 / lam),
    "Beta": lambda alpha, beta: stats.beta(alpha, beta),
    "Gamma": lambda alpha, beta: stats.gamma(alpha, scale=1 / beta),
    "InverseGamma": lambda alpha, beta: stats.invgamma(alpha, scale=beta),
    "LogNormal": lambda mu, sigma: stats.lognorm(sigma, scale=np.exp(mu)),
    "HalfStudentT": lambda nu, sigma: HalfStudentT(nu, sigma),
    "LKJ": lambda eta: LKJ(eta),
}


@dataclass(frozen=True)
class HalfStudentT:
    """The absolute value of a Student t."""

    nu: float
    sigma: float

    def logpdf(self, x: np.ndarray) -> np.ndarray:
        """Log density at x > 0."""
        return np.log(2.0) + stats.t(self.nu, 0, self.sigma).logpdf(x)

    def ppf(self, q: np.ndarray) -> np.ndarray:
        """Quantiles."""
        return stats.t(self.nu, 0, self.sigma).ppf(0.5 + 0.5 * np.asarray(q))


@dataclass(frozen=True)
class LKJ:
    """Lewandowski, Kurowicka & Joe (2009)."""

    eta: float

    def logpdf(self, R: np.ndarray) -> float:
        """Log density of a correlation matrix, over its entries below the diagonal (equation 16)."""
        n, eta, normaliser = len(R), self.eta, 0.0
        for k in range(1, n):
            b = eta + (n - k - 1) / 2
            normaliser += (n - k) * ((2 * eta - 2 + n - k) * np.log(2) + special.betaln(b, b))
        return (eta - 1) * np.linalg.slogdet(R)[1] - normaliser

    def marginal(self, n: int) -> Any:
        """The distribution of one correlation of an n x n matrix: a Beta on (-1, 1)."""
        b = self.eta - 1 + n / 2
        return stats.beta(b, b, loc=-1, scale=2)


def distribution(prior: Prior) -> Any:
    """The SciPy distribution of a prior."""
    return PRIORS[prior.distribution](*prior.positional, **dict(prior.keyword))
