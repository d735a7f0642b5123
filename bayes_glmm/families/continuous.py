"""Families on the real line: gaussian and student-t."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np

from bayes_glmm.families.family import Family
from bayes_glmm.families.kind import REAL
from bayes_glmm.families.parameter import NU, SIGMA, Parameter
from bayes_glmm.numerics.incomplete import log_student_tails
from bayes_glmm.numerics.residual import RESIDUALS
from bayes_glmm.numerics.tails import log_cumulative_hazard, log_hazard_of_normal

_REAL = Parameter("mu", ("identity", "log", "inverse"), "real", of_response=True)


def _gaussian_log_density(y, at, f):  # type: ignore[no-untyped-def]
    sigma = at["sigma"]
    return -0.5 * ((y.values - at["mu"].value) / sigma.value) ** 2 - sigma.log - 0.5 * math.log(2.0 * math.pi)


@cache
def _correlated(name: str, occasions: int) -> Family:
    """The gaussian family with a correlation of residuals, whose places are further constants."""
    names = RESIDUALS[name].names(occasions)
    places = tuple(Parameter(one, (), "unit", "Beta(alpha=1, beta=1)", middle=0.5) for one in names)
    return replace(GAUSSIAN, parameters=(*GAUSSIAN.parameters, *places), residual=names)


GAUSSIAN = Family(
    "gaussian",
    title="Gaussian",
    parameters=(_REAL, SIGMA),
    response=REAL,
    variance=lambda at: at["sigma"].value ** 2 + 0.0 * at["mu"].value,
    log_density=_gaussian_log_density,
    log_cumulative_hazard=lambda y, at, f: log_hazard_of_normal((y.values - at["mu"].value) / at["sigma"].value, f),
    draw=lambda rng, y, at: rng.normal(at["mu"].value, at["sigma"].value),
    distribution=lambda pm, name, y, at, dims: pm.Normal(
        name, mu=at["mu"].value, sigma=at["sigma"].value, observed=y.values, dims=dims
    ),
    with_residual=_correlated,
    equation="Normal(μ_i, σ²)",
    wider='try family="student_t", or a transform of the response',
    formulas={"variance": "sigma^2"},
    elsewhere={"brms": "gaussian", "glmmTMB": "gaussian", "Bambi": "gaussian"},
)


def _student_log_density(y, at, f):  # type: ignore[no-untyped-def]
    nu, sigma = at["nu"].value, at["sigma"].value
    constant = f.gammaln(0.5 * (nu + 1.0)) - f.gammaln(0.5 * nu) - 0.5 * f.log(nu * math.pi) - at["sigma"].log
    return constant - 0.5 * (nu + 1.0) * f.log1p(((y.values - at["mu"].value) / sigma) ** 2 / nu)


def _student_log_hazard(y, at, f):  # type: ignore[no-untyped-def]
    t = (y.values - at["mu"].value) / at["sigma"].value
    return log_cumulative_hazard(*log_student_tails(t, at["nu"].value, at["nu"].log, f), f)


def _student_variance(at):  # type: ignore[no-untyped-def]
    nu = at["nu"].value
    ratio = np.where(nu > 2, nu / np.where(nu > 2, nu - 2.0, 1.0), np.inf)
    return at["sigma"].value ** 2 * ratio + 0.0 * at["mu"].value


def _student_draw(rng, y, at):  # type: ignore[no-untyped-def]
    mu, nu = at["mu"].value, at["nu"].value
    return mu + at["sigma"].value * rng.standard_t(nu, size=np.broadcast(mu, nu).shape)


STUDENT_T = Family(
    "student_t",
    title="Student t",
    parameters=(_REAL, SIGMA, NU),
    response=REAL,
    variance=_student_variance,
    log_density=_student_log_density,
    log_cumulative_hazard=_student_log_hazard,
    draw=_student_draw,
    distribution=lambda pm, name, y, at, dims: pm.StudentT(
        name, nu=at["nu"].value, mu=at["mu"].value, sigma=at["sigma"].value, observed=y.values, dims=dims
    ),
    equation="StudentT(ν, μ_i, σ)",
    limits={"nu": "gaussian"},
    formulas={"variance": "sigma^2 * nu / (nu - 2)"},
    elsewhere={"brms": "student", "glmmTMB": "t_family", "Bambi": "t"},
)
