"""Families on 0, 1, 2, ...: poisson, geometric, negative binomial by shape (NB2) or dispersion (NB1), com_poisson."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayes_glmm.families.family import Family
from bayes_glmm.families.functional import MEAN, Functional
from bayes_glmm.families.kind import COUNT
from bayes_glmm.families.parameter import DISPERSION, EXCESS, PHI, Parameter
from bayes_glmm.families.value import At
from bayes_glmm.numerics import conway_maxwell_forms
from bayes_glmm.numerics.functions import Functions, log_rising_from, log_softplus
from bayes_glmm.numerics.incomplete import log_beta_tails, log_gamma_tails
from bayes_glmm.numerics.tails import log_cumulative_hazard

_MEAN = Parameter("mu", ("log", "identity", "sqrt"), "positive", of_response=True)
LARGEST = 1e18  # a mean above any that an integer count can be drawn for: the mean itself is as good a count


def _poisson_log_density(y, at, f):  # type: ignore[no-untyped-def]
    mu = at["mu"]
    return f.where(y.values > 0, y.values * mu.log, 0.0) - mu.value - f.gammaln(y.values + 1.0)


def _poisson_log_hazard(y, at, f):  # type: ignore[no-untyped-def]
    """From P(Y <= k) = Q(k + 1, mu), an incomplete gamma function."""
    more = y.values + 1.0
    above, up_to = log_gamma_tails(more, f.log(more), at["mu"].log - f.log(more), f)
    return log_cumulative_hazard(up_to, above, f)


POISSON = Family(
    "poisson",
    title="Poisson",
    parameters=(_MEAN,),
    response=COUNT,
    variance=lambda at: at["mu"].value,
    log_density=_poisson_log_density,
    log_cumulative_hazard=_poisson_log_hazard,
    draw=lambda rng, y, at: rng.poisson(np.minimum(at["mu"].value, LARGEST)),
    distribution=lambda pm, name, y, at, dims: pm.Poisson(name, mu=at["mu"].value, observed=y.values, dims=dims),
    equation="Poisson(μ_i)",
    wider='try family="negative_binomial", for zeros alone "zero_inflated_poisson", or an effect that varies by row, '
    "(1 | row)",
    narrower='try family="com_poisson"',
    formulas={"p0": "exp(-mu)", "variance": "mu"},
    elsewhere={"brms": "poisson", "glmmTMB": "poisson", "Bambi": "poisson"},
)


def _negative_binomial_log_density(y, at, f):  # type: ignore[no-untyped-def]
    phi = at["phi"].value
    log_odds = at["mu"].log - at["phi"].log  # y is binomial in form, with log odds log(mu / phi)
    ways = f.log_rising(phi, y.values) - f.gammaln(y.values + 1.0)
    return ways + f.log_binary(y.values, phi, log_odds)


def _negative_binomial_log_hazard(y, at, f):  # type: ignore[no-untyped-def]
    """From P(Y <= k) = I_p(phi, k + 1) with the odds phi / mu of p, an incomplete beta function."""
    more, log_phi = y.values + 1.0, at["phi"].log
    tails = log_beta_tails(at["phi"].value, more, (log_phi, f.log(more)), log_phi - at["mu"].log, f)
    return log_cumulative_hazard(*tails, f)


def _negative_binomial_draw(rng, y, at):  # type: ignore[no-untyped-def]
    phi = at["phi"].value
    return rng.poisson(np.minimum(rng.gamma(phi, np.minimum(at["mu"].value, LARGEST) / phi), LARGEST))


def rate_by_shape(at: At, f: Functions) -> Any:
    """Return log(-log P(Y = 0)) of a negative binomial with shape phi."""
    return at["phi"].log + log_softplus(at["mu"].log - at["phi"].log, f)


def rate_by_dispersion(at: At, f: Functions) -> Any:
    """Return log(-log P(Y = 0)) of a negative binomial with variance mu (1 + phi)."""
    return at["mu"].log - at["phi"].log + log_softplus(at["phi"].log, f)


NEGATIVE_BINOMIAL = Family(
    "negative_binomial",
    title="negative binomial (NB2)",
    parameters=(_MEAN, PHI),
    response=COUNT,
    variance=lambda at: at["mu"].value + at["mu"].value ** 2 / at["phi"].value,
    log_density=_negative_binomial_log_density,
    log_cumulative_hazard=_negative_binomial_log_hazard,
    draw=_negative_binomial_draw,
    distribution=lambda pm, name, y, at, dims: pm.NegativeBinomial(
        name, mu=at["mu"].value, alpha=at["phi"].value, observed=y.values, dims=dims
    ),
    equation="NegBinomial(mean μ_i, shape φ)",
    wider='try an effect that varies by row, (1 | row), or for zeros alone family="zero_inflated_negative_binomial"',
    limits={"phi": "poisson"},
    formulas={"p0": "(1 + mu / phi)^-phi", "variance": "mu + mu^2 / phi"},
    elsewhere={"brms": "negbinomial; shape = phi", "glmmTMB": "nbinom2", "Bambi": "negativebinomial; alpha = phi"},
)


GEOMETRIC = Family(
    "geometric",
    title="geometric",
    parameters=(_MEAN,),
    response=COUNT,
    variance=lambda at: at["mu"].value + at["mu"].value ** 2,
    log_density=lambda y, at, f: f.log_binary(y.values, 1.0, at["mu"].log),
    log_cumulative_hazard=lambda y, at, f: f.log(y.values + 1.0) + log_softplus(-at["mu"].log, f),
    draw=lambda rng, y, at: rng.poisson(np.minimum(rng.exponential(np.minimum(at["mu"].value, LARGEST)), LARGEST)),
    distribution=lambda pm, name, y, at, dims: pm.NegativeBinomial(
        name, mu=at["mu"].value, alpha=1.0, observed=y.values, dims=dims
    ),
    equation="Geometric(mean μ_i)",
    wider='try family="negative_binomial", or an effect that varies by row, (1 | row)',
    formulas={"p0": "1 / (1 + mu)", "variance": "mu + mu^2"},
    elsewhere={"brms": "geometric"},
)


def _by_dispersion_log_density(y, at, f):  # type: ignore[no-untyped-def]
    """Negative binomial with the shape mu / phi and, of each event, the odds phi."""
    shape, log_shape, log_odds = at["mu"].value / at["phi"].value, at["mu"].log - at["phi"].log, at["phi"].log
    ways = log_rising_from(log_shape, shape, y.values, f) - f.gammaln(y.values + 1.0)
    return ways + f.log_binary(y.values, shape, log_odds)


def _by_dispersion_log_hazard(y, at, f):  # type: ignore[no-untyped-def]
    """The same with the shape mu / phi and the odds 1 / phi."""
    more, log_shape = y.values + 1.0, at["mu"].log - at["phi"].log
    tails = log_beta_tails(f.exp(log_shape), more, (log_shape, f.log(more)), -1.0 * at["phi"].log, f)
    return log_cumulative_hazard(*tails, f)


def _by_dispersion_draw(rng, y, at):  # type: ignore[no-untyped-def]
    mu, phi = np.minimum(at["mu"].value, LARGEST), at["phi"].value
    return rng.poisson(np.minimum(phi * rng.standard_gamma(mu / phi), LARGEST))


NEGATIVE_BINOMIAL_1 = Family(
    "negative_binomial_1",
    title="negative binomial (NB1)",
    parameters=(_MEAN, EXCESS),
    response=COUNT,
    variance=lambda at: at["mu"].value * (1.0 + at["phi"].value),
    log_density=_by_dispersion_log_density,
    log_cumulative_hazard=_by_dispersion_log_hazard,
    draw=_by_dispersion_draw,
    equation="NegBinomial1(mean μ_i, variance μ_i (1 + φ))",
    wider='try an effect that varies by row, (1 | row), or for zeros alone family="zero_inflated_negative_binomial_1"',
    limits_at_zero={"phi": "poisson"},
    formulas={"p0": "(1 + phi)^(-mu / phi)", "variance": "mu * (1 + phi)"},
    elsewhere={"glmmTMB": "nbinom1"},
)


def _com_poisson_draw(rng, y, at):  # type: ignore[no-untyped-def]
    log_mu = np.minimum(at["mu"].log, np.log(LARGEST))
    return conway_maxwell_forms.draw(rng, log_mu, -at["phi"].log).astype(np.int64)


# of small dispersions, probabilities and the variance have a corner at each whole mean, which rules must see
_CORNERS = 16.0


def _com_poisson_zero(at: At) -> np.ndarray:
    return np.exp(conway_maxwell_forms.density(0.0, at["mu"].log, -at["phi"].log))


COM_POISSON = Family(
    "com_poisson",
    title="Conway-Maxwell-Poisson",
    parameters=(_MEAN, DISPERSION),
    response=COUNT,
    variance=lambda at: conway_maxwell_forms.variance(at["mu"].log, -at["phi"].log),
    log_density=lambda y, at, f: f.conway_maxwell(y.values, at["mu"].log, -at["phi"].log),
    draw=_com_poisson_draw,
    mean=replace(MEAN, narrow=_CORNERS),
    further=(
        Functional("zero", "probability of a zero", ("mu", "phi"), _com_poisson_zero, range="unit", narrow=_CORNERS),
    ),
    equation="ConwayMaxwellPoisson(mean μ_i, dispersion φ)",
    wider='try family="negative_binomial", or an effect that varies by row, (1 | row)',
    formulas={"density": "lambda^y / y!^(1 / phi) / Z, lambda such that E(y) = mu"},
    elsewhere={"glmmTMB": "compois"},
)
