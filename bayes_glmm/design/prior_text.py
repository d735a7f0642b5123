"""Priors in words: short numbers, where a default comes from, and what it allows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayes_glmm.design.canonical_columns import DefaultSpan
from bayes_glmm.design.design import Design
from bayes_glmm.design.predictor import Predictor
from bayes_glmm.design.scale import middle, spread, weights
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.spec import ModelSpec, Prior

_SHOWN = 3  # centres


def brief(prior: Prior) -> str:
    """A prior with numbers to four digits, for reading; ``str(prior)`` has all of them."""
    positional = tuple(_short(value) for value in prior.positional)
    keyword = tuple((name, _short(value)) for name, value in prior.keyword)
    return str(replace(prior, positional=positional, keyword=keyword))


def _short(value):  # type: ignore[no-untyped-def]
    if isinstance(value, tuple):
        return tuple(_short(one) for one in value)
    return value if isinstance(value, int) else float(f"{value:.4g}")


def span_source(predictor: Predictor, described: DefaultSpan, centre: np.ndarray) -> str:
    """Where the default prior of a parameter's coefficients comes from."""
    if not described.columns:
        return "default"
    count = len(described.columns)
    text = f"default, span of {count} column{'' if count == 1 else 's'}"
    names, X = predictor.coefficients, predictor.X
    away = np.abs(centre) > 1e-9 * np.abs(X).max(axis=0, initial=0.0)  # less is rounding
    positions = [j for j, name in enumerate(names) if name in described.columns and away[j]]
    shown = [f"{names[j]} = {centre[j]:.5g}" for j in positions if not _coded(X[:, j])]
    if not shown:
        return text
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return f"{text}, centre {', '.join(shown[:_SHOWN])}{more}"


def _coded(column: np.ndarray) -> bool:
    """Whether a column is the indicator of a level."""
    return bool(np.isin(column, (0.0, 1.0)).all())


def weight_of_the_prior(spec: ModelSpec, design: Design, leverage: np.ndarray, reach: float) -> tuple[str, ...]:
    """What the default prior of the coefficients allows each row, and how many rows it is worth.

    Parameters
    ----------
    spec : ModelSpec
    design : Design
    leverage : array [row]
        The prior variance of a linear predictor about its centre, for canonical coefficients with sd 1.
    reach : float
        Prior sd of a canonical coefficient.
    """
    typical = reach * float(np.sqrt(np.average(leverage, weights=weights(design))))
    worst = reach * float(np.sqrt(leverage.max()))
    allowed = (
        f"Prior sd of the linear predictor about its centre: {typical:.3g} in a typical row, {worst:.3g} in the most "
        "extreme row."
    )
    if spec.family.categories:  # whose information has no closed form
        return (allowed,)
    with np.errstate(all="ignore"):
        eta = middle(spec, design)
        mu, slope = spec.link.inverse(eta, NUMPY), spec.link.derivative(eta, NUMPY)
        further = spec.family.auxiliary.items()
        plain = {name: one.middle if spec.own else 3.0 for name, one in further}
        unit = {name: spread(spec, design) if one.of_response else plain[name] for name, one in further}
        rows = float(spec.family.located_variance_of(mu, unit) / (slope * reach) ** 2)
    if not (np.isfinite(rows) and rows > 0):
        return (allowed,)
    return allowed, f"The default prior of the coefficients weighs as much as {rows:.2g} rows per direction."
