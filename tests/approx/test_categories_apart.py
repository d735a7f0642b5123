"""The reference of unordered categories, and formulas of single ones: estimates, files, configs, refusals.

Witnesses: the likelihood written out with SciPy's softmax and maximised by SciPy; the same data with reordered levels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, special, stats

import bayes_glmm as bg
from bayes_glmm.effects import compare, predict
from bayes_glmm.errors import DataError, SpecError
from bayes_glmm.inference.densities.fixed_inputs import fixed_density
from bayes_glmm.posterior import posterior_at
from bayes_glmm.spec import ModelSpec
from tests.approx.test_categorical import estimates, made_up, probabilities
from tests.hostile.cases import is_refused
from tests.round_trips import assert_run_draws

OWN = ["y ~ x", "mub ~ x + f"]
FURTHER = {"mub": "1 + f", "muc": "0 + x"}


def model(formula: Any = "y ~ x", frame: pd.DataFrame | None = None, **settings: Any) -> bg.GLMM:
    return bg.GLMM(formula, made_up() if frame is None else frame, "categorical", **settings)


@pytest.mark.parametrize("reference", ["b", "c"])
def test_a_reference_by_name_is_the_first_of_reordered_levels(reference: str) -> None:
    order = [reference, *(label for label in "abc" if label != reference)]
    named = model(reference=reference)
    reordered = model(frame=made_up().assign(y=lambda d: pd.Categorical(d["y"], order)))
    assert named.design.categories == reordered.design.categories == tuple(order)
    assert named.design.y.tolist() == reordered.design.y.tolist()
    one, other = (bg.approx.laplace(made) for made in (named, reordered))
    pd.testing.assert_series_equal(estimates(one), estimates(other))


def test_a_reference_may_be_a_number() -> None:
    frame = made_up().assign(y=lambda d: d["y"].map({"a": 1, "b": 2, "c": 10}))
    assert model(frame=frame, reference=10).design.categories == ("10", "1", "2")
    assert model(frame=frame, reference="2").design.categories == ("2", "1", "10")
    assert str(model(frame=frame, reference=2).spec) == "y ~ x   [categorical, logit link, reference 2]"


def test_what_is_no_reference_is_refused() -> None:
    is_refused(lambda: model(reference="bb"), DataError, "reference category 'bb'", "column 'y'", "Did you mean 'b'")
    for family in ("bernoulli", "cumulative", "poisson"):
        with pytest.raises(SpecError, match=r"no reference category.*family='categorical'"):
            ModelSpec.from_formula("y ~ x", family, reference="b")


def by_hand(columns: dict[str, list[str]]) -> tuple[float, np.ndarray]:
    """Maximum of the log likelihood, and the coefficients; columns of each category but the first."""
    frame = made_up().assign(one=1.0, q=lambda d: (d["f"] == "q").astype(float))
    X = [frame[names].to_numpy(float) for names in columns.values()]
    y, ends = frame["y"].map({"a": 0, "b": 1, "c": 2}).to_numpy(), np.cumsum([one.shape[1] for one in X])

    def falling(beta: np.ndarray) -> float:
        etas = [one @ b for one, b in zip(X, np.split(beta, ends[:-1]), strict=True)]
        return -float(special.log_softmax(np.stack([np.zeros(len(y)), *etas]), axis=0)[y, np.arange(len(y))].sum())

    found = optimize.minimize(falling, np.zeros(ends[-1]), method="BFGS", options={"gtol": 1e-7})
    return -float(found.fun), found.x


@pytest.mark.parametrize(
    ("formula", "formulas", "columns"),
    [
        (OWN, None, {"mub": ["one", "x", "q"], "muc": ["one", "x"]}),
        ("y ~ x", FURTHER, {"mub": ["one", "q"], "muc": ["x"]}),
        (["y ~ x + f", "muc ~ 1"], None, {"mub": ["one", "x", "q"], "muc": ["one"]}),
    ],
)
def test_the_maximum_is_scipys(formula: Any, formulas: Any, columns: dict[str, list[str]]) -> None:
    made = model(formula, formulas=formulas)
    assert [len(one.coefficients) for one in made.design.predictors.fixed] == [len(one) for one in columns.values()]
    fit, (value, beta) = bg.approx.laplace(made), by_hand(columns)
    assert fit.log_likelihood == pytest.approx(value, abs=1e-7)
    assert_allclose(estimates(fit), beta, atol=1e-4)


def test_a_formula_that_repeats_that_of_the_response_changes_nothing() -> None:
    one, other = model("y ~ x + (1 |i| g)"), model(["y ~ x + (1 |i| g)", "muc ~ x + (1 |i| g)"])
    a, b = (bg.approx.laplace(made) for made in (one, other))
    assert a.log_likelihood == pytest.approx(b.log_likelihood, abs=1e-9)
    pd.testing.assert_series_equal(estimates(a), estimates(b))
    assert one.priors.canonical == other.priors.canonical
    assert one.design.blocks[0].pattern == other.design.blocks[0].pattern == (2,)


def test_counts_of_categories_are_as_many_rows() -> None:
    counts = made_up().groupby(["f", "y"]).size().rename("n").reset_index()
    one, other = (bg.approx.laplace(made) for made in (model("y ~ f"), model("y | weights(n, frequency) ~ f", counts)))
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-8)
    assert_allclose(estimates(one), estimates(other), atol=1e-5)


def test_random_effects_may_be_those_of_one_category() -> None:
    fit = bg.approx.laplace(model(["y ~ x", "mub ~ x + (1 | g)"]))
    assert fit.design.blocks[0].effects == ("mub_Intercept",)
    rows = pd.DataFrame({"x": [0.3]})
    assert_allclose(probabilities(fit, rows, "integrated").sum(axis=1), 1.0, atol=1e-12)


def test_categories_with_other_columns_have_independent_priors() -> None:
    assert model(OWN).priors.canonical.mix is None
    assert model(["y ~ x", "mub ~ x"]).priors.canonical.mix is not None


def test_gradients_are_those_of_the_values() -> None:
    density = fixed_density(model(OWN).problem.canonical)
    assert density is not None
    x = density.start + 0.2 * np.random.default_rng(7).normal(size=len(density.start))
    numerical = [(density(x + along)[0] - density(x - along)[0]) / 2e-5 for along in 1e-5 * np.eye(len(x))]
    assert_allclose(density(x)[1], numerical, rtol=1e-6, atol=3e-7)


def test_probabilities_read_the_columns_of_all_formulas() -> None:
    """At given coefficients, against the softmax: f enters the predictor of b alone, whose effects vary by g."""
    spec = ModelSpec.from_formula(["y ~ x", "mub ~ x + f + (1 | g)"], "categorical")
    point = posterior_at(spec, made_up(), [0.2, 0.5, 1.5], {"g": [[1.2]]}, further={"muc": [-0.3, 0.4]})
    z = np.linspace(-9.0, 9.0, 2_001)
    weights = stats.norm.pdf(z) / stats.norm.pdf(z).sum()
    grid, expected = pd.DataFrame({"x": [1.0, 1.0], "f": ["p", "q"]}), []
    for move in (0.0, 1.5):
        b = 0.7 + move + np.sqrt(1.2) * z
        expected.append(special.softmax(np.stack([0.0 * b, b, 0.1 + 0.0 * b]), axis=0) @ weights)
    found = predict(point, grid, "integrated").draws.to_numpy().reshape(2, 3)
    assert_allclose(found, expected, atol=1e-7)
    change = compare(point, "f", newdata=grid, random_effects="integrated", estimands="difference")
    assert_allclose(change.draws.to_numpy().ravel(), expected[1] - expected[0], atol=2e-7)


REFUSED: dict[str, tuple[Any, list[str]]] = {
    "of another name": (["y ~ x", "sigma ~ x"], ["no parameter 'sigma'", "mub ~ x"]),
    "of no category": (["y ~ x", "mu ~ x"], ["no parameter 'mu'", "mub ~ x"]),
    "of the reference": (["y ~ x", "mua ~ x"], ["'mua'", "reference is 'a'", "mub"]),
    "of a category that is not there": (["y ~ x", "mubb ~ x"], ["'mubb'", "Did you mean 'mub'"]),
    "twice": (["y ~ x", "mub ~ x", "mub ~ f"], ["'mub' has two formulas"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_formula_of_something_else_is_refused(name: str) -> None:
    formula, words = REFUSED[name]
    is_refused(lambda: model(formula), SpecError, *words)


def test_a_specification_is_the_same_as_a_dict() -> None:
    spec = ModelSpec.from_formula(OWN, "categorical", reference="c")
    assert ModelSpec.from_dict(spec.to_dict()) == spec
    with_data = spec.of(("c", "a", "b"))
    assert with_data.to_dict() == spec.to_dict()
    assert list(map(str, with_data.predicted.values())) == ["y ~ x", "mub ~ x + f"]
    assert with_data.written == "y ~ x; mub ~ x + f"


CONFIG = """\
data:
  file: rows.csv
model:
  formula: [y ~ x, mub ~ x + f]
  family: categorical
  reference: c
sampler: {draws: 50, tune: 100, chains: 2, seed: 4}
effects:
  - compare: x
"""


def test_a_saved_fit_has_reference_and_formulas(tmp_path: Path) -> None:
    fit = bg.Fit(bg.approx.laplace(model(OWN, reference="c")).posterior)
    again = bg.load(fit.save(tmp_path / "saved"))
    assert again.spec == fit.spec
    assert again.design.categories == ("c", "a", "b")
    rows = pd.DataFrame({"x": [0.5], "f": ["q"]})
    pd.testing.assert_frame_equal(again.predict(rows, "zero").table, fit.predict(rows, "zero").table, check_exact=True)


@pytest.mark.slow
def test_a_run_of_a_config_has_reference_and_formulas(tmp_path: Path) -> None:
    fit = model(OWN, reference="c").fit(draws=50, tune=100, chains=2, seed=4, progress=False)
    assert_run_draws(fit, CONFIG, made_up(), tmp_path, "cab")
