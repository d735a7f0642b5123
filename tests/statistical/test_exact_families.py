"""Families with several parameters against posteriors known without MCMC, by the tolerance of test_exact_posteriors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    link : str, optional
    """

    formula: str | list[str]
    family: str
    file: str
    priors: Mapping[str, str]
    names: Mapping[str, str]
    averages: Averages
    prepare: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table
    draws: int = 2_000
    link: str | None = None


def _at(fit: Fit, rows: pd.DataFrame, part: str = "mean", categories: int = 1) -> list[xr.DataArray]:
    draws = fit.predict(rows, POPULATION, part=part).draws
    return [draws.isel(estimate=k) for k in range(categories * len(rows))]


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


def _averages_of_wine(fit: Fit) -> dict[str, xr.DataArray]:
    cells = [(temp, contact) for temp in ("cold", "warm") for contact in ("no", "yes")]
    rows = pd.DataFrame(cells, columns=["temp", "contact"])
    shares, means = _at(fit, rows, "category", 5), _at(fit, rows)
    p = {(*cell, k + 1): shares[5 * row + k] for row, cell in enumerate(cells) for k in range(5)}
    found = {f"pa_p[rating={k}|{temp},{contact}]": draws for (temp, contact, k), draws in p.items()}
    found |= {f"pa_mean_rating[{temp},{contact}]": means[row] for row, (temp, contact) in enumerate(cells)}
    how: dict[str, Any] = {"newdata": rows, "random_effects": POPULATION, "estimands": "difference"}
    equally = fit.compare("temp", **how).draws
    how["newdata"] = rows.iloc[[0]]
    without, at_least = (fit.compare("temp", part=part, **how).draws for part in ("category", "at_least"))
    for k in range(5):
        found[f"pa_diff_p[rating={k + 1}|warm-cold,contact=no]"] = without.isel(estimate=k)
        found[f"pa_diff_p[rating={k + 1}|warm-cold,contact averaged equally]"] = equally.isel(estimate=k)
    found["pa_diff_p[rating>=4|warm-cold,contact=no]"] = at_least.isel(estimate=2)
    return found


def _averages_of_categories(fit: Fit) -> dict[str, xr.DataArray]:
    rows = pd.DataFrame({"x": [0.0, 1.0]})
    shares = _at(fit, rows, "category", 3)
    found = {f"pa_p[{label}|x={x}]": shares[3 * x + k] for x in (0, 1) for k, label in enumerate("abc")}
    compared = fit.compare(
        "x", contrast=(0.0, 1.0), newdata=rows.iloc[:1], random_effects=POPULATION, estimands="difference"
    )
    return found | {f"pa_diff_p[{label}|x=1 - x=0]": compared.draws.isel(estimate=k) for k, label in enumerate("abc")}


def _wine(link: str) -> Known:
    names = {f"threshold[{k}]": f"threshold[{k}|{k + 1}]" for k in range(1, 5)}
    names |= {name: f"beta[{name}]" for name in ("temp[warm]", "contact[yes]")}
    return Known(
        "rating ~ temp + contact + (1 | judge)",
        "cumulative",
        "wine.csv",
        {"threshold": "Normal(0, 5)", "beta": "Normal(0, 2.5)", "sd": "HalfNormal(2.5)"},
        names | {"sd_judge": "sd_judge[Intercept]"},
        _averages_of_wine,
        draws=4_000,
        link=link,
    )


def _averages_of_reaction_times(fit: Fit) -> dict[str, xr.DataArray]:
    rows = pd.DataFrame({"Days": [0, 9]})
    found: dict[str, xr.DataArray] = {}
    medians = fit.predict(rows, "zero", part="median").draws  # over subjects and rows
    for k, (day, mean) in enumerate(zip((0, 9), _at(fit, rows), strict=True)):
        found |= {f"pa_mean[Days={day}]": mean, f"pa_median[Days={day}]": medians.isel(estimate=k)}
    return found | {"pa_mean_diff[9-0]": found["pa_mean[Days=9]"] - found["pa_mean[Days=0]"]}


