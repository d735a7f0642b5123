"""Do the priors let the data speak? Maximum likelihood estimates against the prior of each coefficient and sd.

A maximum likelihood estimate far out in a prior means that the prior pulls the answer: a default prior on a column
whose zero is far from the data, or a given prior that the data contradict. The distance is counted in standard
deviations of a normal prior; for other priors, of the normal one whose density has fallen as much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayes_glmm.design import Design, Priors, separated
from bayes_glmm.design.canonical import without_coefficients
from bayes_glmm.design.prior_text import brief
from bayes_glmm.diagnostics.check import Check, Skipped, named, number_text
from bayes_glmm.diagnostics.marginal_posterior import GIVEN, is_given, searches, too_large
from bayes_glmm.errors import EstimationError, SpecError
from bayes_glmm.likelihood.priors import log_density
from bayes_glmm.posterior import Posterior
from bayes_glmm.spec import ModelSpec, Prior

FAR = 3.0  # prior sds
SOURCE = "Evans & Moshonov (2006), Bayesian Analysis 1, 893-914, on conflict between prior and data"
_SHOWN = 5
_GRID = np.linspace(-30.0, 30.0, 241)  # logarithms of numbers among which a prior of an sd has its mode


@dataclass(frozen=True)
class Conflict:
    """A maximum likelihood estimate and its prior.

    Attributes
    ----------
    parameter : str
        As the priors name it.
    estimate : float
    distance : float
        From the centre of the prior, in prior sds.
    """

    parameter: str
    estimate: float
    distance: float


def check_prior_conflict(posterior: Posterior) -> Check | Skipped:
    """Are maximum likelihood estimates within 3 prior sds? Never fails: a prior may be meant to decide."""
    name, title = "prior_conflict", "Prior-data conflict"
    if is_given(posterior):
        return Skipped(name, title, GIVEN)
    if too_large(posterior.design):
        return Skipped(name, title, "Maximum likelihood would take long for data of this size.")
    # effects at the centre of their covariates, where their priors hold; coefficients as written, as priors are shown
    at_centre = without_coefficients(posterior.priors.canonical, posterior.design)
    try:
        found = conflicts(posterior.spec, at_centre.design(posterior.design), posterior.priors)
    except (SpecError, EstimationError) as error:
        return Skipped(name, title, f"Not compared: {error.what}")
    if not found:
        return Skipped(name, title, "")
    worst = found[0]
    far = [conflict.parameter for conflict in found if conflict.distance > FAR]
    shown = found[: max(len(far), _SHOWN)]
    return Check(
        name, title, "look" if far else "pass", worst.distance, FAR, "below",
        finding=f"prior sds to maximum likelihood, most: {worst.parameter}"
        + (f"; {len(far)} of {len(found)} miss" if far else ""),
        evidence=pd.DataFrame({
            "parameter": [conflict.parameter for conflict in shown],
            "value": [conflict.distance for conflict in shown],
            "estimate": [conflict.estimate for conflict in shown],
        }),
        advice=(_advice(posterior.design, posterior.priors, worst, far),) if far else (),
        source=SOURCE,
    )  # fmt: skip


def conflicts(spec: ModelSpec, design: Design, priors: Priors) -> tuple[Conflict, ...]:
    """How far each maximum likelihood estimate lies from its prior, furthest first.

    Coefficients that separate the response, and standard deviations of factors whose levels are all one-sided, have no
    estimate and are left out. A standard deviation is compared upward only: one estimated as 0 contradicts no prior
    that has its mass near 0.

    Raises
    ------
    SpecError
        For a prior whose density is not known here, and designs too large for the approximations.
    EstimationError
        If the search cannot start.
    """
    prepared = searches(spec, design)
    found = prepared.climb(prepared.log_likelihood(), prepared.starts[:1])
    if not found:
        raise EstimationError("the likelihood is not finite where the search starts.")
    layout, y = prepared.layout, found[0].y
    measured = []
    for j in np.flatnonzero(_estimable(spec, design)):
        name, value = layout.coefficients[j], float(y[j])
        if name not in priors.entries:  # an intercept whose prior at x = 0 has no closed form
            continue
        measured.append(Conflict(name, value, coefficient_distance(priors[name], value)))
    places = iter(layout.sds)
    for block in layout.blocks:
        sds = [float(np.exp(y[next(places)])) for _ in block.effects]
        if spec.family.response.events and not _mixed(design, block.index, len(block.levels)):
            continue
        for k in block.own_sds:
            name = f"sd_{block.group}[{block.effects[k]}]"
            measured.append(Conflict(name, sds[k], sd_distance(priors[name], sds[k])))
    return tuple(sorted(measured, key=lambda conflict: -conflict.distance))


def coefficient_distance(prior: Prior, value: float) -> float:
    """How far a number lies from the centre of the prior of a coefficient, in prior sds.

    Raises
    ------
    SpecError
        For a prior whose density is not known here.

    Examples
    --------
    >>> coefficient_distance(Prior.parse("Normal(1, 2)"), 7.0)
    3.0
    """
    arguments = [x for x in (*prior.positional, *dict(prior.keyword).values()) if isinstance(x, int | float)]
    # the centre is an argument (mu, alpha), halfway between two (lower, upper) or 0
    candidates = {0.0, *arguments, float(np.mean(arguments or [0.0]))}
    height = max(log_density(prior, x)[0] for x in candidates)
    return _sds(height - log_density(prior, value)[0])


def sd_distance(prior: Prior, value: float) -> float:
    """How far a number lies above the mode of the prior of a logarithm, in prior sds; 0 below it.

    Raises
    ------
    SpecError
        For a prior whose density is not known here.

    Examples
    --------
    >>> round(sd_distance(Prior.parse("HalfStudentT(3, 2)"), 21.8), 1)
    3.0
    >>> sd_distance(Prior.parse("HalfStudentT(3, 2)"), 0.001)
    0.0
    """
    heights = np.array([log_density(prior, x)[0] + np.log(x) for x in np.exp(_GRID)])
    highest = int(np.nanargmax(heights))
    if value <= np.exp(_GRID[highest]):
        return 0.0
    return _sds(float(heights[highest]) - log_density(prior, value)[0] - float(np.log(value)))


def _sds(drop: float) -> float:
    """The distance at which a normal density has fallen by so much, on the log scale."""
    return float(np.sqrt(2.0 * max(drop, 0.0)))


def _mixed(design: Design, index: np.ndarray, levels: int) -> bool:
    """Whether any level has both successes and failures."""
    failures = (1.0 if design.trials is None else design.trials) - design.y
    some = [np.bincount(index, counts, levels) > 0 for counts in (design.y, failures)]
    return bool((some[0] & some[1]).any())


def _estimable(spec: ModelSpec, design: Design) -> list[bool]:
    """Which coefficients the response does not separate; the intercept goes with those that it does [coefficient].

    Those of further parameters are not looked at.
    """
    apart = set(separated(design, spec.family.response, spec.family.thresholds))
    apart |= {"Intercept"} if apart else set()
    of_response = {one.parameter for one in design.predictors.of_response}
    named = ((one.parameter, name) for one in design.predictors.fixed for name in one.coefficients)
    return [parameter in of_response and name not in apart for parameter, name in named]


def _advice(design: Design, priors: Priors, worst: Conflict, far: list[str]) -> str:
    known = "given" if worst.parameter in priors.given else "default"
    others = f" The same holds for {named(far[1:])}." if far[1:] else ""
    return (
        f"The maximum likelihood estimate of {worst.parameter} is {number_text(worst.estimate)}, "
        f"{number_text(worst.distance)} prior sds from the centre of its {known} prior, "
        f"{brief(priors[worst.parameter])}: the prior pulls the answer.{others} "
        f"{_remedy(design, worst.parameter, known)}"
    )


def _remedy(design: Design, parameter: str, known: str) -> str:
    if known == "given":
        return "See whether the prior expresses what is known, and report the results under a wider one too."
    kind, _, name = parameter[:-1].partition("[")
    by_name = f'or give a prior in the units of the data, priors={{"{parameter}": ...}}.'
    if kind.startswith("sd_"):
        return f"Center the columns of the random term, (center(x) | {kind.removeprefix('sd_')}), {by_name}"
    predictor = next(one for one in design.predictors.fixed if one.variable == kind)
    column = predictor.X[:, predictor.coefficients.index(name)]
    if np.isin(column, (0.0, 1.0)).all() and "Intercept" not in design.coefficients:
        return f"Keep the intercept in the formula, which has a prior at the middle of the response, {by_name}"
    powers = ", poly(x, 2) for its powers" if "**" in name or "power" in name or "square" in name else ""
    return f"Center the column, center(x){powers}, {by_name}"
