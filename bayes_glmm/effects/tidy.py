"""Draws to a table: one row an estimate, with its interval, and the draws one attribute away."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
import xarray as xr

from bayes_glmm.errors import SpecError
from bayes_glmm.predictive import CHUNK_BYTES


@dataclass(frozen=True)
class Estimates:
    """Estimates with their uncertainty.

    Attributes
    ----------
    table : DataFrame
        One row an estimate: its labels, then ``estimate`` (posterior mean), ``sd`` (posterior standard deviation),
        ``lower`` and ``upper`` (equal-tailed interval), and for comparisons ``probability`` (that the estimate lies on
        the side of no effect on which its median lies: the probability of direction, between 0.5 and 1).
    draws : xarray.DataArray [chain, draw, estimate]
        What the table summarises, in its order.
    description : str
        What was estimated, in words.
    """

    table: pd.DataFrame
    draws: xr.DataArray
    description: str

    def __repr__(self) -> str:
        return f"{self.description}\n{self.table.to_string(index=False, float_format=_number)}"

    def _repr_html_(self) -> str:
        table = self.table.to_html(index=False, float_format=_number, border=0)
        return f"<p>{escape(self.description)}</p>\n{table}"


def tidy(
    draws: np.ndarray,
    labels: pd.DataFrame,
    interval: float,
    sample_shape: tuple[int, int],
    description: str,
    null: np.ndarray | float | None = None,
) -> Estimates:
    """Put draws and their summary together.

    Parameters
    ----------
    draws : array [draw, estimate]
        Chains stacked.
    labels : DataFrame
        One row an estimate.
    interval : float
        Mass of the equal-tailed interval, such as 0.95.
    sample_shape : (int, int)
        Chains, draws a chain.
    description : str
    null : array [estimate] or float, optional
        The values that mean no effect; with them the table gets ``probability``.

    Raises
    ------
    SpecError
        For an interval that is not between 0 and 1.
    """
    table = summarise(draws, labels, interval, null)
    stacked = xr.DataArray(
        draws.reshape(*sample_shape, draws.shape[1]),
        dims=("chain", "draw", "estimate"),
        coords={"estimate": np.arange(draws.shape[1])},
        name="estimates",
    )
    note = f"{description} Posterior mean, sd and {100 * interval:g}% equal-tailed interval."
    return Estimates(table, stacked, note)


def summarise(
    draws: np.ndarray, labels: pd.DataFrame, interval: float = 0.95, null: np.ndarray | float | None = None
) -> pd.DataFrame:
    """The labels with ``estimate``, ``sd``, ``lower``, ``upper`` and, where a null is given, ``probability``.

    Parameters as :func:`tidy`.

    Examples
    --------
    >>> draws = np.linspace(-1.0, 3.0, 401)[:, None]
    >>> summarise(draws, pd.DataFrame({"name": ["x"]}), interval=0.5, null=0.0).round(3)
      name  estimate     sd  lower  upper  probability
    0    x       1.0  1.159    0.0    2.0        0.749
    """
    check_interval(interval)
    size = max(1, CHUNK_BYTES // (8 * max(len(draws), 1)))  # columns at a time: quantiles need copies
    nulls = None if null is None else np.broadcast_to(null, draws.shape[1])
    names = ["estimate", "sd", "lower", "upper", *([] if null is None else ["probability"])]
    parts = [np.empty((0, len(names)))]
    for start in range(0, draws.shape[1], size):
        part = slice(start, start + size)
        parts.append(_summary(draws[:, part], interval, None if nulls is None else nulls[part]))
    summary = pd.DataFrame(np.concatenate(parts), columns=names)
    return pd.concat([labels.reset_index(drop=True), summary], axis=1)


def _summary(draws: np.ndarray, interval: float, null: np.ndarray | None) -> np.ndarray:
    """The columns of the table [estimate, column]."""
    columns = np.ascontiguousarray(draws.T)  # one estimate's draws side by side
    tail = 0.5 * (1.0 - interval)
    with np.errstate(invalid="ignore", over="ignore"):  # an infinite odds ratio has no sd
        sd = columns.std(axis=1, ddof=1) if columns.shape[1] > 1 else np.zeros(len(columns))
        result = [columns.mean(axis=1), sd, *np.quantile(columns, [tail, 1.0 - tail], axis=1)]
    if null is not None:
        result.append(probability_of_direction(draws, null))
    return np.column_stack(result)


def probability_of_direction(draws: np.ndarray, null: np.ndarray | float = 0.0) -> np.ndarray:
    """Posterior probability of the more probable side of ``null`` [estimate]; draws that equal it count half."""
    above = np.mean(draws > null, axis=0) + 0.5 * np.mean(draws == null, axis=0)
    return np.maximum(above, 1.0 - above)


def check_interval(interval: float) -> None:
    """The mass of an interval lies between 0 and 1.

    Raises
    ------
    SpecError
    """
    if not 0.0 < interval < 1.0:
        raise SpecError(f"An interval cannot hold {interval!r} of the mass.", advice="Give a share such as 0.95.")


def _number(value: float) -> str:
    return f"{value:.4g}"
