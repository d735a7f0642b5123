"""The mean of a row under each reading of its random effects, draw by draw.

One reading is one row of ``READINGS``: what happens to u. A row matters only through its columns of X, its offset, its
columns of Z and, where its own group counts, its level; rows alike in these are worked out once (:func:`distinct`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayes_glmm.design import Design, Predictors, new_predictors
from bayes_glmm.effects.integrate import average_over_normal, averaged_predictor, variance_of_predictor
from bayes_glmm.effects.table import by_table
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import CHUNK_BYTES, conditional_predictor, fixed_predictor


@dataclass(frozen=True)
class Reading:
    """What is done with the random effects.

    Attributes
    ----------
    name : str
        As written in a call.
    label : str
        As printed beside the estimate.
    groups : bool
        Whether the row's own groups count.
    """

    name: str
    label: str
    groups: bool = False


READINGS: dict[str, Reading] = {
    reading.name: reading
    for reading in (
        Reading("integrated", label="population-averaged"),
        Reading("zero", label="conditional (u = 0)"),
        Reading("known", label="conditional (this group)", groups=True),
        Reading("new", label="new group"),
    )
}


def readings(random_effects: str | Sequence[str]) -> tuple[Reading, ...]:
    """The readings of those names; one name may stand alone.

    Raises
    ------
    SpecError
        For a name that is not in ``READINGS``, or none at all.
    """
    names = (random_effects,) if isinstance(random_effects, str) else tuple(random_effects)
    for name in names:
        if name not in READINGS:
            raise SpecError(f"random_effects cannot be {name!r}.", advice=choices(name, READINGS))
    if not names:
        raise SpecError("random_effects is empty.", advice=choices("", READINGS))
    return tuple(READINGS[name] for name in dict.fromkeys(names))


def encode(design: Design, rows: pd.DataFrame, chosen: Sequence[Reading]) -> Predictors:
    """The linear predictor's ingredients for rows; groups must be known where a reading needs them."""
    return new_predictors(design, rows, known_groups=any(reading.groups for reading in chosen))


def distinct(predictors: Predictors, groups: bool) -> tuple[Predictors, np.ndarray]:
    """Rows without repeats, and for each given row the position of its like [row].

    Parameters
    ----------
    predictors : Predictors
    groups : bool
        Whether rows of different groups differ.
    """
    columns = [predictors.X, predictors.offset[:, None], *(block.values for block in predictors.blocks)]
    if groups:
        columns += [block.index[:, None] for block in predictors.blocks]
    table = pd.DataFrame(np.column_stack(columns))
    # a constant for groupby where no column tells rows apart
    position = table.groupby(list(table.columns), sort=False).ngroup().to_numpy()
    _, first = np.unique(position, return_index=True)
    return take(predictors, first), position


def take(predictors: Predictors, rows: np.ndarray) -> Predictors:
    """Some of the rows."""
    blocks = tuple(replace(block, values=block.values[rows], index=block.index[rows]) for block in predictors.blocks)
    return Predictors(predictors.X[rows], predictors.offset[rows], blocks)


def fresh_effects(posterior: Posterior, seed: int) -> dict[str, np.ndarray]:
    """One new level of each grouping factor, u ~ N(0, G) [draw, effect], the same for all rows of a call."""
    result = {}
    for i, block in enumerate(posterior.design.blocks):
        G = posterior.G(block.group)
        values, vectors = np.linalg.eigh(G)
        root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        z = np.random.default_rng([seed, i]).standard_normal(G.shape[:2])
        result[block.group] = np.einsum("dij,dj->di", root, z)
    return result


def predictor(
    posterior: Posterior,
    predictors: Predictors,
    reading: Reading,
    draws: slice,
    fresh: dict[str, np.ndarray] | None = None,
) -> np.ndarray:
    """The linear predictor [draw, row]: at u = 0 (also for ``integrated``), at the row's own u, or at a fresh u."""
    if reading.name == "known":
        return conditional_predictor(posterior, predictors, draws)
    eta = fixed_predictor(posterior, predictors, draws)
    if reading.name == "new":
        for block in predictors.blocks:
            eta += (fresh or {})[block.group][draws] @ block.values.T
    return eta


def mean_response(
    posterior: Posterior,
    predictors: Predictors,
    reading: Reading,
    draws: slice = slice(None),
    fresh: dict[str, np.ndarray] | None = None,
    scale: str = "response",
) -> np.ndarray:
    """The mean of the response [draw, row], on the scale of the response or of the link.

    Raises
    ------
    SpecError
        As :func:`~bayes_glmm.effects.integrate.average_over_normal`.
    """
    link = posterior.spec.link
    eta = predictor(posterior, predictors, reading, draws, fresh)
    if reading.name == "integrated":
        average = averaged_predictor if scale == "link" else average_over_normal
        if _same_variance(predictors):
            variance = variance_of_predictor(posterior, take(predictors, np.zeros(1, int)), draws=draws)
            return by_table(average, link, eta, variance)
        return average(link, eta, variance_of_predictor(posterior, predictors, draws=draws))
    if scale == "link":
        return eta
    with np.errstate(over="ignore", divide="ignore"):
        return np.asarray(link.inverse(eta, NUMPY), float)


def _same_variance(predictors: Predictors) -> bool:
    """Whether z is the same in all rows, as with random intercepts."""
    return len(predictors) > 0 and not any((block.values != block.values[0]).any() for block in predictors.blocks)


def draw_slices(posterior: Posterior, rows: int) -> Iterator[slice]:
    """All draws in consecutive slices, such that a [draw, row] array of one slice stays in memory."""
    total = int(np.prod(posterior.sample_shape))
    size = max(1, CHUNK_BYTES // (8 * 8 * max(rows, 1)))  # some eight such arrays at a time
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))
