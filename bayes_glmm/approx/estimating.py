r"""Generalised estimating equations, solved by statsmodels with our links and variances.

    sum_i D_i' V_i^{-1} (y_i - mu_i) = 0,   D_i = d mu_i / d beta,   V_i = phi A_i^{1/2} R(alpha) A_i^{1/2}

over groups i, with g(mu) = offset + X beta and A_i the variances that the family gives the means (Liang & Zeger 1986).
The working correlation R may be wrong: the estimates stay consistent, and the sandwich B^{-1} M B^{-1}, with
B = sum D_i' V_i^{-1} D_i and M the sum of squares of the terms above, is their covariance nevertheless. In few groups
residuals are too small; Mancl & DeRouen (2001) enlarge them by (I - H_ii)^{-1}.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayes_glmm.errors import EstimationError
from bayes_glmm.families import FAMILIES, Link, Response
from bayes_glmm.names import LOCATION
from bayes_glmm.numerics.functions import NUMPY

ITERATIONS = 100
TOLERANCE = 1e-8  # of the estimating function, in standard deviations of it


@dataclass(frozen=True)
class Correlation:
    """A working correlation R.

    Attributes
    ----------
    structure : str
        Its class in statsmodels.
    lowest : function
        ``(alpha, rows of the largest group) -> smallest eigenvalue`` of R there, or a number of its sign.
    ordered : bool
        Whether the order of the rows of a group matters.
    options : mapping
        For statsmodels.
    """

    structure: str
    lowest: Callable[[Any, int], float]
    ordered: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


CORRELATIONS: dict[str, Correlation] = {
    "exchangeable": Correlation("Exchangeable", lambda alpha, rows: min(1.0 - alpha, 1.0 + (rows - 1) * alpha)),
    "independence": Correlation("Independence", lambda alpha, rows: 1.0),
    "ar1": Correlation("Autoregressive", lambda alpha, rows: 1.0 - abs(alpha), ordered=True, options={"grid": True}),
    "unstructured": Correlation("Unstructured", lambda alpha, rows: np.linalg.eigvalsh(alpha).min(), ordered=True),
}


@dataclass(frozen=True)
class Quasi:
    """What is taken of a family: its variance in the form phi V(mu).

    Attributes
    ----------
    family : str
        The family whose variance is V, and whose log density is the quasi-likelihood but for constants, at ``unit``.
    unit : mapping
        Its auxiliary parameters there; those that are not named are estimated without correlation.
    auxiliary : function
        ``phi -> auxiliary parameters`` that give the variance phi V.
    dispersed : bool
        Whether phi is the family's own, not 1.
    """

    family: str
    unit: Mapping[str, float] = field(default_factory=dict)
    auxiliary: Callable[[float], dict[str, float]] = lambda phi: {}
    dispersed: bool = False


QUASI: dict[str, Quasi] = {
    "gaussian": Quasi("gaussian", {"sigma": 1.0}, lambda phi: {"sigma": float(np.sqrt(phi))}, dispersed=True),
    "gamma": Quasi("gamma", {"phi": 1.0}, lambda phi: {"phi": 1.0 / phi}, dispersed=True),
    "bernoulli": Quasi("bernoulli"),
    "binomial": Quasi("bernoulli"),
    "beta": Quasi("bernoulli", auxiliary=lambda phi: {"phi": max(1.0 / phi - 1.0, 1e-6)}, dispersed=True),
    "poisson": Quasi("poisson"),
    "negative_binomial": Quasi("negative_binomial"),
}


@dataclass(frozen=True)
class Rows:
    """Rows in groups, and what their mean and variance are made of.

    Attributes
    ----------
    y, offset : array [row]
    X : array [row, coefficient]
    group : array [row]
        Whole numbers; rows of a group in their order.
    position : array [row]
        Which row of the unstructured correlation each is.
    link : Link
    quasi : Quasi
    auxiliary : mapping
        Parameters of V.
    """

    y: np.ndarray
    offset: np.ndarray
    X: np.ndarray
    group: np.ndarray
    position: np.ndarray
    link: Link
    quasi: Quasi
    auxiliary: Mapping[str, float]

    def variance(self, mu: np.ndarray) -> np.ndarray:
        """V(mu) [row]."""
        return np.asarray(FAMILIES[self.quasi.family].variance_of(mu, self.auxiliary), float)

    def quasi_likelihood(self, beta: np.ndarray) -> float:
        """Sum of the quasi-likelihoods of the rows at phi = 1, but for a constant."""
        family = FAMILIES[self.quasi.family]
        at = family.at({LOCATION: (self.offset + self.X @ beta, self.link)}, self.auxiliary, NUMPY)
        return float(np.sum(family.log_density(Response(self.y), at, NUMPY)))

    def information(self, beta: np.ndarray) -> np.ndarray:
        """Sum of D_i' A_i^{-1} D_i [coefficient, coefficient]."""
        eta = self.offset + self.X @ beta
        slope = self.link.derivative(eta, NUMPY)
        return (self.X * (slope**2 / self.variance(self.link.inverse(eta, NUMPY)))[:, None]).T @ self.X


