r"""Families of categories without an order: categorical.

P(y = k | u) is proportional to e^eta_k, with eta_1 = 0 of the reference, the first category, and a linear predictor,
the log odds of k against it, of each other one (McFadden 1974). A parameter is called after its category, as brms has
it: ``mub`` for "b".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from bayes_glmm.errors import SpecError
from bayes_glmm.families.family import Family
from bayes_glmm.families.functional import CATEGORY, Functional
from bayes_glmm.families.kind import UNORDERED
from bayes_glmm.families.parameter import Parameter
from bayes_glmm.families.response import Response
from bayes_glmm.families.value import At
from bayes_glmm.names import LOCATION
from bayes_glmm.numerics.functions import NUMPY


def _no_mean(at: At) -> Any:
    raise SpecError("Categories without an order have no mean.", advice="Ask for part='category', their probabilities.")


@cache
def categorical(labels: tuple[str, ...]) -> Family:
    """The categorical family with these categories, the reference first; 2 at least."""
    names = _parameters(labels)

    def log_density(y: Response, at: At, f: Any) -> Any:
        # -log(1 + sum of e^(eta_j - eta_k) over the others), which keeps its digits where p is near 1
        k, etas = y.values, [at[name].eta for name in names]
        own = 0.0
        for j, eta in enumerate(etas, start=2):
            own = own + f.where(k > j - 0.5, f.where(k < j + 0.5, eta, 0.0), 0.0)
        others = 0.0 - own
        for j, eta in enumerate(etas, start=2):
            distance = eta - own
            added = others + f.softplus(distance - others)
            if j == 2:  # the first of the others of the reference
                added = f.where(k < 1.5, distance, added)
            others = f.where(k > j - 0.5, f.where(k < j + 0.5, others, added), added)
        return -f.softplus(others)

    def weights(at: At) -> np.ndarray:
        etas = np.broadcast_arrays(*(at[name].eta for name in names))
        logits = np.stack([np.zeros_like(etas[0]), *etas])
        return np.exp(logits - logits.max(axis=0))

    def draw(rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
        below = np.cumsum(weights(at), axis=0)
        uniform = rng.uniform(size=below.shape[1:]) * below[-1]
        return 1.0 + np.sum(uniform > below[:-1], axis=0)

    def every(at: At) -> np.ndarray:
        each = weights(at)
        return each / each.sum(axis=0)

    def category(k: int) -> Functional:
        def value(at: At) -> Any:
            return np.exp(log_density(Response(float(k)), at, NUMPY))

        return Functional(CATEGORY, "probability of each category", names, value, range="unit", every=every)

    return Family(
        "categorical",
        title="categorical",
        parameters=tuple(
            Parameter(
                name,
                ("logit",),
                "unit",
                title=f"log odds of {label} against {labels[0]}",
                middle=0.5,
                reach=2.5,
                sd=2.5,
            )
            for name, label in zip(names, labels[1:], strict=True)
        ),
        response=UNORDERED,
        variance=_no_mean,
        log_density=log_density,
        draw=draw,
        mean=Functional("mean", "mean", names, _no_mean),
        with_categories=categorical,
        categories=len(labels),
        by_category={CATEGORY: tuple(category(k) for k in range(1, len(labels) + 1))},
        shared_formula=True,
        correlated_priors=0.5,
        equation="Categorical({categories})",
        elsewhere={"brms": "categorical", "Bambi": "categorical"},
    )


def _parameters(labels: Sequence[str]) -> tuple[str, ...]:
    """Names made of the letters and digits of labels; of their numbers where those do not tell all of them apart."""
    names = [re.sub(r"[\W_]", "", label) for label in labels[1:]]
    if not all(names) or len(set(names)) < len(names):
        names = [str(k) for k in range(2, len(labels) + 1)]
    return tuple(f"{LOCATION}{name}" for name in names)


CATEGORICAL = categorical(("1", "2"))
