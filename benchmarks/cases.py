"""The models that samplers are compared on: a Bambi model each, which brings its priors to every sampler."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bambi
import numpy as np
import pandas as pd

import bayes_glmm as bg
from bayes_glmm.datasets import load_dataset

DATA = Path(os.environ.get("BAYES_GLMM_DATA", Path(__file__).parents[1].parent / "shared" / "data"))


def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(DATA / name)


def _doctors() -> pd.DataFrame:
    data = _read("hdp.csv")
    data["DID"] = data["DID"].astype(str)
    return data.assign(Age=data["Age"] - data["Age"].mean(), IL6=data["IL6"] - data["IL6"].mean())


def _hdp() -> bambi.Model:
    return bambi.Model("remission ~ Age + Married + IL6 + (1 | DID)", _doctors(), family="bernoulli")


def _tumours() -> bambi.Model:
    return bambi.Model("ntumors ~ Age + Married + IL6 + (1 | DID)", _doctors(), family="poisson")


def _abortion() -> bambi.Model:
    data = load_dataset("abortion").astype({"person": str, "situation": str, "gender": str})
    return bambi.Model("response ~ situation + gender + (1 | person)", data, family="bernoulli")


def _epil() -> bambi.Model:
    data = _read("epil.csv").astype({"subject": str})
    data = data.assign(lb=np.log(data["base"] / 4), la=np.log(data["age"]))
    return bambi.Model("y ~ lb * trt + la + V4 + (1 | subject)", data, family="negativebinomial")


def _sleepstudy() -> bambi.Model:
    data = _read("sleepstudy.csv").astype({"Subject": str})
    return bambi.Model("Reaction ~ Days + (Days | Subject)", data)


def _salamander() -> bambi.Model:
    data = _read("salamander_mating.csv").astype({"Female": str, "Male": str})
    return bambi.Model("Mate ~ fW * mW + (1 | Female) + (1 | Male)", data, family="bernoulli")


def _verbagg() -> bambi.Model:
    data = _read("verbagg.csv").astype({"id": str, "item": str})
    data["y"] = (data["r2"] == "Y").astype(int)
    return bambi.Model("y ~ Anger + Gender + btype + situ + (1 | id) + (1 | item)", data, family="bernoulli")


def _cbpp() -> bambi.Model:
    data = _read("cbpp.csv").astype({"herd": str, "period": str})
    return bambi.Model("p(incidence, size) ~ period + (1 | herd)", data, family="binomial")


def _fruits() -> bambi.Model:
    data = _read("arabidopsis.csv").astype({"popu": str, "gen": str}).rename(columns={"total.fruits": "total_fruits"})
    data["genotype"] = data["popu"] + ":" + data["gen"]
    return bambi.Model("total_fruits ~ nutrient + amd + (1 | popu) + (1 | genotype)", data, family="negativebinomial")


def _insteval() -> bambi.Model:
    data = _read("insteval.csv.gz").astype({"s": str, "d": str, "dept": str, "service": str})
    return bambi.Model("y ~ service + (1 | s) + (1 | d) + (1 | dept)", data)


def _simulated_data(rows: int) -> pd.DataFrame:
    """Ten rows a group, binary; a random intercept and a random slope."""
    rng = np.random.default_rng(1)
    groups = rows // 10
    g, x = np.repeat(np.arange(groups), 10), rng.normal(size=rows)
    u = rng.normal(size=(groups, 2)) * [1.0, 0.5]
    eta = -0.5 + 0.7 * x + u[g, 0] + u[g, 1] * x
    return pd.DataFrame({"y": rng.binomial(1, 1 / (1 + np.exp(-eta))), "x": x, "g": g.astype(str)})


def _simulated(rows: int) -> bambi.Model:
    return bambi.Model("y ~ x + (x | g)", _simulated_data(rows), family="bernoulli")


CASES: dict[str, Callable[[], bambi.Model]] = {
    "hdp": _hdp,
    "tumours": _tumours,
    "abortion": _abortion,
    "epil": _epil,
    "sleepstudy": _sleepstudy,
    "salamander": _salamander,
    "verbagg": _verbagg,
    "cbpp": _cbpp,
    "fruits": _fruits,
    "insteval": _insteval,
    "simulated 1e4": lambda: _simulated(10_000),
    "simulated 1e5": lambda: _simulated(100_000),
    "simulated 1e6": lambda: _simulated(1_000_000),
}


def model_of(case: str) -> dict[str, Any]:
    """The Bambi model of a case as the arguments of one of this package, data included."""
    large = case == "simulated 1e6"  # 100,000 groups are more than Bambi has memory for: its priors come from fewer
    model = bg.from_bambi(_simulated(100_000) if large else CASES[case]())
    return {
        "formula": str(model.spec.formula),
        "family": model.spec.family_name,
        "link": model.spec.link_name,
        "priors": {name: str(prior) for name, prior in model.priors.entries.items()},
        "data": _simulated_data(1_000_000) if large else model.design.data,
    }
