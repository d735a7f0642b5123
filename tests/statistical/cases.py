"""Studies whose posterior is known without MCMC, and the priors it is known under.

The exact answers integrate the random effects out by quadrature (or in closed form) and the rest by randomised
quasi-Monte Carlo. A new case is one row of ``CASES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Grid = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Study:
    """A model of a data set.

    Attributes
    ----------
    formula, family : str
    file : str
        The table.
    names : mapping
        The reference's name of a parameter to ours: ``beta[x]``, ``sd_g[x]``, ``corr_g[a,b]``, ``sigma``.
    prepare : function
        The table to the columns that the formula names.
    grid : mapping
        The reference's label of a covariate row, as in ``pa_p[visit1]``, to that row.
    """

    formula: str
    family: str
    file: str
    names: Mapping[str, str]
    prepare: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table
    grid: Grid = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A study under one set of priors.

    Attributes
    ----------
    name : str
        Of the entry in the reference, and of the set of priors where it has several: ``"spinal A"``.
    study : Study
    priors : mapping
    draws : int
        A chain; four chains. Enough for an ESS above 1,500 of every quantity compared.
    slow : bool
        Whether the fit takes more than about 20 s.
    """

    name: str
    study: Study
    priors: Mapping[str, str]
    draws: int
    slow: bool = True

    def data(self, shared: Path) -> pd.DataFrame:
        """The rows to fit."""
        return self.study.prepare(pd.read_csv(shared / "data" / self.study.file))

    def exact(self, reference: Mapping[str, Any]) -> Mapping[str, Mapping[str, float]]:
        """Mean, sd and their errors, by the reference's name of each quantity."""
        entry, _, priors = self.name.partition(" ")
        found = reference[entry]["fits"][priors] if priors else reference[entry]
        return found["params"]


def _intercept_and(*coefficients: str) -> dict[str, str]:
    return {name: f"beta[{name}]" for name in ("Intercept", *coefficients)}


def _abortion(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{f"sit{k}": (table["situation"] == k).astype(int) for k in (1, 2)})


def _epil(table: pd.DataFrame) -> pd.DataFrame:
    lbc, lac = np.log(table["base"] / 4), np.log(table["age"])
    trtp = (table["trt"] == "progabide").astype(int)
    return table.assign(lbc=lbc - lbc.mean(), lac=lac - lac.mean(), trtp=trtp)


