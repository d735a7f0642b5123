r"""Log densities of the priors, without PyMC, in coordinates without bounds.

The coordinates y are the free ones of :class:`~bayes_glmm.likelihood.layout.Layout`. For a run of d correlated effects
with L = diag(sd) C the Cholesky factor C of an LKJ(eta) matrix has a density proportional to the product over k of
C_kk^(d - k + 2 eta - 2) (Lewandowski, Kurowicka & Joe 2009; Stan reference manual). Row k of C is (rho, 1) /
sqrt(1 + |rho|^2), rho its k - 1 ratios, with |dC / drho| = C_kk^(k + 1). So the density over y is the product of
p(sd_k) sd_k C_kk^(d + 2 eta - 1).
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
        for row, (prior, power) in zip(self.layout.rows, self._rows(), strict=True):
            sd, squares = math.exp(min(y[row[-1]], 350.0)), float(y[row[:-1]] @ y[row[:-1]])
            density, slope = log_density(prior, sd)
            value += density + float(y[row[-1]]) - 0.5 * power * math.log1p(squares)
            gradient[row[-1]] = slope * sd + 1.0
            gradient[row[:-1]] = -power * y[row[:-1]] / (1.0 + squares)
        return (value, gradient) if np.isfinite(value) else (-np.inf, np.zeros_like(y))

    def _thresholds(self, y: np.ndarray, gradient: np.ndarray) -> float:
        """What the priors of thresholds but the first, which is less the first coefficient, add."""
        value, threshold, start = 0.0, -float(y[0]) if len(y) else 0.0, self.layout.theta.stop
        changes = np.zeros(0)  # of the threshold with the coordinate of each step so far
        for k, (prior, free) in enumerate(
            zip(self.priors.thresholds[1:], self.layout.constants.values(), strict=False)
        ):
            step = free.back(float(y[start + k]))
            threshold, changes = threshold + step, np.append(changes, free.slope(step))
            density, slope = log_density(prior, threshold)
            value += density
            gradient[0] -= slope
            gradient[start : start + k + 1] += slope * changes
        return value

    def _rows(self) -> Iterator[tuple[Prior, float]]:
        """Of each row of each L: the prior of its standard deviation, and the power of C_kk."""
        for block in self.layout.blocks:
            key = f"corr_{block.group}"
            shape = lkj_shape(key, self.priors[key]) if block.correlated else 1.0
            names = iter(block.effects)
            for size in block.pattern:
                for _ in range(size):
                    yield self.priors[f"sd_{block.group}[{next(names)}]"], size + 2.0 * shape - 1.0


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
