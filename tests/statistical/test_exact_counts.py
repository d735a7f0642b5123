"""Counts, proportions and censored times against posteriors known without MCMC."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
from scipy.special import gammaln

from bayes_glmm.glmm import Fit
from tests.statistical.draws import parameter
from tests.statistical.test_exact_families import POPULATION, Known, assert_exact, reference

__all__ = ["reference"]  # the fixture


def _averages_of_salamanders(fit: Fit) -> dict[str, xr.DataArray]:
    rows = pd.DataFrame({"mined": ["no", "yes"]})
    no, yes = _at(fit, rows)
    zero_no, zero_yes = _at(fit, rows, "zero")
    return {
        "pa_mean[mined=no]": no, "pa_mean[mined=yes]": yes, "pa_mean_diff[yes-no]": yes - no,
        "pa_ratio_of_means[yes/no]": yes / no, "pa_p0[mined=no]": zero_no, "pa_p0[mined=yes]": zero_yes,
        "pa_p0_diff[yes-no]": zero_yes - zero_no,
    }  # fmt: skip


def _averages_of_seeds(fit: Fit) -> dict[str, xr.DataArray]:
    cells = [(x1, x2) for x1 in (0, 1) for x2 in (0, 1)]
    p = dict(zip(cells, _at(fit, pd.DataFrame(cells, columns=["x1", "x2"])), strict=True))
    found = {f"pa_p[x1={x1},x2={x2}]": draws for (x1, x2), draws in p.items()}
    return found | {f"pa_RD[x1={x1}: x2=1-x2=0]": p[x1, 1] - p[x1, 0] for x1 in (0, 1)}


def _averages_of_cattle(fit: Fit) -> dict[str, xr.DataArray]:
    p = _at(fit, pd.DataFrame({"period": list("1234")}))
    return {f"pa_p[period{k + 1}]": p[k] for k in range(4)} | {"pa_RD[period4-period1]": p[3] - p[0]}


def _averages_of_hazards(fit: Fit) -> dict[str, xr.DataArray]:
    intercept, rx, shape = (parameter(fit.posterior, name) for name in ("beta[Intercept]", "beta[rx]", "shape"))
    return {"log_hazard_ratio[rx]": -shape * rx, "Intercept_log_scale": intercept - gammaln(1 + 1 / shape)}


def _at(fit: Fit, rows: pd.DataFrame, part: str = "mean") -> list[xr.DataArray]:
    draws = fit.predict(rows, POPULATION, part=part).draws
    return [draws.isel(estimate=k) for k in range(len(rows))]


_NORMAL = {"Intercept": "Normal(0, 5)", "beta": "Normal(0, 2.5)"}
_SEEDS = {"Intercept": "beta[Intercept]", "x1": "beta[x1]", "x2": "beta[x2]", "x1:x2": "beta[x1:x2]", "phi": "phi"}
KNOWN = {
    "salamanders_nb2": Known(
        "count ~ mined + (1 | site)",
        "negative_binomial",
        "salamanders_glmmTMB.csv",
        _NORMAL | {"sd": "HalfNormal(0.5)", "phi": "Exponential(0.5)"},
        {
            "Intercept": "beta[Intercept]",
            "mined[yes]": "beta[mined[yes]]",
            "sd_site": "sd_site[Intercept]",
            "shape": "phi",
        },
        _averages_of_salamanders,
    ),
    "seeds_betabinomial/no_random_effect": Known(
        "p(r, n) ~ x1 * x2",
        "beta_binomial",
        "seeds.csv",
        _NORMAL | {"phi": "Exponential(0.02)"},
        _SEEDS,
        _averages_of_seeds,
    ),
    "seeds_betabinomial/plate_intercept": Known(
        "p(r, n) ~ x1 * x2 + (1 | plate)",
        "beta_binomial",
        "seeds.csv",
        _NORMAL | {"phi": "Exponential(0.02)", "sd": "HalfNormal(1)"},
        _SEEDS | {"sd_plate": "sd_plate[Intercept]"},
        _averages_of_seeds,
        draws=4_000,
    ),
    "cbpp_betabinomial": Known(
        "p(incidence, size) ~ period + (1 | herd)",
        "beta_binomial",
        "cbpp.csv",
        _NORMAL | {"phi": "Exponential(0.02)", "sd": "HalfNormal(2.5)"},
        {"Intercept": "beta[Intercept]", "phi": "phi", "sd_herd": "sd_herd[Intercept]"}
        | {f"period{k}": f"beta[period[{k}]]" for k in (2, 3, 4)},
        _averages_of_cattle,
        prepare=lambda table: table.assign(period=table["period"].astype(str)),
        draws=4_000,
    ),
    "weibull_frailty_sim/mean": Known(
        "time | cens(1 - status) ~ rx + (1 | litter)",
        "weibull",
        "weibull_frailty_sim.csv",
        {"Intercept": "Normal(5, 2.5)", "rx": "Normal(0, 2.5)", "sd": "HalfNormal(0.5)", "shape": "Gamma(2, 0.5)"},
        {
            "Intercept": "beta[Intercept]",
            "rx": "beta[rx]",
            "sd_litter": "sd_litter[Intercept]",
            "shape": "shape",
        },
        _averages_of_hazards,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_posterior_is_the_exact_one(name: str, shared: Path, reference: dict) -> None:
    entry, _, fit = name.partition("/")
    found = reference[entry]["fits"][fit] if fit else reference[entry]
    assert_exact(KNOWN[name], found["params"], shared, "auto")
