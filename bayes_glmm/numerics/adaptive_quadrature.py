r"""Adaptive Gauss-Hermite quadrature: a rule that is moved to the mode of each integrand and scaled by its curvature.

Let h have its mode at m and the negative second derivative P = C C' there. With nodes z_k = m + C^-T x_k (Liu & Pierce
1994, Biometrika 81, 624-629; Pinheiro & Bates 1995, J. Comp. Graph. Stat. 4, 12-35)

    log int exp(h(z)) dz / (2 pi)^(d / 2)  is about  log sum_k exp(h(z_k) + log w_k + x_k'x_k / 2) - log|C|,

which is exact where exp(h) is a normal density times a polynomial. One node is the Laplace approximation. Integrands of
effects that are N(0, I) have -z'z / 2 in h.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bayes_glmm.numerics.quadrature import product_rule


class Nodes(NamedTuple):
    """Some nodes of a rule.

    Attributes
    ----------
    x : array [node, dimension]
        Before they are moved and scaled.
    z : array [node, ..., dimension]
        After it, for each integrand.
    log_weight : array [node]
        log w_k + x_k'x_k / 2.
    """

    x: np.ndarray
    z: np.ndarray
    log_weight: np.ndarray


@dataclass(frozen=True)
class Placement:
    """Where rules stand and how wide they are.

    Attributes
    ----------
    mode : array [..., dimension]
    root : array [..., dimension, dimension]
        C^-T: root root' is the inverse of the curvature.
    """

    mode: np.ndarray
    root: np.ndarray

    @property
    def log_size(self) -> np.ndarray:
        """The logarithm of the determinant of the root [...]."""
        return np.sum(np.log(np.diagonal(self.root, axis1=-2, axis2=-1)), axis=-1)

    def at(self, x: np.ndarray) -> np.ndarray:
        """The points z of some x, both [..., dimension]."""
        return self.mode + np.einsum("...jk,...k->...j", self.root, x)

    def nodes(self, count: int, at_once: int) -> Iterator[Nodes]:
        """The nodes of the product rule with a count of each dimension, some at a time."""
        points, weights = product_rule(count, self.mode.shape[-1])
        for first in range(0, len(points), at_once):
            x, w = points[first : first + at_once], weights[first : first + at_once]
            apart = x.reshape(len(x), *(1,) * (self.mode.ndim - 1), x.shape[1])
            yield Nodes(x, self.at(apart), np.log(w) + 0.5 * np.sum(x**2, axis=-1))


def placed(mode: np.ndarray, precision: np.ndarray) -> Placement:
    """Place rules at modes [..., dimension] with curvatures [..., dimension, dimension].

    Raises
    ------
    numpy.linalg.LinAlgError
        If a curvature is not positive definite.

    Examples
    --------
    >>> rule = placed(np.array([1.0]), np.array([[4.0]]))
    >>> nodes = next(rule.nodes(3, at_once=3))
    >>> log_normal = -0.5 * 4.0 * (nodes.z[:, 0] - 1.0) ** 2  # of sd 1 / 2, without its constant
    >>> round(float(np.sum(np.exp(log_normal + nodes.log_weight + rule.log_size))), 12)
    0.5
    """
    return Placement(mode, np.swapaxes(np.linalg.inv(np.linalg.cholesky(precision)), -1, -2))
