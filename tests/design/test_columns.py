"""The columns of X and of each block against arrays made by hand."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from scipy.interpolate import BSpline

from bayes_glmm.design import Design, build_design, new_predictors
from bayes_glmm.errors import DataError
from bayes_glmm.spec import ModelSpec
from tests.strategies import designs


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "y": rng.normal(size=24),
            "x": rng.normal(2.0, 3.0, 24),
            "z": rng.uniform(1.0, 4.0, 24),
            "f": list("bca") * 8,
            "h": list("uv") * 12,
            "flag": rng.random(24) < 0.5,
            "size (cm)": rng.normal(size=24),
            "g": rng.permutation(np.repeat([308, 9, 10, 1], 6)),
            "n": rng.integers(5, 9, 24),
            "k": rng.integers(0, 5, 24),
            "answer": np.where(rng.random(24) < 0.5, "yes", "no"),
        }
    )


def _design(formula: str, data: pd.DataFrame, family: str = "gaussian", **options) -> Design:
    return build_design(ModelSpec.from_formula(formula, family), data, **options)


def _is(level: str, column: pd.Series) -> np.ndarray:
    return (column == level).to_numpy(float)


def test_factors_are_coded_against_their_first_level(data: pd.DataFrame) -> None:
    design = _design("y ~ f + x", data)
    assert design.coefficients == ("Intercept", "f[b]", "f[c]", "x")
    expected = np.column_stack([np.ones(24), _is("b", data.f), _is("c", data.f), data.x])
    np.testing.assert_array_equal(design.X, expected)


def test_factors_without_intercept_have_a_column_a_level(data: pd.DataFrame) -> None:
    for formula in ("y ~ 0 + f", "y ~ f - 1", "y ~ -1 + f"):
        design = _design(formula, data)
        assert design.coefficients == ("f[a]", "f[b]", "f[c]")
        np.testing.assert_array_equal(design.X, np.column_stack([_is(level, data.f) for level in "abc"]))


def test_interactions_are_products(data: pd.DataFrame) -> None:
    design = _design("y ~ x*z + f:x", data)
    columns = dict(zip(design.coefficients, design.X.T, strict=True))
    np.testing.assert_allclose(columns["x:z"], data.x * data.z, rtol=1e-15)
    np.testing.assert_allclose(columns["f[b]:x"], _is("b", data.f) * data.x, rtol=1e-15)
    both = _design("y ~ f*h", data)
    assert both.coefficients == ("Intercept", "f[b]", "f[c]", "h[v]", "f[b]:h[v]", "f[c]:h[v]")
    np.testing.assert_array_equal(both.X[:, 5], _is("c", data.f) * _is("v", data.h))


def test_order_of_categories_is_kept_and_unused_ones_are_not(data: pd.DataFrame) -> None:
    for ordered in (False, True):
        changed = data.assign(f=pd.Categorical(data.f, ["c", "never", "a", "b"], ordered=ordered))
        design = _design("y ~ f + (1 | f)", changed)
        assert design.coefficients == ("Intercept", "f[a]", "f[b]")
        assert design.block("f").levels == ("c", "a", "b")
        np.testing.assert_array_equal(design.block("f").index, data.f.map({"c": 0, "a": 1, "b": 2}))


def test_other_columns(data: pd.DataFrame) -> None:
    design = _design("y ~ flag + `size (cm)` + I(x ** 2) + np.log(z) + I(x > 2)", data)
    expected = [np.ones(24), data.flag, data["size (cm)"], data.x**2, np.log(data.z), data.x > 2]
    np.testing.assert_allclose(design.X, np.column_stack(expected).astype(float), rtol=1e-15)
    assert design.coefficients[2] == "size (cm)"


def test_no_fixed_effects(data: pd.DataFrame) -> None:
    design = _design("y ~ 0 + (1 | g)", data)
    assert (design.X.shape, design.coefficients) == ((24, 0), ())


def test_transforms_remember_the_data_they_were_made_on(data: pd.DataFrame) -> None:
    design = _design("y ~ center(`size (cm)`) + scale(n) + bs(x, df=5) + poly(z, 2) + (scale(x) | g)", data)
    new = pd.DataFrame({"x": [1.0, 2.5, 3.0], "z": [1.5, 2.0, 3.9], "g": [9, 9, 1], "n": 6, "size (cm)": 0.5})
    made = new_predictors(design, new)
    columns = dict(zip(design.coefficients, made.X.T, strict=True))
    np.testing.assert_allclose(columns["center(size (cm))"], 0.5 - data["size (cm)"].mean(), rtol=1e-12)
    np.testing.assert_allclose(columns["scale(n)"], (6 - data.n.mean()) / data.n.std(ddof=0), rtol=1e-12)

    # cubic B-splines with knots at quantiles of the data, the first function dropped
    inner = np.quantile(data.x, [1 / 3, 2 / 3])
    knots = np.concatenate([[data.x.min()] * 4, inner, [data.x.max()] * 4])
    expected = BSpline.design_matrix(new.x.to_numpy(), knots, 3).toarray()[:, 1:]
    np.testing.assert_allclose(np.column_stack([columns[f"bs(x, df=5)[{j}]"] for j in range(5)]), expected, atol=1e-12)

    # polynomials: orthonormal on the data, the same polynomial on new rows
    old = design.X[:, [design.coefficients.index(f"poly(z, 2)[{j}]") for j in range(2)]]
    np.testing.assert_allclose(old.T @ old, np.eye(2), atol=1e-10)
    powers = np.vander(data.z, 3)
    again = np.vander(new.z, 3) @ np.linalg.lstsq(powers, old, rcond=None)[0]
    np.testing.assert_allclose(np.column_stack([columns[f"poly(z, 2)[{j}]"] for j in range(2)]), again, rtol=1e-8)

    scaled = (new.x - data.x.mean()) / data.x.std(ddof=0)
    np.testing.assert_allclose(made.blocks[0].values, np.column_stack([np.ones(3), scaled]), rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("z", lambda d: d.z),
        ("log(z)", lambda d: np.log(d.z)),
        ("log(z) - log(n)", lambda d: np.log(d.z) - np.log(d.n)),
        ("2 * z", lambda d: 2 * d.z),
        ("-z", lambda d: -d.z),
        ("z * x / n", lambda d: d.z * d.x / d.n),
        ("`size (cm)` + 1", lambda d: d["size (cm)"] + 1),
        ("0.5", lambda d: 0.5 + 0 * d.x),
        ("z) + offset(x", lambda d: d.z + d.x),
    ],
)
def test_offsets_are_arithmetic(data: pd.DataFrame, text: str, value) -> None:
    design = _design(f"k ~ offset({text}) + flag", data, "poisson")
    np.testing.assert_allclose(design.offset, value(data), rtol=1e-15)
    np.testing.assert_allclose(new_predictors(design, data.head(3)).offset, value(data)[:3], rtol=1e-15)


@pytest.mark.parametrize(
    ("left", "trials"),
    [
        ("p(k, n)", lambda d: d.n),
        ("k | trials(n)", lambda d: d.n),
        ("p(k, 12)", lambda d: 12 + 0 * d.n),
        ("cbind(k, n - k)", lambda d: d.n),
        ("cbind(k, n)", lambda d: d.k + d.n),
        ("p(k, 2 * n)", lambda d: 2 * d.n),
    ],
)
def test_trials(data: pd.DataFrame, left: str, trials) -> None:
    design = _design(f"{left} ~ x", data, "binomial")
    np.testing.assert_array_equal(design.y, data.k)
    np.testing.assert_array_equal(design.trials, trials(data))


def test_responses(data: pd.DataFrame) -> None:
    yes = _is("yes", data.answer)
    for left, expected, success in [
        ("answer", yes, "yes"),
        ("answer['yes']", yes, "yes"),
        ("answer[no]", 1 - yes, "no"),
        ("flag", data.flag.to_numpy(float), None),
        ("f['c']", _is("c", data.f), "c"),
    ]:
        design = _design(f"{left} ~ x", data, "bernoulli")
        np.testing.assert_array_equal(design.y, expected)
        assert design.success == success
    np.testing.assert_allclose(_design("log(z) ~ x", data).y, np.log(data.z))


def test_number_labels_sort_as_numbers_and_text_as_text(data: pd.DataFrame) -> None:
    for column in (data.g, data.g.astype(float), data.g.astype("Int64")):
        block = _design("y ~ (x | g)", data.assign(g=column)).block("g")
        assert block.levels == ("1", "9", "10", "308")
        np.testing.assert_array_equal(np.array(block.levels)[block.index], data.g.astype(str))
        np.testing.assert_array_equal(block.values, np.column_stack([np.ones(24), data.x]))
        assert (block.effects, block.pattern) == (("Intercept", "x"), (2,))
    assert _design("y ~ (1 | g)", data.assign(g=data.g.astype(str))).block("g").levels == ("1", "10", "308", "9")
    assert _design("y ~ (1 | g)", data.assign(g=data.g + 0.5)).block("g").levels == ("1.5", "9.5", "10.5", "308.5")
    assert _design("y ~ (1 | flag)", data).block("flag").levels == ("False", "True")


def test_nested_groups_are_joined_labels(data: pd.DataFrame) -> None:
    outer, inner = _design("y ~ (1 | g/f)", data).blocks
    assert (outer.group, inner.group) == ("g", "g:f")
    joined = data.g.astype(str) + ":" + data.f
    np.testing.assert_array_equal(np.array(inner.levels)[inner.index], joined)
    pairs = data[["g", "f"]].drop_duplicates().sort_values(["g", "f"])
    assert list(inner.levels) == [f"{g}:{f}" for g, f in pairs.to_numpy()]


@pytest.mark.parametrize(
    ("terms", "effects", "pattern"),
    [
        ("(x || g)", ("Intercept", "x"), (1, 1)),
        ("(1 | g) + (0 + x | g)", ("Intercept", "x"), (1, 1)),
        ("(x | g) + (0 + z | g)", ("Intercept", "x", "z"), (2, 1)),
        ("(f | g)", ("Intercept", "f[b]", "f[c]"), (3,)),
        ("(0 + f || g)", ("f[a]", "f[b]", "f[c]"), (1, 1, 1)),
    ],
)
def test_a_grouping_factor_is_one_block(data: pd.DataFrame, terms: str, effects: tuple, pattern: tuple) -> None:
    (block,) = _design(f"y ~ {terms}", data).blocks
    assert (block.effects, block.pattern) == (effects, pattern)
    assert block.values.shape == (24, len(effects))


def test_new_rows_find_their_groups(data: pd.DataFrame) -> None:
    design = _design("y ~ x + (1 | g) + (1 | g:f)", data)
    pair = data.loc[[5]]
    new = pd.concat([pair, pair.assign(g=4711)]).drop(columns="y")
    made = new_predictors(design, new)
    assert made.blocks[0].index.tolist() == [design.blocks[0].index[5], -1]
    assert made.blocks[1].index.tolist() == [design.blocks[1].index[5], -1]
    assert new_predictors(design, new.assign(g=new.g.astype(str))).blocks[0].index.tolist()[0] >= 0
    assert new_predictors(design, new.assign(g=[float(new.g.iloc[0]), 0.5])).blocks[0].index.tolist()[1] == -1
    assert new_predictors(design, new[["x"]]).blocks[0].index.tolist() == [-1, -1]
    with pytest.raises(DataError, match="4711"):
        new_predictors(design, new, known_groups=True)
    with pytest.raises(DataError, match="do not say which g"):
        new_predictors(design, new[["x"]], known_groups=True)


def test_a_level_reads_the_same_whatever_stands_beside_it(data: pd.DataFrame) -> None:
    halves = data.assign(g=data.g.where(data.index > 3, data.g + 0.5))
    design = _design("y ~ (1 | g)", halves)
    whole = halves[halves.g % 1 == 0]
    np.testing.assert_array_equal(new_predictors(design, whole).blocks[0].index, design.block("g").index[whole.index])


@given(designs())
def test_the_data_as_new_rows_give_the_same_predictors(made: tuple[Design, pd.DataFrame, ModelSpec]) -> None:
    design, data, _ = made
    again = new_predictors(design, data.sample(frac=1.0, random_state=3), known_groups=True)
    order = data.sample(frac=1.0, random_state=3).index
    np.testing.assert_array_equal(again.X, design.X[order])
    for old, new in zip(design.blocks, again.blocks, strict=True):
        np.testing.assert_array_equal(new.values, old.values[order])
        np.testing.assert_array_equal(new.index, old.index[order])


def test_missing_rows_can_be_dropped(data: pd.DataFrame) -> None:
    holed = data.copy()
    holed.loc[3, "x"] = np.nan
    holed.loc[7, "f"] = None
    holed.loc[8, "z"] = np.nan  # not in the formula
    design = _design("y ~ x + (1 | f)", holed, missing="drop")
    assert (design.dropped, len(design.y)) == (2, 22)
    np.testing.assert_array_equal(design.y, data.y.drop([3, 7]))
    assert list(design.data.columns) == ["y", "x", "f"]
    assert list(design.data.index) == list(range(22))


def test_the_data_given_are_left_as_they_are(data: pd.DataFrame) -> None:
    before = data.assign(f=data.f.astype("category"))
    kept = before.copy(deep=True)
    _design("y ~ f + center(x) + (x | g/f)", before)
    pd.testing.assert_frame_equal(before, kept)


def test_thousands_of_groups_need_no_dense_matrix() -> None:
    rows, levels = 73_421, 4_100  # as many as the lecture ratings of the field's largest teaching data set
    rng = np.random.default_rng(1)
    big = pd.DataFrame(
        {
            "y": rng.normal(size=rows),
            "x": rng.normal(size=rows),
            "student": rng.permutation(np.arange(rows) % levels),
            "teacher": rng.integers(0, 1128, rows),
        }
    )
    tracemalloc.start()
    design = _design("y ~ x + (x | student) + (1 | teacher)", big)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(design.block("student").levels) == levels
    # a dense Z of the students alone takes 73,421 x 4,100 x 8 bytes = 2.4 GB
    assert peak < 150e6
