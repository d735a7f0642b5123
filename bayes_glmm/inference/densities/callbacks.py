"""Densities as C functions, which samplers call without Python: of which parts, and how each is made.

A density is made of parts, each a C function of its own: one part may serve several densities, and two may be compiled
at a time. Numba keeps a part on disk under its name, its bytecode and what it closes over. So the name says what the
part is made for and from which source; the compiled function that it calls stands among its globals, which numba does
not look at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba import types

from bayes_glmm.inference.densities import blocks, fixed, integrated, rows, whitened
from bayes_glmm.inference.densities.records import ENTRIES, doubles_at, integers_at
from bayes_glmm.inference.kernels.generated import kernel_of, short_name
from bayes_glmm.inference.kernels.source import source_version

_VERSION = source_version(Path(__file__).parent)
_POINTER = types.CPointer(types.float64)
_TABLE = types.CPointer(types.int64)
OK, GRADIENT_NOT_FINITE, VALUE_NOT_FINITE = 0, 3, 4  # nutpie's error codes


@dataclass(frozen=True)
class Part:
    """One C function of a density.

    Attributes
    ----------
    name : str
        Of its recipe.
    made_for : tuple
        Arguments of the recipe's ``make``.
    """

    name: str
    made_for: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return ", ".join([self.name, *(short_name(str(one)) for one in self.made_for)])

    @property
    def symbol(self) -> str:
        """Its name, in no two versions of the source the same."""
        return "_".join([*self.name.split(), *(short_name(str(one)) for one in self.made_for), _VERSION])


def _density(size, x, gradient, value, table):  # type: ignore[no-untyped-def] # pragma: no cover
    slope = numba.carray(gradient, (size,))
    found = code(numba.carray(x, (size,)), slope, numba.carray(table, (ENTRIES,)))
    numba.carray(value, (1,))[0] = found
    if not np.isfinite(found):
        return VALUE_NOT_FINITE
    for k in range(size):
        if not np.isfinite(slope[k]):
            return GRADIENT_NOT_FINITE
    return OK


def _expand(size, kept, x, out, table):  # type: ignore[no-untyped-def] # pragma: no cover
    code(numba.carray(x, (size,)), numba.carray(out, (kept,)), numba.carray(table, (ENTRIES,)))
    return OK


def _rows(table, coefficients, u, effects, a, slopes):  # type: ignore[no-untyped-def] # pragma: no cover
    numbers = numba.carray(integers_at(table), (ENTRIES,))
    return code(
        numbers, doubles_at(coefficients), numba.carray(doubles_at(u), (effects,)), doubles_at(a), doubles_at(slopes)
    )


def code(*arguments: Any) -> Any:
    """What a part calls: another function in each part."""
    raise NotImplementedError


@dataclass(frozen=True)
class Recipe:
    """How a part is made.

    Attributes
    ----------
    signature : numba signature
        Of the C function.
    function : function
        What it is compiled from; it calls ``code``.
    make : function
        Returns the compiled function that takes the place of ``code``.
    """

    signature: Any
    function: Callable[..., Any]
    make: Callable[..., Any]


_DENSITY = types.int64(types.uint64, _POINTER, _POINTER, _POINTER, _TABLE), _density
_EXPAND = types.int64(types.uint64, types.uint64, _POINTER, _POINTER, _TABLE), _expand

PARTS: dict[str, Recipe] = {
    "whitened density": Recipe(*_DENSITY, whitened.make_density),
    "whitened expand": Recipe(*_EXPAND, whitened.make_expand),
    "rows": Recipe(rows.SIGNATURE, _rows, lambda *pair: rows.make_rows(kernel_of(*pair))),
    "blocks": Recipe(rows.SIGNATURE, _rows, blocks.make_blocks),
    "integrated density": Recipe(*_DENSITY, lambda *pair: integrated.make_density(kernel_of(*pair))),
    "integrated expand": Recipe(*_EXPAND, lambda: integrated.expand),
    "fixed density": Recipe(*_DENSITY, lambda: fixed.density),
    "fixed expand": Recipe(*_EXPAND, lambda: fixed.expand),
}


def compile_part(part: Part, keep: bool = True) -> Any:
    """The C function of a part, with an ``address``; numba takes it from its files on disk, and leaves it there."""
    recipe = PARTS[part.name]
    compiler = numba.cfunc(recipe.signature, cache=keep, error_model="numpy")
    return compiler(python_function(part, recipe.make(*part.made_for)))


def python_function(part: Part, made: Any = code) -> Callable[..., Any]:
    """The function that a part is compiled from: under a name of its own, calling what was made for it."""
    function = PARTS[part.name].function
    assert isinstance(function, FunctionType)
    copy = FunctionType(function.__code__, function.__globals__ | {"code": made}, function.__name__)
    copy.__qualname__ = part.symbol
    return copy
