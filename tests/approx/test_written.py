"""Maximum likelihood is the same wherever zero is: estimates of year are those of z, mapped by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.approx import ApproxFit

MOVE = np.array([[1.0, 2010.0], [0.0, 4.0]])  # year = 2010 + 4 z: of coefficients and effects of year, those of z
METHODS: dict[str, tuple[str, Callable[[bg.GLMM], ApproxFit]]] = {
    "laplace": ("poisson", bg.approx.laplace),
    "laplace, gaussian": ("gaussian", bg.approx.laplace),
    "aghq": ("poisson", lambda model: bg.approx.aghq(model, nodes=5)),
    "pql": ("poisson", bg.approx.pql),
    "em": ("gaussian", lambda model: bg.approx.em(model, nodes=9)),
}


def data(family: str) -> pd.DataFrame:
    rng = np.random.default_rng(12)
    g = np.repeat(np.arange(20), 8)
    z = rng.normal(size=160)
    u = rng.normal(size=(20, 2)) @ np.array([[0.7, 0.2], [0.0, 0.5]])
    eta = 1.0 + 0.4 * z + u[g, 0] + u[g, 1] * z
    y = rng.poisson(np.exp(eta)) if family == "poisson" else eta + rng.normal(size=160)
    return pd.DataFrame({"y": y, "z": z, "year": 2010.0 + 4.0 * z, "g": g})


@cache
def both(method: str) -> tuple[ApproxFit, ApproxFit]:
    """The fit of year, and that of z."""
    family, fit = METHODS[method]
    frame = data(family)
    year, z = (fit(bg.GLMM(f"y ~ {x} + ({x} | g)", frame, family=family)) for x in ("year", "z"))
    assert year.converged
    assert z.converged
    return year, z


@pytest.mark.parametrize("method", METHODS)
def test_estimates(method: str) -> None:
    year, z = both(method)
    assert_allclose(MOVE @ year.beta, z.beta, rtol=1e-4)
    assert_allclose(MOVE @ year.G("g") @ MOVE.T, z.G("g"), rtol=1e-3, atol=1e-4)
    assert year.parameters.auxiliary == pytest.approx(z.parameters.auxiliary, rel=1e-4)
    assert year.design.coefficients == ("Intercept", "year")


@pytest.mark.parametrize("method", METHODS)
def test_log_likelihood(method: str) -> None:
    year, z = both(method)
    np.testing.assert_allclose(year.log_likelihood, z.log_likelihood, rtol=1e-9)  # PQL has none: NaN both times


@pytest.mark.parametrize("method", METHODS)
def test_standard_errors_of_coefficients(method: str) -> None:
    year, z = both(method)
    covariance = MOVE @ year.covariance[year.layout.beta, year.layout.beta] @ MOVE.T
    expected = z.covariance[z.layout.beta, z.layout.beta]
    assert_allclose(covariance, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    assert 4.0 * year.standard_errors[1] == pytest.approx(z.standard_errors[1], rel=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_random_effects(method: str) -> None:
    year, z = both(method)
    assert year.random_effects is not None
    assert z.random_effects is not None
    size = np.abs(z.random_effects.u["g"]).max()
    assert_allclose(year.random_effects.u["g"] @ MOVE.T, z.random_effects.u["g"], atol=1e-3 * size)
    covariance = MOVE @ year.random_effects.covariance["g"] @ MOVE.T
    assert_allclose(covariance, z.random_effects.covariance["g"], rtol=0.01, atol=1e-3 * size**2)


@pytest.mark.parametrize("method", ["laplace", "em"])
def test_simulated_draws_have_the_same_predictors(method: str) -> None:
    """They are drawn in canonical columns with one seed, and carried."""
    predictors = []
    for fit in both(method):
        block = fit.design.block("g")
        u = fit.posterior.u("g")[:, block.index]
        predictors.append(fit.posterior.beta @ fit.design.X.T + (u * block.values).sum(axis=2))
    assert_allclose(predictors[0].mean(axis=0), predictors[1].mean(axis=0), atol=0.02)
    assert_allclose(predictors[0].std(axis=0), predictors[1].std(axis=0), rtol=0.05)


def test_the_posterior_mode_is_one_too() -> None:
    """Default priors are those of the span, at the centre."""
    frame = data("poisson")
    year, z = (
        bg.approx.laplace(bg.GLMM(f"y ~ {x} + ({x} | g)", frame, family="poisson"), target="posterior")
        for x in ("year", "z")
    )
    assert_allclose(MOVE @ year.beta, z.beta, rtol=1e-4)
    assert_allclose(MOVE @ year.G("g") @ MOVE.T, z.G("g"), rtol=1e-3, atol=1e-4)
