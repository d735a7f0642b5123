r"""How the groups vary: standard deviations, correlations, and shares of variance on the latent scale.

The share of grouping factor g (intraclass correlation; Goldstein, Browne & Rasbash 2002) is

    ICC_g = v_g / (sum over factors of v + residual),      v_g = mean over rows of z'G_g z,

with the residual variance of the latent variable behind a binary response (pi^2 / 3 logit, 1 probit, pi^2 / 6 cloglog),
or of the response itself, or its logarithm, under the identity link. What the groups do to the response is in
``spread``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayes_glmm.design import RandomBlock
from bayes_glmm.effects.tidy import Estimates, tidy
from bayes_glmm.families import DISC, Family
from bayes_glmm.posterior import Posterior
from bayes_glmm.summaries import Interval, IntervalKind

LATENT_VARIANCE = {"logit": math.pi**2 / 3.0, "probit": 1.0, "cloglog": math.pi**2 / 6.0}
UPPER_QUARTILE = 0.6744897501960817  # of the standard normal

Row = tuple[str, str, str, np.ndarray]


def variance(posterior: Posterior, level: float = 0.95, interval: IntervalKind = "eti") -> Estimates:
    """Variance parameters and what follows from them.

    Parameters
    ----------
    posterior : Posterior
    level : float
        Posterior probability of the interval, between 0 and 1.
    interval : {"eti", "hdi"}
        Equal-tailed, or the shortest (highest density).

    Returns
    -------
    Estimates
        Labels: ``group`` (a grouping factor, or "residual"), ``quantity`` and ``term``. Quantities: sd, correlation,
        variance, covariance of the random effects, link scale, and sds and correlations at the centre of a block's
        covariates where those differ (``"sd at x = 4.5"``); the family's own parameters; ``icc`` on the latent
        scale, where the link has one; correlations of residuals; ``median odds ratio`` under the logit link (Larsen et
        al. 2000): the median over pairs of groups of the odds ratio between the higher and the lower, at the same
        centre.

    Examples
    --------
    >>> from bayes_glmm.posterior import posterior_at
    >>> from bayes_glmm.spec import ModelSpec
    >>> data = pd.DataFrame({"y": [0, 1, 1, 0], "g": ["a", "a", "b", "b"]})
    >>> spec = ModelSpec.from_formula("y ~ 1 + (1 | g)", family="bernoulli")
    >>> variance(posterior_at(spec, data, beta=[0.0], G={"g": [[4.0]]})).table[["quantity", "estimate"]].round(3)
                quantity  estimate
    0                 sd     2.000
    1           variance     4.000
    2                icc     0.549
    3  median odds ratio     6.738
    """
    rows = [row for block in posterior.design.blocks for row in _parameters(posterior, block)]
    own = (name for name in posterior.auxiliary if name not in posterior.spec.family.inner)
    rows += [("residual", name, "", posterior.auxiliary[name]) for name in own]
    rows += _of_residuals(posterior)
    rows += [*_shares(posterior), *_median_odds_ratios(posterior)]
    labels = pd.DataFrame([row[:3] for row in rows], columns=["group", "quantity", "term"])
    total = int(np.prod(posterior.sample_shape))
    draws = np.stack([row[3] for row in rows], axis=1) if rows else np.empty((total, 0))
    spec = posterior.spec
    further = "".join(f", {link} scale of {name}" for name, link in spec.stated_links.items())
    description = f"Variation between groups, {spec.scale_name} scale{further}."
    return tidy(draws, labels, Interval(level, interval), posterior.sample_shape, description)


def _of_residuals(posterior: Posterior) -> list[Row]:
    """The correlations of the residuals of one level."""
    residual = posterior.design.residual
    if residual is None:
        return []
    found = residual.shown(posterior.auxiliary)
    if residual.form.single:
        return [("residual", name, residual.group, values) for name, values in found]
    return [("residual", "correlation", pair, values) for pair, values in found]


def _parameters(posterior: Posterior, block: RandomBlock) -> Iterator[Row]:
    G = posterior.G(block.group)
    sd = np.sqrt(np.diagonal(G, axis1=1, axis2=2))
    for i, effect in enumerate(block.effects):
        yield block.group, "sd", effect, sd[:, i]
    pairs = list(_correlated_pairs(block))
    with np.errstate(divide="ignore", invalid="ignore"):
        for i, j in pairs:
            yield block.group, "correlation", _names(block, i, j), G[:, i, j] / (sd[:, i] * sd[:, j])
    for i, effect in enumerate(block.effects):
        yield block.group, "variance", effect, G[:, i, i]
    for i, j in pairs:
        yield block.group, "covariance", _names(block, i, j), G[:, i, j]
    if posterior.priors.canonical.carried(block.group):
        yield from _at_centre(posterior, block, pairs)


def _at_centre(posterior: Posterior, block: RandomBlock, pairs: list[tuple[int, int]]) -> Iterator[Row]:
    """Standard deviations that differ at the centre of the covariates, and the correlations there."""
    where = centre_text(posterior, block)
    G, written = posterior.G_at_centre(block.group), posterior.G(block.group)
    sd = np.sqrt(np.diagonal(G, axis1=1, axis2=2))
    for i, effect in enumerate(block.effects):
        if not np.array_equal(G[:, i, i], written[:, i, i]):
            yield block.group, f"sd at {where}", effect, sd[:, i]
    with np.errstate(divide="ignore", invalid="ignore"):
        for i, j in pairs:
            yield block.group, f"correlation at {where}", _names(block, i, j), G[:, i, j] / (sd[:, i] * sd[:, j])


def centre_text(posterior: Posterior, block: RandomBlock) -> str:
    """Where the centre of a block's covariates is: ``"year = 2010.1"``."""
    means = posterior.priors.canonical.means[block.group]
    return ", ".join(f"{effect} = {mean:.5g}" for effect, mean in zip(block.effects, means, strict=True) if mean)


