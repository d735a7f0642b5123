"""Coordinates that a mode and a root of the covariance there make about standard normal, and the way back."""

from __future__ import annotations

import math

from bayes_glmm.inference.densities.priors import LARGEST_LOG
from bayes_glmm.inference.densities.products import add_product
from bayes_glmm.inference.densities.records import inlined


@inlined
def stretched(x, mode, root):  # type: ignore[no-untyped-def] # pragma: no cover
    """The free coordinates mode + root x of a point."""
    free = mode.copy()
    add_product(root, 0, 0, x, free)
    return free


@inlined
def unfold(x, mode, root, p):  # type: ignore[no-untyped-def] # pragma: no cover
    """The parameters of a point; those from the p-th on are exponentials of its free coordinates."""
    parameters = stretched(x, mode, root)
    for k in range(p, len(x)):
        parameters[k] = math.exp(min(parameters[k], LARGEST_LOG))
    return parameters
