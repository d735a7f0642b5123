"""Families on {0, 1}, on successes of trials and on (0, 1): bernoulli, binomial, beta-binomial, beta."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayes_glmm.families.family import Family
from bayes_glmm.families.kind import BINARY, FRACTION, SUCCESSES
from bayes_glmm.families.parameter import PHI, PRECISION, Parameter
from bayes_glmm.families.response import Response
from bayes_glmm.families.value import At
from bayes_glmm.numerics.functions import log_rising_from
from bayes_glmm.numerics.incomplete import log_beta_tails
from bayes_glmm.numerics.tails import log_cumulative_hazard

_BELOW_ONE = 1.0 - 2.0**-53
_PROBABILITY = Parameter("mu", ("logit", "probit", "cloglog", "cauchit", "log", "identity"), "unit")


def _binomial_log_density(y, at, f):  # type: ignore[no-untyped-def]
    n, successes, logit = 1.0 if y.trials is None else y.trials, y.values, at["mu"].logit
    constant = f.gammaln(n + 1.0) - f.gammaln(successes + 1.0) - f.gammaln(n - successes + 1.0)
    return constant + f.log_binary(successes, n - successes, logit)


def _binomial_distribution(pm, name, y, at, dims):  # type: ignore[no-untyped-def]
    # pm.Bernoulli(logit_p=eta) has a NaN gradient for y = 0 from eta = 37 on; the binomial with one trial has not.
    n = 1 if y.trials is None else y.trials
    return pm.Binomial(name, n=n, logit_p=at["mu"].logit, observed=y.values, dims=dims)


def _binomial_draw(rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
    n = 1 if y.trials is None else np.asarray(y.trials, dtype=np.int64)
    return rng.binomial(n, np.clip(at["mu"].value, 0.0, 1.0))


def _binary_variance(at: At) -> Any:
    mu = at["mu"].value
    return mu * (1.0 - mu)


BERNOULLI = Family(
    "bernoulli",
    title="Bernoulli",
    parameters=(_PROBABILITY,),
    response=BINARY,
    variance=_binary_variance,
    log_density=_binomial_log_density,
    draw=_binomial_draw,
    distribution=_binomial_distribution,
    equation="Bernoulli(μ_i)",
    formulas={"variance": "mu * (1 - mu)"},
    elsewhere={"brms": "bernoulli", "glmmTMB": "binomial with a 0/1 response", "Bambi": "bernoulli"},
)

BINOMIAL = Family(
    "binomial",
    title="binomial",
    parameters=(_PROBABILITY,),
    response=SUCCESSES,
    variance=_binary_variance,
    log_density=_binomial_log_density,
    draw=_binomial_draw,
    distribution=_binomial_distribution,
    equation="Binomial({trials}, μ_i)",
    wider='try family="beta_binomial", or an effect that varies by row, (1 | row)',
    formulas={"variance": "mu * (1 - mu)"},
    elsewhere={"brms": "binomial", "glmmTMB": "binomial", "Bambi": "binomial"},
)


def _beta_shapes(at: At) -> tuple[Any, Any]:
    """Phi mu and phi (1 - mu), kept above 0 where mu rounds to 0 or 1: a shape of 0 has no density."""
    f, phi, logit = at["mu"].f, at["phi"].value, at["mu"].logit
    return f.maximum(phi * f.expit(logit), 1e-300), f.maximum(phi * f.expit(-logit), 1e-300)


def beta_log_density(y, at, f):  # type: ignore[no-untyped-def]
    """The log density of a beta distribution with mean mu and precision phi."""
    a, b = _beta_shapes(at)
    constant = f.gammaln(at["phi"].value) - f.gammaln(a) - f.gammaln(b)
    return constant + (a - 1.0) * f.log(y.values) + (b - 1.0) * f.log1p(-y.values)


def _beta_log_hazard(y, at, f):  # type: ignore[no-untyped-def]
    logit, log_phi = at["mu"].logit, at["phi"].log
    logs = log_phi - f.softplus(-1.0 * logit), log_phi - f.softplus(logit)
    inside = f.minimum(y.values, _BELOW_ONE)  # ends in place of none, which are not read, are above it
    x = f.log(inside) - f.log1p(-1.0 * inside)
    return log_cumulative_hazard(*log_beta_tails(*_beta_shapes(at), logs, x, f), f)


def _beta_distribution(pm, name, y, at, dims):  # type: ignore[no-untyped-def]
    a, b = _beta_shapes(at)
    return pm.Beta(name, alpha=a, beta=b, observed=y.values, dims=dims)


def beta_draw(rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
    """Draws of that distribution; one that rounds to 0 or 1 goes to the nearest number inside."""
    return np.clip(rng.beta(*_beta_shapes(at)), np.finfo(float).tiny, np.nextafter(1.0, 0.0))


BETA = Family(
    "beta",
    title="beta",
    parameters=(Parameter("mu", ("logit", "probit", "cloglog", "cauchit"), "unit"), PHI),
    response=FRACTION,
    variance=lambda at: _binary_variance(at) / (1.0 + at["phi"].value),
    log_density=beta_log_density,
    log_cumulative_hazard=_beta_log_hazard,
    draw=beta_draw,
    distribution=_beta_distribution,
    equation="Beta(mean μ_i, precision φ)",
    formulas={"variance": "mu * (1 - mu) / (1 + phi)"},
    elsewhere={"brms": "Beta", "glmmTMB": "beta_family", "Bambi": "beta; kappa = phi"},
)


def _beta_binomial_log_density(y, at, f):  # type: ignore[no-untyped-def]
    n, successes = y.trials, y.values
    phi, logit, log_phi = at["phi"].value, at["mu"].logit, at["phi"].log
    constant = f.gammaln(n + 1.0) - f.gammaln(successes + 1.0) - f.gammaln(n - successes + 1.0)
    ways = log_rising_from(log_phi - f.softplus(-logit), phi * f.expit(logit), successes, f)
    others = log_rising_from(log_phi - f.softplus(logit), phi * f.expit(-logit), n - successes, f)
    return constant + ways + others - f.log_rising(phi, n)


# without pm.BetaBinomial, one of whose shapes underflows in the tails of mu
BETA_BINOMIAL = Family(
    "beta_binomial",
    title="beta-binomial",
    parameters=(_PROBABILITY, PRECISION),
    response=SUCCESSES,
    variance=_binary_variance,
    log_density=_beta_binomial_log_density,
    draw=lambda rng, y, at: rng.binomial(np.asarray(y.trials, dtype=np.int64), rng.beta(*_beta_shapes(at))),
    correlation=lambda at: 1.0 / (1.0 + at["phi"].value),
    equation="BetaBinomial({trials}, mean μ_i, precision φ)",
    wider="try an effect that varies by level of a further factor",
    limits={"phi": "binomial"},
    formulas={"variance": "mu * (1 - mu)", "correlation": "1 / (1 + phi)"},
    elsewhere={"brms": "beta_binomial", "glmmTMB": "betabinomial", "Bambi": "beta_binomial; kappa = phi"},
)
