"""Leave-one-group-out: how well each group would have been predicted without any of its rows.

LOO by row asks about new rows of known groups; conditional on u it misleads about a GLMM as a whole, and its importance
weights fail for groups of few rows (Merkle, Furr & Rabe-Hesketh 2019, Psychometrika 84, 802-829). Here the density of a
group is **integrated** over its random effects, p(y_j | theta), and its Pareto-smoothed importance weights are
1 / p(y_j | theta): the prediction of a *new* group of the same covariates.

With several grouping factors one factor is left out at a time, and the effects of the others stay at their draws:
given (theta, u of the others), y_j is independent of the other rows, so that the weights are again 1 / p(y_j | theta, u
of the others), exactly. A factor within which another is nested is refused, since the inner effects would have to be
integrated out too. Where a crossed level happens to occur in one group alone the weights must undo what it learned
there, which shows as a large Pareto k.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayes_glmm.design import RandomBlock
from bayes_glmm.design.sampling_weights import refuse_weights
from bayes_glmm.design.trial_rows import log_coefficients
from bayes_glmm.diagnostics.check import Check, Skipped
from bayes_glmm.diagnostics.group_likelihood import GroupLikelihood, level_blocks, obstacle
from bayes_glmm.diagnostics.loo import FEWEST, LOO, efficiency, good_k, pareto_check, smoothed
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.fits import takes_fit
from bayes_glmm.numerics.spread import evenly_spread
from bayes_glmm.posterior import Posterior

MOST, LEAST = 1000, 400  # draws
VALUES = 40_000_000  # rows times nodes times draws: 2 s where one density takes 50 ns
MEASURED = 10  # draws at which the error of the quadrature is measured
ERROR = 0.05  # of a group's log density: far below what importance sampling leaves


@takes_fit
def loo_by_group(posterior: Posterior, group: str | None = None, draws: int | None = None) -> LOO:
    """PSIS-LOO of whole groups, their random effects integrated out.

    Parameters
    ----------
    posterior : Posterior
    group : str, optional
        The grouping factor; the first that can be left out if not given.
    draws : int, optional
        How many draws to use, evenly spread over all; by default 1,000, down to 400 where the quadrature is long.

    Returns
    -------
    LOO
        With the levels as index of ``pointwise``.

    Raises
    ------
    SpecError
        For a factor that the model does not have, or whose effects cannot be integrated out.
    """
    refuse_weights(posterior.design, "Leave-one-out")
    blocks = {block.group: block for block in level_blocks(posterior.design)}
    if not blocks:
        raise SpecError("The model has no groups to leave out.", advice="Use loo_by_row.")
    if group is None:
        group = next((name for name, block in blocks.items() if not obstacle(posterior, block)), next(iter(blocks)))
    if group not in blocks:
        raise SpecError(f"The model has no grouping factor {group!r}.", advice=choices(group, blocks))
    if why := obstacle(posterior, blocks[group]):
        raise SpecError(f"No group of {group} can be left out.", f"(... | {group})", why)
    integral = GroupLikelihood(posterior, blocks[group])
    draws = draws or int(np.clip(VALUES // (len(posterior.design.y) * integral.nodes), LEAST, MOST))
    chosen = evenly_spread(int(np.prod(posterior.sample_shape)), draws)
    density = integral.log(chosen)
    pointwise = smoothed(density[None], efficiency(posterior, len(chosen)))
    pointwise["elpd"] += log_coefficients(posterior.design, blocks[group].index, len(pointwise))
    return LOO(pointwise.set_axis(pd.Index(blocks[group].levels, name=group)), good_k(len(chosen)), len(chosen))


def why_not(posterior: Posterior, block: RandomBlock) -> str:
    """Why leaving out the groups of a factor would say nothing, as a sentence; empty if it does."""
    if why := obstacle(posterior, block):
        return why
    few = evenly_spread(int(np.prod(posterior.sample_shape)), MEASURED)
    error = GroupLikelihood(posterior, block).error(few)
    return f"The quadrature over the effects of {block.group} is off by {error:.2g}." if error > ERROR else ""


def check_loo_groups(posterior: Posterior) -> Check | Skipped:
    """Can the draws tell how each group would be predicted without its rows? Every factor that can be left out."""
    name, title = "loo_groups", "Pareto k, LOO by group"
    blocks, total = level_blocks(posterior.design), int(np.prod(posterior.sample_shape))
    if not blocks:
        return Skipped(name, title, "The model has no groups.")
    if total < FEWEST:
        return Skipped(name, title, f"It takes {FEWEST} draws at least.")
    reasons = {block.group: why_not(posterior, block) for block in blocks}
    found = {group: loo_by_group(posterior, group) for group, why in reasons.items() if not why}
    if not found:
        return Skipped(name, title, " ".join(reasons.values()))
    texts = [f"elpd {loo.elpd:.1f} (se {loo.se:.1f}) for new levels of {g}, p {loo.p:.1f}" for g, loo in found.items()]
    first = next(iter(found.values()))
    return pareto_check(
        name, title, LOO(pd.concat([loo.pointwise for loo in found.values()]), first.good_k, first.draws),
        finding="; ".join([*texts, *filter(None, reasons.values())]) + f" ({first.draws:,} draws)",
        labels=[f"{group}[{level}]" for group, loo in found.items() for level in loo.pointwise.index],
        unit="groups",
        advice="Without these groups the posterior would be another: look at what they have in common, and whether "
        "N(0, G) or the covariates miss it. For comparing models refit without each of them: bg.refit_bad(fit, "
        f"{max(found, key=lambda group: found[group].pointwise['pareto_k'].max())!r}).",
    )  # fmt: skip
