"""What a person is told before sampling: separation against diverging maximum likelihood, and each finding alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from bayes_glmm.design import Design, build_design, findings, separated
from bayes_glmm.families.kind import COUNT, REAL
from bayes_glmm.glmm import GLMM
from bayes_glmm.spec import ModelSpec


def design_of(data: pd.DataFrame, formula: str = "y ~ x", family: str = "bernoulli") -> Design:
    return build_design(ModelSpec.from_formula(formula, family), data)


def names_of(formula: str, data: pd.DataFrame, family: str = "gaussian", link: str | None = None) -> list[str]:
    spec = ModelSpec.from_formula(formula, family, link)
    return [found.name for found in findings(spec, build_design(spec, data))]


def diverges(X: np.ndarray, y: np.ndarray) -> bool:
    """Whether Newton's method for logistic regression goes on for ever: about 1 a step along a separating direction."""
    beta = np.zeros(X.shape[1])
    for _ in range(60):
        mean = 1 / (1 + np.exp(-np.clip(X @ beta, -500, 500)))
        information = (X * (mean * (1 - mean))[:, None]).T @ X
        if np.linalg.cond(information) > 1e13:
            return True
        beta = beta + np.linalg.solve(information, X.T @ (y - mean))
    return bool(np.abs(beta).max() > 25)


@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(0, 2), st.integers(0, 1)), min_size=5, max_size=14))
def test_separated_is_where_maximum_likelihood_diverges(rows: list[tuple[int, int, int]]) -> None:
    data = pd.DataFrame(rows, columns=["x", "w", "y"]).astype(float)
    X = np.column_stack([np.ones(len(data)), data.x, data.w])
    if data.y.nunique() < 2 or np.linalg.matrix_rank(X) < 3:
        return
    event("separated" if diverges(X, data.y.to_numpy()) else "not separated")
    assert diverges(X, data.y.to_numpy()) == bool(separated(design_of(data, "y ~ x + w")))


def test_complete_separation_names_the_column_that_does_it_and_no_noise() -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"x": np.r_[rng.uniform(0, 1, 20), rng.uniform(2, 3, 20)], "y": np.repeat([0, 1], 20)})
    data["noise"], data["more"] = rng.normal(size=(2, 40))
    assert ("x",) == separated(design_of(data, "y ~ noise + x + more"))
    assert ("x", "twin") == separated(design_of(data.assign(twin=data.x**3), "y ~ noise + x + more + twin"))


def test_a_level_without_successes_is_quasi_complete() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"f": list("abc") * 20, "x": rng.normal(size=60), "y": rng.integers(0, 2, 60)})
    data.loc[data.f == "b", "y"] = 0
    assert ("f[b]",) == separated(design_of(data, "y ~ x + f"))
    assert () == separated(design_of(data[data.f != "b"], "y ~ x + f"))


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 1)), min_size=4, max_size=12))
def test_separation_by_one_number_is_complete_where_the_largest_is_below_the_smallest(rows) -> None:
    data = pd.DataFrame(rows, columns=["x", "y"]).astype(float)
    if data.y.nunique() < 2 or data.x.nunique() < 2:
        return
    zeros, ones = data.x[data.y == 0], data.x[data.y == 1]
    apart = zeros.max() < ones.min() or ones.max() < zeros.min()
    touching = zeros.max() <= ones.min() or ones.max() <= zeros.min()
    event("complete" if apart else "quasi-complete" if touching else "not separated")
    words = " ".join(found.what for found in GLMM("y ~ x", data, family="bernoulli").findings)
    assert apart == ("(complete" in words)
    assert (touching and not apart) == ("(quasi-complete" in words)


def test_mixed_rows_of_trials_undo_separation() -> None:
    data = pd.DataFrame({"k": [0, 0, 5, 5], "n": 5, "x": [0.0, 1.0, 2.0, 3.0]})
    assert ("x",) == separated(design_of(data, "p(k, n) ~ x", "binomial"))
    data.loc[3, "k"] = 4
    # one mixed row fixes x'd = 0 at x = 3: failures below it can still be pushed down, the success at 2 not up
    assert () == separated(design_of(data, "p(k, n) ~ x", "binomial"))
    data.loc[2, "k"] = 0
    assert ("x",) == separated(design_of(data, "p(k, n) ~ x", "binomial"))


def test_counts_are_separated_by_zeros_alone() -> None:
    data = pd.DataFrame({"f": list("aabbcc"), "y": [0, 0, 3, 4, 0, 5]})
    design = design_of(data, "y ~ f", "poisson")
    # level a, the reference, has zeros only: the intercept falls for ever while b and c rise
    assert ("f[b]", "f[c]") == separated(design, COUNT)
    assert () == separated(design_of(data[2:], "y ~ f", "poisson"), COUNT)
    assert () == separated(design, REAL)


