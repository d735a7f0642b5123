"""Fits of lme4, glmmTMB and GLMMadaptive to published data, and the same models as a GLMM.

A new model is one row of ``STUDIES``; which reference fit belongs to which test is decided by its method.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import bayes_glmm as bg
from bayes_glmm.likelihood import Parameters

LMER = "lme4::lmer ML"
LAPLACE = "lme4::glmer Laplace (nAGQ=1)"
AGHQ25 = "lme4::glmer AGHQ nAGQ=25"
ADAPTIVE25 = "GLMMadaptive::mixed_model AGHQ nAGQ=25"


@dataclass(frozen=True)
class Study:
    """A model of a data set.

    Attributes
    ----------
    name : str
        The data set, and what tells its models apart: ``"hdp remission"``.
    entry : int
        Position among the data set's computed fits in the reference.
    formula, family : str
    methods : tuple of str
        The reference's fits of it by maximum likelihood.
    prepare : function
        The table to the columns that the formula names.
    renamed : mapping
        Coefficients whose name in the reference differs by more than brackets, to ours.
    slow : bool
    """

    name: str
    entry: int
    formula: str
    family: str
    methods: tuple[str, ...]
    prepare: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table
    renamed: Mapping[str, str] = field(default_factory=dict)
    slow: bool = False

    @property
    def dataset(self) -> str:
        """The name of the data set."""
        return self.name.split()[0]

    def model(self, shared: Path) -> bg.GLMM:
        """The model of the data in the folder."""
        return _model(self.name, shared)


@dataclass(frozen=True)
class Case:
    """One reference fit of a study."""

    study: Study
    method: str

    @property
    def name(self) -> str:
        """For the id of a test."""
        return f"{self.study.name}, {self.method}"

    @property
    def nodes(self) -> int:
        """Nodes of a fit by adaptive quadrature; 1 for the Laplace approximation."""
        found = re.search(r"AGHQ nAGQ=(\d+)", self.method)
        return int(found[1]) if found else 1

    def model(self, shared: Path) -> bg.GLMM:
        """Our model."""
        return self.study.model(shared)

    def fit(self, shared: Path) -> Fit:
        """Their estimates, under our names."""
        entry = _reference(shared)[self.study.dataset]["computed"][self.study.entry]
        (found,) = [fit for fit in entry["fits"] if fit["method"] == self.method]
        return Fit(found, self.study.renamed, self.study.model(shared))


@dataclass(frozen=True)
class Fit:
    """A fit of the reference, read under the names of our model.

    Attributes
    ----------
    raw : mapping
        As it stands in the reference.
    renamed : mapping
    model : GLMM
    """

    raw: Mapping[str, Any]
    renamed: Mapping[str, str]
    model: bg.GLMM

    @property
    def log_likelihood(self) -> float:
        """With all constants; lme4 leaves that of the saturated model out where it uses quadrature."""
        return self.raw["loglik"] + (self._saturated if "glmer AGHQ" in self.raw["method"] else 0.0)

    @property
    def _saturated(self) -> float:
        y, trials = self.model.design.y, self.model.design.trials
        if trials is not None:
            return float(np.sum(stats.binom.logpmf(y, trials, y / trials)))
        return float(np.sum(stats.poisson.logpmf(y, y))) if self.model.spec.family_name == "poisson" else 0.0

    @property
    def parameters(self) -> Parameters:
        """All of them, rounded as they are in the reference."""
        L = {}
        for block in self.model.design.blocks:
            sd = np.array([self.sd[block.group, effect] for effect in block.effects])
            corr = np.eye(len(sd))
            if block.correlated:
                corr[0, 1] = corr[1, 0] = self.corr
            L[block.group] = sd[:, None] * np.linalg.cholesky(corr)
        return Parameters(self.beta, L, self.auxiliary)

    @property
    def beta(self) -> np.ndarray:
        """Fixed effects, in our order."""
        return self._by_coefficient(self.raw["coefficients"])

    @property
    def standard_errors(self) -> np.ndarray:
        """Of beta, in our order."""
        return self._by_coefficient(self.raw["se"])

    @property
    def sd(self) -> dict[tuple[str, str], float]:
        """Group and effect to the standard deviation."""
        result = {}
        for name, value in self.raw["sd_ranef"].items():
            group, _, effect = name.rpartition("|")
            if name != "Residual":
                result[self._group(group), "Intercept" if effect == "(Intercept)" else effect] = value
        return result

    @property
    def corr(self) -> float | None:
        """The correlation, where the model has one."""
        return next(iter(self.raw["corr"].values()), None) if self.raw["corr"] else None

    @property
    def auxiliary(self) -> dict[str, float]:
        """Residual sd or shape, where the family has one."""
        names = tuple(self.model.spec.family.auxiliary)
        value = self.raw["sd_ranef"].get("Residual", self.raw.get("dispersion_sigma"))
        return dict.fromkeys(names, value)

    def _by_coefficient(self, values: Mapping[str, float]) -> np.ndarray:
        ours = {self._coefficient(name): value for name, value in values.items()}
        return np.array([ours[_plain(name)] for name in self.model.design.coefficients])

    def _coefficient(self, name: str) -> str:
        return _plain(self.renamed.get(name, name.replace("(Intercept)", "Intercept")))

    def _group(self, name: str) -> str:
        """Factors that are nested have their columns in another order, split terms a number, single ones no name."""
        columns = {frozenset(block.group.split(":")): block.group for block in self.model.design.blocks}
        if not name:
            return self.model.design.blocks[0].group
        return columns[frozenset(re.sub(r"\.\d+$", "", name).split(":"))]


def _plain(name: str) -> str:
    """A coefficient without the brackets around levels."""
    return re.sub(r"[\[\]]", "", name)


@cache
def _reference(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "reference" / "reference.json").read_text(encoding="utf-8"))


@cache
def _model(name: str, shared: Path) -> bg.GLMM:
    study = study_named(name)
    (file,) = (shared / "data").glob(f"{study.dataset}.csv*")
    return bg.GLMM(study.formula, study.prepare(pd.read_csv(file)), study.family)


def _epil(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(
        lb=np.log(table["base"] / 4),
        la=np.log(table["age"]),
        trtp=(table["trt"] == "progabide").astype(int),
        visit=(2 * table["period"] - 5) / 10,
        obs=np.arange(len(table)),
    )


def _abortion(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{f"sit{k}": (table["situation"] == k).astype(int) for k in (1, 2)})


def _cbpp(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(period=table["period"].astype(str), obs=np.arange(len(table)))


def _clinics(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(tc=table["treat"] - 0.5)


def _contraception(table: pd.DataFrame) -> pd.DataFrame:
    agec = table["age"] / 10
    return table.assign(
        y=(table["use"] == "Y").astype(int),
        agec=agec,
        agec2=agec**2,
        ch=(table["livch"] != "0").astype(int),
        urb=(table["urban"] == "Y").astype(int),
    )


def _webworms(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(plot=table["block"] + table["trt"])


def _salamanders(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(mined=pd.Categorical(table["mined"], ["yes", "no"]))


def _arabidopsis(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(columns={"total.fruits": "fruits"}).assign(
        nut=table["nutrient"].astype(str), rack=table["rack"].astype(str)
    )


def _insteval(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(service=table["service"].astype(str))


_EPIL_FIXED = "y ~ lb * trtp + la + V4"
_CONTRACEPTION = "y ~ agec * ch + agec2 + urb"
_OWLS = "SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1 | Nest)"
_SQUARE = {"I(agec^2)": "agec2"}

STUDIES = (
    Study("hdp mobility", 0, "mobility ~ Age + Married + Sex + WBC + RBC + (1 | DID)", "gaussian", (LMER,)),
    Study("hdp remission", 1, "remission ~ Age + Married + IL6 + (1 | DID)", "bernoulli", (LAPLACE, AGHQ25)),
    Study("hdp tumorsize", 2, "tumorsize ~ Age + Married + Sex + CancerStage + (1 | HID/DID)", "gaussian", (LMER,)),
    Study("hdp lungcapacity", 3, "lungcapacity ~ Age + SmokingHx + (1 | DID)", "beta", ("glmmTMB Laplace beta",)),
    Study("hdp ntumors", 4, "ntumors ~ Age + Married + IL6 + (1 | DID)", "poisson", (LAPLACE, AGHQ25)),
    Study(
        "hdp ntumors overdispersed",
        5,
        "ntumors ~ Age + Married + IL6 + (1 | DID)",
        "negative_binomial",
        ("glmmTMB Laplace nbinom2",),
    ),
    Study(
        "hdp stages",
        6,
        "remission ~ IL6 + CRP + CancerStage + LengthofStay + Experience + (1 | DID)",
        "bernoulli",
        ("lme4::glmer AGHQ nAGQ=10",),
    ),
    Study("spinal", 0, "nopain ~ x + (1 | patient)", "bernoulli", (LAPLACE, AGHQ25, ADAPTIVE25)),
    Study(
        "beitler_landis",
        0,
        "p(y, n) ~ treat + (1 | clinic)",
        "binomial",
        (LAPLACE, AGHQ25, ADAPTIVE25, "glmmTMB Laplace binomial"),
    ),
    Study(
        "beitler_landis interaction",
        1,
        "p(y, n) ~ treat + (1 | clinic) + (1 | clinic:treat)",
        "binomial",
        (LAPLACE,),
    ),
    Study("beitler_landis slopes", 2, "p(y, n) ~ tc + (tc | clinic)", "binomial", (LAPLACE,), _clinics),
    Study(
        "abortion",
        0,
        "response ~ sit1 + sit2 + gender + (1 | person)",
        "bernoulli",
        (LAPLACE, AGHQ25, "lme4::glmer AGHQ nAGQ=100"),
        _abortion,
    ),
    Study(
        "seeds",
        0,
        "p(r, n) ~ x1 * x2 + (1 | plate)",
        "binomial",
        (LAPLACE, AGHQ25, ADAPTIVE25, "glmmTMB Laplace binomial"),
    ),
    Study("epil", 0, f"{_EPIL_FIXED} + (1 | subject)", "poisson", (LAPLACE, AGHQ25, ADAPTIVE25), _epil),
    Study("epil rows", 1, f"{_EPIL_FIXED} + (1 | subject) + (1 | obs)", "poisson", (LAPLACE,), _epil),
    Study(
        "epil slopes",
        2,
        "y ~ lb * trtp + la + visit + (1 + visit | subject)",
        "poisson",
        (LAPLACE, "GLMMadaptive::mixed_model AGHQ nAGQ=15"),
        _epil,
    ),
    Study(
        "epil overdispersed",
        3,
        f"{_EPIL_FIXED} + (1 | subject)",
        "negative_binomial",
        ("glmmTMB Laplace nbinom2",),
        _epil,
    ),
    Study(
        "cbpp",
        0,
        "p(incidence, size) ~ period + (1 | herd)",
        "binomial",
        (LAPLACE, AGHQ25, ADAPTIVE25, "glmmTMB Laplace binomial"),
        _cbpp,
    ),
    Study("cbpp rows", 1, "p(incidence, size) ~ period + (1 | herd) + (1 | obs)", "binomial", (LAPLACE,), _cbpp),
    Study("sleepstudy", 0, "Reaction ~ Days + (Days | Subject)", "gaussian", (LMER,)),
    Study("sleepstudy uncorrelated", 1, "Reaction ~ Days + (Days || Subject)", "gaussian", (LMER,)),
    Study("sleepstudy intercepts", 2, "Reaction ~ Days + (1 | Subject)", "gaussian", (LMER,)),
    Study("salamander_mating", 0, "Mate ~ 0 + Cross + (1 | Female) + (1 | Male)", "bernoulli", (LAPLACE,)),
    Study("salamander_mating effects", 1, "Mate ~ fW * mW + (1 | Female) + (1 | Male)", "bernoulli", (LAPLACE,)),
    Study(
        "contraception",
        0,
        f"{_CONTRACEPTION} + (1 | district)",
        "bernoulli",
        (LAPLACE, AGHQ25),
        _contraception,
        _SQUARE,
    ),
    Study(
        "contraception slopes",
        1,
        f"{_CONTRACEPTION} + (1 + urb | district)",
        "bernoulli",
        (LAPLACE, "GLMMadaptive::mixed_model AGHQ nAGQ=11"),
        _contraception,
        _SQUARE,
    ),
    Study(
        "contraception children",
        2,
        "y ~ age + livch + urban + (1 | district)",
        "bernoulli",
        (LAPLACE, AGHQ25),
        _contraception,
    ),
    Study("verbagg", 0, "y ~ Anger + Gender + btype + situ + (1 | id) + (1 | item)", "bernoulli", (LAPLACE,)),
    Study("webworms", 0, "y ~ spray * lead + (1 | block) + (1 | plot)", "poisson", (LAPLACE,), _webworms),
    Study(
        "webworms overdispersed",
        1,
        "y ~ spray * lead + (1 | block) + (1 | plot)",
        "negative_binomial",
        ("glmmTMB Laplace nbinom2",),
        _webworms,
    ),
    Study("oats_splitplot", 0, "yield ~ nitro + Variety + (1 | Block/Variety)", "gaussian", (LMER,)),
    Study("owls", 0, _OWLS, "poisson", (LAPLACE, AGHQ25)),
    Study("owls overdispersed", 2, _OWLS, "negative_binomial", ("glmmTMB Laplace nbinom2",)),
    Study("salamanders_glmmTMB", 0, "count ~ mined + spp + (1 | site)", "poisson", (LAPLACE,), _salamanders),
    Study(
        "salamanders_glmmTMB overdispersed",
        1,
        "count ~ mined + spp + (1 | site)",
        "negative_binomial",
        ("glmmTMB Laplace nbinom2",),
        _salamanders,
    ),
    Study(
        "arabidopsis",
        0,
        "fruits ~ nut * amd + rack + status + (1 | popu) + (1 | gen)",
        "negative_binomial",
        ("glmmTMB Laplace nbinom2",),
        _arabidopsis,
    ),
    Study(
        "insteval",
        0,
        "y ~ service + (1 | s) + (1 | d) + (1 | dept:service)",
        "gaussian",
        (LMER,),
        _insteval,
        slow=True,
    ),
)


def reference_cases() -> list[Case]:
    """All fits by maximum likelihood of models that are here."""
    return [Case(study, method) for study in STUDIES for method in study.methods]


def study_named(name: str) -> Study:
    """The study of that name."""
    return {study.name: study for study in STUDIES}[name]
