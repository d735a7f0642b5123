"""Dataset: a table that comes with the package, and where it is from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Dataset:
    """A table by name.

    Attributes
    ----------
    name : str
        As written in a config.
    function : function
        ``() -> DataFrame``.
    title : str
        What the rows are, one line; says so if they are simulated.
    source : str
        Author, year, place.
    """

    name: str
    function: Callable[[], pd.DataFrame]
    title: str
    source: str
