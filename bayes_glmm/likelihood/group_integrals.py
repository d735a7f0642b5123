r"""Integrals over the random effects of single groups by adaptive Gauss-Hermite quadrature, with their derivatives.

A group has the log integrand h(z) = sum_i l_i(f_i + A_i z) - z'z / 2. Of a row with K predictors f_i is a vector, A_i
has one line per predictor, and l_i', l_i'' and l_i''' have one, two and three indices. With W_i = -l_i'', mode m and
curvature P = I + sum_i A_i'W_i A_i = C C' there, nodes z_k = m + C^-T x_k
(:mod:`~bayes_glmm.numerics.adaptive_quadrature`) are where the integrand is large, and

    log int p(y | z) phi(z) dz  is about  h(m) - log|C| + log sum_k e_k,   e_k = w_k exp(h(z_k) - h(m) + x_k'x_k / 2).

One node is the Laplace approximation. The gradient is that of this value, for any number of nodes: parameters move the
nodes too. Let bars be averages over nodes with weights e_k, g that of h'(z_k) and Q that of x_k h'(z_k)'C^-T. With
dC = C low(C^-1 dP C^-T), low(M) the lower triangle of M with half the diagonal (Smith 1995), and dm = P^-1 dh'(m),

    d value = -tr(K dP) / 2 + g'dm + average of dh(z_k),    K = C^-T (I + low(Q) + low(Q)') C^-1.

So with kappa_i = A_i K A_i', v_i the sum of kappa_i l_i''' / 2 over two of its indices, s = P^-1 (g + sum_i A_i'v_i)
and t_i = v_i - W_i A_i s, derivatives of l without a bar at the mode,

    d/d f_i = bar(l_i') + t_i
    d/d A_i = bar(l_i' z') + t_i m' + l_i' s' - W_i A_i K
    d/d phi = sum_i  bar(l_phi) + tr(kappa_i l''_phi) / 2 + (A_i s)'l'_phi.

Of exact averages, integration by parts makes g = 0 and Q = -I, so K = 0: all that comes of moving nodes vanishes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayes_glmm.families import Response
from bayes_glmm.likelihood.groups import Groups
from bayes_glmm.likelihood.likelihood import Likelihood
from bayes_glmm.likelihood.stacked import Curvature
from bayes_glmm.numerics.adaptive_quadrature import Placement, placed
from bayes_glmm.numerics.jet import Jet
from bayes_glmm.numerics.search import climb_all

_CELLS = 300_000  # densities evaluated at once
EVALUATIONS = 200
DECREMENT = 1e-10  # as of the conditional modes


@dataclass(frozen=True)
class Integrals:
    """Log integrals and their derivatives.

    Attributes
    ----------
    value : array [batch, group]
    by_fixed : array [predictor, batch, row]
        In f, rows in the order of the groups.
    by_entry : array [predictor, batch, row, effect]
        In A.
    by_auxiliary : mapping of name to array [batch, group]
    """

    value: np.ndarray
    by_fixed: np.ndarray
    by_entry: np.ndarray
    by_auxiliary: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Integrand:
    """The integrands of all groups, for a batch of linear predictors.

    Attributes
    ----------
    likelihood : Likelihood
    fixed : array [predictor, batch, row]
        The f, rows in the order of ``likelihood.groups``.
    A : array [predictor, row, effect]
    auxiliary : mapping of name to float
    """

    likelihood: Likelihood
    fixed: np.ndarray
    A: np.ndarray
    auxiliary: Mapping[str, float]

    @property
    def groups(self) -> Groups:
        """The groups."""
        return self.likelihood.groups

    @cached_property
    def response(self) -> Response:
        """The response, rows in the order of the groups."""
        return self.likelihood.design.observed[self.groups.rows]

    @cached_property
    def entering(self) -> tuple[tuple[int, ...], ...]:
        """The effects that enter each predictor."""
        return tuple(tuple(np.flatnonzero(values.any(axis=0)).tolist()) for values in self.A)

    def rows(self, z: np.ndarray, order: int) -> Jet:
        """Log densities of rows at effects z [..., batch, group, effect], with derivatives."""
        etas = []
        for fixed, values, effects in zip(self.fixed, self.A, self.entering, strict=True):
            eta = fixed
            for k in effects:
                eta = eta + values[:, k] * z[..., self.groups.of_row, k]
            etas.append(eta)
        etas[0] = np.broadcast_to(etas[0], (*z.shape[:-2], len(self.groups.rows)))
        return self.likelihood.jet_at(etas, self.auxiliary, order, self.response)

    def log(self, z: np.ndarray, rows: Jet) -> np.ndarray:
        """The h [..., batch, group]; -inf where it is not a number."""
        value = self.groups.sums(rows.value) - 0.5 * np.sum(z**2, axis=-1)
        return np.nan_to_num(value, nan=-np.inf, posinf=-np.inf)

    def gather(self, by_predictor: np.ndarray) -> np.ndarray:
        """The sums over rows of A_i'v_i [batch, group, effect], for v [predictor, batch, row]."""
        return self.groups.sums(np.einsum("krj,kbr->brj", self.A, by_predictor), axis=-2)

    def precision(self, W: np.ndarray) -> np.ndarray:
        """I + sum of A_i'W_i A_i [batch, group, effect, effect], for W [predictor, predictor, batch, row]."""
        WA = np.einsum("klbr,lre->kbre", W, self.A)
        by_row = np.einsum("kre,kbrf->bref", self.A, WA)
        return np.eye(self.A.shape[-1]) + self.groups.sums(by_row, axis=-3)


