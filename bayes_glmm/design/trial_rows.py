"""Counts of several categories, ``cbind(a, b, c)``, as one row per trial: a multinomial response is categorical ones.

So everything of a categorical response holds for it. What differs is the multinomial coefficient, a constant, and what
leave-one-out leaves out: the row of counts that trials come from, their ``count_row``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import special

from bayes_glmm.design.design import Design
from bayes_glmm.design.expressions import numeric_column
from bayes_glmm.errors import DataError, SpecError, rows_text
from bayes_glmm.spec import ModelSpec

MOST = 20_000_000  # trials: beyond, they do not fit in memory


def trial_rows(spec: ModelSpec, rows: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Return a row per trial, with its category as the response, and the row of counts that it is from [trial].

    Rows of other responses are as they are, without such numbers.

    Raises
    ------
    SpecError
        For a family of other responses, and rows with weights.
    DataError
        If counts are not whole numbers from 0 on, or all of a row are 0.
    """
    formula, columns = spec.formula, spec.formula.counts
    if not columns:
        return rows, None
    if not spec.family.response.nominal:
        raise SpecError(
            f"Counts of {len(columns)} categories are not a response of the {spec.family_name} family.",
            formula.response,
            "Use family='categorical'; y successes of n trials are p(y, n).",
        )
    if formula.frequency is not None or formula.sampling is not None:
        raise SpecError(
            "Counts of categories have no weights.",
            str(formula),
            "Write one row per category with weights(count, frequency).",
        )
    counts = np.column_stack([numeric_column(name, rows) for name in columns])
    _check_counts(counts, formula.response)
    count_row = np.repeat(np.arange(len(rows)), counts.sum(axis=1).astype(int))
    codes = np.repeat(np.tile(np.arange(len(columns)), len(rows)), counts.ravel().astype(int))
    labels = pd.Index([name.strip("`") for name in columns])
    found = rows.iloc[count_row].reset_index(drop=True)
    return found.assign(**{formula.response: pd.Categorical.from_codes(codes, labels)}), count_row


def _check_counts(counts: np.ndarray, response: str) -> None:
    bad = ~(np.isfinite(counts) & (counts >= 0.0) & (counts == np.floor(counts))).all(axis=1)
    if bad.any():
        where = f"{response}, {rows_text(np.flatnonzero(bad))}"
        raise DataError("A count is not a whole number from 0 on.", where, "Correct these rows.")
    if (bad := counts.sum(axis=1) == 0.0).any():
        where = f"{response}, {rows_text(np.flatnonzero(bad))}"
        raise DataError("All counts of a row are 0.", where, "Leave rows without trials out.")
    if counts.sum() > MOST:
        what = f"The counts add up to {counts.sum():.3g} trials, more than {MOST:,}."
        raise DataError(what, response, "Take a sample of the rows.")


def log_coefficients(design: Design, item: np.ndarray, items: int) -> np.ndarray | float:
    """Return the logarithms of the multinomial coefficients of rows of counts, added up by item [item].

    Parameters
    ----------
    design : Design
    item : array of int [row]
        Item of each row of counts: the row itself, or its level.
    items : int
        How many there are.
    """
    if design.count_row is None:
        return 0.0
    counts = np.zeros((int(design.count_row.max()) + 1, len(design.categories)))
    np.add.at(counts, (design.count_row, design.y.astype(int) - 1), 1.0)
    each = special.gammaln(counts.sum(axis=1) + 1.0) - special.gammaln(counts + 1.0).sum(axis=1)
    first = np.unique(design.count_row, return_index=True)[1]
    return np.bincount(item[first], weights=each, minlength=items)


def slices_of_counts(design: Design, size: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield slices of about ``size`` rows that cut no row of counts, and the starts of rows of counts in them."""
    if design.count_row is None:
        for start in range(0, len(design.y), size):
            rows = slice(start, min(start + size, len(design.y)))
            yield rows, np.arange(rows.stop - start)
        return
    starts = np.flatnonzero(np.diff(design.count_row, prepend=-1))
    first = 0
    while first < len(starts):
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + size)))
        stop = int(starts[last]) if last < len(starts) else len(design.y)
        yield slice(int(starts[first]), stop), starts[first:last] - starts[first]
        first = last
