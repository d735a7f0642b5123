"""The answer does not depend on how the data are written: shift, unit, coding, names, order, merging, file.

The likelihood depends on the linear predictor alone, so two ways to write a model have one posterior where they give
the rows the same prior: the same mean and covariance of X beta over the rows, the same columns and prior scales of the
random effects at their centre, the same priors of further parameters. That is exact, and asked of every family and
structure here. The sampler's answers are compared within Monte Carlo error in ``tests/statistical``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import bayes_glmm as bg

ROWS = 60
RESPONSES = {
    "gaussian": "real",
    "student_t": "real",
    "gamma": "positive",
    "lognormal": "positive",
    "weibull": "positive",
    "exponential": "positive",
    "inverse_gaussian": "positive",
    "hurdle_gamma": "nonnegative",
    "hurdle_lognormal": "nonnegative",
    "bernoulli": "binary",
    "binomial": "p(successes, trials)",
    "beta": "share",
    "zero_one_inflated_beta": "closed",
    "ordered_beta": "closed",
    "poisson": "count",
    "negative_binomial": "count",
    **dict.fromkeys(("negative_binomial_1", "geometric", "hurdle_poisson", "hurdle_negative_binomial"), "count"),
    **dict.fromkeys(("zero_inflated_poisson", "zero_inflated_negative_binomial"), "count"),
    "zero_inflated_negative_binomial_1": "count",
    "com_poisson": "count",
    "truncated_poisson": "positive_count",
    **dict.fromkeys(("truncated_negative_binomial", "truncated_negative_binomial_1"), "positive_count"),
    **dict.fromkeys(("beta_binomial", "zero_inflated_binomial"), "p(successes, trials)"),
    "zero_inflated_beta_binomial": "p(successes, trials)",
}
STRUCTURES = {
    "none": "",
    "intercepts": " + (1 | g)",
    "slopes": " + (x | g)",
    "nested": " + (1 | g / k)",
    "one correlation": " + homcs(0 + f | g)",
    "crossed": " + (x | g) + (f | h)",
    "correlated residuals": " + ar(visit, gr = g) + (x | g)",
}


def data() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=ROWS).round(4),
            "w": np.exp(rng.normal(size=ROWS)).round(4),
            "f": rng.choice(list("pqr"), ROWS, p=[0.5, 0.4, 0.1]),
            "two": rng.choice(["no", "yes"], ROWS),
            "g": np.repeat(np.arange(12), 5),
            "k": np.tile(np.arange(5), 12) % 3,
            "visit": np.tile(np.arange(5), 12),
            "h": rng.integers(0, 4, ROWS),
            "t": rng.uniform(0.5, 3.0, ROWS).round(3),
            "trials": rng.integers(2, 9, ROWS),
        }
    )
    eta = 0.5 * frame.x + rng.normal(size=12)[frame.g]
    frame["real"] = (eta + rng.normal(size=ROWS)).round(4)
    frame["positive"] = rng.gamma(3.0, np.exp(eta) / 3.0).round(5) + 1e-3
    frame["nonnegative"] = np.where(rng.uniform(size=ROWS) < 0.3, 0.0, frame["positive"])
    frame["binary"] = rng.binomial(1, 1.0 / (1.0 + np.exp(-eta)))
    frame["successes"] = rng.binomial(frame.trials, 1.0 / (1.0 + np.exp(-eta)))
    frame["share"] = np.clip(1.0 / (1.0 + np.exp(-eta - rng.normal(size=ROWS))), 0.01, 0.99).round(4)
    frame["closed"] = np.clip(1.4 * frame["share"] - 0.2, 0.0, 1.0).round(4)
    frame["count"] = rng.poisson(np.exp(eta))
    frame["positive_count"] = frame["count"] + 1
    return frame


def model(family: str, right: str, frame: pd.DataFrame) -> bg.GLMM:
    return bg.GLMM(f"{RESPONSES[family]} ~ {right}", frame, family=family)


@dataclass(frozen=True)
class RowPriors:
    """What a model says of its rows before it sees their responses.

    Attributes
    ----------
    mean : array [row]
        Of offset + X beta.
    root : array [row, coefficient]
        Its covariance is root root'.
    effects : list of array [row, effect]
        Columns of each grouping factor at the centre, times the scale of the prior of their sd; without their sign.
    further : dict of str to str
        Priors of correlations and the family's parameters.
    """

    mean: np.ndarray
    root: np.ndarray
    effects: list[np.ndarray]
    further: dict[str, str]

    @property
    def covariance(self) -> np.ndarray:
        return self.root @ self.root.T


def row_priors(model: bg.GLMM) -> RowPriors:
    problem = model.problem.canonical
    moments = [dict(problem.priors[f"beta[{name}]"].keyword) for name in problem.design.coefficients]
    mu, sigma = np.array([[m["mu"], m["sigma"]] for m in moments], float).reshape(-1, 2).T
    effects = []
    for block in problem.design.blocks:
        sds = [f"sd_{block.group}[{block.effects[k]}]" for k in block.leaders]
        scales = [dict(problem.priors[sd].keyword)["sigma"] for sd in sds]
        columns = np.abs(block.values * np.array(scales, float))
        effects.append(columns[:, np.argsort(columns.sum(axis=0))])
    further = {
        name: str(prior) for name, prior in problem.priors.entries.items() if not name.startswith(("beta", "sd_"))
    }
    X = problem.design.X
    return RowPriors(problem.design.offset + X @ mu, X * sigma, effects, further)


def assert_same(one: RowPriors, other: RowPriors, tolerance: float = 1e-8, further: bool = True) -> None:
    scale = np.sqrt(np.diagonal(one.covariance).max())
    assert_allclose(other.mean, one.mean, rtol=0, atol=tolerance * max(1.0, scale))
    assert_allclose(other.covariance, one.covariance, rtol=0, atol=tolerance * scale**2)
    assert len(one.effects) == len(other.effects)
    for a, b in zip(one.effects, other.effects, strict=True):
        assert_allclose(b, a, rtol=0, atol=tolerance * max(1.0, float(a.max())))
    if further:
        assert one.further == other.further


def _with(frame: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    return frame.assign(**columns)


RESPONSE_TERMS = {  # beside the response, with a family
    "sampling weights": ("count | weights(t, sampling)", "poisson"),
    "frequencies": ("count | weights(trials, frequency)", "poisson"),
    "trials": ("successes | trials(trials)", "binomial"),
    "truncation": ("positive_count | trunc(lb=1)", "negative_binomial"),
}


SAME: dict[str, tuple[str, str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    # name: the formula, the formula in the other writing, the data in the other writing
    "shift by 10 sds": ("x + f", "x + f", lambda d: _with(d, x=d.x + 10.0)),
    "shift by 1e4 sds": ("x + f", "x + f", lambda d: _with(d, x=d.x + 1e4)),
    "unit": ("x + f", "x + f", lambda d: _with(d, x=1000.0 * d.x)),
    "sign": ("x + f", "x + f", lambda d: _with(d, x=-d.x)),
    "center()": ("x + f", "center(x) + f", lambda d: _with(d, x=d.x + 50.0)),
    "scale()": ("x + f", "scale(x) + f", lambda d: _with(d, x=d.x + 50.0)),
    "powers shifted": ("x + I(x ** 2)", "x + I(x ** 2)", lambda d: _with(d, x=d.x + 40.0)),
    "poly": ("x + I(x ** 2)", "poly(x, 2)", lambda d: _with(d, x=d.x + 40.0)),
    "three powers": ("x + I(x ** 2) + I(x ** 3)", "poly(x, 3)", lambda d: _with(d, x=d.x + 20.0)),
    "product": ("x * f", "x * f", lambda d: _with(d, x=d.x + 30.0)),
    "product of numbers": ("x * w", "x * w", lambda d: _with(d, x=d.x + 30.0, w=5.0 * d.w - 70.0)),
    "cell means": ("x + f", "0 + f + x", lambda d: _with(d, x=d.x + 3.0)),
    "cell slopes": ("x * two", "0 + two + two:x", lambda d: _with(d, x=d.x + 3.0)),
    "reference level": ("x + f", "x + f", lambda d: _with(d, f=d.f.map({"p": "z", "q": "q", "r": "a"}))),
    "coding by hand": ("x + two", "x + d", lambda d: _with(d, d=np.where(d.two == "yes", -1.0, 1.0))),
    "sum and difference": ("x + w", "s + m", lambda d: _with(d, s=d.x + d.w, m=d.x - d.w)),
    "a column twice": ("x + f", "x + I(3 * x) + f", lambda d: d),
    "columns in another order": ("x + f + w", "w + f + x", lambda d: d),
}
POWERS = ("powers shifted", "poly", "three powers", "shift by 1e4 sds")  # digits are lost in the data themselves


CASES = [
    *((family, "slopes") for family in RESPONSES),
    *(("gaussian", name) for name in STRUCTURES if name != "slopes"),
]


@pytest.mark.parametrize(("family", "structure"), CASES)
@pytest.mark.parametrize("recoding", SAME)
def test_rows_have_the_same_prior_however_covariates_are_written(recoding: str, family: str, structure: str) -> None:
    formula, other, change = SAME[recoding]
    random = STRUCTURES[structure]
    changed = change(data())
    if recoding == "reference level" and "(f |" in random:
        random = random.replace("(f | h)", "(1 | h)")  # three levels: "as written, at the centre"
    again = random.replace("(x |", "(center(x) |") if recoding == "center()" else random
    one, two = row_priors(model(family, formula + random, data())), row_priors(model(family, other + again, changed))
    assert_same(one, two, 1e-6 if recoding in POWERS else 1e-8)


@pytest.mark.parametrize("term", RESPONSE_TERMS)
@pytest.mark.parametrize("recoding", ["shift by 10 sds", "unit", "sign", "center()", "cell means", "reference level"])
def test_so_they_have_beside_a_term_of_the_response(recoding: str, term: str) -> None:
    (response, family), (formula, other, change) = RESPONSE_TERMS[term], SAME[recoding]
    one, two = (
        row_priors(bg.GLMM(f"{response} ~ {right} + (1 | g)", frame, family))
        for right, frame in ((formula, data()), (other, change(data())))
    )
    assert_same(one, two)


@pytest.mark.parametrize(("family", "structure"), CASES)
def test_levels_may_have_other_names_and_rows_another_order(family: str, structure: str) -> None:
    frame, right = data(), "x + f" + STRUCTURES[structure]
    order = np.random.default_rng(1).permutation(ROWS)
    renamed = frame.assign(g="site " + (99 - frame.g).astype(str), h=frame.h.map({0: "d", 1: "a", 2: "c", 3: "b"}))
    one, two = row_priors(model(family, right, frame)), row_priors(model(family, right, renamed.iloc[order]))
    moved = RowPriors(one.mean[order], one.root[order], [e[order] for e in one.effects], one.further)
    of_response = any(one.of_response for one in bg.FAMILIES[family].auxiliary.values())
    assert_same(moved, two, further=not of_response)  # sd(y) sums in another order
    for name, text in moved.further.items():
        assert text[:30] == two.further[name][:30]


@pytest.mark.parametrize("structure", ["none", "intercepts", "slopes"])
@pytest.mark.parametrize("link", ["logit", "probit", "identity"])
def test_rows_may_be_counted_before(link: str, structure: str) -> None:
    """Yes and no row by row, or successes in trials of like rows."""
    frame = data().assign(x=lambda d: d.x.round(0))
    right = "x + two" + STRUCTURES[structure]
    keys = ["x", "two", "g"]
    counted = frame.groupby(keys, as_index=False).agg(successes=("binary", "sum"), trials=("binary", "size"))
    rows = bg.GLMM(f"binary ~ {right}", frame, family="bernoulli", link=link)
    cells = bg.GLMM(f"p(successes, trials) ~ {right}", counted, family="binomial", link=link)
    at = frame[keys].merge(counted.reset_index(), on=keys, how="left")["index"].to_numpy()
    one, two = row_priors(rows), row_priors(cells)
    assert_same(one, RowPriors(two.mean[at], two.root[at], [e[at] for e in two.effects], two.further))


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_real_response_may_have_another_unit_and_origin(structure: str) -> None:
    frame, right = data(), "x + f" + STRUCTURES[structure]
    one = row_priors(model("gaussian", right, frame))
    two = row_priors(model("gaussian", right, frame.assign(real=1000.0 * frame.real + 5e5)))
    assert_allclose(two.mean, 1000.0 * one.mean + 5e5, rtol=1e-10)
    assert_allclose(two.covariance, 1e6 * one.covariance, rtol=1e-8, atol=1e-4)
    for a, b in zip(one.effects, two.effects, strict=True):
        assert_allclose(b, 1000.0 * a, rtol=1e-8)


@pytest.mark.parametrize("family", ["poisson", "negative_binomial"])
def test_an_exposure_may_have_another_unit(family: str) -> None:
    frame = data()
    one = row_priors(model(family, "x + offset(log(t)) + (1 | g)", frame))
    two = row_priors(model(family, "x + offset(log(t)) + (1 | g)", frame.assign(t=1000.0 * frame.t)))
    assert_same(one, two)


@pytest.mark.parametrize("family", ["gamma", "poisson"])
def test_a_positive_response_may_have_another_unit(family: str) -> None:
    """Under the log link a unit moves the intercept alone; counts have none, but their exposure does."""
    frame = data()
    one = row_priors(model(family, "x + (1 | g)", frame))
    column = RESPONSES[family]
    two = row_priors(model(family, "x + (1 | g)", frame.assign(**{column: 10 * frame[column]})))
    assert_allclose(two.mean - one.mean, np.log(10.0), rtol=1e-10)
    assert_allclose(two.covariance, one.covariance, rtol=1e-10)


def test_independent_effects_keep_their_zero_and_are_scaled_only() -> None:
    """``(x || g)`` has the meaning of lme4: its likelihood depends on the origin of x, its prior on the unit alone."""
    frame = data()
    one = row_priors(model("gaussian", "x + (x || g)", frame))
    unit = row_priors(model("gaussian", "x + (x || g)", frame.assign(x=1000.0 * frame.x)))
    assert_same(one, unit)
    away = model("gaussian", "x + (x || g)", frame.assign(x=frame.x + 10.0))
    assert not away.priors.canonical.carried("g")


def test_two_levels_may_change_places_inside_a_bar() -> None:
    frame = data()
    one = row_priors(model("bernoulli", "two + (two | g)", frame))
    swapped = frame.assign(two=frame.two.map({"no": "b", "yes": "a"}))
    assert_same(one, row_priors(model("bernoulli", "two + (two | g)", swapped)))


def test_given_priors_are_literal() -> None:
    """They hold for the quantities as written, so a shift of x is another model, and the prior says so."""
    priors = {"Intercept": "Normal(0, 1)", "beta": "Normal(0, 1)", "sd": "Exponential(1)", "corr": "LKJ(2)"}
    shifted = data().assign(x=lambda d: d.x + 10.0)
    given = bg.GLMM("real ~ x + f + (x | g)", shifted, priors=priors)
    assert given.priors.canonical.is_identity
    assert not given.priors.canonical.carried("g")
    assert {str(given.priors[f"beta[{name}]"]) for name in given.design.coefficients} == {"Normal(0, 1)"}


@pytest.mark.parametrize("structure", STRUCTURES)
def test_python_and_yaml_mean_the_same(tmp_path: Path, structure: str) -> None:
    from bayes_glmm.runs.job import prepare

    family, response = ("gaussian", "real") if structure == "correlated residuals" else ("bernoulli", "binary")
    frame, formula = data(), f"{response} ~ x + f" + STRUCTURES[structure]
    frame.to_csv(tmp_path / "data.csv", index=False)
    config = f"data: {{file: data.csv}}\nmodel: {{formula: '{formula}', family: {family}}}\n"
    (tmp_path / "c.yaml").write_text(config)
    job, python = prepare(tmp_path / "c.yaml"), bg.GLMM(formula, frame, family=family)
    assert job.priors.entries == python.priors.entries
    assert job.priors.scalars == python.priors.scalars
    np.testing.assert_array_equal(job.priors.canonical.location.T, python.priors.canonical.location.T)
    np.testing.assert_array_equal(job.problem.canonical.design.X, python.problem.canonical.design.X)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_columns_and_priors_are_the_same_to_the_bit_after_saving(tmp_path: Path, structure: str) -> None:
    made = model("gaussian", "x + f" + STRUCTURES[structure], data().assign(x=lambda d: d.x + 2010.0))
    zeros = {block.group: np.eye(len(block.effects)) for block in made.design.blocks}
    from bayes_glmm.posterior import posterior_of

    posterior = posterior_of(
        made.problem, np.arange(len(made.design.coefficients)), zeros, dict.fromkeys(made.spec.auxiliary, 0.9)
    )
    posterior.save(tmp_path / "fit")
    back = bg.load(tmp_path / "fit").posterior
    assert back.priors.entries == made.priors.entries
    assert back.priors.scalars == made.priors.scalars
    np.testing.assert_array_equal(back.priors.canonical.location.T, made.priors.canonical.location.T)
    for name, array in made.priors.canonical.A.items():
        np.testing.assert_array_equal(back.priors.canonical.A[name], array)
    np.testing.assert_array_equal(back.problem.canonical.design.X, made.problem.canonical.design.X)
