r"""The likelihood of whole groups with their random effects integrated out: p(y_j | theta) at every draw.

    p(y_j | theta) = \int prod_i p(y_ij | eta_ij + z_ij' u) N(u; 0, G) du,        u = L t,  t ~ N(0, I)

Effects of *other* grouping factors are kept at their draws, part of eta. Under the Gaussian family with the identity
link the integral is closed; else it is Gauss-Hermite quadrature about the mode of the integrand in t, scaled by the
curvature there (Pinheiro & Bates 1995, J. Comp. Graph. Stat. 4, 12-35), all draws and groups at once. What the
quadrature leaves out is measured by taking more nodes at some of the draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bayes_glmm.design import RandomBlock
from bayes_glmm.families import Mean
from bayes_glmm.numerics.functions import NUMPY, Functions
from bayes_glmm.numerics.quadrature import product_rule
from bayes_glmm.numerics.series import SERIES, variables
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import conditional_predictor

NODES = {1: 31, 2: 13, 3: 7}  # a dimension
MORE = 1.5  # times the nodes, to measure the error
_CHUNK = 1_000_000  # rows times draws times effects held at once
_STEPS, _CLOSE = 40, 0.01  # of Newton's method; the mode is near enough at a hundredth of the integrand's sd
_RANGES = {"binary": "unit", "successes": "unit", "fraction": "unit", "count": "positive", "positive": "positive"}
_LOG_2PI = math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Rows:
    """What some draws say about the rows of the data, rows in the order of the groups.

    Attributes
    ----------
    eta : array [draw, row]
        The linear predictor without the effects of the groups.
    A : array [draw, row, effect]
        What a unit of each standardised effect adds to it: Z L.
    auxiliary : dict of str to array [draw, 1]
    """

    eta: np.ndarray
    A: np.ndarray
    auxiliary: dict[str, np.ndarray]


@dataclass(frozen=True)
class GroupLikelihood:
    """The integrals of one grouping factor.

    Attributes
    ----------
    posterior : Posterior
    block : RandomBlock
    """

    posterior: Posterior
    block: RandomBlock

    @property
    def closed(self) -> bool:
        """Whether the integral has a closed form."""
        spec = self.posterior.spec
        return spec.family_name == "gaussian" and spec.link_name == "identity"

    @property
    def nodes(self) -> int:
        """How often the density of a row is evaluated a draw."""
        effects = len(self.block.effects)
        return 1 if self.closed else NODES[effects] ** effects

    @cached_property
    def order(self) -> np.ndarray:
        """Rows of the data by level [row]."""
        return np.argsort(self.block.index, kind="stable")

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each level starts in that order [level]."""
        return np.searchsorted(self.block.index[self.order], np.arange(len(self.block.levels)))

    @cached_property
    def level(self) -> np.ndarray:
        """The level of each row in that order [row]."""
        return self.block.index[self.order]

    def log(self, draws: np.ndarray, nodes: int | None = None) -> np.ndarray:
        """The log of p(y_j | theta) [draw, level].

        Parameters
        ----------
        draws : array of int
            Which draws, chains stacked.
        nodes : int, optional
            Of the quadrature, in each dimension.
        """
        effects = len(self.block.effects)
        size = max(1, _CHUNK // (len(self.block.index) * effects))
        found, t = [], np.zeros((len(self.block.levels), effects))
        for start in range(0, len(draws), size):
            rows = self.rows(draws[start : start + size])
            if self.closed:
                found.append(self._gaussian(rows))
                continue
            modes, curvature = self.modes(rows, t)
            t = modes.mean(axis=0)  # the next draws start here
            found.append(self._quadrature(rows, modes, curvature, nodes or NODES[effects]))
        return np.concatenate(found)

    def error(self, draws: np.ndarray) -> float:
        """Largest change of a log likelihood, at some draws, with half as many nodes again in each dimension."""
        if self.closed:
            return 0.0
        finer = self.log(draws, math.ceil(MORE * NODES[len(self.block.effects)]))
        return float(np.abs(finer - self.log(draws)).max())

    def rows(self, draws: np.ndarray) -> Rows:
        """The rows of the data under some draws."""
        posterior, block = self.posterior, self.block
        u = posterior.u(block.group)[draws]
        eta = conditional_predictor(posterior, draws=draws)
        for k, values in enumerate(block.values.T):
            eta -= u[:, block.index, k] * values
        values, vectors = np.linalg.eigh(posterior.G(block.group)[draws])  # G may be singular, which Cholesky refuses
        root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        auxiliary = {name: value[draws][:, None] for name, value in posterior.auxiliary.items()}
        return Rows(eta[:, self.order], np.einsum("re,dek->drk", block.values[self.order], root), auxiliary)

    def modes(self, rows: Rows, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mode of the integrand in t [draw, level, effect] and its curvature there [draw, level, effect, effect]."""
        effects = rows.A.shape[2]
        t = np.broadcast_to(t, (len(rows.eta), *t.shape)).copy()
        step, best = np.zeros_like(t), np.full(t.shape[:2], -np.inf)
        curvature = np.broadcast_to(np.eye(effects), (*t.shape, effects)).copy()
        for _ in range(_STEPS):
            value, slope, bend = self._derivatives(rows, t + step)
            better = value >= best
            t, best = np.where(better[..., None], t + step, t), np.where(better, value, best)
            curvature = np.where(better[..., None, None], bend, curvature)
            newton = np.linalg.solve(bend, slope[..., None])[..., 0]
            step = np.where(better[..., None], newton, 0.5 * step)
            distance = np.einsum("dlj,dljk,dlk->dl", step, curvature, step)
            if (distance < _CLOSE**2).all():
                break
        return t, curvature

    def _derivatives(self, rows: Rows, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log integrand, its gradient in t and its curvature, not below that of the prior, at points of each level."""
        eta, identity = self._predictor(rows, t), np.eye(t.shape[2])
        moving, _ = variables(eta, {}, order=2)
        with np.errstate(all="ignore"):  # a step too far shows as a density that is not finite
            density = self._density(Mean(moving, self.posterior.spec.link, SERIES), rows.auxiliary, SERIES)
        weight = np.maximum(np.nan_to_num(-density.derivative(2), posinf=0.0, neginf=0.0), 0.0)
        score = np.nan_to_num(density.derivative(1), posinf=0.0, neginf=0.0)
        value = np.nan_to_num(self._by_level(density.value), nan=-np.inf, posinf=-np.inf)
        information = self._by_level(rows.A[..., :, None] * rows.A[..., None, :] * weight[..., None, None])
        # where a step went so far that one row outweighs all, the prior's 1 is lost to rounding
        ridge = 1.0 + 1e-9 * np.trace(information, axis1=-2, axis2=-1)[..., None, None]
        return (
            value - 0.5 * np.square(t).sum(axis=-1),
            self._by_level(rows.A * score[..., None]) - t,
            information + ridge * identity,
        )

    def _quadrature(self, rows: Rows, modes: np.ndarray, curvature: np.ndarray, nodes: int) -> np.ndarray:
        """Log sum_k w_k f(t_k) / N(x_k) |C|, t_k = mode + C x_k, C C' the inverse of the curvature [draw, level]."""
        points, weights = product_rule(nodes, modes.shape[2])
        # C = R^-T where the curvature is R R'
        factor = np.linalg.inv(np.linalg.cholesky(curvature)).swapaxes(-1, -2)
        total = np.full(modes.shape[:2], -np.inf)
        for point, weight in zip(points, weights, strict=True):
            t = modes + factor @ point
            mean = Mean(self._predictor(rows, t), self.posterior.spec.link, NUMPY)
            with np.errstate(all="ignore"):
                value = np.nan_to_num(self._by_level(self._density(mean, rows.auxiliary, NUMPY)), nan=-np.inf)
            change = 0.5 * (point @ point - np.square(t).sum(axis=-1))
            total = np.logaddexp(total, value + change + math.log(weight))
        return total + np.linalg.slogdet(factor)[1]

    def _gaussian(self, rows: Rows) -> np.ndarray:
        """Log N(y_j; eta_j, A A' + sigma^2 I) by the matrix determinant lemma and Woodbury's identity [draw, level]."""
        variance = rows.auxiliary["sigma"] ** 2
        residual = self.posterior.design.y[self.order] - rows.eta
        b = self._by_level(rows.A * (residual / variance)[..., None])
        H = self._by_level(rows.A[..., :, None] * rows.A[..., None, :] / variance[..., None, None])
        H = H + np.eye(rows.A.shape[2])
        fitted = np.einsum("dlk,dlk->dl", b, np.linalg.solve(H, b[..., None])[..., 0])
        alone = self._by_level(-0.5 * (residual**2 / variance + np.log(variance) + _LOG_2PI))
        return alone + 0.5 * fitted - 0.5 * np.linalg.slogdet(H)[1]

    def _predictor(self, rows: Rows, t: np.ndarray) -> np.ndarray:
        return rows.eta + np.einsum("drk,drk->dr", rows.A, t[:, self.level])

    def _density(self, mean: Mean, auxiliary: dict[str, np.ndarray], f: Functions) -> Any:
        design = self.posterior.design
        trials = None if design.trials is None else design.trials[self.order]
        return self.posterior.spec.family.log_density(design.y[self.order], mean, auxiliary, trials, f)

    def _by_level(self, values: np.ndarray) -> np.ndarray:
        """Sums over the rows of each level, along axis 1."""
        return np.add.reduceat(values, self.starts, axis=1)


def obstacle(posterior: Posterior, block: RandomBlock) -> str:
    """Why the groups of a factor cannot be integrated out, as a sentence; empty if they can."""
    spec, effects = posterior.spec, len(block.effects)
    inner = next(_nested_in(block, posterior.design.blocks), None)
    if inner is not None:
        return (
            f"Levels of {inner} lie within levels of {block.group}, and would have to be left out with them: "
            f"leave out levels of {inner}."
        )
    needed = _RANGES.get(spec.family.response)
    if spec.link.range not in ("real", "positive") if needed is None else spec.link.range != needed:
        return f"Under the {spec.link_name} link, some random effects have no mean that {spec.family_name} can have."
    if effects > max(NODES) and not (spec.family_name == "gaussian" and spec.link_name == "identity"):
        return f"{block.group} has {effects} effects a level; the quadrature takes {max(NODES)} at most."
    return ""


def _nested_in(outer: RandomBlock, blocks: tuple[RandomBlock, ...]) -> Iterator[str]:
    """Other grouping factors each of whose levels lies within one level of ``outer``."""
    for block in blocks:
        if block.group != outer.group:
            pairs = np.unique(np.column_stack([block.index, outer.index]), axis=0)
            if len(pairs) == len(block.levels):
                yield block.group
