"""Products with matrices that are mostly zero, upper triangular or sparse: no library to link.

A sparse matrix is given by row, column and value of its entries, row after row.
"""

from __future__ import annotations

from bayes_glmm.inference.kernels.elementary import fused


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


@fused
def subtract_sparse(row, column, entry, x, out):  # type: ignore[no-untyped-def] # pragma: no cover
    """Take the product of a sparse matrix and x from out."""
    e = 0
    while e < len(entry):
        current, total = row[e], 0.0  # the sum of a row waits in a register
        while e < len(entry) and row[e] == current:
            total += entry[e] * x[column[e]]
            e += 1
        out[current] -= total


@fused
def subtract_sparse_transposed(row, column, entry, x, out):  # type: ignore[no-untyped-def] # pragma: no cover
    """Take the product of its transpose and x from out."""
    for e in range(len(entry)):
        out[column[e]] -= entry[e] * x[row[e]]
