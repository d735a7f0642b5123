"""Data of a compiled density: arrays kept in one place, that a callback finds by their addresses.

A callback gets one pointer. It leads to a table of integers, three for each array: address, rows, columns (0 for a
vector). The order of the arrays is that of the named tuple that the density reads. The last number is the address of
the code that passes over the rows, for densities that call one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

MOST_ARRAYS = 42
ROWS_CODE = 3 * MOST_ARRAYS  # where its address stands
ENTRIES = ROWS_CODE + 1

# For what stands in one place only: put there before types are inferred, it is optimised once.
inlined = numba.njit(error_model="numpy", inline="always", no_cpython_wrapper=True, no_cfunc_wrapper=True)


def address_table(arrays: Sequence[np.ndarray], rows_code: int) -> np.ndarray:
    """The table of some arrays, contiguous by rows, and of the code for rows [ENTRIES].

    It holds addresses: keep the arrays as long as the table.
    """
    table = np.zeros(ENTRIES, dtype=np.int64)
    for k, array in enumerate(arrays):
        table[3 * k : 3 * k + 3] = array.ctypes.data, array.shape[0], array.shape[1] if array.ndim > 1 else 0
    table[ROWS_CODE] = rows_code
    return table


def _pointer(of_type: Any) -> Any:
    """Signature and code of the function from an address to a pointer."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(of_type)(types.int64), code


@intrinsic
def doubles_at(context: Any, address: Any) -> Any:
    """A pointer to doubles."""
    return _pointer(types.float64)


@intrinsic
def integers_at(context: Any, address: Any) -> Any:
    """A pointer to integers."""
    return _pointer(types.int64)


@intrinsic
def _short_integers_at(context: Any, address: Any) -> Any:
    return _pointer(types.int32)


@intrinsic
def _singles_at(context: Any, address: Any) -> Any:
    return _pointer(types.float32)


@inlined
def vector(table, k):  # type: ignore[no-untyped-def] # pragma: no cover
    """The k-th array, of doubles, as a vector."""
    return numba.carray(doubles_at(table[3 * k]), (table[3 * k + 1],))


@inlined
def matrix(table, k):  # type: ignore[no-untyped-def] # pragma: no cover
    """The k-th array, of doubles, as a matrix."""
    return numba.carray(doubles_at(table[3 * k]), (table[3 * k + 1], table[3 * k + 2]))


@inlined
def matrices(table, k, size):  # type: ignore[no-untyped-def] # pragma: no cover
    """The k-th array, of doubles, each row as a square matrix of that size."""
    return numba.carray(doubles_at(table[3 * k]), (table[3 * k + 1], size, size))


@inlined
def integer_vector(table, k):  # type: ignore[no-untyped-def] # pragma: no cover
    """The k-th array, of integers, as a vector."""
    return numba.carray(integers_at(table[3 * k]), (table[3 * k + 1],))


@inlined
def integer_matrix(table, k):  # type: ignore[no-untyped-def] # pragma: no cover
    """The k-th array, of integers, as a matrix."""
    return numba.carray(integers_at(table[3 * k]), (table[3 * k + 1], table[3 * k + 2]))


@inlined
def short_integer_matrix(table, k):  # type: ignore[no-untyped-def] # pragma: no cover
    """The k-th array, of integers of 32 bits, as a matrix."""
    return numba.carray(_short_integers_at(table[3 * k]), (table[3 * k + 1], table[3 * k + 2]))


@inlined
def single_matrix(table, k):  # type: ignore[no-untyped-def] # pragma: no cover
    """The k-th array, of numbers of 32 bits, as a matrix."""
    return numba.carray(_singles_at(table[3 * k]), (table[3 * k + 1], table[3 * k + 2]))
