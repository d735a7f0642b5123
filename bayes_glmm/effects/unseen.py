"""Rows of groups that the model has not seen: each such label becomes a level, with a u ~ N(0, G) of its own a draw.

After that the reading ``known_or_new`` is the reading ``known``, of a posterior that has these levels too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from bayes_glmm.design import Design, RandomBlock
from bayes_glmm.design.encode import group_labels
from bayes_glmm.effects.readings import UNSEEN, Reading, drawn_effects, kept_factors
from bayes_glmm.posterior import Posterior


def with_unseen_groups(posterior: Posterior, rows: pd.DataFrame, chosen: Sequence[Reading], seed: int) -> Posterior:
    """The posterior with the unseen groups of the rows as further levels, where ``known_or_new`` is among the readings.

    The u of a label depends on the seed and the label alone: it is the same in all rows, and in another call. Factors
    that another reading keeps stay as they are, so that it still refuses unseen groups.
    """
    if all(reading.name != "known_or_new" for reading in chosen):
        return posterior
    strict = kept_factors([reading for reading in chosen if reading.name != "known_or_new"])
    dataset = posterior.draws["posterior"].to_dataset()
    blocks = list(posterior.design.blocks)
    for i, block in enumerate(blocks):
        labels = [] if block.group in strict else unseen_labels(block, rows)
        if labels:
            generators = [np.random.default_rng([seed, UNSEEN, i + 1, *label.encode()]) for label in labels]
            fresh = [drawn_effects(posterior.root(block.group), rng) for rng in generators]
            blocks[i] = replace(block, levels=(*block.levels, *labels))
            dataset = _with_levels(posterior, dataset, blocks[i], np.stack(fresh, axis=1))
    return replace(
        posterior,
        design=_with_blocks(posterior.design, tuple(blocks)),
        draws=xr.DataTree.from_dict({"posterior": dataset}),
    )


def unseen_labels(block: RandomBlock, rows: pd.DataFrame) -> list[str]:
    """Labels of groups that are not levels of the block; rows that name no group are left for the encoder to refuse."""
    columns = tuple(block.group.split(":"))
    if not set(columns) <= set(rows.columns):
        return []
    labels = group_labels(columns, rows)[rows[list(columns)].notna().all(axis=1)]
    return labels[~labels.isin(block.levels)].unique().tolist()


def _with_levels(posterior: Posterior, dataset: xr.Dataset, block: RandomBlock, fresh: np.ndarray) -> xr.Dataset:
    """The draws with u of the new levels [draw, level, effect] behind the others."""
    u = np.concatenate([posterior.u(block.group), fresh], axis=1)
    dims = ("chain", "draw", block.level_dim, block.effect_dim)
    variable = xr.DataArray(
        u.reshape(*posterior.sample_shape, *u.shape[1:]), dims=dims, coords={block.level_dim: list(block.levels)}
    )
    return dataset.drop_dims(block.level_dim).assign({f"u_{block.group}": variable})


def _with_blocks(design: Design, blocks: tuple[RandomBlock, ...]) -> Design:
    return replace(design, predictors=replace(design.predictors, blocks=blocks))
