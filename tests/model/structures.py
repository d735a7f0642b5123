"""Small models of every structure, each with its linear predictor written out by hand.

A point holds the parameters as a person would state them: coefficients, sds, correlations, standardised effects. From
it ``log_prior`` and ``log_likelihood`` recompute log p with SciPy alone, without the design, the families or PyMC.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats

import bayes_glmm as bg
from tests.model.distributions import distribution

Levels = Mapping[str, np.ndarray]
ROWS = 24


def small_data() -> pd.DataFrame:
    """Rows with two crossed factors, a nested one, covariates, an exposure and trials."""
    rng = np.random.default_rng(11)
    i = np.arange(ROWS)
    return pd.DataFrame(
        {
            "x": rng.normal(size=ROWS).round(3),
            "w": rng.normal(size=ROWS).round(3),
            "f": np.array(["p", "q", "r"])[i % 3],
            "g": np.array(["a", "b", "c", "d"])[i % 4],
            "h": np.array(["s", "t", "v"])[(i // 4) % 3],
            "class": 1 + (i // 2) % 2,
            "t": rng.uniform(0.5, 3.0, ROWS).round(3),
            "n": rng.integers(2, 9, ROWS),
            "y": rng.normal(1.0, 2.0, ROWS).round(3),
            "k": rng.integers(0, 3, ROWS),
        }
    )


def code(column: pd.Series) -> np.ndarray:
    """Position of each value among the sorted values."""
    return np.searchsorted(np.unique(column), column)


@dataclass(frozen=True)
class Structure:
    """A formula, and by hand what it means.

    Attributes
    ----------
    name, formula, family : str
    coefficients : tuple of str
    effects : mapping of group to tuple of str
    levels : mapping of group to int
    runs : mapping of group to tuple of int
        Sizes of the runs of correlated effects.
    eta : function
        ``(data, beta, u) -> eta`` with ``u[group]`` [level, effect].
    """

    name: str
    formula: str
    family: str
    coefficients: tuple[str, ...]
    effects: Mapping[str, tuple[str, ...]]
    levels: Mapping[str, int]
    runs: Mapping[str, tuple[int, ...]]
    eta: Callable[[pd.DataFrame, np.ndarray, Levels], np.ndarray]
    priors: Mapping[str, str] = field(default_factory=dict)

    @property
    def states_coefficients(self) -> bool:
        """Whether every coefficient has a stated prior; else every one has the default."""
        stated = {"beta", *self.coefficients} & set(self.priors)
        assert stated in (set(), {"beta"}, set(self.coefficients))
        return bool(stated)

    def model(self) -> bg.GLMM:
        """The model, with its priors for this structure's parameters."""
        return bg.GLMM(self.formula, small_data(), family=self.family, priors=dict(self.priors))


X = ("Intercept", "x")
I = ("Intercept",)  # noqa: E741

