"""Integrated coordinates as a PyMC model: the integrals of :mod:`~bayes_glmm.inference.integral` as a potential."""

from __future__ import annotations

import math

import pymc as pm
import pytensor.tensor as pt

from bayes_glmm.design import Priors, Problem
from bayes_glmm.inference.integral import Integral
from bayes_glmm.model.builder import auxiliary_parameters, coefficients, fixed_predictor, model_labels
from bayes_glmm.model.random_effects import standard_deviations
from bayes_glmm.model.thresholds import add_later_thresholds
from bayes_glmm.numerics.functions import pytensor_functions


def integrated_model(integral: Integral, priors: Priors) -> pm.Model:
    """The posterior of (beta, sd, auxiliary) with the random effects integrated out, as a PyMC model.

    Raises
    ------
    SpecError
        For a prior that cannot be.
    """
    spec, design, patterns = integral.spec, integral.design, integral.patterns
    block = design.blocks[0]
    rows = patterns.distinct
    with pm.Model(coords=model_labels(Problem(spec, design, priors))) as model:
        beta = coefficients(design.predictors.fixed, priors)
        fixed = {
            one.parameter: fixed_predictor(one.X[rows], one.offset[rows], beta[one.parameter])[:, None]
            for one in design.predictors.fixed
        }
        sd = standard_deviations(block, priors)
        pm.Deterministic(f"G_{block.group}", pt.diag(sd**2), dims=(block.effect_dim, block.second_effect_dim))
        auxiliary = auxiliary_parameters(spec, priors)
        add_later_thresholds(design, priors, beta[design.predictors.location.parameter], auxiliary)
        terms = integral.log_integrand(fixed, sd[0], integral.grid[None], auxiliary, pytensor_functions())
        log_likelihood = pt.logsumexp(terms, axis=-1) + math.log(integral.step)
        pm.Potential("integrated_log_likelihood", (patterns.count * log_likelihood).sum())
    return model
