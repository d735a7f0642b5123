"""The rows of a model as a Parquet file, from which they come back to the bit.

Parquet keeps the categories of text alone: those of numbers, truth values and dates come back as plain columns, and
a factor would become a straight line. The file therefore says in its notes at which row each category appears first,
in the order of the categories.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

_NOTES = b"bayes_glmm"


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write rows whose categories are all used and none missing, as those of a design are."""
    import pyarrow as pa  # takes a tenth of a second
    import pyarrow.parquet as pq

    plain, rows = {}, {}
    for name, column in frame.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            rows[str(name)] = np.unique(column.cat.codes, return_index=True)[1].tolist()
            column = column.astype(column.cat.categories.dtype)
        plain[name] = column
    table = pa.Table.from_pandas(pd.DataFrame(plain, index=frame.index))
    notes = {**(table.schema.metadata or {}), _NOTES: json.dumps({"categories": rows}).encode()}
    pq.write_table(table.replace_schema_metadata(notes), path)


def read_frame(path: Path) -> pd.DataFrame:
    """Read what :func:`write_frame` wrote; a file of others as pandas reads it.

    Raises
    ------
    ValueError, OSError
        If the file is damaged.
    """
    import pyarrow.parquet as pq

    frame = pd.read_parquet(path)
    notes = json.loads((pq.read_schema(path).metadata or {}).get(_NOTES, b'{"categories": {}}'))
    for name, rows in notes["categories"].items():
        if name not in frame or not all(isinstance(row, int) and 0 <= row < len(frame) for row in rows):
            raise ValueError(f"its notes on the categories of {name!r} do not fit its rows")
        categories = pd.Index(frame[name].iloc[rows])
        frame[name] = pd.Categorical(frame[name], categories=categories, ordered=True)
    return frame
