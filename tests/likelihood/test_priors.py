"""Prior densities against scipy and PyMC; the change of coordinates against a numerical Jacobian."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import bayes_glmm as bg
from bayes_glmm.errors import SpecError
from bayes_glmm.likelihood import layout_of, likelihood_of
from bayes_glmm.likelihood.priors import LogPrior, log_density
from bayes_glmm.numerics.distributions import DISTRIBUTIONS
from bayes_glmm.spec import Prior
from tests.likelihood import cases
from tests.likelihood.test_laplace import differences

EXAMPLES = [
    "Normal(1, 2.5)", "StudentT(3, mu=0.5, sigma=2)", "Cauchy(0.3, 2)", "Laplace(0.2, 1.5)", "Logistic(1, 2)",
    "Uniform(-1, 3)",
    "Flat()", "HalfFlat()", "HalfNormal(2)", "HalfStudentT(3, 1.5)", "HalfCauchy(2)", "Exponential(0.7)",
    "Exponential(scale=2)", "Gamma(2, 0.5)", "Beta(2, 3.5)",
    "InverseGamma(0.4, 0.3)", "LogNormal(0.5, 1.2)", "Lognormal(0.5, 1.2)",
]  # fmt: skip


@pytest.mark.parametrize("text", EXAMPLES)
def test_densities_are_pymcs(text: str) -> None:
    import pymc as pm
    from pytensor.compile.mode import Mode

    prior = Prior.parse(text)
    named = {name: np.array(value, float) for name, value in prior.keyword}
    distribution = getattr(pm, prior.distribution).dist(
        *(np.array(value, float) for value in prior.positional), **named
    )
    points = np.array([0.3, 0.7 if prior.distribution == "Beta" else 1.7])
    expected = pm.logp(distribution, points).eval(mode=Mode(linker="py", optimizer="fast_compile"))
    for x, exact in zip(points, expected, strict=True):
        value, slope = log_density(prior, x)
        assert_allclose(value, exact, atol=5e-9)  # PyMC rounds the constants of some densities to 2e-9
        near = differences(lambda point: log_density(prior, float(point[0]))[0], np.array([x]))
        assert_allclose(slope, near[0], rtol=1e-7, atol=1e-9)


def test_every_density_has_an_example() -> None:
    assert set(DISTRIBUTIONS) == {Prior.parse(text).distribution for text in EXAMPLES}


def test_an_unknown_prior_is_named() -> None:
    with pytest.raises(SpecError, match="Kumaraswamy"):
        log_density(Prior.parse("Kumaraswamy(1, 2)"), 0.5)
    with pytest.raises(SpecError, match="tau"):
        log_density(Prior.parse("Normal(0, tau=2)"), 0.5)


def test_outside_the_support() -> None:
    assert log_density(Prior.parse("Uniform(0, 1)"), 2.0)[0] == -np.inf


@pytest.mark.parametrize("formula", ["real ~ x + (x | g)", "real ~ x + (x + I(x**2) | g) + (x || h)"])
def test_change_of_coordinates(formula: str) -> None:
    """p(y) = p(sd) LKJ(corr) |d(sd, corr) / dy|, the Jacobian by differences; up to the constant of the LKJ."""
    priors = {"corr_g": "LKJ(1.7)", "sd_g[x]": "Gamma(2, 0.5)"}
    model = bg.GLMM(formula, cases.data(), priors=priors).problem.canonical
    likelihood = likelihood_of(model.spec, model.design)
    layout = layout_of(likelihood)
    log_prior = LogPrior(layout, model.priors)

    def natural(y: np.ndarray) -> np.ndarray:
        parameters = layout.parameters(layout.from_free(y))
        values = [*parameters.beta, *parameters.auxiliary.values()]
        for block in layout.blocks:
            G = parameters.G(block.group)
            sd = np.sqrt(np.diagonal(G))
            values += [*sd, *((G / np.outer(sd, sd))[np.tril_indices(len(sd), -1)] if block.correlated else ())]
        return np.array(values)

    def entry(k: int) -> Callable[[np.ndarray], float]:
        return lambda y: float(natural(y)[k])

    def expected(y: np.ndarray) -> float:
        parameters = layout.parameters(layout.from_free(y))
        total = sum(
            log_density(model.priors[name], value)[0]
            for name, value in zip(layout.coefficients, parameters.beta, strict=True)
        )
        total += log_density(model.priors["sigma"], parameters.auxiliary["sigma"])[0]
        for block in layout.blocks:
            G = parameters.G(block.group)
            sd = np.sqrt(np.diagonal(G))
            for name, value in zip(block.effects, sd, strict=True):
                total += log_density(model.priors[f"sd_{block.group}[{name}]"], value)[0]
            if block.correlated:
                total += 0.7 * np.linalg.slogdet(G / np.outer(sd, sd))[1]
        jacobian = np.array([differences(entry(k), y) for k in range(len(y))])
        return float(total + np.linalg.slogdet(jacobian)[1])

    rng = np.random.default_rng(4)
    points = 0.7 * rng.normal(size=(4, len(layout.names)))
    gaps = [log_prior(y)[0] - expected(y) for y in points]
    assert_allclose(gaps, gaps[0], atol=1e-7)
    for y in points:
        value, gradient = log_prior(y)
        assert np.isfinite(value)
        assert_allclose(gradient, differences(lambda z: log_prior(z)[0], y), rtol=1e-7, atol=1e-8)


def test_half_student_against_scipy() -> None:
    value, _ = log_density(Prior.parse("HalfStudentT(nu=3, sigma=2.5)"), 1.2)
    assert_allclose(value, np.log(2) + stats.t(3, scale=2.5).logpdf(1.2), rtol=1e-13)
