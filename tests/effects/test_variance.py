"""Variance parameters, intraclass correlations and R2, against closed forms and simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from bayes_glmm.effects import predict, r_squared, response_icc, response_variance, variance
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.cases import frame, intercepts, logistic


def values(estimates, **where: str) -> np.ndarray:
    """Draws [draw] of the row with these labels."""
    table = estimates.table
    chosen = np.flatnonzero(np.logical_and.reduce([table[name] == value for name, value in where.items()]))
    assert len(chosen) == 1
    return estimates.draws.values.reshape(-1, len(table))[:, chosen[0]]


def test_sds_and_correlations_are_those_of_G():
    posterior = logistic()
    result, G = variance(posterior), logistic().G("g")
    np.testing.assert_allclose(values(result, group="g", quantity="sd", term="x"), np.sqrt(G[:, 1, 1]))
    expected = G[:, 0, 1] / np.sqrt(G[:, 0, 0] * G[:, 1, 1])
    np.testing.assert_allclose(values(result, group="g", quantity="correlation", term="Intercept, x"), expected)
    np.testing.assert_allclose(values(result, group="g", quantity="covariance", term="Intercept, x"), G[:, 0, 1])


def test_effects_that_are_independent_by_design_have_no_correlation():
    spec = ModelSpec.from_formula("y ~ x + (x || g)", family="bernoulli")
    posterior = posterior_at(spec, frame(), [0.0, 1.0], {"g": np.diag([1.0, 0.5])})
    assert set(variance(posterior).table["quantity"]) == {"sd", "variance", "icc", "median odds ratio"}


@pytest.mark.parametrize(("link", "residual"), [("logit", np.pi**2 / 3), ("probit", 1.0), ("cloglog", np.pi**2 / 6)])
def test_the_latent_residual_is_the_variance_of_the_latent_error(link: str, residual: float):
    # P(latent error > -eta) = h(eta): the error's variance by integrating its distribution function h(-t)
    h = intercepts(link).spec.link
    t = np.linspace(-60.0, 60.0, 400_001)
    with np.errstate(over="ignore"):
        density = h.derivative(-t, NUMPY)
    mean = np.trapezoid(t * density, t)
    assert np.trapezoid((t - mean) ** 2 * density, t) == pytest.approx(residual, rel=1e-8)
    posterior = intercepts(link)
    v = posterior.G("g")[:, 0, 0]
    np.testing.assert_allclose(values(variance(posterior), quantity="icc", group="g"), v / (v + residual))


def test_the_gaussian_icc_shares_out_all_variance():
    data = frame().assign(y=np.linspace(-1.0, 1.0, 60))
    spec = ModelSpec.from_formula("y ~ x + (1 | g) + (1 | h)")
    posterior = posterior_at(spec, data, [0.0, 1.0], {"g": [[2.0]], "h": [[1.0]]}, {"sigma": 3.0})
    result = variance(posterior)
    assert values(result, group="g", quantity="icc")[0] == pytest.approx(2 / 12)
    assert values(result, group="residual", quantity="sigma")[0] == 3.0


def test_with_random_slopes_the_icc_takes_the_mean_variance_over_rows():
    posterior = logistic()
    x, G = posterior.design.data["x"].to_numpy(), posterior.G("g")
    v = np.mean(G[:, 0, 0, None] + 2 * G[:, 0, 1, None] * x + G[:, 1, 1, None] * x**2, axis=1)
    expected = v / (v + posterior.G("h")[:, 0, 0] + np.pi**2 / 3)
    np.testing.assert_allclose(values(variance(posterior), group="g", quantity="icc"), expected)


def test_the_median_odds_ratio_is_a_median():
    rng = np.random.default_rng(5)
    gaps = np.abs(rng.normal(0, 1.5, 400_000) - rng.normal(0, 1.5, 400_000))
    spec = ModelSpec.from_formula("y ~ 1 + (1 | g)", family="bernoulli")
    result = values(variance(posterior_at(spec, frame(), [0.0], {"g": [[2.25]]})), quantity="median odds ratio")
    assert result[0] == pytest.approx(np.exp(np.median(gaps)), rel=0.01)


def poisson(variance: float) -> Posterior:
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", family="poisson")
    return posterior_at(spec, frame().assign(y=np.arange(60) % 4), [0.3, 0.4], {"g": [[variance]]})


def test_poisson_counts_are_overdispersed_by_the_lognormal_formula():
    rows = pd.DataFrame({"x": [-1.0, 2.0]})
    for sigma2 in (0.2, 1.5):
        result = response_variance(poisson(sigma2), rows).table
        mean = np.exp(0.3 + 0.4 * rows["x"].to_numpy() + 0.5 * sigma2)
        shared = mean**2 * np.expm1(sigma2)
        for quantity, expected in [
            ("mean", mean),
            ("variance", mean + shared),
            ("dispersion", 1.0 + mean * np.expm1(sigma2)),
            ("correlation", shared / (mean + shared)),
        ]:
            np.testing.assert_allclose(result["estimate"][result["quantity"] == quantity], expected, rtol=1e-10)


def test_binary_responses_have_the_variance_of_their_mean():
    result = response_variance(logistic())
    m = values(result, quantity="mean")
    np.testing.assert_allclose(values(result, quantity="variance"), m * (1 - m), rtol=1e-10)
    np.testing.assert_allclose(values(result, quantity="dispersion"), 1.0, rtol=1e-10)


def test_probit_correlations_within_groups_are_bivariate_normal():
    # P(both 1) = Phi_2(a, a; rho), a = eta / sqrt(1 + v), rho = v_g / (1 + v)
    spec = ModelSpec.from_formula("y ~ x + (1 | g) + (1 | h)", family="bernoulli", link="probit")
    posterior = posterior_at(spec, frame(), [0.2, 0.5], {"g": [[1.5]], "h": [[0.8]]})
    result = response_variance(posterior, pd.DataFrame({"x": [0.6]}))
    a, rho = 0.5 / np.sqrt(3.3), 1.5 / 3.3
    p = special.ndtr(a)
    both = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]]).cdf([a, a])
    expected = (both - p * p) / (p * (1 - p))
    assert values(result, quantity="correlation", group="g")[0] == pytest.approx(expected, rel=1e-6)  # cdf to 1e-8


def test_the_correlation_of_two_responses_by_simulation():
    rng, size = np.random.default_rng(9), 1_000_000
    one = posterior_at(
        ModelSpec.from_formula("y ~ x + (1 | g) + (1 | h)", family="bernoulli"),
        frame(),
        [0.2, 0.5],
        {"g": [[4.0]], "h": [[1.0]]},
    )
    shared = rng.normal(0, 2.0, size)
    y = [rng.random(size) < special.expit(0.5 + shared + rng.normal(0, 1.0, size)) for _ in range(2)]
    result = values(response_variance(one, pd.DataFrame({"x": [0.6]})), quantity="correlation", group="g")[0]
    assert result == pytest.approx(np.corrcoef(y[0], y[1])[0, 1], abs=4 / np.sqrt(size))


def test_the_icc_over_all_rows_is_that_of_simulated_groups():
    # method B of Goldstein, Browne & Rasbash (2002): simulate u, take the variance of p between and p (1 - p) within
    posterior, rng = intercepts("logit"), np.random.default_rng(21)
    found = values(response_icc(posterior), group="g")
    eta = posterior.beta @ posterior.design.X.T
    for d, sd in enumerate(np.sqrt(posterior.G("g")[:, 0, 0])):
        simulated = []
        for _ in range(25):
            p = special.expit(eta[d] + rng.normal(0.0, sd, (4000, 1)))
            between = p.var(axis=0).mean()
            simulated.append(between / (between + (p * (1 - p)).mean()))
        assert abs(found[d] - np.mean(simulated)) < 5 * np.std(simulated) / np.sqrt(25)


def test_the_icc_over_all_rows_of_crossed_factors_and_a_random_slope():
    # two responses of a row that share a group and nothing else: their covariance over the variance
    posterior, rng = logistic(), np.random.default_rng(22)
    found = response_icc(posterior)
    x, eta = posterior.design.data["x"].to_numpy(), posterior.beta @ posterior.design.X.T
    G, H = posterior.G("g"), posterior.G("h")[:, 0, 0]

    def u(d: int, size: int = 4000) -> np.ndarray:
        effects = rng.multivariate_normal([0.0, 0.0], G[d], size)
        return effects[:, :1] + effects[:, 1:] * x

    def v(d: int, size: int = 4000) -> np.ndarray:
        return rng.normal(0.0, np.sqrt(H[d]), (size, 1))

    for d in range(3):
        for group in ("g", "h"):
            simulated = []
            for _ in range(25):
                shared = u(d) if group == "g" else v(d)
                one, two = (special.expit(eta[d] + shared + (v(d) if group == "g" else u(d))) for _ in range(2))
                m = 0.5 * (one + two).mean(axis=0)
                simulated.append((one * two - m**2).mean() / (m * (1 - m)).mean())
            assert abs(values(found, group=group)[d] - np.mean(simulated)) < 5 * np.std(simulated) / np.sqrt(25)


def test_the_icc_over_all_rows_in_closed_form():
    posterior = poisson(0.8)
    m = np.exp(0.3 + 0.4 * posterior.design.data["x"].to_numpy() + 0.4)
    shared = (m**2).mean() * np.expm1(0.8)
    assert values(response_icc(posterior), group="g")[0] == pytest.approx(shared / (m.mean() + shared), rel=1e-10)
    # under the identity link it is the one on the latent scale
    data = frame().assign(y=np.linspace(-1.0, 1.0, 60))
    spec = ModelSpec.from_formula("y ~ x + (1 | g) + (1 | h)")
    line = posterior_at(spec, data, [0.0, 1.0], {"g": [[2.0]], "h": [[1.0]]}, {"sigma": 3.0})
    assert response_icc(line).table["estimate"].tolist() == pytest.approx([2 / 12, 1 / 12], rel=1e-10)


def test_the_icc_of_many_rows_by_table_is_that_of_the_same_rows_one_by_one():
    x = np.random.default_rng(6).normal(size=4000)
    data = pd.DataFrame({"y": np.arange(4000) % 2, "x": x, "g": np.arange(4000) % 7, "h": np.arange(4000) % 5})
    spec = ModelSpec.from_formula("y ~ x + (1 | g) + (1 | h)", family="bernoulli")
    posterior = posterior_at(spec, data, [[0.2, 0.5], [0.1, 0.9]], {"g": [[1.5]], "h": [[0.7]]})
    at_rows = response_variance(posterior, data[:300])
    some = posterior_at(spec, data[:300], [[0.2, 0.5], [0.1, 0.9]], {"g": [[1.5]], "h": [[0.7]]})
    correlation, total = (
        at_rows.draws.values[0][:, (at_rows.table["quantity"] == quantity) & (at_rows.table["group"] == group)]
        for quantity, group in [("correlation", "g"), ("variance", "")]
    )
    expected = (correlation * total).mean(axis=1) / total.mean(axis=1)
    np.testing.assert_allclose(values(response_icc(some), group="g"), expected, rtol=1e-9)
    chunks = [
        posterior_at(spec, data[i : i + 200], [[0.2, 0.5], [0.1, 0.9]], {"g": [[1.5]], "h": [[0.7]]})
        for i in range(0, 4000, 200)
    ]  # too few rows for a table; its weights are the chunks' variances
    between = np.zeros(2)
    whole = np.zeros(2)
    for chunk in chunks:
        m = predict(chunk, chunk.design.data, "integrated").draws.values[0]
        between += values(response_icc(chunk), group="g") * (m * (1 - m)).sum(axis=1)
        whole += (m * (1 - m)).sum(axis=1)
    np.testing.assert_allclose(values(response_icc(posterior), group="g"), between / whole, rtol=1e-9)


def test_r_squared_of_a_gaussian_model_is_the_textbook_ratio():
    rng = np.random.default_rng(4)
    data = frame().assign(y=np.linspace(-1.0, 1.0, 60))
    u = rng.normal(size=(6, 1))
    posterior = posterior_at(
        ModelSpec.from_formula("y ~ x + (1 | g)"), data, [0.0, 1.0], {"g": [[2.0]]}, {"sigma": 1.5}, {"g": u}
    )
    result = r_squared(posterior)
    x = data["x"].to_numpy()
    fitted = x + u[posterior.design.blocks[0].index, 0]
    expected = [np.var(fitted) / (np.var(fitted) + 2.25), np.var(x) / (np.var(x) + 2.0 + 2.25)]
    np.testing.assert_allclose(result.table["estimate"], expected, rtol=1e-10)


def test_r_squared_of_binary_responses():
    posterior = logistic()
    result = r_squared(posterior)
    assert result.draws.shape == (1, 3, 2)
    assert ((result.draws > 0) & (result.draws < 1)).all()
    # for 0/1 the residual variance of the averaged mean is m (1 - m)
    m = predict(posterior, posterior.design.data, "integrated").draws.values[0]
    expected = m.var(axis=1) / (m.var(axis=1) + (m * (1 - m)).mean(axis=1))
    np.testing.assert_allclose(result.draws.values[0, :, 1], expected, rtol=1e-9)
