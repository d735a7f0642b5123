"""Correlated residuals: the integrated likelihood against dense algebra, differences, effects, and nlme's values."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import bayes_glmm as bg
from bayes_glmm.errors import SpecError
from bayes_glmm.likelihood import Likelihood, Parameters, likelihood_of
from bayes_glmm.likelihood.laplace import laplace_log_likelihood, laplace_value
from bayes_glmm.likelihood.layout import Layout, layout_of
from bayes_glmm.likelihood.unit import (
    coloured,
    log_density_given_others,
    log_density_of_blocks,
    unit_of,
    whitened,
)

FORMULAS = {
    "ar": ("y ~ x + ar(t, gr = g)",),
    "cosy": ("y ~ x + cosy(gr = g)",),
    "unstr": ("y ~ x + unstr(t, gr = g)",),
    "mmrm": ("y ~ x + unstr(t, gr = g)", "sigma ~ 0 + C(t)"),
    "ar and slopes": ("y ~ x + ar(t, gr = g) + (x | g)",),
    "cosy in sites": ("y ~ x + cosy(gr = g) + (1 | site) + (t || g)", "sigma ~ x"),
}


def data() -> pd.DataFrame:
    """Twelve levels in four sites on up to four occasions, some of them missing, in no order."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"g": np.repeat(np.arange(12), 4), "t": np.tile([0, 1, 2, 4], 12)})
    frame = frame.assign(site=frame["g"] % 4, x=rng.normal(size=48), item=np.tile(list("ppqq"), 12))
    frame["y"] = 1.0 + 0.5 * frame["x"] + rng.normal(size=12)[frame["g"]] + rng.normal(size=48)
    return frame.drop([1, 6, 7, 9, 40]).sample(frac=1.0, random_state=2).reset_index(drop=True)


@cache
def case(name: str) -> tuple[Likelihood, Layout, np.ndarray]:
    """A likelihood and a point of its vector x."""
    model = bg.GLMM(list(FORMULAS[name]), data())
    likelihood = likelihood_of(model.spec, model.design)
    layout = layout_of(likelihood)
    return likelihood, layout, 0.4 * np.random.default_rng(7).normal(size=len(layout.names))


def dense(likelihood: Likelihood, layout: Layout, x: np.ndarray) -> float:
    """Log N(y; X beta, Z G Z' + S R S)."""
    at, design = layout.parameters(x), likelihood.design
    residual, beta = design.residual, design.predictors.split(at.beta)
    assert residual is not None
    together = residual.index[:, None] == residual.index
    R = residual.matrix(at.auxiliary)[np.ix_(residual.at, residual.at)] * together
    sigma = at.auxiliary.get("sigma", 1.0) * np.ones(len(design.y))
    if "sigma" in beta:
        sigma = np.exp(design.predictors.of("sigma").X @ beta["sigma"])
    V = sigma[:, None] * R * sigma
    for block in design.blocks:
        same = block.index[:, None] == block.index
        V += block.values @ at.G(block.group) @ block.values.T * same
    return float(stats.multivariate_normal(design.X @ beta["mu"], V).logpdf(design.y))


