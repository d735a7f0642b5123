"""A posterior to draw from, with what several systems of coordinates need of it: computed once, at the first use."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bayes_glmm.design import Problem
from bayes_glmm.inference.chains import Groups, Target
from bayes_glmm.inference.converged import converged
from bayes_glmm.inference.engines import Engine
from bayes_glmm.inference.integral import Integral, integral_for
from bayes_glmm.inference.settings import Settings
from bayes_glmm.inference.whitening import Whitening, whitening_for

if TYPE_CHECKING:
    from bayes_glmm.inference.densities.density import Density

log = logging.getLogger(__name__)

Drawn = tuple[Groups, dict[str, Any]]
LONG_WARM_UP = 1000
SHORT_WARM_UP = 200  # where scales are known beforehand; 150 to 300 gave the same effective draws a gradient


@dataclass(frozen=True)
class Case:
    """A posterior to draw from.

    Attributes
    ----------
    problem : Problem
        In canonical columns.
    engine : Engine
    settings : Settings
    """

    problem: Problem
    engine: Engine
    settings: Settings

    @cached_property
    def integral(self) -> Integral | None:
        """The integral over the effects by quadrature, where there is one."""
        return integral_for(self.problem.spec, self.problem.design)

    @cached_property
    def whitening(self) -> tuple[Whitening | None, str]:
        """The numbers of the Laplace approximation, or why there are none."""
        return whitening_for(self.problem)

    @cached_property
    def whitened_density(self) -> Density | None:
        """The compiled density over whitened coordinates, where engine and model allow one."""
        from bayes_glmm.inference.densities.whitened_inputs import whitened_density

        whitening, _ = self.whitening
        return whitened_density(whitening) if whitening is not None and self.engine.densities else None

    @cached_property
    def fixed_density(self) -> Density | None:
        """The compiled density of a model without random effects, where engine and model allow one."""
        from bayes_glmm.inference.densities.fixed_inputs import fixed_density

        return None if self.problem.design.blocks or not self.engine.densities else fixed_density(self.problem)

    @property
    def most_effects(self) -> int:
        """How many random effects the largest factor has."""
        return max((len(block.levels) * len(block.effects) for block in self.problem.design.blocks), default=0)

    def draw(self, target: Target, warm_up: int) -> Drawn:
        """Draw from a target in some coordinates.

        Returns
        -------
        drawn : dict of str to Dataset
        how : dict
            Draws of warm-up (what was asked for; else the usual number, lengthened if it was too short), and seconds.
        """
        tune = self.settings.tune or warm_up
        drawn, seconds = self._timed(target, tune)
        if self.settings.tune is None and warm_up < LONG_WARM_UP and not converged(drawn):
            log.info(
                "The chains have not converged after %d draws of warm-up: sampling anew with %d.", tune, LONG_WARM_UP
            )
            tune = LONG_WARM_UP
            drawn, more = self._timed(target, tune)
            seconds += more
        return drawn, {"tune": tune, "seconds_of_sampling": round(seconds, 3)}

    def _timed(self, target: Target, tune: int) -> tuple[Groups, float]:
        self.engine.load()
        start = time.perf_counter()
        return self.engine.sample(target, replace(self.settings, tune=tune)), time.perf_counter() - start
