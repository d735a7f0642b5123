"""Profile intervals against lme4 and against likelihoods maximised elsewhere; Wald intervals against their meaning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, stats

import bayes_glmm as bg
from bayes_glmm.approx.profile import with_first
from bayes_glmm.errors import EstimationError, SpecError
from bayes_glmm.likelihood import Parameters, laplace_log_likelihood, likelihood_of

HALF = 0.5 * stats.chi2.ppf(0.95, 1)


@pytest.fixture(scope="module")
def sleep(shared: Path) -> bg.approx.ApproxFit:
    frame = pd.read_csv(shared / "data" / "sleepstudy.csv")
    return bg.approx.laplace(bg.GLMM("Reaction ~ Days + (Days | Subject)", frame))


def test_profiles_of_sleepstudy_are_those_of_lme4(sleep: bg.approx.ApproxFit) -> None:
    table = bg.approx.intervals(sleep, "profile")
    assert table["parameter"].tolist() == ["Intercept", "Days", "Intercept", "Days", "sigma"]
    expected = [[237.68, 265.13], [7.36, 13.58], [14.38, 37.72], [3.80, 8.75], [22.90, 28.86]]
    assert_allclose(table[["lower", "upper"]], expected, atol=0.0051)


def dense_profile(fit: bg.approx.ApproxFit, sd: float | None = None, slope: float | None = None) -> float:
    """The Gaussian log likelihood of sleepstudy from its 180 x 180 covariance, at an sd or a coefficient of Days."""
    design = fit.design
    Z = (np.eye(18)[design.block("Subject").index][:, :, None] * design.X[:, None, :]).reshape(180, 36)

    def objective(v: np.ndarray) -> float:
        sds = np.array([np.exp(v[0]), np.exp(v[1]) if sd is None else sd])
        corr = np.tanh(v[2])
        G = np.outer(sds, sds) * np.array([[1.0, corr], [corr, 1.0]])
        V = Z @ np.kron(np.eye(18), G) @ Z.T + np.exp(2.0 * v[3]) * np.eye(180)
        X = design.X if slope is None else design.X[:, :1]
        y = design.y if slope is None else design.y - slope * design.X[:, 1]
        root = np.linalg.cholesky(V)
        wX, wy = np.linalg.solve(root, X), np.linalg.solve(root, y)
        beta = np.linalg.lstsq(wX, wy)[0]
        return np.log(np.diagonal(root)).sum() + 0.5 * np.sum((wy - wX @ beta) ** 2) + 90.0 * np.log(2.0 * np.pi)

    start = np.array([np.log(24.0), np.log(6.0), 0.1, np.log(25.0)])
    return -optimize.minimize(objective, start, method="BFGS", options={"gtol": 1e-4}).fun


def test_the_dense_likelihood_has_fallen_by_1_92_at_the_ends(sleep: bg.approx.ApproxFit) -> None:
    table = bg.approx.intervals(sleep, "profile").set_index(["kind", "parameter"])
    maximum = dense_profile(sleep)
    assert maximum == pytest.approx(sleep.log_likelihood, abs=1e-6)
    for end in ("lower", "upper"):
        sd, slope = (table[end].astype(float)[kind, "Days"] for kind in ("sd of Subject", "coefficient"))
        assert maximum - HALF == pytest.approx(dense_profile(sleep, sd=float(sd)), abs=1e-3)
        assert maximum - HALF == pytest.approx(dense_profile(sleep, slope=float(slope)), abs=1e-3)


def counts() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(20), 6)
    x = rng.normal(size=120)
    y = rng.poisson(np.exp(0.2 + 0.5 * x + 0.4 * rng.normal(size=20)[g]))
    return pd.DataFrame({"y": y, "x": x, "g": g.astype(str), "even": np.tile([3, 2, 3, 2, 3, 2], 20)})


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_a_generalised_linear_model_refitted_at_the_ends(level: float) -> None:
    from statsmodels.genmod.families import Poisson
    from statsmodels.genmod.generalized_linear_model import GLM

    frame = counts()
    found = bg.approx.laplace(bg.GLMM("y ~ x", frame, family="poisson"))
    ends = bg.approx.intervals(found, "profile", level).loc[1, ["lower", "upper"]]
    for c in ends.to_numpy(float):
        at_end = GLM(frame["y"], np.ones(120), family=Poisson(), offset=c * frame["x"]).fit(tol=1e-12)
        drop = 2.0 * (found.log_likelihood - at_end.llf)
        assert stats.chi2.ppf(level, 1) == pytest.approx(drop, abs=1e-3)


def test_an_interval_of_a_standard_deviation_may_end_at_0() -> None:
    frame = counts()
    found = bg.approx.laplace(bg.GLMM("y ~ x + (1 | g)", frame, family="poisson"))
    without = bg.approx.laplace(bg.GLMM("y ~ x", frame, family="poisson"))
    assert 0 < found.log_likelihood - without.log_likelihood < HALF
    lower, upper = bg.approx.intervals(found, "profile").loc[2, ["lower", "upper"]]
    assert lower == 0.0
    assert upper > found.sd("g")[0]
    # at a level at which the model without the term lies outside, the interval ends above 0
    level = float(stats.chi2.cdf(2.0 * (found.log_likelihood - without.log_likelihood), 1)) - 0.01
    assert 0.0 < bg.approx.intervals(found, "profile", level)["lower"].to_numpy(float)[2] < found.sd("g")[0]


def test_an_estimate_of_0_has_an_upper_end() -> None:
    found = bg.approx.laplace(bg.GLMM("even ~ x + (1 | g)", counts(), family="poisson"))
    assert found.messages
    lower, upper = bg.approx.intervals(found, "profile").loc[2, ["lower", "upper"]].to_numpy(float)
    assert lower == 0.0

    def at(sd: float) -> float:
        """The largest log likelihood over beta at an sd, by a general optimiser."""
        likelihood, L = likelihood_of(found.spec, found.design), {"g": np.array([[sd]])}

        def objective(beta: np.ndarray) -> float:
            return -laplace_log_likelihood(likelihood, Parameters(beta, L, {})).value

        return -float(optimize.minimize(objective, found.beta, method="Nelder-Mead", options={"fatol": 1e-8}).fun)

    assert found.log_likelihood - HALF == pytest.approx(at(float(upper)), abs=1e-3)
    # on the log scale the curvature at 0 says nothing
    assert bg.approx.intervals(found).loc[2, ["lower", "upper"]].to_numpy(float).tolist() == [0.0, np.inf]


def test_the_order_of_correlated_effects_does_not_matter(sleep: bg.approx.ApproxFit) -> None:
    table = bg.approx.intervals(sleep)
    turned = with_first(sleep, sleep.design.blocks[0], 1)
    assert turned.layout.blocks[0].effects == ("Days", "Intercept")
    assert sleep.log_likelihood == pytest.approx(turned.log_likelihood, abs=1e-7)
    again = bg.approx.intervals(turned)
    for i, j in ((2, 3), (3, 2)):
        assert_allclose(
            table.loc[i, ["lower", "upper"]].astype(float), again.loc[j, ["lower", "upper"]].astype(float), rtol=1e-4
        )


def test_wald_intervals_are_those_of_simulated_parameters(sleep: bg.approx.ApproxFit) -> None:
    # where the logarithm is straight
    assert sleep.canonical is not None
    inner, columns = sleep.canonical
    inner = replace(inner, covariance=1e-4 * inner.covariance)
    close = replace(sleep, covariance=1e-4 * sleep.covariance, canonical=(inner, columns))
    lower, upper = bg.approx.intervals(close)[["lower", "upper"]].to_numpy(float).T
    many = replace(close, draws=20_000).posterior
    sds, sigma = np.log(many.array("sd_Subject")), np.log(many.array("sigma"))
    spread = np.concatenate([many.beta.std(axis=0), sds.std(axis=0), np.atleast_1d(sigma.std())])
    width = np.concatenate([(upper - lower)[:2], np.log(upper[2:] / lower[2:])])
    assert_allclose(width, 2.0 * stats.norm.isf(0.025) * spread, rtol=0.03)


def test_wald_intervals_of_other_methods(sleep: bg.approx.ApproxFit) -> None:
    model = bg.GLMM("y ~ x + (1 | g)", counts(), family="poisson")
    mode = bg.approx.laplace(model, "posterior")
    table = bg.approx.intervals(mode)
    assert (table["lower"] < table["estimate"]).all()
    assert (table["estimate"] < table["upper"]).all()
    gee = bg.approx.gee(model)
    z = stats.norm.isf(0.025)
    assert_allclose(bg.approx.intervals(gee)["upper"], gee.beta + z * gee.standard_errors)
    for fit in (mode, gee):
        with pytest.raises(SpecError, match="has no likelihood to profile"):
            bg.approx.intervals(fit, "profile")
    with pytest.raises(SpecError, match="There are no intervals 'profil'"):
        bg.approx.intervals(sleep, "profil")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="level must lie between 0 and 1"):
        bg.approx.intervals(sleep, level=95.0)
    with pytest.raises(EstimationError, match="without a clear maximum"):
        bg.approx.intervals(replace(sleep, converged=False), "profile")
    with pytest.raises(EstimationError, match="rises above the maximum"):
        bg.approx.intervals(replace(sleep, log_likelihood=sleep.log_likelihood - 3.0), "profile")
