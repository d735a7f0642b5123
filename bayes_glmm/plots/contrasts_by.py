"""How a comparison differs between the values of a column, such as hospitals: one row a value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_glmm.effects.tidy import Estimates
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.plots.canvas import Canvas
from bayes_glmm.plots.panels import draw_panels
from bayes_glmm.plots.style import number
from bayes_glmm.plots.tables import drawn, panel_of, quantities, roles_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 4


def contrasts_by(
    estimates: Estimates,
    by: str,
    estimand: str | None = None,
    *,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Figure:
    """Draw a comparison or slope within each value of a column.

    Parameters
    ----------
    estimates : Estimates
        Of ``compare(..., by=by)`` or ``slopes(..., by=by)``, by this column alone.
    by : str
    estimand : str, optional
        The first in the table by default.
    ax : matplotlib Axes, optional
        Axes to draw in the place of; by default a fresh figure.
    figsize : (float, float), optional
        Width and height of the fresh figure in inches.

    Returns
    -------
    Figure
        A panel each contrast. Values that are numbers or ordered categories stand in their order, others in that of
        the estimates; above 60 values a band in place of rows.

    Raises
    ------
    SpecError
        For estimates that are not by this column alone, an unknown estimand, or more contrasts than can be read.
    """
    columns = list(roles_of(estimates.table).by)
    if columns != [by]:
        reason = " ".join(estimates.notes) or choices(by, columns)
        raise SpecError(f"The estimates are not by {by!r} alone.", f"by {', '.join(columns) or 'nothing'}", reason)
    table = drawn(estimates).assign(row=estimates.table[by].map(number))
    if "estimand" in table:
        known = list(dict.fromkeys(table["estimand"]))
        chosen = known[0] if estimand is None else estimand
        if chosen not in known:
            raise SpecError(f"The estimates have no estimand {chosen!r}.", advice=choices(chosen, known))
        table = table[table["estimand"] == chosen]
    elif estimand is not None:
        raise SpecError(f"Slopes have no estimand {estimand!r}.", advice="Leave it out.")
    found = list(table.groupby("contrasted", sort=False))
    if len(found) > PANELS:
        raise SpecError(f"There are {len(found)} contrasts, too many to read.", advice=f"Compare at most {PANELS}.")
    label = str(quantities(table).iloc[0])
    names = list(dict.fromkeys(table["row"]))
    panels = [panel_of(part, names, str(title), label) for title, part in found]
    if not _ordered(estimates.table[by]):
        first = next(iter(panels[0].series.values()))[:, 0]
        order = np.argsort(-first, kind="stable")
        names = [names[i] for i in order]
        panels = [
            replace(panel, series={effect: values[order] for effect, values in panel.series.items()})
            for panel in panels
        ]
    return draw_panels(panels, names, by, canvas=Canvas(ax, figsize))


def _ordered(values: pd.Series) -> bool:
    """Whether the values have an order of their own."""
    return pd.api.types.is_numeric_dtype(values) or bool(getattr(values.dtype, "ordered", False))
