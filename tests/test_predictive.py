"""The data's own rows under made-up draws, against dense matrices and SciPy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from bayes_glmm.design import new_predictors
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.predictive import (
    conditional_predictor,
    fixed_predictor,
    log_likelihood,
    log_likelihood_chunks,
    replicate,
    spread_draws,
)
from bayes_glmm.spec import ModelSpec

DRAWS, ROWS = 9, 50


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    return pd.DataFrame(
        {
            "k": rng.integers(0, 6, ROWS),
            "n": rng.integers(6, 9, ROWS),
            "x": rng.normal(size=ROWS),
            "t": rng.uniform(1.0, 2.0, ROWS),
            "g": rng.permutation(np.arange(ROWS) % 5),
            "h": rng.permutation(np.array(list("uvw"))[np.arange(ROWS) % 3]),
        }
    )


@pytest.fixture(scope="module")
def posterior(data: pd.DataFrame) -> Posterior:
    rng = np.random.default_rng(12)
    spec = ModelSpec.from_formula("p(k, n) ~ x + offset(log(t)) + (x | g) + (1 | h)", "binomial")
    u = {"g": rng.normal(size=(DRAWS, 5, 2)), "h": rng.normal(size=(DRAWS, 3, 1))}
    beta = rng.normal(size=(DRAWS, 2))
    return posterior_at(spec, data, beta, {"g": np.eye(2), "h": np.eye(1)}, u=u)


def _dense_eta(posterior: Posterior, data: pd.DataFrame) -> np.ndarray:
    """Offset + X beta + Z u with X and Z written out, from the data and not from the design."""
    X = np.column_stack([np.ones(ROWS), data.x])
    in_g = np.column_stack([data.g == level for level in range(5)]).astype(float)
    in_h = np.column_stack([data.h == level for level in "uvw"]).astype(float)
    Z = np.column_stack([in_g, in_g * data.x.to_numpy()[:, None], in_h])
    u_g, u_h = posterior.u("g"), posterior.u("h")
    u = np.column_stack([u_g[:, :, 0], u_g[:, :, 1], u_h[:, :, 0]])
    return np.log(data.t.to_numpy()) + posterior.beta @ X.T + u @ Z.T


def test_the_predictor_is_that_of_a_dense_Z(posterior: Posterior, data: pd.DataFrame) -> None:
    expected = _dense_eta(posterior, data)
    np.testing.assert_allclose(conditional_predictor(posterior), expected, rtol=1e-12, atol=1e-12)
    some = np.array([4, 0])
    np.testing.assert_allclose(conditional_predictor(posterior, draws=some), expected[some], rtol=1e-12, atol=1e-12)
    rows = data.iloc[[7, 3, 3]]
    new = new_predictors(posterior.design, rows, known_groups=True)
    np.testing.assert_allclose(conditional_predictor(posterior, new), expected[:, [7, 3, 3]], rtol=1e-12, atol=1e-12)


def test_the_fixed_predictor_leaves_u_out(posterior: Posterior, data: pd.DataFrame) -> None:
    expected = np.log(data.t.to_numpy()) + posterior.beta[:, :1] + posterior.beta[:, 1:] * data.x.to_numpy()
    np.testing.assert_allclose(fixed_predictor(posterior, posterior.design.predictors), expected, rtol=1e-12)


def test_log_likelihood_is_scipys(posterior: Posterior, data: pd.DataFrame) -> None:
    expected = stats.binom.logpmf(data.k, data.n, special.expit(_dense_eta(posterior, data)))
    found = log_likelihood(posterior)
    assert found.dims == ("chain", "draw", "row")
    np.testing.assert_allclose(found.values[0], expected, rtol=1e-10)


def test_chunks_join_to_the_whole(posterior: Posterior, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = log_likelihood(posterior).values[0]
    monkeypatch.setattr("bayes_glmm.predictive.CHUNK_BYTES", 4 * 8 * ROWS)
    chunks = list(log_likelihood_chunks(posterior))
    assert [len(chunk) for chunk in chunks] == [4, 4, 1]
    # the order of sums in a matrix product depends on its size
    np.testing.assert_allclose(np.concatenate(chunks), whole, rtol=1e-13)


@pytest.mark.parametrize(
    ("family", "auxiliary", "moments"),
    [
        ("gaussian", {"sigma": 1.5}, lambda eta: (eta, 1.5**2 + 0 * eta)),
        ("gamma", {"phi": 3.0}, lambda eta: (np.exp(eta), np.exp(2 * eta) / 3.0)),
        ("negative_binomial", {"phi": 3.0}, lambda eta: (np.exp(eta), np.exp(eta) + np.exp(2 * eta) / 3.0)),
        ("bernoulli", {}, lambda eta: (special.expit(eta), special.expit(eta) * special.expit(-eta))),
    ],
)
def test_replicates_have_the_mean_and_variance_of_each_row(data: pd.DataFrame, family, auxiliary, moments) -> None:
    y = {"gamma": data.t, "bernoulli": data.k % 2}.get(family, data.k)
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", family, None if family != "gamma" else "log")
    u = np.linspace(-0.8, 0.8, 5)[:, None]
    size = 20_000
    beta = np.broadcast_to([0.3, 0.4], (size, 2))
    posterior = posterior_at(spec, data.assign(y=y), beta, {"g": np.eye(1)}, auxiliary, {"g": u})
    draws = replicate(posterior, size, seed=1)
    mean, variance = moments(0.3 + 0.4 * data.x.to_numpy() + u[data.g.to_numpy(), 0])
    centred = draws - mean
    # 50 rows: 5 Monte Carlo standard errors
    assert (np.abs(centred.mean(axis=0)) <= 5 * np.sqrt(variance / size)).all()
    assert (np.abs((centred**2).mean(axis=0) - variance) <= 5 * (centred**2).std(axis=0) / np.sqrt(size)).all()


def test_replicates_follow_the_seed_and_the_trials(posterior: Posterior, data: pd.DataFrame) -> None:
    first, again, other = (replicate(posterior, DRAWS, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.shape == (DRAWS, ROWS)
    assert (first >= 0).all()
    assert (first <= data.n.to_numpy()).all()
    assert replicate(posterior, 4, seed=1).shape == (4, ROWS)


@pytest.mark.parametrize(("wanted", "expected"), [(1, [0]), (3, [0, 4, 8]), (9, list(range(9))), (99, list(range(9)))])
def test_chosen_draws_are_spread_over_all(posterior: Posterior, wanted: int, expected: list[int]) -> None:
    assert spread_draws(posterior, wanted).tolist() == expected
