"""The sampler's answers where the data are written in two ways: the same posterior, within Monte Carlo error.

``tests/contracts/test_invariance.py`` shows that the two models are one; here their draws are compared, and with
restricted maximum likelihood or simulation where there is a witness.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.diagnostics.statistics import ess_bulk

pytestmark = pytest.mark.slow  # two fits per case

GROUPS, PER_GROUP = 30, 10


def panel() -> pd.DataFrame:
    """Thirty groups with intercepts and slopes of sd 1; the covariate z, and as years, ages and pressures."""
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(GROUPS), PER_GROUP)
    z = rng.normal(size=len(g))
    eta = 0.5 * z + rng.normal(size=GROUPS)[g] + rng.normal(size=GROUPS)[g] * z
    data = pd.DataFrame({"g": g, "z": z, "year": 2010 + 4 * z, "age": 50 + 10 * z, "far": 1e4 + z})
    data["arm"] = rng.choice(["a", "b"], len(g))
    data["real"] = eta + rng.normal(size=len(g))
    data["binary"] = rng.binomial(1, 1.0 / (1.0 + np.exp(-eta)))
    data["count"] = rng.poisson(np.exp(0.5 * eta))
    return data


@dataclass(frozen=True)
class Case:
    """Two ways to write a model."""

    one: str
    other: str
    family: str


CASES = {
    "year": Case("real ~ z + (z | g)", "real ~ year + (year | g)", "gaussian"),
    "year by arm": Case("real ~ z * arm + (z | g)", "real ~ year * arm + (year | g)", "gaussian"),
    "age, logit": Case("binary ~ z + (z | g)", "binary ~ age + (age | g)", "bernoulli"),
    "1e4 sds, counts": Case("count ~ z + (z | g)", "count ~ far + (far | g)", "poisson"),
    "powers": Case("binary ~ poly(age, 2) + (1 | g)", "binary ~ age + I(age ** 2) + (1 | g)", "bernoulli"),
    "cell means": Case("real ~ arm + z + (1 | g)", "real ~ 0 + arm + year + (1 | g)", "gaussian"),
}


@cache
def fit(formula: str, family: str, seed: int) -> bg.Fit:
    return bg.GLMM(formula, panel(), family=family).fit(seed=seed, progress=False)


@pytest.mark.parametrize("name", CASES)
def test_population_averages_do_not_depend_on_the_writing(name: str) -> None:
    case, rows = CASES[name], panel().iloc[:5]
    one, other = fit(case.one, case.family, 1), fit(case.other, case.family, 2)
    assert one.check().verdict == other.check().verdict == "fit to use"
    first, second = (f.predict(rows, random_effects="integrated").draws.to_numpy() for f in (one, other))
    for k in range(first.shape[-1]):
        assert_same_distribution(first[..., k], second[..., k])


def assert_same_distribution(a: np.ndarray, b: np.ndarray) -> None:
    """Means within 4 standard errors of their difference, sds within a tenth [chain, draw]."""
    spread = 0.5 * (a.std() + b.std())
    error = spread * np.sqrt(sum(1.0 / float(ess_bulk(x[None])[0]) for x in (a, b)))
    assert abs(a.mean() - b.mean()) < 4.0 * error
    assert 0.9 < a.std() / b.std() < 1.1


def test_the_sd_of_an_uncentred_slope_is_that_of_restricted_maximum_likelihood() -> None:
    """1.02 per sd of the year by REML (lme4, statsmodels); version 0.1.0 had 0.0016, and called it fit to use."""
    import statsmodels.api as sm

    data, found = panel(), fit(CASES["year"].other, "gaussian", 2)
    reml = sm.MixedLM.from_formula("real ~ z", data, groups=data["g"], re_formula="~z").fit(reml=True)
    sds = np.sqrt(np.diagonal(np.asarray(reml.cov_re)))
    slope = 4.0 * found.posterior.array("sd_g")[:, 1]
    intercept = np.sqrt(found.posterior.G_at_centre("g")[:, 0, 0])
    for draws, expected in ((intercept, sds[0]), (slope, sds[1])):
        assert abs(np.median(draws) - expected) < 0.5 * draws.std()


def test_an_event_that_a_rare_level_never_had_is_unlikely_and_not_impossible() -> None:
    """0 of 5 in 500 rows: Jeffreys' interval of a proportion ends at .38, that of the capped prior near .17."""
    rng = np.random.default_rng(5)
    level = np.repeat(list("abc"), [300, 195, 5])
    y = np.where(level == "c", 0, rng.binomial(1, 0.4, 500))
    data = pd.DataFrame({"y": y, "level": level, "g": rng.integers(0, 20, 500)})
    found = bg.GLMM("y ~ level + (1 | g)", data, family="bernoulli").fit(seed=1, progress=False)
    table = found.predict(pd.DataFrame({"level": list("abc")}), random_effects="integrated").table
    assert 0.1 < table["upper"].iloc[2] < 0.45
    assert table["upper"].iloc[0] - table["lower"].iloc[0] < 0.25


def test_the_slope_of_a_covariate_with_an_outlier_is_hardly_shrunk() -> None:
    rng = np.random.default_rng(3)
    x = np.append(rng.normal(size=399), 15.0)
    g = np.arange(400) % 20
    y = x + rng.normal(size=20)[g] + rng.normal(size=400)
    data = pd.DataFrame({"x": x, "y": y, "g": g})
    model = bg.GLMM("y ~ x + (1 | g)", data)
    assert "capped" in {finding.name for finding in model.findings}
    slope = float(np.median(model.fit(seed=1, progress=False).posterior.beta[:, 1]))
    assert slope == pytest.approx(bg.approx.laplace(model).beta[1], rel=0.1)
