"""Adaptive quadrature against adaptive integration by SciPy and closed forms, for several integrands at once."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, optimize, special

from bayes_glmm.numerics.adaptive_quadrature import Placement, placed

COUNTS = np.array([0.0, 3.0, 40.0])


def poisson(z: np.ndarray) -> np.ndarray:
    """Log integrands of Poisson counts with log mean 1.5 z, z ~ N(0, 1) [..., count]."""
    eta = 1.5 * z[..., 0]
    return COUNTS * eta - np.exp(eta) - special.gammaln(COUNTS + 1.0) - 0.5 * z[..., 0] ** 2


def poisson_placement() -> Placement:
    mode = np.array([optimize.brentq(lambda z, y=y: 1.5 * (y - np.exp(1.5 * z)) - z, -9.0, 9.0) for y in COUNTS])
    return placed(mode[:, None], (1.0 + 2.25 * np.exp(1.5 * mode))[:, None, None])


def log_integral(rule: Placement, heights, nodes: int, at_once: int) -> np.ndarray:
    terms = [heights(some.z) + some.log_weight[:, None] for some in rule.nodes(nodes, at_once)]
    return special.logsumexp(np.concatenate(terms), axis=0) + rule.log_size


def test_skewed_integrands_are_those_of_scipy() -> None:
    def density(z: float, k: int) -> float:
        return float(np.exp(poisson(np.full((3, 1), z))[k]))

    expected = [integrate.quad(density, -12.0, 12.0, (k,), epsabs=0.0, limit=200)[0] for k in range(3)]
    found = log_integral(poisson_placement(), poisson, 40, 40)
    assert_allclose(found, np.log(expected) - 0.5 * np.log(2.0 * np.pi), atol=1e-8)


@pytest.mark.parametrize("at_once", [1, 4, 100])
def test_nodes_some_at_a_time_are_all_nodes(at_once: int) -> None:
    expected = log_integral(poisson_placement(), poisson, 9, 9)
    assert_allclose(log_integral(poisson_placement(), poisson, 9, at_once), expected, rtol=1e-13)


def test_one_node_is_the_laplace_approximation() -> None:
    rule = poisson_placement()
    curvature = 1.0 + 2.25 * np.exp(1.5 * rule.mode[:, 0])
    assert_allclose(log_integral(rule, poisson, 1, 1), poisson(rule.mode) - 0.5 * np.log(curvature), rtol=1e-12)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_a_normal_density_times_a_polynomial_is_exact(dimensions: int) -> None:
    """E (a'z)^2 = (a'm)^2 + a'Va under N(m, V), with three nodes a dimension."""
    rng = np.random.default_rng(dimensions)
    root = np.tril(rng.normal(size=(2, dimensions, dimensions))) + 2.0 * np.eye(dimensions)
    precision, mode = root @ root.swapaxes(-1, -2), rng.normal(size=(2, dimensions))
    a = rng.normal(size=dimensions)

    def heights(z: np.ndarray) -> np.ndarray:
        d = z - mode
        return -0.5 * np.einsum("...j,...jk,...k->...", d, precision, d) + np.log((z @ a) ** 2)

    V = np.linalg.inv(precision)
    expected = np.log((mode @ a) ** 2 + np.einsum("j,gjk,k->g", a, V, a)) + 0.5 * np.linalg.slogdet(V)[1]
    rule = placed(mode, precision)
    assert_allclose(log_integral(rule, heights, 3, 5), expected, rtol=1e-12)
    assert_allclose(rule.root @ rule.root.swapaxes(-1, -2), V, rtol=1e-10)


def test_a_curvature_that_is_not_positive_is_refused() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        placed(np.zeros((1, 2)), np.diag([1.0, -1.0])[None])
