"""From tables of comparisons to panels: which estimands there are, what each row is called."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayes_glmm.effects.estimands import ESTIMANDS
from bayes_glmm.effects.tidy import Estimates
from bayes_glmm.errors import SpecError
from bayes_glmm.plots.panels import Panel
from bayes_glmm.plots.style import settings

SHOWN = ["estimate", "lower", "upper"]
RATIOS = ("ratio", "odds_ratio")
FEW = 4  # rows up to which each has its full name
NOT_COLUMNS = ("variable", "contrast", "moderator", "at", "coefficient")


def labels_of(table: pd.DataFrame) -> list[str]:
    """The columns that say what a row is.

    Raises
    ------
    SpecError
        For a table that is none of comparisons, interactions, slopes or coefficients.
    """
    columns = [str(column) for column in table.columns]
    if "effect" not in columns or "estimate" not in columns or not {"variable", "coefficient"} & set(columns):
        raise SpecError(
            "These estimates are not of comparisons.",
            f"columns {', '.join(columns)}",
            "Give what compare, slopes, interact, coefficients or marginal_coefficients return.",
        )
    return [column for column in columns[: columns.index("estimate")] if column not in ("estimand", "effect")]


def quantities(table: pd.DataFrame) -> pd.Series:
    """What each row estimates, in prose [row]."""
    if "estimand" not in table:
        return pd.Series("coefficient" if "coefficient" in table else "average slope", index=table.index)
    change = "change of the " if "moderator" in table else ""
    return table["estimand"].map(lambda name: change + ESTIMANDS[name].title.partition(",")[0])


def contrast_name(row: pd.Series) -> str:
    """The variable and, for comparisons, what is compared; the coefficient."""
    if "coefficient" in row:
        return str(row["coefficient"])
    return f"{row['variable']}: {row['contrast']}" if "contrast" in row else str(row["variable"])


def condition(row: pd.Series, labels: Sequence[str]) -> str:
    """Where a comparison holds: the moderator's values, or those of the columns it was averaged by."""
    rest = {name: row[name] for name in labels if name not in NOT_COLUMNS}
    return f"{row['moderator']}: {row['at']}" if "moderator" in labels else settings(rest)


def panel_of(table: pd.DataFrame, names: Sequence[object], title: str, label: str) -> Panel:
    """A panel of one estimand.

    Parameters
    ----------
    table : DataFrame
        With the column ``row`` that names its rows.
    names : sequence
        The rows, from above.
    title, label : str
    """
    series = {}
    for effect, part in table.groupby("effect", sort=False):
        series[str(effect)] = part.set_index("row")[SHOWN].reindex(list(names)).to_numpy(float)
    estimand = str(table["estimand"].iloc[0]) if "estimand" in table and pd.notna(table["estimand"].iloc[0]) else ""
    null = ESTIMANDS[estimand].null if estimand else 0.0
    return Panel(title, label, series, null, ratio=estimand in RATIOS and bool(np.nanmin(table["lower"]) > 0.0))


def joined(estimates: Sequence[Estimates]) -> tuple[pd.DataFrame, str]:
    """Tables below each other, with the columns ``row`` (its name) and ``quantity``; and what all rows compare.

    Many rows of one comparison are named by where they hold alone, many of one variable by their contrast; otherwise
    the second text is empty.

    Raises
    ------
    SpecError
        As :func:`labels_of`, or if two tables have the same rows.
    """
    tables = []
    for each in estimates:
        labels, table = labels_of(each.table), each.table
        names = table.apply(contrast_name, axis=1)
        where = table.apply(condition, axis=1, labels=labels)
        tables.append(table.assign(contrasted=names, where=where, quantity=quantities(table)))
    table = pd.concat(tables, ignore_index=True)
    if table["contrasted"].nunique() == 1 and table["where"].all() and table["where"].nunique() > FEW:
        table["row"], common = table["where"], str(table["contrasted"].iloc[0])
    elif (
        {"variable", "contrast"} <= set(table)
        and not table["where"].any()
        and len({*table["variable"]}) == 1
        and table["contrast"].nunique() > FEW
    ):
        table["row"], common = table["contrast"], str(table["variable"].iloc[0])
    else:
        pairs = zip(table["contrasted"], table["where"], strict=True)
        table["row"], common = [_joined(*pair) for pair in pairs], ""
    if (repeated := table.duplicated(["row", "quantity", "effect"])).any():
        raise SpecError(f"Two estimates are both called {table.loc[repeated, 'row'].iloc[0]!r}.", advice="Give one.")
    return table, common


def _joined(contrast: str, where: str) -> str:
    """On one line where that is short."""
    short = len(contrast) + len(where) < 30
    return f"{contrast}, {where}" if where and short else f"{contrast},\n{where}" if where else contrast
