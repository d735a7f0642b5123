"""Ordered categories: the answer does not depend on how rows, columns, categories and thresholds are written.

Asked of maxima by Laplace, of the likelihood and of the posterior under default priors, which are deterministic; of
compiled densities at the same points where the columns are the same; and of files to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.approx import ApproxFit
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.densities.whitened_inputs import whitened_density
from bayes_glmm.inference.whitening import whitening_for
from tests.approx.test_cumulative import FORMULA, made_up
from tests.round_trips import assert_run_draws, assert_same_draws, assert_same_predictive

Pair = tuple[ApproxFit, ApproxFit]
LABELS = ["never", "rarely", "some times", "often", "always"]
LINKS = ("logit", "probit", "cloglog", "cauchit")


def maxima(frame: pd.DataFrame, formula: str = FORMULA, link: str = "logit") -> Pair:
    """Maximum likelihood, and the mode of the posterior under default priors."""
    model = bg.GLMM(formula, frame, "cumulative", link)
    return bg.approx.laplace(model), bg.approx.laplace(model, "posterior")


@cache
def original(formula: str = FORMULA, link: str = "logit") -> Pair:
    return maxima(made_up(), formula, link)


def estimates(fit: ApproxFit) -> np.ndarray:
    """Thresholds, then coefficients."""
    return fit.coefficients_with_errors["estimate"].to_numpy()


def assert_same(one: Pair, other: Pair, turned: Callable[[np.ndarray], np.ndarray] = lambda values: values) -> None:
    """Log likelihoods, estimates of thresholds and coefficients, turned in the second, and sds of random effects."""
    for a, b in zip(one, other, strict=True):
        assert a.converged
        assert b.converged
        # two searches end where the gradient is 1e-5 and less: values differ by its square
        assert a.log_likelihood == pytest.approx(b.log_likelihood, abs=1e-8)
        assert_allclose(estimates(a), turned(estimates(b)), atol=2e-5)
        for block_a, block_b in zip(a.design.blocks, b.design.blocks, strict=True):
            assert_allclose(a.sd(block_a.group), b.sd(block_b.group), atol=2e-5)


@pytest.mark.parametrize("link", ["logit", *(pytest.param(link, marks=pytest.mark.slow) for link in LINKS[1:])])
@pytest.mark.parametrize(("unit", "origin"), [(1.0, 2010.0), (1000.0, 0.0), (-0.01, -5.0)])
def test_a_covariate_may_have_another_unit_and_origin(link: str, unit: float, origin: float) -> None:
    """Slopes by the unit, thresholds by slope times origin; the posterior too, as default priors are at the centre."""
    other = maxima(made_up().assign(x=lambda d: unit * d["x"] + origin), link=link)

    def turned(values: np.ndarray) -> np.ndarray:
        thresholds, slope, rest = values[:4], values[4], values[5:]
        return np.concatenate([thresholds - slope * origin, [slope * unit], rest])

    assert_same(original(link=link), other, turned)


def test_so_it_may_with_random_slopes() -> None:
    formula = "y ~ x + (x | g)"
    one, other = original(formula), maxima(made_up().assign(x=lambda d: 4.0 * d["x"] + 2010.0), formula)
    for a, b in zip(one, other, strict=True):
        assert a.log_likelihood == pytest.approx(b.log_likelihood, abs=1e-7)
        slope = estimates(b)[-1]
        assert_allclose(estimates(a)[:-1], estimates(b)[:-1] - 2010.0 * slope, atol=1e-3)  # 2010 times an error of 4e-7
        assert estimates(a)[-1] == pytest.approx(4.0 * slope, abs=2e-5)


@cache
def density_of(frame: Callable[[], pd.DataFrame], formula: str = FORMULA) -> Density:
    whitening, why = whitening_for(bg.GLMM(formula, frame(), "cumulative").problem.canonical)
    assert whitening is not None, why
    density = whitened_density(whitening)
    assert density is not None
    return density


RECODED = {
    "a unit and an origin": lambda: made_up().assign(x=lambda d: 1000.0 * d["x"] + 3.0),
    "numbers": lambda: made_up().assign(y=lambda d: 10 * d["y"]),
    "negative numbers": lambda: made_up().assign(y=lambda d: d["y"].astype(float) - 3.0),
    "labels": lambda: made_up().assign(
        y=lambda d: pd.Categorical.from_codes(d["y"].to_numpy() - 1, pd.Index(LABELS), ordered=True)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RECODED)
def test_the_compiled_posterior_is_the_same_function(name: str) -> None:
    """In whitened coordinates, which are laid at the mode of each and so are the same: at points all around it."""
    one, other = density_of(made_up), density_of(RECODED[name])
    assert len(one.start) == len(other.start)
    for seed in range(3):
        x = one.start + 0.4 * np.random.default_rng(seed).normal(size=len(one.start))
        y = other.start + (x - one.start)
        assert one(x)[0] == pytest.approx(other(y)[0], abs=1e-9)


@pytest.mark.parametrize("name", ["numbers", "negative numbers", "labels"])
def test_categories_may_have_other_names(name: str) -> None:
    frame = RECODED[name]()
    other = maxima(frame)
    assert_same(original(), other)
    expected = {"numbers": ("10", "20"), "negative numbers": ("-2", "-1"), "labels": ("never", "rarely")}[name]
    assert other[0].design.categories[:2] == expected
    assert other[0].design.thresholds[0] == "|".join(expected)
    rows = made_up().iloc[:3]
    one, two = (fit.predict(rows, "integrated").table for fit in (original()[0], other[0]))
    assert_allclose(one["estimate"], two["estimate"], atol=1e-5)
    assert two["category"].tolist() == [*other[0].design.categories] * 3


@pytest.mark.parametrize(
    "link", ["logit", *(pytest.param(link, marks=pytest.mark.slow) for link in ("probit", "cauchit"))]
)
def test_the_order_may_be_reversed_under_a_symmetric_link(link: str) -> None:
    """Coefficients and thresholds change their sign, the latter their order too."""
    other = maxima(made_up().assign(y=lambda d: 6 - d["y"]), link=link)
    assert_same(original(link=link), other, lambda values: -np.concatenate([values[3::-1], values[4:]]))
    rows = made_up().iloc[:4]
    one, two = (fit[1].predict(rows, "integrated").table["estimate"] for fit in (original(link=link), other))
    assert_allclose(one.to_numpy().reshape(4, 5), two.to_numpy().reshape(4, 5)[:, ::-1], atol=1e-5)


def test_it_may_not_under_another() -> None:
    """Of cloglog the reverse is another model: with the same likelihood the test above would be blind."""
    one, other = original(link="cloglog")[0], maxima(made_up().assign(y=lambda d: 6 - d["y"]), link="cloglog")[0]
    assert abs(one.log_likelihood - other.log_likelihood) > 0.1


def test_rows_may_stand_in_any_order() -> None:
    frame = made_up().sample(frac=1.0, random_state=5)
    assert_same(original(), maxima(frame))
    assert_same(original(), maxima(frame.reset_index(drop=True)))


def test_columns_may_have_other_names() -> None:
    renamed = made_up().rename(columns={"y": "threshold", "x": "adjacent", "f": "category", "g": "mu"})
    other = maxima(renamed, "threshold ~ adjacent + category + (1 | mu)")
    assert_same(original(), other)
    assert_same(original(), maxima(made_up().rename(columns={"y": "my rating"}), "`my rating` ~ x + f + (1 | g)"))


def test_the_reference_level_of_a_factor_does_not_matter_to_the_rows() -> None:
    """Thresholds less the linear predictor, at each level of f."""
    other = maxima(made_up().assign(f=lambda d: d["f"].map({"a": "z", "b": "y", "c": "x"})))
    for a, b in zip(original(), other, strict=True):
        assert a.log_likelihood == pytest.approx(b.log_likelihood, abs=1e-8)
        levels_a, levels_b = ([0.0, *estimates(fit)[5:]] for fit in (a, b))  # a, b, c and x, y, z
        for k, level in enumerate(levels_a):
            thresholds = estimates(b)[:4] - levels_b[2 - k]
            assert_allclose(estimates(a)[:4] - level, thresholds, atol=2e-5)


def test_an_offset_is_a_covariate_with_a_slope_of_one() -> None:
    """At the maximum of the other terms: the same value as of the model with the slope held there."""
    fit = bg.approx.laplace(bg.GLMM("y ~ x + f + (1 | g)", made_up(), "cumulative"))
    slope = estimates(fit)[4]
    frame = made_up().assign(part=lambda d: slope * d["x"])
    other = bg.approx.laplace(bg.GLMM("y ~ f + offset(part) + (1 | g)", frame, "cumulative"))
    assert other.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-7)
    assert_allclose(estimates(other), np.delete(estimates(fit), 4), atol=2e-5)


CONFIG = """\
data:
  file: rows.csv
  categories: {y: [never, rarely, some times, often, always]}
