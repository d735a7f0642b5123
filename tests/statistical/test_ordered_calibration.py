"""Simulation-based calibration of families with thresholds: draws come from the posterior as it is written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg

LEAST = 1e-4  # p-value: of 24 at a fixed seed, one is below by chance in about one study of 400
REPLICATIONS = 200


@pytest.mark.slow
def test_ranks_are_uniform_with_a_discrimination_and_equidistant_thresholds() -> None:
    """With the default prior of the thresholds, which are drawn by rejection."""
    rng, n = np.random.default_rng(5), 80
    data = pd.DataFrame({"x": rng.normal(size=n), "g": np.repeat(np.arange(10), 8), "y": np.arange(n) % 4 + 1})
    priors = {"x": "Normal(0, 0.7)", "disc.x": "Normal(0, 0.4)", "sd": "HalfNormal(0.7)"}
    model = bg.GLMM(["y ~ x + (1 | g)", "disc ~ x"], data, "cumulative", None, priors, thresholds="equidistant")
    found = bg.simulation_based_calibration(model, REPLICATIONS, seed=6, progress=False, coordinates="whitened")
    labels = [str(label) for label in found.ranks]
    assert {"threshold[1|2]", "threshold_distance", "beta[x]", "beta_disc[x]", "sd_g[Intercept]"} <= set(labels), labels
    assert found.failures["failed"] <= 6
    assert found.uniformity()[["chi_square", "ecdf"]].to_numpy().min() > LEAST, str(found)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "link"), [("sratio", "logit"), ("cratio", "cloglog"), ("acat", "logit")])
def test_ranks_of_the_true_values_are_uniform(family: str, link: str) -> None:
    rng, n = np.random.default_rng(3), 60
    data = pd.DataFrame({"x": rng.normal(size=n), "g": np.repeat(np.arange(10), 6), "y": np.arange(n) % 4 + 1})
    priors = {"threshold": "Normal(0, 1)", "x": "Normal(0, 0.7)", "sd": "HalfNormal(0.7)"}
    model = bg.GLMM("y ~ x + (1 | g)", data, family, link, priors)
    found = bg.simulation_based_calibration(model, REPLICATIONS, seed=4, progress=False, coordinates="whitened")
    labels = [str(label) for label in found.ranks]
    assert {"threshold[1|2]", "threshold[3|4]", "beta[x]", "sd_g[Intercept]"} <= set(labels), labels
    assert found.failures["failed"] <= 6
    assert found.uniformity()[["chi_square", "ecdf"]].to_numpy().min() > LEAST, str(found)
