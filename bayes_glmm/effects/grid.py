"""Rows to predict at: the data's own, typical ones, and all combinations of chosen values.

Every function gives a DataFrame with the columns that the linear predictor needs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_glmm.design import Design
from bayes_glmm.design.encode import predictor_columns
from bayes_glmm.design.other_tables import as_pandas, frame_advice, frame_type
from bayes_glmm.effects.columns import free_name
from bayes_glmm.errors import DataError, SpecError, choices
from bayes_glmm.families import Functional
from bayes_glmm.posterior import Posterior

FEW = 6  # a numeric column with this many values at most is gridded by all of them


def observed(design: Design, groups: Sequence[str] = ()) -> pd.DataFrame:
    """The data's own rows.

    Parameters
    ----------
    design : Design
    groups : sequence of str
        Grouping factors whose columns to keep.
    """
    return design.data[model_columns(design, groups)]


def given_rows(newdata: pd.DataFrame) -> pd.DataFrame:
    """New rows, numbered from 0.

    Raises
    ------
    DataError
        If they are not a DataFrame, or none.
    """
    newdata = as_pandas(newdata)
    if not isinstance(newdata, pd.DataFrame):
        what = f"newdata must be a pandas DataFrame, not a {frame_type(newdata)}."
        raise DataError(what, advice=frame_advice(newdata, "newdata"))
    if not len(newdata):  # a model without predictors has rows without columns
        raise DataError("There are no new rows.", advice="Give at least one row.")
    return newdata.reset_index(drop=True)


def collapse(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Distinct rows of some columns, in order of appearance, with how many rows each stands for.

    The count is the column ``n``, which steps aside for a column of the data as all of ours do.

    Examples
    --------
    >>> collapse(pd.DataFrame({"x": [1, 0, 1], "z": [5, 6, 7]}), ["x"])
       x  n
    0  1  2
    1  0  1
    """
    count = free_name("n", columns)
    if not columns:
        return pd.DataFrame({count: [len(rows)]})
    counted = rows.groupby(list(columns), sort=False, observed=True, dropna=False).size()
    return counted.rename(count).reset_index()


def means(design: Design) -> pd.DataFrame:
    """One typical row: numeric columns at their mean, others at their most common level."""
    return pd.DataFrame({name: typical(design, name) for name in model_columns(design)}, index=[0])


def balanced(design: Design) -> pd.DataFrame:
    """All combinations of the levels of categorical columns, numeric columns at their mean.

    An average over these rows weighs every cell alike, whatever the data's counts, as emmeans does by default.
    """
    factors = factor_columns(design)
    return reference_grid(design, [name for name in model_columns(design) if name in factors])


