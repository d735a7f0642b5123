"""The response as numbers 1, ..., K of categories, in the order that the data declare where the family needs one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from bayes_glmm.design.design import Design
from bayes_glmm.design.expressions import response_column
from bayes_glmm.design.finding import Finding
from bayes_glmm.errors import DataError, SpecError, choices
from bayes_glmm.spec import ModelSpec

MOST = 50  # categories
_SHOWN = 4


def declared(spec: ModelSpec, data: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the response as the data declare it: in order or not, with the categories that no row has."""
    name = spec.formula.response.strip("`")
    if name not in rows or not isinstance(data[name].dtype, pd.CategoricalDtype):
        return rows
    kind, used = data[name].cat, rows[name].cat.categories
    is_text = all(isinstance(level, str) for level in used)  # which intervals have become, too
    levels = [str(level) if is_text else level for level in kind.categories]
    return rows.assign(**{name: rows[name].cat.set_categories(levels, ordered=kind.ordered)})


def read_categories(spec: ModelSpec, rows: pd.DataFrame) -> tuple[np.ndarray, tuple[str, ...]]:
    """The number of each row's category [row], and the names of the categories that occur, in order.

    Numbers are in their own order, a categorical in its own, text in that of the alphabet; a reference is first.

    Raises
    ------
    DataError
        For numbers that are not whole, one category, more than 50, an order that is needed and not known, and a
        reference that no row has.
    """
    ordered = spec.family.response.ordered
    response = spec.formula.response
    name = response.strip("`")
    column = rows[name] if name in rows.columns else pd.Series(response_column(response, rows))
    where = f"column {name!r}"
    if isinstance(column.dtype, pd.CategoricalDtype) and (column.cat.ordered or not ordered):
        column = column.cat.remove_unused_categories()
        levels, codes = [str(one) for one in column.cat.categories], column.cat.codes.to_numpy()
    elif pd.api.types.is_numeric_dtype(column):
        values, codes = np.unique(column.to_numpy(float), return_inverse=True)
        if bad := [value for value in values if value != np.floor(value)]:
            what = (
                f"The {spec.family_name} family needs {spec.family.response.support_text}; found {bad[0]:g}, which is "
                "no whole number."
            )
            raise DataError(what, where, "Cut the numbers into categories, pd.cut(), or use a family of numbers.")
        is_bool = pd.api.types.is_bool_dtype(column)
        levels = [str(bool(value)) if is_bool else f"{value:.0f}" for value in values]
    elif not ordered:
        text = column.astype(str).astype("category").cat
        levels, codes = [*text.categories], text.codes.to_numpy()
    else:
        raise DataError(
            "The order of the categories is not known.", where, _how_to_order(name, sorted(map(str, column.unique())))
        )
    if len(levels) < 2 or len(levels) > MOST:
        found = "one category" if len(levels) < 2 else f"{len(levels)} categories; {MOST} can be fitted"
        raise DataError(f"The response has {found}.", where, "Check the column, or use a family of numbers.")
    thresholds = between(levels)
    if ordered and (alike := [name for name in thresholds if thresholds.count(name) > 1]):
        raise DataError(
            f"Two thresholds are called {alike[0]!r}.", where, "Rename a category that has a | in its name."
        )
    if spec.reference:
        levels, codes = _reference_first(spec.reference, levels, codes, where)
    return codes.astype(float) + 1.0, tuple(levels)


def _reference_first(reference: str, levels: list[str], codes: np.ndarray, where: str) -> tuple[list[str], np.ndarray]:
    if reference not in levels:
        raise DataError(f"No row has the reference category {reference!r}.", where, choices(reference, levels))
    place = levels.index(reference)
    order = [place, *(k for k in range(len(levels)) if k != place)]
    return [levels[k] for k in order], np.argsort(order)[codes]


def between(categories: Sequence[str]) -> tuple[str, ...]:
    """Names of the thresholds between ordered categories: ``low|high``."""
    return tuple(f"{low}|{high}" for low, high in itertools.pairwise(categories))


def _how_to_order(name: str, levels: list[str]) -> str:
    shown = ", ".join(map(repr, levels[:_SHOWN])) + (", ..." if len(levels) > _SHOWN else "")
    column = f"data[{name!r}]"
    return (
        f"Write {column} = pd.Categorical({column}, [{shown}], ordered=True), lowest first; in YAML data: categories:."
    )


def check_intercept(spec: ModelSpec, coefficients: tuple[str, ...]) -> None:
    """The formula has its constant, which the thresholds stand for.

    Raises
    ------
    SpecError
    """
    if "Intercept" not in coefficients:
        raise SpecError(
            "The thresholds stand for the intercept, which the formula leaves out.",
            str(spec.formula),
            "Leave out 0 +: thresholds and levels cannot be told apart otherwise.",
        )


def unused_categories(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Categories that are declared, or whole numbers between others, and in no row."""
    name = spec.formula.response.strip("`")
    if not design.categories or name not in design.data.columns:
        return
    column = design.data[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        unused = [str(level) for level in column.cat.categories if not (column == level).any()]
    elif spec.family.response.ordered:
        found = np.unique(column.to_numpy(float))
        all_between = np.arange(found[0], found[-1] + 1.0) if np.ptp(found) <= MOST else found
        unused = [f"{value:.0f}" for value in np.setdiff1d(all_between, found)]
    else:
        unused = []
    if unused:
        several = len(unused) > 1
        yield Finding(
            "unused_categories",
            f"No row has {'categories' if several else 'category'} {', '.join(unused)} of {design.response}: the model "
            f"is of the others, and {'their' if several else 'its'} probability is 0.",
            f"column {name!r}",
            "Read it so, or merge categories that mean much the same.",
        )
