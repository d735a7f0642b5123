"""Random designs with their covariates at other origins: how far population-averaged answers move, in posterior sds.

    uv run python benchmarks/invariance.py --designs 30

Covariates are normal, skewed, constant within groups or correlated; families, group sizes and structures are drawn
at random. Each design is fitted with its covariates at 0, 10, 100 and 10,000 sds from 0, by default settings; the
answer is the population-averaged mean at the first rows of the data. ``results/invariance.md`` has the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import bayes_glmm as bg

ORIGINS = (0.0, 10.0, 100.0, 1e4)
FAMILIES = ("gaussian", "bernoulli", "poisson", "negative_binomial", "gamma")
FORMULAS = (
    "x + z + (x | g)",
    "x * z + (1 | g)",
    "x + I(x ** 2) + (1 | g)",
    "x + z + f + (z | g)",
    "0 + f + x + (x | g)",
)
ROWS = 6  # whose averages are compared


def design(rng: np.random.Generator) -> tuple[str, str, pd.DataFrame]:
    """A family, a formula and data."""
    levels = int(rng.integers(8, 60))
    g = np.repeat(np.arange(levels), rng.integers(2, 15, levels))
    n = len(g)
    kinds = {
        "normal": rng.normal(size=n),
        "skewed": np.exp(rng.normal(size=n)),
        "constant within groups": rng.normal(size=levels)[g],
    }
    x = kinds[rng.choice(list(kinds))]
    x = (x - x.mean()) / x.std()
    z = 0.8 * x + 0.6 * rng.normal(size=n) if rng.uniform() < 0.5 else rng.normal(size=n)
    data = pd.DataFrame({"g": g, "x": x, "z": z, "f": rng.choice(list("abc"), n, p=[0.5, 0.4, 0.1])})
    eta = 0.4 * x - 0.3 * z + rng.normal(0, rng.uniform(0.1, 1.2), levels)[g]
    family = str(rng.choice(FAMILIES))
    mu = np.exp(np.clip(eta, -4, 3))
    data["y"] = {
        "gaussian": eta + rng.normal(size=n),
        "bernoulli": rng.binomial(1, mu / (1 + mu)),
        "poisson": rng.poisson(mu),
        "negative_binomial": rng.poisson(mu * rng.gamma(2.0, 0.5, n)),
        "gamma": rng.gamma(2.0, mu / 2.0) + 1e-6,
    }[family]
    return family, str(rng.choice(FORMULAS)), data


def moves(family: str, formula: str, data: pd.DataFrame, seed: int) -> Iterator[dict[str, object]]:
    """One row per origin: the largest move of an average, in posterior sds, and the verdict."""
    base = None
    for origin in ORIGINS:
        shifted = data.assign(x=data["x"] + origin, z=data["z"] - 2.0 * origin)
        fit = bg.GLMM(f"y ~ {formula}", shifted, family=family).fit(seed=seed, progress=False)
        draws = fit.predict(shifted.iloc[:ROWS], random_effects="integrated").draws
        draws = draws.to_numpy().reshape(-1, draws.shape[-1])
        median, spread = np.median(draws, axis=0), draws.std(axis=0)
        base = (median, spread) if base is None else base
        moved = float(np.max(np.abs(median - base[0]) / base[1]))
        yield {"family": family, "formula": formula, "origin": origin, "move": moved, "verdict": fit.check().verdict}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--designs", type=int, default=30)
    count = parser.parse_args().designs
    rows = [row for i in range(count) for row in moves(*design(np.random.default_rng(i)), seed=i)]
    table = pd.DataFrame(rows)
    print(table.to_string())
    worst = table.groupby("origin")["move"].max()
    text = [
        "# Covariates at other origins",
        "",
        f"{count} random designs; the largest move of a population-averaged mean, in posterior sds.",
        "",
        "| origin, sds of the covariate | largest move | designs above 0.1 |",
        "|---|---|---|",
        *(f"| {o:g} | {worst[o]:.3f} | {int((table[table.origin == o].move > 0.1).sum())} |" for o in ORIGINS),
        "",
    ]
    (Path(__file__).parent / "results" / "invariance.md").write_text("\n".join(text))
    print("\n".join(text))


if __name__ == "__main__":
    main()
