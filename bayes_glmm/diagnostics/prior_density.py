"""Densities of priors at numbers: on a grid, and at the draws of the parameters they belong to.

Top-level parameters only: coefficients, standard deviations, correlations and the family's own. Random effects have no
prior of their own but N(0, G), which is part of the model. PyMC evaluates the densities, as a prior may be any of its
distributions; :mod:`~bayes_glmm.numerics.distributions` has those that searches and compiled densities know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayes_glmm.design import RandomBlock
from bayes_glmm.design.prior_check import lkj_shape
from bayes_glmm.design.residual import Residual, residual_shape
from bayes_glmm.diagnostics.parameters import parameters
from bayes_glmm.names import COSY, RHO
from bayes_glmm.posterior import Posterior
from bayes_glmm.spec import Prior

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable


def log_density(prior: Prior, values: np.ndarray) -> np.ndarray:
    """The log density of a prior at some values, by PyMC.

    Parameters
    ----------
    prior : Prior
        Of one number.
    values : array
    """
    import pymc as pm

    return _evaluated(pm.logp(_distribution(prior), values))


def log_threshold_density(prior: Prior, k: int, total: int, values: np.ndarray) -> np.ndarray:
    """The log density of the k-th of several thresholds that have the same prior in order, up to a constant.

    That of an order statistic: f(x) F(x)^(k - 1) (1 - F(x))^(total - k).

    Parameters
    ----------
    prior : Prior
        Of each threshold, were they not in order.
    k : int
        1 for the lowest.
    total : int
    values : array
    """
    import pymc as pm

    below = _evaluated(pm.logcdf(_distribution(prior), values))
    with np.errstate(divide="ignore"):
        above = np.log(-np.expm1(below))
    return log_density(prior, values) + (k - 1) * below + (total - k) * above


def _distribution(prior: Prior) -> TensorVariable:
    import pymc as pm

    positional = [np.array(value, float) for value in prior.positional]
    keyword = {name: np.array(value, float) for name, value in prior.keyword}
    return getattr(pm, prior.distribution).dist(*positional, **keyword)


def _evaluated(graph: TensorVariable) -> np.ndarray:
    from pytensor.compile.mode import Mode

    # one evaluation is not worth a compiler
    return graph.eval(mode=Mode(linker="py", optimizer="fast_compile"))


def log_correlation_density(posterior: Posterior, block: RandomBlock, first: int, values: np.ndarray) -> np.ndarray:
    """The log density of one correlation under LKJ(eta): r = 2 b - 1, b ~ Beta(a, a), a = eta - 1 + d / 2.

    Of effects with one correlation: b, its place in its range, ~ Beta(eta, eta).

    Lewandowski, Kurowicka & Joe (2009), Journal of Multivariate Analysis 100, 1989-2001.

    Parameters
    ----------
    posterior : Posterior
    block : RandomBlock
    first : int
        Position of one of the two effects; d is the size of its run.
    values : array
        Between -1 and 1.
    """
    from scipy import stats

    pairs = zip(block.runs, block.forms, strict=True)
    run, form = next(pair for pair in pairs if pair[0].start <= first < pair[0].stop)
    if form is not None:
        eta = _shape(posterior, block)
        with np.errstate(invalid="ignore"):
            return stats.beta.logpdf(form.place(values), eta, eta) - np.log(1.0 - form.lowest)
    a = _shape(posterior, block) - 1.0 + 0.5 * (run.stop - run.start)
    return stats.beta.logpdf(0.5 * (values + 1.0), a, a) - np.log(2.0)


def log_prior(posterior: Posterior) -> np.ndarray:
    """The log prior density of all top-level parameters together, up to a constant [chain, draw]."""
    posterior = posterior.canonical  # where every parameter has a prior of its own
    total = np.zeros(posterior.sample_shape)
    labels, draws = parameters(posterior, per_level=False)
    own, mixed = _of_mixed_coefficients(posterior)
    total += own
    for label, values in zip(labels, draws, strict=True):
        if label in posterior.priors.entries and label not in mixed and label not in (RHO, COSY):
            total += log_density(posterior.priors[label], values)
    if (residual := posterior.design.residual) is not None:
        total += _of_residuals(posterior, residual)
    for block in posterior.design.blocks:
        if block.correlated:
            R = posterior.draws["posterior"][f"corr_{block.group}"].transpose("chain", "draw", ...).to_numpy()
            eta = _shape(posterior, block)
            for run, form in zip(block.runs, block.forms, strict=True):
                own = R[..., run, run]
                if form is None:
                    total += (eta - 1.0) * np.linalg.slogdet(own)[1]
                else:
                    share = form.place(own[(..., *form.nearest)])
                    total += (eta - 1.0) * (np.log(share) + np.log1p(-share))
    return total


def log_residual_density(posterior: Posterior, residual: Residual, values: np.ndarray) -> np.ndarray:
    """The log density of one correlation of residuals, as :func:`log_correlation_density`."""
    from scipy import stats

    eta, occasions = residual_shape(residual, posterior.priors[residual.form.variable]), residual.occasions
    a = eta if residual.form.single else eta - 1.0 + 0.5 * len(residual.labels)
    width = occasions.high - occasions.low
    return stats.beta.logpdf((values - occasions.low) / width, a, a) - np.log(width)


def _of_residuals(posterior: Posterior, residual: Residual) -> np.ndarray:
    """The log prior density [chain, draw] of the correlations of residuals, up to a constant."""
    eta = residual_shape(residual, posterior.priors[residual.form.variable])
    if residual.form.single:
        place = posterior.auxiliary[residual.names[0]].reshape(posterior.sample_shape)
        return (eta - 1.0) * (np.log(place) + np.log1p(-place))
    log_size = np.linalg.slogdet(residual.matrix(posterior.auxiliary))[1]
    return (eta - 1.0) * log_size.reshape(posterior.sample_shape)


def _of_mixed_coefficients(posterior: Posterior) -> tuple[np.ndarray, set[str]]:
    """The log prior density [chain, draw] of coefficients that are mixtures of those with priors, and their labels."""
    apart, fixed = posterior.priors.canonical.apart, posterior.design.predictors.fixed
    total = np.zeros(posterior.sample_shape)
    if not len(apart):
        return total, set()
    draws = posterior.draws["posterior"]
    beta = [draws[one.variable].transpose("chain", "draw", ...).to_numpy() for one in fixed if one.coefficients]
    keys = [f"{one.variable}[{name}]" for one in fixed for name in one.coefficients]
    for key, b in zip(keys, np.moveaxis(np.concatenate(beta, axis=-1) @ apart.T, -1, 0), strict=True):
        total += log_density(posterior.priors[key], b)
    return total, set(keys)


def _shape(posterior: Posterior, block: RandomBlock) -> float:
    key = f"corr_{block.group}"
    return lkj_shape(key, posterior.priors[key])
