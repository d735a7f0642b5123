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
from bayes_glmm.errors import DataError, SpecError, choices, rows_text
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import CHUNK_BYTES, conditional_predictor


@dataclass(frozen=True)
class Reading:
    """What is done with the random effects.

    Attributes
    ----------
    name : str
        As written in a call.
    label : str
        As printed beside the estimate.
    kept : tuple of str
        Grouping factors whose own level counts: the row's u is used. The reading is about the others.
    """

    name: str
    label: str
    kept: tuple[str, ...] = ()


READINGS: dict[str, Reading] = {
    reading.name: reading
    for reading in (
        Reading("integrated", label="population-averaged"),
        Reading("zero", label="conditional (u = 0)"),
        Reading("known", label="conditional (this group)"),
        Reading("new", label="new group"),
    )
}


def readings(
    random_effects: str | Sequence[str], design: Design, keep: str | Sequence[str] = ()
) -> tuple[Reading, ...]:
    """The readings of those names; one name may stand alone.

    Parameters
    ----------
    random_effects : str or sequence of str
        Names in ``READINGS``.
    design : Design
    keep : str or sequence of str
        Grouping factors at whose own levels to stay; ``known`` keeps all.

    Raises
    ------
    SpecError
        For a name that is not in ``READINGS``, none at all, or a factor that the model does not have.
    """
    names = _several(random_effects)
    factors = tuple(block.group for block in design.blocks)
    kept = _several(keep)
    for name in names:
        if name not in READINGS:
            raise SpecError(f"random_effects cannot be {name!r}.", advice=choices(name, READINGS))
    if not names:
        raise SpecError("random_effects is empty.", advice=choices("", READINGS))
    for group in kept:
        if group not in factors:
            raise SpecError(f"The model has no grouping factor {group!r} to keep.", advice=choices(group, factors))
    given = f" given {', '.join(kept)}" if kept else ""
    return tuple(
        replace(READINGS[name], kept=factors)
        if name == "known"
        else replace(READINGS[name], label=READINGS[name].label + given, kept=kept)
        for name in dict.fromkeys(names)
    )


def _several(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def kept_factors(chosen: Sequence[Reading]) -> tuple[str, ...]:
    """Grouping factors whose levels matter to any of the readings."""
    return tuple(dict.fromkeys(group for reading in chosen for group in reading.kept))


def encode(design: Design, rows: pd.DataFrame, chosen: Sequence[Reading]) -> Predictors:
    """The linear predictor's ingredients for rows.

    Raises
    ------
    DataError
        For missing columns, unknown levels, and unknown groups of a factor that a reading keeps.
    """
    kept = kept_factors(chosen)
    predictors = new_predictors(design, rows, known_groups=bool(kept) and len(kept) == len(design.blocks))
    for block in predictors.blocks:
        if block.group in kept and (unknown := np.flatnonzero(block.index < 0)).size:
            raise DataError(
                f"The model has not seen the {block.group} of these rows, or they do not say it.",
                rows_text(unknown),
                f"Leave {block.group!r} out of keep to average over it.",
            )
    return predictors


def distinct(predictors: Predictors, groups: Sequence[str] = ()) -> tuple[Predictors, np.ndarray]:
    """Rows without repeats, and for each given row the position of its like [row].

    Parameters
    ----------
    predictors : Predictors
    groups : sequence of str
        Grouping factors whose levels tell rows apart.
    """
    columns = [predictors.X, predictors.offset[:, None], *(block.values for block in predictors.blocks)]
    columns += [block.index[:, None] for block in predictors.blocks if block.group in groups]
    table = pd.DataFrame(np.column_stack(columns))
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
    """The linear predictor [draw, row]: kept factors at the row's own u, others at a fresh u for ``new``, else at 0."""
    kept, others = split_blocks(predictors, reading)
    eta = conditional_predictor(posterior, kept, draws)
    if reading.name == "new":
        for block in others.blocks:
            eta += (fresh or {})[block.group][draws] @ block.values.T
    return eta


def split_blocks(predictors: Predictors, reading: Reading) -> tuple[Predictors, Predictors]:
    """The same rows with the factors that a reading keeps, and with the others."""
    kept = tuple(block for block in predictors.blocks if block.group in reading.kept)
    others = tuple(block for block in predictors.blocks if block.group not in reading.kept)
    return replace(predictors, blocks=kept), replace(predictors, blocks=others)


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
        _, others = split_blocks(predictors, reading)
        if _same_variance(others):
            variance = variance_of_predictor(posterior, take(others, np.zeros(1, int)), draws=draws)
            return by_table(average, link, eta, variance)
        return average(link, eta, variance_of_predictor(posterior, others, draws=draws))
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
