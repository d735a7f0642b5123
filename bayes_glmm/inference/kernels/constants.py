"""Constants and linear predictors of a row as tuples, which compiled loops keep in registers: arrays are read again."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from bayes_glmm.inference.kernels.elementary import fused


class Tuples(NamedTuple):
    """Compiled functions of tuples of one length.

    Attributes
    ----------
    read : function
        ``array -> tuple``.
    log : function
        ``tuple -> tuple`` of logarithms.
    plus : function
        ``(tuple, tuple) -> tuple``.
    add : function
        ``(tuple, array)``: adds to the array.
    add_at : function
        ``(tuple, matrix, k)``: adds to a column of a matrix.
    along : function
        ``(tuple, tuple, t) -> tuple``: the first plus t times the second.
    of_row : function
        ``(array, stride, i) -> tuple`` of the entries i, stride + i, 2 stride + i, ...
    to_row : function
        ``(tuple, array, stride, i)``: writes there.
    zero : tuple
    """

    read: Callable[..., Any]
    log: Callable[..., Any]
    plus: Callable[..., Any]
    add: Callable[..., Any]
    add_at: Callable[..., Any]
    along: Callable[..., Any]
    of_row: Callable[..., Any]
    to_row: Callable[..., Any]
    zero: tuple[float, ...]


@cache
def tuples(count: int) -> Tuples:
    """The functions for that many numbers."""

    def entries(text: str) -> str:
        return "(" + "".join(f"{text.format(k=k)}, " for k in range(count)) + ")"

    def lines(text: str) -> str:
        return "; ".join(text.format(k=k) for k in range(count))

    return Tuples(
        read=_compiled("read", count, "v", f"return {entries('v[{k}]')}"),
        log=_compiled("log", count, "v", f"return {entries('log(v[{k}])')}"),
        plus=_compiled("plus", count, "v, w", f"return {entries('v[{k}] + w[{k}]')}"),
        add=_compiled("add", count, "v, out", lines("out[{k}] += v[{k}]")),
        add_at=_compiled("add_at", count, "v, out, column", lines("out[{k}, column] += v[{k}]")),
        along=_compiled("along", count, "v, w, t", f"return {entries('v[{k}] + w[{k}] * t')}"),
        of_row=_compiled("of_row", count, "rows, stride, i", f"return {entries('rows[{k} * stride + i]')}"),
        to_row=_compiled("to_row", count, "v, rows, stride, i", lines("rows[{k} * stride + i] = v[{k}]")),
        zero=(0.0,) * count,
    )


def _compiled(name: str, count: int, arguments: str, body: str) -> Callable[..., Any]:
    names: dict[str, Any] = {"log": math.log}
    exec(f"def {name}_{count}({arguments}):\n    {body}\n", names)  # text of this module alone
    return fused(names[f"{name}_{count}"])
