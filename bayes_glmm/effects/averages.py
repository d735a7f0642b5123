"""Averages of means over rows, within groups of rows: the part that comparisons, slopes and interactions share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from bayes_glmm.design import Design
from bayes_glmm.design.frame import check_columns
from bayes_glmm.effects.columns import free_name
from bayes_glmm.effects.grid import columns_read, given_rows, model_columns, with_unread
from bayes_glmm.effects.patterns import distinct, draw_slices, encode
from bayes_glmm.effects.readings import Reading, fresh_effects, kept_factors, parts_of_response
from bayes_glmm.effects.unseen import with_unseen_groups
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.families import Functional
from bayes_glmm.posterior import Posterior

SAME, TINY = 1e-6, 1e-12  # relative and absolute: the rounding error of slopes is of that order


def counterfactual_rows(
    design: Design, newdata: pd.DataFrame | None, read: Sequence[str] | None = None
) -> pd.DataFrame:
    """The rows to average over: those given, or the data's.

    Parameters
    ----------
    design : Design
    newdata : DataFrame, optional
    read : sequence of str, optional
        Columns that the answer depends on, all of the model by default; others may be missing.

    Raises
    ------
    DataError
        If there are none, or a column is missing or there twice.
    """
    rows = design.data if newdata is None else given_rows(newdata)
    rows = rows if read is None else with_unread(design, rows, read)
    check_columns(rows, tuple(model_columns(design)))
    return rows


def by_groups(rows: pd.DataFrame, by: str | Sequence[str] | None) -> tuple[pd.DataFrame, np.ndarray]:
    """The combinations of ``by`` that occur, one a row, and which of them each row belongs to [row]."""
    columns = [] if by is None else [by] if isinstance(by, str) else list(by)
    for column in columns:
        if column not in rows.columns:
            raise SpecError(f"The rows have no column {column!r} to average by.", advice=choices(column, rows.columns))
    if not columns:
        return pd.DataFrame(index=[0]), np.zeros(len(rows), int)
    grouped = rows.groupby(columns, observed=True, dropna=False)
    return grouped.size().index.to_frame(index=False), grouped.ngroup().to_numpy()


def row_weights(rows: pd.DataFrame, weights: str | np.ndarray | None) -> np.ndarray:
    """How much each row counts [row]; 1 by default.

    Raises
    ------
    SpecError
        For a column that is not there, another length, or weights that are negative or all 0.
    """
    if weights is None:
        return np.ones(len(rows))
    if isinstance(weights, str) and weights not in rows.columns:
        raise SpecError(f"The rows have no column {weights!r} of weights.", advice=choices(weights, rows.columns))
    values = np.asarray(rows[weights] if isinstance(weights, str) else weights, float)
    if values.shape != (len(rows),) or not (values >= 0.0).all() or not values.any():
        raise SpecError("Weights are one number a row, none below 0 and not all 0.", f"{len(rows)} rows")
    return values


def averaging(
    posterior: Posterior,
    chosen: Sequence[Reading],
    newdata: pd.DataFrame | None,
    by: str | Sequence[str] | None,
    weights: str | np.ndarray | None,
    seed: int,
    parts: Sequence[Functional],
) -> tuple[pd.DataFrame, pd.DataFrame, Callable[[pd.DataFrame], np.ndarray]]:
    """The rows to average over, the groups of them (:func:`by_groups`), and what averages versions of these rows.

    The last is a function from rows to averages of these parts of their response [part, draw, group, reading].

    Raises
    ------
    SpecError
        For columns of ``by`` or of weights that are not there, and weights that are not.
    DataError
        If there are no rows, or a column is missing.
    """
    rows = counterfactual_rows(posterior.design, newdata, columns_read(posterior, parts[0]))
    posterior = with_unseen_groups(posterior, rows, chosen, seed)
    groups, member = by_groups(rows, by)
    return rows, groups, _averager(posterior, chosen, member, row_weights(rows, weights), seed, parts)


def _averager(
    posterior: Posterior,
    chosen: Sequence[Reading],
    member: np.ndarray,
    counts: np.ndarray,
    seed: int,
    parts: Sequence[Functional],
) -> Callable[[pd.DataFrame], np.ndarray]:
    """A function from rows to averages of parts [part, draw, group, reading], each distinct row worked out once."""
    fresh = fresh_effects(posterior, seed)
    total, groups = int(np.prod(posterior.sample_shape)), int(member.max()) + 1
    if not (np.bincount(member, counts) > 0.0).all():
        raise SpecError("All weights are 0 within a value of 'by'.", advice="Leave its rows out.")

    def average(rows: pd.DataFrame) -> np.ndarray:
        predictors = encode(posterior.design, rows, kept_factors(chosen))
        result = np.empty((len(parts), total, groups, len(chosen)))
        for kept in {reading.kept for reading in chosen}:
            patterns, position = distinct(predictors, kept)
            weights = np.zeros((len(patterns), groups))
            np.add.at(weights, (position, member), counts)
            weights /= weights.sum(axis=0)
            determined = np.ones(len(patterns), bool) if patterns.estimable is None else patterns.estimable
            unknown = weights[~determined].any(axis=0)
            for draws in draw_slices(posterior, len(patterns)):
                for k, reading in enumerate(chosen):
                    if reading.kept == kept:
                        values = parts_of_response(posterior, patterns, reading, parts, draws, fresh)
                        result[:, draws, :, k] = np.where(determined, values, 0.0) @ weights
                        result[:, draws, unknown, k] = np.nan
        return result

    return average


def repeats(values: np.ndarray, chosen: Sequence[Reading], by: str | Sequence[str] | None) -> tuple[bool, str]:
    """Find answers by group that repeat one number.

    Parameters
    ----------
    values : array [draw, group, reading, ...]
    chosen : sequence of Reading
    by : str or sequence of str, optional

    Returns
    -------
    bool, str
        Whether one group stands for all, under every reading; and the note that says so, or that some readings repeat;
        empty if none does. One draw decides nothing.
    """
    draws, groups = values.shape[:2]
    if groups == 1 or not values.size:
        return False, ""
    alike = np.ones(len(chosen), bool)
    for g in range(1, groups):
        alike &= [_equal(values[:, g, k], values[:, 0, k]) for k in range(len(chosen))]
        if not alike.any():
            return False, ""
    names = by if isinstance(by, str) else ", ".join(by or ())
    why = f"nothing in the model lets it depend on {names} (an interaction or a random slope would)"
    if alike.all() and draws > 1:
        return True, f"One row stands for all {groups} values of {names}: {why}."
    which = " and ".join(reading.label for reading, repeated in zip(chosen, alike, strict=True) if repeated)
    return False, f"The {which} estimate is the same for all {groups} values of {names}: {why}."


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two answers are the same in all draws, but for rounding."""
    with np.errstate(invalid="ignore"):
        return bool(((np.abs(one - other) <= SAME * np.abs(other) + TINY) | (one == other)).all())


def labelled(table: pd.DataFrame, groups: pd.DataFrame, variable: str) -> pd.DataFrame:
    """The labels with the variable first and the columns of ``by`` in place of the group's number."""
    named = groups.loc[table["group"]].reset_index(drop=True)
    ours = {"variable": [variable] * len(table), **table.drop(columns="group")}
    first = {free_name(name, named): ours[name] for name in ("variable", "contrast") if name in ours}
    last = {free_name(name, named): ours[name] for name in ("estimand", "effect") if name in ours}
    return pd.DataFrame({**first, **named, **last})


def described(posterior: Posterior, what: str, rows: pd.DataFrame, by: str | Sequence[str] | None) -> str:
    """What was done, in words."""
    within = "" if by is None else f" within {by if isinstance(by, str) else ', '.join(by)}"
    of = ", ".join(filter(None, (posterior.spec.family_name, posterior.spec.formula.before)))
    return f"{what}, averaged over {len(rows)} rows{within} ({of})."
