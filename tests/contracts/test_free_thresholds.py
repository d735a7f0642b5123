"""Free thresholds: the answer does not depend on how rows, columns and categories are written, saved or configured."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, special

import bayes_glmm as bg
from tests.approx.test_cumulative import FORMULA, made_up
from tests.contracts.test_cumulative import CONFIG, LABELS, Pair, assert_same, assert_same_draws, estimates, labelled

NAMES = ("sratio", "cratio", "acat")
EVERY = pytest.mark.parametrize("family", NAMES)


@cache
def maxima(family: str, frame: Callable[[], pd.DataFrame] = made_up, formula: str = FORMULA) -> Pair:
    """Maximum likelihood, and the mode of the posterior under default priors."""
    model = bg.GLMM(formula, frame(), family)
    return bg.approx.laplace(model), bg.approx.laplace(model, "posterior")


@EVERY
@pytest.mark.parametrize(("unit", "origin"), [(1.0, 2010.0), (-0.01, -5.0)])
def test_a_covariate_may_have_another_unit_and_origin(family: str, unit: float, origin: float) -> None:
    """Slopes by the unit, thresholds by slope times origin; the posterior too, as default priors are at the centre."""
    other = maxima(family, lambda: made_up().assign(x=lambda d: unit * d["x"] + origin))

    def turned(values: np.ndarray) -> np.ndarray:
        thresholds, slope, rest = values[:4], values[4], values[5:]
        return np.concatenate([thresholds - slope * origin, [slope * unit], rest])

    assert_same(maxima(family), other, turned)


@EVERY
def test_rows_and_names_of_categories_do_not_matter(family: str) -> None:
    assert_same(maxima(family), maxima(family, lambda: made_up().sample(frac=1.0, random_state=5)))
    other = maxima(family, labelled)
    assert_same(maxima(family), other)
    assert other[0].design.thresholds[0] == "never|rarely"
    other = maxima(
        family,
        lambda: made_up().rename(columns={"y": "threshold", "x": "adjacent", "f": "category", "g": "mu"}),
        "threshold ~ adjacent + category + (1 | mu)",
    )
    assert_same(maxima(family), other)


def reversed_categories() -> pd.DataFrame:
    return made_up().assign(y=lambda d: 6 - d["y"])


def test_the_order_of_adjacent_categories_may_be_reversed() -> None:
    """Coefficients and thresholds change their sign, the latter their order too."""
    other = maxima("acat", reversed_categories)
    assert_same(maxima("acat"), other, lambda values: -np.concatenate([values[3::-1], values[4:]]))
    rows = made_up().iloc[:4]
    one, two = (fit[1].predict(rows, "integrated").table["estimate"] for fit in (maxima("acat"), other))
    assert_allclose(one.to_numpy().reshape(4, 5), two.to_numpy().reshape(4, 5)[:, ::-1], atol=1e-5)


def test_that_of_ratios_may_not() -> None:
    """They begin with the lowest: with the same likelihood the test above would be blind."""
    one, other = maxima("sratio")[0], maxima("sratio", reversed_categories)[0]
    assert abs(one.log_likelihood - other.log_likelihood) > 0.1


def test_stopping_and_continuing_are_one_model_under_logit() -> None:
    assert_same(maxima("sratio"), maxima("cratio"))


@EVERY
def test_an_offset_is_a_covariate_with_a_slope_of_one(family: str) -> None:
    """At the maximum of the other terms: the same value as of the model with the slope held there."""
    slope = estimates(maxima(family)[0])[4]
    frame = made_up().assign(part=lambda d: slope * d["x"])
    other = bg.approx.laplace(bg.GLMM("y ~ f + offset(part) + (1 | g)", frame, family))
    assert other.log_likelihood == pytest.approx(maxima(family)[0].log_likelihood, abs=1e-7)
    assert_allclose(estimates(other), np.delete(estimates(maxima(family)[0]), 4), atol=2e-5)


@pytest.fixture(scope="module")
def fit() -> bg.Fit:
    priors = {"threshold": "Normal(0, 3)", "beta": "Normal(0, 1)"}
    model = bg.GLMM(FORMULA, labelled(), "sratio", "probit", priors)
    return model.fit(draws=100, tune=200, chains=2, seed=4, progress=False)


def test_a_saved_fit_is_the_same_to_the_bit(fit: bg.Fit, tmp_path: Path) -> None:
    again = bg.load(fit.save(tmp_path / "saved"))
    assert_same_draws(fit, again)
    assert again.spec.family.key == "sratio5"
    assert again.design.categories == tuple(LABELS)
    assert again.posterior.priors.entries == fit.posterior.priors.entries
    rows = made_up().iloc[:3]
    for part in ("category", "at_least", "mean"):
        one, two = (one.predict(rows, "integrated", part=part).table for one in (fit, again))
        pd.testing.assert_frame_equal(one, two, check_exact=True)


@pytest.mark.slow
def test_a_run_of_a_config_draws_what_python_draws(fit: bg.Fit, tmp_path: Path) -> None:
    from bayes_glmm.runs.run import run

    labelled().to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "ordered.yaml").write_text(CONFIG.replace("family: cumulative", "family: stopping_ratio"))
    finished = run(
        tmp_path / "ordered.yaml",
        overrides={"outputs": {"folder": str(tmp_path / "run"), "figures": False, "report": True}},
    )
    assert_same_draws(fit, bg.load(finished.folder / "posterior"))
    table = pd.read_csv(next((finished.folder / "tables").glob("*compare*.csv")))
    assert set(table["category"]) == set(LABELS)
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert "StoppingRatio(never &lt; rarely" in page
    assert "P(y_i = k | y_i ≥ k, u)" in page
    assert "Coefficients refer to the probability that a row which reached a category" in page
    assert "in order" not in page.partition("Sensitivity of all parameters")[2][:3000]


def separates(frame: pd.DataFrame, family: str, formula: str = "y ~ x") -> bool:
    return any(one.name == "separation" for one in bg.GLMM(formula, frame, family).findings)


def tidy_rows(rng: np.random.Generator) -> pd.DataFrame:
    """Ten rows in which higher categories go with higher x, but for chance."""
    x = np.append(rng.integers(0, 5, 8), [0, 4])
    return pd.DataFrame({"x": x.astype(float), "y": np.append(np.clip(x + rng.integers(-1, 2, 10), 1, 3)[:-2], [1, 3])})


def expanded(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each category that a row reached: whether it went on."""
    pieces = [frame[frame["y"] >= k].assign(at=str(k), on=(frame["y"] > k).astype(int)) for k in (1, 2)]
    return pd.concat(pieces, ignore_index=True)


