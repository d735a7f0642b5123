"""Exact leave-one-out where importance sampling fails: a fit without each row or group whose Pareto k is too large."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_glmm.diagnostics import LOO, loo_by_group, loo_by_row
from bayes_glmm.errors import SpecError
from bayes_glmm.glmm import Fit
from bayes_glmm.studies.scores import (
    FIT,
    Part,
    check_part,
    fits_table,
    fits_text,
    problem_of,
    score_all,
    seeded,
    settings_of,
    units_of,
)

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)


def refit_bad(
    fit: Fit,
    loo: LOO | str = "row",
    most: int = 20,
    seed: int = 0,
    client: Client | None = None,
    progress: bool = True,
    **options: Any,
) -> LOO:
    """Replace what leave-one-out cannot know from the draws by what fits without the rows or groups tell.

    Parameters
    ----------
    fit : Fit
        Its model, priors and settings are those of the refits.
    loo : LOO or str
        What to mend; ``"row"`` or a grouping factor to compute it first.
    most : int
        How many refits at most, worst Pareto k first. If more are needed a warning says so, and they stay as they are;
        pass the result again for the next.
    seed : int
        Of the draws.
    client : distributed.Client, optional
        A cluster to fit on; see :func:`bayes_glmm.studies.executor.cluster`.
    progress : bool
        Whether to show how many refits are finished.
    **options
        As :meth:`bayes_glmm.GLMM.fit` takes them: ``draws``, ``chains``, ...

    Returns
    -------
    LOO
        With ``refits``, and a Pareto k of 0 for what was refitted, as ArviZ has it.

    Raises
    ------
    SpecError
        For a result that is not of this fit, a factor that the model does not have, and unknown options.
    """
    if isinstance(loo, str):
        loo = loo_by_row(fit.posterior) if loo == "row" else loo_by_group(fit.posterior, loo)
    problem = problem_of(fit)
    unit, names = units_of(problem, loo.by)
    if not names.equals(loo.pointwise.index):
        raise SpecError("The leave-one-out is of other rows or groups than the fit.", advice="Give both of one fit.")
    bad = loo.failing[:most]
    if left := len(loo.failing) - len(bad):
        log.warning("%d more have a Pareto k that is too large: most=%d refits all, bg.kfold fewer.", left, left + most)
    settings = settings_of(fit, options, client is not None)
    parts = []
    for label in bad:
        rows = np.flatnonzero(unit == names.get_loc(label))
        name = f"{loo.by or 'row'} {label}"
        own = seeded(settings, seed, int(rows[0]))
        parts.append(Part(name, rows, np.zeros(len(rows), int), pd.Index([label]), own))
        check_part(problem, parts[-1])
    scores = score_all(problem, parts, client, "refits" if progress else None)
    table = fits_table(scores, pd.Index(bad, name=loo.by or "row"))
    table.insert(0, "error", [float(found.error[0]) for found in scores])
    if (table["verdict"] != FIT).any():
        log.warning(fits_text(table))
    pointwise = _mended(loo.pointwise, bad, [float(found.elpd[0]) for found in scores])
    return replace(loo, pointwise=pointwise, refits=table if loo.refits is None else pd.concat([loo.refits, table]))


def _mended(pointwise: pd.DataFrame, bad: list[int | str], elpd: list[float]) -> pd.DataFrame:
    """The table with these elpd; ``p`` + ``elpd``, what the whole fit says about an item, stays."""
    mended = pointwise.copy()
    mended.loc[bad, "p"] += mended.loc[bad, "elpd"] - elpd
    mended.loc[bad, "elpd"] = elpd
    mended.loc[bad, "pareto_k"] = 0.0
    return mended
