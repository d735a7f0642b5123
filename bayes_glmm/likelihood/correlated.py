r"""Gaussian rows with correlated residuals: exact, as the likelihood of white rows, which are independent.

With S the sds of the rows and C C' = R block by block, the rows of C^-1 S^-1 (y, X, Z) are those of a model with
independent residuals and sigma = 1. Where the rows of a block share their levels of every grouping factor, white rows
do too, and all that holds for rows holds for them. What is left are the derivatives in the parameters of S and R: by
Fisher's identity the average over z ~ N(z_hat, P^-1) of those of log p(y | z), which are the derivatives at the
residuals e at z_hat, and at further vectors v with sum v v' = A P^-1 A' in each block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bayes_glmm.design.design import Predictors
from bayes_glmm.errors import SpecError
from bayes_glmm.likelihood.factor import Elimination, Factor
from bayes_glmm.likelihood.likelihood import Likelihood, Parameters
from bayes_glmm.likelihood.modes import Modes
from bayes_glmm.likelihood.random_part import random_part
from bayes_glmm.likelihood.unit import slopes, whitened
from bayes_glmm.names import LOCATION

SIGMA = "sigma"


@dataclass(frozen=True)
class IndependentRows:
    """A likelihood as one of rows that are independent given z.

    Attributes
    ----------
    likelihood : Likelihood
        Of white rows, with sigma = 1, where residuals are correlated; else the likelihood itself.
    parameters : Parameters
        Its parameters.
    log_size : float
        The log density of the rows themselves is less by this, log|S C|.
    """

    likelihood: Likelihood
    parameters: Parameters
    log_size: float = 0.0


def independent_rows(likelihood: Likelihood, parameters: Parameters) -> IndependentRows:
    """The likelihood at some parameters as one of independent rows.

    Raises
    ------
    SpecError
        If effects vary within blocks of rows, or enter the predictor of sigma beside correlated residuals.
    numpy.linalg.LinAlgError
        If R is not positive definite.
    """
    design, residual = likelihood.design, likelihood.design.residual
    if residual is None:
        return IndependentRows(likelihood, parameters)
    if why := obstacle(likelihood):
        raise SpecError(why, str(likelihood.spec), "Sample with model.fit().")
    places, sigma = residual.places(parameters.auxiliary), sigma_of_rows(likelihood, parameters)
    one, blocks = design.predictors.location, design.blocks
    parts = [design.y[:, None], one.offset[:, None], one.X, *(block.values for block in blocks)]
    columns, log_sd = whitened(residual, places, np.hstack(parts) / sigma[:, None])
    y, offset, X, *values = np.split(columns, np.cumsum([part.shape[1] for part in parts])[:-1], axis=1)
    blocks = tuple(replace(block, values=own) for block, own in zip(blocks, values, strict=True))
    predictors = Predictors((replace(one, X=X, offset=offset[:, 0]),), blocks)
    spec = replace(likelihood.spec, formula=replace(likelihood.spec.formula, residual=None), formulas={}, links={})
    rows = replace(design, y=y[:, 0], predictors=predictors, residual=None)
    white = Likelihood(spec, rows, Elimination(random_part(blocks, len(design.y))))
    own = Parameters(design.predictors.split(parameters.beta)[LOCATION], parameters.L, {SIGMA: 1.0})
    return IndependentRows(white, own, float(np.log(sigma).sum() + log_sd.sum()))


def sigma_of_rows(likelihood: Likelihood, parameters: Parameters) -> np.ndarray:
    """The standard deviation of each row's residual [row]."""
    predictors = likelihood.design.predictors
    if SIGMA in parameters.auxiliary:
        return np.full(len(likelihood.design.y), parameters.auxiliary[SIGMA])
    one = predictors.of(SIGMA)
    return np.exp(one.offset + one.X @ predictors.split(parameters.beta)[SIGMA])


def carried_gradient(likelihood: Likelihood, parameters: Parameters, own: Parameters, modes: Modes) -> Parameters:
    """The gradient of a log likelihood with the random effects integrated out, from that of its independent rows.

    Parameters
    ----------
    likelihood : Likelihood
    parameters : Parameters
    own : Parameters
        Derivatives in the parameters of the independent rows.
    modes : Modes
        Of these.
    """
    design, residual = likelihood.design, likelihood.design.residual
    if residual is None:
        return own
    sigma, places = sigma_of_rows(likelihood, parameters), residual.places(parameters.auxiliary)
    beta = design.predictors.split(parameters.beta)
    values = _values(likelihood, parameters.L)
    z = modes.z[_columns(modes)]
    eta = design.offset + design.X @ beta[LOCATION] + np.einsum("ij,ij->i", values, z)
    e, others = (design.y - eta) / sigma, _spread(likelihood, modes, values) / sigma[:, None]
    by_e, by_others, by_places = slopes(residual, places, e, others)
    by_log_sigma = -1.0 - e * by_e - np.einsum("ij,ij->i", others, by_others)
    auxiliary = dict(zip(residual.names, by_places.tolist(), strict=True))
    slope = {LOCATION: own.beta}
    if SIGMA in parameters.auxiliary:
        auxiliary[SIGMA] = float(by_log_sigma.sum() / sigma[0])
    else:
        slope[SIGMA] = design.predictors.of(SIGMA).X.T @ by_log_sigma
    together = np.concatenate([slope[name] for name in design.predictors.parameters])
    return Parameters(together, own.L, {name: auxiliary[name] for name in parameters.auxiliary})


def _columns(modes: Modes) -> np.ndarray:
    return modes.factor.elimination.part.columns


def _values(likelihood: Likelihood, L: Mapping[str, np.ndarray]) -> np.ndarray:
    """Non-zero entries of A of the location [row, own effect], in the order of the factor's columns."""
    return random_part(likelihood.design.blocks, len(likelihood.design.y)).values(L)


def _spread(likelihood: Likelihood, modes: Modes, values: np.ndarray) -> np.ndarray:
    """Vectors v [row, own effect] with sum v v' = A P^-1 A' in each block of rows."""
    count = values.shape[1]
    residual = likelihood.design.residual
    assert residual is not None
    if not count:
        return values
    first = np.zeros(len(residual.levels), dtype=int)
    first[residual.index[::-1]] = np.arange(len(values))[::-1]
    inverse = np.stack([_own(modes.factor, k)[first] for k in range(count)], axis=-1)
    roots = np.linalg.cholesky(0.5 * (inverse + np.swapaxes(inverse, 1, 2)))
    return np.einsum("ij,ijk->ik", values, roots[residual.index])


def _own(factor: Factor, k: int) -> np.ndarray:
    """The k-th column of the part of P^-1 of each row's own effects [row, own effect]."""
    unit = np.zeros_like(factor.values)
    unit[:, k] = 1.0
    return replace(factor, values=unit).own()


def obstacle(likelihood: Likelihood) -> str:
    """Why rows cannot be made white, as a sentence: effects that vary within blocks. Empty if they can."""
    residual = likelihood.design.residual
    if residual is None:
        return ""
    for block in likelihood.design.blocks:
        if set(block.parameters) != {LOCATION}:
            return f"Effects by {block.group} enter the predictor of sigma, beside correlated residuals."
        first = np.zeros(len(residual.levels), dtype=int)
        first[residual.index] = block.index
        if (first[residual.index] != block.index).any():
            levels = f"Levels of {residual.group}, whose residuals are correlated,"
            return f"{levels} have rows in several levels of {block.group}."
    return ""
