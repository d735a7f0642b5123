"""Derivatives by differences against those of functions that have them in closed form."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from bayes_glmm.numerics.differences import hessian, jacobian


def test_jacobian_has_a_row_per_entry_and_a_column_per_input() -> None:
    x = np.array([0.3, -1.2])
    found = jacobian(lambda x: np.array([np.sin(x[0]), x[0] * x[1], np.exp(x[1])]), x, np.array([1e-4, 1e-5]))
    expected = [[np.cos(0.3), 0.0], [-1.2, 0.3], [0.0, np.exp(-1.2)]]
    assert_allclose(found, expected, atol=1e-8)


def test_error_falls_with_the_square_of_the_step() -> None:
    """(sin(x + h) - sin(x - h)) / (2 h) = cos(x) sin(h) / h."""
    for step in (0.1, 0.01):
        found = jacobian(np.sin, np.array([0.7]), step)[0, 0]
        assert_allclose(found, np.cos(0.7) * np.sin(step) / step, rtol=1e-12)


def test_hessian_is_symmetric() -> None:
    x = np.array([1.5, 0.2, 0.8])
    A = np.array([[2.0, 0.3, 0.0], [0.3, 1.0, -0.4], [0.0, -0.4, 3.0]])

    def gradient(x: np.ndarray) -> np.ndarray:
        return A @ x + 4.0 * x**3

    found = hessian(gradient, x, np.array([1e-3, 1e-4, 1e-5]))
    assert_allclose(found, A + np.diag(12.0 * x**2), atol=1e-5)
    assert_allclose(found, found.T, rtol=0.0)


def test_no_inputs() -> None:
    assert hessian(lambda x: x, np.empty(0), 1e-3).shape == (0, 0)
