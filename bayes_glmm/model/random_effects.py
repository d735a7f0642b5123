"""Random effects of one grouping factor: u = L z with z ~ N(0, I), so that u ~ N(0, G), G = L L'.

Non-centred (Betancourt & Girolami 2015): the sampler moves in z, whose prior does not depend on the variances.
L = diag(sd) C, C the Cholesky factor of the correlation matrix R, R ~ LKJ (Lewandowski, Kurowicka & Joe 2009) where it
is free; else its entries are powers of one correlation, whose place in its range is ``unit_rho_g``.
"""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_glmm.design import Priors, RandomBlock
from bayes_glmm.design.prior_check import lkj_shape
from bayes_glmm.model.variables import scalar_variable, vector_variable
from bayes_glmm.numerics.covariance import OneCorrelation
from bayes_glmm.spec import Prior


def random_effects(block: RandomBlock, priors: Priors) -> pt.TensorVariable:
    """Add ``sd_g``, ``G_g``, ``z_g``, ``u_g`` and, where effects are correlated, ``corr_g`` to the model in context.

    Where the priors hold at the centre of the block's covariates, ``sd_at_centre_g`` has them, and the others follow
    from it: G = A G_c A', u = A u_c.

    Parameters
    ----------
    block : RandomBlock
    priors : Priors

    Returns
    -------
    tensor [level, effect]
        The random effects u.

    Raises
    ------
    SpecError
        If a prior is not valid.
    """
    carried = priors.canonical.carried(block.group)
    root = covariance_root(block, priors)
    L = pt.dot(priors.canonical.A[block.group], root) if carried else root
    if carried:
        _add_moments(block, L)
    z = pm.Normal(f"z_{block.group}", 0.0, 1.0, dims=(block.level_dim, block.effect_dim))
    return effects(block, z, L)


def covariance_root(block: RandomBlock, priors: Priors) -> pt.TensorVariable:
    """Add ``sd_g``, ``G_g`` and, where effects are correlated, ``corr_g``; L [effect, effect] with G = L L'.

    Of effects that are carried from a centre, those at the centre: ``sd_at_centre_g`` alone.

    Raises
    ------
    SpecError
        If a prior is not valid.
    """
    g = block.group
    effect, effect_2 = block.effect_dim, block.second_effect_dim
    sd = standard_deviations(block, priors)
    if not block.correlated:
        pm.Deterministic(f"G_{g}", pt.diag(sd**2), dims=(effect, effect_2))
        return pt.diag(sd)
    C = _correlation_factor(block, lkj_shape(f"corr_{g}", priors[f"corr_{g}"]))
    L = sd[:, None] * C
    if not priors.canonical.carried(g):
        pm.Deterministic(f"corr_{g}", C @ C.T, dims=(effect, effect_2))
        pm.Deterministic(f"G_{g}", L @ L.T, dims=(effect, effect_2))
    return L


def _add_moments(block: RandomBlock, L: pt.TensorVariable) -> None:
    """Add ``G_g``, ``sd_g`` and ``corr_g`` of a root L that follows from one at the centre."""
    g = block.group
    effect, effect_2 = block.effect_dim, block.second_effect_dim
    G = pm.Deterministic(f"G_{g}", L @ L.T, dims=(effect, effect_2))
    sd = pm.Deterministic(f"sd_{g}", pt.sqrt(pt.diagonal(G)), dims=effect)
    pm.Deterministic(f"corr_{g}", G / (sd[:, None] * sd[None, :]), dims=(effect, effect_2))


def effects(block: RandomBlock, z: pt.TensorVariable, L: pt.TensorVariable) -> pt.TensorVariable:
    """Add ``u_g`` = L z [level, effect] to the model in context."""
    u = z @ L.T if block.correlated else z * pt.diagonal(L)
    return pm.Deterministic(f"u_{block.group}", u, dims=(block.level_dim, block.effect_dim))


def standard_deviations(block: RandomBlock, priors: Priors) -> pt.TensorVariable:
    """Add ``sd_g`` [effect] to the model in context, ``sd_at_centre_g`` where the effects are carried from there."""
    g = block.group
    own = [block.effects[k] for k in block.own_sds]
    sd_priors = [priors[f"sd_{g}[{name}]"] for name in own]
    name = f"sd_at_centre_{g}" if priors.canonical.carried(g) else f"sd_{g}"
    if len(own) == len(block.effects):
        return vector_variable(name, own, sd_priors, block.effect_dim, "positive")
    keys = [f"{name}[{label}]" for label in own]
    sds = dict(zip(block.own_sds, map(_positive, keys, sd_priors), strict=True))
    return pm.Deterministic(name, pt.stack([sds[k] for k in block.leaders]), dims=block.effect_dim)


def _positive(name: str, prior: Prior) -> pt.TensorVariable:
    return scalar_variable(name, prior, "positive")


def contribution(block: RandomBlock, u: pt.TensorVariable, parameter: str) -> pt.TensorVariable:
    """z_i' u of each row's own level [row], in a parameter's predictor; the matrix Z is never formed."""
    total = 0.0
    for k in block.of(parameter):
        by_row = u[block.index, k]
        values = block.values[:, k]
        total = total + (by_row if (values == 1.0).all() else by_row * values)
    return total


def _correlation_factor(block: RandomBlock, eta: float) -> pt.TensorVariable:
    """Cholesky factor of the correlation matrix, run by run of correlated effects, zeros between runs."""
    g = block.group
    if len(block.pattern) == 1:
        return _factor_of_run(g, block.pattern[0], block.forms[0], eta)
    factor = pt.eye(len(block.effects))
    for run, size, form in zip(block.runs, block.pattern, block.forms, strict=True):
        if size > 1:
            own = _factor_of_run(f"{g}_{block.effects[run.start]}", size, form, eta)
            factor = factor[run, run].set(own)
    return factor


def _factor_of_run(name: str, size: int, form: OneCorrelation | None, eta: float) -> pt.TensorVariable:
    """Cholesky factor [effect, effect]: LKJ(eta), or of powers of one correlation, which for two effects is the same.

    The place of that correlation in its range is Beta(eta, eta).
    """
    if form is None:
        return pm.LKJCorr(f"chol_{name}", n=size, eta=eta)
    rho = form.lowest + (1.0 - form.lowest) * pm.Beta(f"unit_rho_{name}", eta, eta)
    apart = {distance: rho if distance == 1.0 else _power(rho, distance) for distance in np.unique(form.D) if distance}
    rows = [[apart[distance] if distance else pt.as_tensor(1.0) for distance in row] for row in form.distances]
    return pt.linalg.cholesky(pt.stack([pt.stack(row) for row in rows]))


def _power(rho: pt.TensorVariable, distance: float) -> pt.TensorVariable:
    """The correlation at a distance; at whole ones rho may be negative."""
    return rho ** int(distance) if distance == int(distance) else rho**distance
