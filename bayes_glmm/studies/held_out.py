r"""Rows predicted by draws that have not seen them.

A unit is a row, or all rows of a group. Its density is averaged over the draws of a fit to the other rows,

    p(y_j | others) = E \int p(y_j | beta, u_seen, u_unseen) N(u_unseen; 0, G) du_unseen:

levels of which the fit has seen rows keep their draws of u, the others are integrated out under each draw of G. That
is exact whether a group is left out whole or in part, and whatever else is crossed with it or nested in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from bayes_glmm.design import Design, Predictors, RandomBlock, take_rows
from bayes_glmm.design.trial_rows import log_coefficients
from bayes_glmm.diagnostics.integrals import NODES, GroupIntegrals, Rows, evaluations
from bayes_glmm.diagnostics.loo import CHUNK_VALUES
from bayes_glmm.diagnostics.loo_groups import ERROR, LEAST, MEASURED, VALUES
from bayes_glmm.numerics.spread import evenly_spread
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import conditional_predictor
from bayes_glmm.summaries.monte_carlo import mcse_of_mean


@dataclass(frozen=True)
class HeldOut:
    """Rows that were left out, unit after unit.

    Attributes
    ----------
    design : Design
        Of these rows alone.
    unit : array [row]
        0, 1, ..., ascending.
    slots : tuple, one a block, of array [row]
        Where the effects of the row's level stand among the unseen effects of its unit; -1 for a level that was seen.
    sizes : array [unit]
        How many unseen effects a unit has.
    """

    design: Design
    unit: np.ndarray
    slots: tuple[np.ndarray, ...]
    sizes: np.ndarray


def hold_out(design: Design, rows: np.ndarray, unit: np.ndarray, others: np.ndarray) -> HeldOut:
    """Rows of a design as they are to be predicted from others.

    Parameters
    ----------
    design : Design
        Of all rows.
    rows : array of int [row]
        Those to predict.
    unit : array [row]
        Their units: 0, 1, ...
    others : array of int
        The rows of a fit.
    """
    order = np.argsort(unit, kind="stable")
    rows, unit = rows[order], unit[order]
    held = take_rows(design, rows)
    slots, sizes = [], np.zeros(unit[-1] + 1, dtype=int)
    for whole, block in zip(design.blocks, held.blocks, strict=True):
        unseen = ~np.isin(whole.index[rows], whole.index[others])
        slots.append(_slots(block, unit, unseen, sizes))
    return HeldOut(held, unit, tuple(slots), sizes)


def _slots(block: RandomBlock, unit: np.ndarray, unseen: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Places for the unseen levels of a block behind those that each unit has, whose number grows by them."""
    slots = np.full(len(unit), -1)
    pairs, of_row = np.unique(np.column_stack([unit, block.index])[unseen], axis=0, return_inverse=True)
    within = np.arange(len(pairs)) - np.searchsorted(pairs[:, 0], pairs[:, 0])
    slots[unseen] = (sizes[pairs[:, 0]] + within * len(block.effects))[of_row]
    sizes += len(block.effects) * np.bincount(pairs[:, 0], minlength=len(sizes))
    return slots


def predictive_density(posterior: Posterior, held: HeldOut, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Log predictive density of each unit, and its Monte Carlo standard error [unit], NaN for fewer than four draws.

    Parameters
    ----------
    posterior : Posterior
        With draws of the levels that were seen. Those of the others are not looked at.
    held : HeldOut
    seed : int
        For integrals over more random effects than quadrature takes.
    """
    total = int(np.prod(posterior.sample_shape))
    rng = np.random.default_rng(seed)
    value, error = np.empty(len(held.sizes)), np.empty(len(held.sizes))
    for units in _batches(held, total):
        density = _log_density(posterior, held, units, total, rng)
        value[units] = special.logsumexp(density, axis=0) - np.log(len(density))
        # some of the draws, evenly spread over the chains, are as one chain
        chains = posterior.sample_shape[0] if len(density) == total else 1
        error[units] = mcse_of_mean(np.exp(density - value[units]).T.reshape(len(units), chains, -1))
    return value + log_coefficients(held.design, held.unit, len(value)), error


def _batches(held: HeldOut, total: int) -> Iterator[np.ndarray]:
    """Units with as many unseen effects each, not too many rows at once; one by one where there are many effects."""
    count = np.bincount(held.unit)
    for size in np.unique(held.sizes):
        units = np.flatnonzero(held.sizes == size)
        batch = np.cumsum(count[units]) * total // CHUNK_VALUES if size == 0 or size in NODES else np.arange(len(units))
        yield from np.split(units, np.flatnonzero(np.diff(batch)) + 1)


def _log_density(
    posterior: Posterior, held: HeldOut, units: np.ndarray, total: int, rng: np.random.Generator
) -> np.ndarray:
    """Log densities of some units with as many unseen effects each [draw, unit], at as many draws as time allows.

    Where quadrature does not settle, importance sampling stands in for it, whose noise counts as Monte Carlo error.
    """
    design, size = held.design, int(held.sizes[units[0]])
    rows = np.flatnonzero(np.isin(held.unit, units))
    starts = np.searchsorted(held.unit[rows], units)
    residual = None if design.residual is None else design.residual.take(rows)
    integrals = GroupIntegrals(posterior.spec, design.observed[rows], starts, residual)
    affordable = VALUES // (len(rows) * evaluations(posterior.spec, size))
    draws = evenly_spread(total, max(LEAST, affordable))
    step = integrals.draws_at_once(max(1, size))
    predictors = _seen_predictors(posterior, held).take(rows)
    found, start = [], np.zeros((len(units), size))
    few = _rows(posterior, held, predictors, rows, evenly_spread(total, MEASURED), size)
    nodes = 0 if integrals.quadrature_error(few, start, rng) > ERROR else None
    for first in range(0, len(draws), step):
        some = _rows(posterior, held, predictors, rows, draws[first : first + step], size)
        value, start = integrals.log(some, start, rng, nodes)
        found.append(value)
    return np.concatenate(found)


def _seen_predictors(posterior: Posterior, held: HeldOut) -> Predictors:
    """The rows with effects of seen levels only, at their places in the posterior."""
    blocks = []
    for block, slots in zip(held.design.blocks, held.slots, strict=True):
        place = {level: i for i, level in enumerate(posterior.design.block(block.group).levels)}
        at = np.array([place.get(level, 0) for level in block.levels])
        blocks.append(replace(block, values=block.values * (slots < 0)[:, None], index=at[block.index]))
    return replace(held.design.predictors, blocks=tuple(blocks))


def _rows(
    posterior: Posterior, held: HeldOut, predictors: Predictors, rows: np.ndarray, draws: np.ndarray, size: int
) -> Rows:
    """What some draws say about some rows, of units with so many unseen effects."""
    names = predictors.parameters
    A = np.zeros((len(draws), len(names), len(rows), size))
    for block, slots in zip(held.design.blocks, held.slots, strict=True):
        unseen = np.flatnonzero(slots[rows] >= 0)
        if unseen.size:
            root = posterior.root(block.group)[draws]
            columns = slots[rows][unseen, None] + np.arange(len(block.effects))
            for k, name in enumerate(names):
                of = block.of(name)
                A[:, k, unseen[:, None], columns] = np.einsum(
                    "re,dek->drk", block.values[rows][unseen][:, of], root[:, of]
                )
    auxiliary = {name: value[draws][:, None] for name, value in posterior.auxiliary.items()}
    eta = np.stack([conditional_predictor(posterior, predictors, draws, name) for name in names], axis=1)
    return Rows(eta, A, auxiliary)
