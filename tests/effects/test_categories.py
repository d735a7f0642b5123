"""Probabilities of ordered categories: averages against simulated levels, sums and differences as they must be.

Witnesses: a million simulated levels and SciPy's distribution functions, written out; integrals by mpmath; tables of
one another, where one is a sum or a difference of others.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from bayes_glmm.effects import compare, marginal_coefficients, predict, response_variance, slopes
from bayes_glmm.effects.interactions import interact
from bayes_glmm.effects.tidy import Estimates
from bayes_glmm.errors import SpecError
from bayes_glmm.names import step
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.model.test_log_density import INVERSE

LINKS = ("logit", "probit", "cloglog", "cauchit")
EVERY_LINK = pytest.mark.parametrize("link", LINKS)
LEVELS, ERRORS = 1_000_000, 5.0  # simulated levels, and Monte Carlo standard errors
LABELS = ["bad", "fair", "good", "best"]
THRESHOLDS = np.array([-1.1, 0.4, 1.7])
BETA = np.array([0.8, -0.5])
G = np.array([[0.9, 0.3], [0.3, 0.5]])
H = 0.4
ROWS = pd.DataFrame({"x": [-1.0, 0.3, 1.5], "f": ["a", "b", "a"]})


@cache
def data() -> pd.DataFrame:
    rng, n = np.random.default_rng(1), 120
    y = pd.Categorical.from_codes(np.arange(n) % 4, pd.Index(LABELS), ordered=True)
    groups = {"g": np.arange(n) % 10, "h": np.arange(n) % 6}
    return pd.DataFrame({"y": y, "x": rng.normal(size=n).round(2), "f": rng.choice(["a", "b"], n), **groups})


@cache
def posterior(link: str, formula: str = "y ~ x + f + (x | g) + (1 | h)") -> Posterior:
    """Three draws: the thresholds and coefficients above, and two that differ from them."""
    move = np.array([0.0, 0.2, -0.3])
    steps = {step(k): size + np.abs(move) for k, size in enumerate(np.diff(THRESHOLDS), start=2)}
    beta = np.column_stack([-THRESHOLDS[0] + move, BETA[0] - move, BETA[1] + move])
    wanted = {"g": G, "h": np.array([[H]])}
    covariances = {group: value for group, value in wanted.items() if f"| {group})" in formula}
    if "(1 | g)" in formula:
        covariances["g"] = G[:1, :1]
    return posterior_at(ModelSpec.from_formula(formula, "cumulative", link), data(), beta, covariances, steps)


def fixed(rows: pd.DataFrame = ROWS) -> np.ndarray:
    """Linear predictors of the first draw without thresholds and groups [row]."""
    return BETA[0] * rows["x"].to_numpy(float) + BETA[1] * (rows["f"] == "b").to_numpy(float)


@cache
def levels() -> np.ndarray:
    """Linear predictors in simulated levels of both factors [row, level]."""
    z = np.random.default_rng(7).normal(size=(LEVELS, 3))
    u = z[:, :2] @ np.linalg.cholesky(G).T
    x = ROWS["x"].to_numpy()[:, None]
    return fixed()[:, None] + u[:, 0] + x * u[:, 1] + np.sqrt(H) * z[:, 2]


def below(link: str, eta: np.ndarray) -> np.ndarray:
    """P(y <= k) of k = 0, ..., K [k, ...]."""
    with np.errstate(over="ignore"):
        inside = [INVERSE[link](threshold - eta) for threshold in THRESHOLDS]
    return np.array([np.zeros_like(eta), *inside, np.ones_like(eta)])


def first(found: Estimates) -> np.ndarray:
    """The values of the first draw, one an estimate."""
    return found.draws.to_numpy()[0, 0]


def assert_simulated(found: np.ndarray, simulated: np.ndarray) -> None:
    """Averages [...] against those of values [..., level]."""
    error = simulated.std(axis=-1) / np.sqrt(LEVELS)
    assert found.shape == error.shape
    assert (np.abs(found - simulated.mean(axis=-1)) < ERRORS * error + 1e-9).all(), (found, simulated.mean(axis=-1))


@EVERY_LINK
def test_the_probability_of_each_category(link: str) -> None:
    found = predict(posterior(link), ROWS, "integrated")
    assert found.table["category"].tolist() == LABELS * 3
    shares = np.diff(below(link, levels()), axis=0)  # [category, row, level]
    assert_simulated(first(found).reshape(3, 4), shares.swapaxes(0, 1))


@EVERY_LINK
def test_the_probability_of_each_category_or_a_higher_one(link: str) -> None:
    found = predict(posterior(link), ROWS, "integrated", part="at_least")
    assert found.table["category"].tolist() == LABELS[1:] * 3
    assert_simulated(first(found).reshape(3, 3), 1.0 - below(link, levels())[1:4].swapaxes(0, 1))


@EVERY_LINK
def test_the_mean_number_of_the_category(link: str) -> None:
    found = predict(posterior(link), ROWS, "integrated", part="mean")
    assert "category" not in found.table
    assert_simulated(first(found), 4.0 - below(link, levels())[1:4].sum(axis=0))


@pytest.mark.parametrize("link", ["logit", *(pytest.param(link, marks=pytest.mark.slow) for link in LINKS[1:])])
def test_the_variance_of_the_number(link: str) -> None:
    """Of numbers that are drawn, one in each simulated level."""
    uniform = np.random.default_rng(3).uniform(size=levels().shape)
    y = 1.0 + (uniform > below(link, levels())[1:4]).sum(axis=0)
    found = response_variance(posterior(link), ROWS)
    mean, variance = (first(found)[(found.table["quantity"] == name).to_numpy()] for name in ("mean", "variance"))
    assert_simulated(mean, y)
    assert_simulated(variance, (y - y.mean(axis=1, keepdims=True)) ** 2)


@EVERY_LINK
def test_at_zero_they_are_differences_of_the_distribution_function(link: str) -> None:
    expected = np.diff(below(link, fixed()), axis=0)
    assert_allclose(first(predict(posterior(link), ROWS, "zero")).reshape(3, 4), expected.T, rtol=1e-10, atol=1e-13)
    at_least = first(predict(posterior(link), ROWS, "zero", part="at_least"))
    assert_allclose(at_least.reshape(3, 3), 1.0 - below(link, fixed())[1:4].T, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("sd", [0.3, 1.0, 3.0])
@EVERY_LINK
def test_averages_are_exact_for_any_sd(link: str, sd: float) -> None:
    """One random intercept, integrated by mpmath piece by piece."""
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", "cumulative", link)
    steps = {step(k): size for k, size in enumerate(np.diff(THRESHOLDS), start=2)}
    point = posterior_at(spec, data(), [-THRESHOLDS[0], BETA[0]], {"g": [[sd**2]]}, steps)
    inverse = {
        "logit": lambda x: 1 / (1 + mpmath.exp(-x)),
        "probit": mpmath.ncdf,
        "cloglog": lambda x: -mpmath.expm1(-mpmath.exp(x)),
        "cauchit": lambda x: mpmath.mpf(0.5) + mpmath.atan(x) / mpmath.pi,
    }[link]
    eta = 0.3 * BETA[0]
    cuts = [-38, -12, -8, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 8, 12, 38]

    def averaged(threshold: float) -> float:
        return float(mpmath.quad(lambda z: inverse(threshold - eta - sd * z) * mpmath.npdf(z), cuts))

    expected = np.diff([0.0, *map(averaged, THRESHOLDS), 1.0])
    found = predict(point, pd.DataFrame({"x": [0.3]}), "integrated")
    assert_allclose(first(found), expected, atol=1e-8)


@EVERY_LINK
@pytest.mark.parametrize("reading", ["integrated", "zero", "known", "new"])
def test_probabilities_of_a_row_sum_to_one(link: str, reading: str) -> None:
    """In each draw, and as they are printed."""
    rows = data().iloc[:5]
    found = predict(posterior(link), rows, reading)
    values = found.draws.to_numpy().reshape(-1, 5, 4)
    assert_allclose(values.sum(axis=-1), 1.0, atol=1e-9)
    assert (values >= 0.0).all()
    assert_allclose(found.table["estimate"].to_numpy().reshape(5, 4).sum(axis=-1), 1.0, atol=1e-9)


@EVERY_LINK
@pytest.mark.parametrize("reading", ["integrated", "zero"])
def test_parts_are_sums_of_one_another(link: str, reading: str) -> None:
    shares, at_least, mean = (
        predict(posterior(link), ROWS, reading, part=part).draws.to_numpy()[0].reshape(3, 3, -1)
        for part in ("category", "at_least", "mean")
    )
    upward = np.cumsum(shares[..., ::-1], axis=-1)[..., ::-1]
    assert_allclose(at_least, upward[..., 1:], atol=1e-9)
    assert_allclose(mean[..., 0], shares @ [1.0, 2.0, 3.0, 4.0], atol=1e-8)
    assert_allclose(mean[..., 0], 1.0 + at_least.sum(axis=-1), atol=1e-8)


@pytest.mark.parametrize("link", ["logit", "cloglog"])
@pytest.mark.parametrize("part", ["category", "at_least", "mean"])
@pytest.mark.parametrize("reading", ["integrated", "zero"])
def test_comparisons_are_differences_and_ratios_of_predictions(link: str, part: str, reading: str) -> None:
    """Averaged over the rows first."""
    grid = data()[["x", "f"]].iloc[:20]
    high, low = (
        predict(posterior(link), grid.assign(f=level), reading, part=part).draws.to_numpy()[0].reshape(3, 20, -1)
        for level in ("b", "a")
    )
    expected = high.mean(axis=1) - low.mean(axis=1)
    found = compare(posterior(link), "f", newdata=grid, random_effects=reading, estimands="difference", part=part)
    assert_allclose(found.draws.to_numpy()[0], expected, atol=1e-9)
    if part == "category":
        assert found.table["category"].tolist() == LABELS
        assert_allclose(found.draws.to_numpy()[0].sum(axis=-1), 0.0, atol=1e-9)
        ratio = compare(posterior(link), "f", newdata=grid, random_effects=reading, estimands="ratio")
        assert_allclose(ratio.draws.to_numpy()[0], high.mean(axis=1) / low.mean(axis=1), rtol=1e-7)


def test_the_conditional_odds_ratio_is_the_same_at_each_threshold() -> None:
    """Proportional odds: exp(beta) of P(y >= k) at u = 0 in one row, under logit."""
    row = pd.DataFrame({"x": [0.4], "f": ["a"]})
    found, averaged = (
        compare(posterior("logit"), "f", newdata=row, random_effects=how, estimands="odds_ratio", part="at_least")
        for how in ("zero", "integrated")
    )
    assert_allclose(first(found), np.exp(BETA[1]), rtol=1e-9)
    assert (np.abs(np.log(first(averaged))) < np.abs(BETA[1])).all()  # averaged effects are smaller
    assert np.ptp(first(averaged)) > 1e-3  # and not proportional


@pytest.mark.parametrize("link", ["logit", "cloglog"])
@pytest.mark.parametrize("part", ["category", "at_least", "mean"])
def test_slopes_are_differences_of_predictions(link: str, part: str) -> None:
    grid, h = data()[["x", "f"]].iloc[:6], 1e-4
    up, down = (
        predict(posterior(link), grid.assign(x=grid["x"] + move), "integrated", part=part).draws.to_numpy()[0]
        for move in (h, -h)
    )
    expected = ((up - down) / (2.0 * h)).reshape(3, 6, -1).mean(axis=1)
    found = slopes(posterior(link), "x", newdata=grid, random_effects="integrated", part=part)
    assert_allclose(found.draws.to_numpy()[0], expected, atol=1e-6)


def test_new_responses_are_the_categories_with_their_probabilities() -> None:
    """Many draws of one point: shares of drawn numbers against P(y = k) averaged over fresh groups."""
    spec, size = ModelSpec.from_formula("y ~ x + (1 | g)", "cumulative"), 20_000
    steps = {step(k): size_ for k, size_ in enumerate(np.diff(THRESHOLDS), start=2)}
    point = posterior_at(spec, data(), np.tile([-THRESHOLDS[0], BETA[0]], (size, 1)), {"g": [[0.8]]}, steps)
    row = pd.DataFrame({"x": [0.5]})
    drawn = predict(point, row, "integrated", scale="outcome", seed=3).draws.to_numpy().ravel()
    expected = first(predict(point, row, "integrated"))
    assert set(np.unique(drawn)) == {1.0, 2.0, 3.0, 4.0}
    for k, share in enumerate(expected, start=1):
        assert abs((drawn == k).mean() - share) < ERRORS * np.sqrt(share * (1.0 - share) / size)


def test_known_groups_move_the_probabilities() -> None:
    """At a row's own level: h(c - eta - u), with u of that level."""
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", "cumulative", "probit")
    steps = {step(k): size for k, size in enumerate(np.diff(THRESHOLDS), start=2)}
    u = np.linspace(-1.5, 1.5, 10)[:, None]
    point = posterior_at(spec, data(), [-THRESHOLDS[0], BETA[0]], {"g": [[0.8]]}, steps, u={"g": u})
    rows = pd.DataFrame({"x": [0.5, 0.5], "g": [0, 9]})
    expected = np.diff(below("probit", BETA[0] * 0.5 + u[[0, 9], 0]), axis=0).T
    assert_allclose(first(predict(point, rows, "known")).reshape(2, 4), expected, rtol=1e-9)


