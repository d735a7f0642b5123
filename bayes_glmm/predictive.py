"""The data's own rows under the posterior: linear predictors, replicated responses, log likelihoods.

All are [draw, row] matrices, gigabytes for large data; so each takes the draws it is wanted for, and nothing stores one
unless asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr

from bayes_glmm.design import Design, Predictors
from bayes_glmm.design.recensor import recensored, response_of
from bayes_glmm.design.residual import Residual
from bayes_glmm.families import Family, Value
from bayes_glmm.families.observed import draw_observed, log_observed
from bayes_glmm.families.value import At
from bayes_glmm.likelihood.unit import (
    coloured,
    log_density_given_others,
    log_density_of_blocks,
    unit_of,
    whitened,
)
from bayes_glmm.names import LOCATION
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.numerics.spread import evenly_spread
from bayes_glmm.posterior import Posterior

Draws = slice | np.ndarray
CHUNK_BYTES = 64 * 2**20


def fixed_predictor(
    posterior: Posterior, predictors: Predictors, draws: Draws = slice(None), parameter: str = LOCATION
) -> np.ndarray:
    """Offset + X beta [draw, row]: a linear predictor at u = 0; NaN in rows that the data do not determine."""
    one = predictors.of(parameter)
    eta = posterior.coefficients(parameter)[draws] @ one.X.T + one.offset
    if predictors.estimable is not None:
        eta[:, ~predictors.estimable] = np.nan
    return eta


def conditional_predictor(
    posterior: Posterior,
    predictors: Predictors | None = None,
    draws: Draws = slice(None),
    parameter: str = LOCATION,
) -> np.ndarray:
    """Offset + X beta + Z u [draw, row], u the effects of each row's own groups.

    Parameters
    ----------
    posterior : Posterior
    predictors : Predictors, optional
        Rows whose groups the model has all seen; the data's own by default.
    draws : slice or array
        Which draws, chains stacked.
    parameter : str
        Whose linear predictor.
    """
    predictors = predictors or posterior.design.predictors
    eta = fixed_predictor(posterior, predictors, draws, parameter)
    for block in predictors.blocks:
        u = posterior.u(block.group)[draws]
        for k in block.of(parameter):
            eta += u[:, block.index, k] * block.values[:, k]
    return eta


def values_at(posterior: Posterior, eta: Mapping[str, np.ndarray], draws: Draws = slice(None)) -> dict[str, Value]:
    """The value of each parameter of the family [draw, row] at linear predictors."""
    auxiliary = {name: value[draws][:, None] for name, value in posterior.auxiliary.items()}
    return posterior.spec.at(eta, auxiliary, NUMPY)


def at(posterior: Posterior, predictors: Predictors | None = None, draws: Draws = slice(None)) -> dict[str, Value]:
    """The value of each parameter of the family given u [draw, row]; arguments as :func:`conditional_predictor`."""
    names = posterior.design.predictors.parameters
    eta = {name: conditional_predictor(posterior, predictors, draws, name) for name in names}
    return values_at(posterior, eta, draws)


def replicate(posterior: Posterior, draws: int, seed: int) -> np.ndarray:
    """Responses drawn from the posterior predictive distribution of the data's own rows and groups [draw, row].

    They are truncated and censored as the data are: see :mod:`bayes_glmm.design.recensor`.

    Parameters
    ----------
    posterior : Posterior
    draws : int
        How many posterior draws to use, evenly spread over all; all of them if there are fewer.
    seed : int
    """
    chosen = spread_draws(posterior, draws)
    return drawn_at(posterior, at(posterior, draws=chosen), np.random.default_rng(seed))


def drawn_at(posterior: Posterior, values: At, rng: np.random.Generator) -> np.ndarray:
    """Responses of the data's rows at values of the parameters [draw, row], truncated and censored as the data are."""
    design = posterior.design
    if (residual := design.residual) is not None:
        mu, sigma = values[LOCATION].value, values["sigma"].value
        white = rng.normal(size=np.broadcast_shapes(mu.shape, sigma.shape))
        return mu + sigma * coloured(residual, _places(residual, values), white)
    return recensored(design, draw_observed(posterior.spec.family, rng, design.observed, values))


