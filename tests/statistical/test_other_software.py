"""Fits against other software under the same priors: agreement within the Monte Carlo error of both.

Two estimates of one number, with standard errors a and b, differ by more than 5 sqrt(a^2 + b^2) in fewer than one of a
million comparisons.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.datasets import load_dataset
from tests.statistical.draws import parameter

WITHIN = 5


@pytest.mark.slow
def test_crossed_effects_agree_with_stan_glmer(shared: Path) -> None:
    reference = json.loads((shared / "reference" / "reference.json").read_text(encoding="utf-8"))
    fits = [fit for entry in reference["salamander_mating"]["computed"] for fit in entry["fits"]]
    stan = next(fit for fit in fits if fit["method"].startswith("rstanarm::stan_glmer"))
    assert "prior coef~N(0,5), each RE sd~Exponential(1)" in stan["method"]

    data = pd.read_csv(shared / "data" / "salamander_mating.csv")
    model = bg.GLMM(
        "Mate ~ 0 + Cross + (1 | Female) + (1 | Male)",
        data,
        family="bernoulli",
        priors={"beta": "Normal(0, 5)", "sd": "Exponential(1)"},
    )
    posterior = model.fit(draws=2000, seed=1, progress=False).posterior
    theirs = {
        f"beta[Cross[{name.removeprefix('Cross')}]]": (mean, stan["se"][name])
        for name, mean in stan["coefficients"].items()
    }
    for name, mean in stan["sd_ranef"].items():
        group = name.removeprefix("Sigma[").partition(":")[0]
        theirs[f"sd_{group}[Intercept]"] = (mean, stan["sd_ranef_posterior_sd"][name])
    for name, (mean, sd) in theirs.items():
        draws = parameter(posterior, name).to_numpy()
        # stan_glmer's smallest effective sample size is the one it reports for all of its parameters
        error = np.hypot(az.mcse(draws), sd / np.sqrt(stan["neff_min"]))
        text = f"{name}: {draws.mean():.3f}, stan_glmer {mean:.3f} ± {error:.3f}, ess {az.ess(draws):.0f}"
        assert abs(draws.mean() - mean) <= WITHIN * error, text
        spread = np.hypot(az.mcse(draws, method="sd"), sd / np.sqrt(2 * stan["neff_min"]))
        assert abs(draws.std() - sd) <= WITHIN * spread, f"sd of {text}: {draws.std():.3f} against {sd:.3f}"


@pytest.mark.slow
def test_bambi_finds_the_same_posterior() -> None:
    import bambi as bmb

    data = load_dataset("seeds").astype({"seed": str, "extract": str})  # Bambi sorts levels whatever their order
    formula = "p(germinated, n) ~ seed + extract + (1 | plate)"
    model = bg.GLMM(
        formula,
        data,
        family="binomial",
        priors={"Intercept": "Normal(0, 1.5)", "beta": "Normal(0, 1)", "sd": "HalfNormal(1)"},
    )
    ours = model.fit(draws=2000, seed=1, progress=False).posterior
    theirs = bmb.Model(
        formula,
        data,
        family="binomial",
        priors={
            "Intercept": bmb.Prior("Normal", mu=0, sigma=1.5),
            "common": bmb.Prior("Normal", mu=0, sigma=1),
            "1|plate": bmb.Prior("Normal", mu=0, sigma=bmb.Prior("HalfNormal", sigma=1)),
        },
        center_predictors=False,
    ).fit(draws=2000, chains=4, cores=1, random_seed=2, progressbar=False)["posterior"]
    pairs: list[tuple[Any, Any, str]] = [
        (parameter(ours, "beta[Intercept]"), theirs["Intercept"], "Intercept"),
        (parameter(ours, "beta[seed[O75]]"), theirs["seed"].sel(seed_dim="O75"), "seed"),
        (parameter(ours, "beta[extract[cucumber]]"), theirs["extract"].sel(extract_dim="cucumber"), "extract"),
        (parameter(ours, "sd_plate[Intercept]"), theirs["1|plate_sigma"], "sd"),
    ]
    for plate in theirs["plate__factor_dim"].to_numpy():
        u = ours.draws["posterior"]["u_plate"].sel(plate=str(plate), plate_effect="Intercept")
        pairs.append((u, theirs["1|plate"].sel(plate__factor_dim=plate), f"u of plate {plate}"))
    for one, other, name in pairs:
        a, b = one.to_numpy(), other.to_numpy()
        for method, x, y in [("mean", a.mean(), b.mean()), ("sd", a.std(), b.std())]:
            error = np.hypot(az.mcse(a, method=method), az.mcse(b, method=method))
            assert abs(x - y) <= WITHIN * error, f"{method} of {name}: {x:.4f}, bambi {y:.4f} ± {error:.4f}"
