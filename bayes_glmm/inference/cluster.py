"""Chains on a dask cluster, one task each: a worker that dies takes none with it, another draws it again.

A chain depends on the seed and its number alone, so the draws are those of one process, to the bit.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bayes_glmm.inference.chains import Chain, Draw, Keep
from bayes_glmm.inference.settings import Settings
from bayes_glmm.workers import on_workers

if TYPE_CHECKING:
    from distributed import Client


def on_cluster(draw: Draw, client: Client) -> Draw:
    """The same chains, each drawn by a worker of the client.

    Parameters
    ----------
    draw : function
        Of an engine. What it draws from travels to the workers as a pickle.
    client : distributed.Client
    """

    def spread(target: Any, settings: Settings, chains: Sequence[int], keep: Keep) -> None:
        task = partial(_draw_one, draw, target, replace(settings, progress=False))
        for outcome in on_workers(task, chains, client, "chains" if settings.progress else None):
            keep(chains[outcome.index], outcome.get())

    return spread


def _draw_one(draw: Draw, target: Any, settings: Settings, chain: int) -> Chain:
    drawn: dict[int, Chain] = {}
    with warnings.catch_warnings():
        # of the C backend, which no engine uses
        warnings.filterwarnings("ignore", "PyTensor could not link to a BLAS", UserWarning)
        draw(target, settings, [chain], drawn.__setitem__)
    return drawn[chain]
