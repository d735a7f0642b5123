"""Simulation-based calibration of families with constants: draws come from the posterior as it is written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg

LEAST = 1e-5  # p-value: of some 180 at a fixed seed, one is below by chance in about one study of 500
REPLICATIONS = 80
MEAN = {"Intercept": "Normal(0.5, 0.5)", "x": "Normal(0, 0.5)", "sd": "HalfNormal(0.5)"}
SHARE = {"zoi": "Beta(2, 4)", "coi": "Beta(2, 2)"}
CONSTANTS: dict[str, dict[str, str]] = {
    "student_t": {"sigma": "LogNormal(-0.5, 0.4)", "nu": "Gamma(4, 0.5)"},
    "gamma": {"phi": "LogNormal(0.5, 0.5)"},
    "lognormal": {"sigma": "LogNormal(-0.5, 0.4)"},
    "weibull": {"shape": "LogNormal(0.5, 0.4)"},
    "exponential": {},
    "inverse_gaussian": {"shape": "LogNormal(0.5, 0.5)"},
    "hurdle_gamma": {"phi": "LogNormal(0.5, 0.5)", "hu": "Beta(2, 4)"},
    "hurdle_lognormal": {"sigma": "LogNormal(-0.5, 0.4)", "hu": "Beta(2, 4)"},
    "beta": {"phi": "LogNormal(1.5, 0.5)"},
    "zero_one_inflated_beta": {"phi": "LogNormal(1.5, 0.5)"} | SHARE,
    "ordered_beta": {"phi": "LogNormal(1.5, 0.5)"} | SHARE,
    "negative_binomial_1": {"phi": "LogNormal(0, 0.5)"},
    "geometric": {},
    "truncated_negative_binomial": {"phi": "LogNormal(0.5, 0.5)"},
}


@pytest.mark.slow
@pytest.mark.parametrize("family", CONSTANTS)
def test_ranks_of_the_true_values_are_uniform(family: str) -> None:
    rng, n = np.random.default_rng(3), 72
    y = np.clip(rng.uniform(0.1, 0.9, n), 0.1, 0.9) if "beta" in family else 1.0 + np.arange(n) % 3
    data = pd.DataFrame({"x": rng.normal(size=n), "g": np.repeat(np.arange(12), 6), "y": y})
    model = bg.GLMM("y ~ x + (1 | g)", data, family, priors=MEAN | CONSTANTS[family])
    found = bg.simulation_based_calibration(model, REPLICATIONS, seed=4, progress=False)
    labels = {str(label) for label in found.ranks}
    assert {"beta[x]", "sd_g[Intercept]", *CONSTANTS[family]} <= labels, labels
    assert found.failures["failed"] <= 4
    assert found.uniformity()[["chi_square", "ecdf"]].to_numpy().min() > LEAST, str(found)
