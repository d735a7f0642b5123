"""Censored and truncated models: published and closed maxima, invariances, exact posteriors, calibration."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, stats

import bayes_glmm as bg
from bayes_glmm.datasets import leukaemia
from bayes_glmm.diagnostics.residuals import left_out
from bayes_glmm.diagnostics.survival import kaplan_meier
from bayes_glmm.likelihood import likelihood_of
from bayes_glmm.predictive import log_likelihood
from tests.statistical.test_exact_posteriors import MEAN_WITHIN, SD_RATIO


def density(formula: str, data: pd.DataFrame, family: str, eta: float = 0.3) -> np.ndarray:
    """Log densities of rows at one linear predictor and constants of 1.2."""
    model = bg.GLMM(formula, data, family)
    of = likelihood_of(model.spec, model.design)
    constants = dict.fromkeys(model.spec.auxiliary, 1.2)
    return of.jet(np.full(len(model.design.y), eta), constants, 1).value


def test_exponential_rates_are_events_by_time() -> None:
    """Freireich et al. (1963): 21 relapses in 182 weeks, 9 in 359."""
    fit = bg.approx.laplace(bg.GLMM("weeks | cens(censored) ~ 0 + treatment", leukaemia(), "exponential"))
    assert_allclose(fit.beta, np.log([182 / 21, 359 / 9]), atol=1e-6)


def test_weibull_regression_is_the_published_one() -> None:
    """Kleinbaum & Klein (2012), Survival Analysis, chapter 7: accelerated failure times, Stata's streg."""
    fit = bg.approx.laplace(bg.GLMM("weeks | cens(censored) ~ treatment", leukaemia(), "weibull"))
    shape = fit.parameters.auxiliary["shape"]
    assert fit.beta[1] == pytest.approx(1.267335, abs=2e-6)
    assert shape == pytest.approx(1.365758, abs=2e-6)


def test_a_frailty_of_litters_is_that_of_other_code(shared: Path) -> None:
    """Rats of Mantel et al. (1977) in R: adaptive quadrature written apart, Weibull by its mean."""
    table = pd.read_csv(shared / "data" / "rats_female.csv")
    reference = json.loads((shared / "reference" / "reference_families.json").read_text(encoding="utf-8"))
    theirs = reference["rats_female"]["computed"][0]["fits"][0]
    data = table.assign(censored=1 - table["status"], litter=table["litter"].astype(str))
    found = bg.approx.aghq(bg.GLMM("time | cens(censored) ~ rx + (1 | litter)", data, "weibull"), nodes=35)
    assert found.log_likelihood == pytest.approx(theirs["loglik"], abs=1e-6)
    assert_allclose(found.beta, list(theirs["brms_weibull_mu_coefficients"].values()), atol=1e-6)
    assert found.parameters.L["litter"].item() == pytest.approx(theirs["aft_sd_ranef"], abs=1e-6)
    assert found.parameters.auxiliary["shape"] == pytest.approx(theirs["shape"], abs=1e-6)


