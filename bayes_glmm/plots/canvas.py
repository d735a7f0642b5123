"""The canvas of a picture: a fresh figure, or the place of axes in another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayes_glmm.errors import SpecError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    Area = Figure | SubFigure  # what a picture fills


@dataclass(frozen=True)
class Canvas:
    """A fresh figure of a size, or axes to draw in the place of.

    Attributes
    ----------
    ax : matplotlib Axes, optional
        Axes of ``plt.subplots``: the picture, with its panels and its legend, takes their place.
    figsize : (float, float), optional
        Width and height of a fresh figure in inches.
    """

    ax: Axes | None = None
    figsize: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.ax is not None and self.figsize is not None:
            raise SpecError("A picture has ax or figsize, not both.", advice="Give figsize to plt.subplots.")
        if self.ax is not None and getattr(self.ax, "get_subplotspec", lambda: None)() is None:
            raise SpecError("ax has no place in a grid of plots.", advice="Make it by plt.subplots().")
        if self.figsize is not None and not (
            len(self.figsize) == 2 and all(np.isfinite(side) and side > 0 for side in self.figsize)
        ):
            raise SpecError(f"figsize is not valid: {self.figsize!r}.", advice="Give inches: figsize=(8, 5).")

    def figure(self, width: float, height: float) -> tuple[Figure, Area]:
        """Return the figure and the part of it to draw on; a fresh one has that many inches."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        if self.ax is None:
            fresh = Figure(figsize=self.figsize or (width, height), layout="constrained", dpi=144)
            FigureCanvasAgg(fresh)
            return fresh, fresh
        parent, whole, place = self.ax.get_figure(), self.ax.get_figure(root=True), self.ax.get_subplotspec()
        assert parent is not None  # of axes that nothing has removed
        assert whole is not None
        assert place is not None
        self.ax.remove()
        if whole.get_layout_engine() is None:
            whole.set_layout_engine("constrained")  # which keeps the legend off the panels
        return whole, parent.add_subfigure(place)


FRESH = Canvas()
