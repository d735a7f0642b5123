"""Posterior to Checks: whether to believe the draws, could the model have made the data, what do the priors do.

``CHECKS`` is the table; a new check is one function and one row of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from bayes_glmm.design.sampling_weights import NO_ROWS
from bayes_glmm.diagnostics import (
    calibration,
    convergence,
    findings,
    loo,
    loo_groups,
    modes,
    predictive,
    prior_conflict,
    resampling,
    residuals,
    survival,
)
from bayes_glmm.diagnostics import sensitivity as power_scaling
from bayes_glmm.diagnostics.check import Check as Check
from bayes_glmm.diagnostics.check import Checks as Checks
from bayes_glmm.diagnostics.check import Skipped as Skipped
from bayes_glmm.diagnostics.loo import LOO as LOO
from bayes_glmm.diagnostics.loo import loo_by_row as loo_by_row
from bayes_glmm.diagnostics.loo_groups import loo_by_group as loo_by_group
from bayes_glmm.diagnostics.residuals import loo_pit as loo_pit
from bayes_glmm.diagnostics.residuals import quantile_residuals as quantile_residuals
from bayes_glmm.diagnostics.sensitivity import sensitivity as sensitivity
from bayes_glmm.diagnostics.summary import summary as summary
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.fits import takes_fit
from bayes_glmm.posterior import Posterior

CheckGroup = Literal["convergence", "predictive", "loo", "sensitivity"]


@dataclass(frozen=True)
class CheckEntry:
    """A check and the group it is asked for with.

    Attributes
    ----------
    name : str
        The name of the Check it makes.
    group : {"convergence", "predictive", "loo", "sensitivity"}
    function : function
        ``Posterior -> Check | Skipped``.
    """

    name: str
    group: CheckGroup
    function: Callable[[Posterior], Check | Skipped]


CHECKS: tuple[CheckEntry, ...] = (
    CheckEntry("rhat", group="convergence", function=convergence.check_rhat),
    CheckEntry("ess_bulk", group="convergence", function=convergence.check_ess_bulk),
    CheckEntry("ess_tail", group="convergence", function=convergence.check_ess_tail),
    CheckEntry("mcse", group="convergence", function=convergence.check_mcse),
    CheckEntry("divergences", group="convergence", function=convergence.check_divergences),
    CheckEntry("energy", group="convergence", function=convergence.check_energy),
    CheckEntry("tree_depth", group="convergence", function=convergence.check_tree_depth),
    CheckEntry("k_hat", group="convergence", function=resampling.check_k_hat),
    CheckEntry("integration", group="convergence", function=resampling.check_integration),
    CheckEntry("mode", group="convergence", function=modes.check_mode),
    CheckEntry("findings", group="convergence", function=findings.check_findings),
    CheckEntry("prior_conflict", group="convergence", function=prior_conflict.check_prior_conflict),
    CheckEntry("mean", group="predictive", function=predictive.check_mean),
    CheckEntry("sd", group="predictive", function=predictive.check_sd),
    CheckEntry("zeros", group="predictive", function=predictive.check_zeros),
    CheckEntry("max", group="predictive", function=predictive.check_max),
    CheckEntry("dispersion", group="predictive", function=predictive.check_dispersion),
    CheckEntry("categories", group="predictive", function=predictive.check_categories),
    CheckEntry("survival", group="predictive", function=survival.check_survival),
    CheckEntry("groups", group="predictive", function=predictive.check_groups),
    CheckEntry("serial", group="predictive", function=predictive.check_serial),
    CheckEntry("loo", group="loo", function=loo.check_loo),
    CheckEntry("loo_groups", group="loo", function=loo_groups.check_loo_groups),
    CheckEntry("pit", group="loo", function=residuals.check_pit),
    CheckEntry("calibration", group="loo", function=calibration.check_calibration),
    CheckEntry("sensitivity", group="sensitivity", function=power_scaling.check_sensitivity),
)


@takes_fit
def check(posterior: Posterior, group: str = "convergence") -> Checks:
    """All checks of a group.

    Parameters
    ----------
    posterior : Posterior
    group : {"convergence", "predictive", "loo", "sensitivity"}
        Whether the chains found the posterior and what part of the answer rests on the prior, whether the model could
        have made the data, how well each row and each group is predicted without it, or what would change with the
        priors.

    Returns
    -------
    Checks
        Prints verdict first; false in ``if`` where the verdict is "do not use" or "unreliable".

    Raises
    ------
    SpecError
        For an unknown group.
    """
    if group not in get_args(CheckGroup):
        raise SpecError(f"There is no group of checks {group!r}.", advice=choices(group, get_args(CheckGroup)))
    if posterior.design.weights is not None and group in ("predictive", "loo"):
        return Checks((), (Skipped(group, "Rows with sampling weights", NO_ROWS),), group)
    answers = [entry.function(posterior) for entry in CHECKS if entry.group == group]
    return Checks(
        tuple(answer for answer in answers if isinstance(answer, Check)),
        tuple(answer for answer in answers if isinstance(answer, Skipped) and answer.reason),
        group,
    )
