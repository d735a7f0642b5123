"""Default priors computed once more from their written formulas, and whose word counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.design import Priors, build_design, resolve_priors
from bayes_glmm.spec import ModelSpec, Prior


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "y": rng.normal(40.0, 7.0, 60),
            "x": rng.normal(100.0, 12.0, 60),
            "f": list("aab") * 20,
            "g": np.repeat(np.arange(6), 10),
            "k": rng.poisson(6.0, 60),
            "t": rng.uniform(1.0, 5.0, 60),
            "s": rng.integers(0, 9, 60),
            "positive": rng.gamma(2.0, 3.0, 60),
            "share": rng.uniform(0.2, 0.4, 60),
            "b": [0, 1, 1] * 20,
        }
    )


def _priors(formula: str, family: str, data: pd.DataFrame, link: str | None = None, **given: str) -> Priors:
    spec = ModelSpec.from_formula(
        formula, family, link, {name.replace("__", "["): text for name, text in given.items()}
    )
    return resolve_priors(spec, build_design(spec, data))


def _arguments(prior: Prior) -> dict[str, float]:
    assert not prior.positional
    return dict(prior.keyword)  # type: ignore[arg-type]


def test_gaussian_defaults(data: pd.DataFrame) -> None:
    priors = _priors("y ~ x + f + (x | g)", "gaussian", data)
    s = data.y.std(ddof=0)
    columns = np.column_stack([data.x, data.f == "b"]).astype(float)
    covariance = (2.5 * s) ** 2 * np.linalg.inv(np.cov(columns.T, ddof=0))  # of the slopes: a prior of their span
    mean = columns.mean(axis=0)
    slope, step = np.sqrt(np.diag(covariance))
    expected = {
        "beta[Intercept]": (
            "Normal",
            {"mu": data.y.mean(), "sigma": np.hypot(2.5 * s, np.sqrt(mean @ covariance @ mean))},
        ),
        "beta[x]": ("Normal", {"mu": 0.0, "sigma": slope}),
        "beta[f[b]]": ("Normal", {"mu": 0.0, "sigma": step}),
        "sd_g[Intercept]": ("HalfStudentT", {"nu": 3, "sigma": 2.5 * s}),
        "sd_g[x]": ("HalfStudentT", {"nu": 3, "sigma": 2.5 * s / data.x.std(ddof=0)}),
        "corr_g": ("LKJ", {"eta": 2}),
        "sigma": ("HalfStudentT", {"nu": 3, "sigma": s}),
    }
    assert list(priors.entries) == list(expected)
    for name, (distribution, arguments) in expected.items():
        assert priors[name].distribution == distribution
        assert _arguments(priors[name]) == pytest.approx(arguments)


@pytest.mark.parametrize(
    ("formula", "family", "link", "middle", "scale"),
    [
        ("b ~ x", "bernoulli", "logit", lambda d: np.log(2), lambda d: 1.0),
        ("b ~ x", "bernoulli", "cauchit", lambda d: np.tan(np.pi / 6), lambda d: 1.0),
        ("k ~ x", "poisson", "log", lambda d: np.log(d.k.mean()), lambda d: 1.0),
        (
            "k ~ x",
            "poisson",
            "sqrt",
            lambda d: np.sqrt(d.k.mean()),
            lambda d: d.k.std(ddof=0) / 2 / np.sqrt(d.k.mean()),
        ),
        ("k ~ x + offset(log(t))", "negative_binomial", "log", lambda d: np.log(d.k.sum() / d.t.sum()), lambda d: 1.0),
        (
            "positive ~ x",
            "gamma",
            "inverse",
            lambda d: 1 / d.positive.mean(),
            lambda d: d.positive.std(ddof=0) / d.positive.mean() ** 2,
        ),
        ("share ~ x", "beta", "logit", lambda d: np.log(d.share.mean() / (1 - d.share.mean())), lambda d: 1.0),
        ("p(s, 9) ~ x", "binomial", "logit", lambda d: np.log(d.s.sum() / (540 - d.s.sum())), lambda d: 1.0),
    ],
)
def test_other_links_have_their_own_scale(data, formula, family, link, middle, scale) -> None:
    priors = _priors(f"{formula} + (1 | g)", family, data, link)
    slope = 2.5 * scale(data) / data.x.std(ddof=0)
    intercept = {"mu": middle(data), "sigma": np.hypot(2.5 * scale(data), slope * data.x.mean())}
    assert _arguments(priors["beta[Intercept]"]) == pytest.approx(intercept)
    assert _arguments(priors["beta[x]"]) == pytest.approx({"mu": 0.0, "sigma": slope})
    assert _arguments(priors["sd_g[Intercept]"]) == pytest.approx({"nu": 3, "sigma": 2.5 * scale(data)})


def test_auxiliary_defaults(data: pd.DataFrame) -> None:
    assert str(_priors("positive ~ x", "gamma", data)["phi"]) == "InverseGamma(alpha=0.4, beta=0.3)"
    assert str(_priors("y ~ x", "student_t", data)["nu"]) == "Gamma(alpha=2, beta=0.1)"


def test_correlation_prior_only_where_effects_are_correlated(data: pd.DataFrame) -> None:
    assert "corr_g" not in _priors("y ~ (x || g)", "gaussian", data).entries
    assert "corr_g" in _priors("y ~ (x | g)", "gaussian", data).entries


def test_the_most_particular_name_wins(data: pd.DataFrame) -> None:
    given = {
        "beta": "Normal(0, 1)",
        "x": "Normal(0, 2)",
        "Intercept": "Normal(0, 3)",
        "sd": "Exponential(1)",
        "sd_g": "Exponential(2)",
        "sd_g__x]": "Exponential(3)",
        "corr": "LKJ(4)",
        "sigma": "HalfNormal(5)",
    }
    priors = _priors("y ~ x + f + (x | g) + (1 | f)", "gaussian", data, **given)
    expected = {
        "beta[Intercept]": "Normal(0, 3)",
        "beta[x]": "Normal(0, 2)",
        "beta[f[b]]": "Normal(0, 1)",
        "sd_g[Intercept]": "Exponential(2)",
        "sd_g[x]": "Exponential(3)",
        "corr_g": "LKJ(4)",
        "sd_f[Intercept]": "Exponential(1)",
        "sigma": "HalfNormal(5)",
    }
    assert {name: str(prior) for name, prior in priors.entries.items()} == expected
    assert priors.given == set(expected)


def test_beta_leaves_the_intercept_alone(data: pd.DataFrame) -> None:
    priors = _priors("y ~ x", "gaussian", data, beta="Normal(0, 1)")
    assert priors.given == {"beta[x]"}
    assert list(priors.table["source"]) == ["default", "given, at x = 0", "default"]
    assert "Normal(0, 1)" in str(priors)


def test_what_is_printed_about_the_prior_is_that_of_its_draws() -> None:
    """Without a constant, under the identity link, the prior is as wide as the root mean square of y."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=40), "y": 100 + rng.normal(size=40)})
    priors = bg.GLMM("y ~ 0 + x", frame).priors
    (sigma,) = [value for name, value in priors["beta[x]"].keyword if name == "sigma"]
    typical, worst = sigma * np.sqrt(np.mean(frame.x**2)), sigma * np.abs(frame.x).max()
    assert f"{typical:.3g} in a typical row, {worst:.3g} in the most extreme row" in priors.notes[0]
    assert all(len(line) <= 110 for line in priors.notes)


def test_the_centre_is_stated_for_its_own_grouping_factor() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": 5 + rng.normal(size=60), "y": rng.normal(size=60)})
    frame = frame.assign(g=np.arange(60) % 6, g2=np.arange(60) // 10, z=frame.x - frame.x.mean())
    sources = bg.GLMM("y ~ x + (x | g) + (z | g2)", frame).priors.sources
    assert sources["corr_g"].startswith("default, at x = ")
    assert sources["corr_g2"] == "default"
