"""Fused likelihoods: log likelihood and gradient in one compiled pass over the rows, for the usual families and links.

A family of two constants or more is left to PyTensor, which gives the same numbers.
:func:`fast_likelihood` is what models take. Below it, :func:`fused_likelihood` takes the coefficients and the random
effects, and is the faster one; :func:`fused_likelihood_of_eta` takes any linear predictor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_glmm.design import Design
from bayes_glmm.inference.kernels.generated import kernel_of
from bayes_glmm.inference.kernels.inputs import predictor_inputs, response_inputs, row_order
from bayes_glmm.inference.kernels.operation import FusedLogLikelihood as FusedLogLikelihood
from bayes_glmm.inference.reduce import reduce_rows
from bayes_glmm.model.builder import linear_predictor, plain_likelihood
from bayes_glmm.numerics.functions import pytensor_functions
from bayes_glmm.spec import ModelSpec


def fused_likelihood(
    spec: ModelSpec, design: Design, beta: Any, u: Mapping[str, Any], auxiliary: Mapping[str, Any]
) -> pt.TensorVariable | None:
    """The log likelihood as a function of the coefficients and the random effects.

    Parameters
    ----------
    spec : ModelSpec
    design : Design
    beta : tensor [coefficient] or None
        None where the model has no fixed effects.
    u : mapping of str to tensor [level, effect]
        The random effects of every grouping factor.
    auxiliary : mapping of str to tensor []
        The family's further parameters.

    Returns
    -------
    tensor [] or None
        log p(y | beta, u, auxiliary) with all constants; None where there is no kernel.
    """
    key = spec.family_name, spec.link_name
    kernel = kernel_of(*key)
    if kernel is None:
        return None
    order = row_order(design)
    offset = [np.ones(1)] if design.offset.any() else []
    coefficients = [*([] if beta is None else [beta]), *offset]
    effects = [pt.as_tensor(u[block.group]).ravel() for block in design.blocks]
    return FusedLogLikelihood("design", *key)(
        *response_inputs(kernel, design, order),
        *predictor_inputs(design, order),
        pt.concatenate(coefficients) if coefficients else np.zeros(0),
        pt.concatenate(effects) if effects else np.zeros(0),
        _auxiliary(auxiliary),
    )[0]


def fused_likelihood_of_eta(
    spec: ModelSpec, design: Design, eta: Any, auxiliary: Mapping[str, Any]
) -> pt.TensorVariable | None:
    """The log likelihood as a function of the linear predictor.

    Parameters
    ----------
    spec : ModelSpec
    design : Design
    eta : tensor [row]
    auxiliary : mapping of str to tensor []
        The family's further parameters.

    Returns
    -------
    tensor [] or None
        log p(y | eta, auxiliary) with all constants; None where there is no kernel.
    """
    key = spec.family_name, spec.link_name
    kernel = kernel_of(*key)
    if kernel is None:
        return None
    response = response_inputs(kernel, design, np.arange(len(design.y)))
    return FusedLogLikelihood("predictor", *key)(*response, eta, _auxiliary(auxiliary))[0]


def fast_likelihood(
    spec: ModelSpec, design: Design, beta: Any, u: Mapping[str, Any], auxiliary: Mapping[str, Any]
) -> None:
    """Add log p(y | beta, u, auxiliary) to the model in context, by the fastest way to the number.

    Rows that are alike are merged; the rest is fused where there is a kernel, PyTensor's elsewhere.
    """
    reduced = reduce_rows(spec, design)
    value = fused_likelihood(reduced.spec, reduced.design, beta, u, auxiliary)
    if value is None and reduced.design is design:
        plain_likelihood(spec, design, beta, u, auxiliary)
        return
    if value is None:
        value = _log_density(reduced.spec, reduced.design, beta, u, auxiliary)
    pm.Potential("log_likelihood", value + reduced.remainder(auxiliary, pytensor_functions()))


def _log_density(spec: ModelSpec, design: Design, beta: Any, u: Mapping[str, Any], auxiliary: Mapping[str, Any]) -> Any:
    """The log likelihood of merged rows, which are no response of the model's."""
    f = pytensor_functions()
    at = spec.at(linear_predictor(design, beta, u), auxiliary, f)
    return spec.family.log_density(design.observed, at, f).sum()


def _auxiliary(auxiliary: Mapping[str, Any]) -> Any:
    """The one further parameter that a kernel may have; 1 where the family has none."""
    return next(iter(auxiliary.values()), 1.0)
