"""Coordinates that a mode and a root of the covariance there make about standard normal, and the way back."""

from __future__ import annotations

from bayes_glmm.inference.densities.products import add_product
from bayes_glmm.inference.densities.records import inlined


@inlined
def stretched(x, mode, root):  # type: ignore[no-untyped-def] # pragma: no cover
    """The free coordinates mode + root x of a point."""
    free = mode.copy()
    add_product(root, 0, 0, x, free)
    return free
