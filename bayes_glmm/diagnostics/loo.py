"""Leave-one-out by row: how well each row would have been predicted without it, and whether the draws can tell.

**Conditional** LOO: a row's group keeps its other rows, so this predicts a new row of a *known* group. It says nothing
about new groups. Computed by Pareto-smoothed importance sampling (Vehtari, Gelman & Gabry 2017, Statistics and
Computing 27, 1413-1432), some rows at a time. Leaving out whole groups is another function of the same form, and
another row of ``CHECKS``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

from bayes_glmm.design import Predictors
from bayes_glmm.diagnostics.check import Check, Skipped, Verdict
from bayes_glmm.diagnostics.parameters import parameters
from bayes_glmm.diagnostics.statistics import ess_bulk
from bayes_glmm.errors import DataError
from bayes_glmm.families import Mean
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import conditional_predictor

SOURCE = "Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto smoothed importance sampling, JMLR 25(72)"
LIMIT = 200_000_000  # rows times draws
CHUNK_VALUES = 4_000_000
_FEWEST = 100  # draws
_SHOWN = 5


@dataclass(frozen=True)
class LOO:
    """Leave-one-out predictive accuracy.

    Attributes
    ----------
    pointwise : DataFrame
        One row a data row: ``elpd``, the log density of the row given all others, ``pareto_k``, and ``p``, by how much
        the row improves its own density.
    good_k : float
        Largest Pareto k whose elpd can be trusted with this many draws.
    """

    pointwise: pd.DataFrame
    good_k: float

    @property
    def elpd(self) -> float:
        """Expected log predictive density of the data, each row left out in turn."""
        return float(self.pointwise["elpd"].sum())

    @property
    def se(self) -> float:
        """Standard error of ``elpd``: rows taken as a sample of rows."""
        return float(np.sqrt(len(self.pointwise)) * self.pointwise["elpd"].std(ddof=1))

    @property
    def p(self) -> float:
        """Effective number of parameters."""
        return float(self.pointwise["p"].sum())


def loo_by_row(posterior: Posterior, relative_efficiency: float | None = None) -> LOO:
    """PSIS-LOO of every row, given its group's other rows.

    Parameters
    ----------
    posterior : Posterior
    relative_efficiency : float, optional
        Effective draws a draw; the parameters' mean bulk ESS, without the random effects, over the number of draws if
        not given. It sets how many draws count as the tail.

    Raises
    ------
    DataError
        If rows times draws exceed 2e8.
    """
    chains, draws = posterior.sample_shape
    size, rows = chains * draws, len(posterior.design.y)
    if size * rows > LIMIT:
        raise DataError(
            f"Leaving out each of {rows:,} rows under {size:,} draws takes {size * rows:.1e} log densities.",
            f"the limit is {LIMIT:.0e}",
            f"Keep fewer draws ({LIMIT // rows:,} or fewer; posterior.draws is an ArviZ DataTree), or use k-fold.",
        )
    if relative_efficiency is None:
        relative_efficiency = _relative_efficiency(posterior)
    relative_efficiency = max(relative_efficiency, 225.0 / size)  # the tail is a fifth of the draws at most
    parts = []
    step = max(1, CHUNK_VALUES // size)
    for start in range(0, rows, step):
        density = _log_density(posterior, slice(start, start + step)).reshape(chains, draws, -1)
        parts.append(_smoothed(density, relative_efficiency))
    elpd, k, p = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return LOO(pd.DataFrame({"elpd": elpd, "pareto_k": k, "p": p}), min(1.0 - 1.0 / np.log10(size), 0.7))


def check_loo(posterior: Posterior) -> Check | Skipped:
    """Can the draws tell how each row would be predicted without it? Fails above k = 1: no mean exists."""
    name, title = "loo", "Pareto k, LOO by row"
    chains, draws = posterior.sample_shape
    if chains * draws < _FEWEST:
        return Skipped(name, title, f"It takes {_FEWEST} draws at least.")
    found = loo_by_row(posterior)
    ordered = found.pointwise.sort_values("pareto_k", ascending=False, kind="stable")
    worst = float(ordered["pareto_k"].iloc[0])
    missing = int((ordered["pareto_k"] > found.good_k).sum())
    verdict: Verdict = "pass" if missing == 0 else "look" if worst <= 1.0 else "fail"
    shown = ordered.head(max(missing, _SHOWN))
    evidence = pd.DataFrame(
        {"row": [f"row {i}" for i in shown.index], "value": shown["pareto_k"], "elpd": shown["elpd"]}
    )
    return Check(
        name, title, verdict, worst, found.good_k, "below",
        finding=f"elpd {found.elpd:.1f} (se {found.se:.1f}) for new rows of known groups, p {found.p:.1f}"
        + (f"; {missing} of {len(ordered)} rows miss" if missing else ""),
        evidence=evidence.reset_index(drop=True),
        advice=() if verdict == "pass" else (
            "Without these rows the posterior would be another: elpd is not to be trusted for comparing models, the "
            "draws themselves may be. Look at the rows (errors, outliers, groups of one or two rows), or refit "
            "without them: k-fold.",
        ),
        source=SOURCE,
    )  # fmt: skip


def _smoothed(density: np.ndarray, relative_efficiency: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pointwise elpd, Pareto k and p from log densities [chain, draw, row]."""
    from arviz_stats.base import array_stats

    flat = density.reshape(-1, density.shape[2])
    size = len(flat)
    tail = int(3.0 * np.sqrt(size / relative_efficiency) if size * relative_efficiency > 225 else size / 5)
    lowest = np.partition(flat, tail - 1, axis=0)[:tail]
    stuck = np.ptp(lowest, axis=0) == 0  # a chain that stood still: no distribution can be fitted to its tail
    elpd = np.log(size) - special.logsumexp(-flat, axis=0)
    k = np.full(flat.shape[1], np.inf)
    p = special.logsumexp(flat, axis=0) - np.log(size) - elpd
    if not stuck.all():
        moving = density[..., ~stuck]
        elpd[~stuck], k[~stuck], p[~stuck] = array_stats.loo(
            moving, chain_axis=0, draw_axis=1, r_eff=relative_efficiency
        )
    return elpd, k, p


def _relative_efficiency(posterior: Posterior) -> float:
    labels, draws = parameters(posterior, per_level=False)
    if not labels:
        return 1.0
    return float(min(1.0, np.nanmean(ess_bulk(draws)) / draws[0].size))


def _log_density(posterior: Posterior, rows: slice) -> np.ndarray:
    """Log p(y_i | u, beta, ...) of some rows under all draws [draw, row]."""
    design, family = posterior.design, posterior.spec.family
    blocks = tuple(replace(b, values=b.values[rows], index=b.index[rows]) for b in design.blocks)
    some = Predictors(design.X[rows], design.offset[rows], blocks)
    mean = Mean(conditional_predictor(posterior, some), posterior.spec.link, NUMPY)
    auxiliary = {name: value[:, None] for name, value in posterior.auxiliary.items()}
    trials = None if design.trials is None else design.trials[rows]
    return family.log_density(design.y[rows], mean, auxiliary, trials, NUMPY)
