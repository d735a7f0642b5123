"""The posterior's parameters as one labelled list, each once: what worst-case statistics run over.

Covariances ``G_g``, factors ``chol_g`` and standardised effects ``z_g`` are functions of the others and are left out;
of a correlation matrix only the entries below the diagonal and within a run of correlated effects count, and of a run
with one correlation only that, and likewise of residuals; of effects with one standard deviation the first's. Entries
that are the same in all draws were given, not drawn. Of a grouping factor with thousands of levels some hundred stand
for all: what keeps one effect from mixing is its variance or the fixed effects, which every level shares.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from bayes_glmm.names import COR_RESIDUAL, level_dim
from bayes_glmm.numerics.spread import evenly_spread
from bayes_glmm.posterior import Posterior

DERIVED = ("G_", "chol_", "unit_rho_", "z_")
PER_LEVEL = "u_"
MOST_LEVELS = 200


def parameters(posterior: Posterior, per_level: bool = True, given: bool = False) -> tuple[list[str], np.ndarray]:
    """Labels and draws of all parameters.

    Parameters
    ----------
    posterior : Posterior
    per_level : bool
        Whether to include the random effects themselves, of at most 200 levels evenly spread over each factor.
    given : bool
        Whether to include entries that are the same in all draws.

    Returns
    -------
    list of str, array [parameter, chain, draw]
        Labels as the priors have them: ``"beta[x]"``, ``"sd_g[x]"``, ``"corr_g[x, Intercept]"``, ``"u_g[308, x]"``,
        ``"sigma"``.
    """
    labels: list[str] = []
    arrays: list[np.ndarray] = [np.empty((0, *posterior.sample_shape))]
    for variable in posterior.draws["posterior"].data_vars.values():
        name = str(variable.name)
        if name.startswith(DERIVED) or "row" in variable.dims or (name.startswith(PER_LEVEL) and not per_level):
            continue
        if name.startswith(PER_LEVEL):
            levels = level_dim(name[2:])
            variable = variable.isel({levels: evenly_spread(variable.sizes[levels], MOST_LEVELS)})
        values = np.moveaxis(variable.transpose("chain", "draw", ...).to_numpy().astype(float), (0, 1), (-2, -1))
        kept = _entries(posterior, name, values.shape[:-2])
        kept &= given | (np.ptp(values, axis=(-2, -1)) > 0)
        labels += [label for label, keep in zip(_labels(name, variable), kept.ravel(), strict=True) if keep]
        arrays.append(values[kept].reshape(-1, *values.shape[-2:]))
    return labels, np.concatenate(arrays)


def _entries(posterior: Posterior, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Which entries of a variable stand for a parameter of their own."""
    kept = np.ones(shape, bool)
    if name == posterior.design.predictors.location.variable and posterior.design.thresholds:
        kept[0] = False  # less the first threshold
    if name == COR_RESIDUAL:
        return np.tril(kept, -1)
    blocks = {block.group: block for block in posterior.design.blocks}
    if name.startswith("corr_"):
        return blocks[name[5:]].correlations
    if name.startswith("sd_") and name[3:] in blocks:
        kept[:] = np.isin(np.arange(len(kept)), blocks[name[3:]].own_sds)
    return kept


def _labels(name: str, variable: xr.DataArray) -> Iterator[str]:
    dims = [dim for dim in variable.dims if dim not in ("chain", "draw")]
    coordinates = [[str(value) for value in variable[dim].to_numpy()] for dim in dims]
    if not dims:
        yield name
        return
    for position in np.ndindex(*(len(values) for values in coordinates)):
        yield f"{name}[{', '.join(values[i] for values, i in zip(coordinates, position, strict=True))}]"
