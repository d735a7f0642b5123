"""PyMC's own NUTS: the reference that the other engines are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayes_glmm.inference.settings import Settings

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr


def sample_pymc(model: pm.Model, settings: Settings) -> xr.DataTree:
    """Draw with PyMC.

    Parameters
    ----------
    model : pm.Model
    settings : Settings

    Returns
    -------
    xarray.DataTree
    """
    import pymc as pm

    with model:
        step = pm.NUTS(target_accept=settings.target_accept, max_treedepth=settings.max_treedepth)
        return pm.sample(
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=settings.parallel,
            random_seed=settings.seed,
            step=step,
            nuts_sampler="pymc",
            progressbar=settings.progress,
            quiet=not settings.progress,
            discard_tuned_samples=False,
            compute_convergence_checks=False,
        )
