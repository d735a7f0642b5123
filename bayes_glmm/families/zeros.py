"""Families with zeros of their own: zero-inflated ones, and hurdles, made of a family on 0, 1, 2, ...

With p0 = P(0), V and mu the probability of a zero, the variance and the mean of that family,

- zero-inflated: P(y = 0) = zi + (1 - zi) p0, and (1 - zi) p(y) elsewhere;
- hurdle: P(y = 0) = hu, and (1 - hu) p(y) / (1 - p0) elsewhere, a distribution that is truncated at zero.

zi and hu are brms's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayes_glmm.families.counts import NEGATIVE_BINOMIAL, NEGATIVE_BINOMIAL_1, POISSON
from bayes_glmm.families.family import Family
from bayes_glmm.families.functional import Functional, product, quotient, times
from bayes_glmm.families.located import Located
from bayes_glmm.families.parameter import HU, ZI, Parameter
from bayes_glmm.families.proportions import BETA_BINOMIAL, BINOMIAL
from bayes_glmm.families.response import Response
from bayes_glmm.families.truncated import NEGATIVE_BINOMIAL_ABOVE_ZERO, POISSON_ABOVE_ZERO, AboveZero
from bayes_glmm.families.value import At
from bayes_glmm.numerics.functions import log_softplus
from bayes_glmm.numerics.tails import log_hazard_with_zeros, log_sum


def _zero_inflated(base: Family, **facts: Any) -> Family:
    """Return the mixture of zeros, with probability zi, and a family whose mean is mu."""

    def log_density(y, at, f):  # type: ignore[no-untyped-def]
        own, logit = base.log_density(y, at, f), at["zi"].logit
        # log(zi + (1 - zi) p0) = log(1 - zi) + log(e^logit + p0)
        return f.where(y.values > 0, own, logit + f.softplus(own - logit)) - f.softplus(logit)

    def log_hazard(y, at, f):  # type: ignore[no-untyped-def]
        # P(Y > k) = (1 - zi) P(base > k)
        return log_sum(log_softplus(at["zi"].logit, f), base.log_cumulative_hazard(y, at, f), f)  # type: ignore[misc]

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
        parameters=(_location(base), *base.parameters[1:], ZI),
        response=base.response,
        variance=variance,
        log_density=log_density,
        log_cumulative_hazard=None if base.log_cumulative_hazard is None else log_hazard,
        draw=draw,
        correlation=correlation if base.response.trials else None,
        mean=mean,
        further=(no, _positive(mean, some)) if base.response.is_count else (),
        formulas=_formulas_of_inflated(base),
        limits={name: f"zero_inflated_{limit}" for name, limit in base.limits.items()},
        limits_at_zero={name: f"zero_inflated_{limit}" for name, limit in base.limits_at_zero.items()},
        **facts,
    )


def _hurdle(above: AboveZero, **facts: Any) -> Family:
    """Return the family with P(y = 0) = hu and, above, a family of counts without its zeros."""
    base = above.base

    def log_density(y, at, f):  # type: ignore[no-untyped-def]
        logit = at["hu"].logit
        return f.where(y.values > 0, above.log_density(y, at, f), logit) - f.softplus(logit)

    def log_hazard(y, at, f):  # type: ignore[no-untyped-def]
        return log_hazard_with_zeros(at["hu"].logit, above.log_cumulative_hazard(y, at, f), y.values > 0, f)

    def draw(rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
        values, hu = np.broadcast_arrays(above.draw(rng, y, at), at["hu"].value)
        return np.where(rng.uniform(size=hu.shape) < hu, 0, values)

    names = tuple(parameter.name for parameter in base.parameters)
    positive = Functional("above", "mean above zero", names, above.mean, range="positive")
    some = Functional("some", "probability of no zero", ("hu",), lambda at: at["hu"].complement, range="unit")
    mean = times("mean", "mean", some, positive, range="positive")
    zero = Functional("zero", "probability of a zero", ("hu",), lambda at: at["hu"].value, factor="hu", range="unit")
    return Family(
        f"hurdle_{base.name}",
        title=f"hurdle {base.title}",
        parameters=(*above.parameters, HU),
        response=base.response,
        variance=lambda at: above.variance(at, at["hu"].complement),
        log_density=log_density,
        log_cumulative_hazard=log_hazard,
        draw=draw,
        mean=mean,
        further=(zero, _positive(mean, some)),
        located=Located(lambda y: np.where(y > 0, y, np.nan), above.variance),
        formulas={
            "p0": "hu",
            "mean": f"(1 - hu) * {above.formula}",
            "variance": f"mean * ({above.second_moment} - mean)",
        },
        limits={name: f"hurdle_{limit}" for name, limit in base.limits.items()},
        limits_at_zero={name: f"hurdle_{limit}" for name, limit in base.limits_at_zero.items()},
        **facts,
    )


def _location(base: Family) -> Parameter:
    what = "probability of success" if base.response.trials else "mean"
    return replace(base.location, title=f"{what} without excess zeros (mu)")


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
HURDLE_POISSON = _hurdle(
    POISSON_ABOVE_ZERO,
    equation="HurdlePoisson(hu, μ_i)",
    wider='try family="hurdle_negative_binomial", or an effect that varies by row, (1 | row)',
    elsewhere={
        "brms": "hurdle_poisson",
        "glmmTMB": "truncated_poisson with ziformula; zi = hu",
        "Bambi": "hurdle_poisson; psi = 1 - hu",
    },
)
HURDLE_NEGATIVE_BINOMIAL = _hurdle(
    NEGATIVE_BINOMIAL_ABOVE_ZERO,
    equation="HurdleNegBinomial(hu, μ_i, shape φ)",
    elsewhere={
        "brms": "hurdle_negbinomial; shape = phi",
        "glmmTMB": "truncated_nbinom2 with ziformula; zi = hu",
        "Bambi": "hurdle_negativebinomial; psi = 1 - hu, alpha = phi",
    },
)
