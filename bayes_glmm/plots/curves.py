"""The classic picture: curves of groups, the curve at u = 0 among them, and the flatter one that averages them.

Under a link that bends, the average of the groups' curves is not the curve of the average group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from bayes_glmm.effects.columns import in_our_names
from bayes_glmm.effects.grid import collapse
from bayes_glmm.effects.predictions import predict
from bayes_glmm.effects.tidy import Estimates
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.fits import takes_fit
from bayes_glmm.plots.canvas import Canvas
from bayes_glmm.plots.grid import axes_of, label_panels, shape_of
from bayes_glmm.plots.notes import annotate, estimates_text
from bayes_glmm.plots.point import (
    at_posterior_medians,
    held_of,
    is_discrete,
    link_of_mean,
    mean_text,
    panels_of,
    readings_of,
    require_mean,
)
from bayes_glmm.plots.style import (
    CONDITIONAL,
    DASHES,
    FAINT,
    beside,
    colour_of,
    compose,
    dots,
    fit,
    is_averaged,
    legend,
    logarithmic,
    name_rows,
    number,
    settings,
    small_print,
)
from bayes_glmm.posterior import Posterior
from bayes_glmm.summaries import IntervalKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayes_glmm.plots.canvas import Area

PANELS = 6
EACH = 3  # of the points of a curve, every how many one has a note
MANIFOLD = 30.0  # a positive mean that grows so many times is drawn on a logarithmic axis
KINDS = {"new": "drawn from N(0, G)", "known": "of the data"}
SHOWN = 0.9  # share of the groups that a vertical axis makes room for, where a few of them rise without bound


@takes_fit
def curves(
    posterior: Posterior,
    variable: str,
    at: Mapping[str, Any] | None = None,
    groups: int = 40,
    random_effects: Literal["new", "known"] = "new",
    level: float = 0.95,
    interval: IntervalKind = "eti",
    seed: int = 0,
    *,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Figure:
    """Draw the mean over a variable: in single groups, at u = 0, and population-averaged.

    Parameters
    ----------
    posterior : Posterior or Fit
    variable : str
        A column of the data. A number gives curves; a category, or a number with two values, gives points.
    at : mapping of column to value or values, optional
        What to set columns to; the others take their mean or most common level, as
        :func:`~bayes_glmm.effects.reference_grid`. Several values of a column give a panel each.
    groups : int
        How many groups to draw thinly; 0 for none. They are drawn at posterior median parameters.
    random_effects : {"new", "known"}
        Fresh groups, u ~ N(0, G), or groups of the data (for several factors, combinations that occur).
    level : float
        Posterior probability of the intervals, between 0 and 1.
    interval : {"eti", "hdi"}
        Equal-tailed, or the shortest (highest density).
    seed : int
        Of the fresh groups, and of the choice among known ones.
    ax : matplotlib Axes, optional
        Axes to draw in the place of; by default a fresh figure.
    figsize : (float, float), optional
        Width and height of the fresh figure in inches.

    Returns
    -------
    Figure
        Where the mean has no upper bound, the few steepest groups may leave the picture at the top.

    Raises
    ------
    SpecError
        For an unknown column or reading, fewer than no groups, too many panels, or categories without an order.
    DataError
        For unknown levels.
    """
    if random_effects not in KINDS:
        raise SpecError(f"Groups cannot be {random_effects!r}.", "random_effects", choices(random_effects, KINDS))
    if groups < 0:
        raise SpecError(f"There cannot be {groups} groups.", "groups", "Give 0 or more.")
    require_mean(posterior)
    design = posterior.design
    panels = panels_of(design, variable, at, PANELS)
    discrete = is_discrete(design, variable) or len(panels[0]) < 3
    asked: dict[str, Any] = {"level": level, "interval": interval, "part": "mean"}
    estimates = [predict(posterior, rows, readings_of(posterior), **asked) for rows in panels]
    single = [group_means(posterior, rows, groups, random_effects, seed) for rows in panels]
    thin = f"{len(single[0])} groups {KINDS[random_effects]}"
    changed, fixed = held_of(design, panels, variable, at)
    tall = 0.9 + 0.42 * len(panels[0]) if discrete else 3.6
    lines, columns = shape_of(len(panels))

    def plot(figure: Area) -> None:
        found = axes_of(figure, len(panels))
        for axes, rows, table, values in zip(found, panels, estimates, single, strict=True):
            (_points if discrete else _lines)(axes, rows[variable], table, values, thin)
            if changed:
                axes.set_title(fit(settings({name: rows[name].iloc[0] for name in changed}), 90 // columns))
        names = (mean_text(posterior), variable) if discrete else (variable, mean_text(posterior))
        label_panels(found, *names, tall)
        if not discrete and link_of_mean(posterior).range != "unit":
            _fit_vertically(found[0], posterior, estimates, single)
        if fixed:
            small_print(figure, f"at {settings(fixed)}")
        legend(figure)

    return compose(
        plot, height=0.9 + tall * (lines if discrete or lines == 1 else 0.75 * lines), canvas=Canvas(ax, figsize)
    )


def group_means(posterior: Posterior, rows: pd.DataFrame, groups: int, kind: str, seed: int) -> np.ndarray:
    """Means of rows in single groups at posterior median parameters [group, row]."""
    factors = [block.group for block in posterior.design.blocks]
    if not factors or groups == 0:
        return np.empty((0, len(rows)))
    if kind == "new":
        drawn = predict(at_posterior_medians(posterior, groups), rows, "new", seed=seed, part="mean")
        return drawn.draws.to_numpy()[0]
    columns = dict.fromkeys(column for group in factors for column in group.split(":") if column not in rows)
    found = collapse(posterior.design.data, list(columns))[list(columns)]
    chosen = np.sort(np.random.default_rng(seed).permutation(len(found))[:groups])
    crossed = found.iloc[chosen].merge(rows, how="cross")
    known = predict(at_posterior_medians(posterior), crossed, "known", part="mean")
    return known.draws.to_numpy().reshape(len(chosen), len(rows))


def _lines(axes: Axes, x: pd.Series, estimates: Estimates, single: np.ndarray, thin: str) -> None:
    place = x.to_numpy(float)
    for values in single:
        axes.plot(place, values, color=CONDITIONAL, alpha=0.28, linewidth=0.8)
    if len(single):
        axes.plot([], [], color=CONDITIONAL, alpha=0.6, linewidth=0.9, label=thin)  # for the legend, dark enough to see
    for effect, table in in_our_names(estimates.table).groupby("effect", sort=False):
        colour = colour_of(str(effect))
        axes.fill_between(place, table["lower"], table["upper"], color=colour, alpha=0.2, linewidth=0, zorder=3)
        for end in ("lower", "upper"):  # two bands that overlap are told apart by their edges
            axes.plot(place, table[end], color=colour, linewidth=0.7, alpha=0.7, zorder=3)
        # dashes over a full line: both are seen where they lie on each other
        averaged = is_averaged(str(effect))
        style: Any = "-" if averaged else DASHES
        order = 4 if averaged else 5
        axes.plot(
            place, table["estimate"], color=colour, linestyle=style, linewidth=2.4, zorder=order, label=str(effect)
        )
    annotate(axes, "column", _texts(x, estimates)[::EACH], place[::EACH])
    axes.set_xlim(place.min(), place.max())
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def _points(axes: Axes, x: pd.Series, estimates: Estimates, single: np.ndarray, thin: str) -> None:
    place = name_rows(axes, [number(value) for value in x])
    for i, values in enumerate(single):
        label = None if i else thin
        axes.plot(values, place, "|", color=CONDITIONAL, alpha=0.35, markersize=8, markeredgewidth=0.9, label=label)
    ours = in_our_names(estimates.table)
    shift = {effect: 1.6 * step for effect, step in beside(list(ours["effect"].unique())).items()}
    for effect, table in ours.groupby("effect", sort=False):
        dots(axes, place + shift[str(effect)], table[["estimate", "lower", "upper"]].to_numpy(), str(effect))
    annotate(axes, "row", _texts(x, estimates), place)


def _texts(x: pd.Series, estimates: Estimates) -> list[str]:
    """What each value of the variable says."""
    values = {
        str(effect): table[["estimate", "lower", "upper"]].to_numpy(float)
        for effect, table in in_our_names(estimates.table).groupby("effect", sort=False)
    }
    return [
        estimates_text(f"{x.name} = {number(at)}", {effect: rows[i] for effect, rows in values.items()})
        for i, at in enumerate(x)
    ]


def _fit_vertically(axes: Axes, posterior: Posterior, estimates: list[Estimates], single: list[np.ndarray]) -> None:
    """Make room for both bands and most of the groups; on a logarithmic axis where a mean grows manifold."""
    tables = pd.concat([in_our_names(each.table) for each in estimates])[["estimate", "lower", "upper"]]
    tables = tables.where(np.isfinite(tables))  # minimum and maximum pass over NaN
    shown = 1.0 if link_of_mean(posterior).name == "identity" else SHOWN
    low, high = float(tables["lower"].min()), float(tables["upper"].max())
    ends = np.concatenate([np.column_stack([values.min(axis=1), values.max(axis=1)]) for values in single])
    ends = ends[np.isfinite(ends).all(axis=1)]
    if len(ends):
        low = min(low, float(np.quantile(ends[:, 0], 1.0 - shown)))
        high = max(high, float(np.quantile(ends[:, 1], shown)))
    estimate = tables["estimate"]
    if low > 0.0 and link_of_mean(posterior).range == "positive" and estimate.max() > MANIFOLD * estimate.min():
        axes.set_ylim(low / 1.2, high * 1.2)
        logarithmic(axes, vertical=True)
    else:
        margin = 0.04 * (high - low) or 1.0
        axes.set_ylim(low - margin, high + margin)
