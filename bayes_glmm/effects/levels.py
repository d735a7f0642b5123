"""The levels of a grouping factor: their effects, and the place of each among all of them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from bayes_glmm.design import Design, RandomBlock
from bayes_glmm.effects.tidy import Estimates, tidy
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.posterior import Posterior
from bayes_glmm.summaries import Interval, IntervalKind


def ranef(
    posterior: Posterior, group: str | None = None, *, level: float = 0.95, interval: IntervalKind = "eti"
) -> Estimates:
    """Random effects of the levels of a grouping factor.

    Parameters
    ----------
    posterior : Posterior
    group : str, optional
        A grouping factor; by default all of them.
    level : float
        Posterior probability of the interval, between 0 and 1.
    interval : {"eti", "hdi"}
        Equal-tailed, or the shortest (highest density).

    Returns
    -------
    Estimates
        Labels: ``group``, ``level``, ``term``. Deviations from the coefficients, on the scale of the link; posterior
        medians, where lme4's ``ranef()`` has modes.

    Raises
    ------
    SpecError
        For a model without random effects, or an unknown grouping factor.
    """
    first = block_of(posterior.design, group)
    blocks = posterior.design.blocks if group is None else (first,)
    labels, draws = [], []
    for block in blocks:
        levels, terms = np.repeat(block.levels, len(block.effects)), np.tile(block.effects, len(block.levels))
        labels.append(pd.DataFrame({"group": block.group, "level": levels, "term": terms}))
        u = posterior.u(block.group)
        draws.append(u.reshape(len(u), -1))
    links = dict.fromkeys(posterior.spec.link_of(name).name for block in blocks for name in block.parameters)
    text = f"Random effects ({' and '.join(links)} scale)."
    of = pd.concat(labels, ignore_index=True)
    return tidy(np.hstack(draws), of, Interval(level, interval), posterior.sample_shape, text, 0.0)


def ranks(
    posterior: Posterior,
    group: str | None = None,
    term: str | None = None,
    *,
    worst: float = 0.1,
    first: Literal["highest", "lowest"] = "highest",
    level: float = 0.95,
    interval: IntervalKind = "eti",
) -> Estimates:
    """Rank the levels of a grouping factor by a random effect, with the uncertainty of each rank.

    Ranks are computed in each posterior draw. Ranks of estimates, which a league table shows, are less certain than
    they look (Goldstein & Spiegelhalter 1996, Journal of the Royal Statistical Society A 159, 385-443).

    Parameters
    ----------
    posterior : Posterior
    group : str, optional
        A grouping factor; the only one by default.
    term : str, optional
        Which of its effects to rank by; the first by default.
    worst : float
        Share of the levels whose probability to be among the first ones is in the column ``among_first``; at least one
        level.
    first : {"highest", "lowest"}
        Whether rank 1 is the highest effect, or the lowest.
    level : float
        Posterior probability of the interval, between 0 and 1.
    interval : {"eti", "hdi"}
        Equal-tailed, or the shortest (highest density).

    Returns
    -------
    Estimates
        Labels: ``group``, ``level``, ``term``, ``among_first`` (posterior probability that the level is among the first
        ``worst`` of all). The estimate is the mean rank, which minimises the squared error of ranks; its rows are in
        order of it.

    Raises
    ------
    SpecError
        For a model without random effects, an unknown factor or term, or a share outside (0, 1).
    """
    design = posterior.design
    if group is None and len(design.blocks) > 1:
        names = [block.group for block in design.blocks]
        raise SpecError("The model has several grouping factors.", ", ".join(names), f"Name one: group={names[0]!r}.")
    block = block_of(design, group)
    term = block.effects[0] if term is None else term
    if term not in block.effects:
        raise SpecError(f"{block.group} has no effect {term!r}.", advice=choices(term, block.effects))
    if first not in ("highest", "lowest"):
        raise SpecError(f"first={first!r} is not valid.", advice=choices(str(first), ("highest", "lowest")))
    if not 0.0 < worst < 1.0:
        raise SpecError(f"worst must lie between 0 and 1: got {worst}.", advice="Write worst=0.1 for a tenth.")
    u = posterior.u(block.group)[:, :, block.effects.index(term)]
    places = np.argsort(np.argsort(-u if first == "highest" else u, axis=1), axis=1) + 1.0
    count = max(1, round(worst * len(block.levels)))
    order = np.argsort(places.mean(axis=0), kind="stable")
    labels = pd.DataFrame(
        {
            "group": block.group,
            "level": np.array(block.levels)[order],
            "term": term,
            "among_first": (places <= count).mean(axis=0)[order],
        }
    )
    what = f"Rank of {block.group} by {term}, 1 the {first} of {len(block.levels)}; among_first: P(rank <= {count})."
    return tidy(places[:, order], labels, Interval(level, interval), posterior.sample_shape, what, functional="mean")


def block_of(design: Design, group: str | None) -> RandomBlock:
    """Return the random effects of a grouping factor, of the first one for None.

    Raises
    ------
    SpecError
        If the model has none, or not of this factor.
    """
    names = [block.group for block in design.blocks]
    if not names:
        raise SpecError("The model has no random effects.", advice="Add one to the formula: (1 | g).")
    if group not in (None, *names):
        raise SpecError(f"The model has no grouping factor {group!r}.", advice=choices(str(group), names))
    return design.block(group or names[0])
