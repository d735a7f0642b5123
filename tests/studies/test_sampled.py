"""Cross-validation with NUTS: beside closed forms, importance sampling and a fit by hand; on a cluster as here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from distributed import Client
from scipy import special, stats

import bayes_glmm as bg
from bayes_glmm.diagnostics import LOO, loo_by_group
from bayes_glmm.spec import Prior
from tests.studies import exact

FORMULA = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


def known(sd: float) -> Prior:
    """A prior that leaves nothing to learn."""
    return Prior.parse(f"LogNormal({np.log(sd)}, 0.0001)")


@pytest.fixture(scope="module")
def gaussian() -> bg.GLMM:
    """The model of ``exact``, its standard deviations known."""
    model = exact.model("y ~ x + kind + (1 | g)")
    priors = {**model.spec.priors, "sd_g": known(exact.SD["Intercept"]), "sigma": known(exact.SIGMA)}
    return bg.GLMM(replace(model.spec, priors=priors), exact.data())


@pytest.fixture(scope="module")
def cbpp(shared: Path) -> pd.DataFrame:
    return pd.read_csv(shared / "data" / "cbpp.csv", dtype={"herd": str, "period": str})


@pytest.fixture(scope="module")
def herds(cbpp: pd.DataFrame) -> bg.Fit:
    return bg.GLMM(FORMULA, cbpp, family="binomial").fit(draws=1000, chains=4, seed=1, progress=False)


@pytest.fixture(scope="module")
def importance(herds: bg.Fit) -> LOO:
    return loo_by_group(herds.posterior, draws=4000)


@pytest.mark.parametrize("by", ["g", None])
def test_densities_are_those_of_the_closed_form(gaussian: bg.GLMM, by: str | None) -> None:
    found = bg.kfold(gaussian, k=3, by=by, seed=2, draws=1000, progress=False)
    unit = np.arange(36) if by is None else gaussian.design.block("g").index
    fold = found.pointwise["fold"].to_numpy()
    expected = [exact.density(gaussian.design, unit == j, fold[unit] != fold[j]) for j in range(len(fold))]
    difference = np.abs(expected - found.pointwise["elpd"])
    assert (difference < 4.0 * found.pointwise["error"]).all()
    assert found.pointwise["error"].max() < 0.1
    assert found.folds["verdict"].isin(["fit to use", "look"]).all()


@pytest.mark.slow  # 15 fits
def test_every_group_by_itself_is_leave_one_group_out(herds: bg.Fit, importance: LOO) -> None:
    found = bg.kfold(herds, k=None, by="herd", progress=False)
    assert not importance.failing
    difference = importance.pointwise["elpd"] - found.pointwise["elpd"]
    # errors of refits up to 0.03 in the table; importance weights of 4,000 draws add about as much again
    np.testing.assert_allclose(0.0, difference, atol=0.15)
    assert importance.elpd == pytest.approx(found.elpd, abs=0.25)
    assert importance.p == pytest.approx(found.p, abs=0.25)
    assert found.error < 0.1


def test_a_refit_is_a_fit_without_the_group(herds: bg.Fit, importance: LOO, cbpp: pd.DataFrame) -> None:
    bad = importance.pointwise.assign(pareto_k=np.where(importance.pointwise.index == "11", 0.9, 0.1))
    found = bg.refit_bad(herds, replace(importance, pointwise=bad), progress=False)
    assert found.refits is not None
    out = cbpp["herd"] == "11"
    spec = replace(herds.spec, priors=herds.posterior.priors.entries)
    without = bg.GLMM(spec, cbpp[~out]).fit(draws=1000, chains=4, seed=5, progress=False).posterior
    t = np.linspace(-8.0, 8.0, 401)
    eta = without.beta @ herds.design.X[out].T
    p = np.asarray(special.expit(eta[:, :, None] + np.sqrt(without.G("herd"))[:, :, 0, None] * t))  # [draw, row, node]
    rows = stats.binom.pmf(cbpp["incidence"][out].to_numpy()[:, None], cbpp["size"][out].to_numpy()[:, None], p)
    expected = np.log(np.mean(np.prod(rows, axis=1) @ stats.norm.pdf(t) * (t[1] - t[0])))
    # two runs, each with the error that the refit has
    assert expected == pytest.approx(
        found.pointwise["elpd"]["11"], abs=4.0 * np.sqrt(2.0) * found.refits["error"]["11"]
    )
    assert found.refits["error"]["11"] < 0.05


@pytest.mark.slow  # starts a cluster
def test_a_cluster_gives_the_same(gaussian: bg.GLMM, client: Client) -> None:
    here, there = (
        bg.kfold(gaussian, k=2, by="g", client=where, progress=False, draws=100, chains=2) for where in (None, client)
    )
    pd.testing.assert_frame_equal(here.pointwise, there.pointwise)
