"""Design and priors to a pm.Model: beta, random effects, eta, likelihood, each under the field's name."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_glmm.design import Design, Priors
from bayes_glmm.errors import SpecError
from bayes_glmm.families import Mean
from bayes_glmm.model.random_effects import random_effects
from bayes_glmm.model.variables import scalar_variable, vector_variable
from bayes_glmm.numerics.functions import pytensor_functions
from bayes_glmm.spec import ModelSpec


def build_model(spec: ModelSpec, design: Design, priors: Priors) -> pm.Model:
    """Write the plain model of a specification for its data.

    Parameters
    ----------
    spec : ModelSpec
    design : Design
    priors : Priors
        One a parameter.

    Returns
    -------
    pm.Model
        With ``beta [coefficient]``; for each grouping factor g ``sd_g``, ``G_g``, ``z_g``, ``u_g`` and where correlated
        ``corr_g``; auxiliary parameters; the response under its own name along ``row``.

    Raises
    ------
    SpecError
        For a prior that cannot be, or a response named like a parameter.
    """
    family = spec.family
    with pm.Model(coords=coordinates(design)) as model:
        eta = pt.as_tensor_variable(design.offset) if design.offset.any() else 0.0
        if design.coefficients:
            beta_priors = [priors[f"beta[{name}]"] for name in design.coefficients]
            eta = eta + pt.dot(
                design.X, vector_variable("beta", design.coefficients, beta_priors, "coefficient", "real")
            )
        for block in design.blocks:
            eta = eta + random_effects(block, priors)
        auxiliary = {name: scalar_variable(name, priors[name], "positive") for name in family.auxiliary}
        if design.response in model.named_vars:
            raise SpecError(
                f"The response has the name of a parameter, {design.response!r}.", advice="Rename the column."
            )
        eta = pt.broadcast_to(eta, (len(design.y),)) if not design.coefficients else eta
        mean = Mean(eta, spec.link, pytensor_functions())
        observed = design.y.astype(np.int64) if family.discrete else design.y
        trials = None if design.trials is None else design.trials.astype(np.int64)
        family.likelihood(pm, design.response, mean, auxiliary, trials, observed, "row")
    return model


def coordinates(design: Design) -> dict[str, list]:
    """Labels of every dimension of the model."""
    coords: dict[str, list] = {"row": list(range(len(design.y))), "coefficient": list(design.coefficients)}
    for block in design.blocks:
        coords[block.group] = list(block.levels)
        coords[f"{block.group}_effect"] = list(block.effects)
        coords[f"{block.group}_effect_2"] = list(block.effects)
    return coords
