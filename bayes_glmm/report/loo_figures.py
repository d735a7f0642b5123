"""Rows or groups that the draws cannot leave out: which they are, and by how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayes_glmm.diagnostics import Check
from bayes_glmm.plots.notes import annotate, short
from bayes_glmm.plots.style import dots, name_rows, null_line
from bayes_glmm.report.figures import draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 20


def pareto_figure(found: Check) -> tuple[bytes, str, str]:
    """The largest Pareto k of a check, the item of each by name; where all pass there is nothing to look at."""
    missing = found.evidence[found.evidence["value"] > found.threshold]
    shown = missing.head(SHOWN)
    names = [str(item) for item in shown["item"]]
    values = shown["value"].to_numpy(float)
    texts = [
        f"{name}\nPareto k {short(k)}, elpd {short(elpd)}"
        for name, k, elpd in zip(names, values, shown["elpd"], strict=True)
    ]

    def plot(canvas: Figure) -> None:
        axes = canvas.subplots()
        place = name_rows(axes, names, small=True)
        dots(axes, place, np.column_stack([values] * 3), "Pareto k")
        annotate(axes, "row", texts, place)
        null_line(axes, found.threshold)
        axes.set_xlabel("Pareto k")

    of = f" Of {len(missing)}, the {SHOWN} worst." if len(missing) > SHOWN else ""
    alt = f"{found.title}: {', '.join(f'{name} {short(k)}' for name, k in zip(names[:3], values[:3], strict=True))}"
    caption = f"{found.title}: above the dashed line, at {found.threshold:.2f}, the predictions are unreliable.{of}"
    return draw(plot, height=0.8 + 0.2 * len(names)), alt + (", ..." if len(names) > 3 else "."), caption