def _correlated_pairs(block: RandomBlock) -> Iterator[tuple[int, int]]:
    for run in block.runs:
        yield from itertools.combinations(range(run.start, run.stop), 2)


def _names(block: RandomBlock, i: int, j: int) -> str:
    return f"{block.effects[i]}, {block.effects[j]}"


def mean_variance(posterior: Posterior, block: RandomBlock) -> np.ndarray:
    """Mean over the data's rows of z'Gz [draw]: the trace of G times the second moments of z (Johnson 2014)."""
    values = posterior.priors.canonical.effect_columns(block)
    return np.einsum("dij,ij->d", posterior.G_at_centre(block.group), values.T @ values / len(values))


def latent_residual(posterior: Posterior) -> np.ndarray | None:
    """Residual variance on the latent scale [draw]; None where there is no such scale, or not one for all rows."""
    spec = posterior.spec
    if spec.formulas:
        return None
    total = int(np.prod(posterior.sample_shape))
    if _has_latent_scale(spec.family) and spec.link_name in LATENT_VARIANCE:
        return np.full(total, LATENT_VARIANCE[spec.link_name])
    if spec.family.has_residual and spec.link_name == "identity":
        return np.asarray(spec.family.located_variance_of(np.zeros(total), posterior.auxiliary), float)
    return None


def _has_latent_scale(family: Family) -> bool:
    """Whether a latent variable alone decides on each event or category: no other parameter of the mean does."""
    return family.response.of_latent and (family.response.ordered or family.mean_is_location)


def _shares(posterior: Posterior) -> Iterator[Row]:
    residual = latent_residual(posterior)
    if residual is None:
        return
    parts = {block.group: mean_variance(posterior, block) for block in posterior.design.blocks}
    total = residual + sum(parts.values())
    for group, part in parts.items():
        yield group, "icc", "", part / total


def _median_odds_ratios(posterior: Posterior) -> Iterator[Row]:
    spec = posterior.spec
    if spec.link_name != "logit" or not _has_latent_scale(spec.family) or DISC.name in spec.formulas:
        return
    for block in posterior.design.blocks:
        if "Intercept" in block.effects:
            i = block.effects.index("Intercept")
            sd = np.sqrt(posterior.G_at_centre(block.group)[:, i, i])
            carried = posterior.priors.canonical.carried(block.group)
            where = f" at {centre_text(posterior, block)}" if carried else ""
            yield block.group, f"median odds ratio{where}", "Intercept", np.exp(math.sqrt(2.0) * UPPER_QUARTILE * sd)
