r"""Derivatives of a function of K linear predictors, from power series along lines.

For g(t) = l(eta + t d) the series of :mod:`~bayes_glmm.numerics.series` give the derivatives along d, and sums over
lines give mixed ones exactly: with D(d) the derivative of an order along d,

    l_jk  = (D(e_j + e_k) - l_jj - l_kk) / 2
    l_jjk = (D(e_j + e_k) - D(e_j - e_k) - 2 l_kkk) / 6
    l_jkm = (D(e_j + e_k + e_m) - l_jjj - l_kkk - l_mmm - 3 (l_jjk + l_jkk + l_jjm + l_jmm + l_kkm + l_kmm)) / 6
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, permutations
from typing import Any

import numpy as np

from bayes_glmm.numerics.series import Series, lifted

Density = Callable[[Sequence[Series], Mapping[str, Series]], Series]
Line = tuple[float, ...]


@dataclass(frozen=True)
class Jet:
    """A function's value and derivatives in K linear predictors, row by row.

    Attributes
    ----------
    value : array [row]
    first : array [predictor, row]
    second : array [predictor, predictor, row]
    third : array [predictor, predictor, predictor, row]
        Up to the order asked for; empty beyond.
    by : mapping of str to Jet
        The same of the derivative in each further parameter, up to one order less.
    """

    value: np.ndarray
    first: np.ndarray
    second: np.ndarray
    third: np.ndarray
    by: Mapping[str, Jet] = field(default_factory=dict)


def jet(density: Density, eta: Sequence[np.ndarray], parameters: Mapping[str, float], order: int) -> Jet:
    """Evaluate a density and its derivatives.

    Parameters
    ----------
    density : function
        ``(etas, parameters) -> log density``, all series.
    eta : sequence of array
        One per linear predictor; they broadcast to [..., row].
    parameters : mapping of str to float
        Further parameters, for first derivatives.
    order : int
        Highest derivative, 1 to 3.
    """
    along = {line: _along(density, eta, parameters, order, line) for line in _lines(len(eta), order)}
    shape = np.broadcast_shapes(*(one.shape for one in eta))
    return _jet(along, None, len(eta), shape, order, parameters)


def _lines(count: int, order: int) -> list[Line]:
    """Directions whose derivatives determine those of all orders."""
    axes = [_line(count, {j: 1.0}) for j in range(count)]
    pairs = [_line(count, {j: 1.0, k: 1.0}) for j, k in combinations(range(count), 2)] if order > 1 else []
    across = [_line(count, {j: 1.0, k: -1.0}) for j, k in combinations(range(count), 2)] if order > 2 else []
    triples = [_line(count, dict.fromkeys(of, 1.0)) for of in combinations(range(count), 3)] if order > 2 else []
    return [*axes, *pairs, *across, *triples]


def _line(count: int, steps: Mapping[int, float]) -> Line:
    return tuple(steps.get(j, 0.0) for j in range(count))


def _along(
    density: Density, eta: Sequence[np.ndarray], parameters: Mapping[str, float], order: int, line: Line
) -> Series:
    nothing = (None,) * (order - 1)
    moving = [Series((at, step or None, *nothing)) for at, step in zip(eta, line, strict=True)]
    return density(moving, lifted(parameters, order))


def _jet(
    along: Mapping[Line, Series],
    parameter: str | None,
    count: int,
    shape: tuple[int, ...],
    order: int,
    parameters: Mapping[str, float],
) -> Jet:
    def D(degree: int, steps: Mapping[int, float]) -> np.ndarray:
        found = along[_line(count, steps)].derivative(degree, parameter)
        return np.broadcast_to(np.asarray(found, float), shape)

    first = np.array([D(1, {j: 1.0}) for j in range(count)]) if order >= 1 else np.empty((0, *shape))
    second = _second(D, count, shape) if order >= 2 else np.empty((0, 0, *shape))
    third = _third(D, count, shape) if order >= 3 else np.empty((0, 0, 0, *shape))
    by = {} if parameter else {name: _jet(along, name, count, shape, order - 1, {}) for name in parameters}
    return Jet(D(0, {0: 1.0}), first, second, third, by)


def _second(D: Any, count: int, shape: tuple[int, ...]) -> np.ndarray:
    found = np.empty((count, count, *shape))
    for j in range(count):
        found[j, j] = D(2, {j: 1.0})
    for j, k in combinations(range(count), 2):
        found[j, k] = found[k, j] = 0.5 * (D(2, {j: 1.0, k: 1.0}) - found[j, j] - found[k, k])
    return found


def _third(D: Any, count: int, shape: tuple[int, ...]) -> np.ndarray:
    found = np.empty((count, count, count, *shape))
    for j in range(count):
        found[j, j, j] = D(3, {j: 1.0})
    for j, k in combinations(range(count), 2):
        up, down = D(3, {j: 1.0, k: 1.0}), D(3, {j: 1.0, k: -1.0})
        for at in set(permutations((j, j, k))):
            found[at] = (up - down - 2.0 * found[k, k, k]) / 6.0
        for at in set(permutations((j, k, k))):
            found[at] = (up + down - 2.0 * found[j, j, j]) / 6.0
    for of in combinations(range(count), 3):
        cubes = sum(found[j, j, j] for j in of)
        mixed = sum(found[j, j, k] + found[j, k, k] for j, k in combinations(of, 2))
        for at in permutations(of):
            found[at] = (D(3, dict.fromkeys(of, 1.0)) - cubes - 3.0 * mixed) / 6.0
    return found
