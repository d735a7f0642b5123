"""Effects that differ between thresholds in every coordinate: compiled posteriors, the PyMC model, log p by SciPy."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import bayes_glmm as bg
from bayes_glmm.design import Problem
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.densities.fixed_inputs import fixed_density
from bayes_glmm.inference.densities.whitened_inputs import whitened_density
from bayes_glmm.inference.whitening import whitening_for
from bayes_glmm.model import build_model
from tests.inference.jacobian import gaps
from tests.inference.test_cumulative import PRIORS, data
from tests.inference.test_free_thresholds import EXPANDED, expanded, point
from tests.likelihood.test_specific import shares
from tests.model.test_log_density import log_density

FORMULA = "y ~ f + cs(x) + (1 | g)"


@cache
def problem(family: str, formula: str, priors: str) -> Problem:
    return bg.GLMM(formula, data(), family, priors=PRIORS[priors]).problem


def with_specific(canonical: Problem, density: Density, x: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A point with the effects at each threshold."""
    values, flat = point(canonical, density, x)
    draw, own = density.expand(x), canonical.design.predictors.specific
    for one in own:
        beta = draw[one.variable]
        values[one.variable] = beta
        values |= {f"{one.variable}[{name}]": value for name, value in zip(one.coefficients, beta, strict=True)}
    return values, np.concatenate([flat, *(draw[one.variable] for one in own)])


@pytest.mark.parametrize("priors", PRIORS)
@pytest.mark.parametrize("family", ["sratio", "acat"])
def test_whitened_density_is_the_plain_models_and_the_jacobian(family: str, priors: str) -> None:
    canonical = problem(family, FORMULA, priors).canonical
    whitening, why = whitening_for(canonical)
    assert whitening is not None, why
    density = whitened_density(whitening)
    assert density is not None
    assert_allclose(gaps(with_specific, canonical, density), 0.0, atol=1e-8 * 150.0)  # of values of order 150
    x = density.start + 0.2 * np.random.default_rng(7).normal(size=len(density.start))
    numerical = [(density(x + along)[0] - density(x - along)[0]) / 2e-5 for along in 1e-5 * np.eye(len(x))]
    # values of order 100 err by 1e-14, their differences by 1e-9
    assert_allclose(density(x)[1], numerical, rtol=1e-6, atol=3e-7)


@pytest.mark.parametrize("priors", PRIORS)
def test_density_without_groups_is_the_plain_models_and_the_jacobian(priors: str) -> None:
    canonical = problem("cratio", "y ~ cs(x + f)", priors).canonical
    density = fixed_density(canonical)
    assert density is not None
    found = gaps(with_specific, canonical, density)
    assert_allclose(found, found[0], atol=1e-8)  # a constant, of the linear map, is left out


def test_the_model_as_written_is_the_canonical_one() -> None:
    """The same free variables, whose columns of cs() are about their means, and thresholds at x = 0 from them."""
    one = problem("sratio", FORMULA, "default")
    written, canonical = build_model(one), build_model(one.canonical)
    rng = np.random.default_rng(4)
    values = {"b": rng.normal(size=2), "sd_g": [0.6], "z_g": rng.normal(size=(12, 1))}
    own = {f"cs{k}": rng.normal(size=1) for k in (1, 2, 3)}
    threshold = np.array([-0.5, 0.4, 0.1])
    a = log_density(written, values | {"threshold_at_centre": threshold} | {f"b_{k}": v for k, v in own.items()})
    b = log_density(canonical, values | {"threshold": threshold} | {f"beta_{k}": v for k, v in own.items()})
    assert a == pytest.approx(b, abs=1e-9)