@pytest.mark.parametrize("family", ["lognormal", "weibull"])
def test_survival_regressions_are_maxima_found_without_us(family: str) -> None:
    data = leukaemia()
    x, t, seen = data["treatment"] == "6-MP", data["weeks"].to_numpy(float), data["censored"] == "none"

    def negative(theta: np.ndarray) -> float:
        a, b, log_scale = theta
        if family == "lognormal":
            of = stats.lognorm(np.exp(log_scale), scale=np.exp(a + b * x))
        else:
            from scipy.special import gamma

            of = stats.weibull_min(np.exp(log_scale), scale=np.exp(a + b * x) / gamma(1 + np.exp(-log_scale)))
        return -float(np.where(seen, of.logpdf(t), of.logsf(t)).sum())

    best = optimize.minimize(negative, [2.0, 1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    fit = bg.approx.laplace(bg.GLMM("weeks | cens(censored) ~ treatment", data, family))
    assert fit.log_likelihood == pytest.approx(-best.fun, abs=1e-8)
    assert_allclose(fit.beta, best.x[:2], atol=1e-5)


@cache
def tobit() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    x = rng.normal(size=200)
    latent = 0.5 + 1.2 * x + rng.normal(size=200)
    return pd.DataFrame({"x": x, "y": np.maximum(latent, 0.0), "c": np.where(latent < 0.0, "left", "none")})


def test_tobit_is_the_maximum_found_without_us() -> None:
    data = tobit()

    def negative(theta: np.ndarray) -> float:
        mean, sigma = theta[0] + theta[1] * data["x"], np.exp(theta[2])
        seen = stats.norm.logpdf(data["y"], mean, sigma)
        return -float(np.where(data["c"] == "none", seen, stats.norm.logcdf(data["y"], mean, sigma)).sum())

    best = optimize.minimize(negative, [0.0, 0.0, 0.0], method="BFGS")
    fit = bg.approx.laplace(bg.GLMM("y | cens(c) ~ x", data))
    assert fit.log_likelihood == pytest.approx(-best.fun, abs=1e-7)
    assert_allclose(fit.beta, best.x[:2], atol=1e-4)


def test_zero_truncated_counts_have_the_mean_of_the_maximum() -> None:
    """The maximum solves mu / (1 - exp(-mu)) = mean of y (Johnson, Kemp & Kotz 2005, 4.10.1)."""
    y = np.array([1, 1, 2, 1, 3, 1, 2, 5, 1, 2])
    mu = optimize.brentq(lambda mu: mu / -np.expm1(-mu) - y.mean(), 1e-3, 9.0, xtol=1e-14)
    fit = bg.approx.laplace(bg.GLMM("y | trunc(lb=1) ~ 1", pd.DataFrame({"y": y}), "poisson"))
    assert fit.beta[0] == pytest.approx(np.log(mu), abs=1e-7)


def test_rows_without_limits_are_the_plain_model_to_the_bit() -> None:
    data = tobit().assign(y=lambda d: d["y"] + 0.1, none="none", t=lambda d: np.exp(d["y"]))
    for plain, limited, family in (
        ("y ~ x", "y | cens(none) ~ x", "gaussian"),
        ("t ~ x", "t | cens(none) + trunc(lb=0) ~ x", "weibull"),
    ):
        assert_array_equal(density(plain, data, family), density(limited, data, family))
        one, other = (bg.GLMM(formula, data, family) for formula in (plain, limited))
        assert one.priors.entries == other.priors.entries


def test_bounds_beyond_all_responses_leave_the_density() -> None:
    data = tobit()
    assert_allclose(
        density("y | trunc(lb=-60, ub=80) ~ x", data, "gaussian"), density("y ~ x", data, "gaussian"), atol=1e-13
    )


def test_a_density_is_split_by_where_the_response_lies() -> None:
    """P(Y <= a) + P(a < Y <= b) + P(Y > b) = 1, among responses within bounds too."""
    data = pd.DataFrame({"y": [1.0, 1.0, 2.5], "y2": [0.0, 2.5, 0.0], "c": ["left", "interval", "right"]})
    for family in ("gaussian", "weibull", "lognormal", "exponential"):
        for bounds in ("", " + trunc(lb=0.2, ub=9)"):
            parts = density(f"y | cens(c, y2){bounds} ~ 1", data, family)
            assert np.exp(parts).sum() == pytest.approx(1.0, abs=1e-13)


@pytest.mark.parametrize("family", ["weibull", "exponential", "lognormal", "gaussian"])
def test_another_unit_moves_the_predictor_alone(family: str) -> None:
    data = leukaemia().assign(days=lambda d: 7.0 * d["weeks"])
    fits = [bg.approx.laplace(bg.GLMM(f"{y} | cens(censored) ~ treatment", data, family)) for y in ("weeks", "days")]
    first, second = (fit.beta for fit in fits)
    expected = 7.0 * first if family == "gaussian" else first + np.log([7.0, 1.0])
    assert_allclose(second, expected, rtol=1e-5, atol=1e-6)


def test_quadrature_integrates_groups_of_censored_rows() -> None:
    """Against the integral by a fine grid, written with SciPy."""
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(12), 6)
    times = np.exp(1.0 + 0.7 * rng.normal(size=12)[g]) * rng.exponential(size=72)
    data = pd.DataFrame({"g": g, "t": np.minimum(times, 4.0), "c": times > 4.0})
    model = bg.GLMM("t | cens(c) ~ 1 + (1 | g)", data, "exponential")
    fit = bg.approx.aghq(model, nodes=25)
    u = np.linspace(-9.0, 9.0, 2001)
    sd, eta = fit.sd("g")[0], fit.beta[0] + fit.sd("g")[0] * u[:, None]
    rows = -data["t"].to_numpy() * np.exp(-eta) - np.where(data["c"], 0.0, eta)
    by_group = np.add.reduceat(rows, np.arange(0, 72, 6), axis=1)
    integrals = np.exp(by_group) * stats.norm.pdf(u)[:, None] * (u[1] - u[0])
    assert sd > 0.2
    assert fit.log_likelihood == pytest.approx(np.log(integrals.sum(axis=0)).sum(), abs=1e-7)


@pytest.mark.parametrize("method", [bg.approx.pql, bg.approx.gee])
def test_approximations_that_need_values_refuse_in_words(method: object) -> None:
    data = leukaemia().assign(g=np.arange(42) % 7)
    model = bg.GLMM("weeks | cens(censored) ~ 1 + (1 | g)", data, "exponential")
    with pytest.raises(bg.errors.SpecError, match=r"values are known|takes no|family"):
        method(model)  # type: ignore[operator]


def test_kaplan_meier_is_the_published_curve() -> None:
    """Cox & Oakes (1984), Analysis of Survival Data, table 1.1 and section 4.2: patients under 6-MP."""
    data = leukaemia().query("treatment == '6-MP'")
    y, seen = data["weeks"].to_numpy(float), (data["censored"] == "none").to_numpy()
    found = kaplan_meier(y, seen, np.array([5.0, 6.0, 7.0, 10.0, 13.0, 16.0, 22.0, 23.0, 40.0]))
    assert_allclose(found, [1.0, 0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448, 0.448], atol=5e-4)
    twice = kaplan_meier(np.stack([y, y[::-1]]), np.stack([seen, seen[::-1]]), np.array([10.0]))
    assert_allclose(twice, 0.752941, atol=1e-6)


@pytest.fixture(scope="module")
def exponential() -> bg.Fit:
    """One exponential rate with a flat-enough prior: its posterior is a Gamma distribution by a change of variable."""
    data = leukaemia().query("treatment == '6-MP'").reset_index(drop=True)
    priors = {"Intercept": "Normal(3, 1)"}
    return bg.GLMM("weeks | cens(censored) ~ 1", data, "exponential", priors=priors).fit(seed=3, progress=False)


@pytest.mark.slow
def test_the_posterior_of_a_censored_exponential_is_the_exact_one(exponential: bg.Fit) -> None:
    eta = np.linspace(0.0, 8.0, 4001)
    log = stats.norm.logpdf(eta, 3.0, 1.0) - 9.0 * eta - 359.0 * np.exp(-eta)
    share = np.exp(log - log.max()) / np.exp(log - log.max()).sum()
    mean, sd = share @ eta, np.sqrt(share @ eta**2 - (share @ eta) ** 2)
    draws = exponential.posterior.beta[:, 0]
    assert abs(draws.mean() - mean) < MEAN_WITHIN * sd
    assert SD_RATIO[0] < draws.std() / sd < SD_RATIO[1]


@pytest.mark.slow
def test_checks_of_a_censored_fit_look_at_what_is_known(exponential: bg.Fit) -> None:
    checks = {one.name: one.verdict for one in exponential.check("predictive").checks}
    assert checks["survival"] == "pass"
    density = log_likelihood(exponential.posterior).to_numpy().reshape(-1, 21)
    eta, row = exponential.posterior.beta[:, 0], exponential.posterior.design.y
    seen = exponential.posterior.design.observed.code == 0
    assert_allclose(density, -row * np.exp(-eta[:, None]) - np.where(seen, eta[:, None], 0.0), rtol=1e-10)
    pit = left_out(exponential.posterior).pit
    # a censored row lies somewhere above its limit
    above = np.exp(-row * np.exp(-np.median(eta)))
    assert (pit[~seen] > 1.0 - above[~seen] - 0.15).all()
    assert "before censoring" in str(exponential.predict())


@pytest.mark.slow
def test_censored_and_truncated_models_are_calibrated() -> None:
    """Delayed entry and censoring at one time: simulated, censored and fitted in the same way."""
    rng = np.random.default_rng(9)
    x, entry = rng.normal(size=60), rng.uniform(0.0, 1.0, 60)
    t = entry + rng.exponential(2.0, 60)
    data = pd.DataFrame({"x": x, "entry": entry, "t": np.minimum(t, 3.0), "c": t > 3.0})
    priors = {"Intercept": "Normal(0.7, 0.5)", "beta": "Normal(0, 0.5)"}
    model = bg.GLMM("t | cens(c) + trunc(lb=entry) ~ x", data, "exponential", priors=priors)
    found = bg.simulation_based_calibration(model, replications=60, seed=2, progress=False)
    assert found.p > 0.01