def _hdp(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(Agec=table["Age"] - 50.972046, IL6c=table["IL6"] - 4.016984)


SPINAL = Study(
    "nopain ~ x + (1 | patient)",
    "bernoulli",
    "spinal.csv",
    names=_intercept_and("x") | {"sd": "sd_patient[Intercept]"},
    grid={"visit1": {"x": 0}, "visit2": {"x": 1}},
)
CLINICS = Study(
    "p(y, n) ~ treat + (1 | clinic)",
    "binomial",
    "beitler_landis.csv",
    names=_intercept_and("treat") | {"sd": "sd_clinic[Intercept]"},
    grid={"control": {"treat": 0}, "drug": {"treat": 1}},
)
ABORTION = Study(
    "response ~ sit1 + sit2 + gender + (1 | person)",
    "bernoulli",
    "abortion.csv",
    names=_intercept_and("sit1", "sit2", "gender") | {"sd": "sd_person[Intercept]"},
    prepare=_abortion,
    grid={
        f"g{gender}s{k}": {"gender": gender, "sit1": int(k == 1), "sit2": int(k == 2)}
        for gender in (0, 1)
        for k in (1, 2, 3)
    },
)
SEEDS = Study(
    "p(r, n) ~ x1 * x2 + (1 | plate)",
    "binomial",
    "seeds.csv",
    names=_intercept_and("x1", "x2", "x1:x2") | {"sd": "sd_plate[Intercept]"},
)
CBPP = Study(
    "p(incidence, size) ~ period + (1 | herd)",
    "binomial",
    "cbpp.csv",
    names={"Intercept": "beta[Intercept]", "sd": "sd_herd[Intercept]"}
    | {f"period{k}": f"beta[period[{k}]]" for k in (2, 3, 4)},
    prepare=lambda table: table.assign(period=table["period"].astype(str)),
    grid={f"period{k}": {"period": str(k)} for k in (1, 2, 3, 4)},
)
EPIL = Study(
    "y ~ lbc * trtp + lac + V4 + (1 | subject)",
    "poisson",
    "epil.csv",
    names=_intercept_and("lbc", "trtp", "lac", "V4", "lbc:trtp") | {"sd": "sd_subject[Intercept]"},
    prepare=_epil,
)
HDP = Study(
    "remission ~ Agec + Married + IL6c + (1 | DID)",
    "bernoulli",
    "hdp.csv",
    names={
        "Intercept_at_mean": "beta[Intercept]",
        "Age": "beta[Agec]",
        "Married": "beta[Married]",
        "IL6": "beta[IL6c]",
        "sd": "sd_DID[Intercept]",
    },
    prepare=_hdp,
)
SLEEP_NAMES = _intercept_and("Days") | {
    "sd_Intercept": "sd_Subject[Intercept]",
    "sd_Days": "sd_Subject[Days]",
    "sigma": "sigma",
}
SLEEP = Study(
    "Reaction ~ Days + (Days | Subject)",
    "gaussian",
    "sleepstudy.csv",
    names=SLEEP_NAMES | {"corr": "corr_Subject[Intercept,Days]"},
)
SLEEP_UNCORRELATED = Study("Reaction ~ Days + (Days || Subject)", "gaussian", "sleepstudy.csv", names=SLEEP_NAMES)
RADON = Study(
    "log_radon_plus0p1 ~ floor + (1 + floor | county)",
    "gaussian",
    "radon_mn.csv",
    names={
        "mu_alpha": "beta[Intercept]",
        "mu_beta": "beta[floor]",
        "sigma_alpha": "sd_county[Intercept]",
        "sigma_beta": "sd_county[floor]",
        "corr": "corr_county[Intercept,floor]",
        "sigma": "sigma",
    },
)

A = {"Intercept": "Normal(0, 5)", "beta": "Normal(0, 5)", "sd": "HalfNormal(2.5)"}
B = {"Intercept": "Normal(0, 2.5)", "beta": "Normal(0, 2.5)", "sd": "HalfStudentT(nu=3, sigma=2.5)"}
C = {"Intercept": "Normal(0, 10)", "beta": "Normal(0, 10)", "sd": "HalfCauchy(5)"}
SLEEP_PRIORS = {
    "Intercept": "Normal(250, 100)",
    "Days": "Normal(0, 50)",
    "sd_Subject[Intercept]": "HalfNormal(50)",
    "sd_Subject[Days]": "HalfNormal(20)",
    "sigma": "HalfNormal(50)",
}
RADON_PRIORS = {
    "Intercept": "Normal(0, 10)",
    "beta": "Normal(0, 10)",
    "sd": "HalfNormal(1)",
    "corr": "LKJ(2)",
    "sigma": "HalfNormal(1)",
}

CASES = (
    Case("spinal A", SPINAL, A, draws=3000, slow=False),
    Case("spinal B", SPINAL, B, draws=3000),
    Case("spinal C", SPINAL, C, draws=3000),
    Case("beitler_landis A", CLINICS, A, draws=8000, slow=False),
    Case("beitler_landis B", CLINICS, B, draws=8000),
    # eight clinics under a half-Cauchy: the sd has a heavy tail, and its own sd needs far more draws than its mean
    Case("beitler_landis C", CLINICS, C, draws=20000),
    Case("abortion A", ABORTION, A, draws=2000),
    Case("abortion B", ABORTION, B, draws=2000),
    Case("seeds A", SEEDS, A, draws=6000, slow=False),
    Case("seeds B", SEEDS, B, draws=10000),
    Case("cbpp A", CBPP, A, draws=3000, slow=False),
    Case("cbpp B", CBPP, B, draws=3000),
    Case("epil A", EPIL, A, draws=6000, slow=False),
    Case("epil B", EPIL, B, draws=5000),
    Case("hdp_logit A", HDP, A, draws=3500),
    Case("sleepstudy_corr_LKJ1", SLEEP, SLEEP_PRIORS | {"corr": "LKJ(1)"}, draws=3000, slow=False),
    Case("sleepstudy_corr_LKJ2", SLEEP, SLEEP_PRIORS | {"corr": "LKJ(2)"}, draws=3000),
    Case("sleepstudy_uncorr", SLEEP_UNCORRELATED, SLEEP_PRIORS, draws=2500),
    Case("radon_mn_correlated_LKJ2", RADON, RADON_PRIORS, draws=3500),
)
