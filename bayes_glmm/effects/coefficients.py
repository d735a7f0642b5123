r"""Coefficients: conditional ones, and those of the marginal model on the link scale.

Under most links g(m(x)), m(x) = E_u h(x'beta + z'u) the population-averaged mean, is not exactly linear in x. Its
coefficients are the least-squares projection of g(m) on X over the data's rows,

    alpha = (X'X)^{-1} X' (g(m) - offset),

draw by draw, as GLMMadaptive's ``marginal_coefs`` (Hedeker, du Toit, Demirtas & Gibbons 2018). With a random intercept
g(m) is linear, and the projection exact, under the log link (the intercept gains sigma^2 / 2) and under probit
(beta / sqrt(1 + sigma^2)).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from bayes_glmm.design.canonical_columns import conditioned
from bayes_glmm.effects.estimands import require_mean
from bayes_glmm.effects.integrate import variance_of_predictor
from bayes_glmm.effects.patterns import distinct, draw_slices
from bayes_glmm.effects.readings import READINGS, mean_response
from bayes_glmm.effects.tidy import Estimates, tidy
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.names import LOCATION, THRESHOLD, threshold
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import fixed_predictor
from bayes_glmm.summaries import Interval, IntervalKind

ZEGER_CONSTANT = 15.0 * math.pi / (16.0 * math.sqrt(3.0))  # 1.700: the logistic is close to a normal of this sd

CONDITIONAL = "conditional"
POPULATION_AVERAGED = READINGS["integrated"].label
APPROXIMATE = "population-averaged (approximation)"


def coefficients(
    posterior: Posterior, parameter: str | None = None, level: float = 0.95, interval: IntervalKind = "eti"
) -> Estimates:
    """The fixed effects beta: effects within a group, at its u.

    Parameters
    ----------
    posterior : Posterior
    parameter : str, optional
        Whose predictor: that of the response by default, of the first one where each category has its own, or of a
        further parameter with a formula, such as ``"sigma"``.
    level : float
        Posterior probability of the interval, between 0 and 1.
    interval : {"eti", "hdi"}
        Equal-tailed, or the shortest (highest density).

    Returns
    -------
    Estimates
        Labels: ``coefficient``, ``effect`` ("conditional"). Effects that differ between thresholds are named after
        them: ``x[low|medium]``.

    Raises
    ------
    SpecError
        For a parameter without a formula.
    """
    known = posterior.design.predictors.parameters
    parameter = known[0] if parameter is None else parameter
    if parameter not in known:
        raise SpecError(f"The model has no formula of {parameter!r}.", advice=choices(parameter, known))
    beta, asked = posterior.coefficients(parameter), Interval(level, interval)
    if parameter == LOCATION and posterior.design.thresholds:
        own = [posterior.array(tied.own)[:, None]] if (tied := posterior.design.tied) else []
        specific = [posterior.coefficients(one.parameter) for one in posterior.design.predictors.specific]
        both = {CONDITIONAL: np.hstack([posterior.array(THRESHOLD), *own, *specific, beta[:, 1:]])}
        return _side_by_side(posterior, both, asked, "Thresholds and conditional coefficients")
    return _side_by_side(posterior, {CONDITIONAL: beta}, asked, "Conditional coefficients", parameter)


def coefficients_by_predictor(posterior: Posterior) -> pd.DataFrame:
    """The conditional coefficients of all linear predictors, below each other, with the column ``predictor`` first."""
    found = {name: coefficients(posterior, name).table for name in posterior.design.predictors.parameters}
    return pd.concat([table.assign(predictor=name) for name, table in found.items()], ignore_index=True)[
        ["predictor", *next(iter(found.values())).columns]
    ]


def marginal_coefficients(posterior: Posterior, level: float = 0.95, interval: IntervalKind = "eti") -> Estimates:
    """Conditional coefficients, and beside them those of the population-averaged mean on the link scale.

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
        Labels: ``coefficient``, ``effect`` ("conditional" or "population-averaged").

    Raises
    ------
    SpecError
        For a link under which the population-averaged mean does not exist; for ordered categories, whose averaged
        probabilities have no coefficients in common.

    Notes
    -----
    Where other parameters than mu enter the mean, as of zero-inflated counts, the population-averaged coefficients are
    those of the mean of the response, which depends on all of these parameters. A note of the table names them.
    """
    require_mean(posterior.spec)
    if posterior.design.thresholds:
        raise SpecError(
            "Averaged over the population, a variable moves each threshold by its own amount: there are no marginal "
            "coefficients.",
            advice="Use compare(part='at_least', estimands='odds_ratio').",
        )
    asked = Interval(level, interval)
    both = {CONDITIONAL: posterior.beta, POPULATION_AVERAGED: _averaged(posterior)}
    found = _side_by_side(posterior, both, asked, "Conditional and population-averaged coefficients")
    mean, link = posterior.spec.family.mean, posterior.spec.link_name
    if posterior.spec.family.mean_is_location:
        return found
    note = (
        f"Conditional coefficients are those of {LOCATION}, population-averaged ones those of the mean on the {link} "
        f"scale, which depends on {' and '.join(mean.reads)}."
    )
    return replace(found, notes=(*found.notes, note))


def approximate_marginal_coefficients(
    posterior: Posterior, constant: float = ZEGER_CONSTANT, level: float = 0.95, interval: IntervalKind = "eti"
) -> Estimates:
    r"""The textbook approximation beta / sqrt(1 + sigma^2 / constant^2) for the logit link, beside the exact value.

    It is not the answer: off by several per cent, more as sigma grows; :func:`marginal_coefficients` has no such error.
    With random slopes sigma^2 is the variance z'Gz of each row, and the shrunk predictor is projected on X.

    Parameters
    ----------
    posterior : Posterior
    constant : float
        15 pi / (16 sqrt(3)) = 1.700 after Zeger, Liang & Albert (1988); pi / sqrt(3) = 1.814 matches the variances.
    level, interval
        As :func:`coefficients`.

    Returns
    -------
    Estimates
        Labels: ``coefficient``, ``effect`` ("population-averaged" or "population-averaged (approximation)").

    Raises
    ------
    SpecError
        For another link: it is exact for log and probit without approximation, and unknown elsewhere.
    """
    require_mean(posterior.spec)
    asked = Interval(level, interval)
    if posterior.spec.link_name != "logit":
        raise SpecError(
            f"The approximation is for the logit link, not {posterior.spec.link_name}.",
            advice="marginal_coefficients is exact for every link.",
        )

    def shrunk(predictors, draws):  # type: ignore[no-untyped-def]
        variance = variance_of_predictor(posterior, predictors, draws=draws)
        return fixed_predictor(posterior, predictors, draws) / np.sqrt(1.0 + variance / constant**2)

    both = {POPULATION_AVERAGED: _averaged(posterior), APPROXIMATE: project(posterior, shrunk)}
    return _side_by_side(posterior, both, asked, "Population-averaged coefficients, and an approximation")


def _averaged(posterior: Posterior) -> np.ndarray:
    """Coefficients of the population-averaged mean [draw, coefficient]."""
    return project(
        posterior,
        lambda predictors, draws: mean_response(posterior, predictors, READINGS["integrated"], draws, scale="link"),
    )


def project(posterior: Posterior, predictor: Callable[..., np.ndarray]) -> np.ndarray:
    """Project ``predictor(predictors, draws)`` less the offset on X, over the data's rows: [draw, coefficient]."""
    patterns, position = distinct(posterior.design.predictors)
    root = np.sqrt(np.bincount(position))
    canonical = conditioned(posterior.design).location  # columns far from 0 would lose their digits
    solve = np.linalg.pinv(root[:, None] * canonical.columns(patterns.X)) * root  # (X'WX)^-1 X'W, once for all draws
    solve = canonical.T @ solve
    parts = [
        (predictor(patterns, draws) - patterns.offset) @ solve.T for draws in draw_slices(posterior, len(patterns))
    ]
    return np.concatenate(parts)


def _side_by_side(
    posterior: Posterior, values: dict[str, np.ndarray], interval: Interval, what: str, parameter: str = LOCATION
) -> Estimates:
    names = posterior.design.predictors.of(parameter).coefficients
    if parameter == LOCATION and posterior.design.thresholds:  # in place of the intercept
        own = [tied.own] if (tied := posterior.design.tied) else []
        specific = posterior.design.specific.values()
        names = (*map(threshold, posterior.design.thresholds), *own, *specific, *names[1:])
    labels = pd.DataFrame([(name, effect) for name in names for effect in values], columns=["coefficient", "effect"])
    draws = np.stack(list(values.values()), axis=2).reshape(len(posterior.beta), -1)
    spec = posterior.spec
    of = posterior.design.response if parameter == LOCATION else parameter
    scale = spec.scale_name if parameter == LOCATION else spec.link_of(parameter).name
    description = f"{what} of {of} ({spec.family_name}, {scale} scale)."
    return tidy(draws, labels, interval, posterior.sample_shape, description, null=0.0)
