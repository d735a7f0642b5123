"""The likelihood of whole groups with their random effects integrated out: p(y_j | theta) at every draw.

Effects of *other* grouping factors are kept at their draws, part of eta. What the quadrature of
:mod:`~bayes_glmm.diagnostics.integrals` leaves out is measured by taking more nodes at some of the draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bayes_glmm.design import Design, RandomBlock
from bayes_glmm.diagnostics.integrals import (
    NODES,
    GroupIntegrals,
    Rows,
    evaluations,
    is_closed,
    range_obstacle,
)
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import conditional_predictor


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
        return is_closed(self.posterior.spec)

    @property
    def nodes(self) -> int:
        """How often the density of a row is evaluated a draw."""
        return evaluations(self.posterior.spec, len(self.block.effects))

    @cached_property
    def order(self) -> np.ndarray:
        """Rows of the data by level [row]."""
        return np.argsort(self.block.index, kind="stable")

    @cached_property
    def integrals(self) -> GroupIntegrals:
        """The groups of rows, in that order."""
        design = self.posterior.design
        starts = np.searchsorted(self.block.index[self.order], np.arange(len(self.block.levels)))
        residual = None if design.residual is None else design.residual.take(self.order)
        return GroupIntegrals(self.posterior.spec, design.observed[self.order], starts, residual)

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
        size = self.integrals.draws_at_once(effects)
        found, start = [], np.zeros((len(self.block.levels), effects))
        rng = np.random.default_rng(0)
        for first in range(0, len(draws), size):
            value, start = self.integrals.log(self.rows(draws[first : first + size]), start, rng, nodes)
            found.append(value)
        return np.concatenate(found)

    def error(self, draws: np.ndarray) -> float:
        """Largest change of a log likelihood, at some draws, with half as many nodes again in each dimension."""
        start = np.zeros((len(self.block.levels), len(self.block.effects)))
        return self.integrals.quadrature_error(self.rows(draws), start, np.random.default_rng(0))

    def rows(self, draws: np.ndarray) -> Rows:
        """The rows of the data under some draws."""
        posterior, block = self.posterior, self.block
        predictors = posterior.design.predictors.take(self.order)
        others = replace(predictors, blocks=tuple(one for one in predictors.blocks if one.group != block.group))
        names = predictors.parameters
        root = posterior.root(block.group)[draws] if block.effects else np.empty((len(draws), 0, 0))
        eta = np.stack([conditional_predictor(posterior, others, draws, name) for name in names], axis=1)
        A = np.stack([_own(block, self.order, root, name) for name in names], axis=1)
        auxiliary = {name: value[draws][:, None] for name, value in posterior.auxiliary.items()}
        return Rows(eta, A, auxiliary)


def _own(block: RandomBlock, rows: np.ndarray, root: np.ndarray, parameter: str) -> np.ndarray:
    """What standardised effects add to a parameter's predictor in some rows [draw, row, effect]."""
    of = block.of(parameter)
    return np.einsum("re,dek->drk", block.values[rows][:, of], root[:, of])


def level_blocks(design: Design) -> tuple[RandomBlock, ...]:
    """The factors whose levels can be left out; one whose rows have correlated residuals may be without effects."""
    residual = design.residual
    if residual is None or residual.group in [block.group for block in design.blocks]:
        return design.blocks
    own = RandomBlock(residual.group, (), np.empty((len(design.y), 0)), residual.index, residual.levels, ())
    return own, *design.blocks


def obstacle(posterior: Posterior, block: RandomBlock) -> str:
    """Why the groups of a factor cannot be integrated out, as a sentence; empty if they can."""
    spec, effects, residual = posterior.spec, len(block.effects), posterior.design.residual
    if residual is not None and not within_levels(residual.index, block.index):
        return (
            f"Levels of {residual.group}, whose residuals are correlated, have rows in several levels of {block.group}."
        )
    inner = next(_nested_in(block, posterior.design.blocks), None)
    if inner is not None:
        return (
            f"Levels of {inner} lie within levels of {block.group}, and would have to be left out with them: "
            f"leave out levels of {inner}, or refit without both, bg.kfold(fit, by={block.group!r})."
        )
    if why := range_obstacle(spec):
        return why
    if effects > max(NODES) and not is_closed(spec):
        return f"{block.group} has {effects} effects a level; the quadrature takes {max(NODES)} at most."
    return ""


def within_levels(inner: np.ndarray, outer: np.ndarray) -> bool:
    """Whether the rows of each level of a factor [row] share one level of another [row]."""
    return len(np.unique(np.column_stack([inner, outer]), axis=0)) == len(np.unique(inner))


def _nested_in(outer: RandomBlock, blocks: tuple[RandomBlock, ...]) -> Iterator[str]:
    """Other grouping factors each of whose levels lies within one level of ``outer``."""
    for block in blocks:
        if block.group != outer.group and within_levels(block.index, outer.index):
            yield block.group
