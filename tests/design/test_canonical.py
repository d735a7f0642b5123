"""Canonical columns: the prior they imply is known in closed form, in any coding, and every change can be undone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import special

import bayes_glmm as bg
from bayes_glmm.design import canonical_columns as module
from bayes_glmm.design.canonical import CENTRE
from bayes_glmm.design.canonical_columns import constant_in
from bayes_glmm.design.span import span_of

RNG = np.random.default_rng(8)
N = 200


def data() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    x = rng.uniform(-1.0, 1.0, N)
    return pd.DataFrame(
        {
            "x": x,
            "year": 2010.0 + 4.0 * x,
            "w": 3.0 + 0.6 * x + rng.normal(size=N),
            "f": rng.choice(["p", "q", "r"], N),
            "arm": rng.integers(0, 2, N),
            "g": np.repeat(np.arange(20), 10),
            "y": 5.0 + rng.normal(size=N),
            "n": rng.integers(1, 9, N),
        }
    ).assign(k=lambda d: rng.binomial(d["n"], 0.3))


def model(right: str, priors: dict[str, str] | None = None, frame: pd.DataFrame | None = None) -> bg.GLMM:
    return bg.GLMM(f"y ~ {right}", data() if frame is None else frame, priors=priors or {})


def implied(of: bg.GLMM) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of beta under the model's priors of canonical coefficients, all of them normal."""
    T, (mu, sigma) = of.priors.canonical.location.T, canonical_moments(of)
    return T @ mu, T @ np.diag(sigma**2) @ T.T


def canonical_moments(of: bg.GLMM) -> tuple[np.ndarray, np.ndarray]:
    """Means and sds of the canonical coefficients' priors."""
    priors = [of.priors.scalars[f"beta[{name}]"] for name in of.priors.canonical.location.names]
    assert {prior.distribution for prior in priors} == {"Normal"}
    named = [dict(zip(("mu", "sigma"), prior.positional, strict=False)) | dict(prior.keyword) for prior in priors]
    mu, sigma = (np.array([one[argument] for one in named], float) for argument in ("mu", "sigma"))
    return mu, sigma


def oracle(X: np.ndarray, weights: np.ndarray, middle: float, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """N(mu0 a, S^2 M^-1) with X a = 1 and M = X'WX / sum W: the default prior where no row is capped."""
    M = X.T @ (weights[:, None] * X) / weights.sum()
    return middle * np.linalg.lstsq(X, np.ones(len(X)))[0], reach**2 * np.linalg.inv(M)


CODINGS = [
    "x",
    "year",
    "0 + f",
    "f",
    "x + w + f",
    "x + I(x ** 2) + f",
    "0 + f + x + I(x ** 2)",
    "poly(x, 2) + f",
    "x * arm",
    "0 + f + f:x",
    "w * f",
]


@pytest.mark.parametrize("right", CODINGS)
def test_the_default_prior_of_coefficients_is_the_oracles(right: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "span_of", lambda columns, weights: span_of(columns, weights, np.inf))
    made, frame = model(right), data()
    mean, covariance = implied(made)
    expected = oracle(made.design.X, np.ones(N), frame["y"].mean(), 2.5 * frame["y"].std(ddof=0))
    assert_allclose(mean, expected[0], atol=1e-8 * np.abs(expected[0]).max())
    assert_allclose(covariance, expected[1], atol=1e-8 * np.abs(expected[1]).max())


def test_rows_of_more_trials_count_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "span_of", lambda columns, weights: span_of(columns, weights, np.inf))
    frame = data()
    made = bg.GLMM("p(k, n) ~ w + f", frame, family="binomial")
    trials = frame["n"].to_numpy(float)
    expected = oracle(made.design.X, trials, special.logit(frame["k"].sum() / trials.sum()), 2.5)
    for actual, right in zip(implied(made), expected, strict=True):
        assert_allclose(actual, right, rtol=1e-9, atol=1e-12)