@dataclass(frozen=True)
class Adapted:
    """Integrands with their modes.

    Attributes
    ----------
    integrand : Integrand
    modes : array [batch, group, effect]

    Raises
    ------
    numpy.linalg.LinAlgError
        On first use, if an integrand does not fall away from its mode.
    """

    integrand: Integrand
    modes: np.ndarray

    @cached_property
    def rows(self) -> Jet:
        """Derivatives at the modes."""
        return self.integrand.rows(self.modes, 3)

    @cached_property
    def height(self) -> np.ndarray:
        """The h(m) [batch, group]."""
        return self.integrand.log(self.modes, self.rows)

    @cached_property
    def placement(self) -> Placement:
        """The modes with the C^-T [batch, group, effect, effect]."""
        return placed(self.modes, self.integrand.precision(-self.rows.second))

    def nodes(self, count: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, Jet]]:
        """The nodes, some at a time: x [node, effect], z and e [node, batch, group, (effect)], rows at z."""
        for x, z, log_weight in self.placement.nodes(count, max(1, _CELLS // self.integrand.fixed.size)):
            rows = self.integrand.rows(z, 1)
            yield x, z, np.exp(self.integrand.log(z, rows) - self.height + log_weight[:, None, None]), rows

    def log_integral(self, total: np.ndarray) -> np.ndarray:
        """The log integrals of sums of e, both [batch, group]."""
        return self.height + self.placement.log_size + np.log(total)


def group_modes(integrand: Integrand, start: np.ndarray) -> np.ndarray:
    """Modes of integrands [batch, group, effect], by damped Newton steps.

    Parameters
    ----------
    integrand : Integrand
    start : array [batch, group, effect]
    """

    def at(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = integrand.rows(z, 2)
        # on the way to a mode directions that bend the integrand up are left out
        curvature = Curvature(-np.nan_to_num(rows.second).reshape(*rows.second.shape[:2], -1))
        precision = integrand.precision(curvature.at_least(0.0).W.reshape(rows.second.shape))
        return integrand.log(z, rows), integrand.gather(rows.first) - z, precision

    return climb_all(at, start, DECREMENT, EVALUATIONS).end


def integrate(adapted: Adapted, nodes: int) -> Integrals:
    """Integrate random effects out.

    Parameters
    ----------
    adapted : Adapted
    nodes : int
        Of each dimension.
    """
    integrand, m, root = adapted.integrand, adapted.modes, adapted.placement.root
    groups, A, of_row, at_mode = integrand.groups, integrand.A, integrand.groups.of_row, adapted.rows
    inverse = np.swapaxes(root, -1, -2)
    average = _averages(adapted, nodes)

    g = integrand.gather(average.first) - m - _times(root, average.x)
    xh = groups.sums(np.einsum("kbrc,kre->brce", average.first_x, A), axis=-3)
    Q = (xh - average.x[..., :, None] * m[..., None, :] - average.xx @ inverse) @ root
    symmetric = np.tril(Q) + np.swapaxes(np.tril(Q, -1), -1, -2)
    K = root @ (np.eye(A.shape[-1]) + symmetric) @ inverse

    first, W = at_mode.first, -at_mode.second
    AK = np.einsum("kre,bref->kbrf", A, K[:, of_row])
    kappa = np.einsum("kbre,lre->klbr", AK, A)
    v = 0.5 * np.einsum("klbr,klmbr->mbr", kappa, at_mode.third)
    s = _times(root @ inverse, g + integrand.gather(v))[:, of_row]
    As = np.einsum("krj,brj->kbr", A, s)
    t = v - np.einsum("klbr,lbr->kbr", W, As)
    first_z = average.first[..., None] * m[:, of_row] + _times(root[:, of_row], average.first_x)
    by_entry = first_z + t[..., None] * m[:, of_row] + first[..., None] * s - np.einsum("klbr,lbre->kbre", W, AK)
    by_auxiliary = {
        name: average.auxiliary[name]
        + groups.sums(0.5 * np.einsum("klbr,klbr->br", kappa, by.second) + np.sum(As * by.first, axis=0))
        for name, by in at_mode.by.items()
    }
    return Integrals(adapted.log_integral(average.total), average.first + t, by_entry, by_auxiliary)


@dataclass(frozen=True)
class _Averages:
    """Averages over nodes: of x and x x' [batch, group, ...], of l' and l' x [predictor, batch, row, ...]."""

    total: np.ndarray
    x: np.ndarray
    xx: np.ndarray
    first: np.ndarray
    first_x: np.ndarray
    auxiliary: Mapping[str, np.ndarray]


def _averages(adapted: Adapted, nodes: int) -> _Averages:
    integrand, groups = adapted.integrand, adapted.integrand.groups
    of_row, d = groups.of_row, adapted.modes.shape[-1]
    shape, rows_shape = adapted.modes.shape[:2], integrand.fixed.shape
    total, x, xx = np.zeros(shape), np.zeros((*shape, d)), np.zeros((*shape, d, d))
    first, first_x = np.zeros(rows_shape), np.zeros((*rows_shape, d))
    auxiliary = {name: np.zeros(shape) for name in integrand.auxiliary}
    for points, _, e, rows in adapted.nodes(nodes):
        e_row = e[..., of_row]
        total += e.sum(axis=0)
        x += np.tensordot(e, points, (0, 0))
        xx += np.tensordot(e, points[:, :, None] * points[:, None, :], (0, 0))
        for k, slope in enumerate(rows.first):
            weighted = _weighted(e_row, slope)
            first[k] += weighted.sum(axis=0)
            first_x[k] += np.tensordot(weighted, points, (0, 0))
        for name, sums in auxiliary.items():
            sums += groups.sums(_weighted(e_row, rows.by[name].value).sum(axis=0))
    by_row = total[:, of_row]
    return _Averages(
        total,
        x / total[..., None],
        xx / total[..., None, None],
        first / by_row,
        first_x / by_row[..., None],
        {name: sums / total for name, sums in auxiliary.items()},
    )


def _weighted(e: np.ndarray, derivative: np.ndarray) -> np.ndarray:
    """Their product; 0 where the density is 0, whatever its derivative is."""
    with np.errstate(all="ignore"):
        return np.where(e > 0.0, e * derivative, 0.0)


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return np.einsum("...ij,...j->...i", matrices, vectors)
