"""Encoder: what was learned from the data (centres, knots, levels), to make the same columns for new rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_glmm.design.block import RandomBlock
from bayes_glmm.design.check import check_predictors
from bayes_glmm.design.design import Design, Predictors
from bayes_glmm.design.expressions import arithmetic, coded_columns, coded_in, columns_of, evaluate, numeric_column
from bayes_glmm.design.frame import check_columns, check_exact_labels, readable
from bayes_glmm.design.predictor import Predictor
from bayes_glmm.design.rank import Rank
from bayes_glmm.errors import DataError, choices, rows_text

if TYPE_CHECKING:
    from formulae.matrices import CommonEffectsMatrix

    from bayes_glmm.spec import Formula, ModelSpec


@dataclass(frozen=True)
class FixedEncoder:
    """How the fixed part of one parameter's predictor is made.

    Attributes
    ----------
    parameter : str
    coefficients : tuple of str
        Names of the columns that the model keeps.
    matrix : CommonEffectsMatrix or None
        As formulae holds it, which remembers how it was made.
    offset : str or None
        The offset as an expression.
    rank : Rank
        Which columns the model keeps.
    first : int
        The first of the kept columns that has a coefficient: 1 where the intercept is fixed at 0.
    """

    parameter: str
    coefficients: tuple[str, ...]
    matrix: CommonEffectsMatrix | None
    offset: str | None
    rank: Rank
    first: int = 0

    def columns(self, rows: pd.DataFrame) -> np.ndarray:
        """All columns of new rows [row, column], those that the model leaves out too."""
        return np.empty((len(rows), 0)) if self.matrix is None else evaluate(self.matrix, rows)

    def encode(self, columns: np.ndarray, rows: pd.DataFrame) -> Predictor:
        """The predictor of rows with these columns [row, column]."""
        kept = columns[:, self.rank.kept[self.first :]]
        return Predictor(self.parameter, self.coefficients, kept, evaluate_offset(self.offset, rows))


@dataclass(frozen=True)
class Encoder:
    """How the columns of all predictors are made.

    Attributes
    ----------
    fixed : tuple of FixedEncoder
        One a parameter with a formula, the location first.
    effects : tuple, one a block, of tuples of CommonEffectsMatrix
    columns : tuple of str
        Columns of the data that the linear predictors need, grouping factors excepted.
    """

    fixed: tuple[FixedEncoder, ...]
    effects: tuple[tuple[CommonEffectsMatrix, ...], ...]
    columns: tuple[str, ...]

    @property
    def matrices(self) -> list[CommonEffectsMatrix]:
        """All matrices, of fixed effects and of random ones."""
        fixed = [one.matrix for one in self.fixed if one.matrix is not None]
        return [*fixed, *(matrix for parts in self.effects for matrix in parts)]


def evaluate_offset(offset: str | None, data: pd.DataFrame) -> np.ndarray:
    """The offset [row]: 0 where the model has none.

    Raises
    ------
    DataError
        If it is not finite, as log(0).
    """
    if offset is None:
        return np.zeros(len(data))
    total = numeric_column(offset, data)
    if not np.isfinite(total).all():
        raise DataError(
            "The offset is not finite.",
            f"offset({offset}), {rows_text(np.flatnonzero(~np.isfinite(total)))}",
            "An offset of log(exposure) needs an exposure above 0 in every row.",
        )
    return total


def group_labels(columns: tuple[str, ...], data: pd.DataFrame) -> pd.Series:
    """The label of each row's group as text; columns joined by ``:``."""
    labels = _text(data[columns[0]])
    for column in columns[1:]:
        labels = labels + ":" + _text(data[column])
    return labels


def _text(column: pd.Series) -> pd.Series:
    """Values as text; whole numbers without a decimal point, so that 308.0 and 308 are one level."""
    text = column.astype(str)
    if pd.api.types.is_float_dtype(column):
        whole = (column % 1 == 0) & (column.abs() < 2**53)
        text = text.where(~whole, column.where(whole, 0).astype("int64").astype(str))
    return text


def new_predictors(design: Design, data: pd.DataFrame, known_groups: bool = False) -> Predictors:
    """The linear predictors' ingredients for new rows.

    Parameters
    ----------
    design : Design
        Of the fitted model.
    data : DataFrame
        Needs the columns of the fixed effects and of the effects before the bars. A missing grouping column makes
        every row belong to a level not seen, which is fine where the random effects are averaged over or set to 0.
    known_groups : bool
        Whether every row must belong to a level that the model has seen.

    Returns
    -------
    Predictors
        With ``index`` -1 where a level is not known.

    Raises
    ------
    DataError
        For missing columns, missing values, levels of a fixed effect that the model has not seen, and for unknown
        groups if ``known_groups``.
    """
    check_columns(data, design.encoder.columns)
    if not len(data):
        raise DataError("There are no rows.", advice="Give at least one.")
    data = data.reset_index(drop=True)
    encoder = design.encoder
    rows = readable(_complete(data[list(encoder.columns)]))
    _check_known(design, rows)
    fixed = [(one, one.columns(rows)) for one in encoder.fixed]
    blocks = []
    for block, matrices in zip(design.blocks, encoder.effects, strict=True):
        values = np.column_stack([evaluate(matrix, rows) for matrix in matrices])
        blocks.append(replace(block, values=values, index=_new_index(block, data, known_groups)))
    determined = [one.rank.estimable(columns) for one, columns in fixed if len(one.rank.aliased)]
    new = Predictors(
        tuple(one.encode(columns, rows) for one, columns in fixed),
        tuple(blocks),
        np.logical_and.reduce(determined) if determined else None,
    )
    check_predictors(new)
    return new


