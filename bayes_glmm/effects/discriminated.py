r"""Averages of what depends on disc (c_k - eta): ordered categories with a discrimination, over the effects of both.

With log disc = d + v and eta = m + u, (u, v) normal: the trapezoidal rule over v, at each node of which u is normal
with the mean and variance that it has given v. Inside it the average of each P(y <= k) = h(s (c_k - eta)) at s = disc
has a closed form or a rule of its own, as s (c_k - eta) is normal; other functionals of eta take the rule, whose step
shrinks as 1 / s. As a function of v the poles of h(e^v x) are at the height pi / 2; under cloglog it has none but is
not bounded there, for exp(-e^x) grows where the imaginary part of x exceeds pi / 2, and large x turn there early.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from scipy import special

from bayes_glmm.design import Predictors
from bayes_glmm.effects.integrate import average_over_normal, covariance_of_predictors
from bayes_glmm.effects.trapezoid import DIGITS, PLANE_DIGITS, PLANE_REACH, REACH, line, strip_of
from bayes_glmm.families import Functional, Link
from bayes_glmm.names import LOCATION
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import Draws

WIDE = 100.0  # sd of a predictor from which a latent normal variable with the moments of h serves: errors of 1e-6
_LARGEST = 200.0  # of log disc: its square is a double
_NARROW = 3.0  # under cloglog, see above: errors below 1e-6, of acat below 1e-5 for sds of log disc up to 1
# mean and variance of the distribution h of a link
_LATENT = {"logit": (0.0, np.pi**2 / 3.0), "cloglog": (-np.euler_gamma, np.pi**2 / 6.0)}


def average_discriminated(
    posterior: Posterior, functional: Functional, predictors: Predictors, eta: Mapping[str, np.ndarray], draws: Draws
) -> np.ndarray:
    """The functional averaged over random effects of the location, of its scale, or of both [draw, row].

    Parameters
    ----------
    posterior : Posterior
    functional : Functional
        With a ``scale``.
    predictors : Predictors
        With the factors to average over.
    eta : mapping of parameter to array [draw, row]
        Linear predictors without these effects.
    draws : slice or array
    """
    name, spec = functional.scale, posterior.spec
    V = covariance_of_predictors(posterior, predictors, (name, LOCATION), draws)
    sd = np.sqrt(np.maximum(V[..., 0, 0], 0.0))
    across = np.divide(V[..., 1, 0], sd, out=np.zeros_like(sd), where=sd > 0.0)
    left = np.maximum(V[..., 1, 1] - across**2, 0.0)
    start = {key: np.broadcast_to(values, sd.shape) for key, values in eta.items()}
    if not sd.any():
        return _given_scale(posterior, functional, start, left, draws, (DIGITS, REACH))
    link, total = min((spec.link_of(name), spec.link), key=strip_of), np.zeros(sd.shape)
    narrow = _NARROW * functional.narrow if spec.link_name == "cloglog" else 1.0
    for z, weight in line(link, float(sd.max()), PLANE_DIGITS, PLANE_REACH, narrow):
        if abs(z) > PLANE_REACH:  # the functional is bounded
            continue
        moved = {name: start[name] + sd * z, LOCATION: start[LOCATION] + across * z}
        total += weight * _given_scale(
            posterior, functional, {**start, **moved}, left, draws, (PLANE_DIGITS, PLANE_REACH)
        )
    return total


def _given_scale(
    posterior: Posterior,
    functional: Functional,
    eta: dict[str, np.ndarray],
    variance: np.ndarray,
    draws: Draws,
    fine: tuple[float, float],
) -> np.ndarray:
    """The average over the location's effects with this variance [draw, row], everything else known."""
    spec = posterior.spec
    eta = {**eta, functional.scale: np.minimum(eta[functional.scale], _LARGEST)}
    constants = {key: values[draws][:, None] for key, values in posterior.auxiliary.items()}
    at = spec.at(eta, constants, NUMPY)
    scale = at[functional.scale].value
    if functional.events:
        total = np.full(variance.shape, functional.constant)
        for weight, threshold in functional.events:
            below = scale * (threshold(at) - eta[LOCATION])
            total += weight * _average(spec.link, below, scale**2 * variance)
        return total
    sd, result = np.sqrt(variance), np.empty(variance.shape)
    for some in _alike((scale * sd).max(axis=1, initial=0.0)):
        own = {key: values[some] for key, values in eta.items()}
        known = {key: values[some] for key, values in constants.items()}
        widest, total = float((scale * sd)[some].max()), np.zeros((len(some), variance.shape[1]))
        for z, weight in line(spec.link, widest, *fine, narrow=functional.narrow):
            if abs(z) <= fine[1]:
                moved = {**own, LOCATION: own[LOCATION] + sd[some] * z}
                with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                    total += weight * functional.value(spec.at(moved, known, NUMPY))
        result[some] = total
    return result


def _average(link: Link, eta: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """E[h(eta + u)], u ~ N(0, variance), of very large variances too."""
    wide = variance > WIDE**2
    if link.name not in _LATENT or not wide.any():
        return average_over_normal(link, eta, variance)
    mean, own = _LATENT[link.name]
    found = special.ndtr((eta - mean) / np.sqrt(variance + own))
    found[~wide] = average_over_normal(link, eta[~wide], variance[~wide])
    return found


def _alike(size: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of draws whose sizes [draw] are within a factor of 2, and of those below 1/16."""
    rung = np.ceil(np.log2(np.maximum(size, 0.0625))).astype(int)
    yield from (np.flatnonzero(rung == one) for one in np.unique(rung))
