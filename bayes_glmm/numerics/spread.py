"""A few positions that stand for many."""

from __future__ import annotations

import numpy as np


def evenly_spread(total: int, most: int) -> np.ndarray:
    """At most ``most`` of the positions 0, ..., total - 1, evenly spread, the first and the last among them.

    Examples
    --------
    >>> evenly_spread(10, 4).tolist()
    [0, 3, 6, 9]
    >>> evenly_spread(3, 200).tolist()
    [0, 1, 2]
    """
    return np.unique(np.linspace(0, total - 1, min(most, total)).astype(int))
