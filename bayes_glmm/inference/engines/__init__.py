"""The table of engines: each draws chains from a model with NUTS and hands them over one by one.

An engine keeps the warm-up and the sampler's statistics; a new engine is one file and one row.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from bayes_glmm.errors import SamplingError, SpecError, choices
from bayes_glmm.inference.chains import Draw, Gather, Groups, Target, in_memory
from bayes_glmm.inference.deferred_import import deferred_import
from bayes_glmm.inference.engines.numpyro import sample_numpyro
from bayes_glmm.inference.engines.nutpie import sample_nutpie
from bayes_glmm.inference.engines.pymc import sample_pymc
from bayes_glmm.inference.settings import Settings

_PYMC_LOST = "Initial evaluation of model at starting point failed"


@dataclass(frozen=True)
class Engine:
    """A sampler by name.

    Attributes
    ----------
    name : str
    draw : function
        ``(target, settings, chains, keep) -> None`` draws the chains of these numbers, ``settings.parallel`` at a time,
        and calls ``keep(number, drawn)`` for each when it is finished: draws by group, ``posterior`` and
        ``sample_stats``, and their warm-up. A chain depends on ``settings.seed`` and its number alone, not on which
        others are drawn.
    package : str
        The package that must be installed.
    lost : tuple of str
        What it may say when it finds no point to start from.
    densities : bool
        Whether it takes a compiled :class:`~bayes_glmm.inference.densities.density.Density` in place of a pm.Model.
    gather : function
        Where chains go while others are drawn.
    folder : Path, optional
        Where what is too large for memory goes; a file without a name if not given.
    """

    name: str
    draw: Draw
    package: str
    lost: tuple[str, ...]
    densities: bool = False
    gather: Gather = in_memory
    folder: Path | None = None

    def load(self) -> None:
        """Import the package: what takes its time before sampling can begin."""
        with deferred_import("arviz"):  # nutpie converts draws with it, which is not asked for here
            import_module(self.package)

    def sample(self, target: Target, settings: Settings) -> Groups:
        """All chains, joined.

        Raises
        ------
        SamplingError
            If the log density is a number nowhere near the start.
        """
        try:
            return self.gather(self.draw, target, settings)
        except RuntimeError as error:
            if not any(words in str(error) for words in self.lost):
                raise
            raise SamplingError(
                "The sampler finds no point to start from: wherever it tries, the log density is not a number.",
                advice="Center and scale covariates (center(x), scale(x)), or take another link or narrower priors.",
            ) from error


ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("nutpie", sample_nutpie, "nutpie", ("All initialization points failed",), densities=True),
        Engine("pymc", sample_pymc, "pymc", (_PYMC_LOST,)),
        Engine("numpyro", sample_numpyro, "numpyro", (_PYMC_LOST, "Cannot find valid initial parameters")),
    )
}


def get_engine(name: str) -> Engine:
    """The engine of that name, ready to use.

    Raises
    ------
    SpecError
        If there is none of that name.
    SamplingError
        If its package is not installed.
    """
    if name not in ENGINES:
        raise SpecError(f"There is no engine {name!r}.", advice=choices(name, ENGINES))
    engine = ENGINES[name]
    if find_spec(engine.package) is None:
        raise SamplingError(
            f"The engine {name!r} needs the package {engine.package!r}, which is not installed.",
            advice=f"Install bayes-glmm[{engine.package}], or use engine='nutpie'.",
        )
    return engine
