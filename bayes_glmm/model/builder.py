"""A problem to a pm.Model: beta, random effects, eta, likelihood, each under the field's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_glmm.design import Design, Predictor, Priors, Problem, RandomBlock, dimension_labels
from bayes_glmm.design.thresholds import in_order
from bayes_glmm.model.random_effects import contribution, random_effects
from bayes_glmm.model.residual import add_correlated_response, correlation_matrix, residual_constants
from bayes_glmm.model.response import add_response
from bayes_glmm.model.thresholds import ordered_thresholds, tied_thresholds
from bayes_glmm.model.variables import scalar_variable, vector_variable
from bayes_glmm.names import ADJACENT, LOCATION, THRESHOLD, canonical_coefficients, canonical_dim
from bayes_glmm.numerics.functions import pytensor_functions
from bayes_glmm.spec import ModelSpec

Coefficients = Mapping[str, Any]
Likelihood = Callable[[ModelSpec, Design, Coefficients, Mapping[str, Any], Mapping[str, Any]], None]


def plain_likelihood(
    spec: ModelSpec, design: Design, beta: Coefficients, u: Mapping[str, Any], auxiliary: Mapping[str, Any]
) -> None:
    """Add the response to the model in context, as the family's distribution."""
    eta = {
        one.parameter: linear_predictor(one, design.blocks, beta[one.parameter], u) for one in design.predictors.fixed
    }
    at = spec.at(eta, auxiliary, pytensor_functions())
    if design.residual is not None:
        R = correlation_matrix(design.residual, {name: auxiliary[name] for name in design.residual.names})
        mu, sigma = at[LOCATION].value, at["sigma"].value
        add_correlated_response(design.residual, design.response_variable, design.y, mu, sigma, R)
        return
    observed = design.observed
    values = observed.values.astype(np.int64) if spec.family.discrete else observed.values
    trials = None if design.trials is None else design.trials.astype(np.int64)
    add_response(spec.family, design.response_variable, replace(observed, values=values, trials=trials), at)


def build_model(problem: Problem, add_likelihood: Likelihood = plain_likelihood) -> pm.Model:
    """Write the plain model of a problem.

    Parameters
    ----------
    problem : Problem
    add_likelihood : function
        Adds log p(y | beta, u, auxiliary) to the model; beta by parameter, u by grouping factor.

    Returns
    -------
    pm.Model
        With ``beta [coefficient]``, where default priors are of the span ``beta = T b``, ``b [canonical]``, with those
        of several categories ``beta = T M b`` over the b of all of them, and
        ``beta_sigma [coefficient_sigma]`` of each further parameter with a formula; for each
        grouping factor g ``sd_g``, ``G_g``, ``z_g``, ``u_g`` and where correlated ``corr_g``; auxiliary parameters;
        ``threshold [adjacent]`` of ordered categories; the
        response under its own name along ``row``.

    Raises
    ------
    SpecError
        If a prior is not valid.
    """
    spec, design, priors = problem.spec, problem.design, problem.priors
    with pm.Model(coords=model_labels(problem)) as model:
        beta = coefficients(design.predictors.fixed[bool(design.thresholds) :], priors)
        if design.thresholds:
            beta[LOCATION] = _below_thresholds(problem, beta)
        steps = _steps(spec, model)
        if design.residual is not None:
            steps |= residual_constants(design.residual, priors)
        u = {block.group: random_effects(block, priors) for block in design.blocks}
        auxiliary = auxiliary_parameters(spec, priors, steps)
        add_likelihood(spec, design, beta, u, auxiliary)
    return model


def model_labels(problem: Problem) -> dict[str, list]:
    """The labels along each dimension of a model's variables, by dimension."""
    labels = dimension_labels(problem.design)
    fixed = problem.priors.canonical.fixed.items()
    mixed = problem.priors.canonical.mix is not None
    labels |= {canonical_dim(name): list(one.names) for name, one in fixed if mixed or not one.is_identity}
    if problem.design.thresholds:
        labels[canonical_dim(LOCATION)] = list(problem.priors.canonical.location.names[1:])
    return labels


def coefficients(fixed: Sequence[Predictor], priors: Priors) -> dict[str, pt.TensorVariable | None]:
    """Add the coefficients of parameters to the model in context, as ``beta``; None for one without."""
    mix = priors.canonical.mix
    if mix is None:
        return {one.parameter: fixed_effects(one, priors) for one in fixed}
    found: dict[str, pt.TensorVariable | None] = {}
    b = pt.concatenate([independent_effects(one, priors) for one in fixed if one.coefficients])
    start = 0
    for one in fixed:
        stop = start + len(one.coefficients)
        own = pt.dot(priors.canonical.fixed[one.parameter].T, pt.dot(mix[start:stop], b))
        found[one.parameter] = pm.Deterministic(one.variable, own, dims=one.dim) if one.coefficients else None
        start = stop
    return found