STRUCTURES = (
    Structure(
        "correlated", "y ~ x + (x | g)", "gaussian", X, {"g": X}, {"g": 4}, {"g": (2,)},
        lambda d, b, u: b[0] + b[1] * d.x + u["g"][code(d.g), 0] + u["g"][code(d.g), 1] * d.x,
        {"sd": "HalfNormal(2)", "corr": "LKJ(1.5)", "sigma": "Exponential(1.5)"},
    ),
    Structure(
        "three correlated", "y ~ x + w + (x + w | g)", "gaussian", (*X, "w"), {"g": (*X, "w")}, {"g": 4}, {"g": (3,)},
        lambda d, b, u: b[0] + b[1] * d.x + b[2] * d.w
        + (u["g"][code(d.g)] * np.column_stack([np.ones(ROWS), d.x, d.w])).sum(axis=1),
        {"sd": "HalfStudentT(3, 2)", "corr": "LKJ(3)", "sigma": "HalfNormal(2)"},
    ),
    Structure(
        "uncorrelated", "y ~ x + (x || g)", "gaussian", X, {"g": X}, {"g": 4}, {"g": (1, 1)},
        lambda d, b, u: b[0] + b[1] * d.x + u["g"][code(d.g), 0] + u["g"][code(d.g), 1] * d.x,
        {"sd_g[Intercept]": "HalfNormal(2)", "sd_g[x]": "HalfNormal(0.5)"},
    ),
    Structure(
        "part correlated", "y ~ x + (x | g) + (0 + w | g)", "gaussian", X, {"g": (*X, "w")}, {"g": 4}, {"g": (2, 1)},
        lambda d, b, u: b[0] + b[1] * d.x
        + (u["g"][code(d.g)] * np.column_stack([np.ones(ROWS), d.x, d.w])).sum(axis=1),
        {"sd": "Exponential(0.7)", "corr_g": "LKJ(eta=2)"},
    ),
    Structure(
        "two correlated pairs", "y ~ x + (x | g) + (0 + f | g)", "gaussian", X,
        {"g": (*X, "f[p]", "f[q]", "f[r]")}, {"g": 4}, {"g": (2, 3)},
        lambda d, b, u: b[0] + b[1] * d.x + u["g"][code(d.g), 0] + u["g"][code(d.g), 1] * d.x
        + u["g"][code(d.g), 2 + code(d.f)],
        {"sd": "Gamma(2, 3)", "corr_g": "LKJ(1)"},
    ),
    Structure(
        "nested", "y ~ x + (1 | h/class)", "gaussian", X, {"h": I, "h:class": I}, {"h": 3, "h:class": 6},
        {"h": (1,), "h:class": (1,)},
        lambda d, b, u: b[0] + b[1] * d.x + u["h"][code(d.h), 0] + u["h:class"][2 * code(d.h) + code(d["class"]), 0],
        {"sd_h": "HalfNormal(1)", "sd_h:class": "HalfCauchy(1)"},
    ),
    Structure(
        "crossed", "k ~ x + (1 | g) + (0 + x | h)", "poisson", X, {"g": I, "h": ("x",)}, {"g": 4, "h": 3},
        {"g": (1,), "h": (1,)},
        lambda d, b, u: b[0] + b[1] * d.x + u["g"][code(d.g), 0] + u["h"][code(d.h), 0] * d.x,
    ),
    Structure(
        "offset", "k ~ x + offset(log(t)) + (1 | g)", "poisson", X, {"g": I}, {"g": 4}, {"g": (1,)},
        lambda d, b, u: np.log(d.t) + b[0] + b[1] * d.x + u["g"][code(d.g), 0],
    ),
    Structure(
        "trials", "p(k, n) ~ x + (1 | g)", "binomial", X, {"g": I}, {"g": 4}, {"g": (1,)},
        lambda d, b, u: b[0] + b[1] * d.x + u["g"][code(d.g), 0],
    ),
    Structure(
        "no intercept", "y ~ 0 + f + (1 | g)", "gaussian", ("f[p]", "f[q]", "f[r]"), {"g": I}, {"g": 4}, {"g": (1,)},
        lambda d, b, u: b[code(d.f)] + u["g"][code(d.g), 0],
        {"beta": "StudentT(4, 1, sigma=2)"},
    ),
    Structure(
        "no fixed effects", "y ~ 0 + (1 | g)", "gaussian", (), {"g": I}, {"g": 4}, {"g": (1,)},
        lambda d, b, u: u["g"][code(d.g), 0],
    ),
    Structure(
        "no fixed effects but an offset", "k ~ 0 + offset(log(t)) + (1 | g)", "poisson", (), {"g": I}, {"g": 4},
        {"g": (1,)}, lambda d, b, u: np.log(d.t) + u["g"][code(d.g), 0],
    ),
    Structure(
        "no random effects", "y ~ x", "gaussian", X, {}, {}, {}, lambda d, b, u: b[0] + b[1] * d.x,
    ),
    Structure(
        "mixed priors", "y ~ x + w + (x || g)", "gaussian", (*X, "w"), {"g": X}, {"g": 4}, {"g": (1, 1)},
        lambda d, b, u: b[0] + b[1] * d.x + b[2] * d.w + u["g"][code(d.g), 0] + u["g"][code(d.g), 1] * d.x,
        {
            "Intercept": "StudentT(nu=3, mu=1, sigma=2)", "x": "Laplace(0, 1)", "w": "Cauchy(alpha=0.5, beta=2)",
            "sd_g[Intercept]": "InverseGamma(3, 2)", "sd_g[x]": "LogNormal(0, 0.5)", "sigma": "HalfCauchy(2)",
        },
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """Parameters of a model.

    Attributes
    ----------
    beta : array [coefficient]
    sd : mapping of group to array [effect]
    R : mapping of group to list of arrays
        A correlation matrix for each run of correlated effects.
    z : mapping of group to array [level, effect]
    auxiliary : mapping of name to float
    """

    beta: np.ndarray
    sd: Levels
    R: Mapping[str, list[np.ndarray]]
    z: Levels
    auxiliary: Mapping[str, float]

    def corr(self, group: str) -> np.ndarray:
        """The correlation matrix of a group [effect, effect]."""
        full = np.zeros((len(self.sd[group]),) * 2)
        starts = np.cumsum([0] + [len(run) for run in self.R[group]])
        for run, start in zip(self.R[group], starts, strict=False):
            full[start : start + len(run), start : start + len(run)] = run
        return full

    def G(self, group: str) -> np.ndarray:
        """The covariance matrix of a group [effect, effect]."""
        return np.outer(self.sd[group], self.sd[group]) * self.corr(group)

    @property
    def u(self) -> Levels:
        """Random effects by group [level, effect]: rows of z times the factor of G."""
        return {group: self.z[group] @ np.linalg.cholesky(self.G(group)).T for group in self.z}


def random_point(structure: Structure, seed: int) -> Point:
    """A point away from every mode and symmetry."""
    rng = np.random.default_rng(seed)
    auxiliary = {"gaussian": {"sigma": rng.uniform(0.5, 2.0)}}.get(structure.family, {})
    return Point(
        beta=rng.normal(0, 0.7, len(structure.coefficients)),
        sd={group: rng.uniform(0.2, 1.5, len(effects)) for group, effects in structure.effects.items()},
        R={group: [_correlations(rng, size) for size in runs] for group, runs in structure.runs.items()},
        z={
            group: rng.normal(size=(structure.levels[group], len(effects)))
            for group, effects in structure.effects.items()
        },
        auxiliary=auxiliary,
    )


def _correlations(rng: np.random.Generator, size: int) -> np.ndarray:
    A = rng.normal(size=(size, size + 1))
    scale = 1 / np.sqrt((A**2).sum(axis=1))
    return (A @ A.T) * np.outer(scale, scale)


def default_prior(structure: Structure) -> Any:
    """Default prior of coefficients whose span has the constant: N(mu0 a, S^2 M^-1), X a = 1, M = X'WX / sum W."""
    data, p = small_data(), len(structure.coefficients)
    none = {group: np.zeros((structure.levels[group], len(effects))) for group, effects in structure.effects.items()}
    offset = np.broadcast_to(structure.eta(data, np.zeros(p), none), ROWS)
    X = np.column_stack([structure.eta(data, unit, none) - offset for unit in np.eye(p)])
    trials = data["n"] if structure.family == "binomial" else np.ones(ROWS)
    middle, reach = {
        "gaussian": (data["y"].mean(), 2.5 * data["y"].std(ddof=0)),
        "poisson": (np.log(data["k"].sum() / np.exp(offset).sum()), 2.5),
        "binomial": (special.logit(data["k"].sum() / data["n"].sum()), 2.5),
    }[structure.family]
    M = X.T @ (np.asarray(trials)[:, None] * X) / np.sum(trials)
    return stats.multivariate_normal(middle * np.linalg.lstsq(X, np.ones(ROWS))[0], reach**2 * np.linalg.inv(M))


def log_prior(model: bg.GLMM, structure: Structure, point: Point) -> float:
    """Log prior density of (beta, sd, R, z, auxiliary)."""
    total = 0.0
    if structure.states_coefficients:
        for name, value in zip(structure.coefficients, point.beta, strict=True):
            total += distribution(model.priors[f"beta[{name}]"]).logpdf(value)
    elif structure.coefficients:
        total += default_prior(structure).logpdf(point.beta)
    for name, number in point.auxiliary.items():
        total += distribution(model.priors[name]).logpdf(number)
    for group, effects in structure.effects.items():
        total += stats.norm.logpdf(point.z[group]).sum()
        for effect, value in zip(effects, point.sd[group], strict=True):
            total += distribution(model.priors[f"sd_{group}[{effect}]"]).logpdf(value)
        for R in point.R[group]:
            if len(R) > 1:
                total += distribution(model.priors[f"corr_{group}"]).logpdf(R)
    return total


def log_likelihood(structure: Structure, point: Point) -> float:
    """Log likelihood given u."""
    data = small_data()
    eta = np.asarray(structure.eta(data, point.beta, point.u), float)
    if structure.family == "gaussian":
        return stats.norm(eta, point.auxiliary["sigma"]).logpdf(data["y"]).sum()
    if structure.family == "poisson":
        return stats.poisson(np.exp(eta)).logpmf(data["k"]).sum()
    return stats.binom(data["n"], special.expit(eta)).logpmf(data["k"]).sum()


def factor_density(R: np.ndarray) -> float:
    """Log |dR / dL|: what a density over R gains as one over its Cholesky factor L, prod L_ii^(n - i)."""
    diagonal = np.diag(np.linalg.cholesky(R))
    return float(sum((len(R) - i) * np.log(value) for i, value in enumerate(diagonal, start=1)))


def pairs(n: int) -> list[tuple[int, int]]:
    """Positions below the diagonal."""
    return [(i, j) for i, j in itertools.product(range(n), range(n)) if j < i]
