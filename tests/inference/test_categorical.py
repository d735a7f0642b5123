"""Categories without an order in every coordinate: the compiled posterior, the PyMC model, and log p with SciPy."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.testing import assert_allclose
from pytensor.compile.mode import Mode
from scipy import special, stats

import bayes_glmm as bg
from bayes_glmm.design import Problem
from bayes_glmm.draws import to_written
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.densities.fixed_inputs import fixed_density
from bayes_glmm.inference.densities.whitened_inputs import whitened_density
from bayes_glmm.inference.whitened import whitened_model
from bayes_glmm.inference.whitening import whitening_for
from tests.inference.jacobian import gaps, of_groups
from tests.model.test_log_density import log_density

PYTHON = Mode(linker="py", optimizer="fast_compile")
STRUCTURES = {
    "intercept": "y ~ x + (1 | g)",
    "correlated": "y ~ x + (1 |i| g)",
    "crossed": "y ~ x + (1 | g) + (1 | h)",
}
GIVEN = {"Intercept": "Normal(0.5, 2)", "beta": "Normal(0.2, 0.7)", "muc.x": "Laplace(0, 0.5)", "sd": "HalfNormal(1.5)"}


@cache
def data() -> pd.DataFrame:
    rng, n = np.random.default_rng(12), 90
    frame = pd.DataFrame({"x": rng.normal(3.0, 1.5, n).round(3), "g": rng.integers(0, 12, n), "h": np.arange(n) % 5})
    etas = np.array([[0.6], [-0.4]]) * (frame["x"].to_numpy() - 3.0) + rng.normal(size=(2, 12))[:, frame["g"]]
    noise = rng.gumbel(size=(3, n))
    return frame.assign(y=np.array(list("abc"))[np.argmax(np.vstack([np.zeros(n), etas]) + noise, axis=0)])


@cache
def problem(formula: str, given: bool = False) -> Problem:
    return bg.GLMM(formula, data(), "categorical", priors=GIVEN if given else None).problem


@cache
def whitened(formula: str) -> Density:
    whitening, why = whitening_for(problem(formula).canonical)
    assert whitening is not None, why
    density = whitened_density(whitening)
    assert density is not None
    return density


def without_groups() -> Density:
    density = fixed_density(problem("y ~ x").canonical)
    assert density is not None
    return density


def moved(canonical: Problem, density: Density, x: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A point as the PyMC model has it, by name, and its coordinates in one vector."""
    draw = density.expand(x)
    values: dict[str, np.ndarray] = {}
    beta = np.array([draw[f"beta_{one.parameter}"] for one in canonical.design.predictors.fixed])
    root = np.linalg.cholesky(np.full((2, 2), 0.5) + 0.5 * np.eye(2))
    for predictor, b in zip(canonical.design.predictors.fixed, np.linalg.solve(root, beta), strict=True):
        values[f"b_{predictor.parameter}"] = b
    flat = [values[f"b_{one.parameter}"] for one in canonical.design.predictors.fixed]
    of_random, flat_random = of_groups(canonical.design, draw)
    return values | of_random, np.concatenate([*flat, *flat_random])


@pytest.mark.parametrize("name", ["intercept", "correlated", pytest.param("crossed", marks=pytest.mark.slow)])
def test_whitened_density_is_the_plain_models_and_the_jacobian(name: str) -> None:
    formula = STRUCTURES[name]
    found = gaps(moved, problem(formula).canonical, whitened(formula))
    assert_allclose(found, 0.0, atol=1e-8 * 150.0)  # of values of order 150


def test_density_without_groups_is_the_plain_models_and_the_jacobian() -> None:
    found = gaps(moved, problem("y ~ x").canonical, without_groups())
    assert_allclose(found, found[0], atol=1e-8)  # a constant, of the linear map, is left out


@pytest.mark.parametrize("name", ["intercept", "correlated", None])
def test_gradients_are_those_of_the_values(name: str | None) -> None:
    density = whitened(STRUCTURES[name]) if name else without_groups()
    x = density.start + 0.2 * np.random.default_rng(7).normal(size=len(density.start))
    numerical = [(density(x + along)[0] - density(x - along)[0]) / 2e-5 for along in 1e-5 * np.eye(len(x))]
    # values of order 100 err by 1e-14, their differences by 1e-9
    assert_allclose(density(x)[1], numerical, rtol=1e-6, atol=3e-7)


