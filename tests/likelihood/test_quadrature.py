"""Adaptive quadrature against brute-force integration; its gradient, node movement included, against differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, special, stats

import bayes_glmm as bg
from bayes_glmm.errors import SpecError
from bayes_glmm.likelihood import Parameters, group_integrals, laplace_log_likelihood, layout_of, likelihood_of
from bayes_glmm.likelihood.group_integrals import Integrand, group_modes
from bayes_glmm.likelihood.quadrature import aghq_log_likelihood, check_quadrature
from tests.likelihood import cases
from tests.likelihood.test_laplace import SMOOTH, differences

STRUCTURES = ["intercept", "correlated", "nested"]
ONE_FORMULA = [name for name, one in bg.FAMILIES.items() if not one.shared_formula]  # others have too many effects
BOX = 8.0  # beyond it, 1e-15 of a standard normal


def tiny() -> pd.DataFrame:
    """Two groups of two subgroups of two or three rows."""
    return pd.DataFrame(
        {
            "a": list("ppppqqqqq"),
            "b": list("ssttuuvvv"),
            "x": [0.3, -1.0, 0.7, 1.5, -0.4, 0.2, 1.1, -0.9, 0.5],
            "w": [1.2, 0.1, -0.6, 0.4, -1.3, 0.8, 0.5, 0.9, -0.2],
            "k": [0, 1, 4, 2, 0, 3, 1, 0, 6],
            "y": [1, 1, 1, 0, 0, 0, 1, 0, 1],
        }
    )


def bernoulli(y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    return np.asarray(stats.bernoulli.logpmf(y, special.expit(eta)))


def poisson(y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    return np.asarray(stats.poisson.logpmf(y, np.exp(eta)))


def brute_force(log_density: Callable[[np.ndarray], np.ndarray], dimensions: int) -> float:
    """The log of int exp(l(z)) phi(z) dz over a box, by adaptive cubature."""

    def integrand(z: np.ndarray) -> np.ndarray:
        return np.exp(log_density(z) - 0.5 * np.sum(z**2, axis=-1) - 0.5 * dimensions * np.log(2.0 * np.pi))

    edge = np.full(dimensions, BOX)
    found = integrate.cubature(integrand, -edge, edge, rtol=1e-9, atol=0.0)
    assert found.status == "converged"
    return float(np.log(found.estimate))


@pytest.mark.parametrize(
    ("response", "family", "density", "effects", "nodes"),
    [
        ("y", "bernoulli", bernoulli, "1", 50),
        ("k", "poisson", poisson, "1", 50),
        ("y", "bernoulli", bernoulli, "1 + x", 40),
        ("k", "poisson", poisson, "1 + x", 40),
        ("y", "bernoulli", bernoulli, "1 + x + w", 24),
    ],
)
def test_one_factor_against_brute_force(
    response: str, family: str, density: Callable, effects: str, nodes: int
) -> None:
    data = tiny()
    model = bg.GLMM(f"{response} ~ x + ({effects} | a)", data, family=family)
    d = len(effects.split("+"))
    L = np.array([[1.3, 0.0, 0.0], [0.4, 0.8, 0.0], [-0.3, 0.2, 0.6]])[:d, :d]
    Z = np.column_stack([np.ones(len(data)), data["x"], data["w"]])[:, :d] @ L
    fixed, y = (0.2 - 0.4 * data["x"]).to_numpy(), data[response].to_numpy()

    def of_group(rows: np.ndarray) -> float:
        return brute_force(lambda z: density(y[rows], fixed[rows] + z @ Z[rows].T).sum(axis=-1), d)

    expected = sum(of_group(np.flatnonzero(data["a"] == level)) for level in "pq")
    likelihood = likelihood_of(model.spec, model.design)
    parameters = Parameters(np.array([0.2, -0.4]), {"a": L}, {})
    assert expected == pytest.approx(aghq_log_likelihood(likelihood, parameters, nodes=nodes).value, abs=1e-8)


def test_nested_factors_against_brute_force() -> None:
    """All effects of an outer group at once, without the nesting that the quadrature uses."""
    data = tiny()
    model = bg.GLMM("y ~ x + (1 | a/b)", data, family="bernoulli")
    fixed, y = (0.2 - 0.4 * data["x"]).to_numpy(), data["y"].to_numpy()
    second = data["b"].isin(["t", "v"]).to_numpy()

    def of_group(rows: np.ndarray) -> float:
        Z = np.column_stack([np.full(len(rows), 1.1), 0.7 * ~second[rows], 0.7 * second[rows]])
        return brute_force(lambda z: bernoulli(y[rows], fixed[rows] + z @ Z.T).sum(axis=-1), 3)

    expected = sum(of_group(np.flatnonzero(data["a"] == level)) for level in "pq")
    parameters = Parameters(np.array([0.2, -0.4]), {"a": np.array([[1.1]]), "a:b": np.array([[0.7]])}, {})
    likelihood = likelihood_of(model.spec, model.design)
    assert expected == pytest.approx(aghq_log_likelihood(likelihood, parameters, nodes=40).value, abs=1e-8)


@pytest.mark.parametrize("structure", [*STRUCTURES, "none"])
@pytest.mark.parametrize("family", ONE_FORMULA)
def test_one_node_is_laplace(family: str, structure: str) -> None:
    likelihood = cases.likelihood(family, structure)
    parameters, layout = cases.parameters(likelihood), layout_of(likelihood)
    expected, found = (
        laplace_log_likelihood(likelihood, parameters),
        aghq_log_likelihood(likelihood, parameters, nodes=1),
    )
    assert expected.value == pytest.approx(found.value, rel=1e-13)
    slopes = [layout.gradient(one.gradient, parameters) for one in (expected, found)]
    assert_allclose(slopes[1], slopes[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize(
    ("family", "link", "nodes"),
    [
        *((*pair, 3) for pair in SMOOTH if pair[0] in ONE_FORMULA),
        *(("negative_binomial", "log", nodes) for nodes in (2, 8)),
    ],
)
def test_gradient_with_few_nodes_against_finite_differences(family: str, link: str, structure: str, nodes: int) -> None:
    likelihood = cases.likelihood(family, structure, link)
    parameters, layout = cases.parameters(likelihood), layout_of(likelihood)
    found = aghq_log_likelihood(likelihood, parameters, nodes=nodes)

    def value(x: np.ndarray) -> float:
        return aghq_log_likelihood(likelihood, layout.parameters(x), nodes=nodes).value

    expected = differences(value, layout.vector(parameters))
    assert_allclose(layout.gradient(found.gradient, parameters), expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_any_number_of_nodes_is_exact_for_gaussian_models(structure: str) -> None:
    likelihood = cases.likelihood("gaussian", structure)
    parameters = cases.parameters(likelihood)
    expected = laplace_log_likelihood(likelihood, parameters).value
    for nodes in (2, 7):
        assert expected == pytest.approx(aghq_log_likelihood(likelihood, parameters, nodes=nodes).value, rel=1e-13)


def test_groups_that_look_alike_count_as_often_as_they_occur() -> None:
    data = tiny()
    thrice = pd.concat([data, data.assign(a=data["a"] + "2"), data.iloc[::-1].assign(a=data["a"] + "3")])
    one, three = (bg.GLMM("y ~ x + (x | a)", frame, family="bernoulli") for frame in (data, thrice))
    of_one, of_three = likelihood_of(one.spec, one.design), likelihood_of(three.spec, three.design)
    assert (2, 2) == (len(of_one.groups.starts), len(of_three.groups.starts))
    parameters = Parameters(np.array([0.2, -0.4]), {"a": np.array([[1.3, 0.0], [0.4, 0.8]])}, {})
    layout = layout_of(of_one)
    alone, together = (aghq_log_likelihood(of, parameters, nodes=5) for of in (of_one, of_three))
    assert 3.0 * alone.value == pytest.approx(together.value, rel=1e-13)
    slopes = [layout.gradient(found.gradient, parameters) for found in (alone, together)]
    assert_allclose(slopes[1], 3.0 * slopes[0], rtol=1e-11)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_nodes_taken_a_few_at_a_time_are_the_same_nodes(structure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    likelihood = cases.likelihood("negative_binomial", structure)
    parameters, layout = cases.parameters(likelihood), layout_of(likelihood)
    expected = aghq_log_likelihood(likelihood, parameters, nodes=7)
    monkeypatch.setattr(group_integrals, "_CELLS", 500)
    found = aghq_log_likelihood(likelihood, parameters, nodes=7)
    assert expected.value == pytest.approx(found.value, rel=1e-13)
    slopes = [layout.gradient(one.gradient, parameters) for one in (expected, found)]
    assert_allclose(slopes[1], slopes[0], rtol=1e-10)


@pytest.mark.parametrize("family", ["bernoulli", "poisson", "student_t"])
def test_modes_are_found_from_far_away(family: str) -> None:
    """The search of the nested quadrature starts at other nodes' modes: Newton's full steps would overshoot."""
    likelihood = cases.likelihood(family, "intercept")
    parameters, groups = cases.parameters(likelihood), likelihood.groups
    expected = laplace_log_likelihood(likelihood, parameters).modes.z[groups.level]
    fixed = likelihood.fixed(parameters.beta)[groups.rows]
    A = likelihood.part.values(parameters.L)[groups.rows]
    start = np.linspace(-8.0, 8.0, len(groups.starts))[None, :, None]
    found = group_modes(Integrand(likelihood, fixed[None, None], A[None], parameters.auxiliary), start)
    assert_allclose(found[0, :, 0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ x + (1 | a) + (1 | x)", "crossed"),
        ("y ~ (1 | a) + (1 | a:b) + (1 | w)", "two grouping factors"),
        ("y ~ (1 + x + w + k | a)", "4 effects"),
        ("y ~ (1 + x | a) + (1 | a:b)", "one effect a level of nested factors"),
    ],
)
def test_what_quadrature_cannot_do_is_said(formula: str, message: str) -> None:
    data = tiny().assign(x=lambda table: table["x"].round())
    model = bg.GLMM(formula, data, family="bernoulli")
    with pytest.raises(SpecError, match=f"{message}.*laplace"):
        check_quadrature(likelihood_of(model.spec, model.design), 5)


@pytest.mark.parametrize("nodes", [0, -3, 1000])
def test_a_number_of_nodes_that_cannot_be(nodes: int) -> None:
    with pytest.raises(SpecError, match="1 to 200 nodes"):
        check_quadrature(cases.likelihood("poisson", "intercept"), nodes)
