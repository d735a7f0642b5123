"""Where random effects hardly show, or cannot: no coordinates may find less there than the plain ones."""

from __future__ import annotations

from functools import cache

import arviz as az
import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.errors import SamplingError

FAMILIES = ("gaussian", "bernoulli")
LAYOUTS = {
    "no variance": (np.repeat(np.arange(30), 6), "y ~ x + (1 | g)"),
    "two rows a group": (np.repeat(np.arange(60), 2), "y ~ x + (x | g)"),
    "two groups": (np.repeat([0, 1], 30), "y ~ x + (1 | g)"),
}


def test_no_point_to_start_from_is_one_message() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.gamma(2, 1, 40), "x": 1e6 * rng.normal(size=40)})
    priors = {"x": "Normal(0, 1)"}  # wherever the slope is not 0, some mean is below 0
    model = bg.GLMM("y ~ x", data, family="gamma", link="identity", priors=priors)
    with pytest.raises(SamplingError, match="no point to start from"):
        model.fit(draws=20, tune=20, seed=1, coordinates="plain", progress=False)


@cache
def model(family: str, layout: str) -> bg.GLMM:
    """Responses that x moves and groups do not."""
    g, formula = LAYOUTS[layout]
    rng = np.random.default_rng(11)
    x = rng.normal(size=len(g))
    eta = 0.3 + 0.5 * x
    y = rng.normal(eta) if family == "gaussian" else rng.binomial(1, 1 / (1 + np.exp(-eta)))
    return bg.GLMM(formula, pd.DataFrame({"y": y, "x": x, "g": g}), family=family)


def fit(family: str, layout: str, coordinates: str) -> bg.Fit:
    return model(family, layout).fit(draws=1000, seed=5, coordinates=coordinates, progress=False)


def divergences(found: bg.Fit) -> int:
    return int(found.idata["sample_stats"]["diverging"].sum())


@pytest.mark.parametrize("layout", ["no variance", "two rows a group"])
@pytest.mark.parametrize("family", FAMILIES)
def test_hardly_any_draw_diverges_and_chains_agree(family: str, layout: str) -> None:
    found = fit(family, layout, "auto")
    assert found.posterior.provenance["coordinates"] != "plain"
    assert divergences(found) <= 8  # of 4,000
    names = ["beta", "sd_g", *(["sigma"] if family == "gaussian" else [])]
    summary = az.summary(found.idata, var_names=names, round_to="none").astype(float)
    assert (summary["r_hat"] < 1.02).all(), summary
    assert (summary["ess_bulk"] > 400).all(), summary


@pytest.mark.slow  # compiles a PyMC model for each
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_no_more_draws_diverge_than_in_plain_coordinates(family: str, layout: str) -> None:
    assert divergences(fit(family, layout, "auto")) <= divergences(fit(family, layout, "plain")) + 2
