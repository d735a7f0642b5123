"""Priors: what is stated is what is drawn, and what cannot be is one SpecError before sampling."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import bayes_glmm as bg
from bayes_glmm.model.variables import scalar_variable
from tests.model.distributions import LKJ, distribution
from tests.model.structures import small_data

QUANTILES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
DRAWS = 4_000
# 6 binomial standard errors: 30 to 60 shares are compared below, none may fail by chance
NEAR = 6 * np.sqrt(QUANTILES * (1 - QUANTILES) / DRAWS)


@pytest.mark.parametrize(
    "priors",
    [
        {"sd": "HalfNormal(2)", "corr": "LKJ(2)"},
        {"sd": "HalfStudentT(nu=3, sigma=2.5)", "corr": "LKJ(1)", "beta": "StudentT(4, 1, sigma=0.5)"},
        {
            "sd_g[Intercept]": "Exponential(0.5)",
            "sd_g[x]": "Gamma(2, 3)",
            "corr_g": "LKJ(eta=6)",
            "sigma": "HalfCauchy(2)",
        },
    ],
    ids=["half-normal", "half-t", "mixed"],
)
def test_prior_draws_have_the_stated_quantiles(priors: dict[str, str]) -> None:
    model = bg.GLMM("y ~ x + w + (x + w | g)", small_data(), priors=priors)
    draws = model.prior_predictive(DRAWS, seed=3)["prior"].to_dataset().isel(chain=0)
    compared = {
        **{f"beta[{name}]": draws["beta"].sel(coefficient=name) for name in model.design.coefficients},
        **{f"sd_g[{name}]": draws["sd_g"].sel(g_effect=name) for name in model.design.coefficients},
        "sigma": draws["sigma"],
    }
    # where slopes are not normal, the intercept's default is stated at the centre: it has no closed form at x = 0
    compared["beta[Intercept[centre]]"] = draws["beta"] @ xr.DataArray(model.design.X.mean(axis=0), dims="coefficient")
    compared = {name: values for name, values in compared.items() if name in model.priors.entries}
    assert len(compared) == 7
    for name, values in compared.items():
        stated = distribution(model.priors[name]).ppf(QUANTILES)
        below = (values.to_numpy()[:, None] <= stated).mean(axis=0)
        assert (np.abs(below - QUANTILES) <= NEAR).all(), f"{name}: {below} below the quantiles {QUANTILES}"
    lkj = distribution(model.priors["corr_g"])
    assert isinstance(lkj, LKJ)
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        rho = draws["corr_g"].to_numpy()[:, i, j]
        below = (rho[:, None] <= lkj.marginal(3).ppf(QUANTILES)).mean(axis=0)
        assert (np.abs(below - QUANTILES) <= NEAR).all(), f"correlation {i}, {j}: {below}"


def test_random_effects_have_the_covariance_of_their_draw() -> None:
    model = bg.GLMM("y ~ x + (x | g)", small_data())
    draws = model.prior_predictive(DRAWS, seed=4)["prior"].to_dataset().isel(chain=0)
    G, u = draws["G_g"].to_numpy(), draws["u_g"].to_numpy()
    assert np.linalg.eigvalsh(G).min() > 0
    np.testing.assert_allclose(np.sqrt(np.diagonal(G, axis1=1, axis2=2)), draws["sd_g"], rtol=1e-12)
    # u' G^-1 u is chi-square with one degree of freedom an effect
    distance = np.einsum("dli,dij,dlj->dl", u, np.linalg.inv(G), u)
    assert stats.kstest(distance[:, 0], stats.chi2(2).cdf).pvalue > 1e-4
    assert stats.kstest(distance.ravel(), stats.chi2(2).cdf).pvalue > 1e-4


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ({"x": "Nrmal(0, 1)"}, "no distribution 'Nrmal'.*prior of beta.x.*Did you mean 'Normal'"),
        ({"x": "Normal(mean=0, sigma=1)"}, "no argument 'mean'.*prior of beta.x.*Valid: mu, sigma"),
        ({"sigma": "HalfNormal(0, 2, 3)"}, "1 argument by position.*prior of sigma.*Valid: sigma"),
        ({"x": "Normal(0, -1)"}, "not valid: sigma > 0.*prior of beta.x"),
        ({"x": "StudentT(3, 0, 1)"}, "2 arguments by position.*Write StudentT.3, 0, sigma=1.[.]"),
        ({"x": "Normal(0, 1, 2, 3, 4)"}, "not valid.*2 arguments by position.*prior of beta.x"),
        ({"x": "StudentT()"}, "not valid: StudentT needs nu.*prior of beta.x"),
        ({"x": "Normal([0, 1], 1)"}, "not of one real number.*prior of beta.x"),
        ({"x": "MvNormal([0, 0], [1, 1])"}, "prior of beta.x"),
        ({"x": "Dirichlet([1, 1])"}, "not of one real number.*prior of beta.x"),
        ({"x": "Poisson(3)"}, "not of one real number.*continuous"),
        ({"x": "LKJ(2)"}, "one of a correlation matrix.*prior of beta.x"),
        ({"sd": "LKJ(2)"}, "one of a correlation matrix.*prior of sd_g.Intercept"),
        ({"sd": "Normal(0, 1)"}, r"allows negative values.*prior of sd_g.Intercept.*Write HalfNormal\(1\)"),
        ({"sd_g": "Normal(-5, 1)"}, "allows negative values.*prior of sd_g.Intercept.*Use HalfNormal"),
        ({"sd": "Flat()"}, "allows negative values.*prior of sd_g.Intercept"),
        ({"sigma": "Cauchy(0, 1)"}, r"allows negative values.*prior of sigma.*Write HalfCauchy\(1\)"),
        ({"sd": "Gumbel(0, 1)"}, "allows negative values.*prior of sd_g.Intercept"),
        ({"sd": "normal(0, 1)"}, r"no distribution 'normal'.*prior of sd_g.Intercept.*Write Normal\(0, 1\)"),
        ({"corr": "lkj(2)"}, "not one of a correlation matrix.*prior of corr_g"),
        ({"x": "student_t(3, 0, 2.5)"}, "no distribution 'student_t'.*Write StudentT"),
        ({"x": "Exponential(0)"}, "not valid: lam > 0"),
        ({"x": "Uniform(1, 1)"}, "not valid: lower < upper"),
        ({"x": "Normal(0, tau=-1)"}, "not valid.*prior of beta.x"),
        ({"x": bg.Prior("Normal", (0.0, float("nan")))}, "not finite.*prior of beta.x"),
        ({"x": bg.Prior("Normal", keyword=(("sigma", float("inf")),))}, "not finite.*prior of beta.x"),
        ({"sd_g[x]": "Normal(9, 0.01)"}, "allows negative values.*prior of sd_g.x"),
        ({"sd_g[x]": "Uniform(-0.1, 5)"}, "allows negative values.*prior of sd_g.x"),
        ({"sigma": "StudentT(3, 0, sigma=1)"}, "allows negative values.*prior of sigma"),
        ({"corr": "Normal(0, 1)"}, r"not one of a correlation matrix.*prior of corr_g.*LKJ\(2\)"),
        ({"corr": "LKJ()"}, "not one of a correlation matrix.*prior of corr_g"),
        ({"corr": "LKJ(1, 2)"}, "not one of a correlation matrix.*prior of corr_g"),
        ({"corr": "LKJ(n=3)"}, "not one of a correlation matrix.*prior of corr_g"),
        ({"corr": "LKJ(2, n=3)"}, "not one of a correlation matrix.*prior of corr_g"),
        ({"corr": "LKJ(eta=2, n=3)"}, "not one of a correlation matrix.*prior of corr_g"),
        ({"corr": "LKJCorr(2)"}, "not one of a correlation matrix.*prior of corr_g"),
        ({"corr": "LKJ(0)"}, "above 0.*prior of corr_g"),
        ({"corr": "LKJ([1, 2])"}, "above 0.*prior of corr_g"),
    ],
    ids=lambda value: next(iter(value.values())) if isinstance(value, dict) else "",
)
def test_a_prior_that_is_not_valid_is_one_error_before_anything_is_fitted(priors: dict[str, str], message: str) -> None:
    with pytest.raises(bg.SpecError, match=message):
        bg.GLMM("y ~ x + (x | g)", small_data(), priors=priors)


@pytest.mark.filterwarnings("ignore")  # PyMC's own remarks on arguments made up here
def test_every_name_of_pymc_is_a_prior_or_one_error() -> None:
    """No distribution, whatever its kind, ends in an exception of another library."""
    import pymc as pm

    accepted = []
    for name in pm.distributions.__all__:
        for arguments in ("", "2", "1, 2", "[0.5, 0.5], 2"):
            with pm.Model():
                try:
                    variable = scalar_variable("x", bg.Prior.parse(f"{name}({arguments})"), "real")
                except bg.SpecError:
                    continue
            assert 0 == variable.ndim
            accepted.append(name)
    assert {"Normal", "Cauchy", "Laplace", "StudentT", "Gumbel", "Logistic", "HalfNormal"} <= set(accepted)
    assert not {"Poisson", "Bernoulli", "MvNormal", "Dirichlet", "LKJCorr", "CustomDist"} & set(accepted)
