"""Sampling weights: the number of members of a population per row, scaled to the number of rows.

A pseudo-likelihood raises the density of each row to its weight. Its maximum estimates that of the whole population
(Skinner 1989); the pseudo-posterior is centred there, and its width is that of as many independent rows as the weights
add up to. So their scale decides the width: they add up to the number of rows, over all of them or within each level of
a factor (Rabe-Hesketh & Skrondal 2006, method 2), where only the weights of rows within their level count.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayes_glmm.design.design import Design
from bayes_glmm.design.finding import Finding
from bayes_glmm.errors import DataError, SpecError, rows_text
from bayes_glmm.spec import Formula, ModelSpec

NO_ROWS = (
    "Sampling weights make a pseudo-likelihood, which has no predictive density of a row: leave-one-out and replicated "
    "data do not apply."
)


def weight_columns(formula: Formula) -> list[str]:
    """The column of the sampling weights, and the factor that they are scaled within."""
    return [name.strip("`") for name in formula.weighting if name]


def read_weights(formula: Formula, rows: pd.DataFrame) -> np.ndarray | None:
    """Return the scaled sampling weights [row]; None without.

    Raises
    ------
    DataError
        If one is not a number above 0.
    """
    names = weight_columns(formula)
    if not names:
        return None
    values = pd.to_numeric(rows[names[0]], errors="coerce").to_numpy(float)
    if (bad := ~(np.isfinite(values) & (values > 0.0))).any():
        raise DataError(
            "A sampling weight is not a number above 0.",
            f"column {names[0]!r}, {rows_text(np.flatnonzero(bad))}",
            "Leave rows without a weight out, or give their weight.",
        )
    values = values / values.mean()  # first, so that sums of large weights are numbers
    if len(names) == 1:
        return values
    return values / pd.Series(values).groupby(rows[names[1]].to_numpy(), observed=True).transform("mean").to_numpy()


def refuse_weights(design: Design, what: str) -> None:
    """Refuse sampling weights for what needs the likelihood of the rows.

    Raises
    ------
    SpecError
    """
    if design.weights is not None:
        raise SpecError(
            f"{what} needs the likelihood of the rows, which sampling weights replace by a pseudo-likelihood.",
            advice="Fit the model without weights(w, sampling), with what the sampling depended on as predictors.",
        )


def effective_rows(weights: np.ndarray) -> float:
    """Return Kish's effective number of rows, (sum w)^2 / sum w^2."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def pseudo(spec: ModelSpec, design: Design) -> Iterator[Finding]:
    """Yield that intervals are those of the pseudo-posterior."""
    if design.weights is None:
        return
    rows, effective = len(design.y), effective_rows(design.weights)
    yield Finding(
        "sampling_weights",
        f"Intervals are those of a pseudo-posterior, as of {rows:,} independent rows; unequal weights leave about "
        f"{effective:,.0f}, so that they are too narrow, by a factor of about {np.sqrt(rows / effective):.2f} and "
        "more where the sample has clusters.",
        spec.formula.weights_term,
        "Take strata and clusters of the sample as predictors and random effects. For intervals that hold whatever the "
        "design is, fit one model per set of replicate weights of the survey, and take the spread of the estimates.",
        "look",
    )
