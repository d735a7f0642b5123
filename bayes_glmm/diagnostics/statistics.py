"""Convergence statistics of many parameters at once: rank-normalised split R-hat, bulk and tail ESS, MCSE.

The estimators are those of Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), "Rank-normalization, folding, and
localization: an improved R-hat", Bayesian Analysis 16, 667-718, as ArviZ has them. ArviZ visits the parameters one by
one; a model with thousands of levels needs them side by side.

Every function takes draws [parameter, chain, draw] and returns one number a parameter: NaN for one that never moves.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float
from scipy import fft, special, stats

Sample = Float[np.ndarray, "parameter chain draw"]
Statistic = Float[np.ndarray, " parameter"]

CHUNK_VALUES = 1_000_000  # draws that one thread works on at a time; it holds a few copies of them


def in_chunks(statistic: Callable[[np.ndarray], np.ndarray], sample: np.ndarray, threads: int = 4) -> np.ndarray:
    """A statistic computed some parameters at a time.

    Memory does not grow with their number, and sorting and Fourier transforms run beside each other.
    """
    width = max(1, CHUNK_VALUES // max(1, sample[0].size)) if len(sample) else 1
    chunks = [sample[start : start + width] for start in range(0, len(sample), width)]
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(statistic, chunks))
    return np.concatenate(parts) if parts else np.empty(0)


def rhat(sample: Sample) -> Statistic:
    """The larger of the rank-normalised split R-hat of the draws and of their distance from the median (section 4).

    Parameters
    ----------
    sample : array [parameter, chain, draw]
        At least 4 draws a chain. One chain is split into two halves as every other.

    Returns
    -------
    array [parameter]
        Infinite where each half chain stays at its own value.
    """
    halves = _split(sample)
    median = np.median(halves, axis=(1, 2), keepdims=True)
    return np.maximum(_rhat(_normal_scores(halves)), _rhat(_normal_scores(np.abs(halves - median))))


def ess_bulk(sample: Sample) -> Statistic:
    """Effective sample size for the centre: of the rank-normalised draws."""
    return _ess(_normal_scores(_split(sample)))


def ess_tail(sample: Sample) -> Statistic:
    """Effective sample size for the tails: the smaller of those for the 5 % and the 95 % quantile."""
    bounds = np.quantile(sample.reshape(len(sample), -1), [0.05, 0.95], axis=1)
    sizes = [_ess(_split((sample <= bound[:, None, None]).astype(float))) for bound in bounds]
    # with ties all draws may lie on one side of a quantile: then that side says nothing, as in ArviZ
    low, high = (np.where(np.isnan(size), float(sample[0].size), size) for size in sizes)
    return np.where(np.ptp(sample, axis=(1, 2)) > 0, np.minimum(low, high), np.nan)


def mcse_mean(sample: Sample) -> Statistic:
    """Monte Carlo standard error of the mean as a share of the posterior sd: 1 / sqrt(ESS of the mean)."""
    return 1.0 / np.sqrt(_ess(_split(sample)))


def _split(sample: np.ndarray) -> np.ndarray:
    """Each chain as two: its first and its last half."""
    half = sample.shape[2] // 2
    return np.concatenate([sample[:, :, :half], sample[:, :, sample.shape[2] - half :]], axis=1)


def _normal_scores(sample: np.ndarray) -> np.ndarray:
    """Ranks over all chains, turned into normal quantiles (equation 14, Blom's 3/8)."""
    flat = sample.reshape(len(sample), -1)
    order = flat.argsort(axis=1)
    scores = np.empty(flat.shape)
    np.put_along_axis(scores, order, _blom(np.arange(1, flat.shape[1] + 1))[None], axis=1)
    ordered = np.take_along_axis(flat, order, axis=1)
    tied = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)  # ties share their mean rank, which takes longer
    scores[tied] = _blom(stats.rankdata(flat[tied], axis=1))
    return scores.reshape(sample.shape)


def _blom(ranks: np.ndarray) -> np.ndarray:
    return special.ndtri((ranks - 0.375) / (ranks.shape[-1] + 0.25))


def _rhat(sample: np.ndarray) -> np.ndarray:
    """Potential scale reduction of chains as they stand (equations 1 to 4)."""
    n = sample.shape[2]
    between = sample.mean(axis=2).var(axis=1, ddof=1)
    within = sample.var(axis=2, ddof=1).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt((n - 1) / n + between / within)


def _ess(sample: np.ndarray) -> np.ndarray:
    """Effective sample size by Geyer's initial monotone sequence (equations 10 to 13)."""
    _, chains, n = sample.shape
    covariance = _autocovariance(sample)
    within = covariance[:, :1] * n / (n - 1.0)
    between = sample.mean(axis=2).var(axis=1, ddof=1) if chains > 1 else np.zeros(len(sample))
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = 1.0 - (within - covariance) / (covariance[:, 0] + between)[:, None]
    rho[:, 0] = 1.0
    last = (n - 3) // 2  # the pairs of lags (2k, 2k + 1) that are summed whole, at most
    pairs = rho[:, : 2 * last : 2] + rho[:, 1 : 2 * last : 2]
    ended = np.logical_or.accumulate(pairs < 0, axis=1)
    kept = np.minimum.accumulate(np.where(ended, 0.0, pairs), axis=1)
    # the even lag after the last whole pair counts once, where it is positive: less variance for short chains
    following = np.take_along_axis(rho, 2 * (~ended).sum(axis=1, keepdims=True), axis=1)[:, 0]
    tau = -1.0 + 2.0 * kept.sum(axis=1) + np.maximum(following, 0.0)
    size = chains * n
    return np.where(covariance[:, 0] + between > 0, size / np.maximum(tau, 1.0 / np.log10(size)), np.nan)


def _autocovariance(sample: np.ndarray) -> np.ndarray:
    """Autocovariances [parameter, lag], divided by n, averaged over chains."""
    n = sample.shape[2]
    padded = fft.next_fast_len(2 * n, real=True)
    spectrum = fft.rfft(sample - sample.mean(axis=2, keepdims=True), padded, axis=2)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
    return fft.irfft(power, padded, axis=1)[:, :n] / n
