"""Are the chains where the mass is? The draws' log posterior against that of modes found by maximisation.

Chains that agree may agree in the wrong place: all of them in one mode of several, or held where the sampler's
coordinates put them. With the random effects integrated out, half a chi-square with as many degrees of freedom as there
are parameters separates a mode from a draw; a draw that lies much further below holds next to none of the mass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from bayes_glmm.diagnostics.check import Check, Skipped, number_text
from bayes_glmm.diagnostics.marginal_posterior import (
    GIVEN,
    Point,
    Searches,
    at_draws,
    is_given,
    laplace_values,
    quadrature_of,
    searches,
    too_large,
)
from bayes_glmm.errors import EstimationError, SpecError
from bayes_glmm.likelihood import Layout
from bayes_glmm.posterior import Posterior

DRAWS = 40  # whose median is known to a fifth of its sd: a small part of the threshold
FEWEST = 10
CONFIRMING = 3  # one in so many of the draws is taken for quadrature, which is slow
TAIL, SLACK = 0.999, 3.0  # of the chi-square; log density that an approximate integral may be off by
SOURCE = (
    "Wilks (1938), Annals of Mathematical Statistics 9, 60-62, for a posterior near normal; Tierney & Kadane (1986), "
    "JASA 81, 82-86, for the integral"
)


class Gap(NamedTuple):
    """How far the draws lie below the highest mode.

    ``value`` in log density, ``limit`` where the alarm begins, ``against`` in words what is compared, ``mode`` and
    ``draws`` in free coordinates [parameter] and [draw, parameter].
    """

    value: float
    limit: float
    against: str
    mode: np.ndarray
    draws: np.ndarray


def check_mode(posterior: Posterior) -> Check | Skipped:
    """Are the chains where the mass is? Fails where a mode lies further above them than a posterior allows."""
    name, title = "mode", "Draws below mode"
    if is_given(posterior):
        return Skipped(name, title, GIVEN)
    if not posterior.design.coefficients and not posterior.design.blocks:
        return Skipped(name, title, "")
    if too_large(posterior.design):
        return Skipped(name, title, "Searches for modes would take long for data of this size.")
    posterior = posterior.canonical
    try:
        prepared = searches(posterior.spec, posterior.design)
        gap = _gap(posterior, prepared)
    except (SpecError, EstimationError) as error:
        return Skipped(name, title, f"No mode was found: {error.what}")
    if gap is None:
        return Skipped(name, title, "The covariances of most draws are singular in floating point.")
    passed = gap.value <= gap.limit
    return Check(
        name, title, "pass" if passed else "fail", gap.value, gap.limit, "below",
        finding=f"in log density, {gap.against}",
        evidence=pd.DataFrame({"quantity": ["log posterior density"], "value": [gap.value]}),
        advice=() if passed else (_advice(gap, prepared.layout),),
        source=SOURCE,
    )  # fmt: skip


def _gap(posterior: Posterior, prepared: Searches) -> Gap | None:
    from scipy import stats

    layout, objective = prepared.layout, prepared.log_posterior(posterior.priors)
    draws = at_draws(posterior, layout, DRAWS)
    if len(draws) < FEWEST:
        return None
    modes = prepared.climb(objective, prepared.starts)
    if not modes:
        raise EstimationError("no search could start.")
    limit = 0.5 * float(stats.chi2.ppf(TAIL, draws.shape[1])) + SLACK
    values = laplace_values(prepared.likelihood, (layout.parameters(layout.from_free(y)) for y in draws))
    values += [objective.log_prior(y)[0] for y in draws]
    best, middle = modes[0], float(np.median(values[np.isfinite(values)]))
    against = f"random effects integrated out; best of {len(modes)} searches"
    found = Gap(best.value - middle, limit, against, best.y, draws)
    spec = posterior.spec
    exact = not spec.limited and spec.family_name == "gaussian" and spec.link_name == "identity"
    return found if exact or found.value <= limit else _confirmed(posterior, prepared, found, modes)


def _confirmed(posterior: Posterior, prepared: Searches, gap: Gap, modes: tuple[Point, ...]) -> Gap:
    """The gap by a better integral.

    The Laplace approximation may put modes in the wrong place, for few binary responses a level. Where quadrature can
    do the model it decides. Where it cannot, the error is left out of the comparison: the mode is compared with the one
    that a search from the draws leads to, by the same approximation.
    """
    quadrature = quadrature_of(prepared.likelihood)
    if quadrature is not None:
        objective = prepared.log_posterior(posterior.priors, quadrature)
        best = max(modes, key=lambda point: objective(point.y)[0])
        middle = float(np.median([objective(y)[0] for y in gap.draws[::CONFIRMING]]))
        return gap._replace(value=objective(best.y)[0] - middle, mode=best.y)
    laplace = prepared.log_posterior(posterior.priors)
    nearest = prepared.climb(laplace, (np.median(gap.draws, axis=0),))
    value = modes[0].value - max((point.value for point in nearest), default=-np.inf)
    return gap._replace(value=max(value, 0.0), against="from the mode next to the draws to the best one")


def _advice(gap: Gap, layout: Layout) -> str:
    at_mode, at_draws = (dict(_quantities(layout, y)) for y in (gap.mode, np.median(gap.draws, axis=0)))
    spread = {label: np.std([dict(_quantities(layout, y))[label] for y in gap.draws]) or 1.0 for label in at_mode}
    furthest = max(at_mode, key=lambda label: abs(at_mode[label] - at_draws[label]) / spread[label])
    scale = np.exp if furthest.startswith("sd_") else float
    there, here = (number_text(float(scale(values[furthest]))) for values in (at_mode, at_draws))
    return (
        f"The chains agree, but hold next to none of the posterior: {furthest} is {there} at a far higher mode, {here} "
        "at the draws. Center the covariates, center(x), in fixed and random terms; else fit again with another seed "
        'and coordinates="plain", and compare with bg.approx.laplace(model, target="posterior").'
    )


def _quantities(layout: Layout, y: np.ndarray) -> Iterator[tuple[str, float]]:
    """Coefficients, and logarithms of standard deviations."""
    yield from zip(layout.coefficients, map(float, y[layout.beta]), strict=True)
    places = iter(layout.sds)
    for block in layout.blocks:
        yield from ((f"sd_{block.group}[{effect}]", float(y[next(places)])) for effect in block.effects)
