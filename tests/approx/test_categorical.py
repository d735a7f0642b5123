"""Categories without an order by maximum likelihood: multinom on published data, invariances, files and configs.

What does not depend on how rows, columns and categories are written is asked of maxima, which are deterministic.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.approx import ApproxFit
from tests.round_trips import assert_run_draws, assert_same_draws, assert_same_predictive

FORMULA = "y ~ x + f + (1 | g)"
Target = Literal["likelihood", "posterior"]
ROWS = pd.DataFrame({"x": [-1.0, 0.5], "f": ["p", "q"]})


@cache
def made_up() -> pd.DataFrame:
    rng, n = np.random.default_rng(3), 300
    data = pd.DataFrame({"x": rng.normal(size=n).round(3), "f": rng.choice(list("pq"), n), "g": np.arange(n) % 20})
    u = rng.normal(size=(2, 20))[:, data["g"]]
    etas = np.array([[0.8], [-0.5]]) * data["x"].to_numpy() + np.array([[0.0], [0.7]]) * (data["f"] == "q").to_numpy()
    utility = np.vstack([np.zeros(n), etas + u]) + rng.gumbel(size=(3, n))
    return data.assign(y=np.array(list("abc"))[np.argmax(utility, axis=0)])


@cache
def original(formula: str = FORMULA) -> ApproxFit:
    return maximum(made_up(), formula)


def maximum(frame: pd.DataFrame, formula: str = FORMULA) -> ApproxFit:
    fit = bg.approx.laplace(bg.GLMM(formula, frame, "categorical"))
    assert fit.converged
    return fit


def estimates(fit: ApproxFit) -> pd.Series:
    return fit.coefficients_with_errors.set_index("parameter")["estimate"]


def probabilities(fit: ApproxFit, rows: pd.DataFrame = ROWS, reading: str = "zero") -> pd.DataFrame:
    """Of a fit's own point, by category."""
    table = fit.predict(rows, reading).table.assign(row=lambda d: np.arange(len(d)) // d["category"].nunique())
    return table.pivot(index="row", columns="category", values="estimate")


def test_without_random_effects_it_is_multinom(shared: Path) -> None:
    """nnet::multinom and VGAM::vglm on the labour force of Canadian women, reference not.work."""
    path = shared / "reference" / "reference_families.json"
    (entry,) = json.loads(path.read_text(encoding="utf-8"))["womenlf"]["computed"]
    data = pd.read_csv(shared / "data" / "womenlf.csv")
    kinds = entry["predictions"]["categories"]
    data = data.assign(partic=pd.Categorical(data["partic"], kinds))
    fit = maximum(data, "partic ~ hincome + children")
    assert fit.design.categories == tuple(kinds)
    found = fit.coefficients_with_errors.set_index("parameter")
    expected = entry["fits"][0]
    names = {"(Intercept)": "Intercept", "childrenpresent": "children[present]"}
    assert len(found) == len(expected["coefficients"]) == 6
    for key, value in expected["coefficients"].items():
        kind, name = key.split(":")
        ours, se = f"mu{kind}_{names.get(name, name)}", expected["se"][key]
        assert abs(found["estimate"][ours] - value) < 1e-4 * se
        assert found["sd"][ours] == pytest.approx(se, rel=1e-4)
    assert fit.log_likelihood == pytest.approx(expected["loglik"], abs=1e-5)
    shares = probabilities(fit, pd.DataFrame(entry["predictions"]["grid"]))[kinds]
    # medians of draws about the maximum, which differ from it by their Monte Carlo error of some .003
    assert_allclose(shares, entry["predictions"]["conditional"]["probs"], atol=0.02)


def test_two_categories_are_a_bernoulli_model() -> None:
    data = made_up().assign(y=lambda d: np.where(d["y"] == "a", "no", "yes"))
    two, priors = maximum(data), {"beta": "Normal(0, 1)", "sd": "HalfNormal(1)"}
    event = bg.approx.laplace(bg.GLMM(FORMULA, data.assign(y=(data["y"] == "yes").astype(int)), "bernoulli"))
    assert two.log_likelihood == pytest.approx(event.log_likelihood, abs=1e-8)
    assert_allclose(estimates(two), estimates(event), atol=1e-5)
    assert_allclose(two.sd("g"), event.sd("g"), atol=1e-5)
    one, other = (
        bg.approx.laplace(bg.GLMM(FORMULA, frame, family, priors=priors), "posterior")
        for frame, family in ((data, "categorical"), (data.assign(y=(data["y"] == "yes").astype(int)), "bernoulli"))
    )
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-7)
    assert_allclose(estimates(one), estimates(other), atol=1e-5)


