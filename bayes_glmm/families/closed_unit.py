"""Families on [0, 1] whose ends have a probability of their own: zero-one-inflated beta and ordered beta.

Under the first, one parameter has the probability of an end, and another which of them it is; the mean inside is a
third. Under the second one linear predictor moves all three: y = 0 below a threshold c_0 of a latent logistic
variable about eta, y = 1 above c_1, and in between a beta distribution whose mean has the logit eta (Kubinec 2023,
Political Analysis 31, 519-536). Its thresholds are those at which both ends have the probabilities zoi (1 - coi) and
zoi coi where eta is 0: any two numbers in (0, 1) give thresholds in their order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayes_glmm.families.family import Family
from bayes_glmm.families.functional import Functional
from bayes_glmm.families.kind import CLOSED_FRACTION
from bayes_glmm.families.located import Located
from bayes_glmm.families.parameter import COI, PHI, ZOI, Parameter
from bayes_glmm.families.proportions import beta_draw, beta_log_density
from bayes_glmm.families.response import Response
from bayes_glmm.families.value import At
from bayes_glmm.numerics.functions import NUMPY, Functions

Ends = tuple[Any, Any]  # of 0 and of 1


def _inside(y: Response, at: At, f: Functions) -> Any:
    """The log density of the beta distribution; in rows at an end that of 1/2, which none of them uses."""
    values = f.where(y.values > 0, f.where(y.values < 1, y.values, 0.5), 0.5)
    return beta_log_density(Response(values), at, f)


def _at_ends(y: Response, ends: Ends, inside: Any, f: Functions) -> Any:
    """The log of what each row has: the probability of its end, or the density inside."""
    return f.where(y.values > 0, f.where(y.values < 1, inside, ends[1]), ends[0])


def _drawn(rng: np.random.Generator, ends: Ends, inside: np.ndarray) -> np.ndarray:
    """Ends with their probabilities, other responses inside."""
    zero, one, inside = np.broadcast_arrays(*ends, inside)
    v = rng.uniform(size=inside.shape)
    return np.where(v < zero, 0.0, np.where(v > 1.0 - one, 1.0, inside))


def _mean(ends: Ends, between: Any, at: At) -> Any:
    return ends[1] + between * at["mu"].value


def _variance(ends: Ends, between: Any, at: At) -> Any:
    mu, phi = at["mu"].value, at["phi"].value
    return ends[1] + between * (mu**2 + mu * (1.0 - mu) / (1.0 + phi)) - _mean(ends, between, at) ** 2


def _inflated_ends(at: At) -> Ends:
    return at["zoi"].value * at["coi"].complement, at["zoi"].value * at["coi"].value


def _inflated_log_density(y, at, f):  # type: ignore[no-untyped-def]
    zoi, coi = at["zoi"].logit, at["coi"].logit
    outside = -f.softplus(-zoi)
    ends = outside - f.softplus(coi), outside - f.softplus(-coi)
    return _at_ends(y, ends, _inside(y, at, f) - f.softplus(zoi), f)


_OF_ZERO, _OF_ONE = "probability of a zero", "probability of a one"
_PROBABILITY = Parameter("mu", ("logit", "probit", "cloglog", "cauchit"), "unit", title="mean inside (0, 1) (mu)")

ZERO_ONE_INFLATED_BETA = Family(
    "zero_one_inflated_beta",
    title="zero-one-inflated beta",
    parameters=(_PROBABILITY, PHI, ZOI, COI),
    response=CLOSED_FRACTION,
    variance=lambda at: _variance(_inflated_ends(at), at["zoi"].complement, at),
    log_density=_inflated_log_density,
    draw=lambda rng, y, at: _drawn(rng, _inflated_ends(at), beta_draw(rng, y, at)),
    mean=Functional(
        "mean",
        "mean",
        ("mu", "zoi", "coi"),
        lambda at: _mean(_inflated_ends(at), at["zoi"].complement, at),
    ),
    further=(
        Functional("zero", _OF_ZERO, ("zoi", "coi"), lambda at: _inflated_ends(at)[0], range="unit"),
        Functional("one", _OF_ONE, ("zoi", "coi"), lambda at: _inflated_ends(at)[1], range="unit"),
    ),
    located=Located(
        lambda y: np.where((y > 0) & (y < 1), y, np.nan),
        lambda at: at["mu"].value * (1.0 - at["mu"].value) / (1.0 + at["phi"].value),
    ),
    equation="ZeroOneInflatedBeta(zoi, coi, mean inside μ_i, precision φ)",
    formulas={
        "p0": "zoi * (1 - coi)",
        "p1": "zoi * coi",
        "mean": "p1 + (1 - zoi) * mu",
        "variance": "p1 + (1 - zoi) * (mu^2 + mu * (1 - mu) / (1 + phi)) - mean^2",
    },
    elsewhere={"brms": "zero_one_inflated_beta"},
)


def _log_of_ends(at: At, f: Functions) -> tuple[Ends, Ends]:
    """Log probabilities of both ends where eta is 0, and of all but each end."""
    zoi, coi = at["zoi"].logit, at["coi"].logit
    of_zero, of_one = -f.softplus(coi), -f.softplus(-coi)  # of the ends
    outside, between = -f.softplus(-zoi), -f.softplus(zoi)
    ends = outside + of_zero, outside + of_one
    return ends, (_log_sum(between, ends[1], f), _log_sum(between, ends[0], f))


def _log_sum(a: Any, b: Any, f: Functions) -> Any:
    """Log(e^a + e^b)."""
    return a + f.softplus(b - a)


def _distances(at: At, f: Functions) -> tuple[Any, Any, Any]:
    """How far eta lies above both thresholds, and the log of what makes the density inside theirs: see the tests."""
    (zero, one), (not_zero, not_one) = _log_of_ends(at, f)
    eta = at["mu"].logit
    return eta - (zero - not_zero), eta - (not_one - one), -f.softplus(at["zoi"].logit) - not_zero - not_one


def _ordered_log_density(y, at, f):  # type: ignore[no-untyped-def]
    above_zero, above_one, width = _distances(at, f)
    # P(0 < y < 1) = expit(-above_one) - expit(-above_zero), without the difference
    between = width - f.softplus(-above_zero) - f.softplus(above_one)
    ends = -f.softplus(above_zero), -f.softplus(-above_one)
    return _at_ends(y, ends, between + _inside(y, at, f), f)


def _ordered_ends(at: At) -> tuple[Ends, Any]:
    """Probabilities of both ends, and of the numbers between them."""
    above_zero, above_one, width = _distances(at, NUMPY)
    between = np.exp(width - NUMPY.softplus(-above_zero) - NUMPY.softplus(above_one))
    return (NUMPY.expit(-above_zero), NUMPY.expit(above_one)), between


_ENDS_AT_HALF = "probability of 0 or 1 at mu = 1/2 (zoi)"
_READS = ("mu", "zoi", "coi")

ORDERED_BETA = Family(
    "ordered_beta",
    title="ordered beta",
    parameters=(
        replace(_PROBABILITY, links=("logit",)),
        PHI,
        # with coi uniform, flat over the probabilities of 0, 1 and what is between
        replace(ZOI, prior="Beta(alpha=2, beta=1)", middle=0.7071067812, intercept="", title=_ENDS_AT_HALF),
        replace(COI, title="share of ones among both ends at mu = 1/2 (coi)"),
    ),
    response=CLOSED_FRACTION,
    variance=lambda at: _variance(*_ordered_ends(at), at),
    log_density=_ordered_log_density,
    draw=lambda rng, y, at: _drawn(rng, _ordered_ends(at)[0], beta_draw(rng, y, at)),
    mean=Functional("mean", "mean", _READS, lambda at: _mean(*_ordered_ends(at), at)),
    further=(
        Functional("zero", _OF_ZERO, _READS, lambda at: _ordered_ends(at)[0][0], range="unit"),
        Functional("one", _OF_ONE, _READS, lambda at: _ordered_ends(at)[0][1], range="unit"),
    ),
    equation="OrderedBeta(zoi, coi, mean inside μ_i, precision φ)",
    formulas={
        "p0": "expit(logit(zoi * (1 - coi)) - logit(mu))",
        "p1": "expit(logit(zoi * coi) + logit(mu))",
        "mean": "p1 + (1 - p0 - p1) * mu",
        "variance": "p1 + (1 - p0 - p1) * (mu^2 + mu * (1 - mu) / (1 + phi)) - mean^2",
    },
    elsewhere={"glmmTMB": "ordbeta; zoi and coi are two thresholds"},
)
