"""Counts without zeros: what is above 0 of a family on 0, 1, 2, ..., by itself or as the positive part of a hurdle.

With p0 = P(0), mu and V the probability of a zero, the mean and the variance of that family, P(y) = p(y) / (1 - p0) for
y = 1, 2, ..., E(y) = mu / (1 - p0) and E(y^2) = (V + mu^2) / (1 - p0). Where -log p0 is small, 1 - p0 is computed from
its logarithm x = log(-log p0) as 1 - exp(-e^x).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayes_glmm.families.counts import (
    LARGEST,
    NEGATIVE_BINOMIAL,
    NEGATIVE_BINOMIAL_1,
    POISSON,
    rate_by_dispersion,
    rate_by_shape,
)
from bayes_glmm.families.family import Family
from bayes_glmm.families.functional import Functional
from bayes_glmm.families.kind import POSITIVE_COUNT
from bayes_glmm.families.parameter import Parameter
from bayes_glmm.families.response import Response
from bayes_glmm.families.value import At
from bayes_glmm.numerics.functions import Functions, log_probability_of_some
from bayes_glmm.numerics.tails import log_difference, log_hazard_of_none

_NONE = -690.0  # the logarithm of a hazard that is 0
Draw = Callable[[np.random.Generator, Response, At], np.ndarray]


@dataclass(frozen=True)
class AboveZero:
    """The counts above 0 of a family.

    Attributes
    ----------
    base : Family
        With its zeros.
    rate : function
        ``(at, f) -> log(-log p0)``.
    draw : function
        Draws of the counts above 0, as ``Family.draw``.
    """

    base: Family
    rate: Callable[[At, Functions], Any]
    draw: Draw

    def log_density(self, y: Response, at: At, f: Functions) -> Any:
        """Log P(y | y > 0); of no meaning in rows of 0."""
        return self.base.log_density(y, at, f) - self._log_some(at)

    def log_cumulative_hazard(self, y: Response, at: At, f: Functions) -> Any:
        """log(-log P(Y > y | Y > 0)), the difference of two hazards; at 0 that of no hazard."""
        of_zero, above = log_hazard_of_none(self.rate(at, f), f), replace(y, values=f.maximum(y.values, 1.0))
        own = log_difference(self.base.log_cumulative_hazard(above, at, f), of_zero, f)  # type: ignore[misc]
        return f.where(y.values > 0, own, _NONE)

    def mean(self, at: At) -> Any:
        """E(y | y > 0) = mu / (1 - p0)."""
        return at["mu"].f.exp(at["mu"].log - self._log_some(at))

    def variance(self, at: At, share: Any = 1.0) -> Any:
        """Var(y | y > 0); of all counts with their share above zero."""
        above, mu = self.mean(at), at["mu"].value
        return share * above * (self.base.variance(at) / mu + mu - share * above)

    def _log_some(self, at: At) -> Any:
        """log(1 - p0)."""
        f = at["mu"].f
        return log_probability_of_some(self.rate(at, f), f)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the family: the mean is positive, and that before truncation."""
        location = replace(self.base.location, title="mean before truncation at zero (mu)", links=("log", "sqrt"))
        return (location, *self.base.parameters[1:])

    @property
    def formula(self) -> str:
        """The mean as a formula."""
        return f"mu / (1 - {self.base.formulas['p0']})"

    @property
    def second_moment(self) -> str:
        """E(y^2) / E(y) as a formula."""
        return f"({self.base.formulas['variance']} + mu^2) / mu"


