"""PyMC's own NUTS: the reference that the other engines are compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bayes_glmm.inference.chains import Keep, chain_of
from bayes_glmm.inference.settings import Settings
from bayes_glmm.processes import safe_path


def sample_pymc(model: Any, settings: Settings, chains: Sequence[int], keep: Keep) -> None:
    """Draw with PyMC, as many chains at a time as run side by side: it hands chains over together.

    Parameters
    ----------
    model : pm.Model
    settings : Settings
    chains : sequence of int
    keep : function
    """
    import pymc as pm

    with model, safe_path():
        step = pm.NUTS(target_accept=settings.target_accept, max_treedepth=settings.max_treedepth)
        fresh = step.sampling_state
        for batch in _batches(chains, settings.parallel):
            # PyMC seeds the i-th chain of a call with the i-th child of the seed: the first child is that of batch[0]
            seed = np.random.SeedSequence(settings.seed, n_children_spawned=batch[0])
            step.sampling_state = fresh  # else a batch starts where the one before it had adapted to
            drawn = pm.sample(
                draws=settings.draws,
                tune=settings.tune,
                chains=len(batch),
                cores=len(batch),
                random_seed=np.random.default_rng(seed),
                step=step,
                nuts_sampler="pymc",
                progressbar=settings.progress,
                quiet=not settings.progress,
                discard_tuned_samples=False,
                compute_convergence_checks=False,
            )
            if drawn["posterior"].sizes["draw"] < settings.draws:  # PyMC takes Ctrl-C for the end of the chains
                raise KeyboardInterrupt
            for place, chain in enumerate(batch):
                keep(chain, chain_of(drawn.isel(chain=[place])))


def _batches(chains: Sequence[int], size: int) -> Iterator[list[int]]:
    """Neighbouring numbers, ``size`` of them at most."""
    batch: list[int] = []
    for chain in sorted(chains):
        if batch and (chain != batch[-1] + 1 or len(batch) == size):
            yield batch
            batch = []
        batch.append(chain)
    if batch:
        yield batch