KNOWN = {
    "wine_cumulative_logit": _wine("logit"),
    "wine_cumulative_probit": _wine("probit"),
    "categorical_sim": Known(
        "y ~ x + (1 | group)",
        "categorical",
        "categorical_sim.csv",
        {"Intercept": "Normal(0, 5)", "beta": "Normal(0, 2.5)", "sd": "HalfNormal(2.5)"},
        {f"mu{k}_{name}": f"beta_mu{k}[{name}]" for k in "bc" for name in ("Intercept", "x")}
        | {f"sd_group_mu{k}": f"sd_group[mu{k}_Intercept]" for k in "bc"},
        _averages_of_categories,
        draws=4_000,
    ),
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
    "sleepstudy_lognormal": Known(
        "Reaction ~ Days + (1 | Subject)",
        "lognormal",
        "sleepstudy.csv",
        {"Intercept": "Normal(5, 2.5)", "Days": "Normal(0, 1)", "sd": "HalfNormal(0.5)", "sigma": "HalfNormal(0.5)"},
        {
            "Intercept": "beta[Intercept]",
            "Days": "beta[Days]",
            "sd_Subject": "sd_Subject[Intercept]",
            "sigma": "sigma",
        },
        _averages_of_reaction_times,
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
    assert_exact(KNOWN[name], reference[name]["params"], shared, "auto")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wine_cumulative_logit", "wine_cumulative_probit", "categorical_sim"])
def test_so_it_is_in_plain_coordinates(name: str, shared: Path, reference: dict) -> None:
    assert_exact(KNOWN[name], reference[name]["params"], shared, "plain")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wine_cumulative_logit", "wine_cumulative_probit"])
def test_so_it_is_with_the_effects_integrated_out(name: str, shared: Path, reference: dict) -> None:
    assert_exact(KNOWN[name], reference[name]["params"], shared, "integrated")


def assert_exact(known: Known, exact: Mapping[str, Any], shared: Path, coordinates: str) -> None:
    """The draws of a model have the means and sds of its exact posterior, and of its averages."""
    data = known.prepare(pd.read_csv(shared / "data" / known.file))
    model = bg.GLMM(known.formula, data, known.family, known.link, known.priors)
    fit = model.fit(draws=known.draws, seed=1, coordinates=coordinates, progress=False)
    assert fit.posterior.provenance["coordinates"] == {"auto": "whitened"}.get(coordinates, coordinates)
    draws = {theirs: parameter(fit.posterior, ours) for theirs, ours in known.names.items()}
    draws |= known.averages(fit)
    if model.design.categories:
        assert set(draws) == set(exact)
    table = pd.DataFrame(
        [
            {
                "quantity": quantity,
                "off by sd": (float(values.mean()) - exact[quantity]["mean"]) / exact[quantity]["sd"],
                "sd ratio": float(values.std(ddof=1)) / exact[quantity]["sd"],
                "ess": float(az.ess(np.asarray(values))),
                "skewed": quantity.startswith("pa_p[") and exact[quantity]["sd"] > exact[quantity]["mean"],
            }
            for quantity, values in draws.items()
        ]
    ).set_index("quantity")
    text = f"\n{known.formula}, {known.family}, {coordinates}\n{table.round(4).to_string()}"
    assert (table["ess"] >= ENOUGH).all(), text
    assert (table["off by sd"].abs() <= MEAN_WITHIN).all(), text
    assert table.loc[~table["skewed"], "sd ratio"].between(*SD_RATIO).all(), text
    for quantity in table.index[table["skewed"]]:  # tiny probabilities: a few draws decide their sd
        assert_quantiles(np.asarray(draws[quantity]), exact[quantity])


def assert_quantiles(values: np.ndarray, exact: Mapping[str, float]) -> None:
    """The shares of draws below the exact quantiles, within four standard errors."""
    for level in (0.025, 0.25, 0.5, 0.75, 0.975):
        below = values <= exact[f"q{100 * level:g}"]
        error = np.sqrt(level * (1.0 - level) / float(az.ess(below.astype(float))))
        assert abs(below.mean() - level) < 4.0 * error
