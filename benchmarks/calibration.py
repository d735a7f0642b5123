"""Simulation-based calibration over families, structures of random effects and coordinates.

    uv run python benchmarks/calibration.py [--models 1,2,3] [--replications 200] [--workers 2] [--out FOLDER]

Writes ``calibration.csv``, one row a model and quantity: its p-values, mean rank, share of true values in the central
90 % of the draws, and how many ranks lie in each twentieth; ``calibration-models.csv``, one row a model; and this again
in ``calibration.md``, with the command and versions. What is there on models not asked for stays.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import bayes_glmm as bg
from bayes_glmm.inference.sample import versions
from bayes_glmm.studies import SBC
from bayes_glmm.studies.executor import cluster

SEED = 20260101
RANKED = 99
PRIORS = {"beta": "Normal(0, 1)", "Intercept": "Normal(0, 1)", "sd": "HalfNormal(0.7)"}  # correlations LKJ(2)
SHAPE = "Gamma(alpha=4, beta=0.8)"


@dataclass(frozen=True)
class Case:
    """A model to calibrate."""

    family: str
    formula: str
    priors: dict[str, str]
    link: str | None = None
    coordinates: str = "auto"

    @property
    def name(self) -> str:
        """What it is called in the tables."""
        link = f" {self.link}" if self.link else ""
        return f"{self.family}{link}, {self.formula}, {self.coordinates}"


CASES = {
    1: Case("bernoulli", "y ~ x + (1 | g)", PRIORS, "logit", "integrated"),
    2: Case("poisson", "y ~ x + (x | g)", PRIORS, "log"),
    3: Case("gaussian", "y ~ x + (x | g) + (1 | h)", PRIORS | {"sigma": "HalfNormal(1)"}),
    4: Case("negative_binomial", "y ~ x + (1 | g)", PRIORS | {"phi": SHAPE}),
    5: Case("gamma", "y ~ x + (x || g)", PRIORS | {"phi": SHAPE}, "log"),
    6: Case("binomial", "y | trials(n) ~ x + (x | g)", PRIORS, "logit"),
    7: Case("poisson", "y ~ x + (x | g)", PRIORS, "log", "plain"),
    8: Case("bernoulli", "y ~ x + (x | g) + (1 | h)", PRIORS, "probit"),
    9: Case("beta", "y ~ x + (1 | g)", PRIORS | {"phi": SHAPE}),
    10: Case("student_t", "y ~ x + (1 | g)", PRIORS | {"sigma": "HalfNormal(1)", "nu": "Gamma(alpha=4, beta=0.5)"}),
    11: Case("bernoulli", "y ~ x + (1 | g)", PRIORS, "logit", "whitened"),
}


def data(family: str) -> pd.DataFrame:
    """Rows in 20 groups g of 3 to 9, crossed with 8 groups h; the response only has to be valid."""
    rng = np.random.default_rng(SEED)
    g = np.repeat(np.arange(20), [3, 9, 4, 8, 5, 7, 6, 6, 6, 6] * 2)
    n = len(g)
    y = np.where(np.arange(n) % 2, 0.75, 0.25) if family == "beta" else np.arange(n) % 2 + (family == "gamma")
    return pd.DataFrame(
        {"y": y, "x": rng.normal(size=n), "g": g, "h": np.arange(n) % 8, "n": rng.integers(3, 12, size=n)}
    )


def summary(case: Case, found: SBC) -> pd.DataFrame:
    """One row a quantity."""
    table = found.uniformity()
    table.insert(1, "in_90", ((found.ranks >= 5) & (found.ranks <= 94)).mean())  # 90 of the 100 ranks
    counts = [np.bincount(found.ranks[name] // 5, minlength=20) for name in table.index]
    table["counts"] = [" ".join(map(str, each)) for each in counts]
    table.insert(0, "model", case.name)
    return table.reset_index().set_index(["model", "quantity"])


def line(case: Case, found: SBC, seconds: float) -> pd.DataFrame:
    """One row a model."""
    used = ", ".join(sorted(set(found.fits["coordinates"].dropna())))
    row = {
        "model": case.name,
        "coordinates": used,
        "replications": len(found.ranks),
        "quantities": found.ranks.shape[1],
        "p": f"{found.p:.2g}",
        **found.failures,
        "redrawn responses": found.impossible,
        "worst R-hat": f"{found.fits['rhat'].max():.3f}",
        "seconds": f"{seconds:.0f}",
    }
    return pd.DataFrame([row]).set_index("model")


def merged(path: Path, new: pd.DataFrame) -> pd.DataFrame:
    """The table of a file with the rows of the new one in place of those of the same models."""
    if not path.exists():
        return new
    old = pd.read_csv(path, index_col=list(range(new.index.nlevels)), dtype={"p": str} if "p" in new else None)
    model = old.index.get_level_values("model")
    return pd.concat([old[~model.isin(new.index.get_level_values("model"))], new])


def markdown(table: pd.DataFrame) -> str:
    """What was found, by model, and how to find it again."""
    numbers = {case.name: number for number, case in CASES.items() if case.name in table.index}
    rows = table.loc[list(numbers)].reset_index()
    commands = [
        f"    uv run python benchmarks/calibration.py --models {','.join(str(numbers[name]) for name in some['model'])}"
        f" --replications {replications}"
        for replications, some in rows.groupby("replications")
    ]
    head = f"| {' | '.join(rows.columns)} |\n|{'---|' * rows.shape[1]}"
    body = [f"| {' | '.join(str(value).replace('|', chr(92) + '|') for value in row)} |" for row in rows.to_numpy()]
    packages = ", ".join(f"{name} {number}" for name, number in versions().items())
    return "\n".join(
        [
            "# Simulation-based calibration",
            "",
            *commands,
            "",
            f"Seed {SEED}, 120 rows, 20 groups g, 8 groups h; ranks among {RANKED} draws. `p` is the least p-value of",
            "the model, chi-square or ECDF, times their number. `calibration.csv` has each quantity. Seconds are of",
            "the run, compiling and other work on the machine included.",
            "",
            head,
            *body,
            "",
            f"Python {platform.python_version()}, {packages}.",
            "",
        ]
    )


def main() -> None:
    """Run the models asked for, one after the other, their replications beside each other."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--models", default=",".join(map(str, CASES)))
    ask.add_argument("--replications", type=int, default=200)
    ask.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    ask.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    asked = ask.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    by_quantity, by_model = asked.out / "calibration.csv", asked.out / "calibration-models.csv"
    for number in map(int, asked.models.split(",")):
        case = CASES[number]
        model = bg.GLMM(case.formula, data(case.family), case.family, case.link, case.priors)
        start = time.perf_counter()
        with cluster(workers=asked.workers) as client:  # fresh processes: no model meets the code of another
            found = bg.simulation_based_calibration(
                model, asked.replications, RANKED, SEED, client, coordinates=case.coordinates
            )
        models = merged(by_model, line(case, found, time.perf_counter() - start))
        models.to_csv(by_model)
        merged(by_quantity, summary(case, found)).round(4).to_csv(by_quantity)
        (asked.out / "calibration.md").write_text(markdown(models), encoding="utf-8")
        print(f"{case.name}\n{found}\n", flush=True)


if __name__ == "__main__":
    main()
