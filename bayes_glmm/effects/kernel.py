"""The inner loop of the quadrature under the logit link, compiled.

On equally spaced nodes exp(-(eta + s z_k)) is a geometric sequence: one multiplication and one division a node, no
exponential. Elements are taken 64 at a time, so that the compiler turns the loop over them into vector instructions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

WIDTH = 64


def logit_sums(
    eta: np.ndarray, sd: np.ndarray, nodes: np.ndarray, weights: np.ndarray, count: np.ndarray
) -> np.ndarray:
    """Sum over k < count of weights[k] * expit(eta + sd * nodes[k]) for each element.

    Parameters
    ----------
    eta, sd : array [element]
    nodes, weights : array [node]
        Nodes equally spaced.
    count : array [element]
        How many nodes, from the first, an element needs; it may get more.

    Returns
    -------
    array [element]
    """
    result = np.empty(eta.size)
    _compiled()(eta, sd, nodes, weights, count, result)
    return result


@cache
def _compiled() -> Callable[..., None]:
    import numba

    @numba.njit(nogil=True, cache=True, error_model="numpy")
    def sums(eta, sd, nodes, weights, count, result):  # type: ignore[no-untyped-def] # pragma: no cover
        step = nodes[1] - nodes[0]
        term, ratio, total = np.empty(WIDTH), np.empty(WIDTH), np.empty(WIDTH)
        for start in range(0, eta.size, WIDTH):
            size = min(WIDTH, eta.size - start)
            most, safe = 0, True
            for i in range(size):
                exponent = eta[start + i] + sd[start + i] * nodes[0]
                safe = safe and exponent > -700.0  # below, exp(-exponent) overflows
                term[i] = np.exp(-exponent)
                ratio[i] = np.exp(-sd[start + i] * step)
                total[i] = 0.0
                most = max(most, count[start + i])
            for i in range(size, WIDTH):
                term[i], ratio[i], total[i] = 0.0, 1.0, 0.0
            if safe:
                for k in range(most):
                    weight = weights[k]
                    for i in range(WIDTH):
                        total[i] += weight / (1.0 + term[i])
                        term[i] *= ratio[i]
            else:
                for i in range(size):
                    for k in range(most):
                        total[i] += weights[k] / (1.0 + np.exp(-(eta[start + i] + sd[start + i] * nodes[k])))
            for i in range(size):
                result[start + i] = total[i]

    return sums
