"""Draws by name, as [chain, draw], for comparisons with answers from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import xarray as xr

from bayes_glmm.effects import compare, marginal_coefficients, predict
from bayes_glmm.effects.tidy import Estimates
from bayes_glmm.posterior import Posterior

AVERAGED = "population-averaged"


def parameter(posterior: Posterior, name: str) -> xr.DataArray:
    """The draws of ``beta[x]``, ``sd_g[x]``, ``corr_g[a,b]`` or a scalar."""
    variable, _, label = name.partition("[")
    draws = posterior.draws["posterior"].to_dataset()[variable]
    dims = [dim for dim in draws.dims if dim not in ("chain", "draw")]
    labels = label[:-1].split(",") if len(dims) > 1 else [label[:-1]]
    return draws.sel(dict(zip(dims, labels, strict=False))) if dims else draws


def population_averaged(
    posterior: Posterior, grid: Mapping[str, Mapping[str, Any]], wanted: Iterable[str]
) -> dict[str, xr.DataArray]:
    """Quantities with u integrated out, by the reference's names.

    ``pa_p[row]`` is the mean at a row of the grid, ``pa_RD[a-b]`` and ``pa_logOR[a-b]`` the difference and log odds
    ratio of two means, ``pa_coef[x]`` a coefficient of the marginal model.
    """
    found: dict[str, xr.DataArray] = {}
    for name in wanted:
        kind, _, label = name.removesuffix("]").partition("[")
        if kind == "pa_p":
            at = predict(posterior, pd.DataFrame([grid[label]]), random_effects="integrated")
            found[name] = _one(at, effect=AVERAGED)
        elif kind == "pa_coef":
            found[name] = _one(marginal_coefficients(posterior), coefficient=label, effect=AVERAGED)
        else:
            high, low = (grid[row] for row in label.split("-"))
            changed = next(column for column in low if low[column] != high[column])
            estimand = {"pa_RD": "difference", "pa_logOR": "log_odds_ratio"}[kind]
            compared = compare(
                posterior,
                changed,
                contrast=(low[changed], high[changed]),
                newdata=pd.DataFrame([low]),
                random_effects="integrated",
                estimands=estimand,
            )
            found[name] = _one(compared, estimand=estimand, effect=AVERAGED)
    return found


def _one(estimates: Estimates, **labels: str) -> xr.DataArray:
    """The draws of the one row of the table with these labels."""
    table = estimates.table
    matches = table.index[(table[list(labels)] == list(labels.values())).all(axis=1)]
    assert len(matches) == 1, table
    return estimates.draws.isel(estimate=matches[0])
