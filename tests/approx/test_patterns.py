"""Patterns of thresholds and discriminations: maxima by ordinal's clm and clmm and by SciPy, in every coding."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, special

import bayes_glmm as bg
from bayes_glmm.approx import ApproxFit
from bayes_glmm.datasets import wine

REFERENCE = Path(__file__).parents[3] / "shared/reference/reference_families.json"
FORMULA = "rating ~ temp + contact + (1 | judge)"


@cache
def published() -> list[dict[str, Any]]:
    if not REFERENCE.exists():
        pytest.skip(f"no {REFERENCE}")
    return json.loads(REFERENCE.read_text(encoding="utf-8"))["wine"]["computed"]


def values(fit: ApproxFit) -> dict[str, float]:
    table = fit.coefficients_with_errors
    return dict(zip(table["parameter"], table["estimate"], strict=True))


@pytest.mark.parametrize(("pattern", "entry"), [("equidistant", 5), ("symmetric", 6)])
def test_maxima_are_those_of_clmm(pattern: str, entry: int) -> None:
    """Ten nodes of adaptive quadrature in both."""
    fit = bg.approx.aghq(bg.GLMM(FORMULA, wine(), "cumulative", thresholds=pattern), nodes=10)
    theirs, own = published()[entry]["fits"][0], values(fit)
    assert fit.log_likelihood == pytest.approx(theirs["loglik"], abs=1e-6)
    for name, value in theirs["cut_points"].items():
        assert own[f"threshold[{name}]"] == pytest.approx(value, abs=1e-5)
    assert own["temp[warm]"] == pytest.approx(theirs["coefficients"]["tempwarm"], abs=1e-5)
    assert fit.sd("judge")[0] == pytest.approx(theirs["sd_ranef"]["judge|(Intercept)"], abs=1e-5)
    if pattern == "equidistant":
        assert own["threshold_distance"] == pytest.approx(theirs["thresholds"]["spacing"], abs=1e-5)
        errors = fit.coefficients_with_errors.set_index("parameter")["sd"]
        assert errors["threshold_distance"] == pytest.approx(theirs["se"]["spacing"], rel=1e-4)
    else:
        middle = 0.5 * (theirs["thresholds"]["central.1"] + theirs["thresholds"]["central.2"])
        assert own["threshold_middle"] == pytest.approx(middle, abs=1e-5)


def test_discrimination_is_less_the_scale_of_clm() -> None:
    """Clm divides by exp(scale)."""
    fit = bg.approx.laplace(bg.GLMM(["rating ~ temp + contact", "disc ~ temp"], wine(), "cumulative"))
    theirs, own = published()[13]["fits"][0], values(fit)
    assert fit.log_likelihood == pytest.approx(theirs["loglik"], abs=1e-7)
    assert own["disc_temp[warm]"] == pytest.approx(-theirs["log_scale_coefficients"]["tempwarm"], abs=1e-6)
    for name, value in theirs["cut_points"].items():
        assert own[f"threshold[{name}]"] == pytest.approx(value, abs=1e-5)


def test_equidistant_thresholds_without_groups_are_those_of_the_vignette_of_ordinal() -> None:
    """Christensen (2019), Cumulative link models for ordinal regression: log likelihood -87.86, spacing 2.1229."""
    fit = bg.approx.laplace(bg.GLMM("rating ~ temp + contact", wine(), "cumulative", thresholds="equidistant"))
    assert fit.log_likelihood == pytest.approx(-87.86, abs=0.005)
    assert values(fit)["threshold_distance"] == pytest.approx(2.1229, abs=5e-5)


@cache
def made_up(categories: int = 5) -> pd.DataFrame:
    rng, n = np.random.default_rng(4), 240
    x, f, g = rng.normal(size=n), rng.choice(["a", "b"], n), np.repeat(np.arange(12), 20)
    disc = np.exp(0.5 * (f == "b"))
    latent = 0.8 * x + rng.normal(0.0, 0.8, 12)[g] + rng.logistic(size=n) / disc
    cuts = np.linspace(-1.5, 1.5, categories - 1)
    return pd.DataFrame({"x": x, "f": f, "g": g, "y": np.digitize(latent, cuts) + 1})


def fitted(
    family: str = "cumulative", pattern: str = "flexible", frame: pd.DataFrame | None = None, disc: str = "f"
) -> ApproxFit:
    formulas = ["y ~ x + (1 | g)", *([f"disc ~ {disc}"] if disc else [])]
    model = bg.GLMM(formulas, made_up() if frame is None else frame, family, thresholds=pattern)
    return bg.approx.laplace(model)


def by_scipy(family: str, pattern: str, frame: pd.DataFrame) -> float:
    """The largest log likelihood of y ~ x, disc ~ f, written out with logistic functions."""
    x, b, y = frame["x"].to_numpy(), (frame["f"] == "b").to_numpy(float), frame["y"].to_numpy() - 1

    def thresholds(p: np.ndarray) -> np.ndarray:
        if pattern == "equidistant":
            return p[0] + p[1] * np.arange(4)
        return p[0] + np.array([-p[1] - p[2], -p[1], p[1], p[1] + p[2]])

    def negative(p: np.ndarray) -> float:
        c, beta, zeta = thresholds(p[:-2]), p[-2], p[-1]
        z = np.exp(zeta * b)[:, None] * (c - beta * x[:, None])
        if family == "cumulative":
            below = np.hstack([np.zeros((len(x), 1)), special.expit(z), np.ones((len(x), 1))])
            shares = np.maximum(np.diff(below, axis=1), 1e-300)
            return -float(np.log(shares)[np.arange(len(x)), y].sum())
        if family == "acat":
            sums = np.cumsum(np.hstack([np.zeros((len(x), 1)), -z]), axis=1)
            return -float(special.log_softmax(sums, axis=1)[np.arange(len(x)), y].sum())
        on = np.cumsum(np.hstack([np.zeros((len(x), 1)), special.log_expit(-z)]), axis=1)
        stop = np.hstack([special.log_expit(z), np.zeros((len(x), 1))])
        return -float((on + stop)[np.arange(len(x)), y].sum())

    start = np.array([0.0, 0.5, 0.5, 0.1] if pattern == "equidistant" else [0.0, 0.5, 0.5, 0.5, 0.1])
    found = optimize.minimize(negative, start, method="BFGS", options={"gtol": 1e-7})
    return -float(found.fun)


@pytest.mark.parametrize("pattern", ["equidistant", "symmetric"])
@pytest.mark.parametrize("family", ["cumulative", "sratio", "acat"])
def test_maxima_are_those_of_scipy(family: str, pattern: str) -> None:
    model = bg.GLMM(["y ~ x", "disc ~ f"], made_up(), family, thresholds=pattern)
    assert bg.approx.laplace(model).log_likelihood == pytest.approx(by_scipy(family, pattern, made_up()), abs=1e-6)


@pytest.mark.parametrize("family", ["cumulative", "sratio", "cratio", "acat"])
def test_of_three_categories_all_patterns_are_one_model(family: str) -> None:
    """One distance: the same likelihood, and the same prior, to the bit."""
    three = made_up(3)
    one = fitted(family, frame=three, disc="")
    for pattern in ("equidistant", "symmetric"):
        other = fitted(family, pattern, three, disc="")
        assert other.log_likelihood == one.log_likelihood
        assert values(other) == values(one)
        mode = [bg.approx.laplace(bg.GLMM("y ~ x", three, family, thresholds=each), "posterior") for each in
                ("flexible", pattern)]  # fmt: skip
        assert values(mode[0]) == values(mode[1])


def test_patterns_are_nested() -> None:
    """Equidistant thresholds are symmetric, these flexible; of four categories the first two are the same."""
    patterns = ("equidistant", "symmetric", "flexible")
    found = [fitted(pattern=one).log_likelihood for one in patterns]
    assert found[0] < found[1] < found[2]
    one, other = (fitted(pattern=each, frame=made_up(4)) for each in patterns[:2])
    assert one.log_likelihood == other.log_likelihood
    assert values(one)["threshold[3|4]"] == values(other)["threshold[3|4]"]


@pytest.mark.parametrize("family", ["cumulative", pytest.param("acat", marks=pytest.mark.slow)])
@pytest.mark.parametrize("pattern", ["flexible", "equidistant", "symmetric"])
def test_the_order_of_categories_may_be_reversed(family: str, pattern: str) -> None:
    """Thresholds and coefficients change their sign, the discrimination stays."""
    frame = made_up()
    one, other = fitted(family, pattern), fitted(family, pattern, frame.assign(y=6 - frame["y"]))
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-7)
    mine, theirs = values(one), values(other)
    assert theirs["x"] == pytest.approx(-mine["x"], abs=3e-5)
    assert theirs["disc_f[b]"] == pytest.approx(mine["disc_f[b]"], abs=3e-5)
    for k in range(1, 5):
        assert theirs[f"threshold[{k}|{k + 1}]"] == pytest.approx(-mine[f"threshold[{5 - k}|{6 - k}]"], abs=1e-4)


def test_units_of_covariates_do_not_matter() -> None:
    """The location's columns may have any unit and origin, those of disc any unit; maxima and modes."""
    frame = made_up()
    other = frame.assign(x=1000.0 * frame["x"] + 2010.0)
    scaled = frame.assign(x=1000.0 * frame["x"])
    for quantity in ("likelihood", "posterior"):
        one, two = symmetric("x", frame, quantity), symmetric("x", scaled, quantity)
        assert one.log_likelihood == pytest.approx(two.log_likelihood, abs=1e-6)
        assert values(two)["disc_x"] == pytest.approx(values(one)["disc_x"] / 1000.0, rel=1e-3)
        one, two = symmetric("f", frame, quantity), symmetric("f", other, quantity)
        assert one.log_likelihood == pytest.approx(two.log_likelihood, abs=1e-6)
        assert values(one)["disc_f[b]"] == pytest.approx(values(two)["disc_f[b]"], abs=3e-5)


def symmetric(disc: str, frame: pd.DataFrame, quantity: str) -> ApproxFit:
    model = bg.GLMM(["y ~ x + (1 | g)", f"disc ~ {disc}"], frame, "cumulative", thresholds="symmetric")
    return bg.approx.laplace(model, quantity)  # type: ignore[arg-type]


def test_the_reference_level_of_a_discrimination_changes_the_unit_alone() -> None:
    frame = made_up()
    one, other = fitted(), fitted(frame=frame.assign(f=frame["f"].map({"a": "z", "b": "y"})))
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-7)
    mine, theirs = values(one), values(other)
    assert theirs["disc_f[z]"] == pytest.approx(-mine["disc_f[b]"], abs=3e-5)
    unit = np.exp(mine["disc_f[b]"])  # thresholds and coefficients are those of the other group
    assert_allclose(
        [theirs["x"], theirs["threshold[2|3]"]], np.array([mine["x"], mine["threshold[2|3]"]]) * unit, rtol=1e-4
    )
