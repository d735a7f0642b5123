"""Rows whose response alone is missing: they have no part in the likelihood, and can be predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from bayes_glmm.design.design import Design
from bayes_glmm.design.finding import Finding
from bayes_glmm.design.frame import readable
from bayes_glmm.spec import ModelSpec


def unanswered_rows(
    data: pd.DataFrame, response: Sequence[str], others: Sequence[str], groups_only: Sequence[str]
) -> pd.DataFrame:
    """Return the rows that miss the response and nothing else, without it.

    Parameters
    ----------
    data : DataFrame
        Already known to have all these columns.
    response : sequence of str
        Columns of the response itself.
    others : sequence of str
        All other columns that the model uses.
    groups_only : sequence of str
        Those of them that only group.
    """
    missing = data[list(response)].isna().any(axis=1)
    columns = [name for name in dict.fromkeys(others) if name not in response]
    rows = data.loc[missing & data[columns].notna().all(axis=1), columns].reset_index(drop=True)
    return readable(rows, groups_only) if len(rows) else rows


def unanswered(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Note how many rows have no response, and how to predict them."""
    if count := len(design.unanswered):
        yield Finding(
            "missing_responses",
            f"{count:,} {'row has' if count == 1 else 'rows have'} no response, and no part in the likelihood.",
            f"response {design.response!r}",
            "fit.missing_responses() predicts them.",
        )
