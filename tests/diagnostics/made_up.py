"""Posteriors made up without sampling: draws independent and close to the truth that made the data.

``good`` is what every check must pass. ``broken`` is ill in every way that a check looks for: chains that are stuck,
trajectories that diverge, responses that the model could not have made.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from bayes_glmm.design import build_design, resolve_priors
from bayes_glmm.names import step
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec, Prior

CHAINS, DRAWS = 4, 500
LEVELS, ROWS = 30, 20
FORMULA = "y ~ x + (x | g)"
LEFT = {"binomial": "p(y, n) ~", "exponential": "y | cens(censored) ~"}
STEPS = 1.0  # from one threshold to the next
G = np.array([[0.25, 0.03], [0.03, 0.09]])


def data_of(family: str, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Data that the model of ``FORMULA`` made, and the random effects [level, effect] it made them with."""
    g = np.repeat(np.arange(LEVELS), ROWS)
    x = rng.normal(size=g.size)
    u = rng.multivariate_normal([0, 0], G, size=LEVELS)
    eta = 1.0 + 0.5 * x + u[g, 0] + u[g, 1] * x
    y = {
        "gaussian": lambda: rng.normal(eta, 1.0),
        "poisson": lambda: rng.poisson(np.exp(eta)),
        "bernoulli": lambda: rng.binomial(1, 1 / (1 + np.exp(-eta))),
        "binomial": lambda: rng.binomial(12, 1 / (1 + np.exp(-eta))),
        "exponential": lambda: rng.exponential(np.exp(eta)),
        "cumulative": lambda: 1 + (eta[:, None] + rng.logistic(size=(g.size, 1)) > STEPS * np.arange(4)).sum(axis=1),
    }[family]()
    data = pd.DataFrame({"y": y, "x": x, "g": [f"g{i:02d}" for i in g], "n": 12})
    if family == "exponential":  # some are censored
        limit = rng.exponential(3.0 * np.exp(1.0), size=g.size)
        data = data.assign(y=np.minimum(y, limit), censored=y > limit)
    return data, u


def good(family: str = "gaussian", seed: int = 3) -> Posterior:
    """A posterior that nothing is wrong with."""
    rng = np.random.default_rng(seed)
    data, u = data_of(family, rng)
    formula = FORMULA.replace("y ~", LEFT.get(family, "y ~"))
    n = CHAINS * DRAWS
    spread = 1.0 + 0.05 * rng.normal(size=(n, 1, 1))
    constants = {"gaussian": ["sigma"], "cumulative": [step(k) for k in (2, 3, 4)]}.get(family, [])
    posterior = posterior_at(
        ModelSpec.from_formula(formula, family=family),
        data,
        beta=np.array([1.0, 0.5]) + 0.03 * rng.normal(size=(n, 2)),
        G={"g": G * spread + np.diag([0.01, 0.0]) * rng.random((n, 1, 1))},
        auxiliary={name: 1.0 + 0.03 * rng.normal(size=n) for name in constants},
        u={"g": u + 0.02 * rng.normal(size=(n, *u.shape))},
    )
    resampled = {"k_hat": 0.3, "good_k": 0.7, "integration_error": 0.02}
    drawn = four_chains(posterior.draws["posterior"].to_dataset())
    return replace(with_draws(posterior, drawn, sampler_statistics(rng)), provenance=resampled)


def broken(family: str = "gaussian") -> Posterior:
    """The same posterior, with everything wrong that a check should find."""
    posterior = good(family)
    rng = np.random.default_rng(2)
    drawn = posterior.draws["posterior"].to_dataset()
    wide = np.exp(0.25 * rng.normal(size=(CHAINS, DRAWS, 1)))  # draws that groups are at odds with
    drawn["sd_g"], drawn["G_g"] = drawn["sd_g"] * wide, drawn["G_g"] * wide[..., None] ** 2
    stuck = drawn.map(lambda variable: variable.where(variable["chain"] > 0, variable.isel(draw=0) + 1e-3))
    statistics = sampler_statistics(rng)
    statistics["diverging"] = statistics["diverging"] | (rng.random((CHAINS, DRAWS)) < 0.1)
    statistics["energy"] = statistics["energy"].cumsum("draw")
    statistics["maxdepth_reached"] = statistics["maxdepth_reached"] | True
    data = posterior.design.data.copy()
    data["y"] = wild(posterior, rng)
    design = build_design(posterior.spec, data)
    stubborn = replace(posterior.spec, priors={"beta[x]": Prior.parse("Normal(-5, 0.1)")})
    priors = resolve_priors(stubborn, design)
    resampled = {"k_hat": 1.2, "good_k": 0.7, "integration_error": 3.0}
    return replace(with_draws(posterior, stuck, statistics), design=design, priors=priors, provenance=resampled)


