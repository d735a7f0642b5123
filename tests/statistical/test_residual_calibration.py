"""Simulation-based calibration of correlated residuals, and posteriors known without MCMC."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from tests.statistical.test_exact_families import Known, assert_exact
from tests.statistical.test_exact_families import reference as reference

LEAST = 1e-4  # p-value: of 20 at a fixed seed, one is below by chance in about one study of 500
REPLICATIONS = 150
PRIORS = {"Intercept": "Normal(0.5, 0.7)", "x": "Normal(0, 0.7)", "sigma": "HalfNormal(1)", "sd": "HalfNormal(0.7)"}
MMRM = ["y ~ x + unstr(t, gr = g)", "sigma ~ 0 + C(t)"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("formula", "label"),
    [
        (["y ~ x + ar(t, gr = g)"], "rho"),
        (["y ~ x + ar(t, gr = g) + (1 | g)"], "rho"),
        (["y ~ x + cosy(gr = g)"], "cosy"),
        (MMRM, "cor_residual[5, 2]"),
    ],
)
def test_ranks_of_the_true_values_are_uniform(formula: list[str], label: str) -> None:
    rng, n = np.random.default_rng(3), 60
    data = pd.DataFrame({"x": rng.normal(size=n), "g": np.repeat(np.arange(20), 3), "t": np.tile([1, 2, 5], 20)})
    priors = {key: prior for key, prior in PRIORS.items() if key != "sd" or "(1 | g)" in formula[0]}
    if formula == MMRM:
        priors = {**priors, "sigma.beta": "Normal(0, 0.5)"}
        del priors["sigma"]
    model = bg.GLMM(formula, data.assign(y=rng.normal(size=n)).drop([4, 8, 9, 31]), priors=priors)
    found = bg.simulation_based_calibration(model, REPLICATIONS, seed=4, progress=False, coordinates="whitened")
    assert label in [str(one) for one in found.ranks]
    assert found.failures["failed"] <= 6
    assert found.uniformity()[["chi_square", "ecdf"]].to_numpy().min() > LEAST, str(found)


SLEEP = {"Intercept": "Normal(3, 2.5)", "Days": "Normal(0, 1)", "sigma": "HalfNormal(1)"}
NAMES = {"Intercept": "beta[Intercept]", "Days": "beta[Days]", "sigma": "sigma"}


def _known(term: str, priors: dict[str, str], names: dict[str, str], draws: int = 2_000) -> Known:
    return Known(
        f"Speed ~ Days + {term}",
        "gaussian",
        "sleepstudy.csv",
        SLEEP | priors,
        NAMES | names,
        averages=lambda fit: {},
        prepare=lambda table: table.assign(Speed=table["Reaction"] / 100),
        draws=draws,
    )


KNOWN = {
    ("sleepstudy_ar1", "no_random_intercept_marginal_sigma"): _known(
        "ar(Days, gr = Subject)", {"rho": "Uniform(-1, 1)"}, {"rho": "rho"}
    ),
    ("sleepstudy_ar1", "marginal_sigma"): _known(
        "ar(Days, gr = Subject) + (1 | Subject)",
        {"rho": "LKJ(1)", "sd": "HalfNormal(1)"},
        {"rho": "rho", "sd_Subject": "sd_Subject[Intercept]"},
        draws=4_000,
    ),
    ("sleepstudy_compound_symmetry", ""): _known("cosy(gr = Subject)", {"cosy": "Uniform(0, 1)"}, {"rho": "cosy"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("coordinates", ["auto", "plain"])
@pytest.mark.parametrize("key", KNOWN, ids=lambda key: "-".join(key))
def test_posterior_is_the_exact_one(key: tuple[str, str], coordinates: str, shared: Path, reference: dict) -> None:
    name, fit = key
    found = reference[name]["fits"][fit] if fit else reference[name]
    assert_exact(KNOWN[key], found["params"], shared, coordinates)
