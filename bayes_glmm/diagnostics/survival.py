"""The Kaplan-Meier curve of responses that are censored to the right, against those of replicated data."""

from __future__ import annotations

import numpy as np

from bayes_glmm.design import Design
from bayes_glmm.design.recensor import censoring_limits
from bayes_glmm.diagnostics.check import Check, Skipped
from bayes_glmm.diagnostics.predictive import SEED, Comparison, among_many, draws_for, judged
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import replicate

PROBABILITIES = (0.9, 0.75, 0.5, 0.25, 0.1)  # of being above the times at which curves are compared


def check_survival(posterior: Posterior) -> Check | Skipped:
    """The Kaplan-Meier estimate of responses that are censored to the right, where 90, 75, ... % are still above."""
    name, title = "survival", "Kaplan-Meier curve"
    right = right_limits(posterior.design)
    if right is None:
        return Skipped(name, title, "")
    y = posterior.design.y[None]
    times = times_of(y[0], y[0] < right)
    if not len(times):
        return Skipped(name, title, "No response was seen.")
    replicated = replicate(posterior, draws_for(posterior), SEED)
    curve, curves = (kaplan_meier(values, values < right, times) for values in (y, replicated))
    found = [Comparison(f"above {time:.4g}", curve[:, k], curves[:, k], scale=1.0) for k, time in enumerate(times)]
    found = among_many(found)
    worst = min(found, key=lambda comparison: comparison.tail)
    advice = f"The share {worst.label} is {'larger' if worst.difference > 0 else 'smaller'} than the model's: "
    return judged(name, title, found, advice + "try weibull, lognormal or exponential in its place, and covariates.")


def right_limits(design: Design) -> np.ndarray | None:
    """The limits [row] of responses that are censored to the right and not otherwise limited; None for others."""
    found, observed = censoring_limits(design), design.observed
    plain = observed.kinds == ("right",) and observed.lower is None and observed.upper is None
    return found[1] if plain and found is not None else None


def kaplan_meier(y: np.ndarray, seen: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The Kaplan-Meier estimate of P(Y > t) from responses, of which some are censored to the right.

    Parameters
    ----------
    y : array [..., row]
    seen : array of bool [..., row]
        Whether the response itself is known.
    at : array [time]
        The times t.

    Returns
    -------
    array [..., time]

    Notes
    -----
    Kaplan & Meier (1958), Journal of the American Statistical Association 53, 457-481.
    """
    # at equal times the seen come first: the others were at risk
    order = np.lexsort((~seen, y), axis=-1)
    sorted_y, sorted_seen = np.take_along_axis(y, order, -1), np.take_along_axis(seen, order, -1)
    at_risk = y.shape[-1] - np.arange(y.shape[-1])
    factors = np.where(sorted_seen, 1.0 - 1.0 / at_risk, 1.0)
    survival = np.concatenate([np.ones((*y.shape[:-1], 1)), np.cumprod(factors, axis=-1)], axis=-1)
    place = (sorted_y[..., None, :] <= at[:, None]).sum(axis=-1)
    return np.take_along_axis(survival, place, -1)


def times_of(y: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Observed times by which given shares of the Kaplan-Meier estimate have gone, as many as it reaches [time]."""
    events = np.unique(y[seen])
    survival = kaplan_meier(y, seen, events)
    reached = [events[survival <= p] for p in PROBABILITIES]
    return np.unique([times[0] for times in reached if len(times)])