def reference_grid(design: Design, variables: str | Sequence[str], at: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """All combinations of values of some variables, the other columns at typical values.

    Parameters
    ----------
    design : Design
    variables : str or sequence of str
        Categorical columns take all their levels. Numeric ones take all their values if there are at most six, else
        their minimum, quartiles and maximum.
    at : mapping of column to value or values, optional
        Values to use instead; columns named here need not stand in ``variables``.

    Raises
    ------
    SpecError
        For a column that the model does not use.
    DataError
        For a level that the model has not seen.
    """
    chosen = {name: [value] if np.ndim(value) == 0 else list(value) for name, value in (at or {}).items()}
    names = [variables] if isinstance(variables, str) else list(variables)
    for name in [*names, *chosen]:
        check_variable(design, name)
    for name, values in chosen.items():
        check_levels(design, name, values)
    axes = {name: chosen.get(name) or default_values(design, name) for name in dict.fromkeys([*names, *chosen])}
    combinations = pd.DataFrame(list(itertools.product(*axes.values())), columns=list(axes))
    result = pd.DataFrame(index=combinations.index)
    for name in model_columns(design):
        value = combinations[name] if name in axes else pd.Series(typical(design, name), index=result.index)
        result[name] = as_column(design, name, value)
    return result


def with_value(design: Design, rows: pd.DataFrame, variable: str, value: Any) -> pd.DataFrame:
    """A copy of the rows in which one column has one value (or the values of an array [row]): a counterfactual."""
    changed = rows.copy(deep=False)
    # not rows.assign(): a column may be called self
    changed[variable] = as_column(design, variable, pd.Series(value, index=rows.index))
    return changed


def model_columns(design: Design, groups: Sequence[str] = ()) -> list[str]:
    """Columns that the linear predictor needs, and those of some grouping factors."""
    return list(dict.fromkeys([*design.encoder.columns, *(column for group in groups for column in group.split(":"))]))


def columns_read(posterior: Posterior, functional: Functional, groups: Sequence[str] = ()) -> list[str]:
    """Columns that the predictors of a functional need, and those of some grouping factors."""
    predicted = posterior.spec.predicted
    read = set(predictor_columns(predicted[name] for name in functional.reads if name in predicted))
    unread = set(model_columns(posterior.design)) - read
    return [column for column in model_columns(posterior.design, groups) if column not in unread]


def with_unread(design: Design, rows: pd.DataFrame, read: Sequence[str]) -> pd.DataFrame:
    """The rows with typical values in columns that are missing and not read, which change no answer."""
    for name in model_columns(design):
        if name not in rows.columns and name not in read:
            rows = with_value(design, rows, name, typical(design, name))
    return rows


def factor_columns(design: Design) -> set[str]:
    """Columns that the model takes as categories: text, or numbers within ``C()``."""
    matrices = design.encoder.matrices
    terms = [term for matrix in matrices if matrix is not None for term in matrix.terms.values()]
    components = [part for term in terms for part in getattr(term, "components", ())]
    used = {name for part in components if part.kind == "categoric" for name in part.var_names}
    text = {name for name in design.encoder.columns if not pd.api.types.is_numeric_dtype(design.data[name])}
    return (used | text) & set(design.encoder.columns)


def levels(design: Design, variable: str) -> list[Any]:
    """Distinct values of a column as the data order them: categories as declared, others sorted."""
    column = design.data[variable]
    if isinstance(column.dtype, pd.CategoricalDtype):
        return [value for value in column.cat.categories if (column == value).any()]
    return sorted(column.unique().tolist())


def typical(design: Design, variable: str) -> Any:
    """Mean of a numeric column, most common level of another."""
    column = design.data[variable]
    if variable in factor_columns(design):
        return column.value_counts(sort=True).index[0]
    return float(column.mean())


def default_values(design: Design, variable: str) -> list[Any]:
    """The values that :func:`reference_grid` takes a variable through."""
    found = levels(design, variable)
    if variable in factor_columns(design) or len(found) <= FEW:
        return found
    return [float(value) for value in np.quantile(design.data[variable], [0.0, 0.25, 0.5, 0.75, 1.0])]


def as_column(design: Design, variable: str, values: Any) -> Any:
    """Values in the type of the data's column, so that categories keep their order."""
    dtype = design.data[variable].dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.Categorical(values, dtype=dtype)
    return values


def check_variable(design: Design, variable: str) -> None:
    """The model's linear predictor uses the column.

    Raises
    ------
    SpecError
    """
    if variable in model_columns(design):
        return
    if variable in model_columns(design, [block.group for block in design.blocks]):
        raise SpecError(
            f"{variable!r} is a grouping factor, not a predictor.",
            advice="Predict at its levels with random_effects='known'.",
        )
    raise SpecError(f"The model does not use {variable!r}.", advice=choices(variable, model_columns(design)))


def check_levels(design: Design, variable: str, values: Iterable[Any]) -> None:
    """A categorical variable has all these values in the data.

    Raises
    ------
    DataError
    """
    if variable not in factor_columns(design):
        return
    known = levels(design, variable)
    for value in values:
        if value not in known:
            raise DataError(
                f"The model has not seen {variable} {value!r}.", advice=choices(str(value), map(str, known))
            )
