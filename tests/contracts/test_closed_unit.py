"""Shares with zeros and ones: densities in the tails of all predictors, R's answers, averages, and the two ends."""

from __future__ import annotations

import json
from pathlib import Path

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import special, stats

import bayes_glmm as bg
from bayes_glmm.approx import aghq, laplace
from bayes_glmm.design import new_predictors
from bayes_glmm.diagnostics.residuals import left_out
from bayes_glmm.effects import predict
from bayes_glmm.effects.spread import response_moments
from bayes_glmm.families import FAMILIES, LINKS, Response, check_family
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.contracts.test_families import thresholds

FAMILY = pytest.mark.parametrize("family", ["zero_one_inflated_beta", "ordered_beta"])
LEVELS = 1_000_000
ROWS = pd.DataFrame({"x": [-1.0, 0.3, 1.5]})
BETA, SD, CONSTANTS = [0.2, 0.6], 0.8, {"phi": 4.0, "zoi": 0.4, "coi": 0.35}


@FAMILY
def test_log_density_to_arbitrary_precision(family: str) -> None:
    """To 1e-10 where all three predictors are anywhere up to 700 from 0."""
    record, logit, y = FAMILIES[family], LINKS["logit"], np.array([0.0, 0.3, 1.0])
    for eta in (-700.0, -30.0, 0.4, 30.0, 700.0):
        for zoi in (-700.0, -20.0, 0.5, 20.0, 700.0):
            for coi in (-700.0, -1.0, 20.0, 700.0):
                known = {"mu": eta, "zoi": zoi, "coi": coi}
                predicted = {name: (np.full(3, value), logit) for name, value in known.items()}
                found = record.log_density(Response(y), record.at(predicted, {"phi": 4.0}, NUMPY), NUMPY)
                with mp.workdps(1000):
                    expected = _exactly(family, eta, zoi, coi)
                assert_allclose(found, expected, rtol=1e-10, atol=1e-11, err_msg=str(known))


def _exactly(family: str, eta: float, zoi: float, coi: float) -> list[float]:
    mu, outside, ones = (1 / (1 + mp.exp(-mp.mpf(value))) for value in (eta, zoi, coi))
    zero, one = outside * (1 - ones), outside * ones
    if family == "ordered_beta":
        lower, upper = mp.log(zero / (1 - zero)), mp.log((1 - one) / one)
        zero, one = 1 / (1 + mp.exp(eta - lower)), 1 / (1 + mp.exp(upper - eta))
    # the shapes are numbers of Python, and no less than 1e-300
    a, b = (max(mp.mpf(4) * share, mp.mpf("1e-300")) for share in (mu, 1 / (1 + mp.exp(mp.mpf(eta)))))
    y = mp.mpf(0.3)
    inside = mp.loggamma(4) - mp.loggamma(a) - mp.loggamma(b) + (a - 1) * mp.log(y) + (b - 1) * mp.log(1 - y)
    return [float(mp.log(zero)), float(mp.log(1 - zero - one) + inside), float(mp.log(one))]


@FAMILY
def test_the_record_is_one_distribution(family: str) -> None:
    table = check_family(FAMILIES[family])
    assert_allclose(table["total"], 1.0, rtol=1e-3)


@FAMILY
def test_draws_are_those_of_scipy(family: str) -> None:
    record, size, eta = FAMILIES[family], 40_000, 0.7
    at = record.at({"mu": (np.full(size, eta), LINKS["logit"])}, CONSTANTS, NUMPY)
    drawn = record.draw(np.random.default_rng(2), Response(None), at)
    zero, one = 0.4 * 0.65, 0.4 * 0.35
    if family == "ordered_beta":
        lower, upper = thresholds(0.4, 0.35)
        zero, one = special.expit(lower - eta), special.expit(eta - upper)
    assert stats.binomtest(int((drawn == 0).sum()), size, zero).pvalue > 1e-4
    assert stats.binomtest(int((drawn == 1).sum()), size, one).pvalue > 1e-4
    mu = special.expit(eta)
    inside = drawn[(drawn > 0) & (drawn < 1)]
    assert stats.kstest(inside, stats.beta(4.0 * mu, 4.0 * (1.0 - mu)).cdf).pvalue > 1e-4


