"""Families with free thresholds in every coordinate: the compiled posterior, the PyMC model, log p by SciPy.

The canonical problem has thresholds as an intercept, -c_1, and differences; that change has a Jacobian of one.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import bayes_glmm as bg
from bayes_glmm.design import Problem
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.densities.fixed_inputs import fixed_density
from bayes_glmm.inference.densities.whitened_inputs import whitened_density
from bayes_glmm.inference.whitening import whitening_for
from bayes_glmm.likelihood import layout_of, likelihood_of
from bayes_glmm.likelihood.priors import LogPrior
from bayes_glmm.names import THRESHOLD
from tests.contracts.test_families import LATENT, Stepwise
from tests.inference.jacobian import gaps
from tests.inference.test_cumulative import PRIORS, PYTHON, STRUCTURES, data, moved
from tests.model.test_log_density import log_density

NAMES = ("sratio", "cratio", "acat")
FEW = pytest.mark.parametrize(
    "link", ["logit", "cloglog", *(pytest.param(link, marks=pytest.mark.slow) for link in ("probit", "cauchit"))]
)


@cache
def problem(family: str, formula: str, link: str, priors: str) -> Problem:
    return bg.GLMM(formula, data(), family, link, PRIORS[priors]).problem


@cache
def whitened(family: str, formula: str, link: str, priors: str) -> Density:
    whitening, why = whitening_for(problem(family, formula, link, priors).canonical)
    assert whitening is not None, why
    density = whitened_density(whitening)
    assert density is not None
    return density


def point(canonical: Problem, density: Density, x: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """As of ordered thresholds; those with priors of their own are variables of their own."""
    values, flat = moved(canonical, density, x)
    names = (f"{THRESHOLD}[{name}]" for name in canonical.design.thresholds)
    return values | dict(zip(names, values[THRESHOLD], strict=True)), flat


CASES = [
    ("sratio", "intercept", "logit", "default"),
    ("cratio", "intercept", "logit", "each its own"),
    ("acat", "intercept", "logit", "normal"),
    *(
        pytest.param(name, structure, link, priors, marks=pytest.mark.slow)
        for name in NAMES
        for structure, link, priors in (
            ("slopes", "logit", "default"),
            ("crossed", "probit", "normal"),
            ("intercept", "cloglog", "default"),
            ("intercept", "cauchit", "normal"),  # a mode at the kink of Laplace's density has no gradient of 0
        )
    ),
]


@pytest.mark.parametrize(("family", "structure", "link", "priors"), CASES)
def test_whitened_density_is_the_plain_models_and_the_jacobian(
    family: str, structure: str, link: str, priors: str
) -> None:
    formula = STRUCTURES[structure]
    density = whitened(family, formula, link, priors)
    found = gaps(point, problem(family, formula, link, priors).canonical, density)
    assert_allclose(found, 0.0, atol=1e-8 * 150.0)  # of values of order 150
    x = density.start + 0.2 * np.random.default_rng(7).normal(size=len(density.start))
    numerical = [(density(x + along)[0] - density(x - along)[0]) / 2e-5 for along in 1e-5 * np.eye(len(x))]
    # values of order 100 err by 1e-14, their differences by 1e-9
    assert_allclose(density(x)[1], numerical, rtol=1e-6, atol=3e-7)


@pytest.mark.parametrize("priors", PRIORS)
@pytest.mark.parametrize("family", NAMES)
def test_density_without_groups_is_the_plain_models_and_the_jacobian(family: str, priors: str) -> None:
    canonical = problem(family, "y ~ x + f", "logit", priors).canonical
    density = fixed_density(canonical)
    assert density is not None
    found = gaps(point, canonical, density)
    assert_allclose(found, found[0], atol=1e-8)  # a constant, of the linear map, is left out


@pytest.mark.parametrize("priors", PRIORS)
def test_the_log_prior_has_the_gradient_of_its_values(priors: str) -> None:
    """Over the free coordinates, which are the differences themselves, of any sign."""
    canonical = problem("sratio", "y ~ x + (1 | g)", "logit", priors).canonical
    layout = layout_of(likelihood_of(canonical.spec, canonical.design))
    prior, rng = LogPrior(layout, canonical.priors), np.random.default_rng(3)
    assert [free.name for free in layout.constants.values()] == ["", ""]
    for _ in range(3):
        y = rng.normal(size=len(layout.names))
        numerical = [(prior(y + along)[0] - prior(y - along)[0]) / 2e-6 for along in 1e-6 * np.eye(len(y))]
        assert_allclose(prior(y)[1], numerical, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("family", NAMES)
@FEW
def test_the_pymc_model_with_given_priors_is_scipys(family: str, link: str) -> None:
    """Priors hold for thresholds as written, at x = 0, in any order; independent."""
    priors = {"threshold": "Normal(0.5, 2)", "beta": "Normal(0.2, 0.7)", "sd": "HalfNormal(1.5)"}
    model, rng = bg.GLMM("y ~ x + (1 | g)", data(), family, link, priors).pymc, np.random.default_rng(1)
    for _ in range(3):
        threshold, beta, sd = rng.normal(1.0, 1.5, 3), rng.normal(0.3, 0.2, 1), rng.uniform(0.3, 1.0)
        z = rng.normal(size=(12, 1))
        eta = beta[0] * data()["x"].to_numpy() + sd * z[data()["g"], 0]
        expected = Stepwise(family, LATENT[link], eta, list(threshold)).logpmf(data()["y"].to_numpy()).sum()
        expected += stats.norm.logpdf(z).sum() + stats.halfnorm(scale=1.5).logpdf(sd)
        expected += stats.norm(0.5, 2.0).logpdf(threshold).sum() + stats.norm(0.2, 0.7).logpdf(beta).sum()
        values = {"threshold": threshold, "b": beta, "beta[x]": beta[0], "sd_g": [sd], "z_g": z}
        assert log_density(model, {one.name: values[one.name] for one in model.free_RVs}) == pytest.approx(expected)


def test_prior_draws_are_independent_and_in_any_order() -> None:
    import pymc as pm

    model = bg.GLMM("y ~ x", data(), "sratio").pymc
    drawn = pm.draw(model["threshold_at_centre"], draws=2000, mode=PYTHON, random_seed=5)
    assert 0.05 < (np.diff(drawn, axis=1) > 0).all(axis=1).mean() < 0.6
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 0.1
    # the last ratio is uniform
    assert stats.kstest(1.0 / (1.0 + np.exp(-drawn[:, -1])), "uniform").pvalue > 1e-4


EXPANDED = {"sratio": ("stop", -1.0), "cratio": ("on", 1.0)}


def expanded(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each category that a row reached: whether it went on."""
    pieces = []
    for k in (1, 2, 3):
        reached = frame[frame["y"] >= k]
        went_on = (reached["y"] > k).astype(int)
        pieces.append(reached.assign(at=str(k), on=went_on, stop=1 - went_on))
    return pd.concat(pieces, ignore_index=True)


