"""Probabilities of categories without an order: averages against simulated levels, sums and differences.

Witnesses: a million simulated levels and SciPy's softmax; for the Sobol rule of four predictors, a rule of 2^17 points
with another seed; tables of one another, where one is a sum or a difference of others.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats

from bayes_glmm.effects import compare, marginal_coefficients, predict, response_variance, slopes
from bayes_glmm.effects import expect as averaging
from bayes_glmm.effects.expect import expect, expectations, value_of, values_of
from bayes_glmm.effects.nakagawa import r_squared_nakagawa
from bayes_glmm.effects.patterns import encode
from bayes_glmm.effects.percentiles import group_percentiles
from bayes_glmm.effects.readings import READINGS, linear_predictors
from bayes_glmm.effects.spread import r_squared
from bayes_glmm.effects.tidy import Estimates
from bayes_glmm.errors import SpecError
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec

LEVELS, ERRORS = 1_000_000, 5.0  # simulated levels, and Monte Carlo standard errors
RULE = 5e-4  # of 1,024 points of a Sobol sequence, sds to 1.5 in four predictors; measured below
ROWS = pd.DataFrame({"x": [-1.0, 0.3, 1.5], "f": ["a", "b", "a"]})
LABELS = tuple("rstuv")  # r is the reference
FORMULAS = {
    "intercepts": "y ~ x + f + (1 | g)",
    "correlated": "y ~ x + f + (1 |i| g)",
    "slopes": "y ~ x + f + (x |i| g)",
    "two factors": "y ~ x + f + (x | g) + (1 |i| h)",
}
EVERY_FORMULA = pytest.mark.parametrize("name", FORMULAS)
EVERY_COUNT = pytest.mark.parametrize("count", [3, 5])


@cache
def data(count: int) -> pd.DataFrame:
    rng, n = np.random.default_rng(1), 120
    groups = {"g": np.arange(n) % 10, "h": np.arange(n) % 6}
    y = np.array(LABELS)[np.arange(n) % count]
    return pd.DataFrame({"y": y, "x": rng.normal(size=n).round(2), "f": rng.choice(["a", "b"], n), **groups})


def beta(count: int) -> np.ndarray:
    """Of each predictor: intercept, x, f[b] [predictor, coefficient]."""
    return np.random.default_rng(8).normal(0.0, 0.7, (count - 1, 3))


def covariance(size: int, seed: int, correlated: bool) -> np.ndarray:
    """With sds of 0.5 to 1.3."""
    rng = np.random.default_rng(seed)
    sd, A = rng.uniform(0.5, 1.3, size), rng.normal(size=(size, size + 2))
    V = A @ A.T if correlated else np.eye(size)
    return V * np.outer(sd, sd) / np.sqrt(np.outer(np.diagonal(V), np.diagonal(V)))


@cache
def effects(name: str, count: int) -> dict[str, np.ndarray]:
    """Covariances of all effects of a group; those of a predictor stand together, an intercept before its slope."""
    K = count - 1
    if name == "intercepts":
        return {"g": covariance(K, 1, correlated=False)}
    if name == "correlated":
        return {"g": covariance(K, 1, correlated=True)}
    if name == "slopes":
        return {"g": 0.7 * covariance(2 * K, 2, correlated=True)}
    blocks = np.zeros((2 * K, 2 * K))
    for k in range(K):
        blocks[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = 0.5 * covariance(2, 3 + k, correlated=True)
    return {"g": blocks, "h": covariance(K, 9, correlated=True)}


@cache
def posterior(name: str, count: int) -> Posterior:
    """Two draws: the coefficients above, and others; the covariance above, and half of it."""
    first, *others = np.stack([beta(count), beta(count) - 0.2], axis=1)
    G = {group: np.stack([V, 0.5 * V]) for group, V in effects(name, count).items()}
    further = {f"mu{label}": one for label, one in zip(LABELS[2:count], others, strict=True)}
    spec = ModelSpec.from_formula(FORMULAS[name], "categorical")
    return posterior_at(spec, data(count), first, G, further=further)


def fixed(count: int, rows: pd.DataFrame = ROWS) -> np.ndarray:
    """Linear predictors of the first draw without groups [predictor, row]."""
    X = np.column_stack([np.ones(len(rows)), rows["x"], rows["f"] == "b"]).astype(float)
    return beta(count) @ X.T


def in_levels(name: str, count: int, z: dict[str, np.ndarray]) -> np.ndarray:
    """Probabilities of the first draw in levels with these standard normal numbers [category, row, level]."""
    eta = np.repeat(fixed(count)[:, :, None], len(z["g"]), axis=2)
    for group, V in effects(name, count).items():
        u = z[group] @ np.linalg.cholesky(V).T
        for k in range(count - 1):
            if len(V) == count - 1:
                eta[k] += u[:, k]
            else:
                eta[k] += u[:, 2 * k] + ROWS["x"].to_numpy()[:, None] * u[:, 2 * k + 1]
    return special.softmax(np.concatenate([np.zeros_like(eta[:1]), eta]), axis=0)


def first(found: Estimates) -> np.ndarray:
    """The values of the first draw, one per estimate."""
    return found.draws.to_numpy()[0, 0]


@EVERY_FORMULA
@EVERY_COUNT
def test_the_probability_of_each_category_is_that_of_simulated_levels(name: str, count: int) -> None:
    rng, size = np.random.default_rng(7), LEVELS if count == 3 else LEVELS // 4  # those of five err by the rule
    z = {group: rng.normal(size=(size, len(V))) for group, V in effects(name, count).items()}
    simulated = in_levels(name, count, z)
    found = predict(posterior(name, count), ROWS, "integrated")
    assert found.table["category"].tolist() == [*LABELS[:count]] * 3
    error = simulated.std(axis=-1) / np.sqrt(size)
    allowed = ERRORS * error + (1e-7 if count == 3 else RULE)
    assert (np.abs(first(found).reshape(3, count).T - simulated.mean(axis=-1)) < allowed).all()


@pytest.mark.parametrize("name", ["intercepts", "correlated", "slopes"])
def test_the_error_of_the_sobol_rule_is_what_its_module_states(name: str) -> None:
    """Four predictors: against 2^17 points of a sequence with another seed, whose own error is some 1e-6."""
    (V,) = effects(name, 5).values()
    points = stats.qmc.Sobol(len(V), rng=77).random_base2(17)
    expected = in_levels(name, 5, {"g": special.ndtri(np.clip(points, 1e-12, 1.0 - 1e-12))}).mean(axis=-1)
    found = first(predict(posterior(name, 5), ROWS, "integrated")).reshape(3, 5).T
    assert np.abs(found - expected).max() < RULE


@pytest.mark.parametrize("sd", [0.1, 1.0, 4.0])
def test_three_categories_are_averaged_by_a_rule_of_nine_digits(sd: float) -> None:
    """Against Gauss-Hermite of 200 x 200 nodes where that has converged, and of a trapezoidal rule of 2,001^2."""
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", "categorical")
    point = posterior_at(
        spec, data(3), [0.4, 0.3], {"g": sd**2 * np.array([[1.0, 0.0], [0.0, 0.5]])}, further={"mut": [-0.7, 0.2]}
    )
    nodes = np.linspace(-9.0, 9.0, 1_201)
    weights = stats.norm.pdf(nodes)
    weights /= weights.sum()
    a, b = (0.4 + sd * nodes)[:, None], (-0.7 + np.sqrt(0.5) * sd * nodes)[None, :]
    shares = special.softmax(np.stack(np.broadcast_arrays(0.0, a, b)), axis=0)
    expected = np.einsum("kij,i,j->k", shares, weights, weights)
    assert_allclose(first(predict(point, pd.DataFrame({"x": [0.0]}), "integrated")), expected, atol=2e-7)


@EVERY_COUNT
@pytest.mark.parametrize("name", ["correlated", "slopes"])
def test_a_category_by_itself_is_averaged_as_among_all(name: str, count: int) -> None:
    made = posterior(name, count)
    rows, parts = encode(made.design, ROWS), [one for one in made.spec.family.by_category["category"] if one]
    eta = linear_predictors(made, rows, READINGS["integrated"], slice(None))
    together = expectations(made, parts, rows, eta)
    for one, expected in zip(parts, together, strict=True):
        assert_array_equal(expect(made, one, rows, eta), expected)
        assert_allclose(values_of(made, (one,), eta, slice(None))[0], value_of(made, one, eta, slice(None)), rtol=1e-13)


def test_all_categories_take_one_pass_over_the_points(monkeypatch: pytest.MonkeyPatch) -> None:
    passes, plain = [], averaging.average_of_categories

    def counted(*of: Any) -> np.ndarray:
        passes.append(of)
        return plain(*of)

    monkeypatch.setattr(averaging, "average_of_categories", counted)
    predict(posterior("correlated", 5), ROWS, "integrated")
    compare(posterior("correlated", 5), "f", random_effects="integrated")
    assert len(passes) == 3  # the rows, and those with either level


def test_two_categories_are_averaged_as_an_event_is() -> None:
    frame, formula = data(3).assign(y=lambda d: np.where(d["y"] == "r", "r", "s")), "y ~ x + (x | g)"
    G = {"g": [[0.9, 0.3], [0.3, 0.5]]}
    two = posterior_at(ModelSpec.from_formula(formula, "categorical"), frame, [0.3, -0.8], G)
    event = posterior_at(
        ModelSpec.from_formula(formula, "bernoulli"), frame.assign(y=(frame["y"] == "s").astype(int)), [0.3, -0.8], G
    )
    found = first(predict(two, ROWS[["x"]], "integrated")).reshape(3, 2)
    assert_allclose(found[:, 1], first(predict(event, ROWS[["x"]], "integrated")), atol=1e-7)


@EVERY_COUNT
@pytest.mark.parametrize("reading", ["integrated", "zero", "known", "new"])
def test_probabilities_of_a_row_sum_to_one(count: int, reading: str) -> None:
    """In each draw, and as they are printed."""
    found = predict(posterior("two factors", count), data(count).iloc[:5], reading)
    values = found.draws.to_numpy().reshape(-1, 5, count)
    assert_allclose(values.sum(axis=-1), 1.0, atol=1e-12)
    assert (values >= 0.0).all()
    assert_allclose(found.table["estimate"].to_numpy().reshape(5, count).sum(axis=-1), 1.0, atol=1e-12)


@EVERY_COUNT
def test_at_zero_they_are_the_softmax(count: int) -> None:
    eta = fixed(count)
    expected = special.softmax(np.concatenate([np.zeros_like(eta[:1]), eta]), axis=0)
    assert_allclose(first(predict(posterior("slopes", count), ROWS, "zero")).reshape(3, count).T, expected, rtol=1e-12)


def test_known_levels_are_read_at_their_effects_and_new_ones_at_draws() -> None:
    spec, u = ModelSpec.from_formula("y ~ x + (1 | g)", "categorical"), np.random.default_rng(2).normal(size=(10, 2))
    G, size = np.diag([0.8, 1.5]), 20_000
    how: dict[str, Any] = {"further": {"mut": [-0.7, 0.2]}, "u": {"g": u}}
    point = posterior_at(spec, data(3), [0.4, 0.3], {"g": G}, **how)
    rows = pd.DataFrame({"x": [0.5, 0.5], "g": [0, 9]})
    eta = np.array([0.55, -0.6]) + u[[0, 9]]
    expected = special.softmax(np.column_stack([np.zeros(2), eta]), axis=1)
    assert_allclose(first(predict(point, rows, "known")).reshape(2, 3), expected, rtol=1e-12)
    many = posterior_at(
        spec, data(3), np.tile([0.4, 0.3], (size, 1)), {"g": G}, further={"mut": np.tile([-0.7, 0.2], (size, 1))}
    )
    new = predict(many, rows[["x"]].iloc[:1], "new", seed=1).draws.to_numpy()[0]
    averaged = first(predict(point, rows[["x"]].iloc[:1], "integrated"))
    assert (np.abs(new.mean(axis=0) - averaged) < ERRORS * new.std(axis=0) / np.sqrt(size)).all()
    assert new.std(axis=0).min() > 0.05


@EVERY_COUNT
@pytest.mark.parametrize("reading", ["integrated", "zero"])
def test_comparisons_are_differences_and_ratios_of_predictions(count: int, reading: str) -> None:
    grid, made = data(count)[["x", "f"]].iloc[:10], posterior("slopes", count)
    high, low = (
        predict(made, grid.assign(f=level), reading).draws.to_numpy()[0].reshape(2, 10, -1).mean(axis=1)
        for level in ("b", "a")
    )
    how: dict[str, Any] = {"newdata": grid, "random_effects": reading}
    found = compare(made, "f", estimands="difference", **how)
    assert found.table["category"].tolist() == [*LABELS[:count]]
    assert_allclose(found.draws.to_numpy()[0], high - low, atol=1e-10)
    assert_allclose(found.draws.to_numpy()[0].sum(axis=-1), 0.0, atol=1e-10)
    ratio = compare(made, "f", estimands="ratio", **how).draws.to_numpy()[0]
    assert_allclose(ratio, high / low, rtol=1e-8)


@EVERY_COUNT
def test_slopes_are_differences_of_predictions(count: int) -> None:
    grid, made, h = data(count)[["x", "f"]].iloc[:6], posterior("correlated", count), 1e-4
    up, down = (predict(made, grid.assign(x=grid["x"] + move), "integrated").draws.to_numpy()[0] for move in (h, -h))
    expected = ((up - down) / (2.0 * h)).reshape(2, 6, -1).mean(axis=1)
    found = slopes(made, "x", newdata=grid, random_effects="integrated")
    assert_allclose(found.draws.to_numpy()[0], expected, atol=1e-6)
    assert_allclose(found.draws.to_numpy()[0].sum(axis=-1), 0.0, atol=1e-9)


def test_what_categories_do_not_have_is_refused_in_words() -> None:
    made = posterior("intercepts", 3)
    for part in ("mean", "at_least", "mus", "mu"):
        with pytest.raises(SpecError, match=rf"'{part}'.*category|{part}.*part='category'"):
            predict(made, ROWS, part=part)
    with pytest.raises(SpecError, match="scale='response'"):
        predict(made, ROWS, scale="link")
    with pytest.raises(SpecError, match=r"no mean.*predict\(\)"):
        predict(made, ROWS, scale="outcome")
    for ask in (marginal_coefficients, response_variance, r_squared, r_squared_nakagawa, group_percentiles):
        with pytest.raises(SpecError, match=r"categor"):
            ask(made)
