"""Families on 0, 1, 2, ...: poisson, negative binomial."""

from __future__ import annotations

import numpy as np

from bayes_glmm.families.continuous import SHAPE_PRIOR
from bayes_glmm.families.family import Family


def _not_a_count(y: np.ndarray, trials: np.ndarray | None) -> np.ndarray:
    return ~(np.isfinite(y) & (y >= 0) & (y == np.floor(y)))


POISSON = Family(
    "poisson",
    title="Poisson",
    symbol=r"\operatorname{Poisson}(\mu_i)",
    links=("log", "identity", "sqrt"),
    response="count",
    support=_not_a_count,
    support_text="whole numbers 0, 1, 2, ...",
    variance=lambda mu, aux: mu,
    log_density=lambda y, mean, aux, trials, f: f.where(y > 0, y * mean.log, 0.0) - mean.mu - f.gammaln(y + 1.0),
    # above the largest mean that an integer count can be drawn for, the mean itself is as good a count
    draw=lambda rng, mean, aux, trials: rng.poisson(np.minimum(mean.mu, 1e18)),
    likelihood=lambda pm, name, mean, aux, trials, observed, dims: pm.Poisson(
        name, mu=mean.mu, observed=observed, dims=dims
    ),
)


def _negative_binomial_log_density(y, mean, aux, trials, f):  # type: ignore[no-untyped-def]
    phi = aux["phi"]
    log_odds = mean.log - f.log(phi)  # y is binomial in form, with log odds log(mu / phi)
    constant = f.gammaln(y + phi) - f.gammaln(phi) - f.gammaln(y + 1.0)
    return constant - y * f.softplus(-log_odds) - phi * f.softplus(log_odds)


NEGATIVE_BINOMIAL = Family(
    "negative_binomial",
    title="negative binomial (NB2)",
    symbol=r"\operatorname{NegBinomial}(\text{mean}=\mu_i,\ \text{shape}=\phi)",
    links=("log", "identity", "sqrt"),
    response="count",
    support=_not_a_count,
    support_text="whole numbers 0, 1, 2, ...",
    variance=lambda mu, aux: mu + mu**2 / aux["phi"],
    log_density=_negative_binomial_log_density,
    draw=lambda rng, mean, aux, trials: rng.poisson(
        np.minimum(rng.gamma(aux["phi"], np.minimum(mean.mu, 1e18) / aux["phi"]), 1e18)
    ),
    likelihood=lambda pm, name, mean, aux, trials, observed, dims: pm.NegativeBinomial(
        name, mu=mean.mu, alpha=aux["phi"], observed=observed, dims=dims
    ),
    auxiliary={"phi": SHAPE_PRIOR},
)
