"""From tables of comparisons to panels: which estimands there are, what each row is called."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayes_glmm.effects.columns import TableColumns, columns_of_table, in_our_names, is_table_of_estimates
from bayes_glmm.effects.estimands import ESTIMANDS
from bayes_glmm.effects.tidy import Estimates
from bayes_glmm.errors import SpecError
from bayes_glmm.plots.panels import Panel
from bayes_glmm.plots.style import settings

SHOWN = ["estimate", "lower", "upper"]
RATIOS = ("ratio", "odds_ratio")
FEW = 4  # rows up to which each has its full name


def roles_of(table: pd.DataFrame) -> TableColumns:
    """Return the roles of the columns of a table that can be drawn as contrasts.

    Raises
    ------
    SpecError
        For a table that is none of comparisons, interactions, slopes or coefficients.
    """
    roles = columns_of_table(table) if is_table_of_estimates(table) else None
    if roles is None or not roles.kind:
        raise SpecError(
            "These estimates are not of comparisons.",
            f"columns {', '.join(map(str, table.columns))}",
            "Give what compare, slopes, interact, coefficients or marginal_coefficients return.",
        )
    return roles


def drawn(estimates: Estimates) -> pd.DataFrame:
    """Return what is drawn of estimates, in our column names whatever those of the data are.

    Columns: ``effect``, the numbers, ``estimand`` where there is one, ``kind``; ``contrasted``, the variable and what
    is compared, or the coefficient; ``variable`` and ``contrast`` alone; ``where``, the values at which it holds.
    """
    table = estimates.table
    roles, columns = roles_of(table), [table[name].astype(object) for name in roles_of(table).labels]
    result = in_our_names(table).assign(kind=roles.kind, variable=columns[0].map(str))
    compared = roles.kind in ("comparison", "interaction")
    result["contrast"] = columns[1].map(str) if compared else ""
    result["contrasted"] = result["variable"] + ": " + result["contrast"] if compared else result["variable"]
    if roles.kind == "interaction":
        result["where"] = columns[2].map(str) + ": " + columns[3].map(str)
    else:
        rows = table[list(roles.by)].astype(object).itertuples(index=False, name=None)
        result["where"] = [settings(dict(zip(roles.by, values, strict=True))) for values in rows] if roles.by else ""
    return result


def quantities(table: pd.DataFrame) -> pd.Series:
    """What each row of :func:`drawn` estimates, in prose [row]."""
    if "estimand" not in table:
        return table["kind"].map({"coefficient": "coefficient", "slope": "average slope"})
    change = np.where(table["kind"] == "interaction", "change of the ", "")
    return change + table["estimand"].map(lambda name: ESTIMANDS[name].title.partition(",")[0])


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
        As :func:`roles_of`, or if two tables have the same rows.
    """
    tables = [drawn(each) for each in estimates]
    table = pd.concat([each.assign(quantity=quantities(each)) for each in tables], ignore_index=True)
    if table["contrasted"].nunique() == 1 and table["where"].all() and table["where"].nunique() > FEW:
        table["row"], common = table["where"], str(table["contrasted"].iloc[0])
    elif (
        table["contrast"].all()
        and not table["where"].any()
        and table["variable"].nunique() == 1
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
