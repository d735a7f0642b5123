"""Derivatives by central differences, for functions that have none of their own; their error is of order step^2."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def jacobian(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray, steps: float | np.ndarray) -> np.ndarray:
    """Return the derivative of each entry of a function in each input [entry, input]; [0, 0] without inputs.

    Parameters
    ----------
    function : function
        Of an array [input].
    x : array [input]
    steps : float or array [input]

    Examples
    --------
    >>> jacobian(lambda x: x**2, np.array([1.0, 3.0]), 1e-3).round(9)
    array([[2., 0.],
           [0., 6.]])
    """
    moves = np.diag(np.broadcast_to(np.asarray(steps, float), x.shape))
    columns = [(function(x + move) - function(x - move)) / (2.0 * move[j]) for j, move in enumerate(moves)]
    return np.stack(columns, axis=-1) if columns else np.empty((0, 0))


def hessian(gradient: Callable[[np.ndarray], np.ndarray], x: np.ndarray, steps: float | np.ndarray) -> np.ndarray:
    """Return the second derivative of a function from its gradient, symmetric [input, input].

    Parameters
    ----------
    gradient : function
        Of an array [input], an array [input].
    x : array [input]
    steps : float or array [input]
    """
    found = jacobian(gradient, x, steps)
    return 0.5 * (found + found.T)
