"""R2 on the latent scale, against printed values and the paper's formulas by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.datasets import clinics
from bayes_glmm.effects import r_squared_nakagawa
from bayes_glmm.errors import SpecError
from bayes_glmm.posterior import posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.cases import frame, logistic

SHARED = Path(__file__).parents[2].parent / "shared"


def latent(x: np.ndarray, family: str, link: str, variance: float, **auxiliary: float) -> np.ndarray:
    """Marginal and conditional R2 of ``y ~ x + (1 | g)`` at beta = (0.3, 0.4)."""
    y = np.resize([0, 1] if family == "bernoulli" else [1, 2, 3, 5], len(x))
    data = pd.DataFrame({"y": y, "x": x, "g": np.resize(list("abcd"), len(x))})
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", family=family, link=link)
    result = r_squared_nakagawa(posterior_at(spec, data, [0.3, 0.4], {"g": [[variance]]}, auxiliary))
    assert result.table["r_squared"].tolist() == ["marginal", "conditional"]
    return result.table["estimate"].to_numpy()


def shares(fixed: float, between: float, residual: float) -> list[float]:
    """The definition."""
    total = fixed + between + residual
    return [fixed / total, (fixed + between) / total]


@pytest.mark.parametrize(
    ("method", "printed"),
    # REML: what r.squaredGLMM and r2_nakagawa print for lmer(Reaction ~ Days + (Days | Subject), sleepstudy)
    [("lme4::lmer ML", None), ("lme4::lmer REML", [0.279, 0.799])],
)
def test_sleepstudy(method: str, printed: list[float] | None):
    if not (SHARED / "reference" / "reference.json").exists():
        pytest.skip("the folder shared/ with reference estimates is not beside the checkout")
    data = pd.read_csv(SHARED / "data" / "sleepstudy.csv")
    study = json.loads((SHARED / "reference" / "reference.json").read_text())["sleepstudy"]["computed"][0]
    fit = next(fit for fit in study["fits"] if fit["method"] == method)
    beta, sd = list(fit["coefficients"].values()), fit["sd_ranef"]
    a, b, sigma = sd["Subject|(Intercept)"], sd["Subject|Days"], sd["Residual"]
    cov = fit["corr"]["Subject|(Intercept)~Days"] * a * b
    spec = ModelSpec.from_formula("Reaction ~ Days + (Days | Subject)")
    posterior = posterior_at(spec, data, beta, {"Subject": [[a**2, cov], [cov, b**2]]}, {"sigma": sigma})
    found = r_squared_nakagawa(posterior).table["estimate"].to_numpy()
    # Days is 0 to 9 in each of 18 subjects: mean 4.5, mean square 28.5, variance 8.25 * 180 / 179
    expected = shares(beta[1] ** 2 * 8.25 * 180 / 179, a**2 + 2 * 4.5 * cov + 28.5 * b**2, sigma**2)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    if printed is not None:
        np.testing.assert_allclose(found, printed, atol=5e-4)  # three digits


def test_the_eight_clinics():
    # lme4's estimates: treatment 0.737879, sd 1.38936. By hand: v_f = 0.737879^2 * 4 / 15 = 0.145191 (8 rows of 16),
    # v_g = 1.930321, v_d = pi^2 / 3 = 3.289868; sum 5.365380
    data = clinics()
    spec = ModelSpec.from_formula("p(favourable, n) ~ treatment + (1 | clinic)", family="binomial")
    posterior = posterior_at(spec, data, [-1.19597, 0.737879], {"clinic": [[1.38936**2]]})
    np.testing.assert_allclose(
        r_squared_nakagawa(posterior).table["estimate"], [0.145191 / 5.365380, 2.075512 / 5.365380], rtol=5e-6
    )


X = np.resize([-1.0, 1.0], 40)
FIXED = 0.16 * 40 / 39  # the variance of 0.4 x
MEAN = np.exp(0.3 + 0.35) * np.cosh(0.4)  # of exp(0.3 + 0.4 x + u), u ~ N(0, 0.7), over x


@pytest.mark.parametrize(
    ("family", "link", "auxiliary", "residual"),
    [
        ("bernoulli", "logit", {}, np.pi**2 / 3),
        ("bernoulli", "probit", {}, 1.0),
        ("bernoulli", "cloglog", {}, np.pi**2 / 6),
        ("gaussian", "identity", {"sigma": 1.5}, 2.25),
        ("poisson", "log", {}, np.log(1 + 1 / MEAN)),
        ("negative_binomial", "log", {"phi": 2.5}, np.log(1 + 1 / MEAN + 1 / 2.5)),
        ("gamma", "log", {"phi": 2.5}, np.log(1 + 1 / 2.5)),
        ("poisson", "sqrt", {}, 0.25),
        # under sqrt the averaged mean is the mean of eta^2 plus the variance: 0.3^2 + 0.4^2 + 0.7
        ("negative_binomial", "sqrt", {"phi": 2.5}, 0.25 * (1 + 0.95 / 2.5)),
    ],
)
def test_the_variance_of_each_distribution(family: str, link: str, auxiliary: dict, residual: float):
    np.testing.assert_allclose(latent(X, family, link, 0.7, **auxiliary), shares(FIXED, 0.7, residual), rtol=1e-10)


def test_the_lognormal_approximation_is_near_the_variance_of_the_log_for_large_counts():
    # what it approximates, by simulation: Var(log y) for a Poisson y with mean 400
    y = np.random.default_rng(2).poisson(400.0, 1_000_000)
    assert np.log(y).var() == pytest.approx(np.log(1 + 1 / 400), rel=0.01)  # the series differ by 2 / mean^2: 0.5%


def test_an_offset_explains_nothing_and_lifts_the_mean():
    data = frame().assign(y=np.arange(60) % 4, t=np.resize([1.0, 10.0], 60))
    spec = ModelSpec.from_formula("y ~ 1 + offset(log(t)) + (1 | g)", family="poisson")
    result = r_squared_nakagawa(posterior_at(spec, data, [0.2], {"g": [[0.5]]})).table["estimate"]
    residual = np.log(1 + 1 / (np.exp(0.2 + 0.25) * 5.5))
    np.testing.assert_allclose(result, [0.0, 0.5 / (0.5 + residual)], rtol=1e-10)


def test_all_random_effects_count_and_draws_are_worked_out_one_by_one():
    posterior = logistic()
    x, G, H = posterior.design.data["x"].to_numpy(), posterior.G("g"), posterior.G("h")[:, 0, 0]
    between = np.mean(G[:, 0, 0, None] + 2 * G[:, 0, 1, None] * x + G[:, 1, 1, None] * x**2, axis=1) + H
    fixed = (posterior.beta @ posterior.design.X.T).var(axis=1, ddof=1)
    np.testing.assert_allclose(
        r_squared_nakagawa(posterior).draws.values[0], np.transpose(shares(fixed, between, np.pi**2 / 3)), rtol=1e-12
    )


def test_a_scale_without_a_variance_says_so():
    with pytest.raises(SpecError, match=r"bernoulli response with the cauchit link.*r_squared\(\)"):
        r_squared_nakagawa(logistic("cauchit"))
