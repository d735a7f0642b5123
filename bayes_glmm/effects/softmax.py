r"""Averages of the probabilities of categories without an order, e^eta_k / sum_j e^eta_j, over random effects.

All categories are averaged together, as they share the denominator at each point.

Of one or two predictors by products of trapezoidal rules, to some 1e-7 (:mod:`~bayes_glmm.effects.trapezoid`). Of more
over 4,096 points of a scrambled Sobol sequence and their mirror images (Owen 1998): errors up to 4e-4 were seen with 4
to 20 categories and sds of 1 to 4. Averages over many rows take fewer points, others in each draw. Where all rows have
one covariance, the exponentials of the effects are taken once a draw, and a point costs one division a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from scipy import special, stats

from bayes_glmm.design import Predictors
from bayes_glmm.effects.integrate import covariance_of_predictors
from bayes_glmm.effects.patterns import same_variance
from bayes_glmm.effects.trapezoid import PLANE_DIGITS, PLANE_REACH, line
from bayes_glmm.families import LINKS
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import CHUNK_BYTES, Draws

MOST_POINTS, FEWEST_POINTS = 4096, 128  # of the sequence a draw, half of them mirrored
WORK = 2**30  # of probabilities at points: beyond, a draw has fewer
POOL = 2**14  # points, of which each draw has others
SEED = 5
LARGEST = 340.0  # of an exponent: products of two exponentials stay numbers
TILE = 256  # points that are worked on together, so that they stay in the cache


def average_of_categories(
    posterior: Posterior,
    predictors: Predictors,
    eta: Sequence[np.ndarray],
    parameters: Sequence[str],
    draws: Draws = slice(None),
) -> np.ndarray:
    """The probabilities of all categories averaged over random effects [category, draw, row].

    Parameters
    ----------
    posterior : Posterior
    predictors : Predictors
        With the factors to average over.
    eta : sequence of array [draw, row]
        Linear predictors of the categories but the first, the reference, without these effects.
    parameters : sequence of str
        Their names.
    draws : slice or array
    """
    alike = all(same_variance(predictors, name) for name in parameters)
    of = predictors.take(np.zeros(1, int)) if alike else predictors
    V = covariance_of_predictors(posterior, of, parameters, draws)
    stacked = np.stack(np.broadcast_arrays(*eta), axis=-2)  # [draw, parameter, row]
    if not alike:  # each row of each draw by itself
        stacked = np.swapaxes(stacked, 1, 2).reshape(-1, len(parameters), 1)
        V = V.reshape(-1, 1, *V.shape[2:])
    result = np.empty((len(parameters) + 1, len(stacked), stacked.shape[2]))
    points = int(np.clip(WORK // max(eta[0].size, 1), FEWEST_POINTS, MOST_POINTS))
    rungs = np.ceil(np.log2(np.maximum(np.sqrt(np.trace(V[:, 0], axis1=1, axis2=2)), 0.25)))
    for rung in np.unique(rungs):
        chosen = np.flatnonzero(rungs == rung)
        z, weights = _nodes(len(parameters), float(2.0**rung), 2 ** int(np.log2(points)))
        size = max(1, CHUNK_BYTES // (8 * z.shape[1] * z.shape[2]))
        for start in range(0, len(chosen), size):
            some = chosen[start : start + size]
            effects = _root(V[some, 0]) @ z[some % len(z)]
            factors = np.exp(np.clip(effects, -LARGEST, LARGEST))
            odds = np.exp(np.clip(stacked[some], -LARGEST, LARGEST))
            result[:, some] = _compiled()(odds, factors, weights)
    return np.where(np.isnan(sum(eta)), np.nan, result.reshape(-1, *eta[0].shape))


def _root(V: np.ndarray) -> np.ndarray:
    """An L with V = L L' [draw, parameter, parameter]; V may be singular."""
    values, vectors = np.linalg.eigh(V)
    return vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]


@cache
def _nodes(size: int, widest: float, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal nodes [set, size, node] and their weights, for sds up to the widest: draws take sets in turn."""
    if size > 2:
        pool = stats.qmc.Sobol(size, rng=SEED).random(POOL)
        half = special.ndtri(np.clip(pool, 1e-12, 1.0 - 1e-12)).reshape(-1, points // 2, size).swapaxes(1, 2)
        return np.concatenate([half, -half], axis=2), np.full(points, 1.0 / points)
    nodes, weights = np.array(list(line(LINKS["logit"], widest, PLANE_DIGITS, PLANE_REACH))).T
    places = np.stack([one.ravel() for one in np.meshgrid(*[nodes] * size, indexing="ij")])
    product = np.prod([one.ravel() for one in np.meshgrid(*[weights] * size, indexing="ij")], axis=0)
    kept = product > 1e-9 * product.max()  # corners beyond every digit that is asked for
    return places[None][:, :, kept], product[kept] / product[kept].sum()


@cache
def _compiled() -> Callable[..., np.ndarray]:
    import numba

    @numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
    def sums(odds, factors, weights):  # type: ignore[no-untyped-def] # pragma: no cover
        draws, size, rows = odds.shape
        result, shares = np.zeros((size + 1, draws, rows)), np.empty(TILE)
        for d in range(draws):
            for start in range(0, len(weights), TILE):
                points = min(TILE, len(weights) - start)
                weight = weights[start : start + points]
                for i in range(rows):
                    for m in range(points):
                        shares[m] = 1.0
                    for j in range(size):
                        own, factor = odds[d, j, i], factors[d, j, start : start + points]
                        for m in range(points):
                            shares[m] += own * factor[m]
                    total = 0.0
                    for m in range(points):
                        shares[m] = weight[m] / shares[m]
                        total += shares[m]
                    result[0, d, i] += total
                    for j in range(size):
                        total, factor = 0.0, factors[d, j, start : start + points]
                        for m in range(points):
                            total += shares[m] * factor[m]
                        result[j + 1, d, i] += odds[d, j, i] * total
        return result

    return sums
