"""Effects of lognormal responses: in the unit of the response, averaged in closed form, and refused where infinite."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.design import new_predictors
from bayes_glmm.effects import compare, marginal_coefficients, predict, r_squared_nakagawa, response_icc, variance
from bayes_glmm.effects.spread import response_moments
from bayes_glmm.plots.point import readings_of
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec

ROWS = pd.DataFrame({"x": [-1.0, 0.3, 1.5], "w": [0.5, -0.8, 0.0]})
SIGMA = 0.4
G = np.array([[0.09, 0.02], [0.02, 0.04]])
LEVELS = 1_000_000


def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    x = rng.normal(size=60)
    y = np.exp(1.0 + 0.3 * x + 0.4 * rng.normal(size=60))
    return pd.DataFrame({"y": y, "x": x, "w": rng.normal(size=60), "g": np.arange(60) % 10})


def slopes() -> Posterior:
    spec = ModelSpec.from_formula("y ~ x + (x | g)", "lognormal")
    return posterior_at(spec, data(), [1.0, 0.3], {"g": G}, {"sigma": SIGMA})


def by_sigma(term: str) -> Posterior:
    spec = ModelSpec.from_formula(["y ~ x + (1 | g)", f"sigma ~ w{term}"], "lognormal")
    G = np.diag([0.09, 0.05] if term else [0.09])
    return posterior_at(spec, data(), [1.0, 0.3], {"g": G}, further={"sigma": [-0.9, 0.2]})


def simulated(posterior: Posterior) -> tuple[np.ndarray, np.ndarray]:
    """Conditional means of log y, and responses, at each row in new levels [row, level]."""
    rng = np.random.default_rng(3)
    u = rng.normal(size=(LEVELS, 2)) @ np.linalg.cholesky(G).T
    x = ROWS["x"].to_numpy()[:, None]
    mu = 1.0 + 0.3 * x + u[:, 0] + x * u[:, 1]
    return mu, np.exp(mu + SIGMA * rng.normal(size=mu.shape))


def test_means_and_medians_are_those_of_simulated_levels() -> None:
    posterior = slopes()
    mu, y = simulated(posterior)
    found = predict(posterior, ROWS, "integrated").draws.to_numpy().ravel()
    assert (np.abs(found - y.mean(axis=1)) < 5.0 * y.std(axis=1) / np.sqrt(LEVELS)).all()
    medians, error = np.exp(mu).mean(axis=1), np.exp(mu).std(axis=1) / np.sqrt(LEVELS)
    found = predict(posterior, ROWS, "integrated", part="median").draws.to_numpy().ravel()
    assert (np.abs(found - medians) < 5.0 * error).all()
    of_all = predict(posterior, ROWS, "zero", part="median").draws.to_numpy().ravel()
    assert_allclose(np.median(y, axis=1), of_all, rtol=5e-3)  # the median over levels and rows together


def test_means_have_their_closed_form() -> None:
    """Exp(m + V / 2 + sigma^2 / 2), and by sigma ~ w at the sigma of each row."""
    x, w = ROWS["x"].to_numpy(), ROWS["w"].to_numpy()
    V = G[0, 0] + 2 * x * G[0, 1] + x**2 * G[1, 1]
    found = predict(slopes(), ROWS, ("integrated", "zero")).draws.to_numpy().reshape(3, 2)
    assert_allclose(found[:, 0], np.exp(1.0 + 0.3 * x + 0.5 * V + 0.5 * SIGMA**2), rtol=1e-12)
    assert_allclose(found[:, 1], np.exp(1.0 + 0.3 * x + 0.5 * SIGMA**2), rtol=1e-12)
    by_row = predict(by_sigma(""), ROWS, "integrated").draws.to_numpy().ravel()
    assert_allclose(by_row, np.exp(1.0 + 0.3 * x + 0.045 + 0.5 * np.exp(2.0 * (-0.9 + 0.2 * w))), rtol=1e-12)


def test_moments_are_those_of_simulated_levels() -> None:
    posterior = slopes()
    _, y = simulated(posterior)
    mean, total = response_moments(posterior, new_predictors(posterior.design, ROWS), np.arange(1))
    square = (y - mean.T) ** 2
    assert (np.abs(total[0] - square.mean(axis=1)) < 5.0 * square.std(axis=1) / np.sqrt(LEVELS)).all()
    x = ROWS["x"].to_numpy()
    V = G[0, 0] + 2 * x * G[0, 1] + x**2 * G[1, 1] + SIGMA**2
    assert_allclose(total[0], np.exp(2.0 * (1.0 + 0.3 * x) + V) * np.expm1(V), rtol=1e-10)
    assert 0.0 < float(response_icc(posterior).draws.to_numpy()[0, 0, 0]) < 1.0


def test_random_effects_of_sigma_leave_no_mean() -> None:
    """E exp(exp(2 eta) / 2) is infinite; the median, and the mean at u = 0, are there."""
    posterior = by_sigma(" + (1 | g)")
    with pytest.raises(bg.SpecError, match="no average over random effects of sigma") as caught:
        predict(posterior, ROWS, "integrated")
    assert "another part: median." in caught.value.advice
    with pytest.raises(bg.SpecError, match="no average"):
        compare(posterior, "x", random_effects="integrated")
    with pytest.raises(bg.SpecError, match="no average"):
        response_icc(posterior)
    assert np.isfinite(predict(posterior, ROWS, "zero").draws).all()
    assert np.isfinite(predict(posterior, ROWS, "integrated", part="median").draws).all()
    assert readings_of(posterior) == ("zero",)
    assert readings_of(by_sigma("")) == ("integrated", "zero")


def test_coefficients_are_those_of_the_log_of_the_mean() -> None:
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", "lognormal")
    posterior = posterior_at(spec, data(), [1.0, 0.3], {"g": [[0.09]]}, {"sigma": SIGMA})
    found = marginal_coefficients(posterior)
    assert "log scale" in found.description
    assert_allclose(found.draws.to_numpy().ravel(), [1.0, 1.0 + 0.045 + 0.5 * SIGMA**2, 0.3, 0.3], rtol=1e-10)
    on_link = predict(posterior, ROWS, "integrated", scale="link").draws.to_numpy().ravel()
    assert_allclose(on_link, 1.045 + 0.5 * SIGMA**2 + 0.3 * ROWS["x"], rtol=1e-12)
    ratio = compare(posterior, "x", estimands="ratio", random_effects="integrated").draws.to_numpy().ravel()
    assert_allclose(ratio, np.exp(0.3), rtol=1e-10)


def test_shares_of_variance_are_those_of_log_y() -> None:
    """As of a Gaussian model of log y: the ICC, and Nakagawa's R2."""
    frame = data()
    given: dict = {"data": frame.assign(z=np.log(frame["y"])), "beta": [1.0, 0.3], "G": {"g": [[0.09]]}}
    given |= {"auxiliary": {"sigma": SIGMA}}
    both = [
        posterior_at(ModelSpec.from_formula(f"{y} ~ x + (1 | g)", family), **given)
        for y, family in (("y", "lognormal"), ("z", "gaussian"))
    ]
    tables = [variance(one).table for one in both]
    shares = [table.loc[table["quantity"] == "icc", "estimate"].to_numpy() for table in tables]
    assert_allclose(shares[0], shares[1], rtol=1e-12)
    ours, gaussian = (r_squared_nakagawa(one).draws.to_numpy() for one in both)
    assert_allclose(ours, gaussian, rtol=1e-12)
