"""A chain of nutpie's, which it keeps in Arrow's columns, as arrays that look into them: nothing is copied."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from bayes_glmm.inference.chains import Draws

POSITIONS = ("chain", "draw", "tuning")


def chain_of_columns(chain: Any, coords: Mapping[str, Any], hidden: Collection[str]) -> dict[str, Draws]:
    """Draws and statistics of one chain, and those of its warm-up.

    Parameters
    ----------
    chain : object
        What nutpie returns for one chain where it is asked for the raw trace.
    coords : mapping of dim to labels
    hidden : collection of str
        Variables to leave out.
    """
    (draws,), (statistics,) = chain.get_arrow_trace()
    warm_up = int(_values(statistics, "tuning").sum())
    groups = {}
    for name, batch in (("posterior", draws), ("sample_stats", statistics)):
        columns = _columns(batch, hidden)
        used = {dim for dims, _ in columns.values() for dim in dims if coords.get(dim) is not None}
        labels = {dim: np.asarray(coords[dim]).astype(str) for dim in used}
        for group, part in ((name, slice(warm_up, None)), (f"warmup_{name}", slice(warm_up))):
            groups[group] = Draws({key: (dims, values[part]) for key, (dims, values) in columns.items()}, labels)
    return groups


def _columns(batch: Any, hidden: Collection[str]) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Dims and values of the columns that have a value for each draw."""
    columns = {}
    for name in batch.column_names:
        column = batch.column(name)
        if name in POSITIONS or name in hidden or column.null_count:
            continue
        text = {key: column.field.metadata.get(key, b"").decode() for key in (b"dims", b"shape")}
        dims = tuple(text[b"dims"].split(",")) if text[b"dims"] else ()
        shape = tuple(map(int, text[b"shape"].split(","))) if text[b"shape"] else ()
        columns[name] = dims, _values(batch, name).reshape(batch.num_rows, *shape)
    return columns


def _values(batch: Any, name: str) -> np.ndarray:
    import pyarrow

    values = pyarrow.array(batch.column(name))
    return (values.flatten() if hasattr(values, "flatten") else values).to_numpy(zero_copy_only=False)
