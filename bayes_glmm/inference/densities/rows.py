"""The pass over the rows as a C function of its own, one a family and link, whatever the coordinates are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from bayes_glmm.inference.densities.records import (
    ROWS_CODE,
    inlined,
    integer_vector,
    matrix,
    short_integer_matrix,
    vector,
)
from bayes_glmm.inference.kernels.constants import tuples
from bayes_glmm.inference.kernels.entries import Kernel
from bayes_glmm.inference.kernels.loops import make_design_pass, named

# table, coefficients, u, number of u, constants, slopes -> value; arrays by their addresses
SIGNATURE = types.float64(types.int64, types.int64, types.int64, types.int64, types.int64, types.int64)


def make_rows(kernel: Kernel) -> Callable[..., Any]:
    """The compiled ``(table, coefficients, u, a, slopes) -> value``.

    The first seven arrays of the table are the data. The pass adds to the slopes, in coefficients, u and a, one after
    the other.
    """
    design_pass, count = make_design_pass(kernel), kernel.constants
    read, add = tuples(count).read, tuples(count).add

    @inlined
    @named(kernel.row.__name__)
    def code(table, coefficients, u, a, slopes):  # type: ignore[no-untyped-def] # pragma: no cover
        X, effects = matrix(table, 3), len(u)
        columns = len(X)
        slope = numba.carray(slopes, (columns + effects + count,))
        value, own = design_pass(
            vector(table, 0),
            vector(table, 1),
            vector(table, 2),
            X,
            matrix(table, 4),
            short_integer_matrix(table, 5),
            integer_vector(table, 6),
            numba.carray(coefficients, (columns,)),
            u,
            read(numba.carray(a, (count,))),
            slope[:columns],
            slope[columns : columns + effects],
        )
        add(own, slope[columns + effects :])
        return value

    return code


@intrinsic
def _call(context: Any, address: Any, table: Any, coefficients: Any, u: Any, count: Any, a: Any, slopes: Any) -> Any:
    """Signature and code of the call of the C function at an address."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = [context.get_value_type(kind) for kind in SIGNATURE.args]
        function = ir.FunctionType(context.get_value_type(SIGNATURE.return_type), kinds)
        return builder.call(builder.inttoptr(arguments[0], function.as_pointer()), arguments[1:])

    return SIGNATURE.return_type(types.int64, *SIGNATURE.args), code


@inlined
def rows_value(table, coefficients, u, a, slopes):  # type: ignore[no-untyped-def] # pragma: no cover
    """The log likelihood of all rows, by the code whose address is in the table; adds to the slopes."""
    return _call(
        table[ROWS_CODE],
        table.ctypes.data,
        coefficients.ctypes.data,
        u.ctypes.data,
        len(u),
        a.ctypes.data,
        slopes.ctypes.data,
    )