def spread_draws(posterior: Posterior, draws: int) -> np.ndarray:
    """Positions of at most ``draws`` draws, evenly spread over all chains."""
    return evenly_spread(int(np.prod(posterior.sample_shape)), draws)


def log_density_of_units(design: Design, family: Family, values: At, y: np.ndarray | None = None) -> np.ndarray:
    """Log density of each row, or of the rows of each level whose residuals are correlated [draw, unit].

    Parameters
    ----------
    design : Design
    family : Family
    values : mapping of str to Value
        Of the parameters [draw, row].
    y : array [draw, row], optional
        Responses in place of those of the design.
    """
    observed = design.observed if y is None else response_of(design, y)
    if design.residual is None:
        return np.asarray(log_observed(family, observed, values, NUMPY))
    return log_density_of_blocks(design.residual, *_standardised(design.residual, observed.values, values))


def log_density_of_rows(posterior: Posterior, rows: slice | np.ndarray, draws: Draws = slice(None)) -> np.ndarray:
    """Log density of some rows in ascending order, given the others of their level where residuals are correlated.

    [draw, row].
    """
    design = posterior.design
    if design.residual is None:
        values = at(posterior, design.predictors.take(rows), draws)
        return np.asarray(log_observed(posterior.spec.family, design.observed[rows], values, NUMPY))
    together, residual, values = _whole_levels(posterior, rows, draws)
    found = log_density_given_others(residual, *_standardised(residual, design.y[together], values))
    return found[:, np.isin(together, np.arange(len(design.y))[rows])]


def white_residuals(posterior: Posterior, rows: np.ndarray, draws: Draws = slice(None)) -> np.ndarray:
    """Residuals over their sds given the rows of their level before them [draw, row], in ascending order of rows."""
    together, residual, values = _whole_levels(posterior, rows, draws)
    places, e, _ = _standardised(residual, posterior.design.y[together], values)
    return whitened(residual, places, e)[0][:, np.isin(together, rows)]


def _whole_levels(
    posterior: Posterior, rows: slice | np.ndarray, draws: Draws
) -> tuple[np.ndarray, Residual, dict[str, Value]]:
    """All rows of the levels of some rows, their correlation, and the values of the parameters there."""
    residual = posterior.design.residual
    assert residual is not None
    together = np.flatnonzero(np.isin(residual.index, residual.index[rows]))
    return together, residual.take(together), at(posterior, posterior.design.predictors.take(together), draws)


def _standardised(residual: Residual, y: np.ndarray, values: At) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The places of correlations [draw, constant], residuals over their sds and logarithms of these [draw, row]."""
    mu, sigma = values[LOCATION].value, values["sigma"]
    e = (y - mu) / sigma.value
    return _places(residual, values), e, np.broadcast_to(np.log(sigma.value), e.shape)


def _places(residual: Residual, values: At) -> np.ndarray:
    """The places of correlations [draw, constant]."""
    return np.concatenate([values[name].value for name in residual.names], axis=-1)


def log_likelihood_chunks(posterior: Posterior) -> Iterator[np.ndarray]:
    """Log p(y_i | u, beta, ...) as consecutive blocks [some draws, unit], for callers that reduce as they go."""
    design, total = posterior.design, int(np.prod(posterior.sample_shape))
    size = max(1, CHUNK_BYTES // (8 * len(design.y)))
    for start in range(0, total, size):
        chosen = slice(start, start + size)
        yield log_density_of_units(design, posterior.spec.family, at(posterior, draws=chosen))


def log_likelihood(posterior: Posterior) -> xr.DataArray:
    """Log p(y_i | u, beta, ...) [chain, draw, row]; n rows times all draws in memory.

    Of rows with correlated residuals that of all rows of a level together [chain, draw, level].
    """
    unit = unit_of(posterior.design)
    chains, draws = posterior.sample_shape
    values = np.concatenate(list(log_likelihood_chunks(posterior))).reshape(chains, draws, -1)
    coords = {} if unit.is_row else {unit.name: list(unit.labels)}
    return xr.DataArray(values, coords, dims=("chain", "draw", unit.name), name=posterior.design.response_variable)
