"""Leave-one-out by row: how well each row would have been predicted without it, and whether the draws can tell.

**Conditional** LOO: a row's group keeps its other rows, so this predicts a new row of a *known* group. It says nothing
about new groups, which ``loo_groups`` leaves out. Computed by Pareto-smoothed importance sampling (Vehtari, Gelman &
Gabry 2017, Statistics and Computing 27, 1413-1432), some rows at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import special

from bayes_glmm.design.sampling_weights import refuse_weights
from bayes_glmm.design.trial_rows import log_coefficients, slices_of_counts
from bayes_glmm.diagnostics.check import Check, Skipped, Verdict
from bayes_glmm.diagnostics.parameters import parameters
from bayes_glmm.diagnostics.statistics import ess_bulk
from bayes_glmm.errors import DataError
from bayes_glmm.families import Value
from bayes_glmm.fits import takes_fit
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import at, log_density_of_rows

if TYPE_CHECKING:
    from arviz_stats.utils import ELPDDataLOO

SOURCE = "Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto smoothed importance sampling, JMLR 25(72)"
LIMIT = 200_000_000  # rows times draws
CHUNK_VALUES = 4_000_000
FEWEST = 100  # draws
_SHOWN = 5
_ADVICE = (
    "These rows are influential: leaving one out changes the posterior too much for reweighting, and elpd by row is "
    "not reliable for comparing models. Look at them (errors, outliers). bg.refit_bad(fit) refits without each of "
    "them, bg.kfold(fit) by parts."
)
_FEW_ROWS = 5  # per level: below, each row decides much of its level's own effect


@dataclass(frozen=True)
class LOO:
    """Leave-one-out predictive accuracy.

    Attributes
    ----------
    pointwise : DataFrame
        One row an item left out, a data row or a group: ``elpd``, its log density given all others, ``pareto_k``, and
        ``p``, by how much it improves its own density. The index is the number of the row, or the level of the group.
    good_k : float
        Largest Pareto k whose elpd can be trusted with this many draws.
    draws : int
        How many draws were used.
    refits : DataFrame, optional
        One row an item whose elpd comes from a fit without it, whence its Pareto k of 0: the Monte Carlo standard
        ``error`` of that elpd, the ``verdict`` on the draws, the worst ``rhat``, ``divergences``, ``seconds``.
    meaning : str
        What a row left out is.
    """

    pointwise: pd.DataFrame
    good_k: float
    draws: int
    refits: pd.DataFrame | None = None
    meaning: str = "new rows of known groups"

    @property
    def failing(self) -> list[int | str]:
        """Items whose elpd cannot be trusted, worst first: those to refit without."""
        k = self.pointwise["pareto_k"].sort_values(ascending=False, kind="stable")
        return k.index[k > self.good_k].tolist()

    @property
    def elpd(self) -> float:
        """Expected log predictive density of the data, each row left out in turn."""
        return float(self.pointwise["elpd"].sum())

    @property
    def se(self) -> float:
        """Standard error of ``elpd``: the items taken as a sample of such items."""
        return float(np.sqrt(len(self.pointwise)) * self.pointwise["elpd"].std(ddof=1))

    @property
    def p(self) -> float:
        """Effective number of parameters."""
        return float(self.pointwise["p"].sum())

    @property
    def by(self) -> str | None:
        """The grouping factor whose levels are left out; None for rows."""
        name = self.pointwise.index.name
        return None if name is None else str(name)

    def to_arviz(self) -> ELPDDataLOO:
        """The same as ArviZ holds it, for ``arviz.compare``."""
        import xarray as xr
        from arviz_stats.utils import ELPDDataLOO

        dim = self.by or "row"
        units = {dim: self.pointwise.index.to_numpy()}
        elpd, k, p = (xr.DataArray(self.pointwise[name].to_numpy(), units, dim) for name in ("elpd", "pareto_k", "p"))
        return ELPDDataLOO(
            elpd=self.elpd,
            se=self.se,
            p=self.p,
            n_samples=self.draws,
            n_data_points=len(self.pointwise),
            scale="log",
            warning=bool(self.failing),
            good_k=self.good_k,
            elpd_i=elpd,
            pareto_k=k,
            p_loo_i=p,
        )

    def __str__(self) -> str:
        meaning = f"new levels of {self.by}" if self.by else self.meaning
        numbers = f"elpd {self.elpd:.1f} (se {self.se:.1f}) for {meaning}, p {self.p:.1f}"
        lines = [f"Leave-one-out by {self.by or 'row'}: {numbers}."]
        if missing := len(self.failing):
            lines.append(
                f"{missing} of {len(self.pointwise)} have a Pareto k above {self.good_k:.2f} and are not to be "
                "trusted: bg.refit_bad(fit, loo) refits without each of them."
            )
        else:
            lines.append(f"The Pareto k of all {len(self.pointwise)} is {self.good_k:.2f} at most.")
        if self.refits is not None and len(self.refits):
            lines.append(f"{len(self.refits)} come from a fit without them.")
        return "\n".join(lines)

    __repr__ = __str__


@takes_fit
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
    refuse_weights(posterior.design, "Leave-one-out")
    chains, draws = posterior.sample_shape
    size, rows = chains * draws, len(posterior.design.y)
    if size * rows > LIMIT:
        raise DataError(
            f"Leaving out each of {rows:,} rows under {size:,} draws takes {size * rows:.1e} log densities.",
            f"the limit is {LIMIT:.0e}",
            f"Keep fewer draws ({LIMIT // rows:,} or fewer; posterior.draws is an ArviZ DataTree), or use k-fold.",
        )
    if relative_efficiency is None:
        relative_efficiency = efficiency(posterior, size)
    parts = []
    step = max(1, CHUNK_VALUES // size)
    for block, starts in slices_of_counts(posterior.design, step):
        density = np.add.reduceat(_log_density(posterior, block), starts, axis=-1)
        parts.append(smoothed(density.reshape(chains, draws, -1), relative_efficiency))
    pointwise = pd.concat(parts, ignore_index=True)
    if (count_row := posterior.design.count_row) is not None:
        pointwise["elpd"] += log_coefficients(posterior.design, count_row, len(pointwise))
    found = LOO(pointwise, good_k(size), size)
    if (residual := posterior.design.residual) is None:
        return found
    return replace(found, meaning=f"rows given the others of their {residual.group}, whose residuals are correlated")


def check_loo(posterior: Posterior) -> Check | Skipped:
    """Can the draws tell how each row would be predicted without it? Fails above k = 1: no mean exists."""
    name, title = "loo", "Pareto k, LOO by row"
    chains, draws = posterior.sample_shape
    if chains * draws < FEWEST:
        return Skipped(name, title, f"It takes {FEWEST} draws at least.")
    found = loo_by_row(posterior)
    return pareto_check(
        name, title, found,
        finding=f"elpd {found.elpd:.1f} (se {found.se:.1f}) for {found.meaning}, p {found.p:.1f}",
        labels=[f"row {i}" for i in found.pointwise.index],
        unit="rows",
        advice=_advice(posterior),
    )  # fmt: skip


def _advice(posterior: Posterior) -> str:
    """By levels, where residuals are correlated, and where levels have few rows: a right model fails by row there."""
    if (residual := posterior.design.residual) is not None:
        return (
            f"Rows are left out given the others of their {residual.group}. Leave out whole levels in place of them: "
            f'loo_by_group(posterior, "{residual.group}"), or bg.kfold(fit, by="{residual.group}").'
        )
    blocks = [b for b in posterior.design.blocks if len(b.index) < _FEW_ROWS * len(b.levels)]
    if not blocks:
        return _ADVICE
    g, rows = blocks[0].group, len(blocks[0].index) / len(blocks[0].levels)
    return (
        f"Levels of {g} have {rows:.2g} row{'' if rows == 1 else 's'} on average, so that each row decides much of its "
        f'level\'s effect: the model may be right. Use leave-one-out by level, loo_by_group(posterior, "{g}"), or '
        "bg.refit_bad(fit), which refits without each of the rows."
    )


def pareto_check(
    name: str, title: str, found: LOO, finding: str, labels: Sequence[str], unit: str, advice: str
) -> Check:
    """The verdict on the worst Pareto k.

    Parameters
    ----------
    name, title : str
    found : LOO
    finding : str
        What was found, without the number of items that miss.
    labels : sequence of str
        Of the items left out.
    unit : str
        What they are, in the plural.
    advice : str
        What to do about those that miss.
    """
    evidence = pd.DataFrame(
        {"item": labels, "value": found.pointwise["pareto_k"].array, "elpd": found.pointwise["elpd"].array}
    ).sort_values("value", ascending=False, kind="stable", ignore_index=True)
    worst, missing = float(evidence["value"].iloc[0]), len(found.failing)
    verdict: Verdict = "pass" if missing == 0 else "look" if worst <= 1.0 else "fail"
    return Check(
        name, title, verdict, worst, found.good_k, "below",
        finding=finding + (f"; {missing} of {len(evidence)} {unit} miss" if missing else ""),
        evidence=evidence.head(max(missing, _SHOWN)),
        advice=() if verdict == "pass" else (advice,),
        source=SOURCE,
    )  # fmt: skip


def good_k(draws: int) -> float:
    """Largest Pareto k to trust with so many draws (Vehtari et al. 2024)."""
    return float(min(1.0 - 1.0 / np.log10(draws), 0.7))


def smoothed(density: np.ndarray, relative_efficiency: float) -> pd.DataFrame:
    """``elpd``, ``pareto_k`` and ``p`` of each item from log densities [chain, draw, item]."""
    from arviz_stats.base import array_stats

    flat = density.reshape(-1, density.shape[2])
    size = len(flat)
    relative_efficiency = max(relative_efficiency, 225.0 / size)  # the tail is a fifth of the draws at most
    stuck = stuck_tails(flat, relative_efficiency)
    elpd = np.log(size) - special.logsumexp(-flat, axis=0)
    k = np.full(flat.shape[1], np.inf)
    p = special.logsumexp(flat, axis=0) - np.log(size) - elpd
    if not stuck.all():
        moving = density[..., ~stuck]
        with np.errstate(all="ignore"):  # a tail so long that its fit overflows has a large k all the same
            elpd[~stuck], k[~stuck], p[~stuck] = array_stats.loo(
                moving, chain_axis=0, draw_axis=1, r_eff=relative_efficiency
            )
    return pd.DataFrame({"elpd": elpd, "pareto_k": k, "p": p})


def stuck_tails(density: np.ndarray, relative_efficiency: float) -> np.ndarray:
    """Items, of log densities [draw, item], whose chain stood still: no distribution can be fitted to their tail."""
    size = len(density)
    tail = int(3.0 * np.sqrt(size / relative_efficiency) if size * relative_efficiency > 225 else size / 5)
    return np.ptp(np.partition(density, tail - 1, axis=0)[:tail], axis=0) == 0


def efficiency(posterior: Posterior, used: int) -> float:
    """Effective draws a draw used: the mean bulk ESS of the parameters over that number, 1 at most."""
    labels, draws = parameters(posterior, per_level=False)
    if not labels:
        return 1.0
    return float(min(1.0, np.nanmean(ess_bulk(draws)) / used))


def _log_density(posterior: Posterior, rows: slice) -> np.ndarray:
    """Log p(y_i | u, beta, ...) of some rows under all draws [draw, row]."""
    return log_density_of_rows(posterior, rows)


def at_rows(
    posterior: Posterior, rows: slice | np.ndarray, draws: slice | np.ndarray = slice(None)
) -> dict[str, Value]:
    """The value of each parameter of the family given u, of some rows under some draws [draw, row]."""
    return at(posterior, posterior.design.predictors.take(rows), draws)
