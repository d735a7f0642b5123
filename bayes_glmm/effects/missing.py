"""Predictions of the rows whose response is missing."""

from __future__ import annotations

from collections.abc import Sequence

from bayes_glmm.effects.estimands import Part
from bayes_glmm.effects.predictions import Scale, predict
from bayes_glmm.effects.tidy import Estimates
from bayes_glmm.errors import DataError
from bayes_glmm.posterior import Posterior
from bayes_glmm.summaries import IntervalKind


def missing_responses(
    posterior: Posterior,
    random_effects: str | Sequence[str] = "known_or_new",
    scale: Scale | None = None,
    level: float = 0.95,
    interval: IntervalKind = "eti",
    seed: int = 0,
    part: Part | None = None,
) -> Estimates:
    """Predict the rows that were left out because their response is missing, and nothing else.

    They have no part in the likelihood, so that the posterior is the same as without them: a response that is missing
    given the predictors and groups alone tells nothing about the parameters.

    Parameters
    ----------
    posterior : Posterior
        Of a model that was made with ``missing="drop"``.
    random_effects : {"known_or_new", "known", "new", "zero", "integrated"} or several of them
        As for :func:`predict`; by default at a row's own groups, and in a new one where the model has not seen it.
    scale : {"outcome", "response", "link"}, optional
        New responses by default, whose interval holds a response with that probability; ``"response"`` is their mean.
        Of categories the probability of each.
    level, interval, seed, part
        As for :func:`predict`.

    Returns
    -------
    Estimates
        One row per row without a response, in the order of the data; of categories one for each of them.

    Raises
    ------
    DataError
        If there are none.
    """
    rows = posterior.design.unanswered
    if rows.empty:
        raise DataError(
            "No row is without a response alone.",
            f"response {posterior.design.response!r}",
            "Make the model with missing='drop'; use predict(newdata) for other rows.",
        )
    means = bool(posterior.spec.family.categories) or part not in (None, "mean")
    chosen: Scale = scale or ("response" if means else "outcome")
    return predict(posterior, rows, random_effects, chosen, level, interval, seed, part=part)
