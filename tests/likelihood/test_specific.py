"""Effects that differ between thresholds: maximum likelihood written out with SciPy, and models that are the same."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, special

import bayes_glmm as bg
from bayes_glmm.likelihood import likelihood_of
from tests.inference.test_cumulative import data
from tests.inference.test_free_thresholds import EXPANDED, expanded

INVERSE: dict[str, Any] = {"logit": special.expit, "probit": special.ndtr, "cloglog": lambda x: -np.expm1(-np.exp(x))}


def shares(family: str, link: str, eta: np.ndarray) -> np.ndarray:
    """P(y = k) [row, category] of what is above each threshold, eta_k - c_k [row, threshold]."""
    up = INVERSE[link](eta) if family != "sratio" else 1.0 - INVERSE[link](-eta)
    if family == "acat":
        logits = eta if link == "logit" else special.logit(up)
        return special.softmax(np.cumsum(np.column_stack([np.zeros(len(eta)), logits]), axis=1), axis=1)
    reached = np.cumprod(np.column_stack([np.ones(len(eta)), up]), axis=1)
    return np.column_stack([reached[:, :-1] * (1.0 - up), reached[:, -1]])


def maximised(family: str, link: str, y: np.ndarray, common: np.ndarray, specific: np.ndarray) -> tuple:
    """Log likelihood, thresholds, effects [threshold, column] and common effects, by SciPy."""
    K, own, rows = int(y.max()), specific.shape[1], np.arange(len(y))

    def parts(v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return v[: K - 1], v[K - 1 : (K - 1) * (1 + own)].reshape(K - 1, own), v[(K - 1) * (1 + own) :]

    def loss(v: np.ndarray) -> float:
        c, b, beta = parts(v)
        p = shares(family, link, specific @ b.T + (common @ beta)[:, None] - c)
        return -float(np.log(p[rows, y - 1]).sum())

    start = np.concatenate([np.linspace(-0.5, 0.5, K - 1), np.zeros((K - 1) * own + common.shape[1])])
    found = optimize.minimize(loss, start, method="BFGS", options={"gtol": 1e-7})
    return -found.fun, *parts(found.x)


@cache
def wine() -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    frame = bg.datasets.wine()
    # nobody rated a cold wine 5, nor a warm one 1: effects of temp have no estimate at all of five categories
    rating = frame["rating"].astype(int).clip(2, 4) - 1
    frame = frame.assign(rating=rating)
    warm, yes = (frame[name] == level for name, level in (("temp", "warm"), ("contact", "yes")))
    return frame, rating.to_numpy(), warm.to_numpy(float)[:, None], yes.to_numpy(float)[:, None]


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
@pytest.mark.parametrize("family", ["sratio", "cratio", "acat"])
def test_wine_is_scipys_maximum_likelihood(family: str, link: str) -> None:
    frame, y, warm, yes = wine()
    fit = bg.approx.laplace(bg.GLMM("rating ~ contact + cs(temp)", frame, family, link))
    value, c, b, beta = maximised(family, link, y, yes, warm)
    assert fit.log_likelihood == pytest.approx(value, abs=1e-8)
    found = fit.coefficients_with_errors.set_index("parameter")["estimate"]
    assert_allclose(found.to_numpy(), [*c, *beta, *b[:, 0]], atol=2e-5)
    assert list(found.index[2:]) == ["contact[yes]", "temp[warm][1|2]", "temp[warm][2|3]"]
    p = shares(family, link, warm @ b.T + (yes @ beta)[:, None] - c)
    new = fit.predict(random_effects="zero").table
    for row in new.to_dict("records"):
        at = np.flatnonzero((frame["temp"] == row["temp"]) & (frame["contact"] == row["contact"]))[0]
        assert row["estimate"] == pytest.approx(p[at, int(row["category"]) - 1], abs=1e-6)


@pytest.mark.parametrize("family", EXPANDED)
def test_ratios_with_all_effects_specific_are_independent_binary_regressions(family: str) -> None:
    """The log likelihood is the sum of theirs, and the coefficients are theirs."""
    response, sign = EXPANDED[family]
    fit = bg.approx.laplace(bg.GLMM("y ~ cs(x + f)", data(), family))
    each = [
        bg.approx.laplace(bg.GLMM(f"{response} ~ x + f", rows, "bernoulli"))
        for _, rows in expanded(data()).groupby("at")
    ]
    assert fit.log_likelihood == pytest.approx(sum(one.log_likelihood for one in each), abs=1e-8)
    found = fit.coefficients_with_errors
    expected = [-sign * one.beta[0] for one in each]
    expected += [sign * value for one in each for value in one.beta[1:]]
    assert_allclose(found["estimate"], expected, atol=3e-5)
    errors = [one.standard_errors for one in each]
    assert_allclose(found["sd"], [*(one[0] for one in errors), *np.concatenate([one[1:] for one in errors])], rtol=1e-3)


def test_adjacent_categories_with_all_effects_specific_are_the_categorical_model() -> None:
    """Log odds against the first category are sums of those of neighbours."""
    one = bg.approx.laplace(bg.GLMM("y ~ cs(x + f)", data(), "acat"))
    other = bg.approx.laplace(bg.GLMM("y ~ x + f", data().assign(y=data()["y"].astype(str)), "categorical"))
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-8)
    by_category = other.beta.reshape(3, 4)  # [category against the first, coefficient]
    steps = np.diff(np.vstack([np.zeros(4), by_category]), axis=0)
    found = one.coefficients_with_errors["estimate"].to_numpy()
    assert_allclose(found[:3], -steps[:, 0], atol=5e-5)
    assert_allclose(found[3:].reshape(3, 3), steps[:, 1:], atol=5e-5)


@pytest.mark.parametrize("family", EXPANDED)
def test_with_random_effects_ratios_are_a_binary_model_of_the_expanded_rows(family: str) -> None:
    """The same integral over the effects, and under equal priors the same evidence."""
    response, sign = EXPANDED[family]
    flat = {"threshold": "Normal(0, 2)", "beta": "Normal(0, 1)", "sd": "HalfNormal(1.5)"}
    binary = {f"at[{k}]": "Normal(0, 2)" for k in (1, 2, 3)} | {"beta": "Normal(0, 1)", "sd": "HalfNormal(1.5)"}
    one = bg.GLMM("y ~ f + cs(x) + (1 | g)", data(), family, priors=flat)
    other = bg.GLMM(f"{response} ~ 0 + at + f + at:x + (1 | g)", expanded(data()), "bernoulli", priors=binary)
    for kind in ("likelihood", "posterior"):
        a, b = (
            bg.approx.laplace(model, kind) if kind == "posterior" else bg.approx.laplace(model)
            for model in (one, other)
        )
        assert a.log_likelihood == pytest.approx(b.log_likelihood, abs=1e-8)
        turned = np.concatenate([-sign * b.beta[:3], sign * b.beta[3:]])
        assert_allclose(a.coefficients_with_errors["estimate"], turned, atol=5e-5)
        assert_allclose(a.coefficients_with_errors["sd"], b.standard_errors, rtol=2e-3)
        assert a.sd("g")[0] == pytest.approx(b.sd("g")[0], abs=5e-5)


@pytest.mark.parametrize("family", ["sratio", "cratio", "acat"])
def test_with_two_categories_an_effect_is_an_ordinary_one(family: str) -> None:
    """The same evidence under default priors, the same coefficients."""
    frame = data().assign(y=(data()["y"] > 2).astype(int))
    one, other = (
        bg.approx.laplace(bg.GLMM(formula, frame, family), "posterior")
        for formula in ("y ~ cs(x) + (1 | g)", "y ~ x + (1 | g)")
    )
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-9)
    columns = ["estimate", "sd"]
    assert_allclose(
        one.coefficients_with_errors[columns], other.coefficients_with_errors[columns], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("kind", ["likelihood", "posterior"])
def test_the_answer_does_not_depend_on_origin_unit_and_coding(kind: Literal["likelihood", "posterior"]) -> None:
    """Under default priors too: thresholds have theirs at the centre of the columns of cs()."""
    frame = data()
    moved = frame.assign(x=1000.0 + 24.0 * frame["x"], f=pd.Categorical(frame["f"], ["r", "p", "q"]))
    formula, at = "y ~ cs(x + f) + (1 | g)", [{"x": 2.0, "f": "q"}, {"x": 4.0, "f": "r"}]
    fits = [bg.approx.laplace(bg.GLMM(formula, one, "sratio"), kind) for one in (frame, moved)]
    assert fits[0].log_likelihood == pytest.approx(fits[1].log_likelihood, abs=1e-7)
    rows = pd.DataFrame(at)
    other = rows.assign(x=1000.0 + 24.0 * rows["x"])
    answers = [fit.predict(new, "zero").table["estimate"] for fit, new in zip(fits, (rows, other), strict=True)]
    if kind == "likelihood":
        assert_allclose(answers[0], answers[1], atol=1e-3)  # means of simulated draws of one seed
    # thresholds at x = 0 follow those of the shifted covariate
    found = [fit.coefficients_with_errors.set_index("parameter")["estimate"] for fit in fits]
    expected = found[0]["x[1|2]"] / 24.0
    assert found[1]["x[1|2]"] == pytest.approx(expected, rel=1e-4)


def test_derivatives_in_all_predictors_are_finite_differences() -> None:
    problem = bg.GLMM("y ~ f + cs(x)", data(), "acat").problem
    likelihood = likelihood_of(problem.spec, problem.design)
    rng, n = np.random.default_rng(3), len(data())
    eta, constants = rng.normal(size=4 * n), {"threshold_step_2": 0.4, "threshold_step_3": -0.3}
    slope = likelihood.jet(eta, constants, 1).first.ravel()
    for place in rng.choice(4 * n, 12, replace=False):
        along = 1e-6 * np.eye(4 * n)[place]
        up, down = (likelihood.jet(eta + side * along, constants, 1).value.sum() for side in (1.0, -1.0))
        assert slope[place] == pytest.approx((up - down) / 2e-6, abs=1e-7)  # sums of order 100