def _new_index(block: RandomBlock, data: pd.DataFrame, known: bool) -> np.ndarray:
    columns = tuple(block.group.split(":"))
    if not set(columns) <= set(data.columns):
        if known:
            raise DataError(
                f"The new rows do not say which {block.group} they belong to.",
                f"missing column {', '.join(sorted(set(columns) - set(data.columns)))!r}",
                "Add the column, or average over the random effects.",
            )
        return np.full(len(data), -1)
    check_columns(data, columns)
    complete = data[list(columns)].notna().all(axis=1)
    check_exact_labels(data[complete], columns)
    labels = pd.Series("(missing)", index=data.index, dtype=object)
    if complete.any():
        labels[complete] = group_labels(columns, readable(data.loc[complete, list(columns)], groups_only=columns))
    index = pd.Index(block.levels).get_indexer(pd.Index(labels))
    index[~complete] = -1
    if known and (index < 0).any():
        unknown = labels[index < 0].drop_duplicates()
        raise DataError(
            f"The model has not seen {block.group} {', '.join(map(repr, unknown[:5]))}"
            f"{f' and {len(unknown) - 5} more' if len(unknown) > 5 else ''}.",
            rows_text(np.flatnonzero(index < 0)),
            "Use random_effects='known_or_new', without 'known' beside it, for fresh effects of these groups, or "
            "'integrated' for the average."
            if complete.all()
            else f"Fill in {', '.join(columns)}, or use random_effects='integrated' for the average.",
        )
    return index


def _complete(rows: pd.DataFrame) -> pd.DataFrame:
    for column in rows:
        if missing := np.flatnonzero(rows[column].isna()).tolist():
            raise DataError("A value is missing.", f"column {column!r}, {rows_text(missing)}", "Fill or drop the rows.")
    return rows


def _check_known(design: Design, data: pd.DataFrame) -> None:
    """Numbers where the data had numbers, and only levels that the data had."""
    coded = coded_columns(term for matrix in design.encoder.matrices for term in matrix.terms.values())
    check_exact_labels(data, sorted(coded))
    for column in design.encoder.columns:
        seen = design.data[column]
        if pd.api.types.is_numeric_dtype(seen):
            if not pd.api.types.is_numeric_dtype(data[column]):
                raise DataError(
                    f"The column {column!r} was numeric when the model was fitted, and is not now.",
                    advice="Convert it: pd.to_numeric(data[column]).",
                )
            if column not in coded:
                continue
        unknown = ~data[column].isin(seen.unique())
        if unknown.any():
            raise DataError(
                f"The model has not seen {column} {data[column][unknown].tolist()[0]!r}.",
                rows_text(np.flatnonzero(unknown)),
                choices("", [str(level) for level in sorted(seen.unique(), key=str)]),
            )


def label_columns(formulas: Iterable[Formula]) -> tuple[str, ...]:
    """Columns whose values are labels, whatever they look like: grouping factors, and what is within ``C()``."""
    formulas = tuple(formulas)
    groups = [column for formula in formulas for term in formula.random for column in term.columns]
    groups += [column for formula in formulas if formula.residual for column in formula.residual.columns]
    coded = [column for formula in formulas for expression in _expressions(formula) for column in coded_in(expression)]
    return tuple(dict.fromkeys([*groups, *coded]))


def predictor_columns(formulas: Iterable[Formula]) -> tuple[str, ...]:
    """Columns that the linear predictors need, grouping factors excepted, without repeats."""
    found: list[str] = []
    for formula in formulas:
        offset = [arithmetic(formula.offset)] if formula.offset else []
        found += [column for expression in (*_expressions(formula), *offset) for column in columns_of(expression)]
    return tuple(dict.fromkeys(found))


def mean_columns(spec: ModelSpec) -> tuple[str, ...]:
    """Columns of the fixed effects that the mean of the response depends on, without repeats."""
    formulas = [formula for name, formula in spec.predicted.items() if name in spec.family.mean.reads]
    return tuple(dict.fromkeys(column for formula in formulas for column in columns_of(formula.fixed)))


def _expressions(formula: Formula) -> tuple[str, ...]:
    specific = [formula.specific] if formula.specific else []
    return formula.fixed, *specific, *(term.effects for term in formula.random)