def test_the_prior_advised_for_a_rare_level_is_narrower_than_the_default() -> None:
    data = pd.DataFrame(
        {"f": np.repeat([*"abc"], [300, 195, 5]), "y": np.r_[np.tile([0, 1, 0, 1, 1], 99), np.zeros(5)]}
    )
    model = GLMM("y ~ f", data, family="bernoulli")
    (advice,) = [found.advice for found in model.findings if found.name == "separation"]
    assert 'priors={"beta[f[c]]": "Normal(0, 2.5)"}' in advice  # 2.5 / sd of the column is 25
    assert np.asarray(dict(model.priors["beta[f[c]]"].keyword)["sigma"]) > 10.0


def test_separation_is_a_finding_where_the_link_is_unbounded() -> None:
    data = pd.DataFrame({"y": [0, 0, 1, 1], "x": [1.0, 2.0, 3.0, 3.0]})
    (found,) = GLMM("y ~ x", data, family="bernoulli").findings
    assert "x separates all failures from all successes (complete separation)" in found.what
    for link, expected in {"logit": ["separation"], "cauchit": ["separation"], "identity": []}.items():
        assert expected == names_of("y ~ x", data, "bernoulli", link)
    assert ["separation"] == names_of("y ~ x", data, "poisson")
    assert [] == names_of("y ~ x", data, "poisson", "sqrt")
    assert [] == names_of("y ~ x", data)


