"""Comparisons as dots with intervals: conditional beside population-averaged, one panel an estimand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayes_glmm.effects.tidy import Estimates
from bayes_glmm.errors import SpecError
from bayes_glmm.plots.canvas import Canvas
from bayes_glmm.plots.panels import draw_panels
from bayes_glmm.plots.style import LEGIBLE
from bayes_glmm.plots.tables import joined, panel_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 4


def contrasts(*estimates: Estimates, ax: Axes | None = None, figsize: tuple[float, float] | None = None) -> Figure:
    """Draw what ``compare``, ``slopes``, ``interact`` or ``marginal_coefficients`` estimated.

    Parameters
    ----------
    *estimates : Estimates
        One, or several to draw below each other.
    ax : matplotlib Axes, optional
        Axes to draw in the place of; by default a fresh figure.
    figsize : (float, float), optional
        Width and height of the fresh figure in inches.

    Returns
    -------
    Figure
        Ratios on logarithmic axes; a line where no effect lies.

    Raises
    ------
    SpecError
        For none, for estimates of another kind, and for more rows or estimands than can be read.
    """
    if not estimates:
        raise SpecError("There are no estimates to draw.", advice="Give what compare returns.")
    table, common = joined(estimates)
    names = list(dict.fromkeys(table["row"]))
    if len(names) > LEGIBLE:
        raise SpecError(f"There are {len(names)} rows, too many to read.", advice="Draw contrasts_by a column.")
    found = list(table.groupby("quantity", sort=False))
    if len(found) > PANELS:
        raise SpecError(f"There are {len(found)} estimands, too many to read.", advice=f"Compare by at most {PANELS}.")
    panels = [panel_of(part, names, str(quantity), "") for quantity, part in found]
    return draw_panels(panels, names, common, canvas=Canvas(ax, figsize))
