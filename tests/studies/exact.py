"""A Gaussian model whose posterior and predictions have a closed form, and a sampler that draws from the former.

With sigma, G and the prior of beta given, all rows are jointly normal: V = X B X' + sum Z G Z' + sigma^2 I. So the
density of any rows given any others is that of a conditional normal distribution.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from bayes_glmm import GLMM
from bayes_glmm.design import Design, Problem
from bayes_glmm.inference import Settings
from bayes_glmm.posterior import Posterior, posterior_of

SIGMA, SD, WIDTH = 0.8, {"Intercept": 1.1, "x": 0.6}, 2.0


def data(seed: int = 1) -> pd.DataFrame:
    """Eight groups g of 2 to 7 rows; h crossed with them, but for a level of its own in the last; c within g."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(8), [2, 3, 4, 5, 6, 7, 4, 5])
    h = np.where(g == 7, 3, np.arange(len(g)) % 3)
    x = rng.normal(size=len(g))
    y = 1.0 + 0.5 * x + rng.normal(size=8)[g] + rng.normal(size=4)[h] + rng.normal(size=len(g))
    return pd.DataFrame(
        {"y": y, "x": x, "g": g, "h": h, "c": np.arange(len(g)) % 4, "kind": np.where(g == 2, "b", "a")}
    )


def model(formula: str) -> GLMM:
    """The model of the data."""
    return GLMM(formula, data(), priors={"beta": f"Normal(0, {WIDTH})", "Intercept": f"Normal(0, {WIDTH})"})


def sample(problem: Problem, settings: Settings) -> Posterior:
    """Independent draws from the exact posterior of beta and u, in place of NUTS."""
    design = problem.design
    n = settings.chains * settings.draws
    rng = np.random.default_rng(settings.seed)
    Z = [_indicators(design, i) for i in range(len(design.blocks))]
    W = np.hstack([design.X, *Z])
    sd = np.concatenate([np.full(design.X.shape[1], WIDTH), *(_sds(design, i) for i in range(len(Z)))])
    precision = W.T @ W / SIGMA**2 + np.diag(sd**-2)
    mean = np.linalg.solve(precision, W.T @ design.y / SIGMA**2)
    drawn = mean + np.linalg.solve(np.linalg.cholesky(precision).T, rng.normal(size=(len(mean), n))).T
    beta, *effects = np.split(drawn, np.cumsum([design.X.shape[1], *(block.shape[1] for block in Z)])[:-1], axis=1)
    u = {b.group: own.reshape(n, len(b.levels), -1) for b, own in zip(design.blocks, effects, strict=True)}
    G = {b.group: np.diag([SD[e] ** 2 for e in b.effects]) for b in design.blocks}
    posterior = posterior_of(problem, beta, G, {"sigma": SIGMA}, u)
    single = posterior.draws["posterior"].to_dataset()
    parts = [single.isel(chain=0, draw=slice(i, None, settings.chains)) for i in range(settings.chains)]
    chains = xr.concat([one.assign_coords(draw=np.arange(settings.draws)) for one in parts], dim="chain")
    return replace(posterior, draws=xr.DataTree.from_dict({"posterior": chains}), provenance={"seconds": 0.0})


def density(design: Design, rows: Any, others: Any) -> float:
    """The log density of rows given others."""
    V = WIDTH**2 * design.X @ design.X.T + SIGMA**2 * np.eye(len(design.y))
    for i in range(len(design.blocks)):
        Z = _indicators(design, i) * _sds(design, i)
        V += Z @ Z.T
    weights = np.linalg.solve(V[np.ix_(others, others)], V[np.ix_(others, rows)])
    mean = weights.T @ design.y[others]
    covariance = V[np.ix_(rows, rows)] - V[np.ix_(rows, others)] @ weights
    return float(stats.multivariate_normal.logpdf(design.y[rows], mean, covariance))


def _indicators(design: Design, i: int) -> np.ndarray:
    """The matrix Z of a block [row, level x effect]."""
    block = design.blocks[i]
    Z = np.zeros((len(design.y), len(block.levels), len(block.effects)))
    Z[np.arange(len(Z)), block.index] = block.values
    return Z.reshape(len(Z), -1)


def _sds(design: Design, i: int) -> np.ndarray:
    return np.tile([SD[effect] for effect in design.blocks[i].effects], len(design.blocks[i].levels))
