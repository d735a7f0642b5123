"""Responses with zeros and a density above: densities, averages, and what reads the zeros."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import special, stats

import bayes_glmm as bg
from bayes_glmm.approx import laplace
from bayes_glmm.design import new_predictors
from bayes_glmm.design.scale import middle, spread
from bayes_glmm.diagnostics import Check
from bayes_glmm.diagnostics.predictive import check_zeros
from bayes_glmm.diagnostics.residuals import left_out
from bayes_glmm.effects import compare, predict
from bayes_glmm.effects.spread import response_moments
from bayes_glmm.families import FAMILIES, LINKS, Response, check_family
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec

FAMILY = pytest.mark.parametrize("family", ["hurdle_gamma", "hurdle_lognormal"])
CONSTANT = {"hurdle_gamma": ("phi", 2.5), "hurdle_lognormal": ("sigma", 0.4)}
LEVELS = 1_000_000
PAIR = np.array([[0.2, 0.15], [0.15, 0.5]])
ROWS = pd.DataFrame({"x": [-1.0, 0.3, 1.5], "w": [0.5, -0.8, 0.0]})


def data(rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    x, w, g = rng.normal(size=rows), rng.normal(size=rows), np.arange(rows) % 10
    zero = rng.uniform(size=rows) < special.expit(-0.6 + 0.5 * w)
    y = np.where(zero, 0.0, rng.gamma(2.5, np.exp(0.7 + 0.4 * x) / 2.5))
    return pd.DataFrame({"y": y, "x": x, "w": w, "g": g})


@FAMILY
def test_log_density_to_arbitrary_precision_in_the_tails_of_both_predictors(family: str) -> None:
    record, (name, value) = FAMILIES[family], CONSTANT[family]
    for of_hu in (-700.0, -38.0, 0.3, 38.0, 700.0):
        for of_mu in (-700.0, -30.0, 0.4, 30.0, 700.0):
            y = np.array([0.0, 0.2, 5.0])
            eta = {"mu": (np.full(3, of_mu), LINKS[record.links[0]]), "hu": (np.full(3, of_hu), LINKS["logit"])}
            found = record.log_density(Response(y), record.at(eta, {name: value}, NUMPY), NUMPY)
            with mp.workdps(400):
                hu = 1 / (1 + mp.exp(-mp.mpf(of_hu)))
                above = [mp.log(1 - hu) + _above(family, one, of_mu, value) for one in y[1:]]
                expected = np.array([float(one) for one in (mp.log(hu), *above)])
            assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def _above(family: str, y: float, eta: float, value: float) -> mp.mpf:
    if family == "hurdle_gamma":
        scale = mp.exp(eta) / value
        return (value - 1) * mp.log(y) - y / scale - mp.loggamma(value) - value * mp.log(scale)
    return -((mp.log(y) - eta) ** 2) / (2 * value**2) - mp.log(y * value * mp.sqrt(2 * mp.pi))


def test_densities_are_pymcs_own() -> None:
    """Which divides by P(y > 2e-16) = 1, whose logarithm it has to 3e-8."""
    import pymc as pm

    y, eta = np.array([0.0, 0.4, 3.1]), np.array([0.3, -0.2, 0.9])
    gamma, lognormal = FAMILIES["hurdle_gamma"], FAMILIES["hurdle_lognormal"]
    at = gamma.at({"mu": (eta, LINKS["log"])}, {"phi": 4.5, "hu": 0.3}, NUMPY)
    theirs = pm.HurdleGamma.dist(psi=0.7, alpha=4.5, beta=4.5 / np.exp(eta))
    assert_allclose(gamma.log_density(Response(y), at, NUMPY), pm.logp(theirs, y).eval(), atol=1e-7)
    at = lognormal.at({"mu": (eta, LINKS["identity"])}, {"sigma": 0.7, "hu": 0.3}, NUMPY)
    theirs = pm.HurdleLogNormal.dist(psi=0.7, mu=eta, sigma=0.7)
    assert_allclose(lognormal.log_density(Response(y), at, NUMPY), pm.logp(theirs, y).eval(), atol=1e-7)


@FAMILY
def test_the_record_is_one_distribution(family: str) -> None:
    """Total probability with the zeros, mean, variance, draws; a mean without the zeros would be refused."""
    table = check_family(FAMILIES[family])
    assert_allclose(table["total"], 1.0, rtol=1e-6)
    assert_allclose(table["mean"], table["mean of record"], rtol=1e-4)


@FAMILY
def test_draws_above_zero_have_the_distribution_function_of_scipy(family: str) -> None:
    record, (name, value), size = FAMILIES[family], CONSTANT[family], 30_000
    at = record.at({"mu": (np.full(size, 0.4), LINKS[record.links[0]])}, {name: value, "hu": 0.35}, NUMPY)
    drawn = record.draw(np.random.default_rng(3), Response(None), at)
    assert stats.binomtest(int((drawn == 0).sum()), size, 0.35).pvalue > 1e-4
    own = stats.gamma(2.5, scale=np.exp(0.4) / 2.5) if name == "phi" else stats.lognorm(0.4, scale=np.exp(0.4))
    assert stats.kstest(drawn[drawn > 0], own.cdf).pvalue > 1e-4


def posterior(family: str, terms: tuple[str, str], G: np.ndarray) -> Posterior:
    spec = ModelSpec.from_formula([f"y ~ x + {terms[0]}", f"hu ~ w + {terms[1]}"], family)
    name, value = CONSTANT[family]
    return posterior_at(spec, data(), [0.7, 0.4], {"g": G}, {name: value}, further={"hu": [-0.6, 0.5]})


@FAMILY
@pytest.mark.parametrize(
    ("terms", "G"),
    [(("(1 |i| g)", "(1 |i| g)"), PAIR), (("(1 | g)", "(1 | g)"), np.diag([0.2, 0.5]))],
    ids=["correlated", "independent"],
)
def test_averages_are_those_of_simulated_levels(family: str, terms: tuple[str, str], G: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    u = rng.normal(size=(LEVELS, 2)) @ np.linalg.cholesky(G).T
    x, w = (ROWS[name].to_numpy()[:, None] for name in "xw")
    mu, hu = 0.7 + 0.4 * x + u[:, 0], special.expit(-0.6 + 0.5 * w + u[:, 1])
    mean = np.exp(mu) if family == "hurdle_gamma" else np.exp(mu + 0.08)
    made = posterior(family, terms, G)
    for part, values in (("mean", (1.0 - hu) * mean), ("zero", hu), ("hu", hu)):
        found = predict(made, ROWS, "integrated", part=part).draws.to_numpy().ravel()
        assert (np.abs(found - values.mean(axis=1)) < 5.0 * values.std(axis=1) / np.sqrt(LEVELS)).all(), part
    variance = mean**2 / 2.5 if family == "hurdle_gamma" else mean**2 * np.expm1(0.16)
    square = (1.0 - hu) * (variance + mean**2)
    _, total = response_moments(made, new_predictors(made.design, ROWS), np.arange(1))
    expected = square.mean(axis=1) - ((1.0 - hu) * mean).mean(axis=1) ** 2
    assert_allclose(total[0], expected, rtol=0.03)


def test_random_effects_of_sigma_leave_no_mean() -> None:
    spec = ModelSpec.from_formula(["y ~ x", "sigma ~ 1 + (1 | g)"], "hurdle_lognormal")
    made = posterior_at(spec, data(), [0.7, 0.4], {"g": [[0.1]]}, {"hu": 0.3}, further={"sigma": [-1.0]})
    with pytest.raises(bg.SpecError, match="no average over random effects of sigma"):
        predict(made, ROWS, "integrated")
    assert np.isfinite(compare(made, "x", part="mu", random_effects="integrated", estimands="difference").draws).all()


@FAMILY
def test_both_parts_are_as_fitted_alone(family: str) -> None:
    """The likelihood is that of zeros, yes or no, times that of what is above 0."""
    frame = data()
    both = laplace(bg.GLMM(["y ~ x + (1 | g)", "hu ~ w"], frame, family))
    zeros = laplace(bg.GLMM("z ~ w", frame.assign(z=(frame["y"] == 0).astype(int)), "bernoulli"))
    alone = laplace(bg.GLMM("y ~ x + (1 | g)", frame[frame["y"] > 0], family.removeprefix("hurdle_")))
    assert both.log_likelihood == pytest.approx(zeros.log_likelihood + alone.log_likelihood, abs=1e-5)
    assert_allclose(both.parameters.beta, [*alone.parameters.beta, *zeros.parameters.beta], atol=2e-3)
    name, _ = CONSTANT[family]
    assert both.parameters.auxiliary[name] == pytest.approx(alone.parameters.auxiliary[name], rel=2e-3)


@FAMILY
def test_default_priors_are_those_of_what_is_above_zero(family: str) -> None:
    frame = data()
    made, alone = (
        bg.GLMM("y ~ 1", frame[rows], name)
        for rows, name in ((slice(None), family), (frame["y"] > 0, family.removeprefix("hurdle_")))
    )
    assert middle(made.spec, made.design) == pytest.approx(middle(alone.spec, alone.design), rel=1e-12)
    assert spread(made.spec, made.design) == pytest.approx(spread(alone.spec, alone.design), rel=1e-12)
    assert str(made.priors["beta[Intercept]"]) == str(alone.priors["beta[Intercept]"])


def drawn(family: str, hu: float) -> Posterior:
    """A posterior about the truth of made-up rows, whose share of zeros is about 0.35."""
    rng, rows = np.random.default_rng(9), 400
    frame = data(rows)
    name, value = CONSTANT[family]
    record = FAMILIES[family]
    at = record.at(
        {"mu": (0.7 + 0.4 * frame["x"].to_numpy(), LINKS[record.links[0]])}, {name: value, "hu": 0.35}, NUMPY
    )
    frame["y"] = record.draw(rng, Response(None), at)
    beta = np.array([0.7, 0.4]) + 0.01 * rng.normal(size=(400, 2))
    constants = {name: value * np.exp(0.01 * rng.normal(size=400)), "hu": hu + 0.01 * rng.normal(size=400)}
    return posterior_at(ModelSpec.from_formula("y ~ x", family), frame, beta, {}, constants)


@FAMILY
def test_leave_one_out_is_randomised_within_the_zeros(family: str) -> None:
    """The zeros, a third of the rows, are spread over (0, hu): uniform, where they would be one number."""
    found = left_out(drawn(family, 0.35))
    assert stats.kstest(found.pit, "uniform").pvalue > 1e-3
    assert stats.kstest(left_out(drawn(family, 0.1)).pit, "uniform").pvalue < 1e-6


@FAMILY
def test_the_share_of_zeros_is_checked(family: str) -> None:
    good, bad = (check_zeros(drawn(family, hu)) for hu in (0.35, 0.15))
    assert isinstance(good, Check)
    assert isinstance(bad, Check)
    assert (good.verdict, bad.verdict) == ("pass", "fail")


def test_responses_that_cannot_be_are_refused() -> None:
    frame = data()
    with pytest.raises(bg.DataError, match="needs numbers of 0 and above; found -1"):
        bg.GLMM("y ~ x", frame.assign(y=lambda d: d["y"].where(d.index != 3, -1.0)), "hurdle_gamma")
