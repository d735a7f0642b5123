"""Problem: a model with its data and its priors, the one argument of everything that computes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from bayes_glmm.design.canonical import identity
from bayes_glmm.design.design import Design
from bayes_glmm.design.prior_check import is_coefficient
from bayes_glmm.design.priors import Priors
from bayes_glmm.spec import ModelSpec


@dataclass(frozen=True)
class Problem:
    """A model, its data and its priors.

    Attributes
    ----------
    spec : ModelSpec
    design : Design
    priors : Priors
    """

    spec: ModelSpec
    design: Design
    priors: Priors

    @cached_property
    def canonical(self) -> Problem:
        """The same posterior in canonical columns, where every parameter has a scalar prior of its own.

        Those of mixed coefficients are of the independent ones, ``priors.canonical.apart`` times the coefficients.
        """
        design = self.priors.canonical.design(self.design)
        rest = {name: prior for name, prior in self.priors.entries.items() if not is_coefficient(name)}
        canonical = replace(identity(design), mix=self.priors.canonical.mix)
        priors = replace(self.priors, entries=self.priors.scalars | rest, canonical=canonical)
        return Problem(self.spec, design, priors)
