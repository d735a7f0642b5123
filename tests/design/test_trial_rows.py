"""Counts of several categories: categorical trials with SciPy's multinomial coefficient; rows of counts left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import bayes_glmm as bg
from bayes_glmm.design.trial_rows import log_coefficients, slices_of_counts
from bayes_glmm.errors import GLMMError
from bayes_glmm.predictive import conditional_predictor, log_likelihood

NAMES = ["a", "b", "c"]
ROWS = 24


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    g, x, u = np.arange(ROWS) % 6, rng.normal(size=ROWS), 0.6 * rng.normal(size=(6, 2))
    eta = np.column_stack([np.zeros(ROWS), 0.3 + 0.5 * x + u[g, 0], -0.4 - 0.3 * x + u[g, 1]])
    counts = [rng.multinomial(rng.integers(1, 12), p) for p in special.softmax(eta, axis=1)]
    return pd.DataFrame(counts, columns=NAMES).assign(x=x, g=g)


@pytest.fixture(scope="module")
def model(data: pd.DataFrame) -> bg.GLMM:
    return bg.GLMM("cbind(a, b, c) ~ x + (1 | g)", data, "multinomial")


def test_the_posterior_mode_is_that_of_long_data(data: pd.DataFrame, model: bg.GLMM) -> None:
    long = data.melt(["x", "g"], NAMES, "k", "count").query("count > 0")
    other = bg.GLMM("k | weights(count, frequency) ~ x + (1 | g)", long, "categorical")
    found, expected = bg.approx.laplace(model), bg.approx.laplace(other)
    np.testing.assert_allclose(found.beta, expected.beta, atol=1e-10)
    np.testing.assert_allclose(found.parameters.G("g"), expected.parameters.G("g"), atol=1e-10)


def test_spellings_and_references(data: pd.DataFrame, model: bg.GLMM) -> None:
    assert model.spec.family.name == "categorical"
    assert model.design.categories == ("a", "b", "c")
    assert f"i: {int(data[NAMES].sum().sum())} trials, one category each, of {ROWS} rows of counts" in str(model)
    other = bg.GLMM("c(a, b, c) ~ x + (1 | g)", data, "categorical", reference="b")
    assert str(other.spec.formula) == "cbind(a, b, c) ~ x + (1 | g)"
    assert other.design.categories == ("b", "a", "c")
    assert type(other.spec).from_dict(other.spec.to_dict()).formula == other.spec.formula
    own = bg.GLMM("cbind(a, b, c) ~ x", data, "categorical", formulas={"mub": "1"})
    assert [one.coefficients for one in own.design.predictors.fixed] == [("Intercept",), ("Intercept", "x")]


@pytest.fixture(scope="module")
def posterior(model: bg.GLMM) -> bg.Posterior:
    return bg.approx.laplace_posterior(model, draws=400, seed=1)


def test_rows_of_counts_have_the_multinomial_density(data: pd.DataFrame, posterior: bg.Posterior) -> None:
    rows = log_likelihood(posterior).to_numpy().reshape(-1, len(posterior.design.y))
    unit = posterior.design.count_row
    assert unit is not None
    found = np.array([np.bincount(unit, weights=draw) for draw in rows[:3]])
    found = found + log_coefficients(posterior.design, unit, ROWS)
    counts = data[NAMES].to_numpy()
    first = np.unique(unit, return_index=True)[1]
    for draw in range(3):
        etas = [_eta(posterior, name, draw)[first] for name in ("mub", "muc")]
        p = special.softmax(np.column_stack([np.zeros(ROWS), *etas]), axis=1)
        expected = stats.multinomial.logpmf(counts, counts.sum(axis=1), p)
        np.testing.assert_allclose(found[draw], expected, rtol=1e-10)


def _eta(posterior: bg.Posterior, name: str, draw: int) -> np.ndarray:
    return conditional_predictor(posterior, posterior.design.predictors, np.array([draw]), name)[0]


def test_leave_one_out_leaves_out_rows_of_counts(posterior: bg.Posterior) -> None:
    loo = bg.diagnostics.loo_by_row(posterior)
    assert len(loo.pointwise) == ROWS
    rows = log_likelihood(posterior).to_numpy().reshape(-1, len(posterior.design.y))
    unit = posterior.design.count_row
    assert unit is not None
    density = np.array([np.bincount(unit, weights=draw) for draw in rows])
    density += log_coefficients(posterior.design, unit, ROWS)
    # importance weights without smoothing, of rows whose tail is short
    raw = -special.logsumexp(-density, axis=0) + np.log(len(density))
    good = loo.pointwise["pareto_k"] < 0.3
    assert good.sum() > 3
    np.testing.assert_allclose(loo.pointwise["elpd"][good], raw[good], atol=0.1)


@pytest.mark.parametrize("size", [1, 7, 40, 1000])
def test_blocks_hold_whole_rows_of_counts(model: bg.GLMM, size: int) -> None:
    unit, seen = model.design.count_row, []
    assert unit is not None
    for rows, starts in slices_of_counts(model.design, size):
        seen.extend(unit[rows][starts])
        assert len(np.unique(unit[rows])) == len(starts)
    assert seen == [*range(ROWS)]


@pytest.mark.slow
def test_cross_validation_leaves_out_rows_of_counts(model: bg.GLMM) -> None:
    """Folds of rows of counts, whose density has the coefficient as that of leave-one-out has."""
    fit = model.fit(seed=1, draws=500, progress=False)
    cv = bg.studies.kfold(fit, k=4, progress=False)
    loo = bg.diagnostics.loo_by_row(fit.posterior)
    assert len(cv.pointwise) == ROWS
    assert cv.pointwise["elpd"].sum() == pytest.approx(loo.elpd, abs=4.0)
    assert fit.check("predictive")


BAD = [
    ("cbind(a, b, c) ~ x", "poisson", {}, "not a response of the poisson family"),
    ("cbind(a, b, c) | weights(w, frequency) ~ x", "categorical", {"w": 2}, "have no weights"),
    ("cbind(a, b, c) ~ x", "categorical", {"a": -1}, "not a whole number from 0 on"),
    ("cbind(a, b, c) ~ x", "categorical", {"a": 0, "b": 0, "c": 0}, "All counts of a row are 0"),
    ("cbind(a, b, c) ~ a", "categorical", {}, "also stands on the right"),
    ("cbind(a, b, c) | trials(x) ~ 1", "categorical", {}, "sums of the counts"),
    ("cbind(a, b, nothing) ~ x", "categorical", {}, "nothing"),
]


@pytest.mark.parametrize(("formula", "family", "changed", "words"), BAD)
def test_errors_say_what_is_wrong(
    data: pd.DataFrame, formula: str, family: str, changed: dict[str, int], words: str
) -> None:
    with pytest.raises(GLMMError, match=words):
        bg.GLMM(formula, data.assign(**changed), family)
