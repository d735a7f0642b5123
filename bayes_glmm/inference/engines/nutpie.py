"""nutpie: NUTS in Rust over a compiled density, or over a PyMC model that numba compiles first; the default."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_glmm.inference.chains import Keep, Target
from bayes_glmm.inference.engines.arrow import chain_of_columns
from bayes_glmm.inference.progress import chain_progress
from bayes_glmm.inference.settings import Settings

if TYPE_CHECKING:
    from bayes_glmm.inference.densities.density import Density


def sample_nutpie(target: Target, settings: Settings, chains: Sequence[int], keep: Keep) -> None:
    """Draw with nutpie: one compiled model, a sampler of its own for each chain.

    Parameters
    ----------
    target : pm.Model or Density
    settings : Settings
    chains : sequence of int
    keep : function
    """
    import nutpie

    compiled = _compiler(target, settings)
    waiting, running, models = deque(chains), dict[int, Any](), dict[int, Any]()

    def start(chain: int, report: Any) -> Any:
        models[chain] = compiled(chain)
        return nutpie.sample(
            models[chain],
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
            return_raw_trace=True,
            blocking=False,
        )

    with chain_progress(settings, chains) as reporter:
        try:
            while waiting or running:
                finished = _finished(running)
                while waiting and len(running) < settings.parallel:
                    chain = waiting.popleft()
                    running[chain] = start(chain, reporter(chain))
                for chain, drawn in finished:  # while the next ones run
                    model = models.pop(chain)
                    keep(chain, chain_of_columns(drawn, target.coords, model.reparameterized_names or ()))
        except BaseException:  # Ctrl-C among them
            for sampler in running.values():
                sampler.cancel()
            raise


def _compiler(target: Target, settings: Settings) -> Callable[[int], Any]:
    """What nutpie calls a compiled model, for each chain."""
    from bayes_glmm.inference.densities.density import Density

    if isinstance(target, Density):
        labels = {dim: pd.Index(target.coords[dim]) for kept in target.kept for dim in kept.dims}
        return lambda chain: _compiled_density(target.of_chain(chain, settings), labels)
    import nutpie

    compiled = nutpie.compile_pymc_model(target, backend="numba")
    return lambda chain: compiled


def _compiled_density(density: Density, labels: dict[str, pd.Index]) -> Any:
    """A density in the place where nutpie keeps what it compiles from PyMC: the same two C functions, ready."""
    from nutpie.compile_pymc import CompiledPyMCModel

    from bayes_glmm.inference.densities.compilation import code_of

    names = [kept.name for kept in density.kept]
    shapes = [kept.shape for kept in density.kept]
    return CompiledPyMCModel(
        _n_dim=len(density.start),
        dims={kept.name: kept.dims for kept in density.kept},
        _coords=labels,
        _shapes=dict(zip(names, shapes, strict=True)),
        compiled_logp_func=code_of(density.value),
        compiled_expand_func=code_of(density.expansion),
        initial_point_func=density.initial_point,
        shared_data={"density": density},  # lives as long as its addresses are in use
        shared_var_keys={},
        user_data=density.table,
        n_expanded=density.width,
        shape_info=(names, None, shapes),
        logp_func=None,
        expand_func=None,
    )


def _finished(running: dict[int, Any]) -> list[tuple[int, Any]]:
    """Take out the chains that are finished; wait a little for each that is not."""
    finished = []
    for chain, sampler in list(running.items()):
        try:
            finished.append((chain, sampler.wait(timeout=0.002)))
        except TimeoutError:
            continue
        del running[chain]
    return finished
