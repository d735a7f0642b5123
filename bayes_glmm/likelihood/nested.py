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

import numpy as np

from bayes_glmm.likelihood.group_integrals import Adapted, Integrals, Integrand, group_modes, integrate
from bayes_glmm.likelihood.laplace import Evaluation
from bayes_glmm.likelihood.likelihood import Likelihood, Parameters
from bayes_glmm.likelihood.modes import Modes, by_row
from bayes_glmm.numerics.quadrature import gauss_hermite


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
    outer = part.blocks[1]
    rows, n = groups.rows, len(modes.eta)
    of_row = outer.index[rows]  # outer group of the rows, in the order of the inner groups
    count = len(outer.levels)
    values = modes.factor.values
    alpha = values[rows, 1]

    p = modes.factor.solve(np.repeat([0.0, 1.0], [part.starts[1], count]))
    variance, m = p[part.starts[1] :], modes.z[part.starts[1] :]
    x, w = gauss_hermite(nodes)
    z = m + np.sqrt(variance) * x[:, None]  # [node, outer group]
    inner = _inner(likelihood, parameters, modes, z, nodes)

    def sums(by_inner_row: np.ndarray) -> np.ndarray:
        return _sums(by_inner_row, of_row, count)

    h = _sums(inner.value, outer.index[rows[groups.starts]], count) - 0.5 * z**2
    exponent = h + (np.log(w) + 0.5 * x**2)[:, None]
    highest = exponent.max(axis=0)
    e = np.exp(exponent - highest)
    total = e.sum(axis=0)
    weight = e / total
    value = float(np.sum(highest + np.log(total) + 0.5 * np.log(variance)))

    slope = sums(inner.by_fixed * alpha) - z
    g = np.sum(weight * slope, axis=0)
    Q = np.sqrt(variance) * np.sum(weight * x[:, None] * slope, axis=0)

    A = part.matrix(values)
    first, weights = by_row(modes.rows, 1, n), -by_row(modes.rows, 2, n)
    Ap = A @ p
    c = ((1.0 + Q) / variance)[outer.index]
    kappa = c * Ap**2
    v = 0.5 * kappa * by_row(modes.rows, 3, n)
    s = modes.factor.solve(A.T @ v + np.concatenate([np.zeros(part.starts[1]), g]))
    As = A @ s
    t = v - weights * As
    columns = part.columns
    by_entry = t[:, None] * modes.z[columns] + first[:, None] * s[columns] - (weights * c * Ap)[:, None] * p[columns]
    by_fixed = t.copy()
    node_weight = weight[:, of_row]
    by_fixed[rows] += np.sum(node_weight * inner.by_fixed, axis=0)
    by_entry[rows, 0] += np.sum(node_weight * inner.by_entry[..., 0], axis=0)
    by_entry[rows, 1] += np.sum(node_weight * inner.by_fixed * z[:, of_row], axis=0)
    inner_weight = weight[:, outer.index[rows[groups.starts]]]
    auxiliary = {
        name: float(
            np.sum(inner_weight * by_group)
            + np.sum(0.5 * kappa * by_row(modes.rows, 2, n, name) + As * by_row(modes.rows, 1, n, name))
        )
        for name, by_group in inner.by_auxiliary.items()
    }
    return Evaluation(value, Parameters(likelihood.design.X.T @ by_fixed, part.by_factor(by_entry), auxiliary), modes)


def _inner(likelihood: Likelihood, parameters: Parameters, modes: Modes, z: np.ndarray, nodes: int) -> Integrals:
    """The integrals of the inner groups at each node of the outer effects."""
    groups, outer = likelihood.groups, likelihood.part.blocks[1]
    values = modes.factor.values[groups.rows]
    fixed = likelihood.fixed(parameters.beta)[groups.rows] + values[:, 1] * z[:, outer.index[groups.rows]]
    integrand = Integrand(likelihood, fixed, values[:, :1], parameters.auxiliary)
    start = np.broadcast_to(modes.z[: likelihood.part.starts[1], None], (len(z), len(groups.starts), 1))
    return integrate(Adapted(integrand, group_modes(integrand, start)), nodes)


def _sums(values: np.ndarray, index: np.ndarray, count: int) -> np.ndarray:
    """Sums of the last axis by index."""
    return np.stack([np.bincount(index, row, count) for row in values])
