"""Products with parts of matrices and with sparse ones: no library to link.

A sparse matrix is given by row, column and value of its entries, row after row.
"""

from __future__ import annotations

from bayes_glmm.inference.kernels.elementary import fused


@fused
def add_product(matrix, row, column, x, out):  # type: ignore[no-untyped-def] # pragma: no cover
    """Add M x to out, M being the part of the matrix that begins at that row and column."""
    for i in range(len(out)):
        total, line = 0.0, matrix[row + i, column : column + len(x)]
        for k in range(len(x)):
            total += line[k] * x[k]
        out[i] += total


@fused
def add_product_transposed(matrix, row, column, x, out):  # type: ignore[no-untyped-def] # pragma: no cover
    """Add M' x to out."""
    for i in range(len(x)):
        line = matrix[row + i, column : column + len(out)]
        for k in range(len(out)):
            out[k] += line[k] * x[i]


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
