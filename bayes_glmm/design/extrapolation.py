"""Rows outside the range of the data, where splines and polynomials go on without support."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from bayes_glmm.design.design import Design

CURVES = ("bs", "poly")


def beyond_data(design: Design, rows: pd.DataFrame) -> str:
    """A sentence on columns within ``bs()`` or ``poly()`` whose values leave the range of the data; else empty.

    Parameters
    ----------
    design : Design
        Of the fitted model.
    rows : DataFrame
        New rows.
    """
    matrices = [design.encoder.fixed, *(matrix for parts in design.encoder.effects for matrix in parts)]
    terms = [term for matrix in matrices if matrix is not None for term in matrix.terms.values()]
    calls = [part.call for term in terms for part in getattr(term, "components", ()) if hasattr(part, "call")]
    names = dict.fromkeys(name for call in calls for name in _curved(call, inside=False))
    texts = []
    for name in names:
        low, high = design.data[name].min(), design.data[name].max()
        outside = int(((rows[name] < low) | (rows[name] > high)).sum())
        if outside:
            texts.append(f"{name} in {outside:,} of {len(rows):,} rows (data: {low:g} to {high:g})")
    return f"Extrapolated beyond the data, where the curve has no support: {'; '.join(texts)}." if texts else ""


def _curved(node: Any, inside: bool) -> Iterator[str]:
    inside = inside or getattr(node, "callee", None) in CURVES
    if inside and hasattr(node, "name"):
        yield node.name
    for part in (*getattr(node, "args", ()), *getattr(node, "kwargs", {}).values()):
        yield from _curved(part, inside)
