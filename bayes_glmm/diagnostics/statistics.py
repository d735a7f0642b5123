"""Convergence statistics of many parameters: rank-normalised split R-hat, bulk and tail ESS, MCSE, as ArviZ has them.

The estimators are those of Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), "Rank-normalization, folding, and
localization: an improved R-hat", Bayesian Analysis 16, 667-718. Every function takes draws [parameter, chain, draw],
at least 4 a chain, and returns one number a parameter: NaN for one that never moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

    Sample = Float[np.ndarray, "parameter chain draw"]
    Statistic = Float[np.ndarray, " parameter"]


def rhat(sample: Sample) -> Statistic:
    """The larger of the R-hat of the draws and of their distance from the median (section 4)."""
    return _by_arviz("rhat", sample)


def ess_bulk(sample: Sample) -> Statistic:
    """Effective sample size for the centre: of the rank-normalised draws."""
    return _moving(_by_arviz("ess", sample, method="bulk"), sample)


def ess_tail(sample: Sample, level: float = 0.9) -> Statistic:
    """Effective sample size for the tails: the smaller of those for the ends of the equal-tailed interval."""
    tail = 0.5 * (1.0 - level)
    return _moving(_by_arviz("ess", sample, method="tail", prob=(tail, 1.0 - tail)), sample)


def mcse_mean(sample: Sample) -> Statistic:
    """Monte Carlo standard error of the mean as a share of the posterior sd."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = _by_arviz("mcse", sample, method="mean") / sample.std(axis=(1, 2), ddof=1)
    return _moving(share, sample)


def _by_arviz(name: str, sample: np.ndarray, **options: Any) -> np.ndarray:
    from arviz_stats.base import array_stats

    if not len(sample):
        return np.empty(0)
    with np.errstate(divide="ignore", invalid="ignore"):  # of parameters, or whole chains, that never move
        return np.asarray(getattr(array_stats, name)(sample, chain_axis=-2, draw_axis=-1, **options), float)


def _moving(statistic: np.ndarray, sample: np.ndarray) -> np.ndarray:
    return np.where(np.ptp(sample, axis=(1, 2)) > 0, statistic, np.nan)
