"""Averages over random effects of a location and a discrimination: simulated levels, and a product rule of SciPy."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import special

from bayes_glmm.effects.predictions import predict
from bayes_glmm.effects.variance import variance
from bayes_glmm.families import get_link
from bayes_glmm.names import step
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec

FAMILIES = ("cumulative", "sratio", "cratio", "acat")
LINKS = ("logit", "probit", "cloglog", "cauchit")
THRESHOLDS = np.array([-1.0, 0.3, 1.6])
BETA, ZETA = 0.8, -0.4
EVERY = [(family, link) for family in FAMILIES for link in LINKS]
QUICK = [("cumulative", "logit"), ("sratio", "logit")]
PAIRS = [pytest.param(*pair, marks=[] if pair in QUICK else pytest.mark.slow) for pair in EVERY]


def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame({"y": np.tile([1, 2, 3, 4], 10), "x": rng.normal(size=40), "g": np.repeat(range(8), 5)})


NEW = pd.DataFrame({"x": [-1.0, 0.0, 2.0]})
STEPS = {step(k): size for k, size in enumerate(np.diff(THRESHOLDS), start=2)}


@cache
def at_a_point(family: str, link: str, formula: str, disc: str, G: tuple[tuple[float, ...], ...]) -> Posterior:
    spec = ModelSpec.from_formula([formula, f"disc ~ {disc}"], family, link)
    return posterior_at(spec, data(), [-THRESHOLDS[0], BETA], {"g": np.array(G)}, STEPS, further={"disc": [ZETA]})


def categories(posterior: Posterior, eta: np.ndarray, log_disc: np.ndarray) -> np.ndarray:
    """P(y = k | u) of a linear predictor without thresholds and a log discrimination [category, ...]."""
    links = {"mu": get_link(posterior.spec.link_name), "disc": get_link("log")}
    values = {"mu": (eta - THRESHOLDS[0], links["mu"]), "disc": (log_disc, links["disc"])}
    record = posterior.spec.family
    at = record.at(values, {name: np.array(size) for name, size in STEPS.items()}, NUMPY)
    return np.array([one.value(at) for one in record.by_category["category"]])  # type: ignore[union-attr]


def averaged(posterior: Posterior, part: str = "category") -> np.ndarray:
    return predict(posterior, NEW, "integrated", part=part).table["estimate"].to_numpy().reshape(3, -1)


def product_rule(posterior: Posterior, G: np.ndarray, nodes: int = 300) -> np.ndarray:
    """The average by a fine grid over (u, v) [row, category]."""
    z = np.linspace(-8.0, 8.0, nodes)
    weights = np.exp(-0.5 * (z[:, None] ** 2 + z**2))
    L = np.linalg.cholesky(G + 1e-14 * np.eye(2))
    u, v = L[0, 0] * z[:, None] + 0.0 * z, L[1, 0] * z[:, None] + L[1, 1] * z
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # disc is e^5 at the ends of the grid
        found = [categories(posterior, BETA * x + u, ZETA * x + v) for x in NEW["x"]]
    return np.array([(one * weights).sum(axis=(1, 2)) / weights.sum() for one in found])


BOTH = ((0.9, -0.3), (-0.3, 0.4))


@pytest.mark.parametrize(("family", "link"), PAIRS)
def test_average_over_both_parts_is_that_of_a_fine_grid(family: str, link: str) -> None:
    """Correlated effects, with the covariance of a level over (intercept, disc_Intercept)."""
    posterior = at_a_point(family, link, "y ~ x + (1 |i| g)", "x + (1 |i| g)", BOTH)
    assert_allclose(averaged(posterior), product_rule(posterior, np.array(BOTH)), atol=3e-6)


@pytest.mark.parametrize(("family", "link"), PAIRS)
def test_average_over_one_of_them(family: str, link: str) -> None:
    of_mu = at_a_point(family, link, "y ~ x + (1 | g)", "x", ((0.9,),))
    assert_allclose(averaged(of_mu), product_rule(of_mu, np.diag([0.9, 0.0])), atol=2e-7)
    of_disc = at_a_point(family, link, "y ~ x", "x + (1 | g)", ((0.4,),))
    assert_allclose(averaged(of_disc), product_rule(of_disc, np.diag([0.0, 0.4])), atol=3e-6)


@pytest.mark.parametrize("family", ["cumulative", *(pytest.param(one, marks=pytest.mark.slow) for one in FAMILIES[1:])])
def test_average_is_that_of_a_million_simulated_levels(family: str) -> None:
    posterior = at_a_point(family, "logit", "y ~ x + (1 |i| g)", "x + (1 |i| g)", BOTH)
    u, v = np.random.default_rng(2).multivariate_normal(np.zeros(2), BOTH, 1_000_000).T
    for x, found in zip(NEW["x"], averaged(posterior), strict=True):
        simulated = categories(posterior, BETA * x + u, ZETA * x + v)
        assert_allclose(found, simulated.mean(axis=1), atol=4.5 * simulated.std(axis=1).max() / 1e3)


@pytest.mark.parametrize("family", ["cumulative", *(pytest.param(one, marks=pytest.mark.slow) for one in FAMILIES[1:])])
def test_parts_are_sums_of_the_averaged_categories(family: str) -> None:
    posterior = at_a_point(family, "logit", "y ~ x + (1 |i| g)", "x + (1 |i| g)", BOTH)
    p = averaged(posterior)
    assert_allclose(p.sum(axis=1), 1.0, atol=1e-6)
    at_least = np.cumsum(p[:, ::-1], axis=1)[:, ::-1][:, 1:]
    assert_allclose(averaged(posterior, "at_least"), at_least, atol=1e-6)
    assert_allclose(averaged(posterior, "mean")[:, 0], p @ [1.0, 2.0, 3.0, 4.0], atol=3e-6)


def test_the_discrimination_itself_has_a_log_normal_average() -> None:
    posterior = at_a_point("cumulative", "logit", "y ~ x + (1 |i| g)", "x + (1 |i| g)", BOTH)
    assert_allclose(averaged(posterior, "disc")[:, 0], np.exp(ZETA * NEW["x"] + 0.2), rtol=1e-12)


def test_very_large_variances_have_the_average_of_a_step() -> None:
    """Sds of 300 and 2,000 of disc (c - eta) under the logit and cloglog: normal variables with the same moments."""
    for link, scale in (("logit", 6.0), ("cloglog", 7.5)):
        G = ((25.0, 0.0), (0.0, 1e-12))
        spec = ModelSpec.from_formula(["y ~ x + (1 |i| g)", "disc ~ x + (1 |i| g)"], "cumulative", link)
        point = posterior_at(spec, data(), [-THRESHOLDS[0], BETA], {"g": np.array(G)}, STEPS, further={"disc": [scale]})
        found = predict(point, pd.DataFrame({"x": [1.0]}), "integrated", part="at_least").table["estimate"]
        expected = special.ndtr((BETA - THRESHOLDS) / 5.0)
        assert_allclose(found, expected, atol=5e-4)  # the mean of a latent cloglog variable is 0.6 / e^7.5 away


def test_variation_has_no_share_and_no_odds_ratio_that_holds_for_all_rows() -> None:
    posterior = at_a_point("cumulative", "logit", "y ~ x + (1 |i| g)", "x + (1 |i| g)", BOTH)
    quantities = set(variance(posterior).table["quantity"])
    assert quantities == {"sd", "correlation", "variance", "covariance"}
