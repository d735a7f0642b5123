"""Families on 0, 1, 2, ...: poisson, negative binomial, zero-inflated poisson."""

from __future__ import annotations

import numpy as np

from bayes_glmm.families.family import Family
from bayes_glmm.families.functional import product
from bayes_glmm.families.kind import COUNT
from bayes_glmm.families.parameter import PHI, ZI, Parameter

_MEAN = Parameter(
    "mu", ("log", "identity", "sqrt"), "positive", title="mean without excess zeros (mu)", of_response=True
)
_LARGEST = 1e18  # a mean above any that an integer count can be drawn for: the mean itself is as good a count


def _poisson_log_density(y, at, f):  # type: ignore[no-untyped-def]
    mu = at["mu"]
    return f.where(y.values > 0, y.values * mu.log, 0.0) - mu.value - f.gammaln(y.values + 1.0)


POISSON = Family(
    "poisson",
    title="Poisson",
    parameters=(_MEAN,),
    response=COUNT,
    variance=lambda at: at["mu"].value,
    log_density=_poisson_log_density,
    draw=lambda rng, y, at: rng.poisson(np.minimum(at["mu"].value, _LARGEST)),
    distribution=lambda pm, name, y, at, dims: pm.Poisson(name, mu=at["mu"].value, observed=y.values, dims=dims),
    equation="Poisson(μ_i)",
    wider='try family="negative_binomial", for zeros alone "zero_inflated_poisson", or an effect that varies by row, '
    "(1 | row)",
)


def _negative_binomial_log_density(y, at, f):  # type: ignore[no-untyped-def]
    phi = at["phi"].value
    log_odds = at["mu"].log - at["phi"].log  # y is binomial in form, with log odds log(mu / phi)
    ways = f.log_rising(phi, y.values) - f.gammaln(y.values + 1.0)
    return ways + f.log_binary(y.values, phi, log_odds)


def _negative_binomial_draw(rng, y, at):  # type: ignore[no-untyped-def]
    phi = at["phi"].value
    return rng.poisson(np.minimum(rng.gamma(phi, np.minimum(at["mu"].value, _LARGEST) / phi), _LARGEST))


NEGATIVE_BINOMIAL = Family(
    "negative_binomial",
    title="negative binomial (NB2)",
    parameters=(_MEAN, PHI),
    response=COUNT,
    variance=lambda at: at["mu"].value + at["mu"].value ** 2 / at["phi"].value,
    log_density=_negative_binomial_log_density,
    draw=_negative_binomial_draw,
    distribution=lambda pm, name, y, at, dims: pm.NegativeBinomial(
        name, mu=at["mu"].value, alpha=at["phi"].value, observed=y.values, dims=dims
    ),
    equation="NegBinomial(mean μ_i, shape φ)",
    limits={"phi": "poisson"},
)


def _zero_inflated_poisson_log_density(y, at, f):  # type: ignore[no-untyped-def]
    mu, logit = at["mu"], at["zi"].logit
    # log(zi + (1 - zi) e^-mu) = log(1 - zi) + log(e^logit + e^-mu)
    own = f.where(y.values > 0, y.values * mu.log - mu.value, logit + f.softplus(-mu.value - logit))
    return own - f.softplus(logit) - f.gammaln(y.values + 1.0)


def _zero_inflated_draw(rng, y, at):  # type: ignore[no-untyped-def]
    mu, zi = np.broadcast_arrays(np.minimum(at["mu"].value, _LARGEST), at["zi"].value)
    return np.where(rng.uniform(size=zi.shape) < zi, 0, rng.poisson(mu))


def _zero_inflated_variance(at):  # type: ignore[no-untyped-def]
    mu = at["mu"].value
    return at["zi"].complement * mu * (1.0 + at["zi"].value * mu)


ZERO_INFLATED_POISSON = Family(
    "zero_inflated_poisson",
    title="zero-inflated Poisson",
    parameters=(_MEAN, ZI),
    response=COUNT,
    variance=_zero_inflated_variance,
    log_density=_zero_inflated_poisson_log_density,
    draw=_zero_inflated_draw,
    distribution=lambda pm, name, y, at, dims: pm.ZeroInflatedPoisson(
        name, psi=at["zi"].complement, mu=at["mu"].value, observed=y.values, dims=dims
    ),
    mean=product("mu", lambda at: at["zi"].complement, ("zi",)),
    equation="ZeroInflatedPoisson(zi, μ_i)",
)
