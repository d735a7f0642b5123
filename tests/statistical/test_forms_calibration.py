"""Simulation-based calibration of effects with one correlation: draws come from the posterior as it is written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg

LEAST = 1e-4  # p-value: of 10 at a fixed seed, one is below by chance in about one study of 1,000
REPLICATIONS = 150


@pytest.mark.slow
@pytest.mark.parametrize("term", ["ar1(0 + C(t) | g)", "cs(0 + C(t) | g)"])
def test_ranks_of_the_true_values_are_uniform(term: str) -> None:
    rng, n = np.random.default_rng(3), 60
    data = pd.DataFrame({"x": rng.normal(size=n), "g": np.repeat(np.arange(20), 3), "t": np.tile([1, 2, 3], 20)})
    priors = {"Intercept": "Normal(0.5, 0.7)", "x": "Normal(0, 0.7)", "sd": "HalfNormal(0.7)"}
    model = bg.GLMM(f"y ~ x + {term}", data.assign(y=np.arange(n) % 4), "poisson", priors=priors)
    found = bg.simulation_based_calibration(model, REPLICATIONS, seed=4, progress=False, coordinates="whitened")
    labels = [str(label) for label in found.ranks]
    assert {"corr_g[C(t)[2], C(t)[1]]", "sd_g[C(t)[1]]"} <= set(labels), labels
    assert found.failures["failed"] <= 6
    assert found.uniformity()[["chi_square", "ecdf"]].to_numpy().min() > LEAST, str(found)
