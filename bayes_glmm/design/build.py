"""ModelSpec and DataFrame to Design."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from bayes_glmm.design.check import check_design, check_response
from bayes_glmm.design.design import Design, Predictors, RandomBlock
from bayes_glmm.design.encode import Encoder, evaluate_offset, group_labels, predictor_columns
from bayes_glmm.design.expressions import (
    arithmetic,
    columns_of,
    common_matrix,
    labels_of,
    numeric_column,
    response_column,
    values_of,
)
from bayes_glmm.errors import DataError, SpecError, choices, rows_text
from bayes_glmm.spec import ModelSpec, RandomTerm


def build_design(spec: ModelSpec, data: pd.DataFrame, missing: Literal["error", "drop"] = "error") -> Design:
    """Read the columns that a formula names.

    Parameters
    ----------
    spec : ModelSpec
    data : DataFrame
    missing : {"error", "drop"}
        What to do with rows that have a missing value in a used column.

    Returns
    -------
    Design

    Raises
    ------
    SpecError
        For a formula that cannot be read, or repeated random effects.
    DataError
        For missing columns or values, responses outside the family's support, rank-deficient fixed effects, and
        grouping factors with one level.
    """
    formula = spec.formula
    inputs = predictor_columns(formula.fixed, formula.random, formula.offset)
    used = _used_columns(spec, inputs)
    rows = _complete_rows(data, used, missing)
    y, success = _read_response(spec, rows)
    trials = None if formula.trials is None else _read_trials(formula.trials, rows)
    fixed = common_matrix(formula.fixed, rows)
    effects, blocks = _build_blocks(formula.random, rows)
    X = np.empty((len(rows), 0)) if fixed is None else values_of(fixed)
    design = Design(
        response=formula.response,
        success=success,
        y=y,
        trials=trials,
        coefficients=() if fixed is None else tuple(labels_of(fixed)),
        predictors=Predictors(X, evaluate_offset(formula.offset, rows), blocks),
        data=rows,
        dropped=len(data) - len(rows),
        encoder=Encoder(fixed, effects, formula.offset, inputs),
    )
    check_response(spec.family, design)
    check_design(design)
    return design


def _used_columns(spec: ModelSpec, inputs: tuple[str, ...]) -> tuple[str, ...]:
    formula = spec.formula
    left = [formula.response.split("[")[0], *([arithmetic(formula.trials)] if formula.trials else [])]
    responses = [column for expression in left for column in columns_of(expression)]
    groups = [column for term in formula.random for column in term.columns]
    return tuple(dict.fromkeys([*responses, *inputs, *groups]))


def _complete_rows(data: pd.DataFrame, used: tuple[str, ...], missing: str) -> pd.DataFrame:
    if not isinstance(data, pd.DataFrame):
        raise DataError(f"The data are a {type(data).__name__}.", advice="Give a pandas DataFrame.")
    if repeated := data.columns[data.columns.duplicated()].tolist():
        raise DataError(f"The column {repeated[0]!r} stands twice in the data.", advice="Rename one of them.")
    for column in used:
        if column not in data.columns:
            raise DataError(f"The data have no column {column!r}.", advice=choices(column, map(str, data.columns)))
    rows = data[list(used)]
    incomplete = rows.isna().any(axis=1).to_numpy()
    if incomplete.any() and missing == "error":
        column = next(column for column in used if rows[column].isna().any())
        raise DataError(
            f"Values are missing in {incomplete.sum()} of {len(rows)} rows.",
            f"column {column!r}, {rows_text(np.flatnonzero(rows[column].isna()))}",
            "Fill them in, or pass missing='drop' to leave these rows out.",
        )
    rows = rows[~incomplete].reset_index(drop=True)
    if rows.empty:
        raise DataError("No complete row is left.", advice="Check the columns of the formula for missing values.")
    for column in rows.columns[rows.dtypes == "category"]:
        # formulae keeps the order of levels, the first as reference, of ordered factors only, and codes unused ones
        rows[column] = rows[column].cat.remove_unused_categories().cat.as_ordered()
    for column in rows.columns[[pd.api.types.is_float_dtype(dtype) for dtype in rows.dtypes]]:
        if (infinite := ~np.isfinite(rows[column].to_numpy(float))).any():
            raise DataError("A value is infinite.", f"column {column!r}, {rows_text(np.flatnonzero(infinite))}")
    return rows


def _read_response(spec: ModelSpec, rows: pd.DataFrame) -> tuple[np.ndarray, str | None]:
    """The response as numbers and, where it was text, the level that counts as 1."""
    name = spec.formula.response.strip("`")
    if name not in rows.columns:
        level = name.partition("[")[2].strip("]'\" ") or None
        return response_column(spec.formula.response, rows), level
    column = rows[name]
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(float), None
    levels = [str(level) for level in column.astype("category").cat.categories]
    if spec.family.response != "binary" or len(levels) != 2:
        raise DataError(
            f"The response is text with levels {', '.join(map(repr, levels[:5]))}, "
            f"but the {spec.family_name} family needs {spec.family.support_text}.",
            f"column {name!r}",
            f"Name the level that counts as 1: {name}['{levels[-1]}'] ~ ...",
        )
    return (column.astype(str) == levels[1]).to_numpy(float), levels[1]


def _read_trials(trials: str, rows: pd.DataFrame) -> np.ndarray:
    values = numeric_column(trials, rows)
    bad = ~(np.isfinite(values) & (values > 0) & (values == np.floor(values)))
    if bad.any():
        raise DataError(
            "The number of trials is not a whole number above 0.",
            f"{trials}, {rows_text(np.flatnonzero(bad))}",
            "Leave rows without trials out: they say nothing.",
        )
    return values


def _build_blocks(
    terms: tuple[RandomTerm, ...], rows: pd.DataFrame
) -> tuple[tuple[tuple, ...], tuple[RandomBlock, ...]]:
    """One block a grouping factor: terms that share one stand side by side, with the pattern of their correlations."""
    by_group: dict[tuple[str, ...], list[RandomTerm]] = {}
    for term in terms:
        by_group.setdefault(term.columns, []).append(term)
    matrices, blocks = [], []
    for columns, members in by_group.items():
        group = ":".join(columns)
        parts = [common_matrix(term.effects, rows) for term in members]
        if any(part is None for part in parts):
            raise SpecError("A random term has no effects.", str(members[0]), "Write (1 | g) or (0 + x | g).")
        names = [labels_of(part) for part in parts]
        flat = [name for part in names for name in part]
        if repeated := {name for name in flat if flat.count(name) > 1}:
            raise SpecError(
                f"The effect {sorted(repeated)[0]!r} varies by {group!r} in more than one term.",
                " + ".join(map(str, members)),
                "An intercept is implied by (x | g): write (0 + x | g) for the slope alone.",
            )
        pattern = [size for term, part in zip(members, names, strict=True) for size in _runs(term, len(part))]
        values = np.column_stack([values_of(part) for part in parts])
        labels = group_labels(columns, rows)
        levels = _levels(columns, rows, labels)
        index = pd.Index(levels).get_indexer(pd.Index(labels))
        matrices.append(tuple(parts))
        blocks.append(RandomBlock(group, tuple(flat), values, index, levels, tuple(pattern)))
    return tuple(matrices), tuple(blocks)


def _runs(term: RandomTerm, size: int) -> list[int]:
    return [size] if term.correlated else [1] * size


def _levels(columns: tuple[str, ...], rows: pd.DataFrame, labels: pd.Series) -> tuple[str, ...]:
    """Levels in the order of the data's values (numbers as numbers, categories as ordered), as text."""
    order = rows[list(columns)].drop_duplicates().sort_values(list(columns))
    return tuple(labels[order.index])
