"""Families with several predictors against posteriors known without MCMC, by the tolerance of test_exact_posteriors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_glmm as bg
from bayes_glmm.glmm import Fit
from tests.statistical.draws import parameter
from tests.statistical.test_exact_posteriors import ENOUGH, MEAN_WITHIN, SD_RATIO

Averages = Callable[[Fit], Mapping[str, xr.DataArray]]
POPULATION = "integrated"


@dataclass(frozen=True)
class Known:
    """A model whose posterior is known.

    Attributes
    ----------
    formula : str or list of str
    family : str
    file : str
    priors : mapping
    names : mapping
        The reference's name of a parameter to ours.
    averages : function
        The fit to draws of the reference's averages, by its names.
    prepare : function
    draws : int
    """

    formula: str | list[str]
    family: str
    file: str
    priors: Mapping[str, str]
    names: Mapping[str, str]
    averages: Averages
    prepare: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table
    draws: int = 2_000


def _at(fit: Fit, rows: pd.DataFrame, part: str = "mean") -> list[xr.DataArray]:
    draws = fit.predict(rows, POPULATION, part=part).draws
    return [draws.isel(estimate=k) for k in range(len(rows))]


def _averages_of_sigma(fit: Fit) -> dict[str, xr.DataArray]:
    rows = pd.DataFrame({"Days": [0, 9]})
    parts = {"pa_mean": "mean", "pa_mean_sigma": "sigma"}
    found: dict[str, xr.DataArray] = {}
    for name, part in parts.items():
        found |= {f"{name}[Days={day}]": draws for day, draws in zip((0, 9), _at(fit, rows, part), strict=True)}
    return found


def _averages_of_salamanders(fit: Fit) -> dict[str, xr.DataArray]:
    rows = pd.DataFrame({"mined": ["no", "yes"]})
    no, yes = _at(fit, rows)
    zero_no, zero_yes = _at(fit, rows, "zero")
    zi_no, zi_yes = _at(fit, rows, "zi")
    return {
        "pa_mean[mined=no]": no, "pa_mean[mined=yes]": yes, "pa_mean_diff[yes-no]": yes - no,
        "pa_ratio_of_means[yes/no]": yes / no, "pa_p0[mined=no]": zero_no, "pa_p0[mined=yes]": zero_yes,
        "pa_p0_diff[yes-no]": zero_yes - zero_no, "zi[mined=no]": zi_no, "zi[mined=yes]": zi_yes,
        "zi_diff[yes-no]": zi_yes - zi_no,
    }  # fmt: skip


def _averages_of_owls(fit: Fit) -> dict[str, xr.DataArray]:
    cells = [(food, sex) for food in ("Deprived", "Satiated") for sex in ("Female", "Male")]
    rows = pd.DataFrame(cells, columns=["FoodTreatment", "SexParent"]).assign(BroodSize=1)
    found = {
        f"pa_mean_per_chick[{food},{sex}]": draws for (food, sex), draws in zip(cells, _at(fit, rows), strict=True)
    }
    compared = fit.compare("FoodTreatment", random_effects=POPULATION, estimands=("difference", "ratio"))
    found["pa_diff_rows[Satiated-Deprived]"] = compared.draws.isel(estimate=0)
    found["pa_ratio_rows[Satiated/Deprived]"] = compared.draws.isel(estimate=1)
    return found


KNOWN = {
    "sleepstudy_location_scale": Known(
        ["Speed ~ Days + (1 |i| Subject)", "sigma ~ Days + (1 |i| Subject)"],
        "gaussian",
        "sleepstudy.csv",
        {
            "Intercept": "Normal(3, 2.5)",
            "Days": "Normal(0, 1)",
            "sigma.Intercept": "Normal(-1, 2)",
            "sigma.Days": "Normal(0, 1)",
            "sd": "HalfNormal(1)",
            "sigma.sd": "HalfNormal(0.5)",
            "corr": "LKJ(2)",
        },
        {
            "Intercept": "beta[Intercept]",
            "Days": "beta[Days]",
            "sigma_Intercept": "beta_sigma[Intercept]",
            "sigma_Days": "beta_sigma[Days]",
            "sd_Subject": "sd_Subject[Intercept]",
            "sd_Subject_sigma": "sd_Subject[sigma_Intercept]",
            "corr": "corr_Subject[Intercept,sigma_Intercept]",
        },
        _averages_of_sigma,
        prepare=lambda table: table.assign(Speed=table["Reaction"] / 100),
    ),
    "salamanders_zip": Known(
        ["count ~ mined + (1 | site)", "zi ~ mined"],
        "zero_inflated_poisson",
        "salamanders_glmmTMB.csv",
        {
            "Intercept": "Normal(0, 5)",
            "beta": "Normal(0, 2.5)",
            "sd": "HalfNormal(0.5)",
            "zi.Intercept": "Normal(0, 2.5)",
            "zi.beta": "Normal(0, 2.5)",
        },
        {
            "Intercept": "beta[Intercept]",
            "mined[yes]": "beta[mined[yes]]",
            "sd_site": "sd_site[Intercept]",
            "zi_Intercept": "beta_zi[Intercept]",
            "zi_mined[yes]": "beta_zi[mined[yes]]",
        },
        _averages_of_salamanders,
    ),
    "owls_zip": Known(
        "SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1 | Nest)",
        "zero_inflated_poisson",
        "owls.csv",
        {"Intercept": "Normal(0, 5)", "beta": "Normal(0, 2.5)", "sd": "HalfNormal(0.5)", "zi": "Beta(1, 1)"},
        {
            "Intercept": "beta[Intercept]",
            "Satiated": "beta[FoodTreatment[Satiated]]",
            "Male": "beta[SexParent[Male]]",
            "Satiated:Male": "beta[FoodTreatment[Satiated]:SexParent[Male]]",
            "sd_Nest": "sd_Nest[Intercept]",
            "zi": "zi",
        },
        _averages_of_owls,
    ),
}


@pytest.fixture(scope="session")
def reference(shared: Path) -> dict:
    path = shared / "reference" / "exact_posteriors_families.json"
    if not path.is_file():
        pytest.skip(f"The exact posteriors are not there: shared/{path.relative_to(shared)}.")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_posterior_is_the_exact_one(name: str, shared: Path, reference: dict) -> None:
    known, exact = KNOWN[name], reference[name]["params"]
    data = known.prepare(pd.read_csv(shared / "data" / known.file))
    model = bg.GLMM(known.formula, data, family=known.family, priors=known.priors)
    fit = model.fit(draws=known.draws, seed=1, progress=False)
    assert fit.posterior.provenance["coordinates"] == "whitened"
    draws = {theirs: parameter(fit.posterior, ours) for theirs, ours in known.names.items()}
    draws |= known.averages(fit)
    table = pd.DataFrame(
        [
            {
                "quantity": quantity,
                "off by sd": (float(values.mean()) - exact[quantity]["mean"]) / exact[quantity]["sd"],
                "sd ratio": float(values.std(ddof=1)) / exact[quantity]["sd"],
                "ess": float(az.ess(np.asarray(values))),
            }
            for quantity, values in draws.items()
        ]
    ).set_index("quantity")
    text = f"\n{name}\n{table.round(4)}"
    assert (table["ess"] >= ENOUGH).all(), text
    assert (table["off by sd"].abs() <= MEAN_WITHIN).all(), text
    assert table["sd ratio"].between(*SD_RATIO).all(), text
