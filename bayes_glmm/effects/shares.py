r"""Averages of the probabilities of ordered categories over random effects, of all categories together.

Whatever is asked of ordered categories is a sum of these with fixed weights. Of effects on eta alone the trapezoidal
rule, by a table where rows differ in eta only; where there is a discrimination,
:mod:`~bayes_glmm.effects.discriminated` calls this module at each node of its own rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from scipy import special

from bayes_glmm.design import Predictors
from bayes_glmm.effects.integrate import average_over_normal, variance_of_predictor
from bayes_glmm.effects.odds import average_by_odds, within
from bayes_glmm.effects.patterns import same_variance
from bayes_glmm.effects.table import several_by_table
from bayes_glmm.effects.trapezoid import Fine, line, strip_of
from bayes_glmm.families import CATEGORY, Functional, Link
from bayes_glmm.families.thresholds import logits_at, scale_of
from bayes_glmm.families.value import At
from bayes_glmm.names import LOCATION
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import Draws, values_at

Eta = Mapping[str, np.ndarray]
WIDE = 100.0  # sd of a predictor from which a latent normal variable with the moments of h serves: errors of 1e-6
# mean and variance of the distribution h of a link
_LATENT = {"logit": (0.0, np.pi**2 / 3.0), "cloglog": (-np.euler_gamma, np.pi**2 / 6.0)}


def average_of_shares(
    posterior: Posterior, functional: Functional, predictors: Predictors, eta: Eta, draws: Draws
) -> np.ndarray:
    """The probabilities of all categories averaged over random effects of the location [category, draw, row].

    Parameters
    ----------
    posterior : Posterior
    functional : Functional
        Any of the categories.
    predictors : Predictors
        With the factors to average over.
    eta : mapping of parameter to array [draw, row]
        Linear predictors without these effects.
    draws : slice or array
    """
    rows = predictors.take(np.zeros(1, int)) if same_variance(predictors) else predictors
    variance = variance_of_predictor(posterior, rows, None, draws)

    def average(_: Link, moved: np.ndarray, variance: np.ndarray) -> np.ndarray:
        return shares_given(posterior, functional, {**eta, LOCATION: moved}, variance, draws, Fine())

    if variance.shape[1] > 1 or len(eta) > 1:
        return average(posterior.spec.link, eta[LOCATION], variance)
    link = replace(posterior.spec.link, strip=posterior.spec.link.strip / functional.narrow)
    return several_by_table(average, link, eta[LOCATION], variance)


def shares_given(
    posterior: Posterior,
    functional: Functional,
    eta: Eta,
    variance: np.ndarray,
    draws: Draws,
    fine: Fine,
) -> np.ndarray:
    """The averages over effects of the location with this variance [category, draw, row], everything else known.

    Parameters
    ----------
    posterior, functional, eta, draws
        As :func:`average_of_shares`.
    variance : array [draw, row] or [draw, 1]
    fine : Fine
    """
    spec = posterior.spec
    record = spec.family.thresholds
    assert record is not None
    at = values_at(posterior, eta, draws)
    if spec.link_name != "logit":
        return _by_arrays(posterior, functional, eta, variance, draws, fine)
    sd = scale_of(at) * np.sqrt(variance)
    with np.errstate(over="ignore", invalid="ignore"):
        logits, some = within(logits_at(at, record.form), sd, fine, record.powers)
    strip = strip_of(spec.link) / functional.narrow
    found = average_by_odds(record.from_odds, logits[:, some], sd[some], strip, fine) if len(some) else None
    if found is None or len(some) == len(sd):
        return _by_arrays(posterior, functional, eta, variance, draws, fine) if found is None else found
    rest, numbers = np.setdiff1d(np.arange(len(sd)), some), np.arange(len(posterior.beta))[draws]
    own = {name: values[rest] for name, values in eta.items()}
    result = np.empty((len(found), len(sd), found.shape[2]))
    result[:, some] = found
    result[:, rest] = _by_arrays(posterior, functional, own, variance[rest], numbers[rest], fine)
    return result


def _by_arrays(
    posterior: Posterior, functional: Functional, eta: Eta, variance: np.ndarray, draws: Draws, fine: Fine
) -> np.ndarray:
    """The same for any link and any odds."""
    record = posterior.spec.family.thresholds
    assert record is not None
    if record.ordered:
        return _of_events(posterior.spec.family.by_category[CATEGORY], values_at(posterior, eta, draws), variance)
    return _by_line(posterior, functional, eta, variance, draws, fine)


def _by_line(
    posterior: Posterior, functional: Functional, eta: Eta, variance: np.ndarray, draws: Draws, fine: Fine
) -> np.ndarray:
    """By the rule of one predictor, draws with about the same sd together."""
    spec = posterior.spec
    record = spec.family.thresholds
    assert record is not None
    constants = {name: values[draws][:, None] for name, values in posterior.auxiliary.items()}
    sd = scale_of(values_at(posterior, eta, draws)) * np.sqrt(variance)
    shape = np.broadcast_shapes(eta[LOCATION].shape, sd.shape)
    result = np.empty((spec.family.categories, *shape))
    for some in _alike(sd.max(axis=1, initial=0.0)):
        own, known = ({name: one[some] for name, one in both.items()} for both in (eta, constants))
        spread, total = np.sqrt(variance[some]), np.zeros((len(result), len(some), shape[1]))
        widest = float(sd[some].max(initial=0.0))
        for z, weight in line(spec.link, widest, fine.digits, fine.reach, functional.narrow):
            if abs(z) > fine.last(widest) + 1e-9:
                continue
            moved = {**own, LOCATION: own[LOCATION] + spread * z}
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                total += weight * record.shares(spec.at(moved, known, NUMPY))
        result[:, some] = total
    return result


def _of_events(categories: tuple[Functional | None, ...], at: At, variance: np.ndarray) -> np.ndarray:
    """By the average of each P(y <= k) at its threshold."""
    averages: dict = {}
    found, variance = [], scale_of(at) ** 2 * variance
    for one in categories:
        assert one is not None
        total = np.full(np.broadcast_shapes(at[LOCATION].eta.shape, variance.shape), one.constant)
        for weight, threshold in one.events:
            if threshold not in averages:
                below = scale_of(at) * (threshold(at) - at[LOCATION].eta)
                averages[threshold] = _average(at[LOCATION].link, below, np.broadcast_to(variance, total.shape))
            total += weight * averages[threshold]
        found.append(total)
    return np.stack(found)


def _average(link: Link, eta: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """E[h(eta + u)], u ~ N(0, variance), of very large variances too."""
    wide = variance > WIDE**2
    if link.name not in _LATENT or not wide.any():
        return average_over_normal(link, eta, variance)
    mean, own = _LATENT[link.name]
    found = special.ndtr((eta - mean) / np.sqrt(variance + own))
    found[~wide] = average_over_normal(link, eta[~wide], variance[~wide])
    return found


def _alike(size: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of draws whose sizes [draw] are within a factor of the root of 2, and of those below 1/16."""
    rung = np.ceil(2.0 * np.log2(np.maximum(size, 0.0625))).astype(int)
    yield from (np.flatnonzero(rung == one) for one in np.unique(rung))
