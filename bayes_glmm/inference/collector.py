"""Python's garbage collector, kept to what is new: packages that were imported are no garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def freeze_gc() -> Iterator[None]:
    """While the block lasts, collections pass over the objects that were there before it.

    Imported packages leave some 140,000 of them, and one look at each takes about 0.1 s: as long as a small model takes
    to sample. Where somebody has frozen objects already, nothing is done: it is not for us to thaw them.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