@dataclass(frozen=True)
class Solution:
    """Where the estimating equations hold.

    Attributes
    ----------
    beta : array [coefficient]
    covariances : mapping of "robust", "naive", "bias_corrected" to array [coefficient, coefficient]
        NaN where it was not asked for.
    alpha : float or array [position, position]
        The working correlation's parameter, or matrix; 0 for independence.
    dispersion : float
        phi, the mean square of Pearson's residuals.
    converged : bool
    """

    beta: np.ndarray
    covariances: Mapping[str, np.ndarray]
    alpha: Any
    dispersion: float
    converged: bool

    def qic(self, rows: Rows) -> float:
        """Pan's criterion (2001): -2 Q + 2 tr(Omega V), Q and Omega without correlation, V the robust covariance."""
        phi = self.dispersion if rows.quasi.dispersed else 1.0
        penalty = np.trace(rows.information(self.beta) @ self.covariances["robust"])
        return 2.0 / phi * float(penalty - rows.quasi_likelihood(self.beta))


def solve(rows: Rows, correlation: Correlation, start: np.ndarray, correct: bool = True) -> Solution:
    """Solve the equations.

    Parameters
    ----------
    rows : Rows
    correlation : Correlation
    start : array [coefficient]
    correct : bool
        Whether to correct the sandwich: a dense system of the size of each group.

    Returns
    -------
    Solution

    Raises
    ------
    EstimationError
        If means leave their range, or the working correlation is singular.
    """
    from statsmodels.genmod import cov_struct
    from statsmodels.genmod.generalized_estimating_equations import GEE

    # columns of one length and at right angles: the estimating function has one scale, which the tolerance is of
    Q, R = np.linalg.qr(rows.X)
    unit = np.sqrt(len(Q))
    structure = getattr(cov_struct, correlation.structure)(**correlation.options)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what they say is seen in the solution
        found = GEE(
            rows.y,
            unit * Q,
            rows.group,
            time=rows.position,
            family=_family(rows),
            cov_struct=structure,
            offset=rows.offset,
        ).fit(
            start_params=R @ start / unit,
            cov_type="bias_reduced" if correct else "robust",
            scale="X2",
            ddof_scale=0,
            maxiter=ITERATIONS,
            ctol=TOLERANCE * unit * _size(rows, start),
        )
    if found is None or not np.isfinite(found.params).all():
        raise EstimationError(
            "The steps towards a solution break off: means leave their range, or the working correlation is singular.",
            f"link {rows.link.name}, {correlation.structure.lower()}",
            "Use corr='independence', or the family's first link.",
        )
    back = unit * np.linalg.inv(R)
    corrected = found.cov_robust_bc if correct else np.full_like(found.cov_robust, np.nan)
    named = {"robust": found.cov_robust, "naive": found.cov_naive, "bias_corrected": corrected}
    return Solution(
        beta=back @ found.params,
        covariances={name: back @ covariance @ back.T for name, covariance in named.items()},
        alpha=_plain(structure.dep_params),
        dispersion=float(found.scale),
        converged=bool(found.converged),
    )


def _plain(alpha: Any) -> Any:
    """A correlation as a number, a matrix as it is, none as 0."""
    return 0.0 if alpha is None else float(alpha) if np.ndim(alpha) == 0 else alpha


def _size(rows: Rows, beta: np.ndarray) -> float:
    """Standard deviation of a row's part of the estimating function, at phi as it is there."""
    eta = rows.offset + rows.X @ beta
    mu = rows.link.inverse(eta, NUMPY)
    variance = rows.variance(mu)
    phi = np.mean((rows.y - mu) ** 2 / variance)
    return float(np.sqrt(phi * np.mean(rows.link.derivative(eta, NUMPY) ** 2 / variance)))


def _family(rows: Rows):  # type: ignore[no-untyped-def]
    """The link and the variance as statsmodels takes them."""
    from statsmodels.genmod.families import Family
    from statsmodels.genmod.families.links import Link as Base

    link = rows.link

    class Adapted(Base):
        def __call__(self, mu: np.ndarray) -> np.ndarray:
            return link.forward(mu, NUMPY)

        def inverse(self, eta: np.ndarray) -> np.ndarray:
            return link.inverse(eta, NUMPY)

        def inverse_deriv(self, eta: np.ndarray) -> np.ndarray:
            return link.derivative(eta, NUMPY)

    class Ours(Family):
        links = safe_links = (Adapted,)

    return Ours(Adapted(), rows.variance)
