"""Families on [0, inf) with a probability of 0 of its own: hurdle gamma and hurdle lognormal."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bayes_glmm.families.family import Family
from bayes_glmm.families.functional import Functional, exponential, product
from bayes_glmm.families.kind import NONNEGATIVE
from bayes_glmm.families.located import Located
from bayes_glmm.families.parameter import HU, PHI
from bayes_glmm.families.positive import (
    MEAN_ABOVE_ZERO,
    MEAN_OF_LOG,
    NO_MEAN,
    SD_OF_LOG,
    gamma_draw,
    gamma_log_hazard,
    lognormal_draw,
    lognormal_log_hazard,
    lognormal_variance,
)
from bayes_glmm.families.value import At
from bayes_glmm.numerics.functions import Functions
from bayes_glmm.numerics.tails import log_hazard_with_zeros

_ZERO = Functional("zero", "probability of a zero", ("hu",), lambda at: at["hu"].value, "hu", range="unit")


def _of_zero(above: Any, at: At, f: Functions) -> Any:
    """Log P(y = 0) in rows of 0, log P(y > 0) in others, as two terms: one for all rows, one more for those of 0."""
    logit = at["hu"].logit
    return (1.0 - above) * logit - f.softplus(logit)


def _hurdle_log_hazard(of_positive: Callable[..., Any]) -> Callable[..., Any]:
    """The logarithm of the cumulative hazard, from that of the distribution above 0."""

    def log_hazard(y, at, f):  # type: ignore[no-untyped-def]
        positive = y.values > 0
        own = of_positive(replace(y, values=f.where(positive, y.values, 1.0)), at, f)
        return log_hazard_with_zeros(at["hu"].logit, own, positive, f)

    return log_hazard


def _hurdle_draw(of_positive: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Draws that are 0 with probability hu, else those of a distribution above 0."""

    def draw(rng, y, at):  # type: ignore[no-untyped-def]
        positive, hu = np.broadcast_arrays(of_positive(rng, y, at), at["hu"].value)
        return np.where(rng.uniform(size=hu.shape) < hu, 0.0, positive)

    return draw


def _hurdle_variance(at: At, mean: Any, variance: Any) -> Any:
    """The variance, from mean and variance of the distribution above 0."""
    return at["hu"].complement * (variance + at["hu"].value * mean**2)


def _hurdle_gamma_log_density(y, at, f):  # type: ignore[no-untyped-def]
    positive = y.values > 0
    above, log_y = f.where(positive, 1.0, 0.0), f.log(f.where(positive, y.values, 1.0))
    phi, log_mu = at["phi"].value, at["mu"].log
    of_phi = above * (phi * at["phi"].log - f.gammaln(phi)) + (phi - 1.0) * log_y
    of_mu = f.where(positive, phi * (log_mu + y.values * f.exp(-log_mu)), 0.0)
    return of_phi - of_mu + _of_zero(above, at, f)


HURDLE_GAMMA = Family(
    "hurdle_gamma",
    title="hurdle gamma",
    parameters=(replace(MEAN_ABOVE_ZERO, title="mean above 0 (mu)"), PHI, HU),
    response=NONNEGATIVE,
    variance=lambda at: _hurdle_variance(at, at["mu"].value, at["mu"].value ** 2 / at["phi"].value),
    log_density=_hurdle_gamma_log_density,
    log_cumulative_hazard=_hurdle_log_hazard(gamma_log_hazard),
    draw=_hurdle_draw(gamma_draw),
    mean=product("mu", lambda at: at["hu"].complement, ("hu",)),
    further=(_ZERO,),
    located=Located(lambda y: np.where(y > 0, y, np.nan), lambda at: at["mu"].value ** 2 / at["phi"].value),
    equation="HurdleGamma(hu, mean above 0 μ_i, shape φ)",
    wider='try family="hurdle_lognormal", whose right tail is heavier',
    formulas={"p0": "hu", "mean": "(1 - hu) * mu", "variance": "(1 - hu) * (mu^2 / phi + hu * mu^2)"},
    elsewhere={
        "brms": "hurdle_gamma; shape = phi",
        "glmmTMB": "ziGamma with ziformula; zi = hu",
        "Bambi": "hurdle_gamma; psi = 1 - hu",
    },
)


def _hurdle_lognormal_log_density(y, at, f):  # type: ignore[no-untyped-def]
    positive = y.values > 0
    above, log_y = f.where(positive, 1.0, 0.0), f.log(f.where(positive, y.values, 1.0))
    sigma = at["sigma"]
    squared = f.where(positive, ((log_y - at["mu"].value) / sigma.value) ** 2, 0.0)
    return _of_zero(above, at, f) - 0.5 * squared - log_y - above * (sigma.log + 0.5 * math.log(2.0 * math.pi))


def _hurdle_lognormal_mean(at: At) -> Any:
    return np.exp(at["mu"].value + 0.5 * at["sigma"].value ** 2)


HURDLE_LOGNORMAL = Family(
    "hurdle_lognormal",
    title="hurdle lognormal",
    parameters=(replace(MEAN_OF_LOG, title="mean of the logarithm above 0 (mu)"), SD_OF_LOG, HU),
    response=NONNEGATIVE,
    variance=lambda at: _hurdle_variance(at, _hurdle_lognormal_mean(at), lognormal_variance(at)),
    log_density=_hurdle_lognormal_log_density,
    log_cumulative_hazard=_hurdle_log_hazard(lognormal_log_hazard),
    draw=_hurdle_draw(lognormal_draw),
    mean=exponential(
        "mu",
        lambda at: at["hu"].complement * np.exp(0.5 * at["sigma"].value ** 2),
        ("sigma", "hu"),
        {"sigma": NO_MEAN},
    ),
    further=(_ZERO,),
    located=Located(
        lambda y: np.log(np.where(y > 0, y, np.nan)), lambda at: at["sigma"].value ** 2 + 0.0 * at["mu"].value
    ),
    equation="HurdleLogNormal(hu, μ_i, σ²)",
    formulas={
        "p0": "hu",
        "mean": "(1 - hu) * exp(mu + sigma^2 / 2)",
        "variance": "(1 - hu) * exp(2 * mu + sigma^2) * (exp(sigma^2) - 1 + hu)",
    },
    elsewhere={"brms": "hurdle_lognormal", "Bambi": "hurdle_lognormal; psi = 1 - hu"},
)
