"""Coordinates that a mode and a root of the covariance there make about standard normal, and the way back."""

from __future__ import annotations

import math

from bayes_glmm.inference.densities.products import add_product
from bayes_glmm.inference.densities.records import inlined
from bayes_glmm.inference.densities.variances import LARGEST_LOG


@inlined
def unfold(x, mode, root, p):  # type: ignore[no-untyped-def] # pragma: no cover
    """The parameters of a point, mode + root x; those from the p-th on are exponentials of that."""
    parameters = mode.copy()
    add_product(root, 0, 0, x, parameters)
    for k in range(p, len(x)):
        parameters[k] = math.exp(min(parameters[k], LARGEST_LOG))
    return parameters
