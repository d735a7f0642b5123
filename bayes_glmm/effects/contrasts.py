"""Which values of a variable are compared: pairs of counterfactual settings of the rows, or trends over several."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayes_glmm.design import Design
from bayes_glmm.effects.estimands import Estimand
from bayes_glmm.effects.grid import FEW, check_levels, check_variable, factor_columns, levels, with_value
from bayes_glmm.effects.polynomials import degree_name, polynomial_weights, scores
from bayes_glmm.errors import SpecError, choices

NAMED = ("reference", "pairwise", "sequential", "sd", "iqr", "polynomial")


@dataclass(frozen=True)
class Setting:
    """A value to set a variable to.

    Attributes
    ----------
    label : str
    value : Any
        The value, or, where ``relative``, what is added to each row's own.
    relative : bool
    """

    label: str
    value: Any
    relative: bool = False

    def apply(self, design: Design, rows: pd.DataFrame, variable: str) -> pd.DataFrame:
        """The rows with the variable so set."""
        value = rows[variable].to_numpy(float) + self.value if self.relative else self.value
        return with_value(design, rows, variable, value)


@dataclass(frozen=True)
class Contrast:
    """Two settings, the second compared against the first."""

    low: Setting
    high: Setting

    @property
    def label(self) -> str:
        """Such as "1 vs 0"."""
        return f"{self.high.label} vs {self.low.label}"

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The settings that it needs."""
        return self.low, self.high

    def sides(self, values: Mapping[Setting, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """What is compared, high and low, of values by setting."""
        return values[self.high], values[self.low]


@dataclass(frozen=True)
class Trend:
    """A weighted sum over settings, the weights adding up to 0: those above 0 are compared against those below.

    Attributes
    ----------
    label : str
        Such as "linear".
    settings : tuple of Setting
    weights : tuple of float
    """

    label: str
    settings: tuple[Setting, ...]
    weights: tuple[float, ...]

    def sides(self, values: Mapping[Setting, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The sums whose difference is the trend, of values by setting."""
        pairs = [(weight, values[setting]) for setting, weight in zip(self.settings, self.weights, strict=True)]
        high, low = (sum(max(sign * weight, 0.0) * value for weight, value in pairs) for sign in (1.0, -1.0))
        return np.asarray(high), np.asarray(low)


def meant_for(
    estimands: Sequence[Estimand], contrasts: Sequence[Contrast | Trend], variable: str
) -> tuple[Estimand, ...]:
    """The estimands that fit the contrasts: a trend is a difference, and has no ratio.

    Raises
    ------
    SpecError
        If none fits.
    """
    if not any(isinstance(item, Trend) for item in contrasts):
        return tuple(estimands)
    fitting = tuple(estimand for estimand in estimands if estimand.name == "difference")
    if not fitting:
        asked = ", ".join(estimand.name for estimand in estimands)
        raise SpecError(
            f"Polynomial contrasts have no {asked}.", f"variable {variable!r}", "Use estimands='difference'."
        )
    return fitting


def contrasts_of(design: Design, variable: str, contrast: Any = None) -> tuple[Contrast | Trend, ...]:
    """The contrasts of a variable.

    Parameters
    ----------
    design : Design
    variable : str
    contrast : optional
        None: each level against the first for categorical columns, 1 against 0 for columns of 0 and 1, x + 1 against x
        for other numbers. A number: x + that against x. ``"reference"``, ``"pairwise"``, ``"sequential"``: levels
        against the first, all pairs, each against the one before (also for numbers with at most six values). ``"sd"``:
        the mean plus half a standard deviation against the mean minus half; ``"iqr"``: third quartile against first.
        ``"polynomial"``: linear, quadratic, ... trends over the levels of an ordered category, taken as equally spaced,
        or over few numbers, as spaced; see :func:`~bayes_glmm.effects.polynomials.polynomial_weights`.
        A pair ``(low, high)``: these two.

    Raises
    ------
    SpecError
        For a variable that the model does not use, or a contrast that does not fit it.
    DataError
        For a level that the model has not seen.

    """
    check_variable(design, variable)
    if isinstance(contrast, tuple | list):
        return _pair(design, variable, contrast)
    numeric = variable not in factor_columns(design)
    if numeric and isinstance(contrast, int | float) and not isinstance(contrast, bool):
        return (_shift(contrast),)
    found = levels(design, variable)
    if contrast is None:
        if numeric and not set(found) <= {0, 1}:
            return (_shift(1),)
        contrast = "reference"
    if contrast not in NAMED:
        raise SpecError(f"There is no contrast {contrast!r}.", f"variable {variable!r}", choices(str(contrast), NAMED))
    if contrast in ("sd", "iqr"):
        return _spread(design, variable, contrast, numeric)
    if numeric and len(found) > FEW:
        raise SpecError(
            f"{variable!r} has {len(found)} values, too many for {contrast!r} contrasts.",
            advice="Use a number, 'sd', 'iqr' or a pair (low, high).",
        )
    settings = tuple(Setting(_text(value), value) for value in found)
    if contrast == "polynomial":
        weights = polynomial_weights(scores(design, variable, found))
        return tuple(Trend(degree_name(k), settings, tuple(column)) for k, column in enumerate(weights.T, start=1))
    return tuple(Contrast(low, high) for low, high in _pairs(settings, contrast))


def _pairs(settings: Sequence[Setting], contrast: str) -> list[tuple[Setting, Setting]]:
    if contrast == "pairwise":
        return list(itertools.combinations(settings, 2))
    if contrast == "sequential":
        return list(itertools.pairwise(settings))
    return [(settings[0], other) for other in settings[1:]]


def _shift(step: float) -> Contrast:
    return Contrast(Setting("x", 0, relative=True), Setting(f"x + {step:g}", step, relative=True))


def _spread(design: Design, variable: str, contrast: str, numeric: bool) -> tuple[Contrast, ...]:
    if not numeric:
        raise SpecError(f"{variable!r} is categorical and has no {contrast}.", advice=choices("", NAMED[:3]))
    column = design.data[variable].to_numpy(float)
    if contrast == "iqr":
        low, high = np.quantile(column, [0.25, 0.75])
        return (Contrast(Setting("q25", float(low)), Setting("q75", float(high))),)
    mean, half = column.mean(), 0.5 * column.std(ddof=1)
    return (Contrast(Setting("mean - sd/2", float(mean - half)), Setting("mean + sd/2", float(mean + half))),)


def _pair(design: Design, variable: str, pair: Sequence[Any]) -> tuple[Contrast, ...]:
    if len(pair) != 2:
        raise SpecError(f"A pair has two values, not {len(pair)}.", f"variable {variable!r}", "Give (low, high).")
    check_levels(design, variable, pair)
    low, high = (Setting(_text(value), value) for value in pair)
    return (Contrast(low, high),)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
