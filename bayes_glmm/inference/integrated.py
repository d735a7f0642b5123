"""Integrated coordinates as a PyMC model: the integrals of :mod:`~bayes_glmm.inference.integral` as a potential."""

from __future__ import annotations

import math

import pymc as pm
import pytensor.tensor as pt

from bayes_glmm.design import Priors, dimension_labels
from bayes_glmm.inference.integral import Integral
from bayes_glmm.model.builder import auxiliary_parameters, fixed_effects, fixed_predictor
from bayes_glmm.model.random_effects import standard_deviations
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
    with pm.Model(coords=dimension_labels(design)) as model:
        fixed = fixed_predictor(design.X[rows], design.offset[rows], fixed_effects(design.predictors.location, priors))
        sd = standard_deviations(block, priors)
        pm.Deterministic(f"G_{block.group}", pt.diag(sd**2), dims=(block.effect_dim, block.second_effect_dim))
        auxiliary = auxiliary_parameters(spec, priors)
        terms = integral.log_integrand(fixed[:, None], sd[0], integral.grid[None], auxiliary, pytensor_functions())
        log_likelihood = pt.logsumexp(terms, axis=-1) + math.log(integral.step)
        pm.Potential("integrated_log_likelihood", (patterns.count * log_likelihood).sum())
    return model
