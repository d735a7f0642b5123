"""Rules against the moments of a normal distribution and against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bayes_glmm.numerics.quadrature import gauss_hermite, product_rule


@pytest.mark.parametrize("nodes", [1, 2, 5, 12, 40])
def test_moments_up_to_the_degree_are_exact(nodes: int) -> None:
    x, w = gauss_hermite(nodes)
    for power in range(min(2 * nodes, 24)):
        moment = math.prod(range(power - 1, 0, -2)) if power % 2 == 0 else 0
        assert moment == pytest.approx(w @ x**power, rel=1e-12, abs=1e-9 * math.prod(range(power, 0, -2)))


def test_the_first_moment_beyond_the_degree_is_not() -> None:
    x, w = gauss_hermite(3)
    assert w @ x**6 == pytest.approx(9)  # the moment is 15


@pytest.mark.parametrize(("nodes", "dimensions"), [(8, 1), (8, 2), (7, 3)])
def test_products_average_over_independent_normals(nodes: int, dimensions: int) -> None:
    points, weights = product_rule(nodes, dimensions)
    assert points.shape == (nodes**dimensions, dimensions)
    np.testing.assert_allclose(weights @ points, 0, atol=1e-14)
    np.testing.assert_allclose((points.T * weights) @ points, np.eye(dimensions), atol=1e-13)
    slope = np.array([0.3, -0.5, 0.2])[:dimensions]
    # E exp(a'X) = exp(a'a / 2); the remainder of the rule is far below 1e-8 for slopes this small
    assert math.exp(slope @ slope / 2) == pytest.approx(weights @ np.exp(points @ slope), rel=1e-8)


def test_rules_are_shared_and_cannot_be_changed() -> None:
    x, w = gauss_hermite(5)
    assert x is gauss_hermite(5)[0]
    for values in (x, w, *product_rule(3, 2)):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 0.0