model:
  formula: y ~ x + f + (1 | g)
  family: cumulative
  link: probit
  priors: {threshold: "Normal(0, 3)", beta: "Normal(0, 1)"}
sampler: {draws: 100, tune: 200, chains: 2, seed: 4}
effects:
  - compare: x
"""


def labelled() -> pd.DataFrame:
    return made_up().assign(
        y=lambda d: pd.Categorical.from_codes(d["y"].to_numpy() - 1, pd.Index(LABELS), ordered=True)
    )


@pytest.fixture(scope="module")
def fit() -> bg.Fit:
    priors = {"threshold": "Normal(0, 3)", "beta": "Normal(0, 1)"}
    model = bg.GLMM(FORMULA, labelled(), "cumulative", "probit", priors)
    return model.fit(draws=100, tune=200, chains=2, seed=4, progress=False)


def test_a_saved_fit_is_the_same_to_the_bit(fit: bg.Fit, tmp_path: Path) -> None:
    again = bg.load(fit.save(tmp_path / "saved"))
    assert_same_draws(fit, again)
    assert again.design.categories == tuple(LABELS)
    assert again.spec.family.categories == 5
    assert again.posterior.priors.entries == fit.posterior.priors.entries
    rows = made_up().iloc[:3]
    for part in ("category", "at_least", "mean"):
        one, two = (one.predict(rows, "integrated", part=part).table for one in (fit, again))
        pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert_same_predictive(fit, again)


def test_a_run_of_a_config_draws_what_python_draws(fit: bg.Fit, tmp_path: Path) -> None:
    assert_run_draws(fit, CONFIG, labelled(), tmp_path, LABELS)


TIED = """\
data:
  file: rows.csv
  categories: {y: [never, rarely, some times, often, always]}