def few_levels() -> Posterior:
    """A posterior that rests on its prior in part: three levels."""
    data = pd.DataFrame({"y": np.random.default_rng(4).normal(size=60), "g": np.repeat(list("abc"), 20)})
    spec = ModelSpec.from_formula("y ~ (1 | g)")
    n = CHAINS * DRAWS
    rng = np.random.default_rng(5)
    posterior = posterior_at(
        spec,
        data,
        beta=0.1 * rng.normal(size=(n, 1)),
        G={"g": 0.01 + 0.01 * rng.random((n, 1, 1))},
        auxiliary={"sigma": 1.0 + 0.1 * rng.random(n)},
        u={"g": 0.1 * rng.normal(size=(n, 3, 1))},
    )
    drawn = four_chains(posterior.draws["posterior"].to_dataset())
    return with_draws(posterior, drawn, sampler_statistics(rng))


def wild(posterior: Posterior, rng: np.random.Generator) -> np.ndarray:
    """Responses that the model cannot have made: shifted by group, run together, over-dispersed, with outliers."""
    y = posterior.design.y.copy()
    shift = np.where(posterior.design.blocks[0].index % 2, 3.0, 0.0)
    match posterior.spec.family_name:
        case "gaussian":
            y = y + 2.0 * shift + 3.0 * (np.arange(y.size) % ROWS > ROWS / 2)
            y[0] += 60.0
            y[1] -= 60.0
        case "poisson":
            y = np.floor(y * np.exp(shift)) * (np.arange(y.size) % ROWS > ROWS / 2)
            y[0] = 500
        case "bernoulli":
            y = ((np.arange(y.size) % ROWS > ROWS / 2) & (shift > 0)).astype(float)
        case "binomial":
            y = 12.0 * ((np.arange(y.size) % ROWS > ROWS / 2) & (shift > 0))
        case "exponential":
            y = 0.2 * y * np.exp(shift) * np.where(np.arange(y.size) % ROWS > ROWS / 2, 1.0, 0.05)
            y[0] = 3000.0
        case "cumulative":
            y = 1.0 + 4.0 * ((np.arange(y.size) % ROWS > ROWS / 2) & (shift > 0))
            y[:5] = np.arange(1.0, 6.0)  # every category is in some row
    return y


def sampler_statistics(rng: np.random.Generator) -> xr.Dataset:
    """What nutpie records of a run without trouble."""
    shape, dims = (CHAINS, DRAWS), ("chain", "draw")
    return xr.Dataset(
        {
            "diverging": (dims, np.zeros(shape, bool)),
            "energy": (dims, rng.normal(size=shape)),
            "maxdepth_reached": (dims, np.zeros(shape, bool)),
            "depth": (dims, rng.integers(2, 5, size=shape)),
        },
        {"chain": np.arange(CHAINS), "draw": np.arange(DRAWS)},
    )


def four_chains(drawn: xr.Dataset) -> xr.Dataset:
    """One chain cut into four."""
    pieces = [drawn.isel(chain=0, draw=slice(c * DRAWS, (c + 1) * DRAWS)) for c in range(CHAINS)]
    renumbered = [piece.assign_coords(draw=np.arange(DRAWS), chain=c) for c, piece in enumerate(pieces)]
    return xr.concat(renumbered, dim="chain").transpose("chain", "draw", ...)


def with_draws(posterior: Posterior, drawn: xr.Dataset, statistics: xr.Dataset | None = None) -> Posterior:
    """The posterior with other draws."""
    groups = {"posterior": drawn} | ({} if statistics is None else {"sample_stats": statistics})
    return replace(posterior, draws=xr.DataTree.from_dict(groups))
