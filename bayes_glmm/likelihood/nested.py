r"""Quadrature for a factor nested in another: inner effects are integrated out given each node of the outer effect.

There is one effect a level in each (Rabe-Hesketh, Skrondal & Pickles 2005, J. Econometrics 128, 301-323). For an outer
group with effect z, F_k the log integral over its inner effects at z_k and h_k = F_k - z_k^2 / 2,

    log int exp(F(z)) phi(z) dz  is about  log sigma + log sum_k w_k exp(h_k + x_k^2 / 2),   z_k = m + sigma x_k.

m is the joint mode and sigma^2 the variance of z under P^-1, with P the joint curvature there. Inner integrals follow
:mod:`~bayes_glmm.likelihood.group_integrals` with f_i + alpha_i z_k for f_i, inner modes found at each z_k. With g the
average of h'_k, Q that of x_k h'_k times sigma, and p the column of P^-1 that belongs to z, d sigma^2 = -p'dP p and

    d value = -tr(K dP) / 2 + g dm + average of dh_k,   K = (1 + Q) p p' / sigma^2,

where rows move m and P as in the Laplace approximation, which one node is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayes_glmm.likelihood.group_integrals import Adapted, Integrals, Integrand, group_modes, integrate
from bayes_glmm.likelihood.laplace import Evaluation
from bayes_glmm.likelihood.likelihood import Likelihood, Parameters
from bayes_glmm.likelihood.modes import Modes
from bayes_glmm.numerics.adaptive_quadrature import Placement


def nested_quadrature(likelihood: Likelihood, parameters: Parameters, modes: Modes, nodes: int) -> Evaluation:
    """The log of p(y | beta, L, phi) for (1 | a/b).

    Parameters
    ----------
    likelihood : Likelihood
        Its first factor nested in its second, one effect a level in both.
    parameters : Parameters
    modes : Modes
        At the parameters.
    nodes : int
        Of each dimension.
    """
    part, groups = likelihood.part, likelihood.groups
    inner_columns, outer = part.starts[1], part.blocks[1]
    levels = len(outer.levels)
    p = modes.factor.solve(np.repeat([0.0, 1.0], [inner_columns, levels]))
    variance, m = p[inner_columns:], modes.z[inner_columns:]
    rule = Placement(m[:, None], np.sqrt(variance)[:, None, None])
    (at,) = rule.nodes(nodes, at_once=nodes)
    x, z = at.x, at.z[..., 0]
    inner = _inner(likelihood, parameters, modes, p, z, nodes)

    h = _sums(inner.value, outer.index[groups.rows[groups.starts]], levels) - 0.5 * z**2
    exponent = h + at.log_weight[:, None]
    highest = exponent.max(axis=0)
    e = np.exp(exponent - highest)
    total = e.sum(axis=0)
    value = float(np.sum(highest + np.log(total) + rule.log_size))

    weight = e / total
    along = likelihood.by_predictor(modes.values)[:, None, groups.rows, 1]
    slope = _sums(np.sum(inner.by_fixed * along, axis=0), outer.index[groups.rows], levels) - z
    g = np.sum(weight * slope, axis=0)
    Q = np.sqrt(variance) * np.sum(weight * x * slope, axis=0)
    gradient = _gradient(likelihood, modes, inner, _Outer(z, weight, p, (1.0 + Q) / variance, g))
    return Evaluation(value, gradient, modes)


@dataclass(frozen=True)
class _Outer:
    """The outer nodes: z and weight [node, outer group], p [column of z], (1 + Q) / sigma^2 and g [outer group]."""

    z: np.ndarray
    weight: np.ndarray
    p: np.ndarray
    c: np.ndarray
    g: np.ndarray


def _inner(
    likelihood: Likelihood, parameters: Parameters, modes: Modes, p: np.ndarray, z: np.ndarray, nodes: int
) -> Integrals:
    """The integrals of the inner groups at each node z [node, outer group] of the outer effects."""
    groups, outer, inner_columns = likelihood.groups, likelihood.part.blocks[1], likelihood.part.starts[1]
    values = likelihood.by_predictor(modes.values)[:, groups.rows]
    fixed = likelihood.by_predictor(likelihood.fixed(parameters.beta))[:, None, groups.rows]
    fixed = fixed + values[:, None, :, 1] * z[:, outer.index[groups.rows]]
    integrand = Integrand(likelihood, fixed, values[..., :1], parameters.auxiliary)
    # a straight line through the joint mode is near the inner modes
    of_group = outer.index[groups.rows[groups.starts]]
    along = p[:inner_columns] / p[inner_columns:][of_group]
    start = modes.z[:inner_columns] + along * (z - modes.z[inner_columns:])[:, of_group]
    return integrate(Adapted(integrand, group_modes(integrand, start[..., None])), nodes)


def _gradient(likelihood: Likelihood, modes: Modes, inner: Integrals, outer: _Outer) -> Parameters:
    part, groups = likelihood.part, likelihood.groups
    columns, block = part.columns, part.blocks[1]
    A, first = part.matrix(modes.values), modes.rows.first.ravel()
    Ap = A @ outer.p
    cAp = outer.c[block.index] * Ap
    kappa = np.einsum("kr,lr->klr", likelihood.by_predictor(cAp), likelihood.by_predictor(Ap))
    v = 0.5 * np.einsum("klr,klmr->mr", kappa, modes.rows.third).ravel()
    s = modes.factor.solve(A.T @ v + np.concatenate([np.zeros(part.starts[1]), outer.g]))
    As = A @ s
    by_fixed = v - modes.curvature.times(As)
    by_entry = by_fixed[:, None] * modes.z[columns] + first[:, None] * s[columns]
    by_entry -= modes.curvature.times(cAp)[:, None] * outer.p[columns]

    rows = groups.rows
    of_row, of_group = block.index[rows], block.index[rows[groups.starts]]
    weighted = outer.weight[:, of_row] * inner.by_fixed
    fixed_apart, entries_apart = likelihood.by_predictor(by_fixed), likelihood.by_predictor(by_entry)  # views
    fixed_apart[:, rows] += weighted.sum(axis=1)
    entries_apart[:, rows, 0] += np.sum(outer.weight[:, of_row] * inner.by_entry[..., 0], axis=1)
    entries_apart[:, rows, 1] += np.sum(weighted * outer.z[:, of_row], axis=1)
    auxiliary = {
        name: float(
            np.sum(outer.weight[:, of_group] * by_group)
            + 0.5 * np.sum(kappa * modes.rows.by[name].second)
            + np.sum(As * modes.rows.by[name].first.ravel())
        )
        for name, by_group in inner.by_auxiliary.items()
    }
    return Parameters(likelihood.X.T @ by_fixed, part.by_factor(by_entry), auxiliary)


def _sums(values: np.ndarray, index: np.ndarray, count: int) -> np.ndarray:
    """Sums of the last axis by index."""
    return np.stack([np.bincount(index, row, count) for row in values])
