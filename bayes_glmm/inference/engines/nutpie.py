"""nutpie: NUTS in Rust over a model compiled by numba; the default."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_glmm.inference.chains import Keep
from bayes_glmm.inference.progress import chain_progress
from bayes_glmm.inference.settings import Settings

if TYPE_CHECKING:
    import pymc as pm


def sample_nutpie(model: pm.Model, settings: Settings, chains: Sequence[int], keep: Keep) -> None:
    """Draw with nutpie: one compiled model, a sampler of its own for each chain.

    Parameters
    ----------
    model : pm.Model
    settings : Settings
    chains : sequence of int
    keep : function
    """
    import nutpie

    compiled = nutpie.compile_pymc_model(model, backend="numba")
    waiting, running = deque(chains), dict[int, Any]()

    def start(chain: int, report: Any) -> Any:
        return nutpie.sample(
            compiled,
            draws=settings.draws,
            tune=settings.tune,
            chains=1,
            cores=1,
            seed=int(np.random.SeedSequence(settings.seed, spawn_key=(chain,)).generate_state(1, np.uint64)[0]),
            target_accept=settings.target_accept,
            maxdepth=settings.max_treedepth,
            save_warmup=True,
            progress_bar=False,
            progress_callback=report,
            blocking=False,
        )

    with chain_progress(settings, chains) as reporter:
        try:
            while waiting or running:
                while waiting and len(running) < settings.parallel:
                    chain = waiting.popleft()
                    running[chain] = start(chain, reporter(chain))
                for chain, drawn in _finished(running):
                    keep(chain, drawn)
        except BaseException:  # Ctrl-C among them
            for sampler in running.values():
                sampler.cancel()
            raise


def _finished(running: dict[int, Any]) -> list[tuple[int, Any]]:
    """Take out the chains that are finished; wait a little for each that is not."""
    finished = []
    for chain, sampler in list(running.items()):
        try:
            finished.append((chain, sampler.wait(timeout=0.02)))
        except TimeoutError:
            continue
        del running[chain]
    return finished
