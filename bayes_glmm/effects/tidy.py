"""Draws to a table: one row per estimate, with its interval, and the draws one attribute away."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from bayes_glmm import notebook
from bayes_glmm.effects import export
from bayes_glmm.effects.columns import beside, columns_of_table, free_name
from bayes_glmm.errors import SpecError
from bayes_glmm.predictive import CHUNK_BYTES
from bayes_glmm.summaries import Functional, Interval, summarise_draws, undefined_as_median

_CONDITION = re.compile(r"\s*(>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")
_COMPARE = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True)
class Estimates:
    """Estimates with their uncertainty.

    Attributes
    ----------
    table : DataFrame
        One row per estimate: its labels, then ``estimate`` (posterior median, or what ``description`` names),
        ``mcse`` (Monte Carlo standard error of the estimate: what another run of the sampler would change it by; NaN
        for fewer than 4 draws per chain), ``lower`` and ``upper`` (ends of the interval), and for comparisons
        ``probability`` (posterior probability of the more probable side of no effect: the probability of direction,
        between 0.5 and 1). A column of the data keeps its name; where it is one of ours, ours gets a trailing
        underscore: ``effect_``.
    draws : xarray.DataArray [chain, draw, estimate]
        What the table summarises, in its order. Selected by a label of the table, one at a time:
        ``draws.sel(contrast="b vs a").sel(effect="population-averaged")``. The posterior sd, where it
        exists, is ``draws.std(("chain", "draw"))``.
    description : str
        What was estimated, in words; the point estimate and the interval by name.
    notes : tuple of str
        What to know before using the table; empty if nothing.
    """

    table: pd.DataFrame
    draws: xr.DataArray
    description: str
    notes: tuple[str, ...] = ()

    def probability(self, condition: str) -> pd.Series:
        """Posterior probability that each estimand meets a condition.

        Parameters
        ----------
        condition : str
            ``>``, ``<``, ``>=`` or ``<=`` and a number, such as ``"> 0.05"``, in the unit of the estimates.

        Returns
        -------
        Series
            One number per row of ``table``.

        Raises
        ------
        SpecError
            For other text.

        Examples
        --------
        >>> draws = np.array([[1.0, 3.0], [2.0, 5.0]])
        >>> two = tidy(draws, pd.DataFrame({"name": ["x", "z"]}), Interval(), (1, 2), "Two numbers.")
        >>> two.probability("> 1.5").tolist()
        [0.5, 1.0]
        """
        found = _CONDITION.fullmatch(str(condition))
        if found is None:
            raise SpecError(
                f"The condition {condition!r} is not valid.",
                advice="Write an operator and a number, such as '> 0.05'; hypothesis() compares estimates.",
            )
        sign, number = found.groups()
        values = self.draws.to_numpy()
        shares = np.where(np.isnan(values), np.nan, _COMPARE[sign](values, float(number))).mean(axis=(0, 1))
        return pd.Series(shares, index=self.table.index, name=f"P({sign} {number})")

    def to_tidy(self) -> pd.DataFrame:
        """Return the table with the column names that broom and marginaleffects use.

        Returns
        -------
        DataFrame
            The labels, then ``estimate``, ``std_error`` (posterior sd), ``conf_low``, ``conf_high`` and, for
            comparisons, ``p_direction``.
        """
        columns = columns_of_table(self.table)
        names = {"estimate": "estimate", "lower": "conf_low", "upper": "conf_high", "probability": "p_direction"}
        found = {names[name]: self.table[column] for name, column in columns.numbers.items() if name in names}
        error = self.draws.std(("chain", "draw"), ddof=1).to_numpy()
        numbers = {"estimate": found.pop("estimate"), "std_error": error, **found}
        return beside(self.table[list(columns.all_labels)], **numbers)

    def to_markdown(self, digits: int = 3) -> str:
        """Return the table in Markdown.

        Parameters
        ----------
        digits : int
            Significant digits of numbers, 1 to 15.

        Raises
        ------
        SpecError
            For other digits.
        """
        return export.markdown(self.table, digits)

    def to_latex(self, digits: int = 3) -> str:
        """Return a floating table in LaTeX, for booktabs, with the description as its caption; as `to_markdown`."""
        return export.latex(self.table, digits, self.description)

    def to_html(self, digits: int = 3) -> str:
        """Return the table in HTML, to paste into a word processor; arguments and errors as `to_markdown`."""
        return export.html(self.table, digits, self.description)

    def to_excel(self, path: str | Path) -> Path:
        """Write the table to an Excel file with numbers in full, and return its path.

        Raises
        ------
        GLMMError
            If openpyxl is not installed.
        """
        return export.excel(self.table, path)

    def __repr__(self) -> str:
        return "\n".join([self.description, *self.notes, self.table.to_string(index=False, float_format=_number)])

    def _repr_html_(self) -> str:
        texts = map(notebook.paragraph, (self.description, *self.notes))
        return "\n".join([*texts, notebook.table(self.table)])


def tidy(
    draws: np.ndarray,
    labels: pd.DataFrame,
    interval: Interval,
    sample_shape: tuple[int, int],
    description: str,
    null: np.ndarray | float | None = None,
    functional: Functional = "median",
    notes: tuple[str, ...] = (),
) -> Estimates:
    """Put draws and their summary together.

    Parameters
    ----------
    draws : array [draw, estimate]
        Chains stacked.
    labels : DataFrame
        One row per estimate.
    interval : Interval
        Its kind and level.
    sample_shape : (int, int)
        Chains, draws per chain.
    description : str
    null : array [estimate] or float, optional
        The values that mean no effect; with them the table gets ``probability``.
    functional : {"median", "mean"}
        The point estimate; see :mod:`bayes_glmm.summaries.functional` for which has which.
    notes : tuple of str
    """
    defined, undefined = undefined_as_median(draws)
    table = summarise(defined, labels, interval, null, functional, sample_shape)
    stacked = labelled(draws.reshape(*sample_shape, draws.shape[1]), labels)
    if functional == "mean":
        notes = (*notes, *_means_outside(table))
    if undefined:
        notes = (
            *notes,
            f"Up to {undefined} of {len(draws):,} draws are too large for a number and count as the median.",
        )
    return Estimates(table, stacked, f"{description} Posterior {functional} and {interval}.", notes)


def labelled(values: np.ndarray, labels: pd.DataFrame) -> xr.DataArray:
    """Return draws [chain, draw, estimate] whose estimates are selected by number or by any label.

    A column with the name of a dimension is left out.

    Examples
    --------
    >>> draws = labelled(np.array([[[1.0, 2.0, 3.0]]]), pd.DataFrame({"contrast": ["b vs a", "c vs a", "c vs a"]}))
    >>> draws.sel(contrast="c vs a").values.ravel().tolist()
    [2.0, 3.0]
    """
    dims = ("chain", "draw", "estimate")
    array = xr.DataArray(values, dims=dims, coords={"estimate": np.arange(values.shape[2])}, name="estimates")
    for name, column in labels.items():
        if str(name) not in dims:
            plain = column.to_numpy() if column.dtype.kind in "biuf" else column.astype(str).to_numpy(object)
            array = array.assign_coords({str(name): ("estimate", plain)}).set_xindex(str(name))
    return array


def at_point(simulated: Estimates, exact: Estimates, method: str) -> Estimates:
    """Return the answer at point estimates, with the spread of the same answers at simulated draws.

    Parameters
    ----------
    simulated, exact : Estimates
        One question, put to draws around the point and to the point itself, which is one draw.
    method : str
        How the point was found.
    """
    ours, theirs = columns_of_table(simulated.table).numbers, columns_of_table(exact.table)
    rows = exact.table
    if len(rows) > len(simulated.table):  # there one row stands for all groups
        rows = rows.drop_duplicates([name for name in theirs.all_labels if name not in theirs.by])
    table = simulated.table.assign(**{ours["estimate"]: rows[theirs.numbers["estimate"]].to_numpy()})
    named = re.sub(r"Posterior (median|mean) and", "Estimate and simulated", simulated.description)
    return Estimates(table.drop(columns=ours["mcse"]), simulated.draws, f"{named} {method}.", simulated.notes)


def summarise(
    draws: np.ndarray,
    labels: pd.DataFrame,
    interval: Interval,
    null: np.ndarray | float | None = None,
    functional: Functional = "median",
    sample_shape: tuple[int, int] | None = None,
) -> pd.DataFrame:
    """Return the labels with ``estimate``, ``mcse``, ``lower``, ``upper`` and, where a null is given, ``probability``.

    Parameters as :func:`tidy`; one chain without ``sample_shape``.

    Examples
    --------
    >>> draws = np.linspace(-1.0, 3.0, 401)[:, None]
    >>> summarise(draws, pd.DataFrame({"name": ["x"]}), Interval(0.5), null=0.0).drop(columns="mcse").round(3)
      name  estimate  lower  upper  probability
    0    x       1.0    0.0    2.0        0.749
    """
    shape = sample_shape or (1, len(draws))
    size = max(1, CHUNK_BYTES // (8 * 8 * max(len(draws), 1)))  # estimates at a time: sorting needs copies
    parts = []
    for start in range(0, max(draws.shape[1], 1), size):
        columns = np.ascontiguousarray(draws[:, start : start + size].T)  # one estimate's draws side by side
        parts.append(pd.DataFrame(summarise_draws(columns.reshape(len(columns), *shape), interval, functional)))
    numbers = pd.concat(parts, ignore_index=True)
    if null is not None:
        numbers["probability"] = probability_of_direction(draws, null)
    numbers.columns = [free_name(name, labels.columns) for name in numbers.columns]
    return pd.concat([labels.reset_index(drop=True), numbers], axis=1)


def probability_of_direction(draws: np.ndarray, null: np.ndarray | float = 0.0) -> np.ndarray:
    """Posterior probability of the more probable side of ``null`` [estimate]; draws that equal it count half."""
    above = np.mean(draws > null, axis=0) + 0.5 * np.mean(draws == null, axis=0)
    return np.where(np.isnan(draws).any(axis=0), np.nan, np.maximum(above, 1.0 - above))


def _means_outside(table: pd.DataFrame) -> list[str]:
    """A word where a few extreme draws carry the mean out of its interval."""
    estimate, _, lower, upper = (table.iloc[:, -4 + i] for i in range(4))
    outside = int(((estimate < lower) | (estimate > upper)).sum())
    if not outside:
        return []
    return [f"{outside} of {len(table)} means lie outside their intervals: few extreme draws decide them."]


def _number(value: float) -> str:
    return f"{value:.4g}"
