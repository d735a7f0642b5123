"""nutpie: NUTS in Rust over a model compiled by numba; the default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayes_glmm.inference.settings import Settings

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr


def sample_nutpie(model: pm.Model, settings: Settings) -> xr.DataTree:
    """Draw with nutpie.

    Parameters
    ----------
    model : pm.Model
    settings : Settings

    Returns
    -------
    xarray.DataTree
    """
    import nutpie

    compiled = nutpie.compile_pymc_model(model, backend="numba")
    sampler = nutpie.sample(
        compiled,
        draws=settings.draws,
        tune=settings.tune,
        chains=settings.chains,
        cores=settings.parallel,
        seed=settings.seed,
        target_accept=settings.target_accept,
        maxdepth=settings.max_treedepth,
        save_warmup=True,
        progress_bar=settings.progress,
        blocking=False,
    )
    try:
        return sampler.wait()
    except BaseException:  # nutpie's own waiting takes Ctrl-C for the end, and hands back chains cut short
        sampler.cancel()
        raise
