"""Tied thresholds and a discrimination in every coordinate: compiled posteriors are the PyMC model and the Jacobian."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pymc import draw as pymc_draw
from scipy import special, stats

import bayes_glmm as bg
from bayes_glmm.design import Problem
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.densities.fixed_inputs import fixed_density
from bayes_glmm.inference.densities.whitened_inputs import whitened_density
from bayes_glmm.inference.whitening import whitening_for
from tests.inference.jacobian import gaps, of_groups
from tests.inference.test_cumulative import PYTHON, assert_gradient, data

BOTH = ("y ~ x + (1 |i| g)", "disc ~ x + (1 |i| g)")
ONE = ("y ~ x + (1 | g)",)
DIFFERENT = {
    "threshold[1|2]": "StudentT(4, -1, sigma=2)",
    "threshold[2|3]": "Laplace(0.5, 1.5)",
    "threshold[3|4]": "Cauchy(1, 2)",
    "beta": "Normal(0, 1)",
}


def moved(canonical: Problem, density: Density, x: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A point as the PyMC model has it, by name, and its coordinates in one vector."""
    draw, design = density.expand(x), canonical.design
    distances = [float(draw[name]) for name in dict.fromkeys(design.steps)]
    base = np.concatenate([[0.0], np.cumsum(distances)]) - draw["beta"][0]
    slopes, disc = draw["beta"][1:], draw.get("beta_disc", np.zeros(0))
    values = {"threshold_base": base, "threshold": base, "b": slopes, "b_disc": disc, "beta_disc": disc}
    values |= {f"{kind}[x]": one for kind in ("b", "beta") for one in slopes}
    of_random, flat_random = of_groups(design, draw)
    return values | of_random, np.concatenate([base, slopes, disc, *flat_random])


@cache
def rows() -> pd.DataFrame:
    """Ratings of groups that differ in both, 20 rows each."""
    rng, g = np.random.default_rng(3), np.repeat(np.arange(12), 20)
    x, u = rng.normal(3.0, 1.5, len(g)).round(3), rng.normal(0.0, [[1.0], [0.5]], (2, 12))
    latent = 0.6 * (x - 3.0) + u[0, g] + rng.logistic(size=len(g)) * np.exp(u[1, g])
    return pd.DataFrame({"x": x, "g": g, "y": np.digitize(latent, [-1.5, 0.0, 1.5]) + 1})


CASES = [
    ("cumulative", "equidistant", ONE, {}),
    ("sratio", "symmetric", ONE, DIFFERENT),
    pytest.param("cumulative", "symmetric", BOTH, {}, marks=pytest.mark.slow),
    pytest.param("cumulative", "flexible", BOTH, {}, marks=pytest.mark.slow),
    ("acat", "equidistant", BOTH, DIFFERENT),
]


@pytest.mark.parametrize(("family", "pattern", "formulas", "priors"), CASES)
def test_whitened_density_is_the_plain_models_and_the_jacobian(
    family: str, pattern: str, formulas: tuple[str, ...], priors: dict[str, str]
) -> None:
    canonical = bg.GLMM(list(formulas), rows(), family, None, priors, thresholds=pattern).problem.canonical
    whitening, why = whitening_for(canonical)
    assert whitening is not None, why
    density = whitened_density(whitening)
    assert density is not None
    assert_allclose(gaps(moved, canonical, density), 0.0, atol=1e-8 * 150.0)  # of values of order 150
    assert_gradient(density)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "pattern"), [("cumulative", "equidistant"), ("acat", "symmetric")])
def test_so_is_that_without_groups(family: str, pattern: str) -> None:
    canonical = bg.GLMM(["y ~ x", "disc ~ x"], rows(), family, thresholds=pattern).problem.canonical
    density = fixed_density(canonical)
    assert density is not None
    found = gaps(moved, canonical, density)
    assert_allclose(found, found[0], atol=1e-8)  # a constant, of the linear map, is left out
    assert_gradient(density)


