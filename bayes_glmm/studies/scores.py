"""One more fit: without some rows, and how well it predicts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_glmm.design import Problem, take_rows
from bayes_glmm.diagnostics import Check, Checks
from bayes_glmm.diagnostics.check import Overall, named
from bayes_glmm.diagnostics.convergence import check_divergences, check_rhat
from bayes_glmm.diagnostics.group_likelihood import level_blocks
from bayes_glmm.diagnostics.integrals import range_obstacle
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.glmm import GLMM, Fit
from bayes_glmm.posterior import Posterior
from bayes_glmm.studies.executor import run_all
from bayes_glmm.studies.held_out import hold_out, predictive_density

if TYPE_CHECKING:
    from distributed import Client

    from bayes_glmm.inference import Settings

FIT: Overall = "fit to use"
UNFIT: Overall = "do not use"
MOST_EFFECTS = 100  # integrated out of one unit


@dataclass(frozen=True)
class Part:
    """Rows to leave out and to predict.

    Attributes
    ----------
    name : str
        For messages.
    rows : array of int
    unit : array [row]
        What is predicted as a whole: 0, 1, ...
    units : Index
        What those are called.
    settings : Settings
    """

    name: str
    rows: np.ndarray
    unit: np.ndarray
    units: pd.Index
    settings: Settings


@dataclass(frozen=True)
class Score:
    """How well rows were predicted by a fit without them.

    Attributes
    ----------
    elpd, error : array [unit]
        Log predictive densities and their Monte Carlo standard errors.
    verdict : {"fit to use", "look", "do not use"}
        On the draws, from R-hat and divergences.
    rhat : float
        The worst.
    divergences : int
    seconds : float
    """

    elpd: np.ndarray
    error: np.ndarray
    verdict: Overall
    rhat: float
    divergences: int
    seconds: float


def problem_of(model: GLMM | Fit) -> Problem:
    """What there is to fit."""
    return model.posterior.problem if isinstance(model, Fit) else model.problem


def units_of(problem: Problem, by: str | None) -> tuple[np.ndarray, pd.Index]:
    """The unit of each row, a level of a grouping factor or the row itself, and what the units are called.

    Raises
    ------
    SpecError
        For a factor that the model does not have.
    """
    if by is None:
        unit = problem.design.count_row
        unit = np.arange(len(problem.design.y)) if unit is None else unit
        return unit, pd.RangeIndex(int(unit[-1]) + 1, name="row")
    blocks = {block.group: block for block in level_blocks(problem.design)}
    if by not in blocks:
        raise SpecError(
            f"The model has no grouping factor {by!r}.", advice=choices(by, blocks) if blocks else "Use by=None."
        )
    return blocks[by].index, pd.Index(blocks[by].levels, name=by)


def settings_of(model: GLMM | Fit, options: dict[str, Any], on_cluster: bool) -> Settings:
    """The settings of a fit, or the usual ones, with some of them changed.

    Raises
    ------
    SpecError
        For an option that is none.
    """
    from bayes_glmm.inference import Settings

    usual = asdict(Settings())
    if unknown := [name for name in options if name not in usual]:
        raise SpecError(f"fit has no option {unknown[0]!r}.", advice=choices(unknown[0], usual))
    given = model.posterior.provenance.get("settings", {}) if isinstance(model, Fit) else {}
    known = {name: value for name, value in given.items() if name in usual}
    quiet = {"progress": False} | ({"cores": 1} if on_cluster else {})  # a worker has one core
    return Settings(**(known | quiet | options))


def seeded(settings: Settings, seed: int, number: int) -> Settings:
    """Settings with a seed of their own for each of many fits."""
    return replace(settings, seed=int(np.random.SeedSequence(seed, spawn_key=(number,)).generate_state(1)[0]))


def score(problem: Problem, part: Part) -> Score:
    """Fit a model without a part of the rows, and predict these."""
    posterior = fit_without(problem, part.rows, part.settings)
    others = np.delete(np.arange(len(problem.design.y)), part.rows)
    held = hold_out(problem.design, part.rows, part.unit, others)
    elpd, error = predictive_density(posterior, held, part.settings.seed)
    answers = [check_rhat(posterior), check_divergences(posterior)]
    checks = Checks(tuple(answer for answer in answers if isinstance(answer, Check)))
    found = {check.name: check.value for check in checks.checks}
    rhat, divergences = found.get("rhat", np.nan), int(found.get("divergences", 0))
    return Score(elpd, error, checks.verdict, rhat, divergences, posterior.provenance["seconds"])


def score_all(problem: Problem, parts: Sequence[Part], client: Client | None, progress: str | None) -> list[Score]:
    """Score every part, here or on a cluster.

    Raises
    ------
    Exception
        What the first fit to fail raised, with a note on what it was without.
    """
    scores: dict[int, Score] = {}
    for outcome in run_all(partial(score, problem), parts, client=client, progress=progress):
        if outcome.error is not None:
            outcome.error.add_note(f"While fitting without {parts[outcome.index].name}.")
        scores[outcome.index] = outcome.get()
    return [scores[i] for i in range(len(parts))]


def fit_without(problem: Problem, rows: np.ndarray, settings: Settings) -> Posterior:
    """The posterior of a model given all but some rows."""
    from bayes_glmm.inference import sample

    others = np.delete(np.arange(len(problem.design.y)), rows)
    return sample(replace(problem, design=take_rows(problem.design, others)), settings)


def check_part(problem: Problem, part: Part) -> None:
    """What is left out leaves something to fit to, and can be integrated out.

    Raises
    ------
    SpecError
    """
    if len(part.rows) == len(problem.design.y):
        raise SpecError(f"Without {part.name} there are no rows to fit to.", advice="Leave out less.")
    others = np.delete(np.arange(len(problem.design.y)), part.rows)
    residual = problem.design.residual
    if residual is not None and np.isin(residual.index[part.rows], residual.index[others]).any():
        raise SpecError(
            f"Residuals of one level of {residual.group} are correlated: its rows are left out together.",
            f"leaving out {part.name}",
            f"Leave out whole levels: by={residual.group!r}.",
        )
    sizes = hold_out(problem.design, part.rows, part.unit, others).sizes
    if sizes.any() and (why := range_obstacle(problem.spec)):
        raise SpecError(
            f"Random effects of groups without other rows cannot be integrated out. {why}",
            f"leaving out {part.name}",
            "Leave out rows in fewer folds, or choose a link that keeps the mean in range.",
        )
    if sizes.max() > MOST_EFFECTS:
        raise SpecError(
            f"{sizes.max()} random effects would have to be integrated out at once; {MOST_EFFECTS} can be.",
            f"leaving out {part.name}",
            "Leave out levels of a factor that lies within this one.",
        )


def fits_table(scores: Sequence[Score], index: pd.Index) -> pd.DataFrame:
    """One row a fit: ``verdict`` on the draws, worst ``rhat``, ``divergences``, ``seconds``."""
    columns = ("verdict", "rhat", "divergences", "seconds")
    return pd.DataFrame({name: [getattr(one, name) for one in scores] for name in columns}, index=index)


def fits_text(fits: pd.DataFrame) -> str:
    """A sentence on the draws of fits: nothing wrong, or where."""
    bad = fits[fits["verdict"] != FIT].sort_values("rhat", ascending=False)
    if bad.empty:
        return f"All fits can be used: R-hat at most {fits['rhat'].max():.3f}, no divergences."
    labels = [
        f"{fits.index.name} {label} (R-hat {one.rhat:.3f}, divergences {one.divergences})"
        for label, one in zip(bad.index, bad.itertuples(), strict=True)
    ]
    how = "not to be used" if (bad["verdict"] == UNFIT).any() else "to be used with care"
    which = f"{len(bad)} of {len(fits)} fits are {how}: {named(labels)}."
    return f"{which} Draw longer (tune=2000, draws=2000), or raise target_accept."
