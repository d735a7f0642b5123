"""The parameters in one table: what they are, and how well the draws know them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayes_glmm.diagnostics.parameters import parameters
from bayes_glmm.diagnostics.statistics import ess_bulk, ess_tail, rhat
from bayes_glmm.posterior import Posterior

_FEW_DRAWS = 8  # a chain; below that convergence has no statistics


def summary(posterior: Posterior, interval: float = 0.95, random_effects: bool = False) -> pd.DataFrame:
    """Mean, sd, interval, ESS and R-hat of each parameter.

    Parameters
    ----------
    posterior : Posterior
    interval : float
        Mass of the equal-tailed interval.
    random_effects : bool
        Whether to list the effects of every level too.

    Returns
    -------
    DataFrame
        Index: the parameter as the priors name it; coefficients are conditional. Columns: ``mean``, ``sd``, ``lower``,
        ``upper``, ``ess_bulk``, ``ess_tail``, ``rhat``; the last three NaN for values that were given, not drawn.
    """
    labels, draws = parameters(posterior, per_level=random_effects, given=True)
    flat = draws.reshape(len(labels), draws.shape[1] * draws.shape[2])
    tail = 0.5 * (1.0 - interval)
    lower, upper = np.quantile(flat, [tail, 1.0 - tail], axis=1)
    sd = flat.std(axis=1, ddof=1) if flat.shape[1] > 1 else np.zeros(len(labels))
    columns = {"mean": flat.mean(axis=1), "sd": sd, "lower": lower, "upper": upper}
    if draws.shape[2] >= _FEW_DRAWS:
        columns |= {f.__name__: f(draws) for f in (ess_bulk, ess_tail, rhat)}
    return pd.DataFrame(columns, index=pd.Index(labels, name="parameter"))
