"""The mean of a row under each reading of its random effects, draw by draw. One reading is one row of ``READINGS``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayes_glmm.design import Design, Predictors
from bayes_glmm.effects.expect import expectations, over_effects, values_of
from bayes_glmm.effects.integrate import averaged_predictor
from bayes_glmm.effects.patterns import split_blocks
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.families import Functional
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import conditional_predictor

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


def linear_predictors(
    posterior: Posterior,
    predictors: Predictors,
    reading: Reading,
    draws: slice,
    fresh: dict[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """The linear predictor of each parameter [draw, row].

    Kept factors are at the row's own u, others at a fresh u for ``new``, else at 0.
    """
    kept, others = split_blocks(predictors, reading.kept)
    found = {}
    for name in predictors.parameters:
        found[name] = conditional_predictor(posterior, kept, draws, name)
        if reading.name == "new":
            for block in others.blocks:
                of = block.of(name)
                found[name] += (fresh or {})[block.group][draws][:, of] @ block.values[:, of].T
    return found


def mean_response(
    posterior: Posterior,
    predictors: Predictors,
    reading: Reading,
    draws: slice = slice(None),
    fresh: dict[str, np.ndarray] | None = None,
    scale: str = "response",
    part: Functional | None = None,
) -> np.ndarray:
    """The mean of the response, or another part of it [draw, row], on its own scale or that of the link.

    Raises
    ------
    SpecError
        As :func:`~bayes_glmm.effects.expect.expect`.
    """
    spec, asked = posterior.spec, part or posterior.spec.family.mean
    if scale == "response":
        return parts_of_response(posterior, predictors, reading, (asked,), draws, fresh)[0]
    eta = linear_predictors(posterior, predictors, reading, draws, fresh)
    _, others = split_blocks(predictors, reading.kept)
    if asked.reads == (asked.factor,) and asked.factor in eta:
        # without the detour over a mean that may round to 0 or 1
        if reading.name != "integrated":
            return eta[asked.factor]
        link = spec.link_of_part(asked)
        return over_effects(posterior, averaged_predictor, others, eta[asked.factor], draws, asked.factor, link)
    (found,) = parts_of_response(posterior, predictors, reading, (asked,), draws, fresh)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(spec.link_of_part(asked).forward(found, NUMPY), float)


def parts_of_response(
    posterior: Posterior,
    predictors: Predictors,
    reading: Reading,
    parts: Sequence[Functional],
    draws: slice = slice(None),
    fresh: dict[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Parts of the response [part, draw, row]: one, or one part for several categories, which share the work.

    Raises
    ------
    SpecError
        As :func:`~bayes_glmm.effects.expect.expect`.
    """
    eta = linear_predictors(posterior, predictors, reading, draws, fresh)
    if reading.name != "integrated":
        return values_of(posterior, parts, eta, draws)
    _, others = split_blocks(predictors, reading.kept)
    return expectations(posterior, parts, others, eta, draws)