@pytest.fixture(scope="module")
def simulated(shared: Path) -> pd.DataFrame:
    path = shared / "data" / "ordbeta_simulated.csv"
    if not path.is_file():
        pytest.skip(f"The published data are not there: shared/{path.relative_to(shared)}.")
    return pd.read_csv(path, dtype={"g": str})


def test_ordered_beta_has_the_estimates_of_r(simulated: pd.DataFrame, shared: Path) -> None:
    """GlmmTMB's Laplace approximation, and maximum likelihood by adaptive quadrature with 25 nodes."""
    path = shared / "reference" / "reference_families.json"
    both = json.loads(path.read_text(encoding="utf-8"))["ordbeta_simulated"]["computed"][0]["fits"]
    model = bg.GLMM("y ~ x + (1 | g)", simulated, "ordered_beta")
    glmmtmb, exact = both
    fit = laplace(model)
    coefficients = glmmtmb["coefficients"]
    assert_allclose(fit.parameters.beta, [coefficients["(Intercept)"], coefficients["x"]], atol=2e-4)
    assert fit.parameters.L["g"][0, 0] == pytest.approx(glmmtmb["sd_ranef"]["g|(Intercept)"], abs=2e-4)
    constants = fit.parameters.auxiliary
    assert constants["phi"] == pytest.approx(glmmtmb["dispersion"], rel=2e-4)
    found = thresholds(constants["zoi"], constants["coi"])
    cutoffs = glmmtmb["family_params"]
    assert_allclose(special.expit(found), [cutoffs["lower cutoff"], cutoffs["upper cutoff"]], atol=2e-4)
    assert fit.log_likelihood == pytest.approx(glmmtmb["loglik"], abs=1e-4)

    fit = aghq(model, nodes=25)
    coefficients = exact["coefficients"]
    assert_allclose(fit.parameters.beta, [coefficients["(Intercept)"], coefficients["x"]], atol=2e-4)
    assert fit.parameters.L["g"][0, 0] == pytest.approx(exact["sd_ranef"]["sd_g|(Intercept)"], abs=2e-4)
    lower, upper = thresholds(fit.parameters.auxiliary["zoi"], fit.parameters.auxiliary["coi"])
    assert lower == pytest.approx(coefficients["c1"], abs=5e-4)
    assert upper - lower == pytest.approx(exact["other_parameters"]["gap"], abs=5e-4)
    assert fit.log_likelihood == pytest.approx(exact["loglik"], abs=1e-4)


def test_averages_of_ordered_beta_are_those_of_the_reference(simulated: pd.DataFrame, shared: Path) -> None:
    """At R's estimates: probabilities of both ends and the mean, at u = 0 and averaged over u."""
    path = shared / "reference" / "reference_families.json"
    entry = json.loads(path.read_text(encoding="utf-8"))["ordbeta_simulated"]["computed"][0]
    exact, known = entry["fits"][1], entry["predictions"]
    lower = exact["coefficients"]["c1"]
    upper = lower + exact["other_parameters"]["gap"]
    zero, one = special.expit(lower), special.expit(-upper)
    constants = {"phi": exact["other_parameters"]["phi"], "zoi": zero + one, "coi": one / (zero + one)}
    beta = [exact["coefficients"]["(Intercept)"], exact["coefficients"]["x"]]
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", "ordered_beta")
    posterior = posterior_at(spec, simulated, beta, {"g": [[known["var_u"][0]]]}, constants)
    for reading, name in (("zero", "conditional"), ("integrated", "population_averaged")):
        for part, theirs in (("mean", "mean"), ("zero", "p0"), ("one", "p1")):
            found = predict(posterior, pd.DataFrame(known["grid"]), reading, part=part).draws.to_numpy().ravel()
            assert_allclose(found, known[name][theirs], rtol=2e-7, err_msg=f"{name} {part}")


