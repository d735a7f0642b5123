"""NumPyro: NUTS compiled by JAX, on a GPU where there is one; an optional extra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bayes_glmm.inference.chains import Keep, chain_of
from bayes_glmm.inference.settings import Settings


def sample_numpyro(model: Any, settings: Settings, chains: Sequence[int], keep: Keep) -> None:
    """Draw with NumPyro, which moves all chains in step: where one is missing, all are drawn.

    Parameters
    ----------
    model : pm.Model
    settings : Settings
        ``cores`` is not used: chains are vectorised where JAX sees one device.
    chains : sequence of int
    keep : function
        Receives no warm-up draws, which NumPyro does not hand out.
    """
    from pymc.sampling.jax import sample_numpyro_nuts

    import bayes_glmm.inference.kernels.jax_form  # noqa: F401  # JAX learns the fused likelihoods

    drawn = sample_numpyro_nuts(
        draws=settings.draws,
        tune=settings.tune,
        chains=settings.chains,
        target_accept=settings.target_accept,
        random_seed=settings.seed,
        model=model,
        progressbar=settings.progress,
        chain_method="vectorized",
        nuts_kwargs={"max_tree_depth": settings.max_treedepth},
        compute_convergence_checks=False,
    )
    for chain in chains:
        keep(chain, chain_of(drawn.isel(chain=[chain])))
