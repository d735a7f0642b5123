"""Column names of result tables: the user's win, ours step aside.

Tables put columns of the data beside columns of ours (``effect``, ``estimate``, ``lower``, ...). Where a table has a
column of the data with such a name, the data's column keeps it and ours gets a trailing underscore: ``effect_``, or
``effect__`` where the data have ``effect_`` too. Ours is always the one with the most underscores.

A table of estimates is read back by its order, since names alone do not tell whose they are: labels, then the numbers;
among the labels ``estimand`` and ``effect`` come last.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from bayes_glmm.effects.estimands import ESTIMANDS

NUMBERS = ("estimate", "mcse", "lower", "upper", "probability")


def free_name(name: str, theirs: Iterable[object]) -> str:
    """Return the name of a column of ours in a table that has these columns of the data.

    Examples
    --------
    >>> free_name("effect", ["x", "g"]), free_name("effect", ["effect", "x"]), free_name("effect", ["effect_"])
    ('effect', 'effect_', 'effect__')
    """
    alike = [str(other) for other in theirs if str(other).rstrip("_") == name]
    return name if not alike else name + "_" * (max(map(len, alike)) - len(name) + 1)


def beside(theirs: pd.DataFrame, **ours: object) -> pd.DataFrame:
    """Return the columns of the data followed by columns of ours, which step aside."""
    return pd.DataFrame({**theirs, **{free_name(name, theirs.columns): values for name, values in ours.items()}})


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table of estimates by their role.

    Attributes
    ----------
    labels : tuple of str
        What says of what each row is an estimate, without ``estimand`` and ``effect``.
    kind : str
        ``"coefficient"``, ``"comparison"``, ``"interaction"``, ``"slope"``; empty for other tables.
    estimand, effect : str or None
        Columns that hold the estimand and the reading of the random effects.
    numbers : dict of str to str
        Columns of numbers by our name for them, such as ``{"estimate": "estimate_", ...}``.
    """

    labels: tuple[str, ...]
    kind: str
    estimand: str | None
    effect: str | None
    numbers: dict[str, str]

    @property
    def all_labels(self) -> tuple[str, ...]:
        """Every column that is no number, in the order of the table."""
        return (*self.labels, *(name for name in (self.estimand, self.effect) if name is not None))

    @property
    def by(self) -> tuple[str, ...]:
        """Labels that are columns of the data."""
        return self.labels[{"coefficient": 1, "comparison": 2, "interaction": 4, "slope": 1}.get(self.kind, 0) :]


def is_table_of_estimates(table: pd.DataFrame) -> bool:
    """Whether a table has estimates with intervals."""
    return {"estimate", "lower", "upper"} <= {str(name).rstrip("_") for name in table.columns}


def columns_of_table(table: pd.DataFrame) -> TableColumns:
    """Read the roles of the columns of a table of estimates, one of :func:`tidy` or such a table read from a file."""
    names = [str(name) for name in table.columns]
    start = max(i for i, name in enumerate(names) if name.rstrip("_") == "estimate")
    numbers = {name.rstrip("_"): name for name in names[start:] if name.rstrip("_") in NUMBERS}
    labels = names[:start]
    effect = labels.pop() if labels and labels[-1].rstrip("_") == "effect" else None
    compared = effect and labels and labels[-1].rstrip("_") == "estimand" and set(table[labels[-1]]) <= set(ESTIMANDS)
    estimand = labels.pop() if compared else None
    return TableColumns(tuple(labels), _kind(labels, estimand, effect), estimand, effect, numbers)


def _kind(labels: list[str], estimand: str | None, effect: str | None) -> str:
    first = [name.rstrip("_") for name in labels]
    if effect is None or not first:
        return ""
    if first == ["coefficient"]:
        return "coefficient"
    if estimand is not None and first == ["variable", "contrast", "moderator", "at"]:
        return "interaction"
    if estimand is not None and first[:2] == ["variable", "contrast"]:
        return "comparison"
    return "slope" if estimand is None and first[0] == "variable" else ""


def in_our_names(table: pd.DataFrame) -> pd.DataFrame:
    """Return our columns alone under their plain names: the numbers and, where there are, ``estimand``, ``effect``."""
    found = columns_of_table(table)
    ours = {"estimand": found.estimand, "effect": found.effect, **found.numbers}
    return pd.DataFrame({name: table[column] for name, column in ours.items() if column is not None})