model:
  formula: [y ~ x + (1 | g), disc ~ f]
  family: cumulative
  thresholds: equidistant
sampler: {draws: 100, tune: 200, chains: 2, seed: 4}
effects:
  - compare: x
"""


@pytest.mark.slow
def test_a_pattern_and_a_discrimination_are_saved_and_configured(tmp_path: Path) -> None:
    model = bg.GLMM(["y ~ x + (1 | g)", "disc ~ f"], labelled(), "cumulative", thresholds="equidistant")
    fit = model.fit(draws=100, tune=200, chains=2, seed=4, progress=False)
    draws = fit.posterior.draws["posterior"]
    distances = np.diff(draws["threshold"].to_numpy(), axis=-1)
    assert_allclose(distances, draws["threshold_distance"].to_numpy()[..., None] * np.ones(3), rtol=1e-9)
    again = bg.load(fit.save(tmp_path / "saved"))
    assert_same_draws(fit, again)
    assert again.spec.family.key == fit.spec.family.key == "cumulative5_equidistant_disc"
    assert again.posterior.priors.entries == fit.posterior.priors.entries
    assert fit.coefficients().table["coefficient"].tolist()[3:] == [
        "threshold[often|always]",
        "threshold_distance",
        "x",
    ]
    assert_run_draws(fit, TIED, labelled(), tmp_path, LABELS)
