"""Thresholds of ordered categories in the PyMC model: a vector in order, with the priors of its entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_glmm.errors import SpecError
from bayes_glmm.model.variables import log_density
from bayes_glmm.names import ADJACENT
from bayes_glmm.spec import Prior

_ATTEMPTS = 1000


def ordered_thresholds(name: str, priors: Sequence[Prior]) -> pt.TensorVariable:
    """Thresholds with these priors, restricted to increasing order, along ``adjacent``.

    Parameters
    ----------
    name : str
    priors : sequence of Prior
        One a threshold.

    Returns
    -------
    tensor [threshold]
    """
    count = len(priors)

    def logp(value: Any, _: Any) -> Any:
        own = log_density(priors, value)
        return own if count == 1 else pt.switch(pt.all(value[1:] > value[:-1]), own, -np.inf)

    def random(_: Any, rng: np.random.Generator, size: Any = None) -> np.ndarray:
        shape = () if size is None else tuple(size)
        return np.array([_drawn(priors, rng) for _ in range(int(np.prod(shape)))]).reshape(*shape, count)

    return pm.CustomDist(
        name,
        np.zeros(count),
        logp=logp,
        random=random,
        signature="(k)->(k)",
        dims=ADJACENT,
        transform=pm.distributions.transforms.ordered,
        initval=np.arange(count) - 0.5 * (count - 1.0),
    )


def _drawn(priors: Sequence[Prior], rng: np.random.Generator) -> np.ndarray:
    """One draw: those of one prior sorted, of several until they are in order."""
    alike = len(set(priors)) == 1
    for _ in range(_ATTEMPTS):
        values = np.array([_draw(prior, rng) for prior in priors])
        if alike or (np.diff(values) > 0).all():
            return np.sort(values)
    raise SpecError("Of thresholds with these priors hardly any are in order.", "priors", "Set 'threshold' for all.")


def _draw(prior: Prior, rng: np.random.Generator) -> float:
    if prior.distribution not in _NAMES:
        raise SpecError(
            f"Nothing can be drawn from the prior {prior} of thresholds.", "priors", "Write a normal one: Normal(0, 2)."
        )
    names = _NAMES[prior.distribution]
    given = dict(zip(names, prior.positional, strict=False)) | dict(prior.keyword)
    for precision in ("tau", "lam"):
        if precision in given:
            given["sigma"] = float(given[precision]) ** -0.5  # type: ignore[arg-type]
    arguments = [float(given.get(name, default)) for name, default in names.items()]  # type: ignore[arg-type]
    return _DRAWS[prior.distribution](rng, *arguments)


_NAMES: dict[str, dict[str, float]] = {
    "Normal": {"mu": 0.0, "sigma": 1.0},
    "StudentT": {"nu": 1.0, "mu": 0.0, "sigma": 1.0},
    "Cauchy": {"alpha": 0.0, "beta": 1.0},
    "Laplace": {"mu": 0.0, "b": 1.0},
    "Logistic": {"mu": 0.0, "s": 1.0},
}
_DRAWS: dict[str, Callable[..., float]] = {
    "Normal": lambda rng, mu, sigma: rng.normal(mu, sigma),
    "StudentT": lambda rng, nu, mu, sigma: mu + sigma * rng.standard_t(nu),
    "Cauchy": lambda rng, alpha, beta: alpha + beta * rng.standard_cauchy(),
    "Laplace": lambda rng, mu, b: rng.laplace(mu, b),
    "Logistic": lambda rng, mu, s: rng.logistic(mu, s),
}
