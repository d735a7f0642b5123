r"""How the random effects spread the response itself: its variance, its correlation within groups, and R2.

With m = E h the population-averaged mean of a row, h its mean given u, and V the family's variance given u,

    Var(y) = E V + Var(h),      Cov(y, y' | same level of factor g) = Var(E(h | u_g)),

all expectations over u ~ N(0, G), by the trapezoidal rule: for the Poisson with a random intercept they give
m + m^2 (exp(sigma^2) - 1). No simulation, no linearisation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from bayes_glmm.design import Predictors
from bayes_glmm.effects.columns import beside
from bayes_glmm.effects.estimands import require_mean
from bayes_glmm.effects.expect import expect, over_effects, value_of
from bayes_glmm.effects.grid import given_rows, means, model_columns
from bayes_glmm.effects.integrate import variance_of_predictor
from bayes_glmm.effects.patterns import distinct, encode, same_variance, slices, split_blocks
from bayes_glmm.effects.readings import READINGS
from bayes_glmm.effects.tidy import Estimates, tidy
from bayes_glmm.effects.trapezoid import expectation
from bayes_glmm.errors import SpecError
from bayes_glmm.families import Functional, Link
from bayes_glmm.families.value import At
from bayes_glmm.names import LOCATION
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import at, fixed_predictor, spread_draws
from bayes_glmm.summaries import Interval, IntervalKind

_WHY = "its effects enter several parameters of the mean; variance() has the standard deviations of each."


def response_variance(
    posterior: Posterior, newdata: pd.DataFrame | None = None, level: float = 0.95, interval: IntervalKind = "eti"
) -> Estimates:
    """Mean, variance and within-group correlation of the response at rows, u integrated out.

    Parameters
    ----------
    posterior : Posterior
    newdata : DataFrame, optional
        By default one typical row: numeric columns at their mean, others at their most common level.
    level : float
        Posterior probability of the interval, between 0 and 1.
    interval : {"eti", "hdi"}
        Equal-tailed, or the shortest (highest density).

    Returns
    -------
    Estimates
        Labels: the model's columns, ``quantity`` and ``group``. Quantities: ``mean``; ``variance`` of one response (one
        trial); ``dispersion``, that variance over what the family would give a response with this mean and no random
        effects; ``correlation`` of two responses that share a level of ``group`` and no level of another factor.

    Raises
    ------
    SpecError
        For a link under which the population-averaged mean does not exist.
    """
    require_mean(posterior.spec)
    design, asked = posterior.design, Interval(level, interval)
    rows = means(design) if newdata is None else given_rows(newdata)
    predictors = encode(design, rows)
    every = np.arange(len(posterior.beta))
    mean, total = response_moments(posterior, predictors, every)
    plain = _plain_variance(posterior, predictors, mean, every)
    found = {("mean", ""): mean, ("variance", ""): total, ("dispersion", ""): total / plain}
    several = [block.group for block in design.blocks if _several(posterior, predictors, block.group)]
    for block in design.blocks:
        if block.group not in several:
            shared = _shared_variance(posterior, predictors, block.group, mean, every)
            found["correlation", block.group] = shared / total
    shown = rows[[column for column in model_columns(design) if column in rows.columns]]
    repeated = shown.loc[shown.index.repeat(len(found))].reset_index(drop=True)
    quantities, factors = zip(*found, strict=True)
    labels = beside(repeated, quantity=quantities * len(rows), group=factors * len(rows))
    draws = np.stack(list(found.values()), axis=2).reshape(len(every), -1)
    description = f"Spread of {design.response} over the random effects, response scale."
    notes = (f"The correlation within {' and '.join(several)} is not there: {_WHY}",) if several else ()
    return tidy(draws, labels, asked, posterior.sample_shape, description, notes=notes)


def response_icc(
    posterior: Posterior, level: float = 0.95, interval: IntervalKind = "eti", draws: int = 400
) -> Estimates:
    """Intraclass correlation on the scale of the response, over the population of the data's rows.

    The part of the variance that lies between the levels of a grouping factor,

        mean over rows of Var(E(h | u_g)) / mean over rows of Var(y),

    the variance partition coefficient of Goldstein, Browne & Rasbash (2002), by quadrature in place of their
    simulation (method B). At single rows it is the ``correlation`` of :func:`response_variance`.

    Parameters
    ----------
    posterior : Posterior
    level : float
        Posterior probability of the interval, between 0 and 1.
    interval : {"eti", "hdi"}
        Equal-tailed, or the shortest (highest density).
    draws : int
        How many draws to use, evenly spread over all. Random slopes beside a second factor take some tenths of a second
        a draw for 10,000 rows, random intercepts some hundredths.

    Returns
    -------
    Estimates
        Label ``group``. ``draws`` has one chain.

    Raises
    ------
    SpecError
        For a link under which the population-averaged mean does not exist.
    """
    require_mean(posterior.spec)
    asked = Interval(level, interval)
    chosen, groups = spread_draws(posterior, draws), [block.group for block in posterior.design.blocks]
    patterns, position = distinct(posterior.design.predictors)
    weights = np.bincount(position) / len(position)
    shares = np.empty((len(chosen), len(groups)))
    for part in slices(len(chosen), len(patterns)):
        mean, total = response_moments(posterior, patterns, chosen[part])
        for k, group in enumerate(groups):
            between = _shared_variance(posterior, patterns, group, mean, chosen[part])
            shares[part, k] = (between @ weights) / (total @ weights)
    description = f"Intraclass correlation of {posterior.design.response} over {len(position)} rows, response scale."
    return tidy(shares, pd.DataFrame({"group": groups}), asked, (1, len(chosen)), description)


def r_squared(posterior: Posterior, level: float = 0.95, interval: IntervalKind = "eti", draws: int = 400) -> Estimates:
    """Bayesian R2 (Gelman, Goodrich, Gabry & Vehtari 2019): the share of the variance that the predicted means explain.

    Draw by draw Var over rows of the mean / (that + mean residual variance), both as the model states them; of one
    trial, under trials.

    Parameters
    ----------
    posterior : Posterior
    level, interval
        As :func:`coefficients`.
    draws : int
        How many draws to use, evenly spread over all.

    Returns
    -------
    Estimates
        Label ``effect``: "conditional", the means given the rows' own groups explain; "population-averaged", the means
        with u integrated out explain, and variation between groups is part of the residual. ``draws`` has one chain.
    """
    require_mean(posterior.spec)
    asked = Interval(level, interval)
    chosen = spread_draws(posterior, draws)
    patterns, position = distinct(posterior.design.predictors)
    weights = np.bincount(position) / len(position)
    shares = []
    for part in slices(len(chosen), len(position)):
        conditional = _conditional_share(posterior, chosen[part])
        averaged = _averaged_share(posterior, chosen[part], patterns, weights)
        shares.append(np.column_stack([conditional, averaged]))
    labels = pd.DataFrame({"effect": ["conditional", READINGS["integrated"].label]})
    description = f"R2 of {posterior.design.response}, response scale."
    return tidy(np.concatenate(shares), labels, asked, (1, len(chosen)), description)


def _conditional_share(posterior: Posterior, draws: np.ndarray) -> np.ndarray:
    """Var(mu) / (Var(mu) + mean V) over the data's rows, given their own groups [draw]."""
    family, known = posterior.spec.family, at(posterior, draws=draws)
    with np.errstate(over="ignore", divide="ignore"):
        mu, variance = np.asarray(family.mean.value(known)), np.asarray(family.variance(known))
    explained = mu.var(axis=1)
    return explained / (explained + np.broadcast_to(variance, mu.shape).mean(axis=1))


