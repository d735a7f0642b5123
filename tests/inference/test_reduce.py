"""Fewer rows, the same log density and gradient; and nothing but sampling notices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from pytensor.compile.mode import Mode
from scipy import stats

import bayes_glmm as bg
from bayes_glmm.design import Design, build_design
from bayes_glmm.design.patterns import row_kinds
from bayes_glmm.inference.kernels.fused import fast_likelihood
from bayes_glmm.inference.reduce import REDUCTIONS, find_cells, reduce_rows
from bayes_glmm.inference.whitened import whitened_model
from bayes_glmm.inference.whitening import whitening_for
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.predictive import conditional_predictor, log_likelihood, replicate
from bayes_glmm.spec import ModelSpec
from tests import strategies

PYTHON = Mode(linker="py", optimizer="fast_compile")  # a few evaluations are not worth a compiler
# bernoulli and binomial are one reduction, whose links differ in PyTensor's part alone
CASES = [key for key in REDUCTIONS if key[0] != "binomial" or key[1] == "logit"]
EVERY = pytest.mark.parametrize(("family", "link"), CASES, ids=["-".join(key) for key in CASES])
# every covariate above 0, so that coefficients above 0 give means that every link can have
CROSSED = "x + f + offset(t) + (x | g) + (1 | h)"


def repeated(family: str, link: str, right: str = CROSSED, rows: int = 900) -> bg.GLMM:
    """Two arms, three segments, two exposures, ten groups, three wards: 360 cells at most."""
    rng = np.random.default_rng(31)
    data = pd.DataFrame({"x": rng.integers(1, 3, rows) / 10, "f": rng.choice([*"pqr"], rows)})
    data = data.assign(t=rng.choice([0.1, 0.2], rows), g=rng.integers(0, 10, rows), h=rng.integers(0, 3, rows))
    data = data.assign(n=rng.integers(1, 9, rows))
    y = {
        "binary": rng.integers(0, 2, rows),
        "successes": rng.binomial(data["n"], 0.4),
        "count": rng.poisson(3.0, rows),
        "real": rng.normal(40.0, 2.0, rows),
    }[bg.FAMILIES[family].response.name]
    left = "p(y, n)" if family == "binomial" else "y"
    return bg.GLMM(f"{left} ~ {right}", data.assign(y=y), family=family, link=link)


@EVERY
def test_log_likelihood_and_gradient_are_the_plain_models(family: str, link: str) -> None:
    model = repeated(family, link)
    assert len(reduce_rows(model.spec, model.design).design.y) <= 360
    rng = np.random.default_rng(32)
    points = []
    for _ in range(2):
        point = {name: rng.uniform(-0.02, 0.02, np.shape(value)) for name, value in model.pymc.initial_point().items()}
        # small effects around -1.5 or 0.4: means inside (0, 1) for every link of the binomial
        intercept = -1.5 if link == "log" and family != "poisson" else 0.4
        beta = np.array([intercept, 0.1, 0.05, 0.03]) + rng.uniform(0.0, 0.05, 4)
        point["b"] = model.priors.canonical.location.to_canonical(beta)
        points.append(point)
    for plain, fast in likelihoods(model, points):
        for expected, actual in zip(plain, fast, strict=True):
            assert np.isfinite(expected).all()
            # entries of a gradient are sums of terms of both signs: relative to the largest
            np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


def likelihoods(model: bg.GLMM, points: list[dict[str, np.ndarray]]) -> Iterator[tuple[list, list]]:
    """At each point the log likelihood and its gradient in every parameter: the plain model's, and that of sampling."""
    plain, design = model.pymc, model.design
    u = {block.group: plain[f"u_{block.group}"] for block in design.blocks}
    with plain:
        fast_likelihood(
            model.spec, design, {"mu": plain["beta"]}, u, {name: plain[name] for name in model.spec.family.auxiliary}
        )
    parameters = plain.value_vars
    values = [plain.logp(vars=plain[name]) for name in (design.response, "log_likelihood")]
    outputs = [[value, *pt.grad(value, parameters)] for value in values]
    evaluate = pm.compile(parameters, outputs[0] + outputs[1], mode=PYTHON)
    for point in points:
        results = evaluate(*(point[value.name] for value in parameters))
        yield results[: len(outputs[0])], results[len(outputs[0]) :]


SIZES_OF_GROUPS = (1, 2, 8, 30, 59)


