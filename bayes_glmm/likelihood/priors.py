r"""Log densities of the priors, without PyMC, in coordinates without bounds.

The coordinates y are the free ones of :class:`~bayes_glmm.likelihood.layout.Layout`: the density over them is the
product of p(sd_k) sd_k, one each standard deviation, and that of the correlations
(:mod:`~bayes_glmm.likelihood.roots`).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bayes_glmm.design import Priors
from bayes_glmm.design.prior_check import lkj_shape
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.likelihood.layout import Layout
from bayes_glmm.likelihood.roots import LARGEST_LOG
from bayes_glmm.numerics.distributions import DISTRIBUTIONS, Density
from bayes_glmm.numerics.series import SERIES, variables
from bayes_glmm.spec import Prior


@dataclass(frozen=True)
class LogPrior:
    """The log prior density over the coordinates y; correlations without the constant of the LKJ distribution.

    Thresholds are -beta_0 and that plus sums of steps. The density of those in order lacks the constant that their
    order makes.

    Attributes
    ----------
    layout : Layout
    priors : Priors
    """

    layout: Layout
    priors: Priors

    def __call__(self, y: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient [parameter] at y [parameter]."""
        gradient = np.zeros_like(y)
        value = self.priors.canonical.log_apart
        apart = self.priors.canonical.apart  # of mixed coefficients the independent ones have priors
        b, slopes = apart @ y[self.layout.beta] if len(apart) else y, gradient.copy()
        for j, name in enumerate(self.layout.coefficients):
            density, slopes[j] = log_density(self.priors[name], b[j])
            value += density
        gradient[self.layout.beta] = apart.T @ slopes[self.layout.beta] if len(apart) else slopes[self.layout.beta]
        for j, (name, free) in enumerate(self.layout.constants.items(), start=self.layout.theta.stop):
            number = free.back(float(y[j]))
            if not free.inside(number):
                return -np.inf, np.zeros_like(y)
            density, slope = log_density(self.priors[name], number)
            value += density + math.log(free.slope(number))
            gradient[j] = slope * free.slope(number) + free.bend(number)
        value += self._thresholds(y, gradient)
        value += self._correlations(y, gradient)
        for j, prior in self._sds():
            sd = math.exp(min(y[j], LARGEST_LOG))
            density, slope = log_density(prior, sd)
            value += density + float(y[j])
            gradient[j] += slope * sd + 1.0
        return (value, gradient) if np.isfinite(value) else (-np.inf, np.zeros_like(y))

    def _thresholds(self, y: np.ndarray, gradient: np.ndarray) -> float:
        """What the priors of thresholds but the first, which is less the first coefficient, add."""
        start, frees = self.layout.theta.stop, list(self.layout.constants.values())
        value, threshold = 0.0, -float(y[0]) if len(y) else 0.0
        changes = np.zeros(len(y) - start)  # of the threshold with the coordinate of each constant
        for prior, place in zip(self.priors.thresholds[1:], self.layout.steps, strict=True):
            step = frees[place].back(float(y[start + place]))
            threshold += step
            changes[place] += frees[place].slope(step)
            density, slope = log_density(prior, threshold)
            value += density
            gradient[0] -= slope
            gradient[start:] += slope * changes
        return value

    def _correlations(self, y: np.ndarray, gradient: np.ndarray) -> float:
        """What the priors of correlations add."""
        value = 0.0
        for run in self.layout.runs:
            if run.effects.stop - run.effects.start > 1:
                key = f"corr_{run.group}"
                density, gradient[run.place] = run.root.log_prior(y[run.place], lkj_shape(key, self.priors[key]))
                value += density
        return value

    def _sds(self) -> Iterator[tuple[int, Prior]]:
        """Where the logarithm of each standard deviation stands, and its prior."""
        places = iter(self.layout.sds)
        for block in self.layout.blocks:
            own = dict(zip(range(len(block.effects)), places, strict=False))
            yield from ((own[k], self.priors[f"sd_{block.group}[{block.effects[k]}]"]) for k in block.own_sds)


def density_of(prior: Prior) -> Density:
    """The density of a prior.

    Raises
    ------
    SpecError
        For a distribution or arguments without a density here.
    """
    distribution = DISTRIBUTIONS.get(prior.distribution)
    if distribution is None:
        raise SpecError(
            f"The approximations know no density for the prior {prior}.",
            advice=choices(prior.distribution, DISTRIBUTIONS),
        )
    try:
        bound = inspect.signature(distribution).bind(*prior.positional, **dict(prior.keyword))
    except TypeError as error:
        raise SpecError(f"The approximations cannot read the prior {prior}: {error}.") from error
    return distribution(*bound.args, **bound.kwargs)


def log_density(prior: Prior, x: float) -> tuple[float, float]:
    """Log density of a prior at a number, and its derivative.

    Raises
    ------
    SpecError
        As :func:`density_of`.
    """
    at, _ = variables(np.asarray(x, float), {}, 1)
    with np.errstate(all="ignore"):
        found = density_of(prior).log(at, SERIES)
    return float(found.value), float(found.derivative(1))
