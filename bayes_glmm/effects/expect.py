r"""Averages of a functional of the response over random effects: E[f(eta + u)], u ~ N(0, V), one eta a parameter.

In this order, whichever applies first:

- no random effect enters what f reads: f itself;
- f is the probability of a category without an order: :mod:`~bayes_glmm.effects.softmax`;
- f is a quotient of two functionals: the average of each, divided, which is not the average of the quotient;
- f is a product of functionals whose parameters have uncorrelated effects: the product of their averages; of two with
  correlated effects: the trapezoidal rule over the effects of one, inside it the average over the other's given them;
- f is a sum of probabilities of ordered categories: with a discrimination :mod:`~bayes_glmm.effects.discriminated`;
  of thresholds in order the average of each P(y <= k), whose predictor is c_k - eta; of free ones
  :mod:`~bayes_glmm.effects.shares`;
- f is proportional to a parameter, and no random effect enters the rest of it: the average of that parameter, by a
  closed form of its link or the trapezoidal rule (:mod:`~bayes_glmm.effects.integrate`), times the rest;
- the parameter has a log link: E[e^eta1 h(eta2)] = exp(m1 + V11 / 2) E[h(m2 + V12 + sqrt(V22) Z)], a tilt;
- its effects are independent of the rest's: the product of both averages;
- one parameter: the trapezoidal rule; two: the product of two such rules over eta = m + L z, V = L L'.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from bayes_glmm.design import Predictors
from bayes_glmm.effects.discriminated import average_discriminated
from bayes_glmm.effects.integrate import average_over_normal, covariance_of_predictors, variance_of_predictor
from bayes_glmm.effects.patterns import same_variance, slices
from bayes_glmm.effects.shares import average_of_shares
from bayes_glmm.effects.softmax import average_of_categories
from bayes_glmm.effects.table import Average, by_table
from bayes_glmm.effects.trapezoid import (
    PLANE_DIGITS,
    PLANE_REACH,
    expectation,
    line,
    plane_expectation,
    strip_of,
)
from bayes_glmm.errors import SpecError
from bayes_glmm.families import Functional, Link
from bayes_glmm.families.value import At
from bayes_glmm.names import LOCATION
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import Draws, values_at

Eta = Mapping[str, np.ndarray]


def value_of(posterior: Posterior, functional: Functional, eta: Eta, draws: Draws) -> np.ndarray:
    """The functional at linear predictors [draw, row]."""
    return _valued(functional, values_at(posterior, eta, draws))


def values_of(posterior: Posterior, functionals: Sequence[Functional], eta: Eta, draws: Draws) -> np.ndarray:
    """Several functionals at linear predictors [functional, draw, row]."""
    if (every := functionals[0].every) is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            return every(values_at(posterior, eta, draws))[_places(posterior, functionals)]
    return np.stack([value_of(posterior, one, eta, draws) for one in functionals])


def _valued(functional: Functional, at: At) -> np.ndarray:
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return np.asarray(functional.value(at), float)


def _places(posterior: Posterior, functionals: Sequence[Functional]) -> list[int]:
    """Which category each functional of a part is that of, from 0."""
    of_each = posterior.spec.family.by_category[functionals[0].name]
    return [next(k for k, one in enumerate(of_each) if one is functional) for functional in functionals]


def expectations(
    posterior: Posterior,
    functionals: Sequence[Functional],
    predictors: Predictors,
    eta: Eta,
    draws: Draws = slice(None),
) -> np.ndarray:
    """Several functionals averaged over random effects [functional, draw, row]: those of all categories together.

    Parameters
    ----------
    posterior : Posterior
    functionals : sequence of Functional
        One, or those of one part for several categories.
    predictors, eta, draws
        As :func:`expect`.

    Raises
    ------
    SpecError
        As :func:`expect`.
    """
    first = functionals[0]
    random = _random(predictors, first, eta)
    if not random:
        return values_of(posterior, functionals, eta, draws)
    if posterior.spec.family.response.nominal:
        etas = [eta[name] for name in first.reads]
        averages = average_of_categories(posterior, predictors, etas, first.reads, draws)
        return averages[_places(posterior, functionals)]
    if first.events and not first.scale:
        return _of_events(posterior, functionals, predictors, eta, draws, random[0])
    if first.weights:
        average = average_discriminated if first.scale else average_of_shares
        shares = average(posterior, first, predictors, eta, draws)
        return np.tensordot(np.array([one.weights for one in functionals]), shares, axes=1)
    return np.stack([expect(posterior, one, predictors, eta, draws) for one in functionals])


def expect(
    posterior: Posterior, functional: Functional, predictors: Predictors, eta: Eta, draws: Draws = slice(None)
) -> np.ndarray:
    """The functional averaged over random effects [draw, row].

    Parameters
    ----------
    posterior : Posterior
    functional : Functional
    predictors : Predictors
        With the factors to average over.
    eta : mapping of parameter to array [draw, row]
        Linear predictors without these effects, of all parameters that have one.
    draws : slice or array
        Which draws, chains stacked.

    Raises
    ------
    SpecError
        For a link under which the average does not exist, and for effects in more than two parameters.
    """
    random = _random(predictors, functional, eta)
    if not random:
        return value_of(posterior, functional, eta, draws)
    for name in random:
        if name in functional.diverges:
            raise SpecError(
                functional.diverges[name],
                f"{functional.title} of {posterior.design.response}, averaged over random effects of {name}",
                "Use random_effects='zero' or 'known', or another part" + _existing(posterior, functional) + ".",
            )
    if functional.weights or posterior.spec.family.response.nominal:
        return expectations(posterior, (functional,), predictors, eta, draws)[0]
    if functional.quotient:
        over, under = (expect(posterior, part, predictors, eta, draws) for part in functional.quotient)
        return over / under
    if functional.factors and not _share(predictors, functional.factors):
        averages = [expect(posterior, factor, predictors, eta, draws) for factor in functional.factors]
        return reduce(np.multiply, averages)
    if functional.complement is not None and len(random) > 1:
        return 1.0 - expect(posterior, functional.complement, predictors, eta, draws)
    if (pair := _pair_of(functional.factors, random)) is not None:
        return _by_pair(posterior, pair, predictors, eta, draws)
    if functional.factor not in random:
        return _plain(posterior, functional, predictors, eta, draws, random)
    rest, link = _rest(functional), posterior.spec.link_of_part(functional)
    others = [name for name in random if name != functional.factor]
    if not others:
        mean = over_effects(
            posterior, average_over_normal, predictors, eta[functional.factor], draws, functional.factor, link
        )
        return mean * value_of(posterior, rest, eta, draws) if functional.rest else mean
    if link.name == "log":
        V = covariance_of_predictors(posterior, predictors, (functional.factor, *others), draws)
        moved = {name: eta[name] + V[..., 0, 1 + k] for k, name in enumerate(others)}
        scale = np.exp(eta[functional.factor] + 0.5 * V[..., 0, 0])
        return scale * expect(posterior, rest, predictors, {**eta, **moved}, draws)
    if not _related(predictors, functional.factor, others):
        mean = over_effects(
            posterior, average_over_normal, predictors, eta[functional.factor], draws, functional.factor, link
        )
        return mean * expect(posterior, rest, predictors, eta, draws)
    return _plain(posterior, functional, predictors, eta, draws, random)


def over_effects(
    posterior: Posterior,
    average: Average,
    predictors: Predictors,
    eta: np.ndarray,
    draws: Draws,
    parameter: str = LOCATION,
    link: Link | None = None,
) -> np.ndarray:
    """``average(link, eta, variance)`` over the random effects of rows [draw, row]; by a table where that is faster.

    Parameters
    ----------
    posterior : Posterior
    average : function
        Such as :func:`~bayes_glmm.effects.integrate.average_over_normal`.
    predictors : Predictors
        With the factors to average over.
    eta : array [draw, row]
        Linear predictor without them.
    draws : slice or array
    parameter : str
        Whose linear predictor.
    link : Link, optional
        Another one than that of the parameter.
    """
    link = link or posterior.spec.link_of(parameter)
    if same_variance(predictors, parameter):
        variance = variance_of_predictor(posterior, predictors.take(np.zeros(1, int)), None, draws, parameter)
        return by_table(average, link, eta, variance)
    return average(link, eta, variance_of_predictor(posterior, predictors, None, draws, parameter))


def _of_events(
    posterior: Posterior, functionals: Sequence[Functional], predictors: Predictors, eta: Eta, draws: Draws, name: str
) -> np.ndarray:
    """Constants and weights of P(y <= k), each averaged once at its threshold less the linear predictor."""
    known, averages = values_at(posterior, eta, draws), {}
    for threshold in dict.fromkeys(threshold for one in functionals for _, threshold in one.events):
        below = threshold(known) - eta[name]
        averages[threshold] = over_effects(posterior, average_over_normal, predictors, below, draws, name)
    totals = np.empty((len(functionals), *eta[name].shape))
    for total, one in zip(totals, functionals, strict=True):
        total[:] = one.constant
        for weight, threshold in one.events:
            total += weight * averages[threshold]
    return totals


def _plain(
    posterior: Posterior,
    functional: Functional,
    predictors: Predictors,
    eta: Eta,
    draws: Draws,
    random: Sequence[str],
) -> np.ndarray:
    """By the rule for one parameter, or for two."""
    if len(random) == 1:
        return _by_line(posterior, functional, predictors, eta, draws, random[0])
    if len(random) > 2:
        raise SpecError(
            f"Averages over random effects of {', '.join(random)} together are not there.",
            functional.title,
            "Use random_effects='zero', 'known' or 'new'.",
        )
    V = covariance_of_predictors(posterior, predictors, tuple(random), draws)
    links = [posterior.spec.link_of(name) for name in random]

    def at(*moved: np.ndarray) -> np.ndarray:
        return value_of(posterior, functional, {**eta, **dict(zip(random, moved, strict=True))}, draws)

    start = [np.broadcast_to(eta[name], V.shape[:2]) for name in random]
    return plane_expectation(at, links, start, V)


Pair = tuple[tuple[str, Functional], tuple[str, Functional]]


def _pair_of(factors: Sequence[Functional], random: Sequence[str]) -> Pair | None:
    """Two factors with the one parameter with effects that each reads, the second of no further predictor."""
    read = [[name for name in factor.reads if name in random] for factor in factors]
    if len(factors) != 2 or [len(names) for names in read] != [1, 1] or read[0] == read[1]:
        return None
    found = [(names[0], factor) for names, factor in zip(read, factors, strict=True)]
    first, second = sorted(found, key=lambda one: -len(one[1].reads))
    return first, second


def _by_pair(posterior: Posterior, pair: Pair, predictors: Predictors, eta: Eta, draws: Draws) -> np.ndarray:
    """E[f(eta1 + u1) g(eta2 + u2)]: the rule over u1, at each node of which g is averaged given u1.

    The nodes of all rows of a draw are one long row, so that its average of g is one table where variances are alike.
    """
    (one, f), (other, g) = pair
    V = covariance_of_predictors(posterior, predictors, (one, other), draws)
    sd = np.sqrt(np.maximum(V[..., 0, 0], 0.0))
    across = np.divide(V[..., 1, 0], sd, out=np.zeros_like(sd), where=sd > 0.0)
    left = np.maximum(V[..., 1, 1] - across**2, 0.0)
    alike = same_variance(predictors, one) and same_variance(predictors, other)
    link = min((posterior.spec.link_of(name) for name in (one, other)), key=strip_of)
    widest = float(np.sqrt(np.maximum(V[..., 0, 0], V[..., 1, 1])).max(initial=0.0))
    z, weights = np.array(list(line(link, widest, PLANE_DIGITS, PLANE_REACH))).T
    chosen = np.arange(len(posterior.beta))[draws]
    total = np.empty(sd.shape)
    for some in slices(len(chosen), sd.shape[1] * len(z)):
        own = {name: np.broadcast_to(values, sd.shape)[some, :, None] for name, values in eta.items()}
        moved = {**own, one: own[one] + sd[some, :, None] * z, other: own[other] + across[some, :, None] * z}
        flat = {
            name: np.broadcast_to(each, (*sd[some].shape, len(z))).reshape(len(each), -1)
            for name, each in moved.items()
        }
        variance = left[some, :1] if alike else np.repeat(left[some], len(z), axis=1)
        values = value_of(posterior, f, flat, chosen[some]) * _over_line(
            posterior, g, flat, chosen[some], other, variance
        )
        total[some] = values.reshape(*sd[some].shape, len(z)) @ weights
    return total


def _by_line(
    posterior: Posterior, functional: Functional, predictors: Predictors, eta: Eta, draws: Draws, name: str
) -> np.ndarray:
    """By the rule for one parameter."""
    rows = predictors.take(np.zeros(1, int)) if same_variance(predictors, name) else predictors
    variance = variance_of_predictor(posterior, rows, None, draws, name)
    return _over_line(posterior, functional, eta, draws, name, variance)


def _over_line(
    posterior: Posterior, functional: Functional, eta: Eta, draws: Draws, name: str, variance: np.ndarray
) -> np.ndarray:
    """By the rule for one parameter, by a table where nothing else that is read changes from row to row.

    Draws with about the same sd share their nodes, whose number grows with it. ``variance`` is [draw, row], or
    [draw, 1] where it is the same in all rows.
    """
    link, others = posterior.spec.link_of(name), {other: values for other, values in eta.items() if other != name}
    constants = {other: values[draws][:, None] for other, values in posterior.auxiliary.items()}

    def average(_: Link, moved: np.ndarray, variance: np.ndarray) -> np.ndarray:
        sd, result = np.broadcast_to(np.sqrt(variance), moved.shape), np.empty(moved.shape)
        for some in _alike(sd.max(axis=1, initial=0.0)):

            def at(x: np.ndarray, some: np.ndarray = some) -> np.ndarray:
                known, own = ({other: one[some] for other, one in both.items()} for both in (others, constants))
                return _valued(functional, posterior.spec.at({**known, name: x}, own, NUMPY))

            result[some] = expectation(at, link, moved[some], sd[some], functional.narrow)
        return result

    if variance.shape[1] > 1 or any(other in others for other in functional.reads):
        return average(link, eta[name], variance)
    return by_table(average, replace(link, strip=link.strip / functional.narrow), eta[name], variance)


def _alike(sd: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of draws whose sds [draw] are within a factor of the root of 2, and of those below 1/16."""
    rung = np.ceil(2.0 * np.log2(np.maximum(sd, 0.0625))).astype(int)
    yield from (np.flatnonzero(rung == one) for one in np.unique(rung))


