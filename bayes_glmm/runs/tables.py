"""The tables that every run reports, whatever its questions."""

from __future__ import annotations

from contextlib import suppress

import pandas as pd

from bayes_glmm.diagnostics import summary
from bayes_glmm.effects import coefficients, marginal_coefficients, variance
from bayes_glmm.effects.coefficients import coefficients_by_predictor
from bayes_glmm.errors import SpecError
from bayes_glmm.posterior import Posterior

SIDE_BY_SIDE = "marginal_coefficients"
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # how a formula may begin; the wide ones where text is Chinese or Japanese


def result_tables(posterior: Posterior) -> dict[str, pd.DataFrame]:
    """The tables of a posterior by name.

    Returns
    -------
    dict of str to DataFrame
        ``summary``, ``coefficients`` (where each category has a linear predictor with the column ``predictor``),
        ``marginal_coefficients`` (conditional and population-averaged; left out where the population-averaged mean does
        not exist) and ``variance``.
    """
    shared = posterior.spec.family.shared_formula  # each linear predictor is one of the response
    found = coefficients_by_predictor(posterior) if shared else coefficients(posterior).table
    tables = {"summary": summary(posterior).reset_index(), "coefficients": found}
    with suppress(SpecError):  # the inverse link: E[1 / (eta + u)] does not exist; categories
        tables[SIDE_BY_SIDE] = marginal_coefficients(posterior).table
    if posterior.design.blocks or posterior.design.residual is not None:
        tables["variance"] = variance(posterior).table
    return tables


def csv_text(table: pd.DataFrame) -> str:
    """Return a table as CSV without its index, in which a spreadsheet runs nothing.

    Text that a spreadsheet would take for a formula gets an apostrophe in front, names of columns too.

    Examples
    --------
    >>> print(csv_text(pd.DataFrame({"level": ["=1+1", "-1.5", "a"], "estimate": [-0.5, 1.0, 2.0]})), end="")
    level,estimate
    '=1+1,-0.5
    -1.5,1.0
    a,2.0
    """
    texts = [place for place, dtype in enumerate(table.dtypes) if not pd.api.types.is_numeric_dtype(dtype)]
    columns = [table.iloc[:, place] for place in range(table.shape[1])]
    for place in texts:
        columns[place] = columns[place].astype(object).map(_harmless)
    quoted = pd.concat(columns, axis=1) if columns else table
    return quoted.set_axis([_harmless(name) for name in table.columns], axis=1).to_csv(index=False)


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) and not _is_number(cell) else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def interval_text(estimate: float, lower: float, upper: float) -> str:
    """An estimate with its interval.

    Examples
    --------
    >>> interval_text(0.12345, -1.0, 2.5)
    '0.123 [-1, 2.5]'
    """
    return f"{estimate:.3g} [{lower:.3g}, {upper:.3g}]"
