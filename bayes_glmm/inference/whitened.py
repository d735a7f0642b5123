r"""Whitened coordinates: NUTS moves in w, close to N(0, I) whatever the variances are; beta and the effects follow.

    beta and z of the other factors: as in :mod:`~bayes_glmm.inference.others`,
    z_j = C_j^-T (s C_j^-1 L'b_j + w_j)     for the factor with most effects, C_j C_j' = I + s L'H_j L,
    b_j = R_j - S_j beta - (cross products with the other factors' u)

with the numbers of :mod:`~bayes_glmm.inference.whitening`, s their growth with auxiliary parameters. This is an exact
change of coordinates of the plain model's posterior, log|dz/dw| = -sum log|C_j| + that of the others; the parabolas
only decide how well it mixes. For Gaussian responses and one grouping factor the w_j are N(0, I) given all else, for
others about so: the funnel between the variances and the effects and the ridge between the intercept and their mean are
gone.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_glmm.design import Design, RandomBlock, dimension_labels
from bayes_glmm.inference.kernels.fused import fast_likelihood
from bayes_glmm.inference.plain_variables import WHITE
from bayes_glmm.inference.whitening import Whitening
from bayes_glmm.model.builder import auxiliary_parameters
from bayes_glmm.model.random_effects import covariance_root, effects
from bayes_glmm.model.thresholds import add_later_thresholds
from bayes_glmm.model.variables import log_density


def whitened_model(whitening: Whitening) -> pm.Model:
    """The posterior of the plain model over whitened coordinates, as a PyMC model.

    Its variables ``beta``, ``sd_g``, ``z_g``, ``u_g``, ... are those of the plain model; those named ``white_...`` are
    what NUTS moves in, and of no interest.

    Raises
    ------
    SpecError
        For a prior that cannot be.
    """
    spec, design, priors = whitening.problem.spec, whitening.problem.design, whitening.problem.priors
    blocks = [whitening.main, *whitening.others]
    with pm.Model(coords=dimension_labels(design)) as model:
        L = {block.group: covariance_root(block, priors) for block in blocks}
        auxiliary = auxiliary_parameters(spec, priors)
        beta, others, stretch = _fixed_and_others(whitening, model)
        u = {block.group: effects(block, z, L[block.group]) for block, z in zip(whitening.others, others, strict=True)}
        mode = whitening.estimate.parameters.auxiliary
        moved = [
            power * (_free_coordinate(auxiliary[name], spec.auxiliary[name].support) - free.forward(mode[name]))
            for (name, power), free in zip(
                whitening.powers.items(), whitening.estimate.layout.constants.values(), strict=True
            )
        ]
        growth = pt.exp(sum(moved)) if moved else 1.0
        z, log_jacobian = _main_effects(whitening, L[whitening.main.group], growth, beta, list(u.values()))
        u[whitening.main.group] = effects(whitening.main, z, L[whitening.main.group])
        fixed = _by_parameter(design, beta)
        pm.Potential("log_jacobian", log_jacobian + stretch)
        squares = sum((one**2).sum() for one in [z, *others])
        size = sum(len(block.levels) * len(block.effects) for block in blocks)
        pm.Potential("log_prior_z", -0.5 * squares - 0.5 * size * math.log(2.0 * math.pi))
        if beta is not None:
            keys = whitening.estimate.layout.coefficients
            apart = priors.canonical.apart
            independent = pt.dot(apart, beta) if len(apart) else beta
            log_prior = log_density([priors[key] for key in keys], independent)
            pm.Potential("log_prior_beta", log_prior + priors.canonical.log_apart)
        add_later_thresholds(design, priors, beta, auxiliary)
        fast_likelihood(spec, design, fixed, u, auxiliary)
    _start_at_the_mode(whitening, model)
    return model


def _free_coordinate(constant: pt.TensorVariable, support: str) -> pt.TensorVariable:
    """The free coordinate of a constant."""
    if support == "real":
        return constant
    return pt.log(constant) - pt.log1p(-constant) if support == "unit" else pt.log(constant)


def _by_parameter(design: Design, beta: pt.TensorVariable | None) -> dict[str, pt.TensorVariable | None]:
    """The coefficients of each parameter, added to the model in context, from those of all."""
    found: dict[str, pt.TensorVariable | None] = {}
    start = 0
    for one in design.predictors.fixed:
        stop = start + len(one.coefficients)
        own = None if beta is None or stop == start else pm.Deterministic(one.variable, beta[start:stop], dims=one.dim)
        found[one.parameter], start = own, stop
    return found


def _fixed_and_others(
    whitening: Whitening, model: pm.Model
) -> tuple[pt.TensorVariable | None, list[pt.TensorVariable], Any]:
    """Coefficients, standardised effects [level, effect] of each other factor, and the log Jacobian of both."""
    numbers, p = whitening.fixed_and_others, len(whitening.estimate.layout.coefficients)
    if not len(numbers.steps):
        return None, [], 0.0
    w = pm.Flat(f"{WHITE}fixed", shape=len(numbers.steps))
    log_jacobian: Any = float(np.log(np.diagonal(numbers.steps)[:p]).sum())
    found: dict[tuple[str, int], pt.TensorVariable] = {}
    moved: list[pt.TensorVariable] = []  # s z of the later sets, the last one last
    for one in reversed(numbers.sets):
        own, later = slice(p + one.start, p + one.stop), slice(p + one.stop, None)
        at = np.sqrt(np.diagonal(whitening.estimate.parameters.G(one.group)))[one.column]
        s = model[f"sd_{one.group}"][one.column] / at
        stretch = 1.0 + s**2 * numbers.curvature[one.start : one.stop]
        right = numbers.pull[own] + (pt.dot(numbers.steps[own, later], pt.concatenate(moved)) if moved else 0.0)
        z = pt.dot(numbers.steps[own, own], s * right / stretch + w[own] / pt.sqrt(stretch))
        found[one.group, one.column] = z
        moved.insert(0, s * z)
        log_jacobian = log_jacobian - 0.5 * pt.log(stretch).sum()
    beta = None
    if p:
        beta = numbers.pull[:p] + pt.dot(numbers.steps[:p], pt.concatenate([w[:p], *moved]))
    others = [
        _named(block, pt.stack([found[block.group, k] for k in range(len(block.effects))], axis=1))
        for block in whitening.others
    ]
    return beta, others, log_jacobian


def _main_effects(
    whitening: Whitening,
    L: pt.TensorVariable,
    growth: pt.TensorVariable | float,
    beta: pt.TensorVariable | None,
    others: list[pt.TensorVariable],
) -> tuple[pt.TensorVariable, pt.TensorVariable]:
    """Standardised effects of the factor with most of them [level, effect], and their log Jacobian."""
    block, H = whitening.main, whitening.H
    levels, d = whitening.R.shape
    right: Any = whitening.R
    if beta is not None:
        right = right - pt.dot(whitening.S.reshape(levels * d, -1), beta).reshape((levels, d))
    if others:
        rows, columns, values = whitening.cross
        flat = pt.concatenate([u.ravel() for u in others])
        pulled = pt.zeros(levels * d)[rows].inc(values * flat[columns])
        right = right - pulled.reshape((levels, d))
    w = pm.Flat(f"{WHITE}{block.group}", shape=(levels, d))
    root = {(i, k): L[i, k] for i in range(d) for k in range(i + 1) if _free(block, i, k)}
    HL = {(i, k): sum(H[:, i, j] * root[j, k] for j in range(d) if (j, k) in root) for i in range(d) for k in range(d)}
    P = {
        (k, m): float(k == m) + growth * sum(root[i, k] * HL[i, m] for i in range(d) if (i, k) in root)
        for k in range(d)
        for m in range(k + 1)
    }
    C = _cholesky(P, d)
    b = [growth * sum(root[i, k] * right[:, i] for i in range(d) if (i, k) in root) for k in range(d)]
    z = _backward(C, [y + w[:, k] for k, y in enumerate(_forward(C, b))])
    return _named(block, pt.stack(z, axis=1)), -sum(pt.log(C[k, k]).sum() for k in range(d))


def _free(block: RandomBlock, i: int, k: int) -> bool:
    """Whether two effects are in one run of the pattern of correlation."""
    runs = np.repeat(np.arange(len(block.pattern)), block.pattern)
    return bool(runs[i] == runs[k])


def _named(block: RandomBlock, z: pt.TensorVariable) -> pt.TensorVariable:
    return pm.Deterministic(f"z_{block.group}", z, dims=(block.level_dim, block.effect_dim))


def _cholesky(P: dict, d: int) -> dict:
    """Lower Cholesky factors of many small matrices, entry by entry over the levels."""
    C: dict = {}
    for j in range(d):
        C[j, j] = pt.sqrt(P[j, j] - sum(C[j, k] ** 2 for k in range(j)))
        for i in range(j + 1, d):
            C[i, j] = (P[i, j] - sum(C[i, k] * C[j, k] for k in range(j))) / C[j, j]
    return C


def _forward(C: dict, b: list) -> list:
    """C^-1 b."""
    y: list = []
    for i, value in enumerate(b):
        y.append((value - sum(C[i, k] * y[k] for k in range(i))) / C[i, i])
    return y


def _backward(C: dict, y: list) -> list:
    """C'^-1 y."""
    d = len(y)
    z: dict = {}
    for i in reversed(range(d)):
        z[i] = (y[i] - sum(C[k, i] * z[k] for k in range(i + 1, d))) / C[i, i]
    return [z[i] for i in range(d)]


def _start_at_the_mode(whitening: Whitening, model: pm.Model) -> None:
    """Initial values of the variances and auxiliary parameters; white variables start at 0, their mode."""
    mode = whitening.estimate.parameters
    for block in [whitening.main, *whitening.others]:
        sd = np.sqrt(np.diagonal(mode.G(block.group)))
        name = f"sd_{block.group}"
        if model[name] in model.free_RVs:
            model.set_initval(model[name], sd)
        else:
            for k in block.own_sds:
                model.set_initval(model[f"{name}[{block.effects[k]}]"], sd[k])
    for name, value in mode.auxiliary.items():
        model.set_initval(model[name], value)
