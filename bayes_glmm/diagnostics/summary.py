"""The parameters in one table: what they are, and how precisely the draws estimate them."""

from __future__ import annotations

import pandas as pd

from bayes_glmm.diagnostics.parameters import parameters
from bayes_glmm.diagnostics.statistics import ess_tail, rhat
from bayes_glmm.fits import takes_fit
from bayes_glmm.posterior import Posterior
from bayes_glmm.summaries import Interval, IntervalKind, effective_draws, summarise_draws

_FEW_DRAWS = 8  # a chain; below that convergence has no statistics


@takes_fit
def summary(
    posterior: Posterior, level: float = 0.95, interval: IntervalKind = "eti", random_effects: bool = False
) -> pd.DataFrame:
    """Median, its Monte Carlo error, interval, ESS and R-hat of each parameter.

    Parameters
    ----------
    posterior : Posterior
    level : float
        Posterior probability of the interval, between 0 and 1.
    interval : {"eti", "hdi"}
        Equal-tailed, or the shortest (highest density).
    random_effects : bool
        Whether to list the effects of every level too.

    Returns
    -------
    DataFrame
        Index: the parameter as the priors name it; coefficients are conditional. Columns: ``median``; ``mcse``, the
        Monte Carlo standard error of the median; ``lower``, ``upper``; ``ess_median`` and ``ess_tail``, effective draws
        for the median and for the ends of the equal-tailed interval; ``rhat``. ESS and R-hat are NaN for values that
        were given, not drawn, and left out where chains have fewer than 8 draws. Posterior sds, where they exist, are
        ``posterior.draws["posterior"].std(("chain", "draw"))``.

    Raises
    ------
    SpecError
        For a level that is not between 0 and 1, or another kind of interval.
    """
    asked = Interval(level, interval)
    labels, draws = parameters(posterior, per_level=random_effects, given=True)
    numbers = summarise_draws(draws, asked)
    columns = {"median": numbers.pop("estimate"), **numbers}
    if draws.shape[2] >= _FEW_DRAWS:
        moving = draws.min(axis=(1, 2)) < draws.max(axis=(1, 2))
        effective = pd.Series(effective_draws(draws, "median")).where(moving).to_numpy()
        columns |= {"ess_median": effective, "ess_tail": ess_tail(draws, asked.level), "rhat": rhat(draws)}
    return pd.DataFrame(columns, index=pd.Index(labels, name="parameter"))