@pytest.mark.parametrize("family", EXPANDED)
@FEW
def test_ratios_are_a_binary_model_of_the_expanded_rows(family: str, link: str) -> None:
    """The same maximum likelihood, and under equal priors the same mode of the posterior and the same evidence."""
    response, sign = EXPANDED[family]
    flat = {"threshold": "Normal(0, 2)", "x": "Normal(0, 1)", "sd": "HalfNormal(1.5)"}
    binary = {"x": "Normal(0, 1)", "beta": "Normal(0, 2)", "sd": "HalfNormal(1.5)"}
    one = bg.GLMM("y ~ x + (1 | g)", data(), family, link, flat)
    other = bg.GLMM(f"{response} ~ 0 + at + x + (1 | g)", expanded(data()), "bernoulli", link, binary)
    for kind in ("likelihood", "posterior"):
        a, b = (
            bg.approx.laplace(model, kind) if kind == "posterior" else bg.approx.laplace(model)
            for model in (one, other)
        )
        assert a.log_likelihood == pytest.approx(b.log_likelihood, abs=1e-8)
        found = a.coefficients_with_errors
        turned = np.concatenate([-sign * b.beta[:3], sign * b.beta[3:]])
        assert_allclose(found["estimate"], turned, atol=3e-5)
        assert_allclose(found["sd"], b.standard_errors, rtol=2e-3)
        assert a.sd("g")[0] == pytest.approx(b.sd("g")[0], abs=3e-5)


@pytest.mark.slow
@pytest.mark.parametrize("family", EXPANDED)
def test_their_posteriors_are_the_same(family: str) -> None:
    """By NUTS: means and sds within Monte Carlo error, population averages of one the products of the other's."""
    response, sign = EXPANDED[family]
    priors = {"x": "Normal(0, 1)", "beta": "Normal(0, 2)", "sd": "HalfNormal(1.5)"}
    one = bg.GLMM("y ~ x + (1 | g)", data(), family, None, priors | {"threshold": "Normal(0, 2)"})
    other = bg.GLMM(f"{response} ~ 0 + at + x + (1 | g)", expanded(data()), "bernoulli", None, priors)
    a, b = (model.fit(draws=3000, seed=2, progress=False) for model in (one, other))
    assert {a.check().verdict, b.check().verdict} == {"fit to use"}
    first = np.hstack([a.posterior.array("threshold"), a.posterior.beta[:, 1:], np.sqrt(a.posterior.G("g")[:, :, 0])])
    second = np.hstack(
        [-sign * b.posterior.beta[:, :3], sign * b.posterior.beta[:, 3:], np.sqrt(b.posterior.G("g")[:, :, 0])]
    )
    spread = second.std(axis=0)
    # 12,000 draws each with an effective number above 2,000: an error of the difference of 3 % of an sd
    assert (np.abs(first.mean(axis=0) - second.mean(axis=0)) < 0.12 * spread).all()
    assert_allclose(first.std(axis=0), spread, rtol=0.1)
