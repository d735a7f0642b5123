"""Fused likelihoods: log likelihood and gradient in one compiled pass over the rows, for all families and links.

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
from bayes_glmm.inference.kernels.generated import kernel_key, kernel_of
from bayes_glmm.inference.kernels.inputs import predictor_inputs, response_inputs, row_order
from bayes_glmm.inference.kernels.operation import FusedLogLikelihood as FusedLogLikelihood
from bayes_glmm.inference.reduce import reduce_rows
from bayes_glmm.numerics.functions import pytensor_functions
from bayes_glmm.spec import ModelSpec


def fused_likelihood(
    spec: ModelSpec, design: Design, beta: Mapping[str, Any], u: Mapping[str, Any], auxiliary: Mapping[str, Any]
) -> pt.TensorVariable:
    """The log likelihood as a function of the coefficients and the random effects.

    Parameters
    ----------
    spec : ModelSpec
    design : Design
    beta : mapping of parameter to tensor [coefficient] or None
        None where a predictor has no fixed effects.
    u : mapping of str to tensor [level, effect]
        The random effects of every grouping factor.
    auxiliary : mapping of str to tensor []
        The parameters without a formula.

    Returns
    -------
    tensor []
        log p(y | beta, u, auxiliary) with all constants.
    """
    key = kernel_key(spec, design.observed.form)
    kernel = kernel_of(*key)
    order = row_order(design)
    fixed = design.predictors.fixed
    coefficients = [beta[one.parameter] for one in fixed if beta[one.parameter] is not None]
    coefficients += [np.ones(1) for one in fixed if one.offset.any()]
    effects = [pt.as_tensor(u[block.group]).ravel() for block in design.blocks]
    return FusedLogLikelihood("design", *key, spec.own)(
        *response_inputs(kernel, design, order),
        *predictor_inputs(design, order),
        pt.concatenate(coefficients) if coefficients else np.zeros(0),
        pt.concatenate(effects) if effects else np.zeros(0),
        _auxiliary(auxiliary),
    )[0]


def fused_likelihood_of_eta(
    spec: ModelSpec, design: Design, eta: Mapping[str, Any], auxiliary: Mapping[str, Any]
) -> pt.TensorVariable:
    """The log likelihood as a function of the linear predictors.

    Parameters
    ----------
    spec : ModelSpec
    design : Design
    eta : mapping of parameter to tensor [row]
    auxiliary : mapping of str to tensor []
        The parameters without a formula.

    Returns
    -------
    tensor []
        log p(y | eta, auxiliary) with all constants.
    """
    key = kernel_key(spec, design.observed.form)
    kernel = kernel_of(*key)
    response = response_inputs(kernel, design, np.arange(len(design.y)))
    together = pt.concatenate([pt.as_tensor(eta[name]) for name in spec.predicted])
    return FusedLogLikelihood("predictor", *key, spec.own)(*response, together, _auxiliary(auxiliary))[0]


def fast_likelihood(
    spec: ModelSpec, design: Design, beta: Mapping[str, Any], u: Mapping[str, Any], auxiliary: Mapping[str, Any]
) -> None:
    """Add log p(y | beta, u, auxiliary) to the model in context, by the fastest way to the number.

    Rows that are alike are merged; value and gradient of the rest come from one pass over it.
    """
    reduced = reduce_rows(spec, design)
    value = fused_likelihood(reduced.spec, reduced.design, beta, u, auxiliary)
    pm.Potential("log_likelihood", value + reduced.remainder(auxiliary, pytensor_functions()))


def _auxiliary(auxiliary: Mapping[str, Any]) -> Any:
    """The constants of the family [constant]; a 1, which no kernel reads, where it has none."""
    return pt.stack([pt.as_tensor(value) for value in auxiliary.values()]) if auxiliary else np.ones(1)
