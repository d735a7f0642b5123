"""The numbers of a row of a table: point estimate, its Monte Carlo standard error, ends of its interval."""

from __future__ import annotations

import numpy as np

from bayes_glmm.summaries.functional import Functional
from bayes_glmm.summaries.interval import Interval, median_of_sorted
from bayes_glmm.summaries.monte_carlo import mcse_of_mean, mcse_of_median


def summarise_draws(draws: np.ndarray, interval: Interval, functional: Functional = "median") -> dict[str, np.ndarray]:
    """Return ``estimate``, ``mcse``, ``lower`` and ``upper``, each [estimate].

    Parameters
    ----------
    draws : array [estimate, chain, draw]
    interval : Interval
    functional : {"median", "mean"}
        What the point estimate is.
    """
    flat = draws.reshape(len(draws), draws.shape[1] * draws.shape[2])
    ordered = np.sort(flat, axis=1)
    lower, upper = interval.ends_of_sorted(ordered)
    if functional == "mean":
        with np.errstate(invalid="ignore", over="ignore"):
            estimate, error = flat.mean(axis=1), mcse_of_mean(draws)
    else:
        estimate, error = median_of_sorted(ordered), mcse_of_median(draws, ordered)
        estimate = np.where(np.isnan(ordered[:, -1]), np.nan, estimate)
    return {"estimate": estimate, "mcse": error, "lower": lower, "upper": upper}
