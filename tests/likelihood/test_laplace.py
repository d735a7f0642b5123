"""The Laplace log likelihood: exact where the model is Gaussian, its gradient against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from bayes_glmm.families import FAMILIES
from bayes_glmm.likelihood import Likelihood, Parameters, laplace_log_likelihood, layout_of
from tests.likelihood import cases

# the log link of a proportion gives means above 1 at these parameters
SMOOTH = [
    (name, link)
    for name, family in FAMILIES.items()
    for link in family.links
    if link in ("logit", "cauchit") or (link == "log" and not family.response.events)
]
SMOOTH += [("gaussian", "identity"), ("student_t", "identity"), ("binomial", "probit"), ("beta", "cloglog")]


@pytest.mark.parametrize("structure", cases.STRUCTURES)
def test_exact_for_gaussian_models(structure: str) -> None:
    likelihood = cases.likelihood("gaussian", structure)
    parameters = cases.parameters(likelihood)
    A = likelihood.part.matrix(likelihood.part.values(parameters.L)).toarray()
    V = A @ A.T + parameters.auxiliary["sigma"] ** 2 * np.eye(len(A))
    expected = stats.multivariate_normal(likelihood.fixed(parameters.beta), V).logpdf(likelihood.design.y)
    assert_allclose(laplace_log_likelihood(likelihood, parameters).value, expected, rtol=1e-12)


@pytest.mark.parametrize("structure", ["correlated", "crossed", "three factors", "none"])
@pytest.mark.parametrize(("family", "link"), SMOOTH)
def test_gradient_against_finite_differences(family: str, link: str, structure: str) -> None:
    likelihood = cases.likelihood(family, structure, link)
    parameters = cases.parameters(likelihood)
    found = laplace_log_likelihood(likelihood, parameters)
    assert found.modes.converged
    layout = layout_of(likelihood)
    x = layout.vector(parameters)

    def value(x: np.ndarray) -> float:
        return laplace_log_likelihood(likelihood, layout.parameters(x)).value

    assert_allclose(layout.gradient(found.gradient, parameters), differences(value, x), rtol=2e-6, atol=2e-6)


def test_a_standard_deviation_of_zero_is_no_boundary() -> None:
    """At sd = 0 the likelihood is that without the term, and the gradient in L vanishes."""
    likelihood, without = cases.likelihood("bernoulli", "intercept"), cases.likelihood("bernoulli", "none")
    parameters = Parameters(np.array([0.1, 0.2]), {"g": np.zeros((1, 1))}, {})
    found = laplace_log_likelihood(likelihood, parameters)
    assert_allclose(found.value, laplace_log_likelihood(without, replace(parameters, L={})).value, rtol=1e-13)
    assert found.gradient.L["g"] == 0.0


def test_the_start_of_the_search_for_modes_does_not_matter() -> None:
    likelihood: Likelihood = cases.likelihood("poisson", "crossed")
    parameters = cases.parameters(likelihood)
    cold = laplace_log_likelihood(likelihood, parameters)
    far = np.random.default_rng(3).normal(size=likelihood.part.size)
    assert_allclose(laplace_log_likelihood(likelihood, parameters, far).value, cold.value, rtol=1e-12)


def differences(function: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-4) -> np.ndarray:
    """Central differences of order 4."""
    result = []
    for j in range(len(x)):
        move = step * np.eye(len(x))[j]
        near, far = function(x + move) - function(x - move), function(x + 2 * move) - function(x - 2 * move)
        result.append((8.0 * near - far) / (12.0 * step))
    return np.array(result)
