"""Averages under sratio, cratio and acat: against simulated levels, mpmath, and parts that are sums of one another."""

from __future__ import annotations

from functools import cache

import mpmath
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from bayes_glmm.effects import compare, predict, response_variance, slopes, variance
from bayes_glmm.names import step
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.test_categories import BETA, LABELS, LINKS, ROWS, G, H, assert_simulated, data, first, fixed, levels
from tests.likelihood.test_free_thresholds import shares
from tests.model.test_log_density import INVERSE

NAMES = ("sratio", "cratio", "acat")
QUICK = [("sratio", "logit"), ("cratio", "cloglog"), ("acat", "logit")]
EVERY = pytest.mark.parametrize(
    ("family", "link"),
    [
        pytest.param(family, link, marks=[] if (family, link) in QUICK else pytest.mark.slow)
        for family in NAMES
        for link in LINKS
    ],
)
THRESHOLDS = np.array([0.4, -1.1, 0.9])


@cache
def posterior(family: str, link: str, formula: str = "y ~ x + f + (x | g) + (1 | h)") -> Posterior:
    """Three draws: the thresholds and coefficients above, and two that differ from them."""
    move = np.array([0.0, 0.2, -0.3])
    steps = {step(k): size + move for k, size in enumerate(np.diff(THRESHOLDS), start=2)}
    beta = np.column_stack([-THRESHOLDS[0] + move, BETA[0] - move, BETA[1] + move])
    covariances = {"g": G, "h": np.array([[H]])} if "h" in formula else {"g": G[:1, :1]}
    return posterior_at(ModelSpec.from_formula(formula, family, link), data(), beta, covariances, steps)


def probabilities(family: str, link: str, eta: np.ndarray, thresholds: np.ndarray = THRESHOLDS) -> np.ndarray:
    """P(y = k) by SciPy's distribution functions [k, ...]."""
    with np.errstate(over="ignore"):
        up = [INVERSE[link](eta - c) if family != "sratio" else 1.0 - INVERSE[link](c - eta) for c in thresholds]
    if family == "acat":
        sides = [np.prod([*up[:k], *(1.0 - one for one in up[k:])], axis=0) for k in range(len(up) + 1)]
        return np.array(sides) / np.sum(sides, axis=0)
    reached = np.cumprod([np.ones_like(eta), *up], axis=0)
    return np.array([*(a * (1.0 - b) for a, b in zip(reached, up, strict=False)), reached[-1]])


@EVERY
def test_probabilities_averaged_over_levels(family: str, link: str) -> None:
    """Each category, each or a higher one, and the mean score, in a million simulated levels of both factors."""
    p = probabilities(family, link, levels())  # [category, row, level]
    found = {
        part: first(predict(posterior(family, link), ROWS, "integrated", part=part))
        for part in ("category", "at_least", "mean")
    }
    assert_simulated(found["category"].reshape(3, 4), p.swapaxes(0, 1))
    upper = np.cumsum(p[::-1], axis=0)[::-1]
    assert_simulated(found["at_least"].reshape(3, 3), upper[1:].swapaxes(0, 1))
    assert_simulated(found["mean"], 1.0 + upper[1:].sum(axis=0))


@EVERY
@pytest.mark.parametrize("sd", [0.3, 1.0, 3.0])
def test_averages_are_exact_for_any_sd(family: str, link: str, sd: float) -> None:
    """One random intercept, integrated by mpmath piece by piece; two of the thresholds are equal."""
    thresholds, spec = np.array([0.4, -0.6, -0.6]), ModelSpec.from_formula("y ~ x + (1 | g)", family, link)
    steps = {step(k): size for k, size in enumerate(np.diff(thresholds), start=2)}
    point = posterior_at(spec, data(), [-thresholds[0], BETA[0]], {"g": [[sd**2]]}, steps)
    eta, cuts = 0.3 * BETA[0], [-38, -12, -8, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 8, 12, 38]
    with mpmath.workdps(20):
        expected = [
            float(
                mpmath.quad(
                    lambda z, k=k: mpmath.exp(shares(family, link, list(thresholds), eta + sd * z)[k]) * mpmath.npdf(z),
                    cuts,
                )
            )
            for k in range(4)
        ]
    found = predict(point, pd.DataFrame({"x": [0.3]}), "integrated")
    assert_allclose(first(found), expected, atol=1e-8)


