"""Data of a compiled density: arrays kept in one place, that a callback finds by their addresses.

A callback gets one pointer. It leads to a table of integers, three for each array: address, rows, columns (0 for a
vector). The order of the arrays is that of the named tuple that the density reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic


def address_table(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The table of some arrays, contiguous by rows [3 x array].

    It holds addresses: keep the arrays as long as the table.
    """
    rows = [(array.ctypes.data, array.shape[0], array.shape[1] if array.ndim > 1 else 0) for array in arrays]
    return np.array(rows, dtype=np.int64).ravel()


def _pointer(of_type: Any) -> Any:
    """Signature and code of the function from an address to a pointer."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(of_type)(types.int64), code


@intrinsic
def _doubles_at(context: Any, address: Any) -> Any:
    return _pointer(types.float64)


@intrinsic
def _integers_at(context: Any, address: Any) -> Any:
    return _pointer(types.int64)


@intrinsic
def _short_integers_at(context: Any, address: Any) -> Any:
    return _pointer(types.int32)


@intrinsic
def _singles_at(context: Any, address: Any) -> Any:
    return _pointer(types.float32)


@numba.njit(forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def vector(table, k):  # type: ignore[no-untyped-def] # pragma: no cover
    """The k-th array, of doubles, as a vector."""
    return numba.carray(_doubles_at(table[3 * k]), (table[3 * k + 1],))


@numba.njit(forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def matrix(table, k):  # type: ignore[no-untyped-def] # pragma: no cover
    """The k-th array, of doubles, as a matrix."""
    return numba.carray(_doubles_at(table[3 * k]), (table[3 * k + 1], table[3 * k + 2]))


@numba.njit(forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def matrices(table, k, size):  # type: ignore[no-untyped-def] # pragma: no cover
    """The k-th array, of doubles, each row as a square matrix of that size."""
    return numba.carray(_doubles_at(table[3 * k]), (table[3 * k + 1], size, size))


@numba.njit(forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def integer_vector(table, k):  # type: ignore[no-untyped-def] # pragma: no cover
    """The k-th array, of integers, as a vector."""
    return numba.carray(_integers_at(table[3 * k]), (table[3 * k + 1],))


@numba.njit(forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def integer_matrix(table, k):  # type: ignore[no-untyped-def] # pragma: no cover
    """The k-th array, of integers, as a matrix."""
    return numba.carray(_integers_at(table[3 * k]), (table[3 * k + 1], table[3 * k + 2]))


@numba.njit(forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def short_integer_matrix(table, k):  # type: ignore[no-untyped-def] # pragma: no cover
    """The k-th array, of integers of 32 bits, as a matrix."""
    return numba.carray(_short_integers_at(table[3 * k]), (table[3 * k + 1], table[3 * k + 2]))


@numba.njit(forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def single_matrix(table, k):  # type: ignore[no-untyped-def] # pragma: no cover
    """The k-th array, of numbers of 32 bits, as a matrix."""
    return numba.carray(_singles_at(table[3 * k]), (table[3 * k + 1], table[3 * k + 2]))
