"""Rough values of censored rows, for the middle and the scale of default priors.

A normal distribution is fitted by the EM algorithm to the response, or to its logarithm where it is above 0 (Schmee &
Hahn 1979, Technometrics 21, 417-432). Censored rows get their expectation within what is known of them, and the mean of
their variances is reported, so that neither the middle nor the scale of the data is that of the limits.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from bayes_glmm.design.design import Design
from bayes_glmm.spec import ModelSpec

_ITERATIONS = 50  # of a fit that nothing but the scale of priors rests on


def imputed(spec: ModelSpec, design: Design) -> tuple[np.ndarray, float]:
    """The response with expectations for censored rows [row], and the mean of the variance that they lack.

    Counts, and responses with zeros, are as they are.

    Parameters
    ----------
    spec : ModelSpec
    design : Design
    """
    limits, y = design.limits, design.y
    if limits is None or not design.observed.kinds or spec.family.discrete:
        return y, 0.0
    exact, (low, high) = limits.exact(len(y)), limits.known(y)
    positive = spec.family.response.range == "positive"
    with np.errstate(divide="ignore"):
        work, low, high = (np.log(np.maximum(one, 0.0)) if positive else one for one in (y, low, high))
    if not np.isfinite(work[exact]).all():
        return y, 0.0
    work, left, right = work.copy(), low[~exact], high[~exact]
    work[~exact] = np.where(np.isfinite(left), left, right)
    found, lacking = work.copy(), np.zeros(len(work))
    for _ in range(_ITERATIONS):
        middle, sd = float(found.mean()), float(np.sqrt(found.var() + lacking.mean()))
        if not sd > 0.0:
            break
        found[~exact], lacking[~exact] = _within(left, right, middle, sd)
    if not np.isfinite(found).all():
        return y, 0.0
    values = np.where(exact, y, np.exp(found)) if positive else found
    of_work = not positive or spec.family.located is not None
    return values, float(lacking.mean()) if of_work else float((values**2 * lacking).mean())


def _within(low: np.ndarray, high: np.ndarray, middle: float, sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of a normal variable within ranges."""
    a, b = np.maximum((low - middle) / sd, -1e6), np.minimum((high - middle) / sd, 1e6)
    turned = a > 0.0  # so that probabilities are those of lower tails
    a, b = np.where(turned, -b, a), np.where(turned, -a, b)
    log_p = special.log_ndtr(b) + np.log(-np.expm1(np.minimum(special.log_ndtr(a) - special.log_ndtr(b), -1e-12)))
    density_a, density_b = (np.exp(-0.5 * z * z - 0.5 * np.log(2.0 * np.pi) - log_p) for z in (a, b))
    mean = np.clip(density_a - density_b, a, b)
    variance = np.clip(1.0 + a * density_a - b * density_b - mean**2, 0.0, 1.0)
    return middle + sd * np.where(turned, -mean, mean), sd * sd * variance
