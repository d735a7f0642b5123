"""Memory of compiled functions that costs nothing to get: where it is small and its size is known beforehand."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic(prefer_literal=True)
def stack(context: Any, count: Any) -> Any:
    """A pointer to that many doubles, a number known when it is compiled, which live as long as the call."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return cgutils.alloca_once(builder, context.get_value_type(types.float64), size=count.literal_value)

    return types.CPointer(types.float64)(count), code
