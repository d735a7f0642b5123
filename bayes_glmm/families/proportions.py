"""Families on {0, 1}, on successes of trials and on (0, 1): bernoulli, binomial, beta."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayes_glmm.families.continuous import SHAPE_PRIOR
from bayes_glmm.families.family import Family, Mean

UNIT_LINKS = ("logit", "probit", "cloglog", "cauchit", "log", "identity")


def _binomial_log_density(y, mean, aux, trials, f):  # type: ignore[no-untyped-def]
    n = 1.0 if trials is None else trials
    constant = f.gammaln(n + 1.0) - f.gammaln(y + 1.0) - f.gammaln(n - y + 1.0)
    return constant - y * f.softplus(-mean.logit) - (n - y) * f.softplus(mean.logit)


def _binomial_likelihood(pm, name, mean, aux, trials, observed, dims):  # type: ignore[no-untyped-def]
    # pm.Bernoulli(logit_p=eta) has a NaN gradient for y = 0 from eta = 37 on; the binomial with one trial has not.
    return pm.Binomial(name, n=1 if trials is None else trials, logit_p=mean.logit, observed=observed, dims=dims)


def _binomial_draw(rng: np.random.Generator, mean: Any, aux: Any, trials: Any) -> np.ndarray:
    return rng.binomial(1 if trials is None else np.asarray(trials, dtype=np.int64), np.clip(mean.mu, 0.0, 1.0))


def _not_successes(y: np.ndarray, trials: np.ndarray | None) -> np.ndarray:
    n = 1 if trials is None else trials
    return ~(np.isfinite(y) & (y >= 0) & (y == np.floor(y)) & (y <= n))


BERNOULLI = Family(
    "bernoulli",
    title="Bernoulli",
    symbol=r"\operatorname{Bernoulli}(\mu_i)",
    links=UNIT_LINKS,
    response="binary",
    support=_not_successes,
    support_text="0 and 1",
    variance=lambda mu, aux: mu * (1.0 - mu),
    log_density=_binomial_log_density,
    draw=_binomial_draw,
    likelihood=_binomial_likelihood,
)

BINOMIAL = Family(
    "binomial",
    title="binomial",
    symbol=r"\operatorname{Binomial}(n_i,\ \mu_i)",
    links=UNIT_LINKS,
    response="successes",
    support=_not_successes,
    support_text="whole numbers of successes between 0 and the number of trials",
    variance=lambda mu, aux: mu * (1.0 - mu),
    log_density=_binomial_log_density,
    draw=_binomial_draw,
    likelihood=_binomial_likelihood,
)


def _beta_shapes(mean: Mean, phi: Any) -> tuple[Any, Any]:
    """Phi mu and phi (1 - mu), kept above 0 where mu rounds to 0 or 1: a shape of 0 has no density."""
    f = mean.f
    return f.maximum(phi * f.expit(mean.logit), 1e-300), f.maximum(phi * f.expit(-mean.logit), 1e-300)


def _beta_log_density(y, mean, aux, trials, f):  # type: ignore[no-untyped-def]
    a, b = _beta_shapes(mean, aux["phi"])
    constant = f.gammaln(aux["phi"]) - f.gammaln(a) - f.gammaln(b)
    return constant + (a - 1.0) * f.log(y) + (b - 1.0) * f.log1p(-y)


def _beta_likelihood(pm, name, mean, aux, trials, observed, dims):  # type: ignore[no-untyped-def]
    a, b = _beta_shapes(mean, aux["phi"])
    return pm.Beta(name, alpha=a, beta=b, observed=observed, dims=dims)


def _beta_draw(rng: np.random.Generator, mean: Any, aux: Any, trials: Any) -> np.ndarray:
    # a draw that rounds to 0 or 1 goes to the nearest number inside
    return np.clip(rng.beta(*_beta_shapes(mean, aux["phi"])), np.finfo(float).tiny, np.nextafter(1.0, 0.0))


BETA = Family(
    "beta",
    title="beta",
    symbol=r"\operatorname{Beta}(\text{mean}=\mu_i,\ \text{precision}=\phi)",
    links=("logit", "probit", "cloglog", "cauchit"),
    response="fraction",
    support=lambda y, trials: ~((y > 0) & (y < 1)),
    support_text="numbers strictly between 0 and 1",
    variance=lambda mu, aux: mu * (1.0 - mu) / (1.0 + aux["phi"]),
    log_density=_beta_log_density,
    draw=_beta_draw,
    likelihood=_beta_likelihood,
    auxiliary={"phi": SHAPE_PRIOR},
)
