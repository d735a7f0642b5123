r"""Gauss-Hermite rules for averages over a standard normal distribution, in one dimension and as products.

A rule of n nodes is exact for polynomials up to degree 2n - 1 (Abramowitz & Stegun 1964, 25.4.46, with the weight
exp(-x^2 / 2) / sqrt(2 pi) in place of exp(-x^2)).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy import special


@cache
def gauss_hermite(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights with sum_k w_k f(x_k) = E f(X), X ~ N(0, 1).

    Parameters
    ----------
    nodes : int

    Returns
    -------
    array [node], array [node]
        Read-only: one copy serves all callers.

    Examples
    --------
    >>> x, w = gauss_hermite(3)
    >>> round(float(w @ x**4), 12)
    3.0
    """
    x, w = special.roots_hermitenorm(nodes)
    return _locked(x), _locked(w / math.sqrt(2.0 * math.pi))


@cache
def product_rule(nodes: int, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """The product of one-dimensional rules: sum_k w_k f(x_k) = E f(X), X ~ N(0, I).

    Parameters
    ----------
    nodes : int
        Of each dimension.
    dimensions : int

    Returns
    -------
    array [node, dimension], array [node]
        With nodes ** dimensions rows; read-only.
    """
    x, w = gauss_hermite(nodes)
    points = np.stack(np.meshgrid(*[x] * dimensions, indexing="ij"), axis=-1).reshape(-1, dimensions)
    weights = np.prod(np.stack(np.meshgrid(*[w] * dimensions, indexing="ij"), axis=-1), axis=-1).ravel()
    return _locked(points), _locked(weights)


def _locked(values: np.ndarray) -> np.ndarray:
    values.setflags(write=False)
    return values