def long(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per trial."""
    rows = frame.loc[frame.index.repeat(frame["n"])].reset_index(drop=True)
    order = rows.groupby(np.repeat(frame.index, frame["n"])).cumcount()
    return rows.assign(b=(order < rows["k"]).astype(int))


@pytest.mark.parametrize("right", ["w + f + (w | g)", "0 + f + w"])
def test_aggregated_rows_have_the_priors_of_single_ones(right: str) -> None:
    frame = data()
    frame.loc[:3, "w"] = [40.0, 0.0, -20.0, 5.0]  # capped
    merged = bg.GLMM(f"p(k, n) ~ {right}", frame, family="binomial").priors
    single = bg.GLMM(f"b ~ {right}", long(frame), family="bernoulli").priors
    assert_allclose(merged.canonical.location.T, single.canonical.location.T, rtol=1e-9, atol=1e-12)
    for name, prior in single.entries.items():
        assert merged[name].distribution == prior.distribution
        assert dict(merged[name].keyword) == pytest.approx(dict(prior.keyword), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0 + f + x + I(x ** 2)", "f + year + I(year ** 2)"),
        ("f + poly(x, 3)", "0 + f + x + I(x ** 2) + I(x ** 3)"),
        ("x * arm", "year * arm"),
        ("f * x", "0 + f + f:year"),
        ("x + w", "I(x + w) + I(x - w)"),
    ],
)
def test_another_coding_is_the_same_model(one: str, other: str) -> None:
    """The prior of the predictor of every row, a process on the rows, does not depend on how its span is written."""
    frame = data()
    frame.loc[[0, 1], "w"] = [25.0, -9.0]  # rows that the cap binds
    moments = []
    for right in (one, other):
        made = model(right, frame=frame)
        X, (mu, sigma) = made.priors.canonical.location.columns(made.design.X), canonical_moments(made)
        moments.append((X @ mu, X @ np.diag(sigma**2) @ X.T))
    assert_allclose(moments[1][0], moments[0][0], rtol=1e-8)
    assert_allclose(moments[1][1], moments[0][1], atol=1e-8 * np.abs(moments[0][1]).max())


def test_coefficients_of_two_codings_map_onto_each_other() -> None:
    cells, treatment = (
        model("0 + f + x + I(x ** 2)"),
        model("f + w0 + I(w0 ** 2)", frame=data().assign(w0=data()["x"] - 3.0)),
    )
    change = np.linalg.lstsq(cells.design.X, treatment.design.X)[0]  # beta of the cells = change @ beta of the other
    assert_allclose(cells.design.X @ change, treatment.design.X, atol=1e-10)
    (mean, covariance), (expected_mean, expected) = implied(treatment), implied(cells)
    assert_allclose(change @ mean, expected_mean, rtol=1e-8, atol=1e-8)
    assert_allclose(change @ covariance @ change.T, expected, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("right", CODINGS)
def test_columns_are_those_of_the_change(right: str) -> None:
    made = model(right)
    canonical, X = made.priors.canonical, made.design.X
    size = np.abs(X) @ np.abs(canonical.location.T)  # of the terms of each sum: rounding is relative to them
    assert (np.abs(canonical.location.columns(X) - X @ canonical.location.T) <= 1e-12 * (1.0 + size)).all()
    assert np.linalg.cond(canonical.location.columns(X)) < 20.0


@pytest.mark.parametrize("right", CODINGS)
def test_coefficients_go_there_and_back(right: str) -> None:
    canonical = model(right).priors.canonical
    b = RNG.normal(size=(3, 4, len(canonical.location.names)))
    assert_allclose(canonical.location.to_canonical(canonical.location.to_written(b)), b, rtol=1e-8, atol=1e-8)
    assert_allclose(canonical.location.to_written(b)[1, 2], canonical.location.T @ b[1, 2], rtol=1e-12)


@pytest.mark.parametrize(
    ("right", "means"),
    [
        ("x + (year | g)", {"year": "year"}),
        ("x + (year + w | g)", {"year": "year", "w": "w"}),
        ("x + (year | g) + (0 + w | g)", {"year": "year"}),  # the second term is about the written zero
    ],
)
def test_correlated_effects_are_centred(right: str, means: dict[str, str]) -> None:
    made = model(right)
    canonical, (block,) = made.priors.canonical, made.design.blocks
    assert canonical.carried("g")
    expected = block.values.copy()
    for effect, column in means.items():
        expected[:, block.effects.index(effect)] -= data()[column].mean()
    assert_allclose(canonical.effect_columns(block), expected, atol=1e-9)
    assert_allclose(block.values @ canonical.A["g"], expected, atol=1e-9)
    assert_allclose(canonical.inverse("g") @ canonical.A["g"], np.eye(len(block.effects)), atol=1e-9)


def test_centred_columns_are_at_their_centre_whatever_their_mean_rounds_to() -> None:
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"g": np.arange(60) % 12, "year": 2010.1 + rng.normal(size=60) / 7, "y": rng.normal(size=60)})
    priors = bg.GLMM("y ~ center(year) + (center(year) | g)", data).priors
    assert not priors.canonical.carried("g")
    assert not any("centre " in source or " at " in source for source in priors.sources.values())


def test_cells_of_a_factor_within_a_bar_are_not_moved() -> None:
    """The effects of (0 + f | g) have their own zero, the level; a covariate beside them is centred."""
    canonical = model("f + (0 + f | g)").priors.canonical
    assert_allclose(canonical.A["g"], np.eye(3))
    beside = model("f + (0 + f + w | g)").priors.canonical
    assert_allclose(beside.means["g"], [0.0, 0.0, 0.0, data()["w"].mean()])


@pytest.mark.parametrize(
    "term", ["(year || g)", "(1 | g) + (0 + year | g)", "(0 + year | g)", "(1 | g)", "(0 + year + w | g)"]
)
def test_what_lme4_has_about_the_written_zero_stays_there(term: str) -> None:
    canonical = model(f"x + {term}").priors.canonical
    assert not canonical.carried("g")
    np.testing.assert_array_equal(canonical.A["g"], np.eye(len(canonical.A["g"])))


@pytest.mark.parametrize(
    ("priors", "carried"),
    [
        ({"sd_g[Intercept]": "HalfNormal(1)"}, False),
        ({"sd_g": "HalfNormal(1)"}, False),
        ({"sd": "HalfNormal(1)"}, False),
        ({"corr_g": "LKJ(1)"}, False),
        ({"corr": "LKJ(1)"}, False),
        ({"sd_g[year]": "HalfNormal(1)"}, True),  # the same at every zero
        ({"sigma": "HalfNormal(1)", "beta": "Normal(0, 1)"}, True),
    ],
)
def test_given_priors_of_a_block_hold_at_the_written_zero(priors: dict[str, str], carried: bool) -> None:
    assert carried == model("year + (year | g)", priors).priors.canonical.carried("g")


def test_sds_have_the_same_default_wherever_zero_is() -> None:
    for name in ("sd_g[Intercept]", "corr_g", "sigma"):
        assert model("year + (year | g)").priors[name] == model("x + (x | g)").priors[name]
    year, x = (model(f"{v} + ({v} | g)").priors[f"sd_g[{v}]"].keyword for v in ("year", "x"))
    assert 4.0 * np.asarray(dict(year)["sigma"]) == pytest.approx(dict(x)["sigma"])


def test_given_priors_are_literal() -> None:
    given = {
        "Intercept": "Normal(1, 2)",
        "x": "StudentT(3, 0, sigma=1)",
        "f[q]": "Normal(0, 1)",
        "f[r]": "Normal(0, 3)",
    }
    priors = model("x + f", given).priors
    assert priors.canonical.is_identity
    assert priors.canonical.location.names == ("Intercept", "x", "f[q]", "f[r]")
    assert {name.removeprefix("beta[")[:-1]: str(prior) for name, prior in priors.scalars.items()} == given


def test_a_given_prior_leaves_the_others_their_span() -> None:
    """The column with a prior of its own is as written; the default block is the span of the rest about its centre."""
    made, frame = model("x + w + f", {"w": "Normal(0.5, 0.2)"}), data()
    mean, covariance = implied(made)
    columns = np.column_stack([frame["x"], frame["f"] == "q", frame["f"] == "r"]).astype(float)
    reach = 2.5 * frame["y"].std(ddof=0)
    slopes = reach**2 * np.linalg.inv(np.cov(columns.T, ddof=0))
    at = [made.design.coefficients.index(name) for name in ("x", "f[q]", "f[r]")]
    assert_allclose(covariance[np.ix_(at, at)], slopes, rtol=1e-9)
    w = made.design.coefficients.index("w")
    assert (mean[w], covariance[w, w]) == pytest.approx((0.5, 0.04))
    assert_allclose(covariance[w, at], 0.0, atol=1e-12)
    # the intercept's default is at the centre of all columns
    centre = made.design.X.mean(axis=0)
    assert centre @ mean == pytest.approx(frame["y"].mean() + 0.0)
    assert centre @ covariance @ centre == pytest.approx(reach**2)


def test_a_given_intercept_is_literal_at_zero() -> None:
    made = model("year + f", {"Intercept": "Normal(3, 7)"})
    mean, covariance = implied(made)
    assert (mean[0], covariance[0, 0]) == pytest.approx((3.0, 49.0))
    assert_allclose(covariance[0, 1:], 0.0)
    assert not made.priors.canonical.location.centre.any()


def test_some_cell_means_given() -> None:
    """A literal prior of one cell; the others are as the joint default has them given the one's default mean."""
    made = model("0 + f", {"f[q]": "Normal(1, 0.3)"})
    mean, covariance = implied(made)
    assert (mean[1], covariance[1, 1]) == pytest.approx((1.0, 0.09))
    frame = data()
    expected = oracle(made.design.X, np.ones(N), frame["y"].mean(), 2.5 * frame["y"].std(ddof=0))
    # cell means are independent a priori, so conditioning changes nothing
    at = [0, 2]
    assert_allclose(mean[at], expected[0][at], rtol=1e-9)
    assert_allclose(covariance[np.ix_(at, at)], expected[1][np.ix_(at, at)], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("right", ["year", "0 + f + year", "1", "x + f"])
def test_a_prior_of_the_intercept_at_the_centre(right: str) -> None:
    made = model(right, {CENTRE: "Normal(2, 0.5)"})
    mean, covariance = implied(made)
    at = made.design.X.mean(axis=0)
    assert (at @ mean, at @ covariance @ at) == pytest.approx((2.0, 0.25), rel=1e-6)


def test_the_intercept_at_the_centre_may_have_any_prior() -> None:
    priors = model("year + f", {CENTRE: "StudentT(3, mu=4, sigma=2)"}).priors
    assert str(priors.scalars[f"beta[{CENTRE}]"]) == "StudentT(3, mu=4, sigma=2)"
    assert f"beta[{CENTRE}]" in priors.entries  # the prior at x = 0 has no name


def test_both_priors_of_the_intercept_are_refused() -> None:
    with pytest.raises(bg.SpecError, match="at x = 0 and one at the centre"):
        model("year", {"Intercept": "Normal(0, 1)", CENTRE: "Normal(0, 1)"})


@pytest.mark.parametrize("right", ["0 + x", "0 + year + w"])
def test_without_a_constant_nothing_is_centred(right: str) -> None:
    made, frame = model(right), data()
    canonical = made.priors.canonical
    assert not canonical.location.centre.any()
    assert canonical.location.constant is None
    mean, covariance = implied(made)
    X = made.design.X
    reach = 2.5 * np.sqrt((frame["y"] ** 2).mean())
    assert_allclose(mean, 0.0)
    assert_allclose(covariance, reach**2 * np.linalg.inv(X.T @ X / N), rtol=1e-8)
    with pytest.raises(bg.SpecError, match="no parameter 'Intercept"):
        model(right, {CENTRE: "Normal(0, 1)"})


def test_constants_in_spans() -> None:
    ones, cells = np.ones(6), np.eye(3)[[0, 1, 2, 0, 1, 2]]
    x = np.arange(6.0)
    np.testing.assert_array_equal(constant_in(np.column_stack([x, ones])), [0.0, 1.0])
    np.testing.assert_array_equal(constant_in(cells), np.ones(3))
    assert_allclose(np.asarray(constant_in(np.column_stack([2.0 * ones, x]))), [0.5, 0.0], atol=1e-12)
    assert_allclose(np.asarray(constant_in(np.column_stack([x + 3.0, x]))), [1 / 3, -1 / 3], rtol=1e-9)
    assert constant_in(cells[:, :2]) is None
    assert constant_in(x[:, None]) is None
    assert constant_in(np.empty((6, 0))) is None


def test_the_canonical_problem_is_canonical_itself() -> None:
    problem = model("year + f + (year | g)").problem.canonical
    assert problem.priors.canonical.is_identity
    assert problem.canonical.design.coefficients == problem.design.coefficients
    np.testing.assert_array_equal(problem.canonical.design.X, problem.design.X)
