"""Fits beside those of mixedlm, another implementation of lme4's methods, made as the test runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mixedlm
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import bayes_glmm as bg


@pytest.fixture(scope="module")
def sleep(shared: Path) -> pd.DataFrame:
    return pd.read_csv(shared / "data" / "sleepstudy.csv").astype({"Subject": str})


@pytest.mark.parametrize("effects", ["1", "Days"])
def test_linear_mixed_model(effects: str, sleep: pd.DataFrame) -> None:
    formula = f"Reaction ~ Days + ({effects} | Subject)"
    ours = bg.approx.laplace(bg.GLMM(formula, sleep))
    theirs = mixedlm.lmer(formula, sleep, REML=False)
    assert float(theirs.logLik().value) == pytest.approx(ours.log_likelihood, abs=1e-5)
    assert_allclose(list(theirs.fixef().values()), ours.beta, rtol=1e-5)
    assert theirs.sigma == pytest.approx(ours.parameters.auxiliary["sigma"], rel=1e-4)
    # the traces of both hat matrices
    assert float(theirs.hatvalues().sum()) == pytest.approx(
        bg.approx.conditional_aic(ours).effective_parameters, rel=1e-4
    )
    assert ours.random_effects is not None
    predicted: Any = theirs.ranef(condVar=True)
    u = np.column_stack(list(predicted.values["Subject"].values()))
    assert_allclose(u, ours.random_effects.u["Subject"], atol=0.01)
    # lme4's conditional variances are given beta: without what its uncertainty adds to the prediction error
    by_beta = ours.random_effects.by_beta["Subject"]
    given = ours.random_effects.covariance["Subject"] - by_beta @ ours.covariance[:2, :2] @ by_beta.transpose(0, 2, 1)
    theirs_given = np.column_stack(list(predicted.condVar["Subject"].values()))
    assert_allclose(theirs_given, np.diagonal(given, axis1=1, axis2=2), rtol=1e-3)


def test_profile_intervals(sleep: pd.DataFrame) -> None:
    formula = "Reaction ~ Days + (Days | Subject)"
    ours = bg.approx.intervals(bg.approx.laplace(bg.GLMM(formula, sleep)), "profile", level=0.8)
    theirs = mixedlm.lmer(formula, sleep, REML=False).confint(method="profile", level=0.8)
    assert_allclose(list(theirs.values()), ours.loc[:1, ["lower", "upper"]].to_numpy(float), rtol=1e-5)


def test_logistic_mixed_model_of_crossed_factors(shared: Path) -> None:
    frame = pd.read_csv(shared / "data" / "salamander_mating.csv").astype({"Female": str, "Male": str})
    formula = "Mate ~ fW * mW + (1 | Female) + (1 | Male)"
    ours = bg.approx.laplace(bg.GLMM(formula, frame, family="bernoulli"))
    theirs = mixedlm.glmer(formula, frame, family=mixedlm.families.Binomial())
    assert float(theirs.logLik().value) == pytest.approx(ours.log_likelihood, abs=1e-5)
    assert_allclose(list(theirs.fixef().values()), ours.beta, rtol=1e-4)
    assert_allclose(theirs.theta, [ours.sd("Female")[0], ours.sd("Male")[0]], rtol=1e-4)


@pytest.mark.parametrize("nodes", [1, 9])
def test_poisson_mixed_model(nodes: int, shared: Path) -> None:
    frame = pd.read_csv(shared / "data" / "epil.csv").astype({"subject": str})
    frame = frame.assign(la=np.log(frame["age"]), lb=np.log(frame["base"] / 4))
    formula = "y ~ lb + la + V4 + (1 | subject)"
    model = bg.GLMM(formula, frame, family="poisson")
    ours = bg.approx.laplace(model) if nodes == 1 else bg.approx.aghq(model, nodes)
    theirs = mixedlm.glmer(formula, frame, family=mixedlm.families.Poisson(), nAGQ=nodes)
    assert float(theirs.logLik().value) == pytest.approx(ours.log_likelihood, abs=1e-5)
    assert_allclose(list(theirs.fixef().values()), ours.beta, rtol=1e-4)
    assert float(theirs.theta[0]) == pytest.approx(ours.sd("subject")[0], rel=1e-4)
