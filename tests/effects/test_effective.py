"""The trace of the hat matrix against the sensitivity of fitted values, and at its limits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import bayes_glmm as bg
from bayes_glmm.effects import effective_parameters
from bayes_glmm.posterior import posterior_at


def made_up(rows: int = 40, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    return pd.DataFrame(
        {"y": 1 + x + rng.normal(size=rows), "c": rng.poisson(np.exp(0.5 + 0.4 * x)), "x": x, "g": np.arange(rows) % 6}
    )


def penalised_mode(spec: bg.ModelSpec, data: pd.DataFrame, G: np.ndarray, phi: float) -> np.ndarray:
    """(beta, u) that maximise the Poisson or Gaussian log density plus the log prior of u, by a general optimiser."""
    X = np.column_stack([np.ones(len(data)), data["x"]])
    Z = X[:, : len(G)]
    g, d, precision = data["g"].to_numpy(), len(G), np.linalg.inv(G)
    y = data[spec.formula.response].to_numpy(float)

    def objective(v: np.ndarray) -> float:
        u = v[2:].reshape(6, d)
        eta = X @ v[:2] + (Z * u[g]).sum(axis=1)
        fit = np.sum(np.exp(eta) - y * eta) if spec.family_name == "poisson" else 0.5 * np.sum((y - eta) ** 2) / phi**2
        return fit + 0.5 * np.einsum("jk,kl,jl->", u, precision, u)

    return optimize.minimize(objective, np.zeros(2 + 6 * d), method="BFGS", options={"gtol": 1e-7}).x


@pytest.mark.parametrize("effects", ["1", "x"])
def test_gaussian_trace_is_the_sum_of_sensitivities_of_fitted_values(effects):
    data, sigma = made_up(), 0.8
    spec = bg.ModelSpec.from_formula(f"y ~ x + ({effects} | g)")
    G = np.array([[0.5, 0.1], [0.1, 0.3]])[: 1 + (effects == "x"), : 1 + (effects == "x")]
    posterior = posterior_at(spec, data, [1.0, 1.0], {"g": G}, {"sigma": sigma})
    X = np.column_stack([np.ones(40), data["x"]])
    Z = X[:, : len(G)]

    def fitted(y: np.ndarray) -> np.ndarray:
        v = penalised_mode(spec, data.assign(y=y), G, sigma)
        return X @ v[:2] + (Z * v[2:].reshape(6, -1)[data["g"]]).sum(axis=1)

    y = data["y"].to_numpy()
    base = fitted(y)
    slopes = [(fitted(y + np.eye(40)[i])[i] - base[i]) for i in range(40)]  # the fit is linear in y
    assert effective_parameters(posterior) == pytest.approx(sum(slopes), rel=1e-4)


def test_poisson_trace_is_the_curvature_of_the_likelihood_over_that_of_the_posterior():
    data, G = made_up(), np.array([[0.6]])
    spec = bg.ModelSpec.from_formula("c ~ x + (1 | g)", "poisson")
    mode = penalised_mode(spec, data, G, 1.0)
    posterior = posterior_at(spec, data, mode[:2], {"g": G}, u={"g": mode[2:, None]})
    T = np.column_stack([np.ones(40), data["x"], np.eye(6)[data["g"]]])
    H = T.T @ (np.exp(T @ mode)[:, None] * T)
    expected = np.trace(np.linalg.inv(H + np.diag([0, 0] + [1 / 0.6] * 6)) @ H)
    assert effective_parameters(posterior) == pytest.approx(expected, rel=1e-8)


def test_it_runs_from_the_fixed_effects_to_all_effects():
    spec = bg.ModelSpec.from_formula("y ~ x + (1 | g)")
    data = made_up()
    none, all_of_them = (posterior_at(spec, data, [1.0, 1.0], {"g": [[v]]}, {"sigma": 1.0}) for v in (1e-9, 1e9))
    assert effective_parameters(none) == pytest.approx(2.0, abs=1e-6)
    assert effective_parameters(all_of_them) == pytest.approx(7.0, abs=1e-6)  # six levels, one of them the intercept


def test_directions_without_variance_are_not_free():
    spec, data = bg.ModelSpec.from_formula("y ~ x + (x | g)"), made_up()
    g = np.array([1.0, 0.5])
    singular, close = (
        posterior_at(spec, data, [1.0, 1.0], {"g": np.outer(g, g) + e * np.eye(2)}, {"sigma": 1.0}) for e in (0, 1e-10)
    )
    assert effective_parameters(close) == pytest.approx(effective_parameters(singular), abs=1e-6)
    nothing = posterior_at(spec, data, [1.0, 1.0], {"g": np.zeros((2, 2))}, {"sigma": 1.0})
    assert effective_parameters(nothing) == pytest.approx(2.0, abs=1e-12)


def test_too_many_effects_are_refused():
    data = pd.DataFrame({"y": np.random.default_rng(1).normal(size=6_100), "g": np.arange(6_100)})
    posterior = posterior_at(bg.ModelSpec.from_formula("y ~ (1 | g)"), data, [0.0], {"g": [[1.0]]}, {"sigma": 1.0})
    with pytest.raises(bg.DataError, match=r"loo_by_row"):
        effective_parameters(posterior)
