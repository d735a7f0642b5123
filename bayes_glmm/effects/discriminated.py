r"""Averages of what depends on disc (c_k - eta): ordered categories with a discrimination, over the effects of both.

With log disc = d + v and eta = m + u, (u, v) normal: the trapezoidal rule over v, at each node of which u is normal
with the mean and variance that it has given v. Inside it the average of each P(y <= k) = h(s (c_k - eta)) at s = disc
has a closed form or a rule of its own, as s (c_k - eta) is normal; other functionals of eta take the rule, whose step
shrinks as 1 / s. As a function of v the poles of h(e^v x) are at the height pi / 2; under cloglog it has none but is
not bounded there, for exp(-e^x) grows where the imaginary part of x exceeds pi / 2, and large x turn there early.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayes_glmm.design import Predictors
from bayes_glmm.effects.integrate import covariance_of_predictors
from bayes_glmm.effects.shares import shares_given
from bayes_glmm.effects.trapezoid import PLANE_DIGITS, PLANE_REACH, Fine, line, strip_of
from bayes_glmm.families import Functional
from bayes_glmm.names import LOCATION
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import Draws

_LARGEST = 200.0  # of log disc: its square is a double
_NARROW = 3.0  # under cloglog, see above: errors below 1e-6, of acat below 1e-5 for sds of log disc up to 1
INSIDE = Fine(21.0, 6.5, further=0.0)  # the rule inside: 1e-9, beside which the error of the outer one remains


def average_discriminated(
    posterior: Posterior, functional: Functional, predictors: Predictors, eta: Mapping[str, np.ndarray], draws: Draws
) -> np.ndarray:
    """The probabilities of all categories averaged over random effects of the location, of its scale, or of both.

    Parameters
    ----------
    posterior : Posterior
    functional : Functional
        Any of the categories.
    predictors : Predictors
        With the factors to average over.
    eta : mapping of parameter to array [draw, row]
        Linear predictors without these effects.
    draws : slice or array

    Returns
    -------
    array [category, draw, row]
    """
    name, spec = functional.scale, posterior.spec
    V = covariance_of_predictors(posterior, predictors, (name, LOCATION), draws)
    sd = np.sqrt(np.maximum(V[..., 0, 0], 0.0))
    across = np.divide(V[..., 1, 0], sd, out=np.zeros_like(sd), where=sd > 0.0)
    left = np.maximum(V[..., 1, 1] - across**2, 0.0)
    start = {key: np.broadcast_to(values, sd.shape) for key, values in eta.items()}

    def given(moved: dict[str, np.ndarray], fine: Fine) -> np.ndarray:
        known = {**start, **moved}
        known[name] = np.minimum(known[name], _LARGEST)
        return shares_given(posterior, functional, known, left, draws, fine)

    if not sd.any():
        return given({}, Fine())
    link, total = min((spec.link_of(name), spec.link), key=strip_of), np.zeros((spec.family.categories, *sd.shape))
    narrow = _NARROW * functional.narrow if spec.link_name == "cloglog" else 1.0
    for z, weight in line(link, float(sd.max()), PLANE_DIGITS, PLANE_REACH, narrow):
        if abs(z) > PLANE_REACH:  # probabilities are bounded
            continue
        total += weight * given({name: start[name] + sd * z, LOCATION: start[LOCATION] + across * z}, INSIDE)
    return total
