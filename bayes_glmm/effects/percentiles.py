"""How much groups differ: the mean of a row in a group at a low, a middle or a high percentile of the random effects.

h is monotone, so the p-th percentile over groups of the conditional mean h(eta + z'u), u ~ N(0, G), is

    h(eta + q_p sqrt(z'Gz)),      q_p the standard normal quantile.

The median group is the one at u = 0 whatever the link. The average over groups is the population-averaged mean, which
lies elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from bayes_glmm.effects.columns import beside
from bayes_glmm.effects.estimands import require_mean
from bayes_glmm.effects.expect import value_of
from bayes_glmm.effects.grid import given_rows, means, model_columns
from bayes_glmm.effects.integrate import variance_of_predictor
from bayes_glmm.effects.patterns import encode
from bayes_glmm.effects.tidy import Estimates, tidy
from bayes_glmm.errors import SpecError
from bayes_glmm.names import LOCATION
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import fixed_predictor
from bayes_glmm.summaries import Interval, IntervalKind


def group_percentiles(
    posterior: Posterior,
    newdata: pd.DataFrame | None = None,
    percentiles: Sequence[float] = (5.0, 25.0, 50.0, 75.0, 95.0),
    level: float = 0.95,
    interval: IntervalKind = "eti",
) -> Estimates:
    """Percentiles over groups of the conditional mean at rows.

    Parameters
    ----------
    posterior : Posterior
    newdata : DataFrame, optional
        By default one typical row: numeric columns at their mean, others at their most common level.
    percentiles : sequence of float
        Between 0 and 100.
    level : float
        Posterior probability of the interval, between 0 and 1; of what the data leave open, not of the groups.
    interval : {"eti", "hdi"}
        Equal-tailed, or the shortest (highest density).

    Returns
    -------
    Estimates
        Labels: the model's columns, ``percentile``.

    Raises
    ------
    SpecError
        For a percentile that is not between 0 and 100, and for links that are not increasing (``inverse``, ``sqrt``).
    """
    require_mean(posterior.spec)
    link, design, asked = posterior.spec.link, posterior.design, Interval(level, interval)
    if not all(0.0 < percentile < 100.0 for percentile in percentiles):
        raise SpecError("A percentile lies between 0 and 100.", advice="Give such as [10, 50, 90].")
    if link.name in ("inverse", "sqrt"):
        raise SpecError(f"The mean is not monotone in the random effects under the {link.name} link.")
    asked_of = posterior.spec.family.mean
    further = [name for name in asked_of.reads if any(block.of(name) for block in design.blocks) and name != LOCATION]
    if further:
        raise SpecError(f"The mean has random effects in several parameters: {', '.join((LOCATION, *further))}.")
    rows = means(design) if newdata is None else given_rows(newdata)
    predictors = encode(design, rows)
    eta, sd = fixed_predictor(posterior, predictors), np.sqrt(variance_of_predictor(posterior, predictors))
    quantiles = special.ndtri(np.asarray(percentiles, float) / 100.0)
    others = {name: fixed_predictor(posterior, predictors, parameter=name) for name in predictors.parameters[1:]}
    values = np.stack(
        [value_of(posterior, asked_of, {**others, LOCATION: eta + sd * q}, slice(None)) for q in quantiles], axis=2
    )
    shown = rows[[column for column in model_columns(design) if column in rows.columns]]
    repeated = shown.loc[shown.index.repeat(len(quantiles))].reset_index(drop=True)
    labels = beside(repeated, percentile=list(percentiles) * len(rows))
    description = f"Mean of {design.response} in groups at percentiles of the random effects, conditional."
    return tidy(values.reshape(len(eta), -1), labels, asked, posterior.sample_shape, description)
