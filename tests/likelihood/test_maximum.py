"""The search: the maximum of a known function, its curvature, and what it says where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bayes_glmm.errors import EstimationError
from bayes_glmm.likelihood.maximum import maximise


def quartic(x: np.ndarray) -> tuple[float, np.ndarray]:
    """Curved differently in each direction, with its maximum 0 at (1, -2)."""
    d = x - np.array([1.0, -2.0])
    value = -(d[0] ** 2) - 50.0 * d[1] ** 2 - d[0] ** 4 - d[0] * d[1]
    return value, -np.array([2.0 * d[0] + 4.0 * d[0] ** 3 + d[1], 100.0 * d[1] + d[0]])


def test_maximum_and_curvature() -> None:
    found = maximise(quartic, np.array([3.0, 3.0]), np.eye(2))
    assert found.converged
    assert not found.message
    assert_allclose(found.x, [1.0, -2.0], atol=1e-6)
    assert_allclose(found.value, 0.0, atol=1e-10)
    assert_allclose(found.precision, [[2.0, 1.0], [1.0, 100.0]], rtol=1e-5)
    assert_allclose(found.covariance, np.linalg.inv([[2.0, 1.0], [1.0, 100.0]]), rtol=1e-5)


def test_no_maximum_is_said() -> None:
    found = maximise(lambda x: (float(np.tanh(x[0])), 1.0 / np.cosh(x) ** 2), np.array([0.0]), np.eye(1))
    assert not found.converged
    assert found.message


def test_a_ridge_is_said() -> None:
    found = maximise(lambda x: (-((x[0] + x[1]) ** 2), -2.0 * (x[0] + x[1]) * np.ones(2)), np.ones(2), np.eye(2))
    assert not found.converged
    assert "no maximum" in found.message
    assert np.isnan(found.covariance).all()


def test_a_start_that_is_not_finite() -> None:
    with pytest.raises(EstimationError, match="not finite"):
        maximise(lambda x: (-np.inf, x), np.zeros(1), np.eye(1))
