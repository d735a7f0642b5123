"""The mean of a row under each reading of its random effects, draw by draw. One reading is one row of ``READINGS``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayes_glmm.design import Design, Predictors
from bayes_glmm.effects.integrate import average_over_normal, averaged_predictor, variance_of_predictor
from bayes_glmm.effects.patterns import same_variance, split_blocks, take
from bayes_glmm.effects.table import Average, by_table
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import Draws, conditional_predictor

# each its own kind of random number; above 0, because a seed [s, 1] and a seed [s, 1, 0] are one to NumPy
FRESH, UNSEEN, OUTCOME = 1, 2, 3


@dataclass(frozen=True)
class Reading:
    """What is done with the random effects.

    Attributes
    ----------
    name : str
        As written in a call.
    label : str
        As printed beside the estimate.
    kept : tuple of str
        Grouping factors whose own level counts: the row's u is used. The reading is about the others.
    """

    name: str
    label: str
    kept: tuple[str, ...] = ()


READINGS: dict[str, Reading] = {
    reading.name: reading
    for reading in (
        Reading("integrated", label="population-averaged"),
        Reading("zero", label="conditional (u = 0)"),
        Reading("known", label="conditional (this group)"),
        Reading("new", label="new group"),
        Reading("known_or_new", label="conditional (this or a new group)"),
    )
}


def readings(
    random_effects: str | Sequence[str], design: Design, keep: str | Sequence[str] = ()
) -> tuple[Reading, ...]:
    """The readings of those names; one name may stand alone.

    Parameters
    ----------
    random_effects : str or sequence of str
        Names in ``READINGS``.
    design : Design
    keep : str or sequence of str
        Grouping factors at whose own levels to stay; ``known`` and ``known_or_new`` keep all.

    Raises
    ------
    SpecError
        For a name that is not in ``READINGS``, none at all, or a factor that the model does not have.
    """
    names = _several(random_effects)
    factors = tuple(block.group for block in design.blocks)
    kept = _several(keep)
    for name in names:
        if name not in READINGS:
            raise SpecError(f"random_effects cannot be {name!r}.", advice=choices(name, READINGS))
    if not names:
        raise SpecError("random_effects is empty.", advice=choices("", READINGS))
    for group in kept:
        if group not in factors:
            raise SpecError(f"The model has no grouping factor {group!r} to keep.", advice=choices(group, factors))
    given = f" given {', '.join(kept)}" if kept else ""
    return tuple(
        replace(READINGS[name], kept=factors)
        if name in ("known", "known_or_new")
        else replace(READINGS[name], label=READINGS[name].label + given, kept=kept)
        for name in dict.fromkeys(names)
    )


def _several(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def kept_factors(chosen: Sequence[Reading]) -> tuple[str, ...]:
    """Grouping factors whose levels matter to any of the readings."""
    return tuple(dict.fromkeys(group for reading in chosen for group in reading.kept))


def fresh_effects(posterior: Posterior, seed: int) -> dict[str, np.ndarray]:
    """One new level of each grouping factor, u ~ N(0, G) [draw, effect], the same for all rows of a call."""
    return {
        block.group: drawn_effects(posterior.root(block.group), np.random.default_rng([seed, FRESH, i]))
        for i, block in enumerate(posterior.design.blocks)
    }


def drawn_effects(root: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One u = L z, z ~ N(0, I), per draw [draw, effect], from roots L [draw, effect, effect]."""
    return np.einsum("dij,dj->di", root, rng.standard_normal(root.shape[:2]))


def predictor(
    posterior: Posterior,
    predictors: Predictors,
    reading: Reading,
    draws: slice,
    fresh: dict[str, np.ndarray] | None = None,
) -> np.ndarray:
    """The linear predictor [draw, row]: kept factors at the row's own u, others at a fresh u for ``new``, else at 0."""
    kept, others = split_blocks(predictors, reading.kept)
    eta = conditional_predictor(posterior, kept, draws)
    if reading.name == "new":
        for block in others.blocks:
            eta += (fresh or {})[block.group][draws] @ block.values.T
    return eta


def mean_response(
    posterior: Posterior,
    predictors: Predictors,
    reading: Reading,
    draws: slice = slice(None),
    fresh: dict[str, np.ndarray] | None = None,
    scale: str = "response",
) -> np.ndarray:
    """The mean of the response [draw, row], on the scale of the response or of the link.

    Raises
    ------
    SpecError
        As :func:`~bayes_glmm.effects.integrate.average_over_normal`.
    """
    link = posterior.spec.link
    eta = predictor(posterior, predictors, reading, draws, fresh)
    if reading.name == "integrated":
        average = averaged_predictor if scale == "link" else average_over_normal
        _, others = split_blocks(predictors, reading.kept)
        return over_effects(posterior, average, others, eta, draws)
    if scale == "link":
        return eta
    with np.errstate(over="ignore", divide="ignore"):
        return np.asarray(link.inverse(eta, NUMPY), float)


def over_effects(
    posterior: Posterior, average: Average, predictors: Predictors, eta: np.ndarray, draws: Draws
) -> np.ndarray:
    """``average(link, eta, variance)`` over the random effects of rows [draw, row]; by a table where that is faster.

    Parameters
    ----------
    posterior : Posterior
    average : function
        Such as :func:`~bayes_glmm.effects.integrate.average_over_normal`.
    predictors : Predictors
        With the factors to average over.
    eta : array [draw, row]
        Linear predictor without them.
    draws : slice or array
    """
    if same_variance(predictors):
        variance = variance_of_predictor(posterior, take(predictors, np.zeros(1, int)), draws=draws)
        return by_table(average, posterior.spec.link, eta, variance)
    return average(posterior.spec.link, eta, variance_of_predictor(posterior, predictors, draws=draws))
