"""Known standard errors and precision weights: a meta-analysis against metafor and against quadrature over tau."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import bayes_glmm as bg
from bayes_glmm.errors import DataError
from tests.statistical.test_exact_posteriors import MEAN_WITHIN, SD_RATIO

FORMULA = "log_or | se(se) ~ 1 + (1 | trial)"
PRIORS = {"Intercept": "Normal(0, 2)", "sd_trial": "HalfNormal(1)"}
# metafor::rma(method = "ML") of the trials of BCG vaccine: estimate, its standard error, tau, log likelihood
METAFOR = {
    "1": ([-0.74196683], [0.177953371], 0.549960519, -13.0727596),
    "ablat_c": ([-0.708771782, -0.0327224933], [0.054965658, 0.00337153984], 0.0632329109, -6.96343361),
}


@pytest.fixture(scope="module")
def trials(shared: Path) -> pd.DataFrame:
    table = pd.read_csv(shared / "data" / "bcg.csv")
    return table.assign(ablat_c=table["ablat"] - 33)


@pytest.mark.parametrize("right", METAFOR)
def test_maximum_likelihood_is_metafors(trials: pd.DataFrame, right: str) -> None:
    beta, errors, tau, log_likelihood = METAFOR[right]
    found = bg.approx.laplace(bg.GLMM(f"log_or | se(se) ~ {right} + (1 | trial)", trials))
    assert found.log_likelihood == pytest.approx(log_likelihood, abs=1e-6)
    assert_allclose(found.beta, beta, atol=1e-4 * np.array(errors).min())
    assert found.sd("trial")[0] == pytest.approx(tau, rel=1e-4)


def test_the_posterior_is_the_exact_one(trials: pd.DataFrame) -> None:
    """Given tau everything is normal, so that one integral is left."""
    fit = bg.GLMM(FORMULA, trials, priors=PRIORS).fit(draws=2000, seed=3, progress=False)
    y, s = trials["log_or"].to_numpy(), trials["se"].to_numpy()
    tau = np.linspace(1e-4, 4.0, 4001)
    weight = 1.0 / (s**2 + tau[:, None] ** 2)
    precision = weight.sum(axis=1) + 1.0 / 2.0**2
    mean = (weight * y).sum(axis=1) / precision
    marginal = 0.5 * np.log(weight).sum(axis=1) - 0.5 * (weight * y**2).sum(axis=1)
    log = stats.halfnorm.logpdf(tau) + marginal - 0.5 * np.log(precision) + 0.5 * precision * mean**2
    share = np.exp(log - log.max()) / np.exp(log - log.max()).sum()
    for draws, first, second in (
        (fit.posterior.beta[:, 0], share @ mean, share @ (1.0 / precision + mean**2)),
        (np.sqrt(fit.posterior.G("trial")[:, 0, 0]), share @ tau, share @ tau**2),
    ):
        sd = np.sqrt(second - first**2)
        assert abs(draws.mean() - first) < MEAN_WITHIN * sd
        assert SD_RATIO[0] < draws.std() / sd < SD_RATIO[1]


def test_known_errors_have_no_sigma(trials: pd.DataFrame) -> None:
    model = bg.GLMM(FORMULA, trials)
    assert not model.spec.auxiliary
    assert "log(σ_i) = offset(log(se))_i" in str(model)
    assert not [finding for finding in model.findings if finding.name == "single_rows"]


def test_the_mean_needs_no_standard_errors(trials: pd.DataFrame) -> None:
    """What an answer does not depend on may be missing from new rows, and does not divide the data's."""
    posterior = bg.GLMM("log_or | se(se) ~ ablat_c + (1 | trial)", trials).fit(
        draws=100, chains=1, seed=1, progress=False
    )
    rows = trials[["ablat_c"]]
    with_errors = posterior.predict(trials[["ablat_c", "se"]], "integrated").table["estimate"]
    assert_allclose(posterior.predict(rows, "integrated").table["estimate"], with_errors)
    assert list(posterior.predict(random_effects="integrated").table["n"]) == [2, 1, 2, 1, 2, 1, 1, 1, 2]
    assert not len(posterior.coefficients("sigma").table)
    one = posterior.compare("ablat_c", newdata=rows).table["estimate"]
    assert_allclose(one, posterior.compare("ablat_c").table["estimate"])
    with pytest.raises(DataError, match="'se'"):
        posterior.predict(rows, part="sigma")
    with pytest.raises(DataError, match="'se'"):
        posterior.predict(rows, scale="outcome")


def test_a_report_of_known_errors(trials: pd.DataFrame, tmp_path: Path) -> None:
    fit = bg.GLMM(FORMULA, trials).fit(draws=200, chains=2, seed=1, progress=False)
    text = fit.report(tmp_path / "meta.html").read_text(encoding="utf-8")
    assert "sd_trial" in text
    assert "Residual scale" not in text


def test_precision_weights_scale_sigma() -> None:
    """Means of n rows with weight n are those rows, but for the sum of squares within."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"x": rng.normal(size=40), "n": rng.integers(1, 9, 40)})
    table["y"] = 1.0 + table["x"] + rng.normal(size=40) / np.sqrt(table["n"])
    found = bg.approx.laplace(bg.GLMM("y | weights(n, precision) ~ x", table))
    X, n = np.column_stack([np.ones(40), table["x"]]), table["n"].to_numpy(float)
    beta = np.linalg.solve(X.T @ (n[:, None] * X), X.T @ (n * table["y"]))
    sigma = np.sqrt(np.mean(n * (table["y"] - X @ beta) ** 2))
    assert_allclose(found.beta, [*beta, np.log(sigma)], rtol=1e-6)
