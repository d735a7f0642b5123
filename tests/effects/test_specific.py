"""Effects that differ between thresholds: answers by category, averaged over random effects, against simulation."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from bayes_glmm.effects import coefficients, compare, predict, slopes
from bayes_glmm.names import step
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects import test_categories
from tests.likelihood.test_specific import shares

FREE = ("sratio", "cratio", "acat")
THRESHOLDS, OWN = np.array([0.4, -1.1, 0.9]), np.array([[0.9, 0.2], [0.3, 0.6], [-0.5, 1.1]])
COMMON, G = 0.6, np.array([[1.4, 0.3], [0.3, 0.4]])
ROWS = pd.DataFrame({"x": [-1.0, 0.0, 1.5], "f": ["a", "b", "c"]})


@cache
def data() -> pd.DataFrame:
    frame = test_categories.data()
    return frame.assign(f=np.resize(["a", "b", "c"], len(frame)))


@cache
def posterior(family: str, link: str = "logit", disc: bool = False) -> Posterior:
    """One draw, with random slopes, and effects on disc that are correlated with them."""
    formulas = ["y ~ x + cs(f) + (x |i| g)", *(["disc ~ x + (1 |i| g)"] if disc else [])]
    covariance = np.pad(G, (0, int(disc)))
    if disc:
        covariance[2] = covariance[:, 2] = [0.2, 0.05, 0.3]
    steps = {step(k): size for k, size in enumerate(np.diff(THRESHOLDS), start=2)}
    further = {f"cs{k}": OWN[k - 1] for k in (1, 2, 3)} | ({"disc": [0.2]} if disc else {})
    spec = ModelSpec.from_formula(formulas, family, link)
    return posterior_at(spec, data(), [-THRESHOLDS[0], COMMON], {"g": covariance}, steps, further=further)


def simulated(family: str, link: str, disc: bool = False) -> np.ndarray:
    """P(y = k) in a million levels, averaged [row, category]."""
    one, rng = posterior(family, link, disc), np.random.default_rng(8)
    u = rng.multivariate_normal(np.zeros(2 + disc), one.G("g")[0], 1_000_000)
    found = []
    for f, x in zip(ROWS["f"], ROWS["x"].to_numpy(float), strict=True):
        indicator = np.array([f == level for level in ("b", "c")], float)
        eta = COMMON * x + u[:, 0] + u[:, 1] * x
        distance = eta[:, None] + OWN @ indicator - THRESHOLDS
        scale = np.exp(0.2 * x + u[:, 2:]) if disc else 1.0
        found.append(shares(family, link, np.clip(scale * distance, -500.0, 500.0)).mean(axis=0))
    return np.array(found)


@pytest.mark.parametrize(
    ("family", "link", "disc"),
    [(family, "logit", False) for family in FREE]
    + [("sratio", "probit", False), ("cratio", "logit", True), ("acat", "logit", True)],
)
def test_averages_over_levels_are_those_of_a_million(family: str, link: str, disc: bool) -> None:
    expected, one = simulated(family, link, disc), posterior(family, link, disc)
    found = {
        part: predict(one, ROWS, "integrated", part=part).table["estimate"].to_numpy().reshape(3, -1)
        for part in ("category", "at_least", "mean")
    }
    assert_allclose(found["category"], expected, atol=2e-3)  # four standard errors of the simulation
    from_top = np.cumsum(expected[:, ::-1], axis=1)[:, ::-1]
    assert_allclose(found["at_least"], from_top[:, 1:], atol=2e-3)
    assert_allclose(found["mean"][:, 0], from_top.sum(axis=1), atol=6e-3)
    assert_allclose(found["category"].sum(axis=1), 1.0, atol=1e-6 if disc else 1e-10)


@pytest.mark.parametrize("family", FREE)
def test_comparisons_and_slopes_are_differences_of_predictions(family: str) -> None:
    one = posterior(family)
    rows = ROWS.assign(f="b")
    found = compare(one, "f", ("a", "b"), newdata=rows, random_effects="integrated", estimands="difference")
    sides = [
        predict(one, rows.assign(f=level), "integrated").table["estimate"].to_numpy().reshape(3, 4).mean(axis=0)
        for level in "ab"
    ]
    assert_allclose(found.table["estimate"], sides[1] - sides[0], atol=1e-12)
    h = 1e-4
    up, down = (
        predict(one, rows.assign(x=rows["x"] + d), "integrated").table["estimate"].to_numpy().reshape(3, 4)
        for d in (h, -h)
    )
    slope = slopes(one, "x", newdata=rows, random_effects="integrated").table["estimate"]
    assert_allclose(slope, ((up - down) / (2 * h)).mean(axis=0), atol=1e-7)


def test_coefficients_are_named_after_their_thresholds() -> None:
    table = coefficients(posterior("acat")).table
    names = [f"threshold[{one}]" for one in posterior("acat").design.thresholds]
    own = [f"f[{level}][{one}]" for one in posterior("acat").design.thresholds for level in ("b", "c")]
    assert list(table["coefficient"]) == [*names, *own, "x"]
    assert_allclose(table["estimate"], [*THRESHOLDS, *OWN.ravel(), COMMON])
    assert list(coefficients(posterior("acat"), "cs2").table["coefficient"]) == ["f[b]", "f[c]"]
