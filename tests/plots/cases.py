"""What the tests of plots look at: the artists of a figure by their labels, and names that are hard to print."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec

AVERAGED, ZERO = "population-averaged", "conditional (u = 0)"


def line(axes: Axes, label: str) -> Line2D:
    """The one line of that label."""
    (found,) = (each for each in axes.lines if each.get_label() == label)
    return found


def across(axes: Axes, label: str) -> np.ndarray:
    """Its horizontal positions."""
    return np.asarray(line(axes, label).get_xdata(), float)


def upward(axes: Axes, label: str) -> np.ndarray:
    """Its vertical positions."""
    return np.asarray(line(axes, label).get_ydata(), float)


def labelled(axes: Axes) -> set[str]:
    """Labels of the artists that a legend names."""
    return {str(label) for label in axes.get_legend_handles_labels()[1]}


def intervals(axes: Axes) -> list[np.ndarray]:
    """Ends of the horizontal intervals, one array [row, 2] a reading."""
    collections = [each for each in axes.collections if isinstance(each, LineCollection)]
    return [np.array([segment[:, 0] for segment in each.get_segments()]) for each in collections]


def texts(figure: Figure | SubFigure) -> list[str]:
    """All that is written."""
    return [each.get_text() for each in figure.findobj(Text) if isinstance(each, Text) and each.get_text()]


def rows_of(axes: Axes) -> list[str]:
    """Names of the rows, the uppermost first."""
    return [each.get_text() for each in axes.get_yticklabels()]


def hostile(draws: int = 3) -> Posterior:
    """Names and levels that mean something to mathtext, HTML or format strings."""
    rng = np.random.default_rng(2)
    data = pd.DataFrame(
        {
            "<b>": np.arange(60) % 2,
            "$x_1$": rng.normal(size=60).round(2),
            "{d} $": np.resize(["$\\frac{1}{$", "<i>", "a_b^c $ x"], 60),
            "h_$1$": np.repeat([f"$\\alpha_{i}$ & <i>" for i in range(6)], 10),
        }
    )
    spec = ModelSpec.from_formula("`<b>` ~ `$x_1$` + `{d} $` + (1 | `h_$1$`)", family="bernoulli")
    beta = np.array([0.2, 1.0, 0.4, 0.3]) + 0.1 * rng.normal(size=(draws, 4))
    return posterior_at(spec, data, beta, {"h_$1$": [[1.5]]}, u={"h_$1$": rng.normal(size=(draws, 6, 1))})


def many_groups(groups: int = 80) -> Posterior:
    """``y ~ x + (1 | g)`` with more groups than can be named."""
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"y": np.arange(3 * groups) % 2, "x": rng.normal(size=3 * groups)})
    data["g"] = np.repeat([f"g{i}" for i in range(groups)], 3)
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", family="bernoulli")
    return posterior_at(spec, data, [[0.2, 0.5], [0.1, 0.6]], {"g": [[1.0]]}, u={"g": rng.normal(size=(2, groups, 1))})