def measured(right: str) -> bg.GLMM:
    """A hundred amounts in five groups of 1 to 59 rows: x varies by row and w by group, big is a million times x.

    Three wards k cross the groups; each group has two parts h; t is an offset.
    """
    rng = np.random.default_rng(36)
    data = pd.DataFrame({"g": np.repeat([*"abcde"], SIZES_OF_GROUPS), "x": rng.normal(0.3, 1.0, 100)})
    data = data.assign(w=data["g"].map(dict(zip("abcde", rng.normal(size=5), strict=True))), big=1e6 * data["x"])
    data = data.assign(h=np.arange(100) % 2, k=rng.integers(0, 3, 100), t=rng.normal(5.0, 2.0, 100))
    data = data.sample(frac=1.0, random_state=37, ignore_index=True)
    return bg.GLMM(f"y ~ {right}", data.assign(y=rng.normal(40.0, 2.0, 100)))


@pytest.mark.parametrize(
    ("right", "left"),
    [
        ("x", 2),
        ("x + (x | g)", 1 + 4 * 2),
        ("x + (1 | g / h)", 1 + 2 * 1 + 6 * 2),  # of nine parts three have one row
        ("x + (x || g) + (1 | k)", None),
        ("x + offset(t) + (1 | g)", 1 + 4 * 2),
        ("x + w + (w + x | g)", 1 + 4 * 2),  # w adds no rank within a group
        ("big + (big | g)", 1 + 4 * 2),
        ("0 + big + (0 + x | g)", 5),
    ],
)
def test_gaussian_rows_become_as_many_as_their_covariates_have_rank(right: str, left: int | None) -> None:
    model = measured(right)
    design = model.design
    if left is None:  # crossed: the cells of the data, each with at most an intercept and a slope
        left = int(model.design.data.groupby(["g", "k"]).size().clip(upper=2).sum())
    assert left == len(reduce_rows(model.spec, design).design.y)
    rng = np.random.default_rng(38)
    points = []
    for _ in range(2):
        point = {name: rng.normal(size=np.shape(value)) for name, value in model.pymc.initial_point().items()}
        beta = rng.normal(size=len(design.coefficients)) / np.abs(design.X).max(axis=0)
        point["b"] = model.priors.canonical.location.to_canonical(beta)
        for block in design.blocks:
            sd = "sd_at_centre" if model.priors.canonical.carried(block.group) else "sd"
            point[f"{sd}_{block.group}_log__"] -= np.log(np.abs(block.values).max(axis=0))
        points.append(point)
    for plain, fast in likelihoods(model, points):
        for expected, actual in zip(plain, fast, strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-10)


@given(strategies.designs())
@settings(max_examples=60, deadline=None)
def test_any_gaussian_design_keeps_its_log_likelihood(case: tuple[Design, pd.DataFrame, ModelSpec]) -> None:
    design, data, spec = case
    reduced = reduce_rows(spec, design)
    effects = sum(len(block.effects) for block in design.blocks)
    levels = np.array([block.index for block in design.blocks])
    bound = np.minimum(np.unique(levels, axis=1, return_counts=True)[1], len(design.coefficients) + effects).sum()
    assert len(reduced.design.y) <= (bound if bound <= int(0.9 * len(data)) else len(data))
    rng = np.random.default_rng(len(data))
    for _ in range(3):
        beta = rng.normal(size=len(design.coefficients))
        u = [rng.normal(size=(len(block.levels), len(block.effects))) for block in design.blocks]
        sigma = {"sigma": rng.uniform(0.2, 5.0)}
        expected = numpy_log_likelihood(spec, design, beta, u, sigma)
        actual = numpy_log_likelihood(reduced.spec, reduced.design, beta, u, sigma) + reduced.remainder(sigma, NUMPY)
        assert actual == pytest.approx(expected, rel=1e-12, abs=1e-10)  # terms of both signs may cancel


@pytest.mark.parametrize(
    ("right", "family", "link"), [("x", "student_t", "identity"), ("x + (1 | g)", "gaussian", "log")]
)
def test_what_is_no_quadratic_is_left_alone(right: str, family: str, link: str) -> None:
    data = measured("x + (1 | g)").design.data
    model = bg.GLMM(f"y ~ {right}", data, family=family, link=link)
    assert reduce_rows(model.spec, model.design).design is model.design


