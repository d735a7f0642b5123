"""ModelSpec and DataFrame to Design."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from bayes_glmm.design.anchored import anchored_at
from bayes_glmm.design.block import RandomBlock
from bayes_glmm.design.categories import between, check_intercept, declared, read_categories
from bayes_glmm.design.check import check_design, check_finite, check_response
from bayes_glmm.design.design import Design, Predictors
from bayes_glmm.design.encode import Encoder, FixedEncoder, group_labels, label_columns, predictor_columns
from bayes_glmm.design.expressions import common_matrix, labels_of, values_of
from bayes_glmm.design.frame import check_levels, complete_rows
from bayes_glmm.design.limits import read_limits
from bayes_glmm.design.number_text import check_number_texts
from bayes_glmm.design.other_tables import as_pandas
from bayes_glmm.design.predictor import Predictor
from bayes_glmm.design.rank import check_variation, rank_of
from bayes_glmm.design.repeat import repeated
from bayes_glmm.design.residual import read_residual, residual_columns
from bayes_glmm.design.response import own_columns, read_response, read_trials, response_columns
from bayes_glmm.design.sampling_weights import read_weights, weight_columns
from bayes_glmm.design.specific import after_threshold, check_not_common
from bayes_glmm.design.trial_rows import trial_rows
from bayes_glmm.design.unanswered import unanswered_rows
from bayes_glmm.errors import DataError, SpecError
from bayes_glmm.families import Parameter
from bayes_glmm.names import SPECIFIC, effect
from bayes_glmm.numerics.covariance import COVARIANCES, OneCorrelation
from bayes_glmm.spec import Formula, ModelSpec, RandomTerm
from bayes_glmm.spec.specific import BOTH_USES


def build_design(spec: ModelSpec, data: pd.DataFrame, missing: Literal["error", "drop"] = "error") -> Design:
    """Read the columns that a formula names.

    Parameters
    ----------
    spec : ModelSpec
    data : DataFrame
        Of pandas, or a table that exports Arrow columns, such as those of polars, pyarrow and DuckDB.
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
        For missing columns or values, responses outside the family's support, more columns than rows, grouping
        factors with one level, and frequencies that are not whole numbers above 0.
    """
    formula, family, data = spec.formula, spec.family, as_pandas(data)
    inputs = predictor_columns(spec.asked)
    groups = tuple(
        dict.fromkeys([*(column for term in spec.random for column in term.columns), *residual_columns(spec)])
    )
    _check_names(spec, inputs, groups)
    labels = label_columns(spec.asked)
    rows = complete_rows(data, (*response_columns(spec), *inputs), groups, missing, labels)
    used = dict.fromkeys((*response_columns(spec), *inputs, *groups))
    own = own_columns(formula.response)
    without = unanswered_rows(data, own, [*used], [name for name in groups if name not in inputs])
    check_levels(rows[list(inputs)])
    check_number_texts(rows[list(inputs)], labels)
    if (named := formula.response.strip("`")) in rows:
        check_number_texts(rows[[named]], labels)
    dropped = len(data) - len(rows)
    rows, count_row = trial_rows(spec, rows)
    rows = declared(spec, data, rows) if family.categories and count_row is None else rows
    y, categories = read_categories(spec, rows) if family.categories else (np.empty(0), ())
    y, success = (y, None) if family.categories else read_response(spec, rows)
    residual = read_residual(spec, rows, _grouped)
    spec = spec.of(categories, 0 if residual is None else len(residual.labels))
    family, formulas = spec.family, spec.predicted
    trials = None if formula.trials is None else read_trials(formula.trials, rows)
    built = [_build_fixed(family.parameter(name), one, rows) for name, one in formulas.items()]
    if family.response.ordered:
        check_intercept(spec, built[0][1].coefficients)
    effects, blocks = _build_blocks(formulas, rows)
    predictors = Predictors(tuple(predictor for _, predictor, _ in built), blocks)
    check_not_common(predictors, formula)
    design = Design(
        response=formula.response,
        success=success,
        y=y,
        trials=trials,
        predictors=predictors,
        data=rows,
        dropped=dropped,
        encoder=Encoder(tuple(fixed for fixed, _, _ in built), effects, inputs),
        aliased=built[0][2],
        categories=categories,
        thresholds=between(categories) if family.response.ordered else (),
        unanswered=without,
        pattern=spec.thresholds,
        limits=read_limits(spec, rows, y),
        weights=read_weights(formula, rows),
        count_row=count_row,
        residual=residual,
    )
    check_response(spec.family, design)
    check_design(design)
    return design if formula.frequency is None else repeated(design, formula.frequency)


def _check_names(spec: ModelSpec, inputs: tuple[str, ...], groups: tuple[str, ...]) -> None:
    """No name of the data says something else in the model."""
    formula = spec.formula
    own = own_columns(formula.response)
    if (len(own) == 1 or formula.counts) and not {*inputs, *groups}.isdisjoint(own):
        raise SpecError("The response also stands on the right.", str(formula), "Leave it out there.")
    if (formula.frequency or "").strip("`") in (*inputs, *groups, *own_columns(formula.response)):
        raise SpecError("The frequencies of rows are in the formula as well.", str(formula), "Leave one of both out.")
    if formula.frequency is not None and formula.sampling is not None:
        raise SpecError(
            "Rows have frequencies and sampling weights.",
            str(formula),
            "Multiply them, and write the product as sampling weights.",
        )
    if formula.sampling is not None and weight_columns(formula)[:1] == own:
        raise SpecError("The response is its own sampling weight.", str(formula), "Name the column of the weights.")
    if "Intercept" in inputs:
        raise SpecError("A column cannot be called 'Intercept' in a formula.", str(formula), "Rename it.")


def _build_fixed(
    parameter: Parameter, formula: Formula, rows: pd.DataFrame
) -> tuple[FixedEncoder, Predictor, tuple[str, ...]]:
    """How the fixed part of a parameter is made, the part itself, and the columns that it leaves out."""
    fixed = common_matrix(formula.fixed, rows)
    if fixed is not None:
        _check_terms(fixed)
    columns = np.empty((len(rows), 0)) if fixed is None else values_of(fixed)
    names = () if fixed is None else tuple(labels_of(fixed))
    check_finite("fixed effects", names, columns)
    check_variation(names, columns)
    rank = rank_of(columns)
    kept = tuple(names[j] for j in rank.kept)
    first = 0
    if parameter.anchored:
        check = after_threshold if parameter.threshold else partial(anchored_at, parameter)
        first = check(formula, kept, columns[:, rank.kept])
    encoder = FixedEncoder(parameter.name, kept[first:], fixed, formula.offset, rank, first)
    return encoder, encoder.encode(columns, rows), tuple(names[j] for j in rank.aliased)


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
    formulas: Mapping[str, Formula], rows: pd.DataFrame
) -> tuple[tuple[tuple, ...], tuple[RandomBlock, ...]]:
    """One block a grouping factor: terms that share one stand side by side, with the pattern of their correlations."""
    by_group: dict[tuple[str, ...], list[tuple[str, RandomTerm]]] = {}
    for parameter, formula in formulas.items():
        for term in formula.random:
            by_group.setdefault(term.columns, []).append((parameter, term))
    built = [_build_block(columns, members, rows) for columns, members in by_group.items()]
    return tuple(matrices for matrices, _ in built), tuple(block for _, block in built)


def _build_block(
    columns: tuple[str, ...], members: Sequence[tuple[str, RandomTerm]], rows: pd.DataFrame
) -> tuple[tuple, RandomBlock]:
    group = ":".join(columns)
    members = _shared_together(members)
    parts = [common_matrix(term.effects, rows) for _, term in members]
    if any(part is None for part in parts):
        raise SpecError("A random term has no effects.", str(members[0][1]), "Write (1 | g) or (0 + x | g).")
    labels_in = [labels_of(part) for part in parts]
    of_effect = [parameter for (parameter, _), part in zip(members, labels_in, strict=True) for _ in part]
    flat = [
        effect(parameter, name)
        for parameter, name in zip(of_effect, itertools.chain.from_iterable(labels_in), strict=True)
    ]
    if repeated := {name for name in flat if flat.count(name) > 1}:
        raise SpecError(
            f"The effect {sorted(repeated)[0]!r} varies by {group!r} in more than one term.",
            " + ".join(str(term) for _, term in members),
            "An intercept is implied by (x | g): write (0 + x | g) for the slope alone.",
        )
    pattern = _pattern([term for _, term in members], [len(part) for part in labels_in])
    forms = tuple(_forms([term for _, term in members], labels_in, pattern))
    values = np.column_stack([values_of(part) for part in parts])
    index, levels = _grouped(columns, rows)
    return tuple(parts), RandomBlock(group, tuple(flat), values, index, levels, pattern, tuple(of_effect), forms)


def _grouped(columns: tuple[str, ...], rows: pd.DataFrame) -> tuple[np.ndarray, tuple[str, ...]]:
    """The level of each row, and the levels."""
    labels = group_labels(columns, rows)
    levels = _levels(columns, rows, labels)
    return pd.Index(levels).get_indexer(pd.Index(labels)), levels


def _shared_together(members: Sequence[tuple[str, RandomTerm]]) -> list[tuple[str, RandomTerm]]:
    """Terms of one shared name after each other, where the first of them stands."""
    first: dict[str, int] = {}
    places = [first.setdefault(term.shared, k) if term.shared else k for k, (_, term) in enumerate(members)]
    return [members[k] for k in sorted(range(len(members)), key=lambda k: (places[k], k))]


def _pattern(terms: Sequence[RandomTerm], sizes: Sequence[int]) -> tuple[int, ...]:
    """Sizes of the runs of correlated effects."""
    runs: list[int] = []
    last = None
    for term, size in zip(terms, sizes, strict=True):
        if term.shared and term.shared == last:
            runs[-1] += size
        else:
            runs += [size] if term.correlated else [1] * size
        last = term.shared
    return tuple(runs)


def _forms(
    terms: Sequence[RandomTerm], labels: Sequence[Sequence[str]], pattern: tuple[int, ...]
) -> Iterator[OneCorrelation | None]:
    """The covariance of each run."""
    started, ends = np.cumsum([0, *pattern]), np.cumsum([len(part) for part in labels])
    for start in started[:-1]:
        k = int(np.searchsorted(ends, start, side="right"))
        yield None if terms[k].covariance is None else _form(terms[k], labels[k])


def _form(term: RandomTerm, effects: Sequence[str]) -> OneCorrelation:
    """The covariance of the effects of one term.

    Raises
    ------
    SpecError
        For fewer than two effects, and effects without distances.
    """
    record = COVARIANCES[term.covariance or ""]
    if len(effects) < 2 or "Intercept" in effects:
        raise SpecError(
            f"The effects of {term} are {', '.join(effects)}: {record.title} is for the levels of a factor.",
            str(term),
            f"Write {record.name}(0 + C(f) | {term.group}), with a column f of two levels or more."
            + (f" {BOTH_USES}" if record.name == SPECIFIC else ""),
        )
    try:
        return record.of(effects)
    except ValueError as error:
        raise SpecError(
            f"The effects of {term} have no distances for {record.title}: {error}.",
            str(term),
            "Use ou(0 + C(t) | g) for times at any distance, ar1(0 + C(t) | g) for equal steps.",
        ) from error


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
