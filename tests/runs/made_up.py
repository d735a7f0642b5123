"""An engine that costs nothing, for tests of what is around the sampling."""

from __future__ import annotations

import numpy as np
import xarray as xr

import bayes_glmm as bg
from bayes_glmm.datasets import clinics
from bayes_glmm.inference.chains import chain_of
from bayes_glmm.posterior import posterior_at


def made_up(model, settings, chains, keep):
    """In place of a sampler: draws decided by the seed and the number of the chain."""
    spec = bg.ModelSpec.from_formula("p(favourable, n) ~ treatment + (1 | clinic)", "binomial")
    for chain in chains:
        rng = np.random.default_rng([settings.seed, chain])
        beta = rng.normal(size=(settings.draws, 2))
        u = rng.normal(size=(settings.draws, 8, 1))
        drawn = posterior_at(spec, clinics(), beta, {"clinic": np.ones((1, 1))}, u={"clinic": u}).draws
        posterior = drawn["posterior"].to_dataset()
        if "sigma" in model.named_vars:
            posterior["sigma"] = (("chain", "draw"), rng.uniform(1.0, 2.0, (1, settings.draws)))
        energy = xr.Dataset({"energy": (("chain", "draw"), rng.normal(size=(1, settings.draws)))})
        diverging = xr.zeros_like(energy["energy"], bool)
        groups = {"posterior": posterior, "sample_stats": energy.assign(diverging=diverging)}
        keep(chain, chain_of(xr.DataTree.from_dict(groups)))