def numpy_log_likelihood(
    spec: ModelSpec, design: Design, beta: np.ndarray, u: list[np.ndarray], auxiliary: dict[str, Any]
) -> float:
    eta = design.offset + design.X @ beta
    for block, effects in zip(design.blocks, u, strict=True):
        eta = eta + (effects[block.index] * block.values).sum(axis=1)
    return spec.family.log_density(design.observed, spec.at({"mu": eta}, auxiliary, NUMPY), NUMPY).sum()


# coefficients and effects above 0, and a mean below 1 for the links that do not see to it themselves
SIZES = {"log": (-0.1, -0.01), "identity": (0.005, 0.02)}


@given(strategies.repetitive(list(REDUCTIONS)))
@settings(max_examples=60, deadline=None)
def test_any_table_keeps_its_log_likelihood(case: tuple[ModelSpec, pd.DataFrame]) -> None:
    spec, data = case
    if spec.formula.offset and spec.family_name in ("bernoulli", "binomial") and spec.link_name in SIZES:
        data = data.assign(t=data["t"] * (0.1 if spec.link_name == "identity" else -0.1))
    design = build_design(spec, data)
    reduced = reduce_rows(spec, design)
    kinds = len(data[["x", "f", "t", "g", "h"]].drop_duplicates())
    assert len(reduced.design.y) <= (kinds if kinds <= int(0.9 * len(data)) else len(data))
    rng = np.random.default_rng(len(data))
    low, high = SIZES.get(spec.link_name, (0.01, 0.5))
    for _ in range(3):
        beta = rng.uniform(low, high, len(design.coefficients))
        u = [rng.uniform(low, high, (len(block.levels), len(block.effects))) for block in design.blocks]
        auxiliary = {name: rng.uniform(0.5, 40.0) for name in spec.family.auxiliary}
        expected = numpy_log_likelihood(spec, design, beta, u, auxiliary)
        actual = numpy_log_likelihood(reduced.spec, reduced.design, beta, u, auxiliary)
        assert np.isfinite(expected)
        assert actual + reduced.remainder(auxiliary, NUMPY) == pytest.approx(expected, rel=1e-10)


def test_the_cells_of_a_table_by_hand() -> None:
    data = pd.DataFrame({"y": [1, 0, 1, 1, 0], "x": [0.5, 0.5, 2.0, 0.5, 2.0], "g": [*"aabaa"]})
    model = bg.GLMM("y ~ x + (1 | g)", data, family="bernoulli")
    reduced = reduce_rows(model.spec, model.design)
    assert [2.0, 1.0, 0.0] == reduced.design.y.tolist()
    assert reduced.design.trials is not None
    assert [3.0, 1.0, 1.0] == reduced.design.trials.tolist()
    assert [0.5, 2.0, 2.0] == reduced.design.X[:, 1].tolist()
    assert [0, 1, 0] == reduced.design.blocks[0].index.tolist()
    assert ("a", "b") == reduced.design.blocks[0].levels
    assert reduced.constant == pytest.approx(-np.log(3))  # two successes of three come in three orders


def test_counts_of_rows_far_from_zero_keep_their_digits() -> None:
    """Sums of squares around the cell's mean: around zero, all digits of y = 1e8 + noise would cancel."""
    rng = np.random.default_rng(33)
    data = pd.DataFrame({"y": 1e8 + rng.normal(size=400), "f": rng.choice([*"pq"], 400)})
    model = bg.GLMM("y ~ f", data)
    reduced = reduce_rows(model.spec, model.design)
    assert 2 == len(reduced.design.y)
    beta, sigma = np.array([1e8 + 0.1, -0.2]), {"sigma": 1.3}
    expected = stats.norm.logpdf(data["y"], beta[0] + beta[1] * (data["f"] == "q"), 1.3).sum()
    actual = numpy_log_likelihood(reduced.spec, reduced.design, beta, [], sigma) + reduced.remainder(sigma, NUMPY)
    # y itself is known to 1.5e-8, and sqrt(n) mean of y to sqrt(200) times that
    assert actual == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    ("family", "link", "x"),
    [
        ("bernoulli", "logit", "distinct"),
        ("bernoulli", "logit", "nearly distinct"),
        ("gaussian", "log", "repeated"),
        ("gamma", "log", "repeated"),
    ],
)
def test_a_design_that_gains_nothing_is_returned_as_it_is(family: str, link: str, x: str) -> None:
    rng = np.random.default_rng(34)
    data = pd.DataFrame({"y": rng.uniform(1.0, 2.0, 100), "x": np.arange(100.0), "g": [*"ab"] * 50})
    if family == "bernoulli":
        data["y"] = rng.integers(0, 2, 100)
    if x == "nearly distinct":
        data.loc[[1, 3, 5, 7, 9], "x"] = 1.0
    if x == "repeated":
        data["x"] %= 3
    model = bg.GLMM("y ~ x + (1 | g)", data, family=family, link=link)
    reduced = reduce_rows(model.spec, model.design)
    assert reduced.design is model.design
    assert reduced.spec is model.spec
    assert 0.0 == reduced.remainder({}, NUMPY)