def assert_distributed(values: np.ndarray, grid: np.ndarray, cdf: np.ndarray) -> None:
    def interpolated(x: np.ndarray) -> np.ndarray:
        return np.interp(x, grid, cdf)

    assert stats.kstest(values, interpolated).pvalue > 1e-4


@pytest.mark.parametrize(("family", "priors"), [("cumulative", {}), ("acat", {"threshold": "Logistic(0, 1)"})])
def test_prior_draws_have_the_density_of_the_pattern(family: str, priors: dict[str, str]) -> None:
    """Default priors of the first and last threshold, or the product of given ones: summed over a grid of both."""
    model = bg.GLMM("y ~ 1", data(), family, None, priors, thresholds="equidistant")
    drawn = pymc_draw(model.pymc["threshold"], draws=2000, mode=PYTHON, random_seed=5)
    assert_allclose(np.diff(drawn, n=2, axis=1), 0.0, atol=1e-12)
    first, distance = np.linspace(-14.0, 14.0, 801), np.linspace(0.0 if family == "cumulative" else -8.0, 8.0, 601)
    c, d = np.meshgrid(first, distance, indexing="ij")
    ends = model.priors["threshold[1|2]"], model.priors["threshold[3|4]"]
    if priors:
        density = np.prod([stats.logistic.pdf(c + k * d) for k in range(3)], axis=0)
    else:
        mu, s = ([dict(one.keyword)[key] for one in ends] for key in ("mu", "s"))
        density = stats.logistic.pdf(c, mu[0], s[0]) * stats.logistic.pdf(c + 2.0 * d, mu[1], s[1])
    for axis, (grid, values) in enumerate([(first, drawn[:, 0]), (distance, drawn[:, 1] - drawn[:, 0])]):
        below = np.cumsum(density.sum(axis=1 - axis))
        assert_distributed(values, grid, below / below[-1])


@pytest.mark.parametrize("categories", [4, 6, 10])
def test_default_equidistant_thresholds_leave_each_category_its_share(categories: int) -> None:
    """Dirichlet(1, ..., 1) has shares of 1 / K with an sd of sqrt((K - 1) / (K + 1)) / K at both ends."""
    frame = pd.DataFrame({"y": np.arange(60) % categories + 1})
    model = bg.GLMM("y ~ 1", frame, "cumulative", thresholds="equidistant").pymc
    drawn = pymc_draw(model["threshold"], draws=1000, mode=PYTHON, random_seed=5)
    shares = np.diff(special.expit(drawn), axis=1, prepend=0.0, append=1.0)
    for end in (shares[:, 0], shares[:, -1]):
        assert np.median(end) == pytest.approx(stats.beta(1, categories - 1).median(), rel=0.15)
    assert shares.mean(axis=0).min() > 0.5 / categories
    assert shares.mean(axis=0).max() < 1.5 / categories


def test_prior_draws_of_symmetric_thresholds() -> None:
    """Four thresholds by importance: three logistic ones in order, weighted by the density of the fourth."""
    frame = pd.DataFrame({"y": np.arange(60) % 5 + 1})
    model = bg.GLMM("y ~ 1", frame, "cumulative", thresholds="symmetric").pymc
    drawn = pymc_draw(model["threshold"], draws=2000, mode=PYTHON, random_seed=6)
    assert (np.diff(drawn, axis=1) > 0).all()
    assert_allclose(drawn[:, 0] + drawn[:, 3], drawn[:, 1] + drawn[:, 2], atol=1e-12)
    c = np.sort(np.random.default_rng(7).logistic(size=(400_000, 3)), axis=1)
    last = c[:, 1] + c[:, 2] - c[:, 0]
    weight = stats.logistic.pdf(last)
    pairs = (drawn[:, 0], c[:, 0]), (drawn[:, 3], last), (drawn[:, 2] - drawn[:, 1], c[:, 2] - c[:, 1])
    for values, proposed in pairs:
        order = np.argsort(proposed)
        assert_distributed(values, proposed[order], np.cumsum(weight[order]) / weight.sum())