@pytest.mark.parametrize("count", [3, pytest.param(10, marks=pytest.mark.slow)])
@EVERY
def test_twice_as_many_nodes_change_nothing(family: str, link: str, count: int) -> None:
    """The step of the rule follows from the strip that each record states; for up to ten categories, sds up to 4."""
    from bayes_glmm.effects.trapezoid import expectation
    from bayes_glmm.families import family_of_key, get_link
    from bayes_glmm.numerics.functions import NUMPY

    record, rng = family_of_key(f"{family}{count}"), np.random.default_rng(4)
    steps = {one: rng.normal(0.0, 0.7) for one in record.steps}
    for functional in (record.by_category["category"][count // 2], record.by_category["at_least"][1], record.mean):
        assert functional is not None

        def at(x: np.ndarray, value=functional.value) -> np.ndarray:
            with np.errstate(all="ignore"):
                return value(record.at({"mu": (x, get_link(link))}, steps, NUMPY))

        eta, sd = np.linspace(-3.0, 3.0, 7), 4.0 * np.ones(7)
        once, twice = (expectation(at, get_link(link), eta, sd, share * functional.narrow) for share in (1.0, 2.0))
        assert_allclose(once, twice, rtol=0.0, atol=1e-9)


@EVERY
def test_rows_by_a_table_are_rows_one_by_one(family: str, link: str) -> None:
    point = posterior(family, link, "y ~ x + f + (1 | g)")
    rows = pd.DataFrame({"x": np.linspace(-2.0, 2.0, 3000), "f": "a"})
    many = predict(point, rows, "integrated").draws.to_numpy().reshape(3, 3000, 4)
    few = predict(point, rows.iloc[::500], "integrated").draws.to_numpy().reshape(3, 6, 4)
    assert_allclose(many[:, ::500], few, atol=1e-9)


@EVERY
def test_at_zero_they_are_the_probabilities(family: str, link: str) -> None:
    expected = probabilities(family, link, fixed())
    found = first(predict(posterior(family, link), ROWS, "zero")).reshape(3, 4)
    assert_allclose(found, expected.T, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("family", NAMES)
@pytest.mark.parametrize("reading", ["integrated", "zero", "known", "new"])
def test_probabilities_of_a_row_sum_to_one(family: str, reading: str) -> None:
    found = predict(posterior(family, "logit"), data().iloc[:5], reading)
    assert found.table["category"].tolist() == LABELS * 5
    assert_allclose(found.draws.to_numpy().reshape(-1, 5, 4).sum(axis=-1), 1.0, atol=1e-9)
    assert_allclose(found.table["estimate"].to_numpy().reshape(5, 4).sum(axis=-1), 1.0, atol=1e-9)


@pytest.mark.parametrize("family", NAMES)
@pytest.mark.parametrize("part", ["category", "at_least", "mean"])
def test_comparisons_and_slopes_are_differences_of_predictions(family: str, part: str) -> None:
    grid, h, point = data()[["x", "f"]].iloc[:6], 1e-4, posterior(family, "logit")

    def values(rows: pd.DataFrame) -> np.ndarray:
        return predict(point, rows, "integrated", part=part).draws.to_numpy()[0].reshape(3, 6, -1).mean(axis=1)

    how = {"newdata": grid, "random_effects": "integrated", "part": part}
    found = compare(point, "f", estimands="difference", **how)  # type: ignore[arg-type]
    assert_allclose(found.draws.to_numpy()[0], values(grid.assign(f="b")) - values(grid.assign(f="a")), atol=1e-9)
    up, down = (values(grid.assign(x=grid["x"] + move)) for move in (h, -h))
    found = slopes(point, "x", **how)  # type: ignore[arg-type]
    assert_allclose(found.draws.to_numpy()[0], (up - down) / (2.0 * h), atol=1e-6)


@pytest.mark.parametrize("family", NAMES)
def test_the_variance_of_the_number(family: str) -> None:
    """Of numbers that are drawn, one in each simulated level."""
    uniform = np.random.default_rng(3).uniform(size=levels().shape)
    y = 1.0 + (uniform > np.cumsum(probabilities(family, "logit", levels()), axis=0)[:3]).sum(axis=0)
    found = response_variance(posterior(family, "logit"), ROWS)
    mean, spread = (first(found)[(found.table["quantity"] == name).to_numpy()] for name in ("mean", "variance"))
    assert_simulated(mean, y)
    assert_simulated(spread, (y - y.mean(axis=1, keepdims=True)) ** 2)


def test_conditional_odds_ratios_are_those_of_the_families() -> None:
    """At u = 0, exp(beta): of going on from a category, and of the higher of two adjacent ones."""
    row = pd.DataFrame({"x": [0.4, 0.4], "f": ["a", "b"]})
    for family in NAMES:
        a, b = first(predict(posterior(family, "logit"), row, "zero")).reshape(2, 4)
        if family == "acat":
            odds = [p[1:] / p[:-1] for p in (a, b)]
        else:
            odds = [p[::-1].cumsum()[::-1][1:] / p[:-1] for p in (a, b)]
        assert_allclose(odds[1] / odds[0], np.exp(BETA[1]), rtol=1e-9)


@pytest.mark.parametrize("family", NAMES)
def test_variance_has_no_rows_of_thresholds(family: str) -> None:
    found = variance(posterior(family, "logit")).table
    assert set(found["group"]) == {"g", "h"}
