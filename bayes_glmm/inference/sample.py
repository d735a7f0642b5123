"""The one door: from a model to a Posterior, whatever engine draws it."""

from __future__ import annotations

import platform
import time
import warnings
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayes_glmm.design import Design, Problem
from bayes_glmm.draws import to_written
from bayes_glmm.errors import SpecError
from bayes_glmm.inference.chains import in_folder
from bayes_glmm.inference.cluster import on_cluster
from bayes_glmm.inference.collector import freeze_gc
from bayes_glmm.inference.coordinates import get_coordinates
from bayes_glmm.inference.engines import get_engine
from bayes_glmm.inference.machine import machine
from bayes_glmm.inference.settings import Settings
from bayes_glmm.names import THRESHOLD
from bayes_glmm.posterior import Posterior
from bayes_glmm.spec import ModelSpec

if TYPE_CHECKING:
    from distributed import Client

_PACKAGES = ("bayes-glmm", "pymc", "pytensor", "nutpie", "arviz", "numpy", "pandas", "formulae", "numba")


@freeze_gc()
def sample(problem: Problem, settings: Settings, chains: Path | None = None, client: Client | None = None) -> Posterior:
    """Draw from the posterior, in canonical columns; the draws are those of the columns as written.

    Parameters
    ----------
    problem : Problem
    settings : Settings
    chains : Path, optional
        A folder in which each chain is kept from the moment it is finished; those found there are not drawn again. The
        caller answers for their being of the same model, data and settings.
    client : distributed.Client, optional
        A dask cluster to draw the chains on, one task each; ``settings.cores`` is not used then.

    Returns
    -------
    Posterior
        With the groups ``posterior``, ``sample_stats``, their warm-up (without the random effects, which would double
        the size), ``observed_data`` and ``constant_data``.

    Raises
    ------
    SpecError
        For an unknown engine, unknown coordinates, a prior that cannot be, or a model without parameters.
    SamplingError
        If the engine is not installed, or the cluster is lost.
    """
    if not problem.priors.entries:
        raise SpecError("The model has nothing to estimate.", str(problem.spec), "Leave the intercept in: y ~ 1.")
    engine = get_engine(settings.engine)
    if client is not None:
        engine = replace(engine, draw=on_cluster(engine.draw, client))
    if chains is not None:
        engine = replace(engine, gather=in_folder(chains), folder=chains)
    start = time.perf_counter()
    draw = get_coordinates(settings.coordinates)
    with warnings.catch_warnings():
        # of the C backend, which no engine uses
        warnings.filterwarnings("ignore", "PyTensor could not link to a BLAS", UserWarning)
        drawn, how = draw(problem.canonical, engine, settings)
    seconds = time.perf_counter() - start
    spec, design = problem.spec, problem.design
    names = _names(spec, design)
    canonical = problem.priors.canonical
    posterior = _ordered(to_written(drawn["posterior"], canonical, design), names)
    groups = {"posterior": posterior, "sample_stats": drawn["sample_stats"]}
    if "warmup_posterior" in drawn:
        warmup = _ordered(to_written(drawn["warmup_posterior"], canonical, design), names)
        by_level = [f"{kind}_{block.group}" for kind in "uz" for block in design.blocks]
        groups["warmup_posterior"] = warmup.drop_vars(by_level, errors="ignore")
        groups["warmup_sample_stats"] = drawn["warmup_sample_stats"]
    groups |= {"observed_data": _observed(design), "constant_data": _constant(design)}
    return Posterior(spec, design, problem.priors, xr.DataTree.from_dict(groups), _provenance(settings, seconds) | how)


def _names(spec: ModelSpec, design: Design) -> list[str]:
    """The variables of a posterior, in the order in which people read them."""
    of_groups = [f"{kind}_{block.group}" for block in design.blocks for kind in ("sd", "corr", "G", "u", "z")]
    own = [design.tied.own] if design.tied else []
    return [THRESHOLD, *own, *(one.variable for one in design.predictors.fixed), *of_groups, *spec.auxiliary]


def _ordered(data: xr.Dataset, names: list[str]) -> xr.Dataset:
    """The same variables whatever the sampler's order; those without a place come last."""
    known = [name for name in names if name in data.data_vars]
    return data[[*known, *(name for name in data.data_vars if name not in known)]]


def _observed(design: Design) -> xr.Dataset:
    return xr.Dataset({design.response_variable: ("row", design.y)}, {"row": np.arange(len(design.y))})


def _constant(design: Design) -> xr.Dataset:
    """What the linear predictor is made of, under the model's dims."""
    variables: dict[str, Any] = {}
    coords: dict[str, Any] = {"row": np.arange(len(design.y))}
    for one in design.predictors.fixed:
        suffix = one.dim.removeprefix("coefficient")
        variables |= {f"X{suffix}": (("row", one.dim), one.X), f"offset{suffix}": ("row", one.offset)}
        coords[one.dim] = list(one.coefficients)
    if design.trials is not None:
        variables["trials"] = ("row", design.trials)
    for block in design.blocks:
        effect = block.effect_dim
        coords[effect] = list(block.effects)
        variables[f"Z_{block.group}"] = (("row", effect), block.values)
        variables[f"index_{block.group}"] = ("row", block.index)
    return xr.Dataset(variables, coords)


def _provenance(settings: Settings, seconds: float) -> dict[str, Any]:
    return {
        "settings": asdict(settings),
        "seconds": round(seconds, 3),
        "python": platform.python_version(),
        "versions": versions(),
        "machine": machine(),
    }


def versions() -> dict[str, str]:
    """The versions of what the draws depend on."""
    return {package: version(package) for package in _PACKAGES}
