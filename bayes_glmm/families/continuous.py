"""Families on the real line and on (0, inf): gaussian, student-t, gamma."""

from __future__ import annotations

import math

import numpy as np

from bayes_glmm.families.family import Family

# 1 / sqrt(phi) is the coefficient of variation (gamma), the extra coefficient of variation (negative binomial) or the
# relative spread (beta). InverseGamma(0.4, 0.3) on phi makes it about half-normal(0, 1), with room near 0: brms'
# default for such shapes since version 2.20, after the Stan prior choice recommendations.
SHAPE_PRIOR = "InverseGamma(alpha=0.4, beta=0.3)"

GAUSSIAN = Family(
    "gaussian",
    title="Gaussian",
    symbol=r"\operatorname{Normal}(\mu_i,\ \sigma^2)",
    links=("identity", "log", "inverse"),
    response="real",
    support=lambda y, trials: ~np.isfinite(y),
    support_text="finite numbers",
    variance=lambda mu, aux: aux["sigma"] ** 2 + 0.0 * mu,
    log_density=lambda y, mean, aux, trials, f: (
        -0.5 * ((y - mean.mu) / aux["sigma"]) ** 2 - f.log(aux["sigma"]) - 0.5 * math.log(2.0 * math.pi)
    ),
    draw=lambda rng, mean, aux, trials: rng.normal(mean.mu, aux["sigma"]),
    likelihood=lambda pm, name, mean, aux, trials, observed, dims: pm.Normal(
        name, mu=mean.mu, sigma=aux["sigma"], observed=observed, dims=dims
    ),
    auxiliary={"sigma": "HalfStudentT(nu=3, sigma={scale})"},
)


def _student_log_density(y, mean, aux, trials, f):  # type: ignore[no-untyped-def]
    nu, sigma = aux["nu"], aux["sigma"]
    constant = f.gammaln(0.5 * (nu + 1.0)) - f.gammaln(0.5 * nu) - 0.5 * f.log(nu * math.pi) - f.log(sigma)
    return constant - 0.5 * (nu + 1.0) * f.log1p(((y - mean.mu) / sigma) ** 2 / nu)


STUDENT_T = Family(
    "student_t",
    title="Student t",
    symbol=r"\operatorname{StudentT}(\nu,\ \mu_i,\ \sigma)",
    links=("identity", "log", "inverse"),
    response="real",
    support=lambda y, trials: ~np.isfinite(y),
    support_text="finite numbers",
    # infinite for nu <= 2
    variance=lambda mu, aux: (
        aux["sigma"] ** 2 * np.where(aux["nu"] > 2, aux["nu"] / np.where(aux["nu"] > 2, aux["nu"] - 2.0, 1.0), np.inf)
        + 0.0 * mu
    ),
    log_density=_student_log_density,
    draw=lambda rng, mean, aux, trials: (
        mean.mu + aux["sigma"] * rng.standard_t(aux["nu"], size=np.broadcast(mean.mu, aux["nu"]).shape)
    ),
    likelihood=lambda pm, name, mean, aux, trials, observed, dims: pm.StudentT(
        name, nu=aux["nu"], mu=mean.mu, sigma=aux["sigma"], observed=observed, dims=dims
    ),
    # nu: Juarez & Steel (2010), as brms and rstanarm
    auxiliary={"sigma": "HalfStudentT(nu=3, sigma={scale})", "nu": "Gamma(alpha=2, beta=0.1)"},
)


def _gamma_log_density(y, mean, aux, trials, f):  # type: ignore[no-untyped-def]
    phi = aux["phi"]
    log_rate = f.log(phi) - mean.log
    return phi * log_rate - f.gammaln(phi) + (phi - 1.0) * f.log(y) - f.exp(log_rate) * y


GAMMA = Family(
    "gamma",
    title="gamma",
    symbol=r"\operatorname{Gamma}(\text{shape}=\phi,\ \text{mean}=\mu_i)",
    links=("log", "inverse", "identity"),
    response="positive",
    support=lambda y, trials: ~(np.isfinite(y) & (y > 0)),
    support_text="numbers above 0",
    variance=lambda mu, aux: mu**2 / aux["phi"],
    log_density=_gamma_log_density,
    draw=lambda rng, mean, aux, trials: rng.gamma(aux["phi"], mean.mu / aux["phi"]),
    likelihood=lambda pm, name, mean, aux, trials, observed, dims: pm.Gamma(
        name, alpha=aux["phi"], beta=aux["phi"] / mean.mu, observed=observed, dims=dims
    ),
    auxiliary={"phi": SHAPE_PRIOR},
)