@pytest.mark.parametrize("part", ["category", "at_least", "mean"])
def test_interactions_are_differences_of_comparisons(part: str) -> None:
    """The difference by f in rows with x = 1, less that in the same rows with x = 0."""
    how: dict[str, Any] = {"random_effects": "integrated", "estimands": "difference", "part": part}
    high, low = (
        compare(posterior("logit"), "f", newdata=data().assign(x=x), **how).draws.to_numpy()[0] for x in (1.0, 0.0)
    )
    found = interact(posterior("logit"), "f", "x", moderator_contrast=(0, 1), **how)
    assert_allclose(found.draws.to_numpy()[0], high - low, atol=1e-9)
    assert np.abs(high - low).max() > 1e-3


def test_what_categories_do_not_have_is_refused_in_words() -> None:
    with pytest.raises(SpecError, match=r"moves each threshold by its own amount.*part='at_least'"):
        marginal_coefficients(posterior("logit"))
    with pytest.raises(SpecError, match=r"no part 'sigma'.*category, at_least, mean"):
        predict(posterior("logit"), ROWS, part="sigma")
    with pytest.raises(SpecError, match="scale='response'"):
        predict(posterior("logit"), ROWS, scale="link")
    with pytest.raises(SpecError, match="scale='response'"):
        predict(posterior("logit"), ROWS, scale="outcome", part="category")
    with pytest.raises(SpecError, match=r"odds_ratio cannot be had|odds_ratio is not defined"):
        compare(posterior("logit"), "f", estimands="odds_ratio", part="mean")
