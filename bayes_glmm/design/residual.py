"""Blocks of rows with correlated residuals, one per level, and the occasion of each row.

Blocks with the same occasions have the same correlation matrix: they are a pattern, and share its Cholesky factor.
R of a level has the occasions at which the level was observed, and leaves out the others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bayes_glmm.errors import DataError, SpecError, rows_text
from bayes_glmm.numerics.residual import RESIDUALS, Occasions, ResidualForm, below
from bayes_glmm.spec import ModelSpec, Prior, ResidualTerm

MOST = {"ar": 1000, "cosy": 1000, "unstr": 30}  # occasions: a dense matrix, and 435 correlations
DEFAULT = Prior("LKJ", keyword=(("eta", 1),))
Grouped = Callable[[tuple[str, ...], pd.DataFrame], tuple[np.ndarray, tuple[str, ...]]]
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Pattern:
    """Levels that were observed on the same occasions.

    Attributes
    ----------
    at : array [occasion of the level]
        Positions among all occasions.
    rows : array [level, occasion of the level]
        Rows of the data.
    levels : array [level]
        Positions among all levels.
    """

    at: np.ndarray
    rows: np.ndarray
    levels: np.ndarray


@dataclass(frozen=True)
class Residual:
    """The rows whose residuals are correlated.

    Attributes
    ----------
    name : str
        An entry of :data:`~bayes_glmm.numerics.residual.RESIDUALS`.
    group : str
        The grouping factor.
    levels : tuple of str
    index : array [row]
        The level of each row.
    at : array [row]
        The occasion of each row; its number within the level where occasions have no names.
    labels : tuple of str
        Names of the occasions, in their order.
    occasions : Occasions
    """

    name: str
    group: str
    levels: tuple[str, ...]
    index: np.ndarray
    at: np.ndarray
    labels: tuple[str, ...]
    occasions: Occasions

    @property
    def form(self) -> ResidualForm:
        """The correlation."""
        return RESIDUALS[self.name]

    @property
    def names(self) -> tuple[str, ...]:
        """The constants of the family that it is made of."""
        return self.form.names(len(self.labels))

    def places(self, constants: Mapping[str, Any]) -> np.ndarray:
        """The constants in one array [..., constant]."""
        return np.stack([np.asarray(constants[name], float) for name in self.names], axis=-1)

    def matrix(self, constants: Mapping[str, Any]) -> np.ndarray:
        """The correlation matrix R [..., occasion, occasion]."""
        return self.form.matrix(self.places(constants), self.occasions)

    def shown(self, constants: Mapping[str, Any]) -> list[tuple[str, np.ndarray]]:
        """Correlations as tables show them: the single one [...], or one per pair of occasions."""
        if self.form.single:
            return [(self.form.variable, self.occasions.rho(constants[self.names[0]]))]
        R = self.matrix(constants)
        return [(f"{self.labels[t]}, {self.labels[s]}", R[..., s, t]) for s, t in below(len(self.labels))]

    @cached_property
    def patterns(self) -> tuple[Pattern, ...]:
        """The blocks of rows, those with the same occasions together."""
        order = np.lexsort([self.at, self.index])
        starts = np.flatnonzero(np.diff(self.index[order], prepend=-1))
        found: dict[tuple[int, ...], list[np.ndarray]] = {}
        for rows in np.split(order, starts[1:]):
            found.setdefault(tuple(self.at[rows]), []).append(rows)
        return tuple(
            Pattern(np.array(at), np.array(rows), self.index[np.array(rows)[:, 0]]) for at, rows in found.items()
        )

    def take(self, rows: np.ndarray | slice) -> Residual:
        """The same of some of the rows, of all levels."""
        return Residual(
            self.name, self.group, self.levels, self.index[rows], self.at[rows], self.labels, self.occasions
        )


def residual_columns(spec: ModelSpec) -> tuple[str, ...]:
    """The columns of levels and occasions, without repeats; none without a correlation of residuals."""
    term = spec.formula.residual
    return () if term is None else tuple(dict.fromkeys([*term.columns, *term.occasion]))


def read_residual(spec: ModelSpec, rows: pd.DataFrame, grouped: Grouped) -> Residual | None:
    """Read levels and occasions; None without a correlation of residuals. ``grouped`` has the levels of a factor.

    Raises
    ------
    SpecError
        For times that are not whole steps apart, and too many occasions.
    DataError
        For two rows of one level on one occasion, and data in which no level has two rows.
    """
    term = spec.formula.residual
    if term is None:
        return None
    index, levels = grouped(term.columns, rows)
    if np.bincount(index).max() < 2:
        raise DataError(
            f"No level of {term.group} has two rows, whose residuals could be correlated.", str(term), "Drop the term."
        )
    if term.form.needs_time:
        at, names, steps = _occasions(term, rows[term.occasion[0]])
        _check_apart(term, index, at, levels)
    else:
        at = pd.Series(index).groupby(index).cumcount().to_numpy()
        names, steps = tuple(str(k + 1) for k in range(at.max() + 1)), np.arange(at.max() + 1)
    if len(names) > MOST[term.name]:
        raise SpecError(
            f"{term.name}() is over {len(names):,} occasions: it takes {MOST[term.name]:,} at most.",
            str(term),
            "Use ar(), which has one correlation." if term.name == "unstr" else f"Use effects: {term.effects}.",
        )
    low, high = correlation_range(spec, len(names))
    return Residual(term.name, term.group, levels, index, at, names, Occasions(steps, low, high))


def correlation_range(spec: ModelSpec, occasions: int) -> tuple[float, float]:
    """The range of a single correlation: that in which R is positive definite, or that of a uniform prior.

    Raises
    ------
    SpecError
        For a range beyond it.
    """
    term = spec.formula.residual
    assert term is not None
    lowest, prior = term.form.lowest(occasions), spec.priors.get(term.form.variable)
    if prior is None or prior.distribution != "Uniform" or not term.form.single:
        return lowest, 1.0
    named = dict(zip(("lower", "upper"), prior.positional, strict=False)) | dict(prior.keyword)
    low, high = (float(named.get(key, default)) for key, default in (("lower", 0.0), ("upper", 1.0)))  # type: ignore[arg-type]
    if not (low < high <= 1.0 and low >= lowest - 1e-9):
        raise SpecError(
            f"The prior {prior} leaves the range of {term.form.variable}, {lowest:.4g} to 1.",
            f"prior of {term.form.variable}",
            f"Write Uniform({max(lowest, 0.0):.4g}, 1), or LKJ(eta=1) for the whole range.",
        )
    return max(low, lowest), high


def place_priors(residual: Residual, prior: Prior) -> dict[str, Prior]:
    """The priors of the places that follow from that of the correlation, which is checked."""
    shapes = residual.form.shapes(residual_shape(residual, prior), len(residual.labels))
    return {
        name: Prior("Beta", keyword=(("alpha", float(b)), ("beta", float(b))))
        for name, b in zip(residual.names, shapes, strict=True)
    }


def residual_shape(residual: Residual, prior: Prior) -> float:
    """The shape eta of the prior of the correlation; 1 of a uniform one.

    Raises
    ------
    SpecError
        For a prior of another kind.
    """
    if prior.distribution == "Uniform" and residual.form.single:
        return 1.0
    given = [*prior.positional, *(value for name, value in prior.keyword if name in ("eta", "n"))]
    if prior.distribution == "LKJ" and len(given) == 1 and isinstance(given[0], int | float) and given[0] > 0:
        return float(given[0])
    others = " or Uniform(0, 1)" if residual.form.single else ""
    raise SpecError(
        f"The prior {prior} is not one of a correlation.",
        f"prior of {residual.form.variable}",
        f"Write LKJ(eta=2){others}.",
    )


def _occasions(term: ResidualTerm, column: pd.Series) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """The occasion of each row, names of occasions, and the steps at which they are."""
    times = _times(column)
    if times is None:
        if not isinstance(column.dtype, pd.CategoricalDtype) and term.name == "ar":
            raise SpecError(
                f"The levels of {column.name} have no order.",
                str(term),
                "Make the column a number, or a pandas Categorical whose categories are in order.",
            )
        codes, levels = pd.factorize(column, sort=True)
        return codes, tuple(map(str, levels)), np.arange(len(levels))
    distinct, at = np.unique(times, return_inverse=True)
    first = {float(time): label for time, label in zip(times, _text(column), strict=True)}
    names = tuple(first[float(time)] for time in distinct)
    if term.name != "ar" or len(distinct) < 2:
        return at, names, np.arange(len(distinct))
    steps = (distinct - distinct[0]) / np.diff(distinct).min()
    if np.abs(steps - np.round(steps)).max() > 1e-6 * max(1.0, steps[-1]):
        raise SpecError(
            f"The times of {column.name} are not whole steps apart: {', '.join(f'{one:g}' for one in distinct[:6])}"
            f"{' ...' if len(distinct) > 6 else ''}.",
            str(term),
            f"Round them to a grid, use unstr({term.time}, gr = {term.group}) for few occasions, or effects at any "
            f"distance: ou(0 + C({term.time}) | {term.group}).",
        )
    return at, names, np.round(steps).astype(int)


def _times(column: pd.Series) -> np.ndarray | None:
    """The number in each value, ``3`` or ``"week 3"``; None where one has none, or where levels have an order."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.to_numpy(float)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return None
    found = [_NUMBER.findall(text) for text in column.astype(str)]
    return np.array([float(one[0]) for one in found]) if all(len(one) == 1 for one in found) else None


def _text(column: pd.Series) -> list[str]:
    return [f"{value:g}" if isinstance(value, int | float) and math.isfinite(value) else str(value) for value in column]


def _check_apart(term: ResidualTerm, index: np.ndarray, at: np.ndarray, levels: tuple[str, ...]) -> None:
    twice = pd.DataFrame({"level": index, "at": at}).duplicated(keep=False).to_numpy()
    if twice.any():
        first = int(np.flatnonzero(twice)[0])
        rows = np.flatnonzero((index == index[first]) & (at == at[first]))
        raise DataError(
            f"{term.group} {levels[index[first]]!r} has two rows on one occasion of {term.time}.",
            rows_text(rows),
            "Keep one of them, or average them; cosy(gr = ...) takes rows without occasions.",
        )
