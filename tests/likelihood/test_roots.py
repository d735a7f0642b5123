"""Coordinates of roots by one correlation: Laplace equals dense algebra, gradients equal differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import bayes_glmm as bg
from bayes_glmm.likelihood import Likelihood, Parameters, likelihood_of
from bayes_glmm.likelihood.laplace import laplace_log_likelihood
from bayes_glmm.likelihood.layout import Layout, layout_of
from bayes_glmm.likelihood.priors import LogPrior
from bayes_glmm.numerics.differences import jacobian

FORMULAS = {
    "cs": "y ~ x + cs(0 + f | g)",
    "homcs": "y ~ x + (1 | g) + homcs(0 + f | g)",
    "ar1": "y ~ x + ar1(0 + C(t) | g) + (x | h)",
    "hetar1": "y ~ x + hetar1(0 + C(t) | g)",
    "ou": "y ~ x + ou(0 + C(late) | g) + (1 | h)",
}
EACH = pytest.mark.parametrize("name", FORMULAS)


def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    t, g, h = np.tile(np.arange(4), 20), np.repeat(np.arange(10), 8), rng.integers(0, 5, 80)
    frame = pd.DataFrame({"x": rng.normal(size=80), "t": t, "f": np.array(list("abcd"))[t], "g": g, "h": h})
    return frame.assign(late=np.array([1.0, 1.5, 4.0, 9.0])[t], y=rng.normal(size=80) + rng.normal(size=10)[g])


def made(name: str) -> tuple[bg.GLMM, Likelihood, Layout, np.ndarray]:
    model = bg.GLMM(FORMULAS[name], data())
    likelihood = likelihood_of(model.spec, model.design)
    layout = layout_of(likelihood)
    y = 0.4 * np.random.default_rng(1).normal(size=len(layout.names))
    return model, likelihood, layout, y


@EACH
def test_the_likelihood_is_that_of_one_normal_vector(name: str) -> None:
    model, likelihood, layout, y = made(name)
    at = layout.parameters(layout.from_free(y))
    design = model.design
    V = at.auxiliary["sigma"] ** 2 * np.eye(len(design.y))
    for block in design.blocks:
        same = block.index[:, None] == block.index[None, :]
        V += same * (block.values @ at.G(block.group) @ block.values.T)
    expected = stats.multivariate_normal.logpdf(design.y, design.X @ at.beta, V)
    assert laplace_log_likelihood(likelihood, at, None).value == pytest.approx(expected, rel=1e-11)


@EACH
def test_gradients_are_those_of_differences(name: str) -> None:
    model, likelihood, layout, y = made(name)

    def value(y: np.ndarray) -> np.ndarray:
        at = layout.parameters(layout.from_free(y))
        return np.array([laplace_log_likelihood(likelihood, at, None).value])

    at = layout.parameters(layout.from_free(y))
    found = layout.pulled_back(y, layout.gradient(laplace_log_likelihood(likelihood, at, None).gradient, at))
    assert_allclose(found, jacobian(value, y, 1e-5)[0], rtol=1e-6, atol=1e-6)
    prior = LogPrior(layout, model.priors)
    assert_allclose(prior(y)[1], jacobian(lambda y: np.array([prior(y)[0]]), y, 1e-5)[0], rtol=1e-6, atol=1e-6)


@EACH
def test_vectors_and_parameters_are_two_forms_of_one_thing(name: str) -> None:
    _, _, layout, y = made(name)
    assert_allclose(layout.to_free(layout.from_free(y)), y, atol=1e-12)
    x = layout.from_free(y)
    assert_allclose(layout.vector(layout.parameters(x)), x, atol=1e-9)
    sds = np.concatenate([np.sqrt(np.diagonal(layout.parameters(x).G(block.group))) for block in layout.blocks])
    assert_allclose(np.exp(y[list(layout.sds)]), sds)
    free = layout.log_sds(y, np.eye(len(y)), free=True)
    assert_allclose(free, np.column_stack([np.log(sds), np.ones(len(sds))]), atol=1e-12)


def test_the_prior_of_the_correlation_of_two_effects_is_lkj() -> None:
    frame = data().assign(two=lambda d: np.where(d["t"] < 2, "a", "b"))
    gaps = []
    for rho in (-0.9, -0.2, 0.5, 0.97):
        densities = []
        for name in ("", "cs", "hetar1"):
            model = bg.GLMM(f"y ~ x + {name}(0 + two | g)", frame, priors={"corr": "LKJ(1.6)"})
            layout = layout_of(likelihood_of(model.spec, model.design))
            L = np.linalg.cholesky([[0.49, 0.7 * 1.3 * rho], [0.7 * 1.3 * rho, 1.69]])
            y = layout.to_free(layout.vector(Parameters(np.zeros(2), {"g": L}, {"sigma": 1.0})))
            # densities over rho itself: y has the ratio rho / sqrt(1 - rho^2), or the logit of (1 + rho) / 2
            slope = (1 - rho**2) ** -1.5 if not name else 2.0 / (1 - rho**2)
            densities.append(LogPrior(layout, model.priors)(y)[0] + np.log(slope))
        gaps.append(np.diff(densities))
    assert_allclose(gaps, gaps[:1] * len(gaps), atol=1e-10)  # the constants of LKJ and Beta are left out
