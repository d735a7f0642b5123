"""Rows with frequencies, repeated that many times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from bayes_glmm.design.design import Design
from bayes_glmm.design.response import check_whole
from bayes_glmm.design.subset import take_rows
from bayes_glmm.errors import DataError

MOST = 20_000_000  # rows: beyond, they do not fit in memory


def repeated(design: Design, frequency: str) -> Design:
    """Repeat each row of a design by its frequency, which is 1 afterwards.

    So whatever counts rows counts observations: the likelihood, leave-one-out, predictive checks, averages.

    Parameters
    ----------
    design : Design
    frequency : str
        The column of the frequencies.

    Raises
    ------
    DataError
        If one is not a whole number above 0, or they add up to too many rows.

    Examples
    --------
    >>> from bayes_glmm.design import build_design
    >>> from bayes_glmm.spec import ModelSpec
    >>> data = pd.DataFrame({"y": [0, 1], "n": [3, 2], "x": [0.0, 1.0]})
    >>> build_design(ModelSpec.from_formula("y | weights(n, frequency) ~ x", "bernoulli"), data).y
    array([0., 0., 0., 1., 1.])
    """
    name = frequency.strip("`")
    counts = pd.to_numeric(design.data[name], errors="coerce").to_numpy(float)
    check_whole(counts, "The frequency", name, "Leave rows that never occurred out.")
    if counts.sum() > MOST:
        raise DataError(
            f"The frequencies add up to {counts.sum():.3g} rows, more than {MOST:,}.",
            name,
            "Write successes of trials as p(y, n); take a sample of other responses.",
        )
    rows = np.repeat(np.arange(len(counts)), counts.astype(int))
    found = take_rows(design, rows)
    return replace(found, data=found.data.assign(**{name: 1}))
