"""Draws between canonical columns, in which samplers and approximations work, and columns as they are written."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping

import numpy as np
import xarray as xr

from bayes_glmm.design import Canonical, Design, Predictor, RandomBlock
from bayes_glmm.design.residual import Residual
from bayes_glmm.design.thresholds import thresholds_of
from bayes_glmm.names import (
    ADJACENT,
    LOCATION,
    OCCASION,
    OCCASION_2,
    THRESHOLD,
    THRESHOLD_BASE,
    canonical_coefficients,
    canonical_dim,
)

_CHUNK = 4_000_000  # numbers of random effects carried at once


def to_written(data: xr.Dataset, canonical: Canonical, design: Design) -> xr.Dataset:
    """Draws of canonical coefficients and effects as those of the columns as written.

    Parameters
    ----------
    data : Dataset
        ``beta``, those of further parameters, and of each grouping factor g ``G_g``, ``sd_g``, ``corr_g``, ``u_g``
        where they are there. Arrays of effects are overwritten, unless they are on disk.
    canonical : Canonical
    design : Design
        As written.
    """
    steps = _steps(data, design)
    for one in design.predictors.fixed:
        columns = canonical.fixed[one.parameter]
        if canonical.mix is not None:  # the independent coefficients, of a sampler in plain coordinates
            own = [canonical_coefficients(one.parameter), canonical_dim(one.parameter)]
            data = data.drop_vars(own, errors="ignore")
        if not columns.is_identity:
            data = _with_coefficients(data, columns.to_written(_values(data, one.variable)), one)
    if design.thresholds:
        data = with_thresholds(*_lifted(data, steps, design, _lift(data, canonical, design)))
    if design.residual is not None:
        data = with_correlation(data, design.residual)
    for block in design.blocks:
        if canonical.carried(block.group):
            data = _carried(data, block, canonical.A[block.group])
    return data


def to_canonical(data: xr.Dataset, canonical: Canonical, design: Design) -> xr.Dataset:
    """The reverse of :func:`to_written`; ``design`` is that in canonical columns. The data stay as they are."""
    steps, lift = _steps(data, design), _lift(data, canonical, design)
    for one in design.predictors.fixed:
        columns = canonical.fixed[one.parameter]
        if not columns.is_identity:
            data = _with_coefficients(data, columns.to_canonical(_values(data, one.variable)), one)
    if design.thresholds:
        data = with_thresholds(*_lifted(data, steps, design, -lift))
    for block in design.blocks:
        if canonical.carried(block.group):
            back = canonical.inverse(block.group)
            data = _carried(data.copy(deep=True), block, back)
    return data


def _steps(data: xr.Dataset, design: Design) -> np.ndarray:
    """The steps from one threshold to the next [chain, draw, threshold - 1]; none without thresholds."""
    if THRESHOLD in data and design.thresholds:
        return np.diff(_values(data, THRESHOLD), axis=-1)
    names = design.steps if design.thresholds else ()
    nothing = np.empty((data.sizes["chain"], data.sizes["draw"], 0))
    return np.concatenate([nothing, *(_values(data, name)[..., None] for name in names)], axis=-1)


def _lift(data: xr.Dataset, canonical: Canonical, design: Design) -> np.ndarray:
    """Rise of thresholds from the centre to x = 0, of the columns with effects of their own there.

    From coefficients as written; an array [chain, draw, threshold], or [0] where that is nowhere.
    """
    if not canonical.lift.any():
        return np.zeros(0)
    return np.concatenate([_values(data, one.variable) for one in design.predictors.fixed], axis=-1) @ canonical.lift.T


def _lifted(
    data: xr.Dataset, steps: np.ndarray, design: Design, lift: np.ndarray
) -> tuple[xr.Dataset, Design, np.ndarray]:
    """Draws with an intercept, and steps, of thresholds that are that much higher."""
    if not lift.any():
        return data, design, steps
    location = design.predictors.location
    beta = _values(data, location.variable).copy()
    beta[..., 0] -= lift[..., 0]
    return _with_coefficients(data, beta, location), design, steps + np.diff(lift, axis=-1)


def with_thresholds(data: xr.Dataset, design: Design, steps: np.ndarray | None = None) -> xr.Dataset:
    """Draws with the thresholds that go with their intercept, in place of steps and of what samplers alone need.

    The steps are those of the draws unless they are given.
    """
    names, steps = design.steps, _steps(data, design) if steps is None else steps
    own = [canonical_coefficients(LOCATION), canonical_dim(LOCATION), f"{THRESHOLD}_at_centre"]
    base = [THRESHOLD_BASE, f"{THRESHOLD_BASE}_dim_0"]
    data = data.drop_vars([*names, *own, *base, THRESHOLD], errors="ignore")
    found = thresholds_of(_values(data, design.predictors.location.variable)[..., 0], steps)
    data = data.assign({THRESHOLD: (("chain", "draw", ADJACENT), found)})
    if design.tied is not None:
        data = data.assign({design.tied.own: (("chain", "draw"), design.tied.value(found))})
    return data.assign_coords({ADJACENT: list(design.thresholds)})


def with_correlation(data: xr.Dataset, residual: Residual) -> xr.Dataset:
    """Draws with the correlation of residuals in place of the constants that it is made of, where these are there."""
    if residual.names[0] not in data:
        return data
    places = {name: _values(data, name) for name in residual.names}
    data, name = data.drop_vars(residual.names), residual.form.variable
    if residual.form.single:
        return data.assign({name: (("chain", "draw"), residual.occasions.rho(places[residual.names[0]]))})
    data = data.assign({name: (("chain", "draw", OCCASION, OCCASION_2), residual.matrix(places))})
    return data.assign_coords({dim: list(residual.labels) for dim in (OCCASION, OCCASION_2)})


def constants_of_correlation(data: Mapping[str, np.ndarray], residual: Residual) -> dict[str, np.ndarray]:
    """The constants that draws [..., ] of the correlation of residuals are made of."""
    found = np.asarray(data[residual.form.variable])
    if residual.form.single:
        return {residual.names[0]: residual.occasions.place(found)}
    places = residual.form.places(found, residual.occasions)
    return {name: places[..., k] for k, name in enumerate(residual.names)}


def with_covariance(data: xr.Dataset, block: RandomBlock, G: np.ndarray) -> xr.Dataset:
    """Draws with these covariances [chain, draw, effect, effect] of a group, and the sds and correlations in them."""
    g, effect, effect_2 = block.group, block.effect_dim, block.second_effect_dim
    sd = np.sqrt(np.diagonal(G, axis1=-2, axis2=-1))
    dims = ("chain", "draw", effect, effect_2)
    data = data.assign({f"G_{g}": (dims, G), f"sd_{g}": (dims[:3], sd)})
    if block.correlated:
        with np.errstate(invalid="ignore"):  # an effect without variance has no correlation: NaN
            corr = G / (sd[..., :, None] * sd[..., None, :])
        data = data.assign({f"corr_{g}": (dims, np.clip(corr, -1.0, 1.0))})
    return data.assign_coords({effect: list(block.effects), effect_2: list(block.effects)})


def _values(data: xr.Dataset, name: str) -> np.ndarray:
    return data[name].transpose("chain", "draw", ...).to_numpy()


def _with_coefficients(data: xr.Dataset, beta: np.ndarray, predictor: Predictor) -> xr.Dataset:
    data = data.drop_vars([predictor.variable, predictor.dim], errors="ignore")
    data = data.assign({predictor.variable: (("chain", "draw", predictor.dim), beta)})
    return data.assign_coords({predictor.dim: list(predictor.coefficients)})


def _carried(data: xr.Dataset, block: RandomBlock, A: np.ndarray) -> xr.Dataset:
    """The draws of a group's covariance and effects, both carried by A."""
    g = block.group
    if f"G_{g}" in data:
        data = with_covariance(data, block, A @ _values(data, f"G_{g}") @ A.T)
    if f"u_{g}" in data:
        u = data[f"u_{g}"].transpose("chain", "draw", ...)
        data = data.assign({f"u_{g}": (u.dims, _effects(u.to_numpy(), A))})
    return data


def _effects(u: np.ndarray, A: np.ndarray) -> np.ndarray:
    """Effects [chain, draw, level, effect] times A', some draws at a time: in place, or on disk as they were."""
    if u.dtype == np.float32:  # on disk: what is there stays, a run that is resumed reads it again
        with tempfile.TemporaryFile() as file:
            result: np.ndarray = np.memmap(file, np.float32, "w+", shape=u.shape)
    else:
        result = u if u.flags.writeable else np.empty_like(u)
    step = max(1, _CHUNK // max(1, int(np.prod(u.shape[2:]))))
    for chain in range(u.shape[0]):
        for start in range(0, u.shape[1], step):
            some = slice(start, start + step)
            result[chain, some] = u[chain, some] @ A.T
    return result
