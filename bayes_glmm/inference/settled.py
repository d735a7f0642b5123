"""Whether a short warm-up was long enough: chains that agree, and no divergences.

R-hat is written out here, as ArviZ has it: this is the one statistic that every fit waits for, and importing ArviZ's
takes as long as drawing from a small model.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import special

LARGEST_RHAT = 1.01  # Vehtari et al. 2021


def settled(drawn: xr.DataTree) -> bool:
    """Whether no draw diverged and R-hat of every top-level parameter is at most 1.01.

    Parameters
    ----------
    drawn : DataTree
        ``posterior`` with ``beta``, ``sd_g`` and scalars, and ``sample_stats``.
    """
    if bool(drawn["sample_stats"]["diverging"].any()):
        return False
    posterior = drawn["posterior"].to_dataset()
    if posterior.sizes["chain"] < 2:
        return True
    small = [v for n, v in posterior.data_vars.items() if n == "beta" or v.ndim == 2 or str(n).startswith("sd_")]
    columns = [v.to_numpy().reshape(*v.shape[:2], -1) for v in small]
    rhats = [rhat(column) for column in np.concatenate(columns, axis=2).transpose(2, 0, 1)]
    return bool(np.nanmax(rhats, initial=1.0) <= LARGEST_RHAT)


def rhat(draws: np.ndarray) -> float:
    """Rank-normalised split R-hat, of location and of scale, the larger (Vehtari et al. 2021, eq. 14 and section 4.1).

    Parameters
    ----------
    draws : array [chain, draw]
        Of two chains at least; NaN for fewer than four draws.
    """
    half = draws.shape[1] // 2
    if half < 2:
        return float("nan")
    halves = np.concatenate([draws[:, :half], draws[:, -half:]])
    folded = np.abs(halves - np.median(halves))
    with np.errstate(invalid="ignore"):  # a constant has none
        return float(max(_split_rhat(_normal_scores(halves)), _split_rhat(_normal_scores(folded))))


def _split_rhat(chains: np.ndarray) -> float:
    between, within = np.var(chains.mean(axis=1), ddof=1), np.mean(np.var(chains, axis=1, ddof=1))
    return float(np.sqrt(between / within + 1.0 - 1.0 / chains.shape[1]))


def _normal_scores(values: np.ndarray) -> np.ndarray:
    """Normal quantiles of the ranks, those of equal values averaged."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - 0.5 * (count - 1))[place].reshape(values.shape)
    return special.ndtri((rank - 0.375) / (values.size + 0.25))
