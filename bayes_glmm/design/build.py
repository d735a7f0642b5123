"""ModelSpec and DataFrame to Design."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from bayes_glmm.design.check import check_design, check_finite, check_response
from bayes_glmm.design.design import Design, Predictors, RandomBlock
from bayes_glmm.design.encode import Encoder, evaluate_offset, group_labels, label_columns, predictor_columns
from bayes_glmm.design.expressions import common_matrix, labels_of, values_of
from bayes_glmm.design.frame import check_levels, complete_rows
from bayes_glmm.design.number_text import check_number_texts
from bayes_glmm.design.rank import check_variation, rank_of
from bayes_glmm.design.response import own_columns, read_response, read_trials, response_columns
from bayes_glmm.errors import DataError, SpecError
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
        For a formula that cannot be read, repeated random effects, or names that the model uses for something else.
    DataError
        For missing columns or values, responses outside the family's support, more columns than rows, and grouping
        factors with one level.
    """
    formula = spec.formula
    inputs = predictor_columns(formula.fixed, formula.random, formula.offset)
    groups = tuple(dict.fromkeys(column for term in formula.random for column in term.columns))
    _check_names(spec, inputs, groups)
    labels = label_columns(formula.fixed, formula.random)
    rows = complete_rows(data, (*response_columns(spec), *inputs), groups, missing, labels)
    check_levels(rows[list(inputs)])
    check_number_texts(rows[list(inputs)], labels)
    if (named := formula.response.strip("`")) in rows:
        check_number_texts(rows[[named]], labels)
    y, success = read_response(spec, rows)
    trials = None if formula.trials is None else read_trials(formula.trials, rows)
    fixed = common_matrix(formula.fixed, rows)
    if fixed is not None:
        _check_terms(fixed)
    effects, blocks = _build_blocks(formula.random, rows)
    columns = np.empty((len(rows), 0)) if fixed is None else values_of(fixed)
    names = () if fixed is None else tuple(labels_of(fixed))
    check_finite("fixed effects", names, columns)
    check_variation(names, columns)
    rank = rank_of(columns)
    design = Design(
        response=formula.response,
        success=success,
        y=y,
        trials=trials,
        coefficients=tuple(names[j] for j in rank.kept),
        predictors=Predictors(columns[:, rank.kept], evaluate_offset(formula.offset, rows), blocks),
        data=rows,
        dropped=len(data) - len(rows),
        encoder=Encoder(fixed, effects, formula.offset, inputs, rank),
        aliased=tuple(names[j] for j in rank.aliased),
    )
    check_response(spec.family, design)
    check_design(design)
    return design


def _check_names(spec: ModelSpec, inputs: tuple[str, ...], groups: tuple[str, ...]) -> None:
    """No name of the data says something else in the model."""
    formula = spec.formula
    if len(own := own_columns(formula.response)) == 1 and own[0] in (*inputs, *groups):
        raise SpecError("The response also stands on the right.", str(formula), "Leave it out there.")
    if "Intercept" in inputs:
        raise SpecError("A column cannot be called 'Intercept' in a formula.", str(formula), "Rename it.")


def _check_terms(matrix: Any) -> None:
    """Every term has columns, and no two columns share a name."""
    for name, term in matrix.terms.items():
        if not list(term.labels):
            raise DataError(
                f"The term {name} has no columns: a factor with one level says nothing.",
                "fixed effects",
                "Leave it out of the formula.",
            )
    labels = labels_of(matrix)
    if repeated := {label for label in labels if labels.count(label) > 1}:
        raise SpecError(f"Two coefficients are called {sorted(repeated)[0]!r}.", advice="Rename a column of the data.")


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
    levels = pd.Index(labels[order.index])
    if not levels.is_unique:
        raise DataError(
            f"Two groups are both called {levels[levels.duplicated()][0]!r}.",
            f"(... | {':'.join(columns)})",
            "Change the levels, so that they differ as text and when joined by ':'.",
        )
    return tuple(levels)
