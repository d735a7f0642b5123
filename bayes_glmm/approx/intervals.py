"""Confidence intervals of coefficients, standard deviations and auxiliary parameters."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from bayes_glmm.approx.profile import surface_of, with_first
from bayes_glmm.approx.result import ApproxFit
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.likelihood.likelihood import check_free_covariances
from bayes_glmm.numerics.free import Free
from bayes_glmm.summaries import check_level

METHODS = ("wald", "profile")


def intervals(fit: ApproxFit, method: Literal["wald", "profile"] = "wald", level: float = 0.95) -> pd.DataFrame:
    """Confidence intervals of all coefficients, standard deviations and auxiliary parameters.

    Parameters
    ----------
    fit : ApproxFit
    method : {"wald", "profile"}
        From the curvature at the estimates, of standard deviations and auxiliary parameters on the log scale; or from
        where the profile likelihood has fallen by half a chi-square quantile, which takes some hundred evaluations of
        the likelihood for each parameter.
    level : float
        Such as 0.95.

    Returns
    -------
    DataFrame
        One row a parameter: ``kind``, ``parameter``, ``estimate``, ``lower``, ``upper``. NaN where the curvature is
        unknown, as that of a shape at infinity: the other intervals are those at this limit. For a standard deviation a
        profile may end at 0; where its estimate is 0, Wald's says nothing: 0 to infinity.

    Raises
    ------
    SpecError
        For an unknown method or level, or a profile of a fit that has maximised no likelihood.
    EstimationError
        If a profile has no clear maximum to fall from.

    Examples
    --------
    >>> import bayes_glmm as bg
    >>> model = bg.GLMM("p(favourable, n) ~ treatment + (1 | clinic)", bg.datasets.clinics(), family="binomial")
    >>> intervals(bg.approx.laplace(model), "profile").round(2)
               kind        parameter  estimate  lower  upper
    0   coefficient        Intercept     -1.20  -2.47  -0.02
    1   coefficient  treatment[drug]      0.74   0.16   1.34
    2  sd of clinic        Intercept      1.39   0.80   2.69
    """
    check_level(level)
    if method not in METHODS:
        raise SpecError(f"There are no intervals {method!r}.", advice=choices(method, METHODS))
    rows = fit.summary()[["kind", "parameter", "estimate"]]
    rows = rows[~rows["kind"].str.startswith("correlation")].reset_index(drop=True)
    ends = _wald(fit, level) if method == "wald" else _profile(fit, level)
    return pd.concat([rows, pd.DataFrame(ends, columns=["lower", "upper"])], axis=1)


def _wald(fit: ApproxFit, level: float) -> np.ndarray:
    """Lower and upper ends [parameter, 2], in the order of the summary."""
    from scipy import stats

    reach = stats.norm.isf(0.5 * (1.0 - level)) * np.array([-1.0, 1.0])
    sds = fit.layout.log_sds(fit.x, fit.covariance, fit.free)
    with np.errstate(over="ignore"):
        positive = np.exp(sds[:, :1] + reach * sds[:, 1:])
    errors = np.sqrt(np.diagonal(fit.covariance))
    constants = [
        [free.back(float(fit.x[j] + side * errors[j])) for side in reach] for j, free in _constants(fit).values()
    ]
    found = fit.coefficients_with_errors
    coefficients = found["estimate"].to_numpy()[:, None] + reach * found["sd"].to_numpy()[:, None]
    return np.vstack([coefficients, positive, np.array(constants).reshape(-1, 2)])


def _constants(fit: ApproxFit) -> dict[str, tuple[int, Free]]:
    """Where the free coordinate of each constant that the summary shows stands, and how to come back from it."""
    found = {name: (fit.layout.theta.stop + k, free) for k, (name, free) in enumerate(fit.layout.constants.items())}
    return {name: found[name] for name in found if name not in fit.spec.family.inner}


def _profile(fit: ApproxFit, level: float) -> np.ndarray:
    """Lower and upper ends [parameter, 2], in the order of the summary."""
    from scipy import stats

    if fit.design.thresholds:
        raise SpecError("Thresholds have no profile intervals.", advice="Use method='wald'.")
    check_free_covariances(fit.design)
    quantile = float(stats.chi2.ppf(level, 1))
    surface, theta = surface_of(fit), fit.layout.theta
    beta = [surface.interval(j, quantile) for j in range(theta.start)]
    sds = []
    for block in fit.layout.blocks:
        for effect, name in enumerate(block.effects):
            first = with_first(fit, block, effect)
            j = first.layout.names.index(f"L_{block.group}[{name}, {name}]")
            sds.append(surface_of(first).interval(j, quantile, positive=True))
    ends = [(free, surface.interval(j, quantile)) for j, free in _constants(fit).values()]
    auxiliary = [[free.back(float(end)) for end in interval] for free, interval in ends]
    return np.array([*beta, *sds, *auxiliary])
