"""Estimates that do not exist, and estimates at the bounds of their range, are said to be so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bayes_glmm as bg
from bayes_glmm.approx.laplace import Target
from bayes_glmm.errors import DataError, EstimationError

LEVELS, ROWS = 12, 6


def data() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    g = np.repeat(np.arange(LEVELS), ROWS)
    frame = pd.DataFrame({"g": g.astype(str), "t": np.tile(np.arange(ROWS), LEVELS), "noise": rng.normal(size=len(g))})
    effect = rng.normal(size=LEVELS)[g]
    line = np.polynomial.polynomial.polyvander(np.arange(ROWS), 1)
    around_lines = frame["noise"].to_numpy().reshape(LEVELS, ROWS) @ (np.eye(ROWS) - line @ np.linalg.pinv(line))
    return frame.assign(
        x=rng.normal(size=len(g)),
        # groups that are more alike than chance makes them
        alike=np.tile([1.0, -1.0, 1.0, -1.0, 1.0, -1.0], LEVELS) + 0.01 * frame["noise"],
        # one effect behind intercept and slope, and less around it than chance makes
        fan=effect * (1.0 + 0.5 * frame["t"]) + 0.3 * around_lines.ravel(),
        shifted=effect + 0.3 * frame["noise"],
        coin=rng.integers(0, 2, len(g)),
        concordant=rng.integers(0, 2, LEVELS)[g],
    )


def fit(formula: str, family: str = "gaussian", target: Target = "likelihood", **columns: Any) -> bg.approx.ApproxFit:
    return bg.approx.laplace(bg.GLMM(formula, data().assign(**columns), family=family), target)


@pytest.mark.parametrize("mixed", [[], [0, 1]], ids=["complete", "quasi-complete"])
def test_separation_has_no_maximum_likelihood_estimate(mixed: list[int]) -> None:
    frame = data()
    frame.loc[mixed, "x"] = 0.0
    y = (frame["x"] > 0).to_numpy(int)
    y[mixed] = range(len(mixed))
    with pytest.raises(EstimationError, match=r"no maximum likelihood estimate\. x separates .*target='posterior'"):
        fit("y ~ t + x + (1 | g)", "bernoulli", x=frame["x"], y=y)
    mode = fit("y ~ t + x + (1 | g)", "bernoulli", "posterior", x=frame["x"], y=y)
    assert mode.converged
    assert np.isfinite(mode.standard_errors).all()


def test_counts_of_zero_in_one_arm_have_no_maximum_likelihood_estimate() -> None:
    arm = data()["t"] == 0
    count = np.where(arm, 0, 1 + data()["coin"])
    with pytest.raises(EstimationError, match="arm separates zeros from other counts"):
        fit("y ~ arm + (1 | g)", "poisson", arm=arm.astype(int), y=count)


def test_what_the_design_refuses_reaches_the_user() -> None:
    with pytest.raises(DataError, match="has one level"):
        fit("noise ~ x + (1 | only)", only="a")


def test_a_column_that_depends_on_others_changes_nothing() -> None:
    found, without = fit("noise ~ x + I(2 * x) + (1 | g)"), fit("noise ~ x + (1 | g)")
    assert found.design.aliased == ("I(2 * x)",)
    np.testing.assert_array_equal(found.beta, without.beta)


def test_a_standard_deviation_of_0_is_said() -> None:
    found = fit("alike ~ x + (1 | g)")
    assert found.converged
    (message,) = found.messages
    assert message.startswith("The standard deviation of Intercept by g is estimated as 0")
    assert message in str(found)
    # there, the mixed model is the linear model without random effects
    without = fit("alike ~ x")
    assert without.messages == ()
    assert without.log_likelihood == pytest.approx(found.log_likelihood, abs=1e-7)
    np.testing.assert_allclose(without.beta, found.beta, rtol=1e-5)


def test_standard_deviations_are_0_by_the_unit_of_their_column() -> None:
    found = fit("shifted ~ u + (u || g)", u=1e6 * data()["x"])
    assert found.converged
    expected = found.sd("g")[1] * 1e6 < 1e-4 * data()["shifted"].std()
    assert expected == any("of u by g is estimated as 0" in message for message in found.messages)
    assert not any("Intercept" in message for message in found.messages)


def test_a_correlation_of_1_is_said() -> None:
    found = fit("fan ~ t + (t | g)")
    (message,) = found.messages
    assert message.startswith("The effects of Intercept and t by g are estimated as perfectly correlated (+1)")
    G = found.G("g")
    assert G[0, 1] == pytest.approx(np.sqrt(G[0, 0] * G[1, 1]), rel=1e-6)
    (message,) = fit("fan ~ t + (t | g)", t=-data()["t"]).messages
    assert "(-1)" in message


def test_counts_without_overdispersion_are_poisson() -> None:
    even = np.tile([3, 2, 3, 2, 3, 2], LEVELS)
    found = fit("even ~ x", "negative_binomial", even=even)
    assert (
        "phi is estimated as infinite, where the negative_binomial family is poisson: use that one." in found.messages
    )
    poisson = fit("even ~ x", "poisson", even=even)
    assert poisson.log_likelihood == pytest.approx(found.log_likelihood, abs=1e-3)


def test_so_they_are_by_dispersion() -> None:
    even = np.tile([3, 2, 3, 2, 3, 2], LEVELS)
    found = fit("even ~ x", "negative_binomial_1", even=even)
    assert "phi is estimated as 0, where the negative_binomial_1 family is poisson: use that one." in found.messages
    poisson = fit("even ~ x", "poisson", even=even)
    assert poisson.log_likelihood == pytest.approx(found.log_likelihood, abs=1e-3)


@pytest.mark.parametrize(
    ("family", "limit", "method"),
    [
        ("negative_binomial", "poisson", bg.approx.laplace),
        ("negative_binomial_1", "poisson", bg.approx.laplace),
        ("negative_binomial", "poisson", bg.approx.aghq),
        ("negative_binomial", "poisson", bg.approx.em),
        ("student_t", "gaussian", bg.approx.laplace),
    ],
)
def test_intervals_beside_a_shape_without_end_are_those_of_the_limit(
    family: str, limit: str, method: Callable[[bg.GLMM], bg.approx.ApproxFit]
) -> None:
    """Also where the columns are carried, and for effects, whose covariance follows that of the coefficients."""
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(20), 10)
    eta = 0.3 * rng.normal(size=200) - 0.3 + 0.6 * rng.normal(size=20)[g]
    y = rng.binomial(8, special.expit(eta)) if limit == "poisson" else eta + rng.uniform(-0.5, 0.5, 200)
    rows = pd.DataFrame({"y": y, "x": rng.normal(2010.0, 4.0, 200), "g": g})
    of_family, of_limit = (method(bg.GLMM("y ~ x + (1 | g)", rows, one)) for one in (family, limit))
    assert any("Standard errors and Wald intervals are those at this limit" in text for text in of_family.messages)
    table, expected = (bg.approx.intervals(one).set_index(["kind", "parameter"]) for one in (of_family, of_limit))
    known = table.drop(index=[key for key in table.index if key not in expected.index])
    assert len(known) == len(expected)
    # the search for a maximum that lies at infinity ends a little before the others have theirs
    width = (expected["upper"] - expected["lower"]).to_numpy()[:, None]
    np.testing.assert_allclose((known - expected).to_numpy() / width, 0.0, atol=0.01)
    (shape,) = [key for key in table.index if key not in expected.index]
    assert table.loc[shape, ["lower", "upper"]].isna().all()
    spreads = [one.ranef("g")["standard error"].to_numpy() for one in (of_family, of_limit)]
    np.testing.assert_allclose(spreads[0], spreads[1], rtol=0.01)
    assert np.isfinite(of_family.marginal_coefficients().table[["lower", "upper"]].to_numpy()).all()


def test_an_ordinary_fit_says_nothing() -> None:
    assert fit("shifted ~ t + (1 | g)").messages == ()
    assert fit("coin ~ t + (1 | g)", "bernoulli", "posterior").messages == ()


def test_groups_without_a_mixture_of_zeros_and_ones_have_no_standard_deviation() -> None:
    found = fit("concordant ~ t + (1 | g)", "bernoulli")
    assert not found.converged
    assert any("Every level of g has only successes or only failures" in message for message in found.messages)
    assert fit("concordant ~ t + (1 | g)", "bernoulli", "posterior").converged
