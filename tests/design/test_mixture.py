"""Default priors of contrasts with a reference: their covariance, which no choice of the reference changes.

Witnesses: the covariance written out by NumPy, contrasts with another reference as a linear map, SciPy's multivariate
normal density, and draws of the PyMC model.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import bayes_glmm as bg
from bayes_glmm.design.mixture import independent_priors, mixture
from bayes_glmm.design.prior_record import from_record, to_record
from bayes_glmm.diagnostics.prior_density import log_prior
from bayes_glmm.effects import predict
from bayes_glmm.posterior import posterior_at
from bayes_glmm.spec import ModelSpec, Prior
from bayes_glmm.studies.simulation import draw_priors

S = 2.5
LABELS = list("abcd")


def data(order: list[str] = LABELS) -> pd.DataFrame:
    rng, n = np.random.default_rng(4), 150
    x, f = rng.normal(40.0, 3.0, n), rng.choice(["p", "q", "r"], n)
    etas = np.outer([0.0, 0.2, -0.1, 0.3], x - 40.0) + np.outer([0.0, 0.5, 1.0, -0.5], f == "q")
    y = np.array(LABELS)[np.argmax(etas + rng.gumbel(size=(4, n)), axis=0)]
    return pd.DataFrame({"y": pd.Categorical(y, order), "x": x, "f": f})


def model(order: list[str] = LABELS, **settings: object) -> bg.GLMM:
    return bg.GLMM("y ~ x + f", data(order), "categorical", **settings)  # type: ignore[arg-type]


def moments(made: bg.GLMM) -> tuple[np.ndarray, np.ndarray]:
    """Prior mean [category - 1, coefficient] and covariance of all coefficients as written."""
    canonical = made.priors.canonical
    assert canonical.mix is not None
    scalars = [dict(prior.keyword) for prior in made.priors.scalars.values()]
    T = canonical.T @ canonical.mix
    mean = T @ np.array([one["mu"] for one in scalars])
    sd = np.array([one["sigma"] for one in scalars])
    return mean.reshape(len(canonical.fixed), -1), (T * sd**2) @ T.T


def test_contrasts_have_the_covariance_of_the_span_and_correlation_one_half() -> None:
    made = model()
    _, found = moments(made)
    X = made.design.predictors.location.X
    P = X.T @ X / len(X)  # in which the intercept at the centre and the slopes about it have sd S
    between = 0.5 * (np.eye(3) + np.ones((3, 3)))
    assert_allclose(found, S**2 * np.kron(between, np.linalg.inv(P)), rtol=1e-9)


@pytest.mark.parametrize("reference", LABELS)
def test_the_prior_is_the_same_with_every_reference(reference: str) -> None:
    order = [reference, *(label for label in LABELS if label != reference)]
    (mean, V), (other_mean, other_V) = moments(model()), moments(model(order))
    scores = np.vstack([np.zeros(3), np.eye(3)])  # of each category from contrasts with a
    to_other = scores[[LABELS.index(label) for label in order[1:]]] - scores[LABELS.index(reference)]
    assert_allclose(other_mean, to_other @ mean, atol=1e-9)
    change = np.kron(to_other, np.eye(4))
    assert_allclose(other_V, change @ V @ change.T, rtol=1e-9, atol=1e-9)


def test_the_mode_of_the_posterior_is_the_same_with_another_reference() -> None:
    rows = data().iloc[:8][["x", "f"]]
    shares, values = [], []
    for order in (LABELS, list("cabd")):
        fit = bg.approx.laplace(model(order), "posterior")
        beta = np.split(np.asarray(fit.parameters.beta), 3)
        spec, further = ModelSpec.from_formula("y ~ x + f", "categorical"), [f"mu{label}" for label in order[2:]]
        point = posterior_at(spec, data(order), beta[0], {}, further=dict(zip(further, beta[1:], strict=True)))
        table = predict(point, rows, "zero").table
        shares.append(table.pivot_table("estimate", ["x", "f"], "category", observed=True, sort=False)[LABELS])
        values.append(fit.log_likelihood)
    assert_allclose(shares[0], shares[1], atol=1e-8)
    assert values[0] == pytest.approx(values[1], abs=1e-8)


@pytest.mark.slow
def test_draws_are_of_the_same_posterior_with_another_reference() -> None:
    rows, found = data().iloc[:6][["x", "f"]], []
    for order in (LABELS, list("dcba")):
        fit = model(order).fit(draws=2_000, tune=500, chains=2, seed=2, progress=False)
        table = fit.predict(rows, "zero").table.set_index(["x", "f", "category"])
        found.append(table[["estimate", "mcse"]])
    one, other = found[0], found[1].reindex(found[0].index)
    assert (np.abs(one["estimate"] - other["estimate"]) < 5.0 * np.hypot(one["mcse"], other["mcse"])).all()


def test_draws_of_the_pymc_model_have_this_covariance() -> None:
    made, size = model(), 4_000
    prior = draw_priors(made.problem, size, 1)
    beta = np.concatenate([prior.coefficients(f"mu{label}") for label in "bcd"], axis=1)
    mean, V = moments(made)
    sd = np.sqrt(np.diagonal(V))
    assert (np.abs(beta.mean(axis=0) - mean.ravel()) < 5.0 * sd / np.sqrt(size)).all()
    assert_allclose(np.corrcoef(beta.T), V / np.outer(sd, sd), atol=5.0 / np.sqrt(size))


def test_the_log_prior_of_draws_is_the_multivariate_normal_density() -> None:
    made, rng = model(), np.random.default_rng(3)
    mean, V = moments(made)
    draws = rng.multivariate_normal(mean.ravel(), V, 6)
    one, *others = np.split(draws, 3, axis=1)
    posterior = posterior_at(made.spec, data(), one, {}, further=dict(zip(["muc", "mud"], others, strict=True)))
    posterior = replace(posterior, priors=made.priors)
    expected = np.asarray(stats.multivariate_normal(mean.ravel(), V, allow_singular=True).logpdf(draws))
    found = log_prior(posterior).ravel()
    assert_allclose(found - found[0], expected - expected[0], atol=1e-6)


def test_columns_with_given_priors_are_not_mixed() -> None:
    """Given for all categories the others are; given for one, that category is independent of the others."""
    for_all = model(priors={"x": "Normal(0, 1)"}).priors
    assert for_all.canonical.mix is not None
    x = for_all.canonical.location.names.index("x")
    moved = (for_all.canonical.mix != np.eye(12)).any(axis=1)
    assert_array_equal(moved, [False] * 4 + [j != x for j in range(4)] * 2)
    for_one = model(priors={"mub.x": "Normal(0, 1)"}).priors
    assert for_one.canonical.mix is not None
    assert_array_equal(for_one.canonical.mix[:4], np.eye(12)[:4])
    assert_allclose(for_one.canonical.mix[8, 4], 0.5)
    named = [name for name, source in for_one.sources.items() if "between categories" in source]
    assert named == [name for name in for_one.entries if not name.startswith("beta_mub")]
    assert model(priors={"beta": "Normal(0, 1)", "Intercept": "Normal(0, 2)"}).priors.canonical.mix is None
    assert bg.GLMM("y ~ x", data().assign(y=data()["y"] == "a"), "bernoulli").priors.canonical.mix is None


def test_marginal_priors_stay_and_name_the_correlation() -> None:
    priors = model().priors
    assert dict(priors["beta_mub[x]"].keyword)["sigma"] == dict(priors["beta_mud[x]"].keyword)["sigma"]
    assert priors.sources["beta_mub[x]"].endswith(", correlation 0.5 between categories")
    assert "correlation 0.5 between categories" in " ".join(str(model()).split())


def test_a_record_has_the_mixture_and_one_without_is_read_as_independent() -> None:
    priors = model().priors
    record = json.loads(json.dumps(to_record(priors)))
    assert from_record(priors, record).canonical == priors.canonical
    del record["canonical"]["mix"]
    assert from_record(priors, record).canonical.mix is None


def test_means_of_the_independent_ones_are_solved_for() -> None:
    root = np.linalg.cholesky(0.5 * (np.eye(2) + np.ones((2, 2))))
    priors = {"a": Prior.parse("Normal(mu=1, sigma=2)"), "b": Prior.parse("Normal(mu=-1, sigma=2)")}
    found = [dict(prior.keyword) for prior in independent_priors(priors, root).values()]
    assert_allclose(root @ [one["mu"] for one in found], [1.0, -1.0], atol=1e-15)
    assert [one["sigma"] for one in found] == [2.0, 2.0]
    fixed = model().design.predictors.fixed
    assert mixture(fixed, {one.parameter: np.ones(4, bool) for one in fixed}, 0.0) is None
