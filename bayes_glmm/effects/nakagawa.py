r"""R2 on the latent scale, of Nakagawa, Johnson & Schielzeth (2017).

With v_f the variance over rows of x'beta, v_g that of the random effects (mean over rows of z'Gz, Johnson 2014) and
v_d the variance that the distribution itself adds on the scale of the link,

    marginal R2 = v_f / (v_f + sum v_g + v_d),      conditional R2 = (v_f + sum v_g) / (v_f + sum v_g + v_d).

v_d is the residual variance under the identity link and pi^2 / 3, 1, pi^2 / 6 for binary responses under logit, probit,
cloglog. For counts and positive responses with mean lambda and variance V(lambda) it is their lognormal approximation
under the log link, and the delta method's under sqrt,

    v_d = log(1 + V(lambda) / lambda^2),      v_d = V(lambda) / (4 lambda),

so log(1 + 1 / lambda) for the Poisson, log(1 + 1 / lambda + 1 / phi) for the negative binomial, log(1 + 1 / phi) for
the gamma. lambda is the population-averaged mean, averaged over the rows; the paper's exp(beta_0 + v_g / 2) is that of
the model without predictors. What the model explains of the response itself is ``spread.r_squared``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayes_glmm.effects.estimands import require_mean
from bayes_glmm.effects.patterns import distinct, draw_slices
from bayes_glmm.effects.readings import READINGS, mean_response
from bayes_glmm.effects.tidy import Estimates, tidy
from bayes_glmm.effects.variance import latent_residual, mean_variance
from bayes_glmm.errors import SpecError
from bayes_glmm.posterior import Posterior
from bayes_glmm.summaries import Interval, IntervalKind


def r_squared_nakagawa(posterior: Posterior, level: float = 0.95, interval: IntervalKind = "eti") -> Estimates:
    """Marginal and conditional R2 on the latent scale; see the module for the formulas.

    The variance over rows has the divisor n - 1, as in the R packages MuMIn and performance. An offset explains
    nothing.

    Parameters
    ----------
    posterior : Posterior
    level : float
        Posterior probability of the interval, between 0 and 1.
    interval : {"eti", "hdi"}
        Equal-tailed, or the shortest (highest density).

    Returns
    -------
    Estimates
        Label ``r_squared``: "marginal", what the fixed effects explain, and "conditional", what they and the random
        effects explain.

    Raises
    ------
    SpecError
        For a family and link without a variance on that scale.
    """
    require_mean(posterior.spec)
    asked = Interval(level, interval)
    residual = distribution_variance(posterior)
    fixed = fixed_variance(posterior)
    between = sum((mean_variance(posterior, block) for block in posterior.design.blocks), np.zeros_like(fixed))
    total = fixed + between + residual
    return tidy(
        np.column_stack([fixed / total, (fixed + between) / total]),
        pd.DataFrame({"r_squared": ["marginal", "conditional"]}),
        asked,
        posterior.sample_shape,
        f"R2 of {posterior.design.response} (Nakagawa et al. 2017), {posterior.spec.scale_name} scale.",
    )


def fixed_variance(posterior: Posterior) -> np.ndarray:
    """Variance over the data's rows of x'beta [draw]: beta'S beta, S the covariance of the columns of X."""
    centred = posterior.design.X - posterior.design.X.mean(axis=0)
    S = centred.T @ centred / max(len(centred) - 1, 1)
    return np.einsum("di,ij,dj->d", posterior.beta, S, posterior.beta, optimize=True)


def distribution_variance(posterior: Posterior) -> np.ndarray:
    """The variance v_d that the distribution adds on the scale of the link [draw].

    Raises
    ------
    SpecError
        Where there is none.
    """
    spec, residual = posterior.spec, latent_residual(posterior)
    if residual is not None:
        return residual
    if spec.formulas or not spec.family.mean_is_location:
        raise SpecError(
            "The variance on the latent scale differs from row to row, or is that of several parameters.",
            str(spec),
            "r_squared() is on the scale of the response, and there for every model.",
        )
    if spec.family.response.range != "positive" or spec.link_name not in ("log", "sqrt"):
        raise SpecError(
            f"A {spec.family_name} response with the {spec.link_name} link has no variance on the latent scale.",
            advice="r_squared() is on the scale of the response, and there for every model.",
        )
    average = mean_over_rows(posterior)
    variance = np.asarray(spec.family.variance_of(average, posterior.auxiliary), float)
    return np.log1p(variance / average**2) if spec.link_name == "log" else variance / (4.0 * average)


def mean_over_rows(posterior: Posterior) -> np.ndarray:
    """The population-averaged mean, averaged over the data's rows [draw]."""
    patterns, position = distinct(posterior.design.predictors)
    weights = np.bincount(position) / len(position)
    parts = []
    for draws in draw_slices(posterior, len(patterns)):
        parts.append(mean_response(posterior, patterns, READINGS["integrated"], draws) @ weights)
    return np.concatenate(parts)