def test_separation_of_ratios_is_that_of_the_expanded_rows() -> None:
    rng, found = np.random.default_rng(1), []
    for _ in range(40):
        frame = tidy_rows(rng)
        found.append(separates(frame, "sratio"))
        assert found[-1] == separates(frame, "cratio") == separates(expanded(frame), "bernoulli", "on ~ 0 + at + x")
    assert 5 < sum(found) < len(found) - 5


def test_separation_of_adjacent_categories_is_where_the_likelihood_grows_on() -> None:
    """With a free slope and free thresholds: by the maximum over the latter at large slopes."""
    rng, found = np.random.default_rng(2), []
    for _ in range(25):
        frame = tidy_rows(rng)
        x, k = frame["x"].to_numpy(), frame["y"].to_numpy() - 1

        def profile(slope: float, x: np.ndarray = x, k: np.ndarray = k) -> float:
            def negative(c: np.ndarray) -> float:
                sums = np.outer(slope * x, [0.0, 1.0, 2.0]) - np.array([0.0, c[0], c[0] + c[1]])
                return -float(special.log_softmax(sums, axis=1)[np.arange(len(x)), k].sum())

            start = slope * x.mean() * np.ones(2)
            return -optimize.minimize(negative, start, method="Nelder-Mead", options={"maxiter": 4000}).fun

        best = max(profile(slope) for slope in np.linspace(-6.0, 6.0, 25))
        found.append(separates(frame, "acat"))
        assert found[-1] == (max(profile(40.0), profile(-40.0)) > best - 0.05)
    assert 3 < sum(found) < len(found) - 3