def frame(levels: int, rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(levels), rows)
    n = g.size
    data = pd.DataFrame({"y": rng.integers(0, 9, n), "n": 9, "x": rng.normal(size=n), "g": g, "age": g % 7 + 20.0})
    return data.assign(twin=[f"level {levels - k}" for k in g], pair=g // 2)


def test_most_levels_with_one_row_are_told() -> None:
    g = np.r_[np.arange(11), np.repeat(np.arange(11, 20), 3)]
    data = frame(len(g), 1).assign(g=g)
    for formula, family in (("y ~ x + (1 | g)", "gaussian"), ("y ~ x + (1 | g)", "poisson")):
        assert ["lone_rows"] == names_of(formula, data, family)
    (found,) = GLMM("y ~ x + (1 | g)", data).findings
    assert "11 of 20 levels of g have one row" in found.what
    assert "on the other 9" in found.what
    assert [] == names_of("y ~ x + (1 | g)", data.assign(g=np.where(g < 2, 11, g)))  # 9 of 18: no more than half


@pytest.mark.parametrize(
    ("formula", "family", "levels", "rows", "expected"),
    [
        ("y ~ x + (1 | g)", "gaussian", 12, 4, []),
        ("y ~ x + (1 | g)", "gaussian", 12, 1, ["single_rows"]),
        ("y ~ x + (1 | g)", "poisson", 12, 1, []),
        ("p(y, n) ~ x + (1 | g)", "binomial", 12, 1, []),
        ("y ~ x + (1 | g)", "gaussian", 4, 5, ["few_levels"]),
        ("y ~ x + (x | g)", "gaussian", 12, 4, []),
        ("y ~ age + (age | g)", "gaussian", 12, 4, ["still_slopes"]),
        ("y ~ age + (0 + age | g)", "gaussian", 12, 4, ["uncentred"]),
        ("y ~ x + I(1000000 * x ** 2)", "gaussian", 12, 4, ["scales"]),
        ("y ~ 1 + (x + I(1000000 * x ** 2) || g)", "gaussian", 12, 4, ["scales"]),
        ("y ~ x + (x + I(2 * x) | g)", "gaussian", 12, 4, ["dependent_effects"]),
        ("y ~ x + (n | g)", "gaussian", 12, 4, ["dependent_effects"]),
        ("y ~ x + (x || g) + (0 + x + I(x ** 2) || twin)", "gaussian", 12, 4, ["same_groups"]),
        ("y ~ x + (1 | g) + (0 + x | twin)", "gaussian", 12, 4, []),
        ("y ~ x + (1 | g/twin)", "gaussian", 12, 4, ["same_groups"]),
        ("y ~ x + (1 | g) + (1 | pair)", "gaussian", 12, 4, []),
        ("y ~ x + C(g) + (1 | g)", "gaussian", 12, 4, ["absorbed"]),
        ("y ~ 0 + C(g) + (1 | pair)", "gaussian", 12, 4, ["absorbed"]),
        ("y ~ x + C(pair) + (1 | g)", "gaussian", 12, 4, []),
        ("y ~ x + C(g) + (0 + x | g)", "gaussian", 12, 4, []),
        ("y ~ I(x + 100000)", "gaussian", 12, 4, ["far_from_zero"]),
    ],
)
def test_each_finding_where_it_belongs(formula, family, levels, rows, expected) -> None:
    assert expected == names_of(formula, frame(levels, rows), family)


def far_frame() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    g = np.repeat(np.arange(12), 6)
    x = 50 + 3 * rng.normal(size=12)[g] + rng.normal(size=72)  # mostly between levels
    t = np.tile(np.arange(6.0), 12) + 20
    data = pd.DataFrame({"g": g, "x": x, "t": t, "arm": np.tile([0, 1], 36), "y": rng.normal(size=72)})
    means = data.groupby("g")["x"].transform("mean")
    return data.assign(between=means, within=data["x"] - means, f=np.tile(list("abc"), 24))


@pytest.mark.parametrize(
    ("formula", "priors", "expected"),
    [
        ("y ~ t + (t || g)", {}, ["uncentred"]),
        ("y ~ t + (0 + t | g)", {}, ["uncentred"]),
        ("y ~ t + (1 | g) + (0 + t | g)", {}, ["uncentred"]),
        ("y ~ t + (1 | g) + (0 + t + I(t ** 2) | g)", {}, ["uncentred"]),
        ("y ~ t + (center(t) || g)", {}, []),
        ("y ~ t + (t | g)", {}, []),
        ("y ~ t + (arm || g)", {}, []),  # 0 and 1 are both in the data
        ("y ~ t + (0 + f | g)", {}, []),
        ("y ~ t + (0 + f + t | g)", {}, []),  # a constant is a combination of the levels of f
        ("y ~ t + (t | g)", {"corr_g": "LKJ(1)"}, ["given_at_zero"]),
        ("y ~ t + (t | g)", {"sd_g[Intercept]": "HalfNormal(1)"}, ["given_at_zero"]),
        ("y ~ t + (t | g)", {"sd": "HalfNormal(1)"}, ["given_at_zero"]),
        ("y ~ t + (t | g)", {"sd_g[t]": "HalfNormal(1)"}, []),
        ("y ~ t + (center(t) | g)", {"corr_g": "LKJ(1)"}, []),
        ("y ~ x + (1 | g)", {}, ["mixed_slopes"]),
        ("y ~ center(x) + (1 | g)", {}, ["mixed_slopes"]),
        ("y ~ x", {}, []),
        ("y ~ within + between + (1 | g)", {}, []),
        ("y ~ x + between + (1 | g)", {}, []),  # the means are in the model
    ],
)
def test_where_zero_is_and_what_a_slope_means(formula: str, priors: dict[str, str], expected: list[str]) -> None:
    assert expected == [found.name for found in GLMM(formula, far_frame(), priors=priors).findings]


def test_the_rewrite_of_an_uncentred_slope_has_no_finding() -> None:
    data = far_frame()
    (found,) = GLMM("y ~ t + (t || g)", data).findings
    assert "(center(t) || g)" in found.advice
    assert found.weight == "look"
    assert not GLMM("y ~ t + (center(t) || g)", data).findings


@pytest.mark.parametrize(
    ("formula", "family", "link", "response", "expected"),
    [
        ("y ~ t + arm", "gaussian", None, lambda d: 3 * d.t - d.arm, True),
        ("y ~ t + (1 | g)", "gaussian", None, lambda d: 3 * d.t + np.sin(7 * d.g), True),
        ("y ~ t + (t | g)", "student_t", None, lambda d: np.sin(7 * d.g) * d.t + np.cos(5 * d.g), True),
        ("y ~ t", "gamma", "log", lambda d: np.exp(0.1 * d.t), True),
        ("y ~ t", "gaussian", None, lambda d: 3 * d.t - 1e-3 * d.arm, False),
        ("y ~ t + (1 | g)", "gaussian", None, lambda d: 3 * d.t + np.sin(7 * d.g) + 1e-4 * d.y, False),
        ("y ~ t", "poisson", None, lambda d: d.t, False),
    ],
)
def test_a_response_without_noise(formula, family, link, response, expected) -> None:
    data = far_frame()
    found = names_of(formula, data.assign(y=response(data)), family, link)
    assert expected == ("noiseless" in found)


def test_given_priors_take_the_weight_from_findings_that_rest_on_the_prior() -> None:
    data = frame(4, 5)
    (default,) = GLMM("y ~ x + (1 | g)", data).findings
    (given,) = GLMM("y ~ x + (1 | g)", data, priors={"sd_g": "HalfNormal(2)"}).findings
    assert ("few_levels", "look") == (default.name, default.weight)
    assert ("few_levels", "note") == (given.name, given.weight)
    apart = pd.DataFrame({"y": [0, 0, 1, 1], "x": [1.0, 2.0, 3.0, 4.0]})
    (default,) = GLMM("y ~ x", apart, family="bernoulli").findings
    (given,) = GLMM("y ~ x", apart, family="bernoulli", priors={"x": "Normal(0, 1)"}).findings
    assert ("look", "note") == (default.weight, given.weight)


def test_findings_are_part_of_the_printed_model() -> None:
    assert "Findings" in str(GLMM("y ~ x + (1 | g)", frame(4, 5)))
    assert "g has 4 levels" in str(GLMM("y ~ x + (1 | g)", frame(4, 5)))
    assert "Findings" not in str(GLMM("y ~ x + (1 | g)", frame(12, 4)))


def test_a_model_tells_its_findings_in_words() -> None:
    (found,) = GLMM("y ~ x + (1 | g)", frame(4, 5)).findings
    assert "g has 4 levels" in str(found)
    assert "sd_g" in found.advice
    assert str(found).endswith(".")