def _averaged_share(posterior: Posterior, draws: np.ndarray, patterns: Predictors, weights: np.ndarray) -> np.ndarray:
    """The same with u integrated out, over patterns of rows [draw]."""
    mean, total = response_moments(posterior, patterns, draws)
    explained = (mean - (mean @ weights)[:, None]) ** 2 @ weights
    return explained / (explained + total @ weights)


def response_moments(posterior: Posterior, predictors: Predictors, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the response, u integrated out, each [draw, row]."""
    family = posterior.spec.family
    eta = _at_zero(posterior, predictors, draws)

    def second_moment(known: At) -> np.ndarray:
        """V + h^2."""
        mu = family.mean.value(known)
        return family.variance(known) + mu * mu

    squared = _of_all(posterior, "second moment", second_moment)
    mean = expect(posterior, family.mean, predictors, eta, draws)
    return mean, expect(posterior, squared, predictors, eta, draws) - mean**2


def _several(posterior: Posterior, predictors: Predictors, group: str) -> bool:
    """Whether effects of a factor enter other parameters that the mean depends on than its location."""
    own, _ = split_blocks(predictors, [group])
    others = [name for name in posterior.spec.family.mean.reads if name != LOCATION]
    return any(block.of(name) for block in own.blocks for name in others)


def _at_zero(posterior: Posterior, predictors: Predictors, draws: np.ndarray) -> dict[str, np.ndarray]:
    """The linear predictor of each parameter at u = 0."""
    return {name: fixed_predictor(posterior, predictors, draws, name) for name in predictors.parameters}


def _of_all(posterior: Posterior, name: str, value: Callable[[At], np.ndarray]) -> Functional:
    """A functional that reads all parameters."""
    family = posterior.spec.family
    reads = tuple(parameter.name for parameter in family.parameters)
    return Functional(name, name, reads, value, diverges=family.mean.diverges, narrow=family.mean.narrow)


def _shared_variance(
    posterior: Posterior, predictors: Predictors, group: str, mean: np.ndarray, draws: np.ndarray
) -> np.ndarray:
    """Var(E(h | u_g)) [draw, row]."""
    spec, asked = posterior.spec, posterior.spec.family.mean
    own, others = split_blocks(predictors, [group])
    if _several(posterior, predictors, group):
        raise SpecError(f"The correlation within {group} is not there: {_WHY}")
    rows = own.take(np.zeros(1, int)) if same_variance(own) else own
    sd = np.sqrt(variance_of_predictor(posterior, rows, draws=draws))
    eta = _at_zero(posterior, predictors, draws)

    def second_moment(link: Link, location: np.ndarray, _: np.ndarray) -> np.ndarray:
        """E[E(h | u_g)^2]."""

        def squared(x: np.ndarray) -> np.ndarray:
            return expect(posterior, asked, others, {**eta, LOCATION: x}, draws) ** 2

        return expectation(squared, link, location, np.broadcast_to(sd, location.shape))

    if any(name in eta for name in asked.reads if name != LOCATION):
        return second_moment(spec.link, eta[LOCATION], sd) - mean**2
    return over_effects(posterior, second_moment, predictors, eta[LOCATION], draws) - mean**2


def _plain_variance(posterior: Posterior, predictors: Predictors, mean: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """The family's variance at a mean, other parameters at u = 0 [draw, row]."""
    spec = posterior.spec
    if not spec.family.mean_is_location:
        eta = _at_zero(posterior, predictors, draws)
        return value_of(posterior, _of_all(posterior, "variance", spec.family.variance), eta, draws)
    eta = _at_zero(posterior, predictors, draws) | {LOCATION: np.asarray(spec.link.forward(mean, NUMPY))}
    return value_of(posterior, _of_all(posterior, "variance", spec.family.variance), eta, draws)
