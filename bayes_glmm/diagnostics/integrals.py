r"""Integrals over the random effects of groups of rows, draw by draw.

    p(y_j | theta) = \int prod_i p(y_ij | eta_ij + a_ij' t) phi(t) dt,        t ~ N(0, I)

Under the Gaussian family with the identity link the integral is closed. Else it is taken about the mode of the
integrand, scaled by the curvature there, all draws and groups at once: up to three effects by adaptive quadrature
(:mod:`~bayes_glmm.numerics.adaptive_quadrature`); for more by importance sampling from Student's t, whose tails are
wider than those of the integrand (Geweke 1989, Econometrica 57, 1317-1339). That estimate has no bias, so that its
noise goes down in averages over draws.

:mod:`~bayes_glmm.likelihood.group_integrals` has the derivatives of such integrals, for one predictor and one set of
parameters. Here there are many draws, each with its own A, and any number of predictors; no derivative is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import special

from bayes_glmm.design.residual import Residual
from bayes_glmm.families import Response
from bayes_glmm.families.observed import log_observed
from bayes_glmm.likelihood.unit import whitened
from bayes_glmm.numerics.adaptive_quadrature import Placement, placed
from bayes_glmm.numerics.functions import NUMPY, Functions
from bayes_glmm.numerics.jet import jet
from bayes_glmm.numerics.search import climb_all
from bayes_glmm.numerics.series import SERIES
from bayes_glmm.spec import ModelSpec

NODES = {1: 31, 2: 13, 3: 7}  # a dimension
MORE = 1.5  # times the nodes, to measure the error
POINTS, FREEDOM = 64, 5.0  # of importance sampling, at each draw
_CHUNK = 1_000_000  # numbers held at once
_STEPS, _CLOSE = 40, 0.01  # of Newton's method; the mode is near enough at a hundredth of the integrand's sd
_LOG_2PI = math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Rows:
    """What some draws say about rows, in the order of the groups.

    Attributes
    ----------
    eta : array [draw, predictor, row]
        Linear predictors without the effects that are integrated out.
    A : array [draw, predictor, row, effect]
        What a unit of each standardised effect of the row's group adds to them: Z L.
    auxiliary : dict of str to array [draw, 1]
    """

    eta: np.ndarray
    A: np.ndarray
    auxiliary: dict[str, np.ndarray]


@dataclass(frozen=True)
class GroupIntegrals:
    """The integrals of groups of rows that share no random effect.

    Attributes
    ----------
    spec : ModelSpec
    y : Response
        Group after group [row].
    starts : array [group]
        Where each group begins.
    residual : Residual, optional
        Which of these rows have correlated residuals: rows of one group.
    """

    spec: ModelSpec
    y: Response
    starts: np.ndarray
    residual: Residual | None = None

    @property
    def of_row(self) -> np.ndarray:
        """The group of each row [row]."""
        return np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=len(self.y.values)))

    def draws_at_once(self, effects: int) -> int:
        """Under how many draws to take the integrals together, so that they stay in memory."""
        by_row = max(1, effects if len(self.starts) == 1 else effects**2)
        return max(1, _CHUNK // (len(self.y.values) * by_row))

    def log(
        self, rows: Rows, start: np.ndarray, rng: np.random.Generator, nodes: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The log integrals [draw, group], and the modes' mean over draws, from where to search under further draws.

        Parameters
        ----------
        rows : Rows
        start : array [group, effect]
            Where to begin the search for the modes.
        rng : Generator
            For importance sampling.
        nodes : int, optional
            Of the quadrature, in each dimension; 0 for importance sampling.
        """
        effects = rows.A.shape[-1]
        if self.residual is not None:
            return self._correlated(rows, self.residual), start
        if not effects:
            return self._value(rows, np.zeros((len(rows.eta), *start.shape))), start
        if is_closed(self.spec):
            return self._gaussian(rows), start
        place = self._placement(rows, start)
        nodes = NODES.get(effects, 0) if nodes is None else nodes
        value = self._quadrature(rows, place, nodes) if nodes else self._sampled(rows, place, rng)
        return value, place.mode.mean(axis=0)

    def quadrature_error(self, rows: Rows, start: np.ndarray, rng: np.random.Generator) -> float:
        """Largest change of a log integral with half as many nodes again in each dimension; 0 without quadrature."""
        effects = rows.A.shape[-1]
        if is_closed(self.spec) or effects not in NODES:
            return 0.0
        finer, _ = self.log(rows, start, rng, math.ceil(MORE * NODES[effects]))
        return float(np.abs(finer - self.log(rows, start, rng)[0]).max())

    def _placement(self, rows: Rows, start: np.ndarray) -> Placement:
        """The modes of the integrands [draw, group, effect], and their curvature there."""
        begin = np.broadcast_to(start, (len(rows.eta), *start.shape))
        found = climb_all(partial(self._derivatives, rows), begin, _CLOSE**2, _STEPS)
        return placed(found.x, found.precision)

    def _derivatives(self, rows: Rows, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log integrand, its gradient in t and its curvature, not below that of the prior, at points of each group."""
        eta, identity = self._predictor(rows, t), np.eye(t.shape[2])
        with np.errstate(all="ignore"):  # a step too far shows as a density that is not finite
            density = jet(
                lambda etas, _: self._density(etas, rows.auxiliary, SERIES), [*np.moveaxis(eta, 1, 0)], {}, order=2
            )
        score = np.nan_to_num(density.first, posinf=0.0, neginf=0.0)
        value = np.nan_to_num(self._by_group(density.value), nan=-np.inf, posinf=-np.inf)
        information = self._information(rows.A, _not_below_zero(density.second))
        # where a step went so far that one row outweighs all, the prior's 1 is lost to rounding
        ridge = 1.0 + 1e-9 * np.trace(information, axis1=-2, axis2=-1)[..., None, None]
        return (
            value - 0.5 * np.square(t).sum(axis=-1),
            self._by_group(np.einsum("dkre,kdr->dre", rows.A, score)) - t,
            information + ridge * identity,
        )

    def _quadrature(self, rows: Rows, place: Placement, nodes: int) -> np.ndarray:
        """Log integrals by adaptive quadrature [draw, group]."""
        total = np.full(place.mode.shape[:2], -np.inf)
        for node in place.nodes(nodes, at_once=1):
            height = self._value(rows, node.z[0]) - 0.5 * np.square(node.z[0]).sum(axis=-1)
            total = np.logaddexp(total, height + node.log_weight[0])
        return total + place.log_size

    def _sampled(self, rows: Rows, place: Placement, rng: np.random.Generator) -> np.ndarray:
        """Log mean_k f(t_k) / q(x_k) |C|, x_k from Student's t with density q, t_k = mode + C x_k [draw, group]."""
        shape, effects = place.mode.shape, place.mode.shape[2]
        total = np.full(shape[:2], -np.inf)
        for _ in range(POINTS):
            wide = np.sqrt(FREEDOM / rng.chisquare(FREEDOM, (*shape[:2], 1)))
            x = wide * rng.standard_normal(shape)
            t = place.at(x)
            log_q = -0.5 * (FREEDOM + effects) * np.log1p(np.square(x).sum(axis=-1) / FREEDOM)
            total = np.logaddexp(total, self._value(rows, t) - 0.5 * np.square(t).sum(axis=-1) - log_q)
        constant = special.gammaln(0.5 * FREEDOM) - special.gammaln(0.5 * (FREEDOM + effects))
        constant += 0.5 * effects * (math.log(FREEDOM * math.pi) - _LOG_2PI) - math.log(POINTS)
        return total + constant + place.log_size

    def _gaussian(self, rows: Rows) -> np.ndarray:
        """Log N(y_j; eta_j, A A' + sigma^2 I) by the matrix determinant lemma and Woodbury's identity [draw, group]."""
        return self._normal(self.y.values - rows.eta[:, 0], rows.A[:, 0], rows.auxiliary["sigma"] ** 2)

    def _correlated(self, rows: Rows, residual: Residual) -> np.ndarray:
        """The same with correlated residuals, by rows that are made white [draw, group]."""
        constants = rows.auxiliary
        places = np.concatenate([constants[name] for name in residual.names], axis=-1)
        log_sigma = np.log(constants["sigma"]) if "sigma" in constants else rows.eta[:, 1]
        e, log_sd = whitened(residual, places, (self.y.values - rows.eta[:, 0]) * np.exp(-log_sigma))
        columns = np.moveaxis(rows.A[:, 0] * np.exp(-log_sigma)[..., None], -1, 1)
        A = np.moveaxis(whitened(residual, places[:, None], columns)[0], 1, -1)
        return self._normal(e, A, np.ones((1, 1))) - self._by_group(log_sd + log_sigma)

    def _normal(self, residual: np.ndarray, A: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Log N(residual; 0, A A' + variance I) [draw, group]."""
        b = self._by_group(A * (residual / variance)[..., None])
        H = self._information(A[:, None], (1.0 / variance)[None, None]) + np.eye(A.shape[-1])
        fitted = np.einsum("dlk,dlk->dl", b, np.linalg.solve(H, b[..., None])[..., 0])
        alone = self._by_group(-0.5 * (residual**2 / variance + np.log(variance) + _LOG_2PI))
        return alone + 0.5 * fitted - 0.5 * np.linalg.slogdet(H)[1]

    def _information(self, A: np.ndarray, W: np.ndarray) -> np.ndarray:
        """Sums of a_j W_jk a_k' over the rows of each group [draw, group, effect, effect]."""
        total: Any = 0.0
        for j, k in np.ndindex(W.shape[:2]):
            one, other, weight = A[:, j], A[:, k], W[j, k]
            if len(self.starts) == 1:  # one product of matrices, where there may be many effects
                total = total + ((one * weight[..., None]).swapaxes(-1, -2) @ other)[:, None]
            else:
                total = total + self._by_group(one[..., :, None] * other[..., None, :] * weight[..., None, None])
        return total

    def _value(self, rows: Rows, t: np.ndarray) -> np.ndarray:
        """Log p(y_j | t) [draw, group]; -inf where it is not a number."""
        eta = self._predictor(rows, t)
        with np.errstate(all="ignore"):
            found = self._density([*np.moveaxis(eta, 1, 0)], rows.auxiliary, NUMPY)
            return np.nan_to_num(self._by_group(found), nan=-np.inf)

    def _predictor(self, rows: Rows, t: np.ndarray) -> np.ndarray:
        """Linear predictors [draw, predictor, row]."""
        return rows.eta + np.einsum("dkre,dre->dkr", rows.A, t[:, self.of_row])

    def _density(self, etas: Sequence[Any], auxiliary: dict[str, np.ndarray], f: Functions) -> Any:
        eta = dict(zip(self.spec.predicted, etas, strict=True))
        return log_observed(self.spec.family, self.y, self.spec.at(eta, auxiliary, f), f)

    def _by_group(self, values: np.ndarray) -> np.ndarray:
        """Sums over the rows of each group, along axis 1."""
        return np.add.reduceat(values, self.starts, axis=1)


def _not_below_zero(second: np.ndarray) -> np.ndarray:
    """The W [predictor, predictor, draw, row] of second derivatives, less what bends up."""
    W = np.nan_to_num(-second, posinf=0.0, neginf=0.0)
    if len(W) == 1:
        return np.maximum(W, 0.0)
    values, vectors = np.linalg.eigh(np.moveaxis(W, (0, 1), (-2, -1)))
    kept = np.einsum("...km,...m,...lm->...kl", vectors, np.maximum(values, 0.0), vectors)
    return np.moveaxis(kept, (-2, -1), (0, 1))


def is_closed(spec: ModelSpec) -> bool:
    """Whether the integrals of a model have a closed form."""
    if spec.formula.residual is not None:
        return True
    plain = not spec.formulas and not spec.limited
    return plain and spec.family_name == "gaussian" and spec.link_name == "identity"


def evaluations(spec: ModelSpec, effects: int) -> int:
    """How often the density of a row is evaluated under a draw."""
    if is_closed(spec) or not effects:
        return 1
    return NODES[effects] ** effects if effects in NODES else POINTS


def range_obstacle(spec: ModelSpec) -> str:
    """Why no random effect of a model can be integrated out, as a sentence; empty if they can."""
    if not spec.defined_everywhere:
        return f"Under the {spec.link_name} link, some random effects have no mean that {spec.family_name} can have."
    if spec.formula.residual is not None and any(one.random for one in spec.formulas.values()):
        return "Effects in the predictor of sigma beside correlated residuals have no integral here."
    return ""
