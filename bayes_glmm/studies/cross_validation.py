"""K-fold cross-validation: fit without each fold in turn, and ask how well its rows are predicted.

By group, the rows of a group are left out and predicted all together, its random effects integrated out: how well the
model does in a *new* group. By row, the group of a row keeps its rows in other folds: how well it does for a new row of
a *known* group (Vehtari, Gelman & Gabry 2017, Statistics and Computing 27, 1413-1432; Merkle, Furr & Rabe-Hesketh 2019,
Psychometrika 84, 802-829).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_glmm.design import Problem
from bayes_glmm.design.sampling_weights import refuse_weights
from bayes_glmm.errors import SpecError
from bayes_glmm.glmm import GLMM, Fit
from bayes_glmm.posterior import Posterior
from bayes_glmm.studies.folds import folds_of_levels, folds_of_rows
from bayes_glmm.studies.held_out import hold_out, predictive_density
from bayes_glmm.studies.scores import (
    FIT,
    Part,
    Score,
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
    from arviz_stats.utils import ELPDDataLOOKFold
    from distributed import Client

    from bayes_glmm.inference import Settings


_MEANING = {
    "group": "For each level of {by} the density of all its rows together under a fit without them, its random "
    "effects integrated out: predictions for new levels.",
    "row": "For each row its density under a fit without it: predictions for new rows, of known groups where these "
    "have rows in other folds.",
}


@dataclass(frozen=True)
class CrossValidation:
    """How well rows or groups are predicted by fits that have not seen them.

    Attributes
    ----------
    pointwise : DataFrame
        One row a unit, a data row or a group: ``elpd``, the log density of its rows given the other folds; ``error``,
        the Monte Carlo standard error of that; ``p``, by how much the whole fit predicts it better (NaN without one);
        ``fold``; ``rows``, how many it has. The index is the number of the row, or the level of the group.
    folds : DataFrame
        One row a fit: ``units`` and ``rows`` left out, ``verdict`` on the draws, the worst ``rhat``, ``divergences``,
        ``seconds``.
    by : str or None
        The grouping factor; None for rows.
    draws : int
        Of each fit.
    """

    pointwise: pd.DataFrame
    folds: pd.DataFrame
    by: str | None
    draws: int

    @property
    def elpd(self) -> float:
        """Expected log predictive density of the data, summed over units."""
        return float(self.pointwise["elpd"].sum())

    @property
    def se(self) -> float:
        """Standard error of ``elpd``: the units taken as a sample of such units."""
        return float(np.sqrt(len(self.pointwise)) * self.pointwise["elpd"].std(ddof=1))

    @property
    def error(self) -> float:
        """Monte Carlo standard error of ``elpd``: what more draws would change."""
        return float(np.sqrt(np.square(self.pointwise["error"]).sum()))

    @property
    def p(self) -> float:
        """Effective number of parameters; NaN if there was no fit to all rows."""
        return float(self.pointwise["p"].sum(skipna=False))

    def to_arviz(self) -> ELPDDataLOOKFold:
        """The same as ArviZ holds it, for ``arviz.compare`` of models cross-validated by the same units."""
        import xarray as xr
        from arviz_stats.utils import ELPDDataLOOKFold

        dim = self.by or "row"
        units = {dim: self.pointwise.index.to_numpy()}
        elpd, p = (xr.DataArray(self.pointwise[name].to_numpy(), units, dim) for name in ("elpd", "p"))
        return ELPDDataLOOKFold(
            elpd=self.elpd,
            se=self.se,
            p=self.p,
            n_samples=self.draws,
            n_data_points=len(self.pointwise),
            scale="log",
            warning=bool((self.folds["verdict"] != FIT).any()),
            good_k=None,
            elpd_i=elpd,
            n_folds=len(self.folds),
            p_kfold_i=p,
        )

    def __str__(self) -> str:
        by, k, rows = self.by or "row", len(self.folds), self.folds["rows"]
        units = f"{len(self.pointwise)} {f'levels of {by}' if self.by else 'rows'}"
        p = "" if np.isnan(self.p) else f", p {self.p:.1f}"
        size = f"{rows.min()}" if rows.min() == rows.max() else f"{rows.min()} to {rows.max()}"
        lines = [
            f"{k}-fold cross-validation by {by}: elpd {self.elpd:.1f} (se {self.se:.1f}){p}",
            _MEANING["group" if self.by else "row"].format(by=by),
            f"{units} in {k} folds of {size} rows; {self.draws:,} draws a fit, Monte Carlo error of elpd "
            f"{self.error:.2g}.",
            fits_text(self.folds),
        ]
        return "\n".join(lines)

    __repr__ = __str__


def kfold(
    model: GLMM | Fit,
    k: int | None = 10,
    by: str | None = None,
    seed: int = 0,
    client: Client | None = None,
    progress: bool = True,
    **options: Any,
) -> CrossValidation:
    """Cross-validate a model by fitting it without each fold in turn.

    Columns, centres, categories and default priors are those of all rows in every fold.

    Parameters
    ----------
    model : GLMM or Fit
        Of a fit, its settings are used too, and ``p`` is known.
    k : int, optional
        How many folds, or as many as there are units if they are fewer; None leaves out each unit by itself.
    by : str, optional
        A grouping factor: each of its levels is left out whole and its random effects integrated out; and with them
        those of other factors whose levels have no other rows, such as levels nested in it. Without one rows are left
        out; then folds have equal shares of a binary response.
    seed : int
        Of the folds and of the draws.
    client : distributed.Client, optional
        A cluster to fit on; see :func:`bayes_glmm.studies.executor.cluster`.
    progress : bool
        Whether to show how many folds are finished.
    **options
        As :meth:`bayes_glmm.GLMM.fit` takes them: ``draws``, ``chains``, ...

    Returns
    -------
    CrossValidation

    Raises
    ------
    SpecError
        For a factor that the model does not have, fewer than two folds, unknown options, and random effects that cannot
        be integrated out.
    """
    whole = problem_of(model)
    refuse_weights(whole.design, "Cross-validation")
    unit, names = units_of(whole, by)
    k = len(names) if k is None else min(k, len(names))
    if k < 2:
        raise SpecError(f"There must be two folds at least, not {k}.", advice="Usual: k=10.")
    parts = _parts(whole, unit, names, k, by, seed, settings_of(model, options, client is not None))
    scores = score_all(whole, parts, client, "folds" if progress else None)
    numbers = pd.RangeIndex(1, k + 1, name="fold")
    folds = fits_table(scores, numbers)
    folds.insert(0, "units", [len(part.units) for part in parts])
    folds.insert(1, "rows", [len(part.rows) for part in parts])
    posterior = model.posterior if isinstance(model, Fit) else None
    pointwise = pd.concat([_of_part(posterior, part, one, by) for part, one in zip(parts, scores, strict=True)])
    pointwise.insert(3, "fold", np.repeat(numbers, folds["units"]))
    settings = parts[0].settings
    return CrossValidation(pointwise.loc[names], folds, by, settings.chains * settings.draws)


def _parts(
    problem: Problem, unit: np.ndarray, names: pd.Index, k: int, by: str | None, seed: int, settings: Settings
) -> list[Part]:
    """The folds as parts to leave out.

    Raises
    ------
    SpecError
        If something cannot be left out.
    """
    rng = np.random.default_rng(seed)
    if by or problem.design.count_row is not None:
        fold = folds_of_levels(unit, k, rng)
    else:
        binary = problem.spec.family.response.is_binary
        fold = folds_of_rows(len(unit), k, rng, problem.design.y if binary else None)
    parts = []
    for i in range(k):
        rows = np.flatnonzero(fold == i)
        members, within = np.unique(unit[rows], return_inverse=True)
        parts.append(Part(f"fold {i + 1}", rows, within, names[members], seeded(settings, seed, i)))
        check_part(problem, parts[i])
    return parts


def _of_part(posterior: Posterior | None, part: Part, found: Score, by: str | None) -> pd.DataFrame:
    """What there is to say about each unit of a part."""
    p = np.nan if posterior is None else _whole_density(posterior, part, by) - found.elpd
    columns = {"elpd": found.elpd, "error": found.error, "p": p, "rows": np.bincount(part.unit)}
    return pd.DataFrame(columns, index=part.units)


def _whole_density(posterior: Posterior, part: Part, by: str | None) -> np.ndarray:
    """Log density of the units under the fit that has seen them: of a row given its own effects, as in LOO."""
    every = np.arange(len(posterior.design.y))
    others = every if by is None else np.delete(every, part.rows)
    held = hold_out(posterior.design, part.rows, part.unit, others)
    return predictive_density(posterior, held, part.settings.seed)[0]
