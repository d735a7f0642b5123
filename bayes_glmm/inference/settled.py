"""Whether a short warm-up was long enough: chains that agree, and no divergences."""

from __future__ import annotations

import numpy as np
import xarray as xr

LARGEST_RHAT = 1.01  # Vehtari et al. 2021


def settled(drawn: xr.DataTree) -> bool:
    """Whether no draw diverged and R-hat of every top-level parameter is at most 1.01.

    Parameters
    ----------
    drawn : DataTree
        ``posterior`` with ``beta``, ``sd_g`` and scalars, and ``sample_stats``.
    """
    from arviz_stats.base import array_stats

    if bool(drawn["sample_stats"]["diverging"].any()):
        return False
    posterior = drawn["posterior"].to_dataset()
    if posterior.sizes["chain"] < 2:
        return True
    small = [v for n, v in posterior.data_vars.items() if n == "beta" or v.ndim == 2 or str(n).startswith("sd_")]
    columns = [v.to_numpy().reshape(*v.shape[:2], -1) for v in small]
    values = np.concatenate(columns, axis=2)
    rhats = [array_stats.rhat(values[:, :, k], chain_axis=0, draw_axis=1) for k in range(values.shape[2])]
    return bool(np.nanmax(rhats, initial=1.0) <= LARGEST_RHAT)
