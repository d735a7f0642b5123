"""Estimates at the edge of what there can be: those that do not exist, and variances at 0 or correlations at 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bayes_glmm.approx.result import ApproxFit
from bayes_glmm.design import Design, RandomBlock, findings
from bayes_glmm.design.scale import spread
from bayes_glmm.errors import EstimationError
from bayes_glmm.likelihood import Estimate, Parameters
from bayes_glmm.likelihood.maximum import definite
from bayes_glmm.spec import ModelSpec

SINGULAR = 1e-4  # a standard deviation below this share of the linear predictor's scale is 0
MODE = "bg.approx.laplace(model, target='posterior')"
ADVICE = f"a boundary (singular) fit; simplify the random term, or use {MODE}, whose priors keep away from it."

ENDLESS = 1e4  # a shape above it adds nothing, nor a dispersion below its inverse


def refuse_separated(spec: ModelSpec, design: Design) -> None:
    """Stop where columns separate the response: the likelihood has no maximum.

    Raises
    ------
    EstimationError
    """
    for finding in findings(spec, design):
        if finding.name == "separation":
            raise EstimationError(
                f"There is no maximum likelihood estimate. {finding.what}",
                finding.where,
                f"Use {MODE}, the mode under the model's priors, or model.fit(); or merge levels that have few rows.",
            )


def with_bounds(fit: ApproxFit) -> ApproxFit:
    """What an estimate without priors, which keep away from the bounds, must say of them."""
    endless = unbounded(fit.spec, fit.design)
    messages = (*fit.messages, *endless, *at_boundary(fit.spec, fit.design, fit.parameters))
    return replace(fit, messages=messages, converged=fit.converged and not endless)


def unbounded(spec: ModelSpec, design: Design) -> tuple[str, ...]:
    """What to say of grouping factors with only zeros or only ones in every level: their sd grows without bound."""
    if not spec.family.response.events:
        return ()
    failures = (1.0 if design.trials is None else design.trials) - design.y
    return tuple(
        f"Every level of {block.group} has only successes or only failures: the likelihood grows for ever with the "
        f"standard deviation by {block.group}, and what is shown is no estimate of it. Use {MODE}."
        for block in design.blocks
        if not (_some(block, design.y) & _some(block, failures)).any()
    )


def _some(block: RandomBlock, counts: np.ndarray) -> np.ndarray:
    """Which levels have any of the counts [level]."""
    return np.bincount(block.index, counts, len(block.levels)) > 0


def at_boundary(spec: ModelSpec, design: Design, parameters: Parameters) -> tuple[str, ...]:
    """What to say of standard deviations at 0, effects that determine each other, and shapes without end.

    Parameters
    ----------
    spec : ModelSpec
    design : Design
    parameters : Parameters
        Estimates.

    Returns
    -------
    tuple of str
        One message a standard deviation, set of effects or shape; empty inside the bounds.
    """
    real = spec.link_name == "identity" and spec.family.location.support == "real"
    scale = spread(spec, design) if real else 1.0
    messages = [text for block in design.blocks for text in _of_block(block, parameters.L[block.group], scale)]
    limits = endless(spec, parameters)
    for name, (word, limit) in limits.items():
        family = spec.family_name
        messages.append(f"{name} is estimated as {word}, where the {family} family is {limit}: use that one.")
    if limits:
        messages.append(
            f"Standard errors and Wald intervals are those at this limit; {' and '.join(limits)} "
            f"{'has' if len(limits) == 1 else 'have'} none."
        )
    return tuple(messages)


def endless(spec: ModelSpec, parameters: Parameters) -> dict[str, tuple[str, str]]:
    """Return the constants that are estimated at a limit, by name: the limit in words, and the family there."""
    found = {}
    for word, limits in (("infinite", spec.family.limits), ("0", spec.family.limits_at_zero)):
        for name, limit in limits.items():
            size = parameters.auxiliary.get(name, 1.0)
            if (1.0 / size if word == "0" else size) > ENDLESS:
                found[name] = word, limit
    return found


def given_limits(estimate: Estimate, spec: ModelSpec) -> Estimate:
    """The estimate with the covariance of the others where constants are at a limit; NaN for those.

    The likelihood is flat in such a constant's coordinate, so that the curvature is singular or nearly so.
    """
    names, maximum = endless(spec, estimate.parameters), estimate.maximum
    if not names:
        return estimate
    start = estimate.layout.theta.stop
    places = [start + k for k, name in enumerate(estimate.layout.constants) if name in names]
    others = np.delete(np.arange(len(maximum.x)), places)
    covariance = np.full_like(maximum.precision, np.nan)
    precision = maximum.precision[np.ix_(others, others)]
    if definite(precision):
        covariance[np.ix_(others, others)] = np.linalg.inv(precision)
    return replace(estimate, maximum=replace(maximum, known=covariance))


def _of_block(block: RandomBlock, L: np.ndarray, scale: float) -> Iterator[str]:
    sd = np.linalg.norm(L, axis=1)
    zero = sd * np.sqrt(np.mean(block.values**2, axis=0)) < SINGULAR * scale
    for effect in np.array(block.effects)[zero]:
        yield f"The standard deviation of {effect} by {block.group} is estimated as 0: {ADVICE}"
    for correlated in block.runs:
        run = np.flatnonzero(~zero[correlated]) + correlated.start
        # what is left of each effect when those before it are known, as a share of its sd
        left = np.abs(np.diagonal(np.linalg.qr(L[run].T / sd[run], mode="r"))) if run.size > 1 else np.ones(1)
        if left.min() < SINGULAR:
            names = " and ".join(block.effects[i] for i in run)
            sign = f" ({np.sign(L[run[0]] @ L[run[1]]):+.0f})" if run.size == 2 else ""
            yield f"The effects of {names} by {block.group} are estimated as perfectly correlated{sign}: {ADVICE}"
