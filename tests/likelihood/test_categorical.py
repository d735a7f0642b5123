"""The density of categories without an order against mpmath, its draws against their shares, two categories as one."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose
from pytensor.compile.mode import Mode
from scipy import special, stats

from bayes_glmm.errors import SpecError
from bayes_glmm.families import FAMILIES, Family, Response, family_of_key, get_link
from bayes_glmm.inference.kernels.generated import generated
from bayes_glmm.inference.kernels.loops import FORMS
from bayes_glmm.numerics.functions import NUMPY, Functions, pytensor_functions
from tests.likelihood import cases
from tests.likelihood.test_laplace import differences

PYTHON = Mode(linker="py", optimizer="fast_compile")  # a few evaluations are not worth a compiler
EVERY_COUNT = pytest.mark.parametrize("count", [2, 3, 5])
FAR = (-700.0, -40.0, -9.0, -0.3125, 0.0, 2.5625, 37.0, 700.0)
NEAR = (-9.0, -1.25, 0.0, 0.375, 3.0)


def family(count: int) -> Family:
    return family_of_key(f"categorical{count}")


def rows(count: int, values: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Every category [row] at combinations of linear predictors [row, category but the first], 80 at most."""
    grid = np.array([*itertools.product(values, repeat=count - 1)])
    if len(grid) > 80:
        grid = np.random.default_rng(1).permutation(grid)[:80]
    y = np.arange(1.0, count + 1.0)
    return np.repeat(y, len(grid)), np.tile(grid, (count, 1))


def log_density(count: int, y: np.ndarray, etas: np.ndarray, f: Functions = NUMPY) -> Any:
    names = [parameter.name for parameter in family(count).parameters]
    at = {name: (etas[:, k], get_link("logit")) for k, name in enumerate(names)}
    return family(count).log_density(Response(y), family(count).at(at, {}, f), f)


