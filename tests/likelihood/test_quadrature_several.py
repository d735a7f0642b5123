"""Adaptive quadrature of models with several predictors, against brute-force integration of SciPy's densities."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import special, stats

import bayes_glmm as bg
from bayes_glmm.errors import SpecError
from bayes_glmm.likelihood import Parameters, laplace_log_likelihood, layout_of, likelihood_of
from bayes_glmm.likelihood.quadrature import aghq_log_likelihood, check_quadrature
from tests.likelihood import cases
from tests.likelihood.test_laplace import differences
from tests.likelihood.test_quadrature import brute_force, tiny
from tests.likelihood.test_stacked import CASES, made, parameters

ONE_FACTOR = [
    name
    for name, (formulas, *_) in CASES.items()
    if " h)" not in " ".join(formulas) and "|" in " ".join(formulas) and name != "sigma, slopes of both"
]
NESTED = {
    "zi": (["count ~ x + (1 | k / h)", "zi ~ w"], "zero_inflated_poisson", None),
    "inner in mu, outer in zi": (["count ~ x + (1 | k:h)", "zi ~ w + (1 | k)"], "zero_inflated_poisson", None),
    "inner in sigma, outer in mu": (["real ~ x + (1 | k)", "sigma ~ w + (1 | k:h)"], "gaussian", None),
    "beside a constant": (["count ~ x + (1 | k / h)", "zi ~ w"], "zero_inflated_negative_binomial", None),
}
EVERY = {**{name: CASES[name] for name in ONE_FACTOR}, **NESTED}


def zero_inflated(y: np.ndarray, eta: Sequence[np.ndarray]) -> np.ndarray:
    zi = special.expit(eta[1])
    with np.errstate(all="ignore"):  # a count at the edge of the box may have no density
        return np.log(zi * (y == 0) + (1.0 - zi) * stats.poisson.pmf(y, np.exp(eta[0])))


def gaussian(y: np.ndarray, eta: Sequence[np.ndarray]) -> np.ndarray:
    return np.asarray(stats.norm.logpdf(y, eta[0], np.exp(eta[1])))


def ordered(y: np.ndarray, eta: Sequence[np.ndarray]) -> np.ndarray:
    """Of three categories, the thresholds 0 and 0.8 times exp(eta[1]), the first in eta[0] as an intercept."""
    disc = np.exp(eta[1])
    upper = special.expit(disc * (np.array([0.0, 0.8, np.inf])[y.astype(int) - 1] - eta[0]))
    lower = special.expit(disc * (np.array([-np.inf, 0.0, 0.8])[y.astype(int) - 1] - eta[0]))
    return np.asarray(np.log(upper - lower))


def unordered(y: np.ndarray, eta: Sequence[np.ndarray]) -> np.ndarray:
    every = np.stack(np.broadcast_arrays(np.zeros_like(eta[0]), *eta), axis=-1)
    chosen = np.broadcast_to(y.astype(int)[:, None] - 1, (*every.shape[:-1], 1))
    return np.take_along_axis(every, chosen, axis=-1)[..., 0] - special.logsumexp(every, axis=-1)


BETA = {
    "location": np.array([0.2, -0.4]),
    "further": np.array([-0.3, 0.5]),
}
ONE, TWO = np.array([[0.9]]), np.array([[0.9, 0.0], [0.4, 0.7]])


@pytest.mark.parametrize(
    ("formulas", "family", "density", "L", "predictors", "auxiliary"),
    [
        (["k ~ x + (1 | a)", "zi ~ w"], "zero_inflated_poisson", zero_inflated, ONE, (0,), {}),
        (["k ~ x", "zi ~ w + (1 | a)"], "zero_inflated_poisson", zero_inflated, ONE, (1,), {}),
        (["k ~ x + (1 |i| a)", "zi ~ w + (1 |i| a)"], "zero_inflated_poisson", zero_inflated, TWO, (0, 1), {}),
        (["x ~ x2 + (1 | a)", "sigma ~ w"], "gaussian", gaussian, ONE, (0,), {}),
        (["x ~ x2 + (1 |i| a)", "sigma ~ w + (1 |i| a)"], "gaussian", gaussian, TWO, (0, 1), {}),
        (["c ~ x + (1 | a)", "disc ~ 0 + w"], "cumulative", ordered, ONE, (0,), {"step[2]": 0.8}),
        ("u ~ x + (1 |i| a)", "categorical", unordered, TWO, (0, 1), {}),
    ],
)
def test_one_factor_against_brute_force(
    formulas: str | list[str],
    family: str,
    density: Callable[[np.ndarray, Sequence[np.ndarray]], np.ndarray],
    L: np.ndarray,
    predictors: tuple[int, ...],
    auxiliary: dict[str, float],
) -> None:
    data = tiny().assign(x2=lambda d: -d["w"] + 0.3, c=lambda d: 1 + d["k"] % 3, u=lambda d: 1 + d["k"] % 3)
    model = bg.GLMM(formulas, data, family=family)
    of = likelihood_of(model.spec, model.design)
    location, further = BETA["location"], BETA["further"]
    if "disc" in of.spec.predicted:
        further = further[1:]
    fixed = [one.X @ b for one, b in zip(model.design.predictors.fixed, (location, further), strict=True)]

    def of_group(rows: np.ndarray) -> float:
        def log_density(z: np.ndarray) -> np.ndarray:
            eta = [f[rows] + 0.0 * z[..., :1] for f in fixed]
            for line, k in zip(L, predictors, strict=True):
                eta[k] = eta[k] + (z @ line)[..., None]
            return density(model.design.y[rows], eta).sum(axis=-1)

        return brute_force(log_density, len(L))

    expected = sum(of_group(np.flatnonzero(data["a"] == level)) for level in "pq")
    at = Parameters(
        np.concatenate([location, further]), {"a": L}, {name: auxiliary.get(name, 0.8) for name in of.spec.auxiliary}
    )
    one, some, many = (abs(aghq_log_likelihood(of, at, nodes=nodes).value - expected) for nodes in (1, 15, 100))
    assert many < 1e-8
    assert some < max(0.01 * one, 1e-8)


def test_nested_factors_against_brute_force() -> None:
    """The inner factor in the mean, the outer in the zeros: all effects of an outer group at once."""
    data = tiny()
    model = bg.GLMM(["k ~ x + (1 | a:b)", "zi ~ w + (1 | a)"], data, family="zero_inflated_poisson")
    of = likelihood_of(model.spec, model.design)
    mu, zi = (one.X @ b for one, b in zip(model.design.predictors.fixed, BETA.values(), strict=True))
    second, y = data["b"].isin(["t", "v"]).to_numpy(), model.design.y

    def of_group(rows: np.ndarray) -> float:
        def log_density(z: np.ndarray) -> np.ndarray:
            eta = mu[rows] + 0.7 * np.where(second[rows], z[..., [2]], z[..., [1]]), zi[rows] + 1.1 * z[..., :1]
            return zero_inflated(y[rows], eta).sum(axis=-1)

        return brute_force(log_density, 3)

    expected = sum(of_group(np.flatnonzero(data["a"] == level)) for level in "pq")
    at = Parameters(np.concatenate([*BETA.values()]), {"a": np.array([[1.1]]), "a:b": np.array([[0.7]])}, {})
    assert expected == pytest.approx(aghq_log_likelihood(of, at, nodes=40).value, abs=1e-8)


@pytest.mark.parametrize("name", EVERY)
def test_one_node_is_laplace(name: str) -> None:
    of = made(*EVERY[name])
    check_quadrature(of, 1)
    at, layout = parameters(of), layout_of(of)
    expected, found = laplace_log_likelihood(of, at), aghq_log_likelihood(of, at, nodes=1)
    assert expected.value == pytest.approx(found.value, rel=1e-13)
    slopes = [layout.gradient(one.gradient, at) for one in (expected, found)]
    assert_allclose(slopes[1], slopes[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", EVERY)
def test_gradient_with_few_nodes_against_finite_differences(name: str) -> None:
    of = made(*EVERY[name])
    at, layout = parameters(of), layout_of(of)

    def value(x: np.ndarray) -> float:
        return aghq_log_likelihood(of, layout.parameters(x), nodes=3).value

    found = layout.gradient(aghq_log_likelihood(of, at, nodes=3).gradient, at)
    assert_allclose(found, differences(value, layout.vector(at)), rtol=2e-6, atol=3e-6)


def test_a_predictor_without_a_column_is_the_model_with_a_constant() -> None:
    several, one = made(["real ~ x + (x | g)", "sigma ~ 1"], "gaussian"), cases.likelihood("gaussian", "correlated")
    at = cases.parameters(one)
    found = aghq_log_likelihood(
        several, Parameters(np.append(at.beta, np.log(at.auxiliary["sigma"])), at.L, {}), nodes=5
    )
    assert_allclose(found.value, aghq_log_likelihood(one, at, nodes=5).value, rtol=1e-12)


def test_groups_with_other_rows_of_a_further_predictor_do_not_look_alike() -> None:
    """Two groups with the same responses, whose columns of zi differ."""
    data = tiny().iloc[:4]
    both = data.assign(a="other", w=lambda d: -d["w"])
    model = bg.GLMM(["k ~ x + (1 | a)", "zi ~ w"], pd.concat([data, both]), family="zero_inflated_poisson")
    of = likelihood_of(model.spec, model.design)
    assert len(of.groups.starts) == 2


@pytest.mark.parametrize(
    ("formulas", "message"),
    [
        (["count ~ x + (1 | g)", "zi ~ w + (1 | h)"], "crossed"),
        (["count ~ (x |i| g)", "zi ~ (x |i| g)"], "4 effects"),
    ],
)
def test_what_quadrature_cannot_do_is_said(formulas: list[str], message: str) -> None:
    with pytest.raises(SpecError, match=f"{message}.*laplace"):
        check_quadrature(made(formulas, "zero_inflated_poisson"), 5)


def test_parts_of_a_hurdle_without_shared_effects_are_two_models() -> None:
    """Counts above zero by a truncated Poisson with effects, zeros by a logistic regression: each fitted alone."""
    data = cases.data().assign(w=lambda d: np.sin(d["x"] * 3.0), zero=lambda d: (d["count"] == 0).astype(int))
    together = bg.approx.aghq(bg.GLMM(["count ~ x + (1 | g)", "hu ~ w"], data, "hurdle_poisson"), nodes=15)
    positive = bg.approx.aghq(bg.GLMM("count ~ x + (1 | g)", data[data["count"] > 0], "truncated_poisson"), nodes=15)
    zeros = bg.approx.aghq(bg.GLMM("zero ~ w", data, "bernoulli"))
    assert together.converged
    assert positive.log_likelihood + zeros.log_likelihood == pytest.approx(together.log_likelihood, abs=1e-7)
    assert_allclose(together.beta, np.concatenate([positive.beta, zeros.beta]), atol=1e-4)
    assert_allclose(together.sd("g"), positive.sd("g"), atol=1e-4)
