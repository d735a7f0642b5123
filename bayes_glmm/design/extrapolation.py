"""Rows outside the range of the data, where splines and polynomials go on without support."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from bayes_glmm.design.design import Design

CURVES = ("bs", "poly", "square", "power")  # and the operator **


def beyond_data(design: Design, rows: Iterable[pd.DataFrame], slack: float = 0.0) -> str:
    """A sentence on columns of splines and polynomials whose values leave the range of the data; else empty.

    Parameters
    ----------
    design : Design
        Of the fitted model.
    rows : iterable of DataFrame
        New rows, in one table or several.
    slack : float
        How far a value may leave the range, as a share of it.
    """
    matrices = design.encoder.matrices
    terms = [term for matrix in matrices if matrix is not None for term in matrix.terms.values()]
    calls = [part.call for term in terms for part in getattr(term, "components", ()) if hasattr(part, "call")]
    names = dict.fromkeys(name for call in calls for name in _curved(call, inside=False))
    ranges = {name: (design.data[name].min(), design.data[name].max()) for name in names if _ordered(design.data[name])}
    outside, count = dict.fromkeys(ranges, 0), 0
    for table in rows:
        count += len(table)
        for name, (low, high) in ranges.items():
            far = slack * (high - low)
            values = pd.to_numeric(table[name], errors="coerce")
            outside[name] += int(((values < low - far) | (values > high + far)).sum())
    texts = [
        f"{name} in {outside[name]:,} of {count:,} rows (data: {low:g} to {high:g})"
        for name, (low, high) in ranges.items()
        if outside[name]
    ]
    return f"Extrapolated beyond the data, where the curve has no support: {'; '.join(texts)}." if texts else ""


def _ordered(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column)) and not pd.api.types.is_bool_dtype(column)


def _curved(node: Any, inside: bool) -> Iterator[str]:
    power = getattr(getattr(node, "function", None), "symbol", None) == "**"
    inside = inside or power or getattr(node, "callee", None) in CURVES
    if inside and hasattr(node, "name"):
        yield node.name
    for part in (*getattr(node, "args", ()), *getattr(node, "kwargs", {}).values()):
        yield from _curved(part, inside)