def independent_effects(predictor: Predictor, priors: Priors) -> pt.TensorVariable:
    """Add what the coefficients of a parameter are made of, as ``b``, to the model in context."""
    columns = priors.canonical.fixed[predictor.parameter]
    scalars = [priors.scalars[f"{predictor.variable}[{name}]"] for name in columns.names]
    name, dim = canonical_coefficients(predictor.parameter), canonical_dim(predictor.parameter)
    return vector_variable(name, columns.names, scalars, dim, "real")


def fixed_effects(predictor: Predictor, priors: Priors) -> pt.TensorVariable | None:
    """Add the coefficients of a parameter, as ``beta``, to the model in context; None where it has none."""
    if not predictor.coefficients:
        return None
    columns = priors.canonical.fixed[predictor.parameter]
    if columns.is_identity:
        scalars = [priors.scalars[f"{predictor.variable}[{name}]"] for name in columns.names]
        return vector_variable(predictor.variable, columns.names, scalars, predictor.dim, "real")
    beta = pt.dot(columns.T, independent_effects(predictor, priors))
    return pm.Deterministic(predictor.variable, beta, dims=predictor.dim)


def _below_thresholds(problem: Problem, others: Coefficients) -> pt.TensorVariable:
    """Add ``threshold`` and the coefficients, whose intercept is less the first threshold, to the model in context.

    ``others`` are the coefficients of further parameters.
    """
    design, priors = problem.design, problem.priors
    predictor, columns = design.predictors.location, priors.canonical.location
    lift = priors.canonical.lift[:, len(predictor.coefficients) :]
    at_zero = columns.constant is None and not lift.any()
    name = THRESHOLD if at_zero else f"{THRESHOLD}_at_centre"
    if design.tied is not None:
        threshold = tied_thresholds(name, priors.thresholds, design.steps, in_order(problem.spec))
    elif in_order(problem.spec):
        threshold = ordered_thresholds(name, priors.thresholds)
    else:
        threshold = vector_variable(name, design.thresholds, priors.thresholds, ADJACENT, "real")
    b = -threshold[:1]
    if names := columns.names[1:]:
        scalars = [priors.scalars[f"{predictor.variable}[{name}]"] for name in names]
        slopes = vector_variable(canonical_coefficients(LOCATION), names, scalars, canonical_dim(LOCATION), "real")
        b = pt.concatenate([b, slopes])
    beta = pt.dot(columns.T, b)
    if lift.any():  # columns with effects of their own at each threshold are about their means
        lifted = pt.dot(lift, pt.concatenate([one for one in others.values() if one is not None]))
        threshold, beta = threshold + lifted, pt.inc_subtensor(beta[0], -lifted[0])
    beta = pm.Deterministic(predictor.variable, beta, dims=predictor.dim)
    if not at_zero:
        pm.Deterministic(THRESHOLD, threshold - threshold[0] - beta[0], dims=ADJACENT)
    return beta


def _steps(spec: ModelSpec, model: pm.Model) -> dict[str, Any]:
    """The distances of thresholds that are in the model, by name."""
    steps = spec.family.thresholds.steps if spec.family.thresholds else ()
    first = {name: k for k, name in reversed(list(enumerate(steps)))}
    return {name: model[THRESHOLD][k + 1] - model[THRESHOLD][k] for name, k in first.items()}


def fixed_predictor(X: np.ndarray, offset: np.ndarray, beta: pt.TensorVariable | None) -> pt.TensorVariable:
    """The sum offset + X beta [row]; leaves out what the model does not have."""
    if beta is None:
        return pt.as_tensor_variable(offset)
    eta = pt.dot(X, beta)
    return eta + offset if offset.any() else eta


def linear_predictor(
    predictor: Predictor, blocks: Sequence[RandomBlock], beta: pt.TensorVariable | None, u: Mapping[str, Any]
) -> pt.TensorVariable:
    """The sum offset + X beta + Z u [row] of a parameter."""
    eta = fixed_predictor(predictor.X, predictor.offset, beta)
    for block in blocks:
        if block.of(predictor.parameter):
            eta = eta + contribution(block, u[block.group], predictor.parameter)
    return eta


def auxiliary_parameters(
    spec: ModelSpec, priors: Priors, known: Mapping[str, pt.TensorVariable] | None = None
) -> dict[str, pt.TensorVariable]:
    """Add the parameters without a formula to the model in context, those excepted that follow from others."""
    found = dict(known or {})
    for name, one in spec.auxiliary.items():
        if name not in found:
            found[name] = scalar_variable(name, priors[name], one.support)
    return {name: found[name] for name in spec.auxiliary}