@pytest.mark.parametrize("name", FORMULAS)
def test_the_likelihood_is_that_of_dense_algebra(name: str) -> None:
    likelihood, layout, x = case(name)
    found = laplace_log_likelihood(likelihood, layout.parameters(x))
    assert_allclose(found.value, dense(likelihood, layout, x), rtol=0, atol=1e-10)
    assert_allclose(laplace_value(likelihood, layout.parameters(x))[0], found.value, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", FORMULAS)
def test_the_gradient_is_that_of_differences(name: str) -> None:
    likelihood, layout, x = case(name)
    at = layout.parameters(x)
    gradient = layout.gradient(laplace_log_likelihood(likelihood, at).gradient, at)
    h = 1e-5
    differences = [
        (dense(likelihood, layout, x + step) - dense(likelihood, layout, x - step)) / (2.0 * h)
        for step in h * np.eye(len(x))
    ]
    assert_allclose(gradient, differences, rtol=1e-6, atol=1e-6)


def test_compound_symmetry_is_a_random_intercept() -> None:
    """Var = sigma^2 and correlation rho: sd sigma sqrt(rho) of levels, sigma sqrt(1 - rho) of rows."""
    frame, rho, sigma, beta = data(), 0.4, 1.3, np.array([0.7, 0.2])
    correlated, effects = (bg.GLMM(f"y ~ x + {term}", frame) for term in ("cosy(gr = g)", "(1 | g)"))
    values = []
    for model, theta in ((correlated, (sigma, rho)), (effects, (sigma * np.sqrt(rho), sigma * np.sqrt(1.0 - rho)))):
        likelihood = likelihood_of(model.spec, model.design)
        layout, residual = layout_of(likelihood), model.design.residual
        if residual is None:
            x = np.array([*beta, theta[0], np.log(theta[1])])
        else:
            place = float(residual.occasions.place(np.array(theta[1])))
            x = np.array([*beta, np.log(theta[0]), np.log(place / (1.0 - place))])
        values.append(laplace_log_likelihood(likelihood, layout.parameters(x)).value)
    assert_allclose(values[0], values[1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["ar", "cosy", "unstr"])
def test_densities_of_blocks_and_of_rows_given_others(name: str) -> None:
    """By draw; a row given the others is the block less the block without the row."""
    likelihood, _, _ = case(name)
    residual, rng = likelihood.design.residual, np.random.default_rng(6)
    assert residual is not None
    n = len(residual.index)
    places, e = rng.uniform(0.3, 0.9, (3, len(residual.names))), rng.normal(size=(3, n))
    log_sigma = rng.normal(size=(3, n))
    blocks = log_density_of_blocks(residual, places, e, log_sigma)
    given = log_density_given_others(residual, places, e, log_sigma)
    for draw, level in ((0, 0), (1, 3), (2, 11)):
        rows = np.flatnonzero(residual.index == level)
        R = residual.form.matrix(places[draw], residual.occasions)[np.ix_(residual.at[rows], residual.at[rows])]
        own, sizes = e[draw, rows], log_sigma[draw, rows]
        whole = stats.multivariate_normal(cov=R).logpdf(own) - sizes.sum()
        assert_allclose(blocks[draw, level], whole, atol=1e-10)
        rest = np.delete(np.arange(len(rows)), 0)
        without = stats.multivariate_normal(cov=R[np.ix_(rest, rest)]).logpdf(own[rest]) - sizes[rest].sum()
        assert_allclose(given[draw, rows[0]], whole - without, atol=1e-10)
    white, log_sd = whitened(residual, places, e)
    assert_allclose(coloured(residual, places, white), e, atol=1e-10)
    sums = [np.sum((stats.norm.logpdf(white) - log_sd - log_sigma)[:, residual.index == j], axis=1) for j in range(12)]
    assert_allclose(np.transpose(sums), blocks, atol=1e-10)
    assert unit_of(likelihood.design).labels == residual.levels


def test_rows_and_names_do_not_matter() -> None:
    frame = data()
    other = frame.sample(frac=1.0, random_state=9).assign(g=lambda one: "person " + (20 - one["g"]).astype(str))
    fits = [bg.approx.laplace(bg.GLMM("y ~ x + ar(t, gr = g) + (1 | g)", one)) for one in (frame, other)]
    assert_allclose(fits[0].log_likelihood, fits[1].log_likelihood, atol=1e-6)
    assert_allclose(fits[0].beta, fits[1].beta, atol=1e-4)
    later = frame.assign(t=2.5 * frame["t"] + 100.0)  # the same steps
    assert_allclose(
        fits[0].log_likelihood, bg.approx.laplace(bg.GLMM("y ~ x + ar(t, gr = g)+(1|g)", later)).log_likelihood
    )


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        (["y ~ x + ar(t, gr = g) + (1 | item)"], "several levels of item"),
        (["y ~ x + ar(t, gr = g)", "sigma ~ x + (1 | g)"], "enter the predictor of sigma"),
    ],
)
def test_effects_that_vary_within_blocks_are_refused(formula: list[str], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        bg.approx.laplace(bg.GLMM(formula, data()))


@pytest.mark.parametrize("method", [bg.approx.aghq, bg.approx.pql, bg.approx.gee, bg.approx.em])
def test_approximations_of_independent_rows_are_refused(method) -> None:
    with pytest.raises(SpecError, match="independent residuals"):
        method(bg.GLMM("y ~ x + cosy(gr = g) + (1 | g)", data()))


def _nlme(shared: Path, table: str, k: int) -> dict:
    path = shared / "reference" / "reference_families.json"
    if not path.is_file():
        pytest.skip(f"The values of R are not there: shared/{path.relative_to(shared)}.")
    return json.loads(path.read_text(encoding="utf-8"))[table]["computed"][k]["fits"][0]


def _table(shared: Path, name: str) -> pd.DataFrame:
    files = {"sleepstudy": "sleepstudy.csv", "btheb": "btheb_long.csv", "ovary": "ovary.csv"}
    frame = pd.read_csv(shared / "data" / files[name]).dropna()
    if name == "btheb":
        return frame.assign(visit=frame["month"].map({2: 1, 3: 2, 5: 3, 8: 4}))
    if name == "ovary":
        angle = 2.0 * np.pi * frame["Time"]
        return frame.assign(s=np.sin(angle), c=np.cos(angle), order=frame.groupby("Mare").cumcount())
    return frame


SLEEP = "Reaction ~ Days + "
BTHEB = "bdi ~ bdi_pre + drug + T(length, '<6m') + T(treatment, 'TAU') + C(month) + "
NLME = {
    "sleepstudy gls corAR1": ("sleepstudy", 7, [SLEEP + "ar(Days, gr = Subject)"]),
    "sleepstudy gls corCompSymm": ("sleepstudy", 8, [SLEEP + "cosy(gr = Subject)"]),
    "sleepstudy lme corAR1": ("sleepstudy", 9, [SLEEP + "ar(Days, gr = Subject) + (1 | Subject)"]),
    "ovary lme corAR1": ("ovary", 2, ["follicles ~ s + c + ar(order, gr = Mare) + (1 | Mare)"]),
    "ovary gls corAR1": ("ovary", 4, ["follicles ~ s + c + ar(order, gr = Mare)"]),
    "btheb gls corSymm varIdent": ("btheb", 0, [BTHEB + "unstr(month, gr = subject)", "sigma ~ 0 + C(month)"]),
    "btheb gls corCompSymm": ("btheb", 1, [BTHEB + "cosy(gr = subject)"]),
    "btheb gls corAR1 varIdent": ("btheb", 2, [BTHEB + "ar(visit, gr = subject)", "sigma ~ 0 + C(month)"]),
}


@pytest.mark.parametrize("name", NLME)
def test_maximum_likelihood_is_that_of_nlme(name: str, shared: Path) -> None:
    table, k, formula = NLME[name]
    theirs = _nlme(shared, table, k)
    frame = _table(shared, table)
    fit = bg.approx.laplace(bg.GLMM(formula, frame))
    assert_allclose(fit.log_likelihood, theirs["loglik"], rtol=0, atol=2e-4)
    ours, errors = fit.beta[: len(theirs["coefficients"])], fit.standard_errors[: len(theirs["se"])]
    # nlme's standard errors take the covariance as known and divide by n - p
    assert_allclose(ours, list(theirs["coefficients"].values()), rtol=0, atol=2e-3 * np.max(errors))
    assert_allclose(errors, list(theirs["se"].values()), rtol=0.05)
    correlations = list(theirs["correlation_parameters"].values())
    rows = fit.summary().query("kind == 'correlation of residuals'")["estimate"].to_numpy()
    if "unstr" in formula[0]:  # rho1, ... are of the pairs (1, 2), (1, 3), (1, 4), (2, 3), ...
        rows = rows[[0, 1, 3, 2, 4, 5]]
    assert_allclose(rows, correlations, rtol=0, atol=2e-3)


def test_the_likelihood_at_a_fit_of_nlme_is_its_own(shared: Path) -> None:
    """Correlated slopes beside AR(1): nlme stops before a correlation of 1, so that maxima differ."""
    theirs = _nlme(shared, "sleepstudy", 10)
    model = bg.GLMM(SLEEP + "ar(Days, gr = Subject) + (Days | Subject)", _table(shared, "sleepstudy"))
    *sds, sigma = theirs["sd_ranef"].values()
    r, phi = theirs["corr"][0]["corr"], theirs["correlation_parameters"]["Phi"]
    L = np.diag(sds) @ np.linalg.cholesky(np.array([[1.0, r], [r, 1.0]]))
    beta = np.array(list(theirs["coefficients"].values()))
    at = Parameters(beta, {"Subject": L}, {"sigma": sigma, "unit_rho": 0.5 + 0.5 * phi})
    found = laplace_log_likelihood(likelihood_of(model.spec, model.design), at)
    assert_allclose(found.value, theirs["loglik"], rtol=0, atol=1e-5)