def test_another_reference_category_is_the_same_likelihood() -> None:
    """Of c, called "0c", which sorts first: differences of coefficients; correlated effects, whose family is closed."""
    frame = made_up().assign(y=lambda d: d["y"].replace("c", "0c"))
    one, other = original("y ~ x + f + (1 |i| g)"), maximum(frame, "y ~ x + f + (1 |i| g)")
    assert other.design.categories == ("0c", "a", "b")
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-6)
    a, b = estimates(one), estimates(other)
    for name in ("Intercept", "x", "f[q]"):
        assert b[f"mua_{name}"] == pytest.approx(-a[f"muc_{name}"], abs=1e-4)
        assert b[f"mub_{name}"] == pytest.approx(a[f"mub_{name}"] - a[f"muc_{name}"], abs=1e-4)
    G, H = (np.asarray(fit.parameters.G("g")) for fit in (one, other))
    to_other = np.array([[0.0, -1.0], [1.0, -1.0]])
    assert_allclose(H, to_other @ G @ to_other.T, atol=2e-4)
    fixed, moved = maximum(made_up(), "y ~ x + f"), maximum(frame, "y ~ x + f")
    assert fixed.log_likelihood == pytest.approx(moved.log_likelihood, abs=1e-9)


@pytest.mark.parametrize(("unit", "origin"), [(1.0, 2010.0), (-0.01, -5.0)])
@pytest.mark.parametrize("target", ["likelihood", "posterior"])
def test_a_covariate_may_have_another_unit_and_origin(unit: float, origin: float, target: Target) -> None:
    one, other = (
        bg.approx.laplace(bg.GLMM(FORMULA, frame, "categorical"), target)
        for frame in (made_up(), made_up().assign(x=lambda d: unit * d["x"] + origin))
    )
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-7)
    a, b = estimates(one), estimates(other)
    for name in ("mub", "muc"):
        assert a[f"{name}_x"] == pytest.approx(unit * b[f"{name}_x"], abs=2e-5)
        assert a[f"{name}_f[q]"] == pytest.approx(b[f"{name}_f[q]"], abs=2e-5)
        moved = b[f"{name}_Intercept"] + origin * b[f"{name}_x"]
        assert a[f"{name}_Intercept"] == pytest.approx(moved, abs=1e-3)  # 2010 times an error of 4e-7
    assert_allclose(one.sd("g"), other.sd("g"), atol=2e-5)


def test_rows_may_stand_in_any_order() -> None:
    other = maximum(made_up().sample(frac=1.0, random_state=5))
    assert original().log_likelihood == pytest.approx(other.log_likelihood, abs=1e-8)
    assert_allclose(estimates(original()), estimates(other), atol=2e-5)


ODD = {
    "odd": ("1", "a/b", "ü"),
    "alike without the blank": (" ", "a b", "ab"),
    "empty": ("", "a", "b"),
    "nothing to read": ("-", ".", "/"),
    "our words": ("beta", "mu", "sigma"),
    "brackets": ("a]", "b[", "{c}"),
}


@pytest.mark.parametrize("name", ODD)
def test_categories_may_have_odd_names(name: str, tmp_path: Path) -> None:
    """Whatever they are called: fitted, printed, asked, saved and read."""
    labels = pd.Categorical.from_codes(made_up()["y"].map({"a": 0, "b": 1, "c": 2}), pd.Index(ODD[name]))
    formula = "y ~ x + f"
    other = maximum(made_up().assign(y=labels), formula)
    assert other.design.categories == ODD[name]
    assert original(formula).log_likelihood == pytest.approx(other.log_likelihood, abs=1e-8)
    assert_allclose(estimates(original(formula)), estimates(other), atol=2e-5)
    assert str(other)
    made = bg.Fit(other.posterior)
    table = made.predict(ROWS, "zero").table
    assert table["category"].tolist() == [*ODD[name]] * 2
    again = bg.load(made.save(tmp_path / "saved"))
    assert again.design.categories == ODD[name]
    pd.testing.assert_frame_equal(again.predict(ROWS, "zero").table, table, check_exact=True)


CONFIG = """\
data:
  file: rows.csv
model:
  formula: y ~ x + f + (1 | g)
  family: categorical
  priors: {"mub.x": "Normal(0, 0.5)", beta: "Normal(0, 1)", "muc.sd": "HalfNormal(1)"}
sampler: {draws: 60, tune: 120, chains: 2, seed: 4}
effects:
  - compare: x
"""
PRIORS = {"mub.x": "Normal(0, 0.5)", "beta": "Normal(0, 1)", "muc.sd": "HalfNormal(1)"}


@pytest.fixture(scope="module")
def fit() -> bg.Fit:
    model = bg.GLMM(FORMULA, made_up(), "categorical", priors=PRIORS)
    assert str(model.priors["beta_mub[x]"]) == "Normal(0, 0.5)"
    assert str(model.priors["beta_muc[x]"]) == "Normal(0, 1)"
    assert str(model.priors["sd_g[muc_Intercept]"]) == "HalfNormal(1)"
    return model.fit(draws=60, tune=120, chains=2, seed=4, progress=False)


def test_a_saved_fit_is_the_same_to_the_bit(fit: bg.Fit, tmp_path: Path) -> None:
    again = bg.load(fit.save(tmp_path / "saved"))
    assert_same_draws(fit, again)
    assert again.design.categories == ("a", "b", "c")
    assert again.spec.family.categories == 3
    for reading in ("integrated", "zero"):
        one, two = (one.predict(ROWS, reading).table for one in (fit, again))
        pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert_same_predictive(fit, again)


def test_a_run_of_a_config_draws_what_python_draws(fit: bg.Fit, tmp_path: Path) -> None:
    assert_run_draws(fit, CONFIG, made_up(), tmp_path, "abc")
