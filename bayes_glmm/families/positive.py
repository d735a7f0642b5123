"""Families on (0, inf): gamma, exponential, weibull, inverse gaussian and lognormal."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special

from bayes_glmm.families.family import Family
from bayes_glmm.families.functional import Functional, exponential
from bayes_glmm.families.kind import POSITIVE
from bayes_glmm.families.located import Located
from bayes_glmm.families.parameter import PHI, SHAPE, SHAPE_OF_RESPONSE, SIGMA, Parameter
from bayes_glmm.families.value import At
from bayes_glmm.numerics.incomplete import log_gamma_tails, log_inverse_gaussian_tails
from bayes_glmm.numerics.tails import log_cumulative_hazard, log_hazard_of_normal, steep

MEAN_ABOVE_ZERO = Parameter("mu", ("log", "inverse", "identity"), "positive", of_response=True)
_STEEP = 300.0  # where exponentials go on as straight lines, so that their derivatives times any shape stay numbers
LARGEST = 1e300  # of a draw


def gamma_log_density(y, at, f):  # type: ignore[no-untyped-def]
    """The log density of a gamma with mean mu and shape phi."""
    phi, log_mu = at["phi"].value, at["mu"].log
    of_phi = phi * at["phi"].log - f.gammaln(phi) + (phi - 1.0) * f.log(y.values)
    return of_phi - phi * (log_mu + y.values * f.exp(-log_mu))


def gamma_log_hazard(y, at, f):  # type: ignore[no-untyped-def]
    """The logarithm of the cumulative hazard of that gamma."""
    tails = log_gamma_tails(at["phi"].value, at["phi"].log, f.log(y.values) - at["mu"].log, f)
    return log_cumulative_hazard(*tails, f)


def gamma_draw(rng, y, at):  # type: ignore[no-untyped-def]
    """Draws of that gamma; one that rounds to 0 goes to the least number above it."""
    return np.maximum(rng.gamma(at["phi"].value, at["mu"].value / at["phi"].value), np.finfo(float).tiny)


GAMMA = Family(
    "gamma",
    title="gamma",
    parameters=(MEAN_ABOVE_ZERO, PHI),
    response=POSITIVE,
    variance=lambda at: at["mu"].value ** 2 / at["phi"].value,
    log_density=gamma_log_density,
    log_cumulative_hazard=gamma_log_hazard,
    draw=gamma_draw,
    distribution=lambda pm, name, y, at, dims: pm.Gamma(
        name, alpha=at["phi"].value, beta=at["phi"].value / at["mu"].value, observed=y.values, dims=dims
    ),
    equation="Gamma(mean μ_i, shape φ)",
    formulas={"variance": "mu^2 / phi"},
    elsewhere={"brms": "Gamma; shape = phi", "glmmTMB": "Gamma; sigma = 1 / sqrt(phi)", "Bambi": "gamma; alpha = phi"},
)

EXPONENTIAL = Family(
    "exponential",
    title="exponential",
    parameters=(MEAN_ABOVE_ZERO,),
    response=POSITIVE,
    variance=lambda at: at["mu"].value ** 2,
    log_density=lambda y, at, f: -at["mu"].log - y.values * f.exp(-at["mu"].log),
    log_cumulative_hazard=lambda y, at, f: f.log(y.values) - at["mu"].log,
    draw=lambda rng, y, at: rng.exponential(at["mu"].value),
    distribution=lambda pm, name, y, at, dims: pm.Exponential(name, scale=at["mu"].value, observed=y.values, dims=dims),
    equation="Exponential(mean μ_i)",
    wider='try family="gamma" or "weibull", which have the exponential as a special case',
    formulas={"variance": "mu^2"},
    elsewhere={"brms": "exponential", "Bambi": "exponential"},
)


def _weibull_log_cumulative_hazard(y, at, f):  # type: ignore[no-untyped-def]
    """The logarithm of (y / scale)^shape."""
    shape = at["shape"].value
    return shape * (f.log(y.values) - at["mu"].log + f.gammaln(1.0 + 1.0 / shape))


def _weibull_log_density(y, at, f):  # type: ignore[no-untyped-def]
    log_hazard = _weibull_log_cumulative_hazard(y, at, f)
    return at["shape"].log + log_hazard - f.log(y.values) - steep(f.exp, log_hazard, _STEEP, f)


def _weibull_scale(at: At) -> Any:
    return at["mu"].value * np.exp(-special.gammaln(1.0 + 1.0 / at["shape"].value))


def _weibull_draw(rng, y, at):  # type: ignore[no-untyped-def]
    scale, shape = np.broadcast_arrays(_weibull_scale(at), at["shape"].value)
    log_drawn = np.log(scale) + np.log(rng.exponential(size=scale.shape)) / shape
    return np.exp(np.clip(log_drawn, -math.log(LARGEST), math.log(LARGEST)))


def _weibull_variance(at):  # type: ignore[no-untyped-def]
    shape = at["shape"].value
    return at["mu"].value ** 2 * np.expm1(special.gammaln(1.0 + 2.0 / shape) - 2.0 * special.gammaln(1.0 + 1.0 / shape))


# without pm.Weibull, whose density is 0, and its slope not a number, where (y / scale)^shape is beyond numbers
WEIBULL = Family(
    "weibull",
    title="Weibull",
    parameters=(MEAN_ABOVE_ZERO, SHAPE),
    response=POSITIVE,
    variance=_weibull_variance,
    log_density=_weibull_log_density,
    log_cumulative_hazard=_weibull_log_cumulative_hazard,
    draw=_weibull_draw,
    equation="Weibull(mean μ_i, shape)",
    wider='try family="lognormal", whose right tail is heavier',
    formulas={"variance": "mu^2 * (gamma(1 + 2 / shape) / gamma(1 + 1 / shape)^2 - 1)"},
    elsewhere={"brms": "weibull", "Bambi": "weibull; alpha = shape"},
)


def _inverse_gaussian_log_density(y, at, f):  # type: ignore[no-untyped-def]
    shape, log_y = at["shape"].value, f.log(y.values)
    distance = steep(f.expm1, log_y - at["mu"].log, 0.5 * _STEEP, f)  # (y - mu) / mu, which is squared
    own = -0.5 * shape * distance**2 / y.values
    return own + 0.5 * at["shape"].log - 1.5 * log_y - 0.5 * math.log(2.0 * math.pi)


def _inverse_gaussian_log_hazard(y, at, f):  # type: ignore[no-untyped-def]
    shape = at["shape"]
    tails = log_inverse_gaussian_tails(f.log(y.values), at["mu"].log, shape.value, shape.log, f)
    return log_cumulative_hazard(*tails, f)


def _inverse_gaussian_draw(rng, y, at):  # type: ignore[no-untyped-def]
    """By Michael, Schucany & Haas (1976), whose smaller root is written without a difference."""
    mu, shape = np.broadcast_arrays(at["mu"].value, at["shape"].value)
    r = 0.5 * (mu / shape) * rng.standard_normal(mu.shape) ** 2
    with np.errstate(over="ignore"):
        ratio = 1.0 + r + np.sqrt(r) * np.sqrt(r + 2.0)  # of mu to the smaller root, and of the larger one to mu
        smaller = rng.uniform(size=mu.shape) * (1.0 + 1.0 / ratio) < 1.0
        return np.clip(np.where(smaller, mu / ratio, mu * ratio), 1.0 / LARGEST, LARGEST)


# without pm.Wald, whose density is 0, and its slope not a number, where mu is below some 1e-154 of y
INVERSE_GAUSSIAN = Family(
    "inverse_gaussian",
    title="inverse Gaussian",
    parameters=(MEAN_ABOVE_ZERO, SHAPE_OF_RESPONSE),
    response=POSITIVE,
    variance=lambda at: at["mu"].value ** 3 / at["shape"].value,
    log_density=_inverse_gaussian_log_density,
    log_cumulative_hazard=_inverse_gaussian_log_hazard,
    draw=_inverse_gaussian_draw,
    equation="InverseGaussian(mean μ_i, shape)",
    wider='try family="lognormal"',
    formulas={"variance": "mu^3 / shape"},
    elsewhere={"brms": "inverse.gaussian", "Bambi": "wald; lam = shape"},
)

MEAN_OF_LOG = Parameter("mu", ("identity",), "real", title="mean of the logarithm (mu)")
SD_OF_LOG = replace(SIGMA, title="sd of the logarithm (sigma)")
NO_MEAN = (
    "The mean of a lognormal response has no average over random effects of sigma: it is exp(mu + sigma^2 / 2), and "
    "sigma^2 is itself the exponential of a normal effect, so that the integral is infinite."
)
MEDIAN = Functional("median", "median", ("mu",), lambda at: np.exp(at["mu"].value), factor="mu", link="log")


def lognormal_log_density(y, at, f):  # type: ignore[no-untyped-def]
    """The log density of y where log y is normal with mean mu and sd sigma."""
    sigma, log_y = at["sigma"], f.log(y.values)
    return -0.5 * ((log_y - at["mu"].value) / sigma.value) ** 2 - sigma.log - log_y - 0.5 * math.log(2.0 * math.pi)


def lognormal_log_hazard(y, at, f):  # type: ignore[no-untyped-def]
    """The logarithm of the cumulative hazard of that lognormal."""
    return log_hazard_of_normal((f.log(y.values) - at["mu"].value) / at["sigma"].value, f)


def lognormal_draw(rng, y, at):  # type: ignore[no-untyped-def]
    """Draws of that lognormal."""
    return np.exp(np.clip(rng.normal(at["mu"].value, at["sigma"].value), -math.log(LARGEST), math.log(LARGEST)))


def lognormal_variance(at: At) -> Any:
    """Var(y) of that lognormal."""
    square = at["sigma"].value ** 2
    return np.exp(2.0 * at["mu"].value + square) * np.expm1(square)


LOGNORMAL = Family(
    "lognormal",
    title="lognormal",
    parameters=(MEAN_OF_LOG, SD_OF_LOG),
    response=POSITIVE,
    variance=lognormal_variance,
    log_density=lognormal_log_density,
    log_cumulative_hazard=lognormal_log_hazard,
    draw=lognormal_draw,
    distribution=lambda pm, name, y, at, dims: pm.LogNormal(
        name, mu=at["mu"].value, sigma=at["sigma"].value, observed=y.values, dims=dims
    ),
    mean=exponential("mu", lambda at: np.exp(0.5 * at["sigma"].value ** 2), ("sigma",), {"sigma": NO_MEAN}),
    further=(MEDIAN,),
    located=Located(np.log, lambda at: at["sigma"].value ** 2 + 0.0 * at["mu"].value),
    equation="LogNormal(μ_i, σ²)",
    wider='try family="student_t" for the logarithm of the response, log(y) ~ ...',
    formulas={"mean": "exp(mu + sigma^2 / 2)", "variance": "mean^2 * (exp(sigma^2) - 1)"},
    elsewhere={"brms": "lognormal", "glmmTMB": "lognormal; its mu and sigma are mean and sd of y"},
)