def _rest(functional: Functional) -> Functional:
    """What stands beside the factor."""
    reads = tuple(name for name in functional.reads if name != functional.factor)
    rest = functional.rest or _one
    return replace(functional, reads=reads, value=rest, factor="", rest=None, link="")


def _existing(posterior: Posterior, functional: Functional) -> str:
    """Parts that do not read what the functional has no average over."""
    parts = posterior.spec.family.parts.values()
    names = [one.name for one in parts if one.name != LOCATION and not set(functional.diverges) & set(one.reads)]
    return f": {', '.join(names)}" if names else ""


def _one(at: Any) -> float:
    return 1.0


def _share(predictors: Predictors, factors: Sequence[Functional]) -> bool:
    """Whether effects of parameters that one factor reads are correlated with those of another factor's."""
    for k, factor in enumerate(factors):
        others = [name for other in factors[k + 1 :] for name in other.reads]
        if any(_related(predictors, name, others) for name in factor.reads):
            return True
    return False


def _random(predictors: Predictors, functional: Functional, eta: Eta) -> list[str]:
    """The parameters that a functional reads whose linear predictors have random effects."""
    return [name for name in functional.reads if name in eta and _varies(predictors, name)]


def _varies(predictors: Predictors, parameter: str) -> bool:
    return any(block.of(parameter) for block in predictors.blocks)


def _related(predictors: Predictors, parameter: str, others: Sequence[str]) -> bool:
    """Whether effects of a parameter are correlated with those of others."""
    for block in predictors.blocks:
        for run in block.runs:
            of_run = set(block.parameters[run])
            if parameter in of_run and of_run & set(others):
                return True
    return False
