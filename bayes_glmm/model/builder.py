"""A problem to a pm.Model: beta, random effects, eta, likelihood, each under the field's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_glmm.design import Design, Priors, Problem, dimension_labels
from bayes_glmm.families import Response
from bayes_glmm.model.random_effects import contribution, random_effects
from bayes_glmm.model.variables import scalar_variable, vector_variable
from bayes_glmm.numerics.functions import pytensor_functions
from bayes_glmm.spec import ModelSpec

Likelihood = Callable[[ModelSpec, Design, Any, Mapping[str, Any], Mapping[str, Any]], None]


def plain_likelihood(
    spec: ModelSpec, design: Design, beta: Any, u: Mapping[str, Any], auxiliary: Mapping[str, Any]
) -> None:
    """Add the response to the model in context, as PyMC's distribution of the family."""
    at = spec.at(linear_predictor(design, beta, u), auxiliary, pytensor_functions())
    values = design.y.astype(np.int64) if spec.family.discrete else design.y
    trials = None if design.trials is None else design.trials.astype(np.int64)
    spec.family.distribution(pm, design.response_variable, Response(values, trials), at, "row")


def build_model(problem: Problem, add_likelihood: Likelihood = plain_likelihood) -> pm.Model:
    """Write the plain model of a problem.

    Parameters
    ----------
    problem : Problem
    add_likelihood : function
        Adds log p(y | beta, u, auxiliary) to the model.

    Returns
    -------
    pm.Model
        With ``beta [coefficient]``, where default priors are of the span ``beta = T b``, ``b [canonical]``; for each
        grouping factor g ``sd_g``, ``G_g``, ``z_g``, ``u_g`` and where correlated ``corr_g``; auxiliary parameters; the
        response under its own name along ``row``.

    Raises
    ------
    SpecError
        If a prior is not valid.
    """
    spec, design, priors = problem.spec, problem.design, problem.priors
    with pm.Model(coords=_labels(problem)) as model:
        beta = fixed_effects(design, priors)
        u = {block.group: random_effects(block, priors) for block in design.blocks}
        auxiliary = auxiliary_parameters(spec, priors)
        add_likelihood(spec, design, beta, u, auxiliary)
    return model


def _labels(problem: Problem) -> dict[str, list]:
    labels = dimension_labels(problem.design)
    canonical = problem.priors.canonical
    return labels if canonical.is_identity else labels | {"canonical": list(canonical.names)}


def fixed_effects(design: Design, priors: Priors) -> pt.TensorVariable | None:
    """Add ``beta`` to the model in context; None where the model has no fixed effects."""
    if not design.coefficients:
        return None
    names = priors.canonical.names
    scalars = [priors.scalars[f"beta[{name}]"] for name in names]
    if priors.canonical.is_identity:
        return vector_variable("beta", names, scalars, "coefficient", "real")
    b = vector_variable("b", names, scalars, "canonical", "real")
    return pm.Deterministic("beta", pt.dot(priors.canonical.T, b), dims="coefficient")


def fixed_predictor(X: np.ndarray, offset: np.ndarray, beta: pt.TensorVariable | None) -> pt.TensorVariable:
    """The sum offset + X beta [row]; leaves out what the model does not have."""
    if beta is None:
        return pt.as_tensor_variable(offset)
    eta = pt.dot(X, beta)
    return eta + offset if offset.any() else eta


def linear_predictor(design: Design, beta: pt.TensorVariable | None, u: Mapping[str, Any]) -> pt.TensorVariable:
    """The sum offset + X beta + Z u [row]."""
    eta = fixed_predictor(design.X, design.offset, beta)
    for block in design.blocks:
        eta = eta + contribution(block, u[block.group])
    return eta


def auxiliary_parameters(spec: ModelSpec, priors: Priors) -> dict[str, pt.TensorVariable]:
    """Add the family's further parameters to the model in context."""
    return {name: scalar_variable(name, priors[name], "positive") for name in spec.family.auxiliary}