def test_kinds_of_rows_are_those_of_numpy() -> None:
    rng = np.random.default_rng(35)
    table = rng.integers(0, 4, (500, 3)) / 7.0
    kinds = row_kinds(list(table.T), 500)
    _, expected = np.unique(table, axis=0, return_inverse=True)
    assert len(set(zip(kinds, expected, strict=True))) == len(np.unique(expected)) == kinds.max() + 1
    assert 16 == len(set(row_kinds(list(table.T), 500, most=10)))  # stopped at the second of three columns
    assert [0, 0] == row_kinds([], 2).tolist()


def test_one_cell_is_enough() -> None:
    model = bg.GLMM("y ~ 1", pd.DataFrame({"y": [3, 0, 1, 2]}), family="poisson")
    cells = find_cells([model.design.X[:, 0]], 4)
    assert cells is not None
    assert [4.0] == cells.count.tolist()
    (y,) = reduce_rows(model.spec, model.design).design.y
    assert 6.0 == y


def test_whitened_coordinates_take_it_too() -> None:
    problem = repeated("bernoulli", "logit", "f + (1 | g)").problem.canonical
    whitening, why = whitening_for(problem)
    assert whitening is not None, why
    white = whitened_model(whitening)
    (potential,) = [each for each in white.potentials if each.name == "log_likelihood"]
    point = {name: np.full(np.shape(value), 0.1) for name, value in white.initial_point().items()}
    names = ("beta", "u_g")
    values = white.compile_fn(
        white.replace_rvs_by_values([potential, *(white[name] for name in names)]),
        inputs=white.value_vars,
        mode=PYTHON,
        on_unused_input="ignore",
    )(point)
    expected = numpy_log_likelihood(problem.spec, problem.design, values[1], [values[2]], {})
    assert values[0] == pytest.approx(expected, rel=1e-10)


def test_a_fit_is_about_the_rows_of_the_data() -> None:
    model = repeated("bernoulli", "logit", "f + (1 | g)")
    fit = model.fit(draws=10, tune=20, chains=1, seed=1, coordinates="plain", progress=False)
    posterior = fit.posterior
    assert posterior.design is model.design
    np.testing.assert_array_equal(model.design.data["y"], fit.idata["observed_data"]["y"])
    by_row = log_likelihood(posterior)
    assert 900 == by_row.sizes["row"]
    mu = 1.0 / (1.0 + np.exp(-conditional_predictor(posterior)))
    expected = stats.bernoulli.logpmf(model.design.data["y"].to_numpy(), mu)
    np.testing.assert_allclose(by_row.to_numpy()[0], expected, rtol=1e-10)
    replicated = replicate(posterior, 10, seed=1)
    assert (10, 900) == replicated.shape
    assert {0, 1} == set(np.unique(replicated))
    predicted = fit.predict(model.design.data, random_effects="known").draws
    np.testing.assert_allclose(predicted.to_numpy()[0], mu, rtol=1e-10)
    # and what the sampler moved under is the plain model's density
    plain = model.pymc
    log_density = plain.compile_logp(mode=PYTHON)
    draws = fit.idata["posterior"].to_dataset().isel(chain=0)
    for draw in range(10):
        b = model.priors.canonical.location.to_canonical(draws["beta"].to_numpy()[draw])
        point = {"b": b, "z_g": draws["z_g"].to_numpy()[draw]}
        point["sd_g_log__"] = np.log(draws["sd_g"].to_numpy()[draw])
        assert fit.idata["sample_stats"]["logp"].to_numpy()[0, draw] == pytest.approx(
            float(log_density(point)), rel=1e-10
        )
