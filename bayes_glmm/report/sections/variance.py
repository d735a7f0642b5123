"""How much groups differ, and the random effects of their levels."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup

from bayes_glmm.design import RandomBlock
from bayes_glmm.effects import variance
from bayes_glmm.plots import groups
from bayes_glmm.plots.style import LEGIBLE
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.figures import saved
from bayes_glmm.report.html import bullets, figure, heading, interval, paragraph, table
from bayes_glmm.report.words import functional_of, summary_of

SHOWN = ("sd", "correlation", "icc", "median odds ratio")  # variances and covariances follow from these
_NAMES = {"icc": "intraclass correlation"}
_EXPLAINED = {
    "sd": "Standard deviations are those of the random effects, on the scale of the link of their predictor ({link}).",
    "icc": "An intraclass correlation is the share of the variance, on the link's scale, that lies between groups.",
    "median odds ratio": (
        "The median odds ratio compares two rows that differ only in their groups, the higher against the lower: it is "
        "the median over pairs of groups."
    ),
}


def render_variance(posterior: Posterior) -> Markup:
    """Standard deviations, correlations, shares of variance; then the random effects of each level in order."""
    found = variance(posterior)
    frame = found.table
    frame = frame[frame["quantity"].str.startswith(SHOWN) | (frame["group"] == "residual")]
    parts = []
    if not posterior.design.blocks:
        parts.append(paragraph("The model has no random effects."))
    if len(frame):
        parts.append(_table(frame) + paragraph("{summary}", kind="note", summary=summary_of(found)))
    explained = [text for name, text in _EXPLAINED.items() if frame["quantity"].str.startswith(name).any()]
    if explained:
        parts.append(paragraph(" ".join(explained), kind="note", link=_scales(posterior)))
    parts += [_levels(posterior, block, functional_of(found)) for block in posterior.design.blocks]
    return Markup("").join(parts)


def _scales(posterior: Posterior) -> str:
    """The scale of the location, and those of further parameters with random effects that differ from it."""
    spec = posterior.spec
    random = {name for block in posterior.design.blocks for name in block.parameters} & set(spec.formulas)
    others = {name: spec.link_of(name).name for name in spec.formulas if name in random}
    differ = [f"{name}: {link}" for name, link in others.items() if link != spec.scale_name]
    return "; ".join([spec.scale_name, *differ])


def _table(frame: pd.DataFrame) -> Markup:
    return table(
        {
            "group": frame["group"].tolist(),
            "quantity": [_NAMES.get(name, name) for name in frame["quantity"]],
            "of": frame["term"].tolist(),
            "median": frame["estimate"].tolist(),
            "95 % interval": [interval(low, high) for low, high in zip(frame["lower"], frame["upper"], strict=True)],
        }.items()
    )


def _levels(posterior: Posterior, block: RandomBlock, functional: str) -> Markup:
    """The random effects of each level in order, and in words how many intervals exclude 0."""
    spoken = [_extremes(posterior, block, k) for k in range(len(block.effects))]
    form = "Line and band" if len(block.levels) > LEGIBLE else "Dots and lines"
    caption = (
        f"{form}: posterior {functional}s and 95 % intervals of the random effects of each level. They are shrunk "
        "towards 0, more where a level has few rows; the order of levels is less certain than the figure suggests."
    )
    svg = saved(groups(posterior, block.group))
    return heading(f"Levels of {block.group}") + figure(svg, " ".join(spoken), caption) + bullets(spoken)


def _extremes(posterior: Posterior, block: RandomBlock, k: int) -> str:
    u = posterior.u(block.group)[:, :, k]
    low, middle, high = np.quantile(u, [0.025, 0.5, 0.975], axis=0)
    away = int(((low > 0) | (high < 0)).sum())
    bottom, top = int(middle.argmin()), int(middle.argmax())
    return (
        f"{block.effects[k]}: from {middle[bottom]:.3g} ({block.levels[bottom]}) to {middle[top]:.3g} "
        f"({block.levels[top]}); {away} of {len(block.levels)} intervals leave out 0."
    )
