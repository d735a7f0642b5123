r"""The effective number of parameters of a mixed model: the trace of its hat matrix.

With T = [X ZR] for random effects u = Rz, z ~ N(0, I), G = RR', working weights W and the penalty P = diag(0, I), the
fitted linear predictor is linear in the working response, eta = T (T'WT + P)^{-1} T'W y, and

    rho = tr[(T'WT + P)^{-1} T'WT],

also where G is singular, lies between the number of fixed effects and that plus the rank of Z (Hodges & Sargent 2001;
Vaida & Blanchard 2005, where it corrects the conditional AIC). Taken at posterior medians. The other count, p of
``diagnostics.loo_by_row``, comes from the draws alone.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg, sparse

from bayes_glmm.errors import DataError, SpecError
from bayes_glmm.names import LOCATION
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import conditional_predictor

MOST_COLUMNS = 6_000  # of T: a dense matrix of 290 MB


def effective_parameters(posterior: Posterior) -> float:
    """Trace of the hat matrix at the posterior medians of eta, G and the family's parameters.

    Parameters
    ----------
    posterior : Posterior

    Returns
    -------
    float
        Between the number of fixed effects and that plus the number of random effects.

    Raises
    ------
    DataError
        For more than 6,000 fixed and random effects.
    SpecError
        For a model with several formulas.
    """
    if posterior.design.residual is not None:
        raise SpecError(
            "The hat matrix is that of independent residuals.",
            str(posterior.spec),
            "Use the effective number of parameters of leave-one-out: diagnostics.loo_by_group(posterior).p.",
        )
    if posterior.spec.formulas:
        raise SpecError(
            "The hat matrix is that of one linear predictor.",
            str(posterior.spec),
            "Use the effective number of parameters of leave-one-out: diagnostics.loo_by_row(posterior).p.",
        )
    weights = _working_weights(posterior)
    posterior = posterior.canonical  # the same trace in columns whose cross products lose no digits
    design = posterior.design
    columns = [sparse.csr_array(design.X)]
    for block in design.blocks:
        rows, levels = np.arange(len(block.index)), len(block.levels)
        variances, vectors = np.linalg.eigh(typical_covariance(posterior.G(block.group)))
        for values in (block.values @ (vectors * np.sqrt(np.maximum(variances, 0.0)))).T:
            columns.append(sparse.csr_array((values, (rows, block.index)), (len(rows), levels)))
    T = sparse.hstack(columns, format="csr")
    if T.shape[1] > MOST_COLUMNS:
        raise DataError(
            f"The hat matrix of {T.shape[1]:,} effects is too large.",
            f"the limit is {MOST_COLUMNS:,}",
            "Use the effective number of parameters of leave-one-out: diagnostics.loo_by_row(posterior).p.",
        )
    information = (T.T @ (T * weights[:, None])).toarray()
    penalty = np.repeat([0.0, 1.0], [design.X.shape[1], T.shape[1] - design.X.shape[1]])
    scale = 1.0 / np.sqrt(np.diagonal(information) + penalty)  # the trace is the same in any units of the columns
    information = scale[:, None] * information * scale
    return float(np.trace(linalg.solve(information + np.diag(penalty * scale**2), information, assume_a="pos")))


def typical_covariance(G: np.ndarray) -> np.ndarray:
    """Return the covariance of median sds and mean correlations [effect, effect] of draws [draw, effect, effect].

    Medians of variances exist whatever the tails; correlations are bounded, and their mean is a correlation matrix,
    which a matrix of medians need not be.
    """
    sd = np.sqrt(np.diagonal(G, axis1=1, axis2=2))
    scale = np.where(sd > 0.0, sd, 1.0)
    correlation = (G / (scale[:, :, None] * scale[:, None, :])).mean(axis=0)
    np.fill_diagonal(correlation, 1.0)
    middle = np.median(sd, axis=0)
    return middle[:, None] * correlation * middle


def _working_weights(posterior: Posterior) -> np.ndarray:
    """(dm/deta)^2 / Var(y | u), m the mean of all trials of a row, at the posterior median of eta [row]."""
    spec, design = posterior.spec, posterior.design
    eta = np.median(conditional_predictor(posterior), axis=0)
    auxiliary = {name: float(np.median(values)) for name, values in posterior.auxiliary.items()}
    located = spec.family.located
    at = spec.family.at({LOCATION: (eta, spec.link)}, auxiliary, NUMPY)
    variance = located.variance(at) if located else spec.family.variance_of_rows(design.observed, at)
    slope = spec.link.derivative(eta, NUMPY) * (1.0 if design.trials is None else design.trials)
    weights = slope**2 / np.maximum(variance, np.finfo(float).tiny)
    if located is None:
        return weights
    return np.where(np.isfinite(located.values(design.y)), weights, 0.0)  # 0 without a value of the location