def _draw_poisson(rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
    return _counts_above_zero(rng, np.minimum(at["mu"].value, LARGEST))


def _counts_above_zero(rng: np.random.Generator, rate: np.ndarray) -> np.ndarray:
    """Draw Poisson counts that are not 0: the time of the first event, and the events after it."""
    with np.errstate(divide="ignore"):
        first = -np.log1p(rng.uniform(size=np.shape(rate)) * np.expm1(-rate))
    return 1 + rng.poisson(np.maximum(rate - first, 0.0))


def _draw_by_shape(rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
    mu, phi = np.broadcast_arrays(np.minimum(at["mu"].value, LARGEST), at["phi"].value)
    return _negative_binomials(rng, phi, mu / phi)


def _draw_by_dispersion(rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
    mu, phi = np.broadcast_arrays(np.minimum(at["mu"].value, LARGEST), at["phi"].value)
    return _negative_binomials(rng, mu / phi, phi)


def _negative_binomials(rng: np.random.Generator, shape: np.ndarray, odds: np.ndarray) -> np.ndarray:
    """Where zeros are rare they are drawn again; elsewhere by sums of logarithmic variates, a Poisson number of them.

    A negative binomial count is such a sum, of -log p0 expected terms (Quenouille 1949).
    """
    rate = shape * np.log1p(odds)
    values, often = np.zeros(rate.shape, np.int64), rate < 1.0
    values[often] = _sums(rng, _counts_above_zero(rng, rate[often]), (odds / (1.0 + odds))[often])
    missing = np.flatnonzero(~often.ravel())
    while missing.size:
        expected = rng.standard_gamma(shape.ravel()[missing]) * odds.ravel()[missing]
        drawn = rng.poisson(np.minimum(expected, LARGEST))
        values.ravel()[missing] = drawn
        missing = missing[drawn == 0]
    return values


def _sums(rng: np.random.Generator, counts: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Sums of as many logarithmic variates as counts say."""
    share, total = np.minimum(share, np.nextafter(1.0, 0.0)), np.zeros(counts.shape, np.int64)
    for k in range(int(counts.max(initial=0))):
        more = counts > k
        total[more] += rng.logseries(share[more])
    return total


POISSON_ABOVE_ZERO = AboveZero(POISSON, lambda at, f: at["mu"].log, _draw_poisson)
NEGATIVE_BINOMIAL_ABOVE_ZERO = AboveZero(NEGATIVE_BINOMIAL, rate_by_shape, _draw_by_shape)
NEGATIVE_BINOMIAL_1_ABOVE_ZERO = AboveZero(NEGATIVE_BINOMIAL_1, rate_by_dispersion, _draw_by_dispersion)


def _truncated(above: AboveZero, **facts: Any) -> Family:
    """Return the counts above zero as a family of their own."""
    base = above.base
    reads = tuple(parameter.name for parameter in base.parameters)
    return Family(
        f"truncated_{base.name}",
        title=f"zero-truncated {base.title}",
        parameters=above.parameters,
        response=POSITIVE_COUNT,
        variance=above.variance,
        log_density=above.log_density,
        log_cumulative_hazard=above.log_cumulative_hazard,
        draw=above.draw,
        mean=Functional("mean", "mean", reads, above.mean, range="positive"),
        limits={name: f"truncated_{limit}" for name, limit in base.limits.items()},
        limits_at_zero={name: f"truncated_{limit}" for name, limit in base.limits_at_zero.items()},
        formulas={"mean": above.formula, "variance": f"mean * ({above.second_moment} - mean)"},
        **facts,
    )


TRUNCATED_POISSON = _truncated(
    POISSON_ABOVE_ZERO,
    equation="TruncatedPoisson(μ_i)",
    wider='try family="truncated_negative_binomial", or an effect that varies by row, (1 | row)',
    elsewhere={"glmmTMB": "truncated_poisson"},
)
TRUNCATED_NEGATIVE_BINOMIAL = _truncated(
    NEGATIVE_BINOMIAL_ABOVE_ZERO,
    equation="TruncatedNegBinomial(μ_i, shape φ)",
    wider="try an effect that varies by row, (1 | row)",
    elsewhere={"glmmTMB": "truncated_nbinom2"},
)
TRUNCATED_NEGATIVE_BINOMIAL_1 = _truncated(
    NEGATIVE_BINOMIAL_1_ABOVE_ZERO,
    equation="TruncatedNegBinomial1(μ_i, dispersion φ)",
    wider="try an effect that varies by row, (1 | row)",
    elsewhere={"glmmTMB": "truncated_nbinom1"},
)