def test_the_whitened_pymc_model_has_the_prior_of_contrasts() -> None:
    """The potential of the coefficients, against SciPy's multivariate normal in canonical columns."""
    canonical = problem(STRUCTURES["intercept"]).canonical
    whitening, _ = whitening_for(canonical)
    assert whitening is not None
    white = whitened_model(whitening)
    (potential,) = [each for each in white.potentials if each.name == "log_prior_beta"]
    point = {name: np.full(np.shape(value), 0.1) for name, value in white.initial_point().items()}
    outputs = white.replace_rvs_by_values([potential, white["beta_mub"], white["beta_muc"]])
    value, *betas = white.compile_fn(outputs, inputs=white.value_vars, mode=PYTHON, on_unused_input="ignore")(point)
    counts = data()["y"].value_counts()
    mean = [np.log(counts["b"] / counts["a"]), 0.0, np.log(counts["c"] / counts["a"]), 0.0]
    V = 2.5**2 * np.kron([[1.0, 0.5], [0.5, 1.0]], np.eye(2))
    assert value == pytest.approx(stats.multivariate_normal(mean, V).logpdf(np.concatenate(betas)), rel=1e-10)


def test_draws_in_plain_coordinates_lose_what_coefficients_are_mixed_of() -> None:
    made = problem("y ~ x")
    values = {f"{kind}_mu{label}": np.ones((1, 5, 2)) for kind in ("b", "beta") for label in "bc"}
    names = {"b": "canonical", "beta": "coefficient"}
    drawn = xr.Dataset({name: (("chain", "draw", f"{names[name[:-4]]}_{name[-3:]}"), values[name]) for name in values})
    assert set(to_written(drawn, made.priors.canonical, made.design).data_vars) == {"beta_mub", "beta_muc"}


def by_hand(beta: np.ndarray, u: np.ndarray) -> float:
    """Log likelihood at coefficients [predictor, coefficient] and effects [level, predictor], by SciPy's softmax."""
    frame = data()
    etas = beta[:, :1] + beta[:, 1:] * frame["x"].to_numpy() + u.T[:, frame["g"]]
    shares = special.log_softmax(np.vstack([np.zeros(len(frame)), etas]), axis=0)
    return float(shares[frame["y"].map({"a": 0, "b": 1, "c": 2}), np.arange(len(frame))].sum())


def test_the_pymc_model_with_given_priors_is_scipys() -> None:
    """Priors hold for what is written, at x = 0; those of one category before those of all."""
    model, rng = bg.GLMM(STRUCTURES["intercept"], data(), "categorical", priors=GIVEN).pymc, np.random.default_rng(1)
    priors: list[list[Any]] = [
        [stats.norm(0.5, 2.0), stats.norm(0.2, 0.7)],
        [stats.norm(0.5, 2.0), stats.laplace(0.0, 0.5)],
    ]
    for _ in range(3):
        beta, sd, z = rng.normal(0.2, 0.6, (2, 2)), rng.uniform(0.3, 1.0, 2), rng.normal(size=(12, 2))
        values: dict[str, object] = {"sd_g": sd, "z_g": z}
        for name, one in zip(("mub", "muc"), beta, strict=True):
            values |= {f"{kind}_{name}": one for kind in ("b", "beta")}
            values |= {f"beta_{name}[Intercept]": one[0], f"beta_{name}[x]": one[1]}
        expected = by_hand(beta, sd * z) + stats.norm.logpdf(z).sum() + stats.halfnorm(scale=1.5).logpdf(sd).sum()
        expected += sum(prior.logpdf(value) for row, of in zip(beta, priors, strict=True)
                        for value, prior in zip(row, of, strict=True))  # fmt: skip
        found = log_density(model, {one.name: values[one.name] for one in model.free_RVs})
        assert found == pytest.approx(expected, rel=1e-10)


def test_the_default_prior_is_about_the_log_odds_at_the_mean_of_x() -> None:
    """Prior draws: at the centre log(n_k / n_1) and an sd of 2.5; slopes about 0 with 2.5 / sd(x)."""
    frame, size = data(), 4_000
    sampled = bg.GLMM("y ~ x", frame, "categorical").prior_predictive(draws=size, seed=3)
    drawn = sampled["prior"]
    counts = frame["y"].value_counts()
    for label in "bc":
        beta = drawn[f"beta_mu{label}"].to_numpy()[0]
        at_centre = beta[:, 0] + beta[:, 1] * frame["x"].mean()
        middle = np.log(counts[label] / counts["a"])
        assert abs(at_centre.mean() - middle) < 5.0 * 2.5 / np.sqrt(size)
        assert at_centre.std() == pytest.approx(2.5, rel=0.06)
        assert beta[:, 1].std() == pytest.approx(2.5 / frame["x"].std(ddof=0), rel=0.06)
    assert set(np.unique(sampled["prior_predictive"]["y"].to_numpy())) == {1, 2, 3}


def test_the_maximum_of_the_posterior_is_the_shares_where_there_is_nothing_else() -> None:
    """Without predictors and under flat priors the intercepts are log odds of the shares against the first."""
    fit = bg.approx.laplace(bg.GLMM("y ~ 1", data(), "categorical", priors={"Intercept": "Flat()"}), "posterior")
    shares = data()["y"].value_counts(normalize=True)
    expected = [np.log(shares[label] / shares["a"]) for label in "bc"]
    assert_allclose(fit.coefficients_with_errors["estimate"], expected, atol=1e-6)
