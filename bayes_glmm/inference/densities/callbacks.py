"""Compiled densities as C functions, which samplers call without Python; kept on disk by numba, once for all data.

Numba keeps a function on disk under its code and the constants that it closes over. So a callback closes over plain
constants alone: the key of its density, and a number that stands for the source of everything that the density is
compiled from. What the key means is looked up while compiling.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import overload

from bayes_glmm.inference.densities import integrated, levels, priors, records, triangular, variances, whitened
from bayes_glmm.inference.kernels import elementary, entries, loops
from bayes_glmm.inference.kernels.entries import KERNELS
from bayes_glmm.inference.kernels.loops import named

_SOURCES = (
    integrated,
    levels,
    priors,
    records,
    triangular,
    variances,
    whitened,
    elementary,
    entries,
    loops,
)
_VERSION = int(sha256("".join(map(inspect.getsource, _SOURCES)).encode()).hexdigest()[:8], 16)
_POINTER = types.CPointer(types.float64)
_TABLE = types.CPointer(types.int64)
DENSITY = types.int64(types.uint64, _POINTER, _POINTER, _POINTER, _TABLE)
EXPAND = types.int64(types.uint64, types.uint64, _POINTER, _POINTER, _TABLE)
OK, GRADIENT_NOT_FINITE, VALUE_NOT_FINITE = 0, 3, 4  # nutpie's error codes
MOST_ARRAYS = 32


@dataclass(frozen=True)
class Key:
    """Which density: the coordinates, the entry of the table of kernels, and effects a level of the main factor."""

    coordinates: str
    family: str
    link: str
    effects: int

    def __str__(self) -> str:
        return f"{self.coordinates} {self.family} {self.link} {self.effects}"


@dataclass(frozen=True)
class Code:
    """What the coordinates are compiled from.

    Attributes
    ----------
    read : function
        ``table -> data``.
    density : function
        ``(Kernel, effects) -> compiled (x, gradient, data) -> value``.
    expand : function
        ``effects -> compiled (x, out, data)``.
    """

    read: Callable[..., Any]
    density: Callable[..., Any]
    expand: Callable[..., Any]


CODES: dict[str, Code] = {
    "whitened": Code(whitened.read, whitened.make_density, whitened.make_expand),
    "integrated": Code(integrated.read, lambda kernel, _: integrated.make_density(kernel), lambda _: integrated.expand),
}


@cache
def density_callback(key: Key) -> Any:
    """The C function ``(size, x, gradient, value, table) -> error``, with an ``address``."""
    name, version = str(key), _VERSION

    @numba.cfunc(DENSITY, cache=True, error_model="numpy")
    @named(key)
    def log_density(size, x, gradient, value, table):  # type: ignore[no-untyped-def] # pragma: no cover
        slope = numba.carray(gradient, (size,))
        found = _density(name, version, numba.carray(x, (size,)), slope, numba.carray(table, (3 * MOST_ARRAYS,)))
        numba.carray(value, (1,))[0] = found
        if not np.isfinite(found):
            return VALUE_NOT_FINITE
        for k in range(len(slope)):
            if not np.isfinite(slope[k]):
                return GRADIENT_NOT_FINITE
        return OK

    return log_density


@cache
def expand_callback(key: Key) -> Any:
    """The C function ``(size, kept, x, out, table) -> error``, with an ``address``."""
    name, version = str(key), _VERSION

    @numba.cfunc(EXPAND, cache=True, error_model="numpy")
    @named(key)
    def expand(size, kept, x, out, table):  # type: ignore[no-untyped-def] # pragma: no cover
        draw = numba.carray(out, (kept,))
        _expand(name, version, numba.carray(x, (size,)), draw, numba.carray(table, (3 * MOST_ARRAYS,)))
        return OK

    return expand


def _density(name: str, version: int, x: Any, gradient: Any, table: Any) -> float:
    raise NotImplementedError("numba puts the density of that name here")


def _expand(name: str, version: int, x: Any, out: Any, table: Any) -> None:
    raise NotImplementedError("numba puts the function of that name here")


@overload(_density, prefer_literal=True)
def _compile_density(name, version, x, gradient, table):  # type: ignore[no-untyped-def]
    if not isinstance(name, types.StringLiteral):
        return None
    coordinates, family, link, effects = name.literal_value.split()
    code = CODES[coordinates]
    read, density = code.read, code.density(KERNELS[family, link], int(effects))

    @named(name.literal_value)
    def found(name, version, x, gradient, table):  # type: ignore[no-untyped-def] # pragma: no cover
        return density(x, gradient, read(table))

    return found


@overload(_expand, prefer_literal=True)
def _compile_expand(name, version, x, out, table):  # type: ignore[no-untyped-def]
    if not isinstance(name, types.StringLiteral):
        return None
    coordinates, _, _, effects = name.literal_value.split()
    code = CODES[coordinates]
    read, expand = code.read, code.expand(int(effects))

    @named(name.literal_value)
    def found(name, version, x, out, table):  # type: ignore[no-untyped-def] # pragma: no cover
        expand(x, out, read(table))

    return found
