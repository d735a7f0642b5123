"""Thresholds of ordered categories in the PyMC model: a vector in order or of a pattern, with priors of its entries.

The prior of thresholds of a pattern is the product of their densities on the thresholds that the pattern allows, an
affine space. It is proper: some of the thresholds determine all, and the densities of the others are bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_glmm.design import Design, Priors
from bayes_glmm.errors import SpecError
from bayes_glmm.families.thresholds import determining, threshold_columns
from bayes_glmm.likelihood.priors import density_of
from bayes_glmm.model.variables import log_density
from bayes_glmm.names import ADJACENT, THRESHOLD_BASE
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.spec import Prior

_ATTEMPTS = 1000
_AT_ONCE = 2000  # proposals of thresholds of a pattern


def add_later_thresholds(
    design: Design, priors: Priors, beta: pt.TensorVariable | None, constants: Mapping[str, pt.TensorVariable]
) -> None:
    """Add the priors of the second and later thresholds to the model in context, where steps are its constants.

    The first threshold is less the first coefficient, whose own prior is among those of the coefficients.
    """
    if priors.thresholds[1:] and beta is not None:
        later = pt.cumsum(pt.stack([constants[name] for name in design.steps])) - beta[0]
        pm.Potential("log_prior_thresholds", log_density(priors.thresholds[1:], later))


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


def tied_thresholds(name: str, priors: Sequence[Prior], steps: Sequence[str], ordered: bool) -> pt.TensorVariable:
    """Thresholds of a pattern, with the product of these priors as their density, along ``adjacent``.

    Parameters
    ----------
    name : str
    priors : sequence of Prior
        One a threshold.
    steps : sequence of str
        The constant that is the distance from each threshold to the next; those of one name are equal.
    ordered : bool
        Whether distances are positive.

    Returns
    -------
    tensor [threshold]
        A function of ``threshold_base``: the first threshold, then that plus the distinct distances, one after another.
    """
    columns = threshold_columns(tuple(steps))
    columns = columns @ (np.eye(columns.shape[1]) - np.eye(columns.shape[1], k=-1))  # of the base
    count = columns.shape[1]

    def logp(value: Any, _: Any) -> Any:
        own = log_density(priors, pt.dot(columns, value))
        return pt.switch(pt.all(value[1:] > value[:-1]), own, -np.inf) if ordered else own

    def random(_: Any, rng: np.random.Generator, size: Any = None) -> np.ndarray:
        shape = () if size is None else tuple(size)
        draws = [_drawn_tied(priors, columns, ordered, rng) for _ in range(int(np.prod(shape)))]
        return np.array(draws).reshape(*shape, count)

    base = pm.CustomDist(
        THRESHOLD_BASE,
        np.zeros(count),
        logp=logp,
        random=random,
        signature="(k)->(k)",
        **({"transform": pm.distributions.transforms.ordered} if ordered else {}),
        initval=np.arange(count) - 0.5 * (count - 1.0),
    )
    return pm.Deterministic(name, pt.dot(columns, base), dims=ADJACENT)


def _drawn_tied(priors: Sequence[Prior], columns: np.ndarray, ordered: bool, rng: np.random.Generator) -> np.ndarray:
    """One draw of the base by rejection: thresholds that determine the others, kept by the densities of these."""
    chosen = determining(columns)
    back = np.linalg.inv(columns[chosen])
    others = [k for k in range(len(columns)) if k not in chosen]
    alike = ordered and len({priors[k] for k in chosen}) == 1
    for _ in range(_ATTEMPTS):
        given = np.array([_draw(priors[k], rng, _AT_ONCE) for k in chosen])
        base = back @ (np.sort(given, axis=0) if alike else given)
        kept = (np.diff(base, axis=0) > 0).all(axis=0) if ordered else np.ones(_AT_ONCE, bool)
        weight = sum((_relative_density(priors[k], columns[k] @ base) for k in others), np.zeros(_AT_ONCE))
        kept &= np.log(rng.uniform(size=_AT_ONCE)) < weight
        if kept.any():
            return base[:, np.argmax(kept)]
    raise SpecError(
        "Thresholds with these priors hardly ever have this pattern.", "priors", "Draw from the posterior alone."
    )


def _relative_density(prior: Prior, values: np.ndarray) -> np.ndarray:
    """Log density of a prior over its largest, which is at its middle."""
    density = density_of(prior)
    return np.asarray(density.log(values, NUMPY) - density.log(np.float64(density.a), NUMPY))


def _drawn(priors: Sequence[Prior], rng: np.random.Generator) -> np.ndarray:
    """One draw: those of one prior sorted, of several until they are in order."""
    alike = len(set(priors)) == 1
    for _ in range(_ATTEMPTS):
        values = np.array([_draw(prior, rng) for prior in priors])
        if alike or (np.diff(values) > 0).all():
            return np.sort(values)
    raise SpecError("Of thresholds with these priors hardly any are in order.", "priors", "Set 'threshold' for all.")


def _draw(prior: Prior, rng: np.random.Generator, size: int | None = None) -> Any:
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
    return _DRAWS[prior.distribution](rng, size, *arguments)


_NAMES: dict[str, dict[str, float]] = {
    "Normal": {"mu": 0.0, "sigma": 1.0},
    "StudentT": {"nu": 1.0, "mu": 0.0, "sigma": 1.0},
    "Cauchy": {"alpha": 0.0, "beta": 1.0},
    "Laplace": {"mu": 0.0, "b": 1.0},
    "Logistic": {"mu": 0.0, "s": 1.0},
}
_DRAWS: dict[str, Callable[..., Any]] = {
    "Normal": lambda rng, size, mu, sigma: rng.normal(mu, sigma, size),
    "StudentT": lambda rng, size, nu, mu, sigma: mu + sigma * rng.standard_t(nu, size),
    "Cauchy": lambda rng, size, alpha, beta: alpha + beta * rng.standard_cauchy(size),
    "Laplace": lambda rng, size, mu, b: rng.laplace(mu, b, size),
    "Logistic": lambda rng, size, mu, s: rng.logistic(mu, s, size),
}