@cache
def exact(count: int, values: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Log P [row], and its slopes 1(y = k) - P(k) in each linear predictor [row, category but the first]."""
    y, etas = rows(count, values)
    found, slopes = [], []
    with mpmath.workdps(700 if max(values) > 100.0 else 50):  # e^-1400 beside 1
        for k, eta in zip(y.astype(int), etas, strict=True):
            odds = [mpmath.mpf(1), *(mpmath.exp(mpmath.mpf(one)) for one in eta)]
            total = mpmath.fsum(odds)
            found.append(float(mpmath.log(odds[k - 1] / total)))
            others = [total - odd for odd in odds]  # over the total: 1 - P without loss
            slopes.append(
                [float((others[j] if j == k - 1 else -odds[j]) / total) for j in range(1, count)]
            )  # fmt: skip
    return np.array(found), np.array(slopes)


@EVERY_COUNT
@pytest.mark.parametrize("values", [NEAR, FAR], ids=["near", "far"])
def test_log_density_is_that_of_mpmath(count: int, values: tuple[float, ...]) -> None:
    """Where P is near 1, too: its logarithm, of -1e-300, keeps its digits."""
    y, etas = rows(count, values)
    assert_allclose(log_density(count, y, etas), exact(count, values)[0], rtol=1e-12, atol=0.0)


@EVERY_COUNT
def test_probabilities_sum_to_one(count: int) -> None:
    y, etas = rows(count, NEAR)
    shares = np.exp(log_density(count, y, etas)).reshape(count, -1)
    assert_allclose(shares.sum(axis=0), 1.0, atol=1e-14)
    names = [parameter.name for parameter in family(count).parameters]
    first = etas[: shares.shape[1]]
    at = family(count).at({name: (first[:, k], get_link("logit")) for k, name in enumerate(names)}, {}, NUMPY)
    asked = [functional.value(at) for functional in family(count).by_category["category"] if functional]
    assert_allclose(asked, shares, rtol=1e-14)


@EVERY_COUNT
def test_pytensors_gradient_is_the_derivative_of_mpmath(count: int) -> None:
    """Finite out to |eta| = 700, where a sampler may step."""
    import pytensor
    import pytensor.tensor as pt

    y, etas = rows(count, FAR)
    expected, by_eta = exact(count, FAR)
    symbol = pt.dmatrix("etas")
    value = log_density(count, y, symbol, pytensor_functions())
    found, slopes = pytensor.function([symbol], [value, pt.grad(value.sum(), symbol)], mode=PYTHON)(etas)
    assert_allclose(found, expected, rtol=1e-12, atol=1e-300)
    assert_allclose(slopes, by_eta, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("count", [2, 3, pytest.param(5, marks=pytest.mark.slow)])
def test_the_compiled_kernel_is_the_density_and_its_slopes(count: int) -> None:
    links = "_".join(["logit", *(f"mu{k}_logit" for k in range(3, count + 1))])
    evaluate = FORMS["predictor"].make(kernel := generated(f"categorical{count}", links))
    y, etas = rows(count, NEAR)
    expected, by_eta = exact(count, NEAR)
    statistics = np.asarray(kernel.statistics(y, y), float)
    value, slopes, _ = evaluate(y, y, statistics, np.ascontiguousarray(etas.T).ravel(), np.ones(1))
    assert float(value) == pytest.approx(expected.sum(), rel=1e-13)
    assert_allclose(np.reshape(slopes, (count - 1, -1)).T, by_eta, rtol=1e-11, atol=1e-13)


@EVERY_COUNT
def test_draws_have_these_probabilities(count: int) -> None:
    """Chi-square over the categories at each of three points."""
    names, size = [parameter.name for parameter in family(count).parameters], 40_000
    for seed in range(3):
        eta = np.random.default_rng(seed).normal(0.0, 1.5, count - 1)
        at = family(count).at(
            {name: (np.full(size, one), get_link("logit")) for name, one in zip(names, eta, strict=True)}, {}, NUMPY
        )
        drawn = family(count).draw(np.random.default_rng(seed), Response(None), at)
        assert not family(count).response.support(drawn, None).any()
        found = np.bincount(drawn.astype(int), minlength=count + 1)[1:]
        assert stats.chisquare(found, size * special.softmax([0.0, *eta])).pvalue > 1e-4


def test_draws_broadcast_over_posterior_draws_and_stand_the_tails() -> None:
    etas = {"mu2": np.array([[700.0, -700.0, 0.0]]), "mu3": np.full((4, 1), -700.0), "mu4": np.full((4, 3), -699.0)}
    at = family(4).at({name: (eta, get_link("logit")) for name, eta in etas.items()}, {}, NUMPY)
    drawn = family(4).draw(np.random.default_rng(1), Response(None), at)
    assert drawn.shape == (4, 3)
    assert (drawn[:, 0] == 2.0).all()
    assert (drawn[:, 1] == 1.0).all()
    assert np.isin(drawn[:, 2], [1.0, 2.0]).all()


def test_two_categories_are_an_event() -> None:
    y, etas = rows(2, FAR)
    bernoulli = FAMILIES["bernoulli"]
    at = bernoulli.at({"mu": (etas[:, 0], get_link("logit"))}, {}, NUMPY)
    assert_allclose(
        log_density(2, y, etas), bernoulli.log_density(Response(y - 1.0), at, NUMPY), rtol=1e-13, atol=1e-300
    )


def test_categories_have_no_mean_and_no_variance() -> None:
    at = family(3).at({name: (np.zeros(2), get_link("logit")) for name in ("mu2", "mu3")}, {}, NUMPY)
    for ask in (family(3).variance, family(3).mean.value):
        with pytest.raises(SpecError, match=r"no mean.*part='category'"):
            ask(at)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (("a", "b", "c"), ("mub", "muc")),
        (("not.work", "full_time", "part-time"), ("mufulltime", "muparttime")),
        (("a", "ü", "1"), ("muü", "mu1")),
        (("z", "a b", "ab"), ("mu2", "mu3")),  # alike without the blank
        (("z", "/", "b"), ("mu2", "mu3")),
        (("b", "", "a"), ("mu2", "mu3")),
        (("", "b", "a"), ("mub", "mua")),
    ],
)
def test_parameters_are_called_after_their_categories(labels: tuple[str, ...], names: tuple[str, ...]) -> None:
    made = FAMILIES["categorical"].with_categories
    assert made is not None
    assert tuple(parameter.name for parameter in made(labels).parameters) == names
    assert made(labels).numbered.key == f"categorical{len(labels)}"


@pytest.mark.parametrize("structure", ["correlated", pytest.param("crossed", marks=pytest.mark.slow), "none"])
def test_the_laplace_gradient_against_finite_differences(structure: str) -> None:
    """Of four categories, each with the formula of the response."""
    from bayes_glmm.likelihood import laplace_log_likelihood, layout_of

    of = cases.likelihood("categorical", structure)
    at = cases.parameters(of)
    found = laplace_log_likelihood(of, at)
    assert found.modes.converged
    layout = layout_of(of)

    def value(x: np.ndarray) -> float:
        return laplace_log_likelihood(of, layout.parameters(x)).value

    assert_allclose(layout.gradient(found.gradient, at), differences(value, layout.vector(at)), rtol=2e-6, atol=3e-6)
