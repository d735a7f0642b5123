"""Models with one correlation: estimates of glmmTMB, and models that are the same in another form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.approx import ApproxFit
from bayes_glmm.errors import SpecError
from tests.approx.reference import study_named

EPIL = "y ~ lb * trtp + la + V4"


def published(shared: Path, dataset: str, method: str) -> dict[str, Any]:
    found = json.loads((shared / "reference" / "reference_families.json").read_text())[dataset]["computed"]
    return next(fit for model in found for fit in model["fits"] if fit["method"] == method)


def check(found: ApproxFit, group: str, expected: dict[str, Any]) -> None:
    """Compare with estimates to the digits that their search has."""
    assert found.log_likelihood == pytest.approx(expected["loglik"], abs=2e-6)
    names = {name.replace("(Intercept)", "Intercept"): value for name, value in expected["coefficients"].items()}
    estimates = dict(zip(found.design.coefficients, found.beta, strict=True))
    errors = dict(zip(found.design.coefficients, found.standard_errors, strict=True))
    for name, value in names.items():
        other = ":".join(reversed(name.split(":")))
        key = name if name in estimates else other
        assert abs(estimates[key] - value) < 1e-3 * errors[key], name
    sds = [value for name, value in expected["sd_ranef"].items() if name != "Residual"]
    assert_allclose(found.sd(group), sds, rtol=2e-4)
    G = found.G(group)
    assert G[1, 0] / np.sqrt(G[0, 0] * G[1, 1]) == pytest.approx(expected["corr"][0]["corr"], abs=1e-5)


@pytest.mark.parametrize(
    ("term", "family", "method"),
    [
        ("ar1(0 + C(period) | subject)", "poisson", "glmmTMB Laplace poisson ar1(0+fp|subject)"),
        ("cs(0 + C(period) | subject)", "poisson", "glmmTMB Laplace poisson cs(0+fp|subject)"),
        ("ar1(0 + C(period) | subject)", "negative_binomial", "glmmTMB Laplace nbinom2 ar1(0+fp|subject)"),
    ],
)
def test_counts_by_visit_are_glmmtmbs(term: str, family: str, method: str, shared: Path) -> None:
    table = study_named("epil").prepare(pd.read_csv(shared / "data" / "epil.csv"))
    found = bg.approx.laplace(bg.GLMM(f"{EPIL} + {term}", table, family))
    check(found, "subject", published(shared, "epil", method))


def test_ten_days_of_reaction_times_are_glmmtmbs(shared: Path) -> None:
    table = pd.read_csv(shared / "data" / "sleepstudy.csv")
    found = bg.approx.laplace(bg.GLMM("Reaction ~ Days + cs(0 + C(Days) | Subject)", table))
    check(found, "Subject", published(shared, "sleepstudy", "glmmTMB ML cs(0+fd|Subject)"))


def crops() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    f, g = np.tile(np.repeat(np.arange(3), 2), 12), np.repeat(np.arange(12), 6)
    y = rng.normal(size=12)[g] + 0.7 * rng.normal(size=36)[3 * g + f] + 0.5 * rng.normal(size=72)
    return pd.DataFrame({"y": y, "f": np.array(list("abc"))[f], "g": g, "two": np.where(f == 0, "a", "b")})


def test_one_correlation_and_one_sd_are_two_factors() -> None:
    one, two = (
        bg.approx.laplace(bg.GLMM(f"y ~ f + {terms}", crops())) for terms in ("homcs(0 + f | g)", "(1 | g) + (1 | g:f)")
    )
    assert one.log_likelihood == pytest.approx(two.log_likelihood, abs=1e-7)
    assert_allclose(one.beta, two.beta, atol=1e-5)
    assert_allclose(one.standard_errors, two.standard_errors, rtol=1e-4)
    between, within = two.G("g")[0, 0], two.G("g:f")[0, 0]
    assert_allclose(one.G("g"), between + within * np.eye(3), rtol=1e-3)
    assert one.degrees_of_freedom == two.degrees_of_freedom


def test_of_two_effects_every_correlation_is_free() -> None:
    free, alike, steps = (
        bg.approx.laplace(bg.GLMM(f"y ~ {name}(0 + two | g)", crops())) for name in ("", "cs", "hetar1")
    )
    for found in (alike, steps):
        assert found.log_likelihood == pytest.approx(free.log_likelihood, abs=1e-6)
        assert_allclose(found.G("g"), free.G("g"), rtol=2e-3)
        assert_allclose(found.beta, free.beta, atol=1e-4)


def test_what_needs_a_free_covariance_says_so() -> None:
    model = bg.GLMM("y ~ f + homcs(0 + f | g)", crops())
    fit = bg.approx.laplace(model)
    free = bg.approx.laplace(bg.GLMM("y ~ f + (0 + f | g)", crops()))
    for refused in (
        lambda: bg.approx.em(model),
        lambda: bg.approx.pql(model),
        lambda: bg.approx.intervals(fit, "profile"),
        lambda: bg.approx.likelihood_ratio(fit, free),
    ):
        with pytest.raises(SpecError, match=r"free covariances; effects by g have homcs"):
            refused()
    assert np.isfinite(bg.approx.intervals(fit)[["lower", "upper"]]).all(axis=None)
