"""Panels of one figure over a variable, one for each combination of the values of other columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayes_glmm.plots.style import fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayes_glmm.plots.canvas import Area


def shape_of(panels: int) -> tuple[int, int]:
    """Lines and columns of that many panels.

    Examples
    --------
    >>> [shape_of(panels) for panels in (1, 3, 4, 5)]
    [(1, 1), (1, 3), (2, 2), (2, 3)]
    """
    columns = panels if panels <= 3 else 2 if panels == 4 else 3
    return -(-panels // columns), columns


def axes_of(figure: Area, panels: int) -> list[Axes]:
    """Axes that share their scales, line by line."""
    found = list(figure.subplots(*shape_of(panels), sharex=True, sharey=True, squeeze=False).ravel())
    for axes in found[panels:]:
        axes.set_visible(False)
    return found[:panels]


def label_panels(panels: Sequence[Axes], horizontal: str, vertical: str, tall: float) -> None:
    """Names of the axes of panels that are so many inches tall: below the lowest of each column, left of the first."""
    columns = shape_of(len(panels))[1]
    for i, axes in enumerate(panels):
        if i + columns >= len(panels):
            axes.set_xlabel(fit(horizontal, 90 // columns))
            axes.tick_params(labelbottom=True)
        if i % columns == 0:
            axes.set_ylabel(fit(vertical, max(8, int(9 * tall))))