def data(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    x = rng.normal(size=rows)
    y = np.clip(1.5 * rng.beta(2.0, 2.0, rows) - 0.25 + 0.05 * x, 0.0, 1.0)
    return pd.DataFrame({"y": y, "x": x, "g": np.arange(rows) % 10})


@FAMILY
def test_averages_are_those_of_simulated_levels(family: str) -> None:
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", family)
    posterior = posterior_at(spec, data(), BETA, {"g": [[SD**2]]}, CONSTANTS)
    eta = 0.2 + 0.6 * ROWS["x"].to_numpy()[:, None] + SD * np.random.default_rng(4).normal(size=LEVELS)
    zero, one = 0.0 * eta + 0.4 * 0.65, 0.0 * eta + 0.4 * 0.35
    if family == "ordered_beta":
        lower, upper = thresholds(0.4, 0.35)
        zero, one = special.expit(lower - eta), special.expit(eta - upper)
    mu, between = special.expit(eta), 1.0 - zero - one
    for part, values in (("mean", one + between * mu), ("zero", zero), ("one", one), ("mu", mu)):
        found = predict(posterior, ROWS, "integrated", part=part).draws.to_numpy().ravel()
        error = 5.0 * values.std(axis=1) / np.sqrt(LEVELS) + 1e-12
        assert (np.abs(found - values.mean(axis=1)) < error).all(), part
    mean, total = response_moments(posterior, new_predictors(posterior.design, ROWS), np.arange(1))
    square = one + between * (mu**2 + mu * (1.0 - mu) / 5.0)
    assert_allclose(total[0] + mean[0] ** 2, square.mean(axis=1), rtol=2e-3)


def drawn(family: str, coi: float) -> Posterior:
    """A posterior about the truth of made-up rows, where 0.35 is the share of ones among both ends."""
    rng, frame, record = np.random.default_rng(9), data(500), FAMILIES[family]
    eta = 0.2 + 0.6 * frame["x"].to_numpy()
    at = record.at({"mu": (eta, LINKS["logit"])}, CONSTANTS, NUMPY)
    frame["y"] = record.draw(rng, Response(None), at)
    beta = np.array(BETA) + 0.01 * rng.normal(size=(400, 2))
    constants = {name: value * np.exp(0.01 * rng.normal(size=400)) for name, value in CONSTANTS.items()}
    spec = ModelSpec.from_formula("y ~ x", family)
    return posterior_at(spec, frame, beta, {}, {**constants, "coi": coi + 0.01 * rng.normal(size=400)})


@FAMILY
def test_leave_one_out_is_randomised_within_both_ends(family: str) -> None:
    assert stats.kstest(left_out(drawn(family, 0.35)).pit, "uniform").pvalue > 1e-3
    assert stats.kstest(left_out(drawn(family, 0.9)).pit, "uniform").pvalue < 1e-6


def test_the_parts_of_an_inflated_beta_are_as_fitted_alone() -> None:
    """The likelihood is that of the ends, of which end, and of what is inside."""
    frame = data().assign(end=lambda d: d["y"].isin([0.0, 1.0]).astype(int), one=lambda d: (d["y"] == 1).astype(int))
    both = laplace(bg.GLMM(["y ~ x + (1 | g)", "zoi ~ x", "coi ~ x"], frame, "zero_one_inflated_beta"))
    alone = [
        laplace(bg.GLMM("y ~ x + (1 | g)", frame[frame["end"] == 0], "beta")),
        laplace(bg.GLMM("end ~ x", frame, "bernoulli")),
        laplace(bg.GLMM("one ~ x", frame[frame["end"] == 1], "bernoulli")),
    ]
    assert both.log_likelihood == pytest.approx(sum(one.log_likelihood for one in alone), abs=1e-4)
    assert_allclose(both.parameters.beta, np.concatenate([one.parameters.beta for one in alone]), atol=5e-3)


def test_the_default_prior_of_ordered_beta_is_flat_over_both_ends() -> None:
    """At mu = 1/2 the probabilities of 0, of 1 and of what is between have a Dirichlet(1, 1, 1): each is Beta(1, 2)."""
    rng, parameters = np.random.default_rng(6), FAMILIES["ordered_beta"].auxiliary
    assert parameters["zoi"].prior == "Beta(alpha=2, beta=1)"
    assert parameters["coi"].prior == "Beta(alpha=1, beta=1)"
    zoi, coi = rng.beta(2.0, 1.0, 50_000), rng.uniform(size=50_000)
    for share in (zoi * (1.0 - coi), zoi * coi, 1.0 - zoi):
        assert stats.kstest(share, stats.beta(1, 2).cdf).pvalue > 1e-3


def test_shares_that_cannot_be_are_refused() -> None:
    with pytest.raises(bg.DataError, match="needs numbers between 0 and 1, ends included"):
        bg.GLMM("y ~ x", data().assign(y=lambda d: d["y"].where(d.index != 3, 1.5)), "ordered_beta")
