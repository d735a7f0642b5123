"""Whether a short warm-up was long enough: chains that agree, and no divergences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtri

LARGEST_RHAT = 1.01  # Vehtari et al. 2021
_FEWEST_DRAWS = 4  # of which R-hat says anything


def converged(drawn: Mapping[str, xr.Dataset]) -> bool:
    """Whether no draw diverged and R-hat of every top-level parameter is at most 1.01.

    Parameters
    ----------
    drawn : mapping of str to Dataset
        ``posterior`` with ``beta``, those of further parameters, ``sd_g`` and scalars, and ``sample_stats``.
    """
    if bool(drawn["sample_stats"]["diverging"].any()):
        return False
    posterior = drawn["posterior"]
    if posterior.sizes["chain"] < 2 or posterior.sizes["draw"] < _FEWEST_DRAWS:
        return True
    small = [v for n, v in posterior.data_vars.items() if v.ndim == 2 or str(n).startswith(("beta", "sd_"))]
    columns = [v.to_numpy().reshape(*v.shape[:2], -1) for v in small]
    return bool(np.nanmax(rhat(np.concatenate(columns, axis=2)), initial=1.0) <= LARGEST_RHAT)


def rhat(values: np.ndarray) -> np.ndarray:
    """Rank-normalised R-hat of halves of chains: the larger of that of the values and that of their spread.

    The number that ArviZ gives. To ask ArviZ is to import scipy.stats with it, which takes 0.36 s: longer than sampling
    a small model. Everything that is reported is ArviZ's own.

    Parameters
    ----------
    values : array [chain, draw, parameter]

    Returns
    -------
    array [parameter]

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Bayesian Analysis 16, equations 4 and 14.
    """
    half = values.shape[1] // 2
    halves = np.concatenate([values[:, :half], values[:, -half:]])
    spread = np.abs(halves - np.median(halves, axis=(0, 1)))
    return np.maximum(_rhat_of_ranks(halves), _rhat_of_ranks(spread))


def _rhat_of_ranks(values: np.ndarray) -> np.ndarray:
    ranks = pd.DataFrame(values.reshape(-1, values.shape[2])).rank().to_numpy()
    scores = ndtri((ranks - 3 / 8) / (len(ranks) + 1 / 4)).reshape(values.shape)
    between, within = scores.mean(axis=1).var(axis=0, ddof=1), scores.var(axis=1, ddof=1).mean(axis=0)
    draws = values.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):  # a constant has none
        return np.sqrt(between / within + (draws - 1) / draws)
