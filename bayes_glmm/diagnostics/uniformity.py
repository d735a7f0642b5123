"""Are ranks uniform? What simulation-based calibration asks of the ranks of true values among draws.

Of n ranks among L draws the counts of 0, ..., L are multinomial with equal shares if all is right, so both answers hold
for discrete ranks as they are: a chi-square test of their histogram, and a simultaneous envelope of their distribution
function (Säilynoja, Bürkner & Vehtari 2022, Statistics and Computing 32, 32). The histogram sees what sticks out
anywhere; the distribution function sees a lean to one side, or draws too wide or too narrow, from fewer ranks.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

FEWEST = 20  # ranks, for two bins with ten expected in each
_EXPECTED = 10  # ranks a bin of the histogram
_SIMULATED, _SEED = 20_000, 214


def uniformity(ranks: pd.DataFrame, draws: int) -> pd.DataFrame:
    """How far ranks are from uniform.

    Parameters
    ----------
    ranks : DataFrame
        One column a quantity, values 0, ..., ``draws``; 20 rows at least.
    draws : int
        Among how many the ranks are.

    Returns
    -------
    DataFrame
        One row a quantity: ``mean`` of rank / draws, 0.5 if all is right, above if draws are too low; p-values
        ``chi_square`` of the histogram and ``ecdf`` of the distribution function.
    """
    counts = np.array([np.bincount(ranks[name], minlength=draws + 1) for name in ranks])
    table = {
        "mean": ranks.mean().to_numpy() / draws,
        "chi_square": [_chi_square(each) for each in counts],
        "ecdf": _ecdf(counts),
    }
    return pd.DataFrame(table, index=pd.Index(ranks.columns, name="quantity"))


def envelope(ranks: int, draws: int, probability: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the distribution function of uniform ranks stays, all of it, with this probability.

    Parameters
    ----------
    ranks : int
        How many there are.
    draws : int
        Among how many each is.
    probability : float

    Returns
    -------
    points, lower, upper : arrays [draws]
        At (k + 1) / (draws + 1) the share of ranks up to k, for k from 0.
    """
    from arviz_stats.ecdf_utils import get_pointwise_confidence_band

    points = _points(draws)
    outermost = np.quantile(_simulated(ranks, draws), 1.0 - probability)
    lower, upper = get_pointwise_confidence_band(1.0 - 2.0 * outermost, ranks, points)
    return points, lower, upper


def _chi_square(counts: np.ndarray) -> float:
    """The p-value of counts [rank] in as many bins of equal size as leave enough in each."""
    from scipy import stats

    cells, most = len(counts), max(2, counts.sum() // _EXPECTED)
    bins = max((k for k in range(2, cells + 1) if cells % k == 0 and k <= most), default=cells)
    return float(stats.chisquare(counts.reshape(bins, -1).sum(axis=1)).pvalue)


def _ecdf(counts: np.ndarray) -> np.ndarray:
    """The p-value of the outermost point of each distribution function, from counts [quantity, rank]."""
    simulated = _simulated(int(counts[0].sum()), counts.shape[1] - 1)
    further = np.searchsorted(simulated, _outermost(counts) * (1.0 + 1e-12), side="right")
    return (1.0 + further) / (1.0 + len(simulated))


@lru_cache(maxsize=4)
def _simulated(ranks: int, draws: int) -> np.ndarray:
    """The outermost points of many distribution functions of uniform ranks, in order."""
    rng = np.random.default_rng(_SEED)
    return np.sort(_outermost(rng.multinomial(ranks, np.full(draws + 1, 1.0 / (draws + 1)), size=_SIMULATED)))


def _outermost(counts: np.ndarray) -> np.ndarray:
    """The least tail probability along each distribution function, from counts [function, rank]."""
    from scipy import stats

    n, points = int(counts[0].sum()), _points(counts.shape[1] - 1)
    up_to = np.arange(n + 1)[:, None]
    tail = np.minimum(stats.binom.cdf(up_to, n, points), stats.binom.sf(up_to - 1, n, points))
    return tail[counts.cumsum(axis=1)[:, :-1], np.arange(len(points))].min(axis=1)


def _points(draws: int) -> np.ndarray:
    return np.arange(1, draws + 1) / (draws + 1)