@pytest.mark.parametrize("family", ["sratio", "cratio", "acat"])
def test_the_pymc_model_with_given_priors_is_scipys(family: str) -> None:
    """Priors hold as written, at x = 0."""
    priors = {
        "threshold": "Normal(0.5, 2)",
        "x": "Normal(0.2, 0.7)",
        "cs2.x": "Normal(0, 0.3)",
        "sd": "HalfNormal(1.5)",
    }
    model, rng = bg.GLMM("y ~ cs(x) + (1 | g)", data(), family, priors=priors).pymc, np.random.default_rng(1)
    x, y = data()["x"].to_numpy(), data()["y"].to_numpy()
    for _ in range(3):
        threshold, b, sd = rng.normal(1.0, 1.0, 3), rng.normal(0.3, 0.2, 3), rng.uniform(0.3, 1.0)
        z = rng.normal(size=(12, 1))
        eta = (sd * z[data()["g"], 0])[:, None] + x[:, None] * b - threshold
        expected = np.log(shares(family, "logit", eta)[np.arange(len(y)), y - 1]).sum()
        expected += stats.norm.logpdf(z).sum() + stats.halfnorm(scale=1.5).logpdf(sd)
        expected += stats.norm(0.5, 2.0).logpdf(threshold).sum()
        expected += stats.norm([0.2, 0.0, 0.2], [0.7, 0.3, 0.7]).logpdf(b).sum()
        values = {"threshold": threshold, "sd_g": [sd], "z_g": z} | {f"beta_cs{k}": b[k - 1 : k] for k in (1, 2, 3)}
        assert log_density(model, {one.name: values[one.name] for one in model.free_RVs}) == pytest.approx(expected)


@pytest.mark.slow
@pytest.mark.parametrize("family", EXPANDED)
def test_the_posterior_is_that_of_a_binary_model(family: str) -> None:
    """By NUTS in whitened coordinates: means and sds within Monte Carlo error of those of the expanded rows."""
    response, sign = EXPANDED[family]
    priors = {"beta": "Normal(0, 2)", "sd": "HalfNormal(1.5)"}
    one = bg.GLMM("y ~ cs(x) + (1 | g)", data(), family, None, priors | {"threshold": "Normal(0, 2)"})
    other = bg.GLMM(f"{response} ~ 0 + at + at:x + (1 | g)", expanded(data()), "bernoulli", None, priors)
    a, b = (model.fit(draws=3000, seed=2, progress=False) for model in (one, other))
    assert {a.check().verdict, b.check().verdict} == {"fit to use"}
    own = [a.posterior.coefficients(f"cs{k}") for k in (1, 2, 3)]
    first = np.hstack([a.posterior.array("threshold"), *own, np.sqrt(a.posterior.G("g")[:, :, 0])])
    beta = b.posterior.beta
    second = np.hstack([-sign * beta[:, :3], sign * beta[:, 3:], np.sqrt(b.posterior.G("g")[:, :, 0])])
    spread = second.std(axis=0)
    # 12,000 draws each with an effective number above 2,000: an error of the difference of 3 % of an sd
    assert (np.abs(first.mean(axis=0) - second.mean(axis=0)) < 0.12 * spread).all()
    assert_allclose(first.std(axis=0), spread, rtol=0.1)


@pytest.mark.slow
def test_coordinates_agree_and_draws_are_kept(tmp_path: Path) -> None:
    """Default priors: thresholds at x = 0 of draws in whitened and in plain coordinates; saved and loaded."""
    model = bg.GLMM(FORMULA, data(), "acat")
    fits = [model.fit(draws=2000, seed=3, progress=False, coordinates=name) for name in ("whitened", "plain")]
    draws = [
        np.hstack([fit.posterior.array("threshold"), *(fit.posterior.coefficients(f"cs{k}") for k in (1, 2, 3))])
        for fit in fits
    ]
    spread = draws[0].std(axis=0)
    assert (np.abs(draws[0].mean(axis=0) - draws[1].mean(axis=0)) < 0.12 * spread).all()
    assert_allclose(draws[1].std(axis=0), spread, rtol=0.1)
    posterior = fits[0].posterior
    there = posterior.canonical  # and back
    lift = model.priors.canonical.lift
    beta = np.hstack([posterior.beta, *(posterior.coefficients(f"cs{k}") for k in (1, 2, 3))])
    shift = posterior.beta[:, 1:] @ np.asarray(model.priors.canonical.location.centre[1:])
    expected = posterior.array("threshold") - beta @ lift.T - shift[:, None]
    assert_allclose(there.array("threshold"), expected, atol=1e-9)
    fits[0].save(tmp_path / "fit")
    again = bg.load(tmp_path / "fit")
    assert again.spec == fits[0].spec
    for name in ("threshold", "beta_cs2"):
        assert np.array_equal(again.posterior.array(name), posterior.array(name))
    assert_allclose(again.predict(data().head(3)).table["estimate"], fits[0].predict(data().head(3)).table["estimate"])
