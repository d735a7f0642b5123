"""From what was kept of the draws to the variables of a posterior, as the plain model names them."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayes_glmm.design import Design, RandomBlock
from bayes_glmm.draws import with_covariance
from bayes_glmm.inference.chains import Groups

WHITE = "white_"  # variables that NUTS moves in, of no interest to anybody


def plain_variables(drawn: Groups, design: Design) -> Groups:
    """Draws without the variables that only the sampler needs, and with those that follow from others.

    Parameters
    ----------
    drawn : dict of str to Dataset
        Those of draws have ``beta``, ``sd_g`` and, for each g, ``G_g`` or ``L_g`` with G = L L', or neither where
        effects are independent.
    design : Design
    """
    return {name: _plain_variables(data, design) for name, data in drawn.items()}


def _plain_variables(data: xr.Dataset, design: Design) -> xr.Dataset:
    data = data.drop_vars([name for name in data.data_vars if str(name).startswith(WHITE)])
    for block in design.blocks:
        if f"sd_{block.group}" in data and f"G_{block.group}" not in data:
            data = _with_covariance(data, block)
    return data


def _with_covariance(data: xr.Dataset, block: RandomBlock) -> xr.Dataset:
    g = block.group
    if f"L_{g}" in data:
        L = data[f"L_{g}"].to_numpy()
        G = L @ np.swapaxes(L, -1, -2)
    else:
        G = data[f"sd_{g}"].to_numpy()[..., :, None] ** 2 * np.eye(len(block.effects))
    return with_covariance(data.drop_vars(f"L_{g}", errors="ignore"), block, G)
