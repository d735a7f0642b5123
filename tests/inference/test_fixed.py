"""Models without random effects: the compiled posterior, and draws from it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.design import Problem
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.densities.fixed_inputs import fixed_density
from bayes_glmm.likelihood import likelihood_of
from bayes_glmm.likelihood.layout import layout_of
from bayes_glmm.likelihood.priors import LogPrior
from tests.likelihood import cases

FAMILIES = [
    ("gaussian", "identity"), ("student_t", "identity"), ("bernoulli", "probit"), ("binomial", "logit"),
    ("poisson", "log"), ("negative_binomial", "log"), ("gamma", "inverse"), ("beta", "cloglog"),
]  # fmt: skip


def compiled(family: str, link: str) -> tuple[Problem, Density]:
    problem = cases.model(family, "none", link).problem.canonical
    density = fixed_density(problem)
    assert density is not None
    return problem, density


@pytest.mark.parametrize(("family", "response"), [("gaussian", "real"), ("bernoulli", "binary"), ("poisson", "count")])
def test_merged_rows_change_nothing(family: str, response: str) -> None:
    problem = bg.GLMM(f"{response} ~ k", cases.data(), family=family).problem.canonical
    density = fixed_density(problem)
    assert density is not None
    assert len(density.arrays[0]) < len(problem.design.y)
    assert_prior_times_likelihood(problem, density)


@pytest.mark.parametrize(("family", "link"), FAMILIES, ids=["-".join(pair) for pair in FAMILIES])
def test_the_density_is_prior_times_likelihood(family: str, link: str) -> None:
    assert_prior_times_likelihood(*compiled(family, link))


def assert_prior_times_likelihood(problem: Problem, density: Density) -> None:
    """But for one constant, the Jacobian of the coordinates; its gradient is that of its values."""
    likelihood = likelihood_of(problem.spec, problem.design)
    layout, change = layout_of(likelihood), []
    for seed in range(4):
        x = np.random.default_rng(seed).normal(size=len(density.start))
        draw = density.expand(x)
        auxiliary = {name: float(draw[name]) for name in layout.auxiliary}
        free = np.concatenate([draw["beta"], np.log([*auxiliary.values()])])
        rows = likelihood.rows(likelihood.fixed(draw["beta"]), auxiliary, 0).value.sum()
        value, gradient = density(x)
        change.append(value - LogPrior(layout, problem.priors)(free)[0] - rows)
        numerical = [(density(x + step)[0] - density(x - step)[0]) / 2e-5 for step in 1e-5 * np.eye(len(x))]
        np.testing.assert_allclose(gradient, numerical, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(change, change[0], rtol=0, atol=1e-8)


def test_coordinates_are_about_standard_normal() -> None:
    _, density = compiled("gamma", "inverse")
    at_mode, slope = density(density.start)
    np.testing.assert_allclose(slope, 0.0, atol=1e-3)
    for direction in np.eye(len(density.start)):
        fall = at_mode - density(0.1 * direction)[0]
        assert fall == pytest.approx(0.005, rel=0.1)


def test_draws_are_those_of_the_closed_form() -> None:
    """With sigma known, beta is normal; units of a million and a covariate far from 0 change nothing."""
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"x": 2010.0 + rng.normal(size=60)})
    data["y"] = 1e6 * (3.0 + 0.5 * (data["x"] - 2010.0) + rng.normal(size=60))
    priors = {"sigma": f"LogNormal({np.log(1e6)}, 0.0001)", "Intercept": "Normal(0, 1e9)", "x": "Normal(0, 5e5)"}
    model = bg.GLMM("y ~ x", data, priors=priors)
    fit = model.fit(seed=1, progress=False)
    assert fit.posterior.provenance["coordinates"] == "whitened"
    X = np.column_stack([np.ones(60), data["x"]])
    precision = X.T @ X / 1e12 + np.diag([1e-18, 4e-12])
    mean, sd = np.linalg.solve(precision, X.T @ data["y"] / 1e12), np.sqrt(np.diagonal(np.linalg.inv(precision)))
    draws = fit.posterior.beta
    assert np.abs((draws.mean(axis=0) - mean) / sd).max() < 0.1
    np.testing.assert_allclose(draws.std(axis=0), sd, rtol=0.06)


def test_what_has_no_entry_is_left_to_pymc() -> None:
    data = cases.data()
    bounded = bg.GLMM("count ~ x", data, family="poisson", priors={"x": "Uniform(-1, 1)"})
    assert fixed_density(bounded.problem.canonical) is None
    nothing = bg.GLMM("count ~ 0 + offset(x)", data, family="poisson")
    assert fixed_density(nothing.problem.canonical) is None
