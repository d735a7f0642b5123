"""Sampling weights: SciPy's weighted maximum, invariances of the scale, and what refuses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

import bayes_glmm as bg
from bayes_glmm.errors import GLMMError

FLAT = {"beta": "Normal(0, 1000)", "Intercept": "Normal(0, 1000)"}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    x, g, n = rng.normal(size=200), np.arange(200) % 12, rng.integers(2, 9, 200)
    effect = 0.6 * rng.normal(size=12)[g]
    return pd.DataFrame(
        {
            "x": x,
            "g": g,
            "n": n,
            "w": 100.0 * rng.uniform(0.5, 5.0, 200),
            "same": 7.0,
            "count": rng.poisson(np.exp(0.3 + 0.5 * x + effect)),
            "successes": rng.binomial(n, special.expit(0.2 + 0.4 * x)),
            "limit": 1,
        }
    )


Density = Callable[[np.ndarray, pd.DataFrame], Any]
CASES: list[tuple[str, str, Density]] = [
    ("count", "poisson", lambda eta, d: stats.poisson.logpmf(d["count"], np.exp(eta))),
    ("p(successes, n)", "binomial", lambda eta, d: stats.binom.logpmf(d["successes"], d["n"], special.expit(eta))),
]


@pytest.mark.parametrize(("response", "family", "density"), CASES)
def test_the_mode_is_the_weighted_maximum(response: str, family: str, density: Density, data: pd.DataFrame) -> None:
    def loss(beta: np.ndarray) -> float:
        return -float(np.sum(data["w"] / data["w"].mean() * density(beta[0] + beta[1] * data["x"], data)))

    expected = optimize.minimize(loss, [0.0, 0.0], tol=1e-10).x
    model = bg.GLMM(f"{response} | weights(w, sampling) ~ x", data, family, priors=FLAT)
    np.testing.assert_allclose(bg.approx.laplace(model).beta, expected, atol=1e-5)


def modes(weights: str, data: pd.DataFrame) -> np.ndarray:
    fit = bg.approx.laplace(bg.GLMM(f"count | weights({weights}) ~ x + (1 | g)", data, "poisson"))
    return np.array([*fit.beta, *np.ravel(fit.parameters.G("g"))])


def test_neither_the_scale_of_weights_nor_equal_ones_matter(data: pd.DataFrame) -> None:
    rescaled = data.assign(w=1e-6 * data["w"])
    np.testing.assert_allclose(modes("w, sampling", rescaled), modes("w, sampling", data), atol=1e-8)
    without = bg.approx.laplace(bg.GLMM("count ~ x + (1 | g)", data, "poisson")).beta
    np.testing.assert_allclose(modes("same, sampling", data)[:2], without, atol=1e-8)


def test_weights_within_levels_are_those_of_rows_within_them(data: pd.DataFrame) -> None:
    """A factor of each level changes weights that are scaled in all, and not those within levels."""
    moved = data.assign(w=data["w"] * (1.0 + data["g"]))
    np.testing.assert_allclose(modes("w, sampling, g", moved), modes("w, sampling, g", data), atol=1e-8)
    assert np.abs(modes("w, sampling", moved) - modes("w, sampling", data)).max() > 1e-3
    design = bg.GLMM("count | weights(w, sampling, g) ~ x", data, "poisson").design
    sums = pd.Series(design.weights).groupby(data["g"]).sum()
    np.testing.assert_allclose(sums, data["g"].value_counts().sort_index())


def test_the_plain_model_has_the_weighted_density(data: pd.DataFrame) -> None:
    model = bg.GLMM("count | weights(w, sampling) ~ x", data, "poisson", priors=FLAT)
    point = model.pymc.initial_point()
    rows = model.pymc.compile_logp(vars=model.pymc.observed_RVs, sum=False)(point)[0]
    plain = bg.GLMM("count ~ x", data, "poisson", priors=FLAT).pymc
    other = plain.compile_logp(vars=plain.observed_RVs, sum=False)(point)[0]
    np.testing.assert_allclose(rows, model.design.weights * other, rtol=1e-12)


def test_the_model_and_its_findings_name_the_weights(data: pd.DataFrame) -> None:
    model = bg.GLMM("count | weights(w, sampling) ~ x", data, "poisson")
    assert "pseudo-posterior: each row to the power of w" in str(model)
    found = next(one for one in model.findings if one.name == "sampling_weights")
    kish = data["w"].sum() ** 2 / (data["w"] ** 2).sum()
    assert f"leave about {kish:.0f}" in found.what
    assert str(model.spec.formula) == "count | weights(w, sampling) ~ x"
    written = bg.GLMM("count | weights(w, sampling, g) ~ x", data, "poisson").spec
    assert type(written).from_dict(written.to_dict()).formula == written.formula


@pytest.mark.slow
def test_the_posterior_is_the_pseudo_posterior(data: pd.DataFrame) -> None:
    """Draws against the normal approximation of a nearly normal pseudo-posterior; and what refuses the weights."""
    model = bg.GLMM("count | weights(w, sampling) ~ x", data, "poisson", priors=FLAT)
    fit, normal = model.fit(seed=1, progress=False), bg.approx.laplace(model)
    np.testing.assert_allclose(fit.posterior.beta.mean(axis=0), normal.beta, atol=0.02)
    for group in ("predictive", "loo"):
        assert "pseudo-likelihood" in str(fit.check(group))
    refused: list[Callable[[], Any]] = [
        lambda: bg.diagnostics.loo_by_row(fit.posterior),
        lambda: bg.diagnostics.quantile_residuals(fit.posterior),
        lambda: bg.studies.kfold(fit),
        lambda: bg.studies.simulation_based_calibration(model),
    ]
    for question in refused:
        with pytest.raises(GLMMError, match="sampling weights"):
            question()


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ("weights(bad, sampling)", "not a number above 0"),
        ("weights(w, sampling, nowhere)", "nowhere"),
        ("weights(w + 1, sampling)", "are a column"),
        ("weights(w, precision, g)", "three arguments"),
    ],
)
def test_errors_say_what_is_wrong(term: str, words: str, data: pd.DataFrame) -> None:
    with pytest.raises(GLMMError, match=words.replace("(", r"\(")):
        bg.GLMM(f"count | {term} ~ x", data.assign(bad=np.where(data["g"] == 3, 0.0, 1.0)), "poisson")


@pytest.mark.parametrize("method", ["pql", "gee"])
def test_methods_without_a_form_refuse_weights(method: str, data: pd.DataFrame) -> None:
    model = bg.GLMM("count | weights(w, sampling) ~ x + (1 | g)", data, "poisson")
    with pytest.raises(GLMMError, match="sampling weights"):
        getattr(bg.approx, method)(model)
