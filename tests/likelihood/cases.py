"""Small data sets of every family and structure, with parameters to evaluate likelihoods at."""

from __future__ import annotations

import numpy as np
import pandas as pd

import bayes_glmm as bg
from bayes_glmm.likelihood import Likelihood, Parameters, likelihood_of

STRUCTURES = {
    "intercept": "(1 | g)",
    "correlated": "(x | g)",
    "crossed": "(x | g) + (1 | h)",
    "nested": "(1 | k / h)",
    "three factors": "(x | g) + (x || h) + (1 | k)",
    "none": "",
}
_AUXILIARY = {"sigma": 1.1, "nu": 5.0, "phi": 2.3, "zi": 0.3, "shape": 1.7, "hu": 0.35, "zoi": 0.4, "coi": 0.7}


def data() -> pd.DataFrame:
    rng = np.random.default_rng(20)
    n = 150
    factors = {name: rng.integers(0, levels, n).astype(str) for name, levels in (("g", 20), ("h", 9), ("k", 4))}
    responses = {
        "binary": rng.integers(0, 2, n),
        "count": rng.poisson(2, n),
        "real": rng.normal(size=n),
        "positive": rng.gamma(2, 1, n),
        "fraction": rng.beta(2, 3, n),
        "trials": rng.integers(1, 9, n),
    }
    frame = pd.DataFrame({"x": rng.normal(size=n), **factors, **responses})
    frame["successes"] = rng.binomial(frame["trials"], 0.4)
    frame["nonnegative"] = frame["positive"] * (rng.uniform(size=n) < 0.7)
    frame["closed_fraction"] = np.clip(1.4 * frame["fraction"] - 0.2, 0.0, 1.0)
    frame["positive_count"] = 1 + frame["count"]
    frame["ordered"] = rng.integers(1, 5, n)
    frame["unordered"] = rng.integers(1, 5, n)
    return frame


def model(family: str, structure: str, link: str | None = None) -> bg.GLMM:
    kind = bg.FAMILIES[family].response.name
    response = {"successes": "p(successes, trials)"}.get(kind, kind)
    terms = ["x", *([STRUCTURES[structure]] if STRUCTURES[structure] else [])]
    return bg.GLMM(f"{response} ~ {' + '.join(terms)}", data(), family=family, link=link)


def likelihood(family: str, structure: str, link: str | None = None) -> Likelihood:
    made = model(family, structure, link)
    return likelihood_of(made.spec, made.design)


def parameters(of: Likelihood, seed: int = 0) -> Parameters:
    """Parameters away from any maximum, where no gradient vanishes by chance."""
    rng = np.random.default_rng(seed)
    L = {}
    for block in of.design.blocks:
        size = len(block.effects)
        full = np.tril(0.3 * rng.normal(size=(size, size))) + 0.6 * np.eye(size)
        within = np.zeros((size, size))  # effects of one run are correlated with one another alone
        for run in block.runs:
            within[run, run] = 1.0
        L[block.group] = within * full
    positive = of.spec.link.range in ("positive", "nonzero") or of.spec.link_name == "identity"
    beta = np.array([0.4 if positive else 0.1, 0.2])
    if of.spec.family.shared_formula:  # a predictor for each category but the first
        beta = np.concatenate([beta + 0.3 * k for k in range(len(of.spec.predicted))])
    return Parameters(beta, L, {name: _AUXILIARY.get(name, 0.7) for name in of.spec.auxiliary})
