"""Products with an upper triangular matrix: half the work of a full one, and no library to link."""

from __future__ import annotations

from bayes_glmm.inference.kernels.loops import fused


@fused
def multiply(root, x, out):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write root x."""
    for i in range(len(x)):
        total = 0.0
        for k in range(i, len(x)):
            total += root[i, k] * x[k]
        out[i] = total


@fused
def multiply_transposed(root, x, out):  # type: ignore[no-untyped-def] # pragma: no cover
    """Write root' x."""
    for k in range(len(x)):
        out[k] = 0.0
    for i in range(len(x)):
        for k in range(i, len(x)):
            out[k] += root[i, k] * x[i]
