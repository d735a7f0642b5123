"""Small posteriors for the tests of effects: no sampling, three draws, a random slope and a crossed factor."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec

BETA = np.array([[-0.5, 0.8, 0.4, -0.3], [-0.2, 0.6, 0.5, -0.6], [0.1, 0.9, 0.2, 0.1]])


def frame(rows: int = 60) -> pd.DataFrame:
    """Rows with a number, a category and two crossed groups."""
    rng = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "y": np.arange(rows) % 2,
            "x": rng.normal(size=rows).round(2),
            "dose": np.resize(["low", "mid", "high"], rows),
            "g": np.repeat([f"g{i}" for i in range(6)], rows // 6),
            "h": np.resize(list("abcde"), rows),
        }
    )


def logistic(link: str = "logit", family: str = "bernoulli") -> Posterior:
    """``y ~ x + dose + (x | g) + (1 | h)`` with random effects that are not 0."""
    rng = np.random.default_rng(3)
    G = np.array([[1.2, 0.3], [0.3, 0.5]]) * np.array([1.0, 1.5, 0.7])[:, None, None]
    return posterior_at(
        ModelSpec.from_formula("y ~ x + dose + (x | g) + (1 | h)", family=family, link=link),
        frame(),
        BETA,
        {"g": G, "h": np.array([0.4, 0.2, 0.9])[:, None, None]},
        u={"g": rng.normal(size=(3, 6, 2)), "h": rng.normal(size=(3, 5, 1))},
    )


def intercepts(link: str, family: str = "bernoulli", variance: float = 2.0) -> Posterior:
    """``y ~ x + dose + (1 | g)``."""
    return posterior_at(
        ModelSpec.from_formula("y ~ x + dose + (1 | g)", family=family, link=link),
        frame(),
        BETA,
        {"g": np.array([1.0, 0.5, 2.0])[:, None, None] * variance},
    )
