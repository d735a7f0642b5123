"""Families with zeros of their own: zero-inflated ones, and hurdles, made of a family on 0, 1, 2, ...

With p0 = P(0), V and mu the probability of a zero, the variance and the mean of that family,

- zero-inflated: P(y = 0) = zi + (1 - zi) p0, and (1 - zi) p(y) elsewhere;
- hurdle: P(y = 0) = hu, and (1 - hu) p(y) / (1 - p0) elsewhere, a distribution that is truncated at zero.

zi and hu are brms's. Where -log p0 is small, 1 - p0 is computed from its logarithm x = log(-log p0) as 1 - exp(-e^x).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bayes_glmm.families.counts import LARGEST, NEGATIVE_BINOMIAL, NEGATIVE_BINOMIAL_1, POISSON
from bayes_glmm.families.family import Family
from bayes_glmm.families.functional import Functional, product, quotient, times
from bayes_glmm.families.located import Located
from bayes_glmm.families.parameter import HU, ZI, Parameter
from bayes_glmm.families.proportions import BETA_BINOMIAL, BINOMIAL
from bayes_glmm.families.response import Response
from bayes_glmm.families.value import At
from bayes_glmm.numerics.functions import log_probability_of_some, log_softplus

Draw = Callable[[np.random.Generator, Response, At], np.ndarray]


def _zero_inflated(base: Family, **facts: Any) -> Family:
    """Return the mixture of zeros, with probability zi, and a family whose mean is mu."""

    def log_density(y, at, f):  # type: ignore[no-untyped-def]
        own, logit = base.log_density(y, at, f), at["zi"].logit
        # log(zi + (1 - zi) p0) = log(1 - zi) + log(e^logit + p0)
        return f.where(y.values > 0, own, logit + f.softplus(own - logit)) - f.softplus(logit)

    def draw(rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
        values = base.draw(rng, y, at)
        values, zi = np.broadcast_arrays(values, at["zi"].value)
        return np.where(rng.uniform(size=zi.shape) < zi, 0, values)

    def variance(at: At) -> Any:
        return at["zi"].complement * (base.variance(at) + at["zi"].value * at["mu"].value ** 2)

    def correlation(at: At) -> Any:
        """Correlation of two trials: excess zeros add the covariance (1 - zi) zi mu^2 to that of the base."""
        own, common = base.variance(at), at["zi"].value * at["mu"].value ** 2
        within = 0.0 if base.correlation is None else base.correlation(at)
        return (within * own + common) / (own + common)

    def zero(at: At) -> Any:
        f = at["mu"].f
        return f.exp(log_density(Response(0.0), at, f))

    mean, some = product("mu", lambda at: at["zi"].complement, ("zi",)), _some_of_inflated(base)
    reads = (*(parameter.name for parameter in base.parameters), "zi")
    no = Functional("zero", "probability of a zero", reads, zero, range="unit", complement=some)
    return Family(
        f"zero_inflated_{base.name}",
        title=f"zero-inflated {base.title}",
        parameters=(_location(base, "without excess zeros"), *base.parameters[1:], ZI),
        response=base.response,
        variance=variance,
        log_density=log_density,
        draw=draw,
        correlation=correlation if base.response.trials else None,
        mean=mean,
        further=(no, _positive(mean, some)) if base.response.is_count else (),
        formulas=_formulas_of_inflated(base),
        limits={name: f"zero_inflated_{limit}" for name, limit in base.limits.items()},
        limits_at_zero={name: f"zero_inflated_{limit}" for name, limit in base.limits_at_zero.items()},
        **facts,
    )


def _hurdle(base: Family, rate: Callable[..., Any], draw_positive: Draw, **facts: Any) -> Family:
    """Return the family with P(y = 0) = hu and, above, a family of counts without its zeros.

    Parameters
    ----------
    base : Family
    rate : function
        ``(at, f) -> log(-log p0)``.
    draw_positive : function
        Draw from the base without its zeros, as ``Family.draw``.
    **facts
        Further fields of the record.
    """

    def log_some(at: At) -> Any:
        f = at["mu"].f
        return log_probability_of_some(rate(at, f), f)

    def log_density(y, at, f):  # type: ignore[no-untyped-def]
        logit = at["hu"].logit
        positive = base.log_density(y, at, f) - log_some(at)
        return f.where(y.values > 0, positive, logit) - f.softplus(logit)

    def draw(rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
        values, hu = np.broadcast_arrays(draw_positive(rng, y, at), at["hu"].value)
        return np.where(rng.uniform(size=hu.shape) < hu, 0, values)

    def mean_above(at: At) -> Any:
        """E(y | y > 0) = mu / (1 - p0)."""
        return at["mu"].f.exp(at["mu"].log - log_some(at))

    def variance_above(at: At, share: Any = 1.0) -> Any:
        """Var(y | y > 0); of all counts with their share above zero."""
        above, mu = mean_above(at), at["mu"].value
        return share * above * (base.variance(at) / mu + mu - share * above)

    location = _location(base, "before truncation at zero")
    names = tuple(parameter.name for parameter in base.parameters)
    above = Functional("above", "mean above zero", names, mean_above, range="positive")
    some = Functional("some", "probability of no zero", ("hu",), lambda at: at["hu"].complement, range="unit")
    mean = times("mean", "mean", some, above, range="positive")
    zero = Functional("zero", "probability of a zero", ("hu",), lambda at: at["hu"].value, factor="hu", range="unit")
    return Family(
        f"hurdle_{base.name}",
        title=f"hurdle {base.title}",
        parameters=(replace(location, links=("log", "sqrt")), *base.parameters[1:], HU),
        response=base.response,
        variance=lambda at: variance_above(at, at["hu"].complement),
        log_density=log_density,
        draw=draw,
        mean=mean,
        further=(zero, _positive(mean, some)),
        located=Located(lambda y: np.where(y > 0, y, np.nan), variance_above),
        formulas={
            "p0": "hu",
            "mean": f"(1 - hu) * mu / (1 - {base.formulas['p0']})",
            "variance": f"mean * ({base.formulas['variance']} + mu^2) / mu - mean^2",
        },
        limits={name: f"hurdle_{limit}" for name, limit in base.limits.items()},
        limits_at_zero={name: f"hurdle_{limit}" for name, limit in base.limits_at_zero.items()},
        **facts,
    )


def _location(base: Family, of_what: str) -> Parameter:
    what = "probability of success" if base.response.trials else "mean"
    return replace(base.location, title=f"{what} {of_what} (mu)")


def _positive(mean: Functional, some: Functional) -> Functional:
    """E(y) / P(y > 0), each averaged before the division: the mean of counts above zero, as data show it."""
    return quotient("positive", "mean above zero", mean, some)


def _formulas_of_inflated(base: Family) -> dict[str, str]:
    zero = {"p0": f"zi + (1 - zi) * {base.formulas['p0']}"} if "p0" in base.formulas else {}
    return {**zero, "mean": "(1 - zi) * mu", "variance": f"(1 - zi) * ({base.formulas['variance']} + zi * mu^2)"}


def _some_of_inflated(base: Family) -> Functional:
    """P(y > 0) = (1 - zi) (1 - p0)."""
    names = tuple(parameter.name for parameter in base.parameters)

    def above(at: At) -> Any:
        f = at["mu"].f
        return -f.expm1(base.log_density(Response(0.0), at, f))

    inside = Functional("inside", "probability of no zero by chance", names, above, range="unit")
    outside = Functional("outside", "probability of no excess zero", ("zi",), lambda at: at["zi"].complement)
    return times("some", "probability of no zero", outside, inside, range="unit")


ZERO_INFLATED_POISSON = _zero_inflated(
    POISSON,
    distribution=lambda pm, name, y, at, dims: pm.ZeroInflatedPoisson(
        name, psi=at["zi"].complement, mu=at["mu"].value, observed=y.values, dims=dims
    ),
    equation="ZeroInflatedPoisson(zi, μ_i)",
    wider='try family="zero_inflated_negative_binomial", or an effect that varies by row, (1 | row)',
    elsewhere={
        "brms": "zero_inflated_poisson",
        "glmmTMB": "poisson with ziformula",
        "Bambi": "zero_inflated_poisson; psi = 1 - zi",
    },
)
ZERO_INFLATED_NEGATIVE_BINOMIAL = _zero_inflated(
    NEGATIVE_BINOMIAL,
    distribution=lambda pm, name, y, at, dims: pm.ZeroInflatedNegativeBinomial(
        name, psi=at["zi"].complement, mu=at["mu"].value, alpha=at["phi"].value, observed=y.values, dims=dims
    ),
    equation="ZeroInflatedNegBinomial(zi, mean μ_i, shape φ)",
    elsewhere={
        "brms": "zero_inflated_negbinomial; shape = phi",
        "glmmTMB": "nbinom2 with ziformula",
        "Bambi": "zero_inflated_negativebinomial; psi = 1 - zi, alpha = phi",
    },
)
ZERO_INFLATED_NEGATIVE_BINOMIAL_1 = _zero_inflated(
    NEGATIVE_BINOMIAL_1,
    equation="ZeroInflatedNegBinomial1(zi, mean μ_i, variance μ_i (1 + φ))",
    elsewhere={"glmmTMB": "nbinom1 with ziformula"},
)
ZERO_INFLATED_BINOMIAL = _zero_inflated(
    BINOMIAL,
    equation="ZeroInflatedBinomial(zi, {trials}, μ_i)",
    wider='try family="zero_inflated_beta_binomial", or an effect that varies by row, (1 | row)',
    elsewhere={
        "brms": "zero_inflated_binomial",
        "glmmTMB": "binomial with ziformula",
        "Bambi": "zero_inflated_binomial; psi = 1 - zi",
    },
)
ZERO_INFLATED_BETA_BINOMIAL = _zero_inflated(
    BETA_BINOMIAL,
    equation="ZeroInflatedBetaBinomial(zi, {trials}, mean μ_i, precision φ)",
    elsewhere={"brms": "zero_inflated_beta_binomial", "glmmTMB": "betabinomial with ziformula"},
)


def _positive_poisson(rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
    return _counts_above_zero(rng, np.minimum(at["mu"].value, LARGEST))


def _counts_above_zero(rng: np.random.Generator, rate: np.ndarray) -> np.ndarray:
    """Draw Poisson counts that are not 0: the time of the first event, and the events after it."""
    with np.errstate(divide="ignore"):
        first = -np.log1p(rng.uniform(size=np.shape(rate)) * np.expm1(-rate))
    return 1 + rng.poisson(np.maximum(rate - first, 0.0))


def _positive_negative_binomial(rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
    """Where zeros are rare they are drawn again; elsewhere by sums of logarithmic variates, a Poisson number of them.

    A negative binomial count is such a sum, of -log p0 expected terms (Quenouille 1949).
    """
    mu, phi = np.broadcast_arrays(np.minimum(at["mu"].value, LARGEST), at["phi"].value)
    rate = phi * np.log1p(mu / phi)
    values, often = np.zeros(mu.shape, np.int64), rate < 1.0
    values[often] = _sums(rng, _counts_above_zero(rng, rate[often]), (mu / (mu + phi))[often])
    missing = np.flatnonzero(~often.ravel())
    while missing.size:
        shape, mean = phi.ravel()[missing], mu.ravel()[missing]
        drawn = rng.poisson(np.minimum(rng.gamma(shape, mean / shape), LARGEST))
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


HURDLE_POISSON = _hurdle(
    POISSON,
    lambda at, f: at["mu"].log,
    _positive_poisson,
    equation="HurdlePoisson(hu, μ_i)",
    wider='try family="hurdle_negative_binomial", or an effect that varies by row, (1 | row)',
    elsewhere={
        "brms": "hurdle_poisson",
        "glmmTMB": "truncated_poisson with ziformula; zi = hu",
        "Bambi": "hurdle_poisson; psi = 1 - hu",
    },
)
HURDLE_NEGATIVE_BINOMIAL = _hurdle(
    NEGATIVE_BINOMIAL,
    lambda at, f: at["phi"].log + log_softplus(at["mu"].log - at["phi"].log, f),
    _positive_negative_binomial,
    equation="HurdleNegBinomial(hu, μ_i, shape φ)",
    elsewhere={
        "brms": "hurdle_negbinomial; shape = phi",
        "glmmTMB": "truncated_nbinom2 with ziformula; zi = hu",
        "Bambi": "hurdle_negativebinomial; psi = 1 - hu, alpha = phi",
    },
)
