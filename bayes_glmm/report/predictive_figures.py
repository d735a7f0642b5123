"""What the model would have produced, beside what was observed: one picture fit to each kind of response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayes_glmm.diagnostics.survival import right_limits
from bayes_glmm.families import ResponseKind
from bayes_glmm.plots.notes import annotate, interval_text, short
from bayes_glmm.plots.style import FAINT, INK, LEGIBLE, QUIET, fit
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import fixed_predictor, replicate, spread_draws
from bayes_glmm.report.figures import draw
from bayes_glmm.report.survival_figure import survival_figure
from bayes_glmm.report.svg import DATA, REPLICATED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEED = 4711
REPLICATES = 200
MANY = 200  # groups that a picture can tell apart
VALUES = 8_000_000  # replicated values held at once


def predictive_figure(posterior: Posterior) -> tuple[bytes, str, str]:
    """The figure, its alternative text and its caption."""
    design = posterior.design
    if (right := right_limits(design)) is not None:
        return survival_figure(posterior, right)
    draws = int(np.clip(VALUES // len(design.y), 20, REPLICATES))
    replicated = replicate(posterior, draws, SEED)
    kind = posterior.spec.family.response
    if posterior.spec.family.categories:
        return _categories(posterior, replicated)
    if kind.is_count:
        return _counts(design.response, design.y, replicated)
    if kind.events:
        return _proportions(posterior, replicated)
    return _densities(design.response, design.y, replicated, kind)


def _counts(name: str, y: np.ndarray, replicated: np.ndarray) -> tuple[bytes, str, str]:
    """A rootogram with standing bars: observed counts as bars, replicated ones as intervals, on a square-root scale."""
    top = int(max(np.quantile(y, 0.98), np.quantile(replicated, 0.98), 3))
    width = max(1, int(np.ceil((top + 1) / 40)))
    edges = np.arange(0, top + 1 + width, width)

    def frequencies(values: np.ndarray) -> np.ndarray:
        return np.bincount(np.minimum(values.astype(int), edges[-1] - 1) // width, minlength=len(edges) - 1)

    observed = frequencies(y)
    low, middle, high = np.quantile([frequencies(row) for row in replicated], [0.025, 0.5, 0.975], axis=0)
    centres = edges[:-1] + (width - 1) / 2
    texts = [
        f"{name} {_span(start, width, start == edges[-2])}\nobserved in {seen:,} rows\nreplicated in {expected}"
        for start, seen, expected in zip(edges[:-1], observed, map(interval_text, middle, low, high), strict=True)
    ]

    def plot(canvas: Figure) -> None:
        axes = canvas.subplots()
        axes.bar(
            centres, observed, width=0.85 * width, color=FAINT, edgecolor=REPLICATED, linewidth=0.6, label="observed"
        )
        axes.vlines(centres, low, high, color=INK, linewidth=2, label="replicated: 95 % of data sets")
        axes.plot(centres, middle, "_", color=INK, markersize=7)
        annotate(axes, "column", texts, centres)
        axes.set_yscale("function", functions=(lambda v: np.sqrt(np.maximum(v, 0)), np.square))
        axes.set_ylim(0, None)
        axes.set_yticks(_root_ticks(max(high.max(), observed.max())))
        axes.set_xlabel(f"{name}" + (f" (bins of {width})" if width > 1 else ""))
        axes.set_ylabel("rows (square-root scale)")
        axes.legend()

    inside = float(np.mean((observed >= low) & (observed <= high)))
    alt = (
        f"Bars of how often each count of {name} occurs, with 95 % intervals of replicated data: "
        f"{inside:.0%} of the bars end inside."
    )
    caption = (
        "Bars: how often each count occurs in the data. Lines: how often it occurs in 95 % of the data sets that the "
        "fitted model replicates. The last bar holds all larger counts. Bars that end outside of their line are "
        "counts that the model does not expect."
    )
    return draw(plot, height=3.4), alt, caption


def _categories(posterior: Posterior, replicated: np.ndarray) -> tuple[bytes, str, str]:
    """Observed shares of the categories as bars, replicated ones as intervals."""
    design = posterior.design
    names, number = design.categories, np.arange(1, len(design.categories) + 1)
    observed = (design.y[:, None] == number).mean(axis=0)
    shares = np.column_stack([(replicated == k).mean(axis=1) for k in number])
    low, high = np.quantile(shares, [0.025, 0.975], axis=0)
    middle = shares.mean(axis=0)
    texts = [
        f"{design.response} = {names[i]}\nobserved {short(observed[i])}\nreplicated "
        + interval_text(middle[i], low[i], high[i])
        for i in range(len(names))
    ]
    width = 90 // len(names)
    upright = max(map(len, names)) > 2 * width  # names that need more than two lines below their bars

    def plot(canvas: Figure) -> None:
        axes = canvas.subplots()
        axes.bar(number, observed, width=0.7, color=FAINT, edgecolor=REPLICATED, linewidth=0.6, label="observed")
        axes.vlines(number, low, high, color=INK, linewidth=2, label="replicated: 95 % of data sets")
        axes.plot(number, middle, "o", color=INK, markersize=4)
        annotate(axes, "column", texts, number)
        axes.set_xticks(number, [fit(name, 24 if upright else max(width, 3), 2) for name in names])
        axes.tick_params(axis="x", length=0, labelrotation=90 if upright else 0)
        axes.set_ylim(0, None)
        axes.set_xlabel(fit(design.response, 90))
        axes.set_ylabel("share of rows")
        canvas.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2)

    outside = int(((observed < low) | (observed > high)).sum())
    alt = (
        f"Bars of the share of each category of {design.response}, with 95 % intervals of replicated data: "
        f"{outside} of {len(names)} bars end outside."
    )
    of_all = "The thresholds" if design.thresholds else "Intercepts"
    caption = (
        "Bars: the share of each category in the data. Dots and lines: the mean and 95 % of its shares in data sets "
        f"that the fitted model replicates. {of_all} fit the shares in all rows; the table below also shows those in "
        "thirds of the rows, by linear predictor at u = 0."
    )
    return draw(plot, height=3.2), alt, caption


def _span(start: int, width: int, last: bool) -> str:
    """The counts of a bar."""
    if last:
        return f"= {start} or more"
    return f"= {start}" if width == 1 else f"from {start} to {start + width - 1}"


def _root_ticks(top: float) -> list[float]:
    """Round numbers up to ``top``, spread evenly by their roots."""
    round_numbers = [0.0, *(digit * 10.0**power for power in range(8) for digit in (1, 2, 5))]
    kept = [0.0]
    for value in round_numbers:
        if np.sqrt(value) - np.sqrt(kept[-1]) > np.sqrt(top) / 8 and value <= top:
            kept.append(value)
    return kept


def _densities(name: str, y: np.ndarray, replicated: np.ndarray, kind: ResponseKind) -> tuple[bytes, str, str]:
    """Kernel densities of the data and of some replicates, over the range of the data and of nearly all replicates.

    Without the values that have a probability of their own, whose shares the caption has.
    """
    from arviz_stats.base import array_stats

    lines = np.concatenate([replicated[:: max(1, len(replicated) // 50)], y[None]])
    lines = np.where(np.isin(lines, kind.masses), np.nan, lines)
    shown, of_data = lines[:-1], lines[-1]
    values = lines[np.isfinite(lines)]
    low, high = np.quantile(values, [0.001, 0.999], method="inverted_cdf") if len(values) else (0.0, 1.0)
    limits = (min(low, np.nanmin(of_data, initial=low)), max(high, np.nanmax(of_data, initial=high)))
    limits = (0.0, 1.0) if kind.range == "unit" else limits
    inside = np.where((limits[0] <= lines) & (lines <= limits[1]), lines, np.nan)  # ArviZ passes over NaN
    grid, density, _ = array_stats.kde(inside, grid_len=256, custom_lims=limits)

    def plot(canvas: Figure) -> None:
        axes = canvas.subplots()
        axes.plot(grid[:-1].T, density[:-1].T, color=REPLICATED, linewidth=0.7, alpha=0.55)
        axes.lines[0].set_label("replicated data sets")
        axes.plot(grid[-1], density[-1], color=DATA, linewidth=2, label="observed")
        axes.set_ylim(0, None)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(name)
        axes.legend()

    alt = f"Density of the observed {name} over the densities of {len(shown)} data sets that the model replicates."
    caption = f"The black line, the data, should look like one of the {len(shown)} grey lines, replicated by the model."
    return draw(plot, height=3.2), alt, caption + "".join(_share_of(name, mass, y, replicated) for mass in kind.masses)


def _share_of(name: str, mass: float, y: np.ndarray, replicated: np.ndarray) -> str:
    """How often a value with a probability of its own occurs, in words."""
    low, high = np.quantile((replicated == mass).mean(axis=1), [0.025, 0.975])
    return (
        f" Rows with {name} = {mass:g} are left out of the lines: they make up {(y == mass).mean():.1%} of the data, "
        f"and between {low:.1%} and {high:.1%} of 95 in 100 replicated data sets."
    )


def _proportions(posterior: Posterior, replicated: np.ndarray) -> tuple[bytes, str, str]:
    """Shares by group with replicated intervals; by fitted value where there are no groups, or too many to see."""
    design = posterior.design
    trials = np.ones(len(design.y)) if design.trials is None else design.trials
    smallest = min(design.blocks, key=lambda block: len(block.levels), default=None)
    if smallest is not None and len(smallest.levels) <= MANY:
        member, each, axis = smallest.index, f"level of {smallest.group}", f"levels of {smallest.group}"
        names = np.array(smallest.levels, object)
    else:
        member, each, axis = _bins(posterior), "bin", "bins of rows of like fitted value at u = 0"
        names = np.array([f"bin {i + 1}" for i in range(int(member.max()) + 1)], object)
    count = int(member.max()) + 1
    total = np.bincount(member, trials, count)
    used = total > 0

    def shares(values: np.ndarray) -> np.ndarray:
        return np.bincount(member, values, count)[used] / total[used]

    observed = shares(design.y)
    expected = np.array([shares(row) for row in replicated])
    low, high = np.quantile(expected, [0.025, 0.975], axis=0)
    middle = expected.mean(axis=0)
    order = np.argsort(middle, kind="stable")
    place = np.arange(len(order))
    outside = (observed < low) | (observed > high)
    texts = [
        f"{names[used][i]}\nobserved {short(observed[i])}\nreplicated {interval_text(middle[i], low[i], high[i])}"
        for i in order
    ]

    def plot(canvas: Figure) -> None:
        axes = canvas.subplots()
        _intervals(axes, place, low[order], middle[order], high[order])
        axes.plot(
            place, observed[order], "o", color=DATA, markersize=4 if len(order) <= LEGIBLE else 2.2, label="observed"
        )
        annotate(axes, "column", texts, place)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel(f"{len(order)} {axis}, by what the model expects")
        axes.set_ylabel(f"share of {_event(posterior)}")
        axes.set_xticks([])
        canvas.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2)

    alt = (
        f"Observed share of {_event(posterior)} in {len(order)} {axis}, with 95 % intervals of replicated data: "
        f"{int(outside.sum())} outside."
    )
    caption = (
        f"Dots: the share in the rows of each {each}. Bars: 95 % of replicated data sets, for the same groups. "
        f"{int(outside.sum())} of {len(order)} dots lie outside; 5 % or fewer are expected."
    )
    return draw(plot, height=3.4), alt, caption


def _bins(posterior: Posterior) -> np.ndarray:
    """Rows in up to 20 bins of about equal size by their fitted value at u = 0 [row].

    Sorted by what the model says of them given u, rows of small groups would lie outside though all is right: u was
    estimated from these same responses, so that the highest bin holds the highest of them.
    """
    fitted = fixed_predictor(posterior, posterior.design.predictors, spread_draws(posterior, 100)).mean(axis=0)
    bins = int(np.clip(len(fitted) // 20, 2, 20))
    return np.searchsorted(np.quantile(fitted, np.linspace(0, 1, bins + 1)[1:-1]), fitted)


def _intervals(axes: Axes, place: np.ndarray, low: np.ndarray, middle: np.ndarray, high: np.ndarray) -> None:
    label = "replicated: 95 % of data sets"
    if len(place) > LEGIBLE:
        axes.fill_between(place, low, high, color=REPLICATED, alpha=0.4, linewidth=0, step="mid", label=label)
    else:
        axes.vlines(place, low, high, color=REPLICATED, linewidth=5, alpha=0.6, label=label)
    axes.plot(place, middle, color=QUIET, linewidth=0.8)


def _event(posterior: Posterior) -> str:
    design = posterior.design
    return f"{design.response} = {design.success}" if design.success else design.response
