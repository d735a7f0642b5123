"""Likelihood ratio tests: their reference distribution by simulation and by hand, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_glmm as bg
from bayes_glmm.errors import EstimationError, SpecError


def data(seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(15), 8)
    x = rng.normal(size=120)
    y = 1.0 + rng.normal(size=15)[g] + 0.4 * x + rng.normal(size=120)
    frame = pd.DataFrame({"y": y, "x": x, "w": rng.normal(size=120), "g": g.astype(str), "h": (np.arange(120) % 7)})
    return frame.assign(renamed=[f"level {50 - k}" for k in g], f=np.tile(list("ab"), 60), year=2010.0 + 4.0 * x)


def fit(formula: str, frame: pd.DataFrame | None = None, family: str = "gaussian") -> bg.approx.ApproxFit:
    return bg.approx.laplace(bg.GLMM(formula, data() if frame is None else frame, family=family))


@pytest.mark.parametrize(
    ("smaller", "larger", "degrees", "conservative"),
    [
        ("y ~ (1 | g)", "y ~ x + (1 | g)", (1,), False),
        ("y ~ x", "y ~ x + (1 | g)", (0, 1), False),
        ("y ~ 1", "y ~ x + (1 | g)", (1, 2), False),
        ("y ~ x + (1 | g)", "y ~ x + (x | g)", (1, 2), False),
        ("y ~ x + (1 | g)", "y ~ x + (x || g)", (0, 1), False),
        ("y ~ x + (x || g)", "y ~ x + (x | g)", (1,), False),
        ("y ~ x + (x | g)", "y ~ x + (x + w | g)", (2, 3), False),
        ("y ~ x + (x || g)", "y ~ x + (x + w | g)", (3, 4), False),
        ("y ~ x + (1 | g)", "y ~ x + (1 | g) + (1 | h)", (0, 1), False),
        ("y ~ x", "y ~ x + (x | g)", (3,), True),
        ("y ~ x + (1 | renamed)", "y ~ x + (x | g)", (1, 2), False),
        ("y ~ x + (center(x) || g)", "y ~ x + (x | g)", (1,), False),
        ("y ~ x + (1 | g)", "y ~ x + (0 + f | g)", (1, 2), False),
        ("y ~ center(year) + (1 | g)", "y ~ x + I(x ** 2) + (1 | g)", (1,), False),
        ("y ~ x + (0 + center(year) | g)", "y ~ x + (1 + x | g)", (1, 2), False),
        ("y ~ x", "y ~ x + (1 | g) + (1 | h)", (2,), True),
    ],
)
def test_the_reference_follows_from_what_is_dropped(
    smaller: str, larger: str, degrees: tuple[int, ...], conservative: bool
) -> None:
    a, b = fit(smaller), fit(larger)
    found = bg.approx.likelihood_ratio(a, b)
    assert degrees == found.degrees_of_freedom
    assert conservative == found.conservative
    statistic = 2.0 * (b.log_likelihood - a.log_likelihood)
    assert max(statistic, 0.0) == found.statistic
    point = [stats.chi2(k).sf(found.statistic) if k else float(found.statistic < 1e-8) for k in degrees]
    assert np.mean(point) == pytest.approx(found.p_value)
    assert all(f"chi-square({k})" in str(found) for k in degrees)


def test_dropping_the_slopes_of_sleepstudy(shared: Path) -> None:
    frame = pd.read_csv(shared / "data" / "sleepstudy.csv")
    one, two = (fit(f"Reaction ~ Days + ({effects} | Subject)", frame) for effects in ("1", "Days"))
    found = bg.approx.likelihood_ratio(one, two)
    # lme4's anova: chi-square 42.139 on 2 degrees of freedom
    assert found.statistic == pytest.approx(42.139, abs=1e-3)
    assert found.p_value == pytest.approx(0.5 * (stats.chi2.sf(42.139, 1) + stats.chi2.sf(42.139, 2)), rel=1e-3)


def balanced_log_likelihoods(y: np.ndarray) -> tuple[float, float]:
    """Maximum log likelihood of y [group, row] without and with a variance between groups, in closed form."""
    k, m = y.shape
    within, between = np.sum((y - y.mean(axis=1, keepdims=True)) ** 2), m * np.sum((y.mean(axis=1) - y.mean()) ** 2)
    constant = y.size * (np.log(2 * np.pi) + 1)
    without = -0.5 * (constant + y.size * np.log((within + between) / y.size))
    if between / k <= within / (k * (m - 1)):
        return without, without
    return without, -0.5 * (constant + k * (m - 1) * np.log(within / (k * (m - 1))) + k * np.log(between / k))


def test_the_mixture_is_the_distribution_under_no_variance_between_groups() -> None:
    rng = np.random.default_rng(11)
    shape, samples = (400, 5), 3000
    frame = pd.DataFrame({"y": rng.normal(size=2000), "g": np.repeat(np.arange(400), 5).astype(str)})
    fits = fit("y ~ 1", frame), fit("y ~ (1 | g)", frame)
    expected = balanced_log_likelihoods(frame["y"].to_numpy().reshape(shape))
    assert expected == pytest.approx([found.log_likelihood for found in fits], abs=1e-6)
    p = np.empty(samples)
    for i in range(samples):
        values = balanced_log_likelihoods(rng.normal(size=shape))
        one, two = (replace(found, log_likelihood=value) for found, value in zip(fits, values, strict=True))
        p[i] = bg.approx.likelihood_ratio(one, two).p_value
    for level in (0.05, 0.1, 0.3):  # within three standard errors, and a little below: 400 groups are not yet many
        error = 3 * np.sqrt(level * (1 - level) / samples)
        assert level - error - 0.02 < np.mean(p < level) < level + error
    assert np.mean(p == 1.0) == pytest.approx(0.5, abs=0.05)


def test_the_same_columns_in_other_words_are_nested() -> None:
    frame = data().assign(twice=lambda d: 2.0 * d["x"] + 1.0)
    found = bg.approx.likelihood_ratio(fit("y ~ twice + (1 | g)", frame), fit("y ~ x + w + (1 | g)", frame))
    assert found.degrees_of_freedom == (1,)


@pytest.mark.parametrize(
    ("smaller", "larger", "message"),
    [
        ("y ~ x + (1 | g)", "y ~ w + (1 | g)", "x is not among the fixed effects"),
        ("y ~ x + w + (1 | g)", "y ~ x + (1 | g)", "w is not among the fixed effects"),
        ("y ~ x + (1 | h)", "y ~ x + (1 | g)", "no random Intercept by h"),
        ("y ~ x + (x | g)", "y ~ x + (x || g)", "no random Intercept and x, correlated, by g"),
        ("y ~ x + (1 | g)", "y ~ x + (1 | g)", "the same model"),
        ("y ~ x + (center(x) | g)", "y ~ x + (x | g)", "the same model"),
        ("y ~ x + (center(x) || g)", "y ~ x + (x || g)", r"no random center\(x\) by g"),
        ("y ~ x + (1 | h)", "y ~ x + (1 | renamed)", "no random Intercept by h"),
        ("y ~ x + I(x ** 2) + (1 | g)", "y ~ x + w + (1 | g)", r"I\(x \*\* 2\) is not among"),
    ],
)
def test_models_that_are_not_nested_are_refused(smaller: str, larger: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        bg.approx.likelihood_ratio(fit(smaller), fit(larger))


def test_fits_that_cannot_be_compared_are_refused() -> None:
    small, large = fit("y ~ (1 | g)"), fit("y ~ x + (1 | g)")
    with pytest.raises(SpecError, match="different responses, rows"):
        bg.approx.likelihood_ratio(small, fit("y ~ x + (1 | g)", data().iloc[:-1]))
    with pytest.raises(SpecError, match="different families"):
        bg.approx.likelihood_ratio(small, fit("y ~ x + (1 | g)", family="student_t"))
    with pytest.raises(SpecError, match="different methods"):
        bg.approx.likelihood_ratio(small, replace(large, method="AGHQ with 5 nodes, maximum likelihood"))
    for other in (
        bg.approx.laplace(bg.GLMM("y ~ x + (1 | g)", data()), "posterior"),
        replace(large, method="Laplace, restricted maximum likelihood"),
        replace(large, log_likelihood=float("nan")),
    ):
        with pytest.raises(SpecError, match="not a fit by maximum likelihood"):
            bg.approx.likelihood_ratio(small, other)
    with pytest.raises(EstimationError, match="has not converged"):
        bg.approx.likelihood_ratio(small, replace(large, converged=False))
    with pytest.raises(EstimationError, match="lower likelihood"):
        bg.approx.likelihood_ratio(small, replace(large, log_likelihood=small.log_likelihood - 1.0))
