"""Monte Carlo error of point estimates: what another run of the sampler would change them by.

The estimators are those of Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), "Rank-normalization, folding, and
localization: an improved R-hat", Bayesian Analysis 16, 667-718, as ArviZ has them, for thousands of estimates at once.
"""

from __future__ import annotations

import numpy as np
from scipy import fft, special

from bayes_glmm.summaries.functional import Functional
from bayes_glmm.summaries.interval import median_of_sorted

FEWEST = 4  # draws per chain; below that there is no autocorrelation to estimate
_SIDES = special.ndtr([-1.0, 1.0])  # one standard error to each side


def mcse(draws: np.ndarray, functional: Functional) -> np.ndarray:
    """Return the Monte Carlo standard error of each point estimate [estimate]; NaN for too few draws or missing ones.

    Parameters
    ----------
    draws : array [estimate, chain, draw]
    functional : {"median", "mean"}
        What the point estimate is.
    """
    flat = draws.reshape(len(draws), draws.shape[1] * draws.shape[2])
    if functional == "mean":
        return mcse_of_mean(draws)
    return mcse_of_median(draws, np.sort(flat, axis=1))


def mcse_of_mean(draws: np.ndarray) -> np.ndarray:
    """Return the standard error of the mean of each row of draws [estimate, chain, draw]."""
    effective = effective_draws(draws, "mean")
    with np.errstate(invalid="ignore", over="ignore"):
        return draws.std(axis=(1, 2), ddof=min(1, draws[:1].size - 1)) / np.sqrt(effective)


def mcse_of_median(draws: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Return the standard error of the median of each row of draws, given also in ascending order [estimate, draw].

    Half the distance between the order statistics that lie one standard error of a binomial share to each side of it.
    """
    if draws.shape[2] < FEWEST or not len(draws):
        return np.full(len(draws), np.nan)
    total, rows = ordered.shape[1], np.arange(len(ordered))
    effective = _effective_for_median(draws, median_of_sorted(ordered))
    shares = special.betaincinv(0.5 * effective + 1.0, 0.5 * effective + 1.0, _SIDES[:, None])
    places = np.nan_to_num(shares * total - 1.0)
    low = ordered[rows, np.floor(np.maximum(places[0], 0.0)).astype(int)]
    high = ordered[rows, np.ceil(np.minimum(places[1], total - 1.0)).astype(int)]
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.where(high == low, 0.0, 0.5 * (high - low))
    return np.where(np.isnan(effective) | np.isnan(ordered[:, -1]), np.nan, error)


def effective_draws(draws: np.ndarray, functional: Functional) -> np.ndarray:
    """Return how many independent draws would estimate the median or the mean as well [estimate].

    Parameters
    ----------
    draws : array [estimate, chain, draw]
    functional : {"median", "mean"}
    """
    if draws.shape[2] < FEWEST or not len(draws):
        return np.full(len(draws), np.nan)
    if functional == "median":
        return _effective_for_median(draws, np.median(draws, axis=(1, 2)))
    with np.errstate(invalid="ignore", over="ignore"):
        return _effective(_halves(draws))


def _effective_for_median(draws: np.ndarray, medians: np.ndarray) -> np.ndarray:
    """That of the share of draws up to the median; single precision holds shares of 0 and 1."""
    below = (draws <= medians[:, None, None]).astype(np.float32)
    return np.where(np.isnan(medians), np.nan, _effective(_halves(below)))


def _halves(draws: np.ndarray) -> np.ndarray:
    """Each chain as two, so that a trend within it counts."""
    half = draws.shape[2] // 2
    return np.concatenate([draws[:, :, :half], draws[:, :, -half:]], axis=1)


def _effective(draws: np.ndarray) -> np.ndarray:
    """Effective sample size by Geyer's initial monotone sequence (Geyer 1992) of the autocorrelations."""
    _, chains, length = draws.shape
    total, size = chains * length, fft.next_fast_len(2 * length, real=True)
    means = draws.mean(axis=2, keepdims=True)
    transform = fft.rfft(draws - means, size, axis=2)
    power = (transform.real**2 + transform.imag**2).mean(axis=1)
    covariance = fft.irfft(power, size, axis=1)[:, :length].astype(float) / length
    within = covariance[:, 0] * length / (length - 1.0)
    variance = covariance[:, 0] + (means[:, :, 0].var(axis=1, ddof=1) if chains > 1 else 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):  # of draws that never move
        rho = 1.0 - (within[:, None] - covariance) / variance[:, None]
    rho[:, 0] = 1.0
    last = max((length - 1) // 2 - 1, 0)  # the last pair of lags that is looked at
    pairs = rho[:, 0 : 2 * last + 1 : 2] + rho[:, 1 : 2 * last + 2 : 2]
    stopped = (pairs <= 0.0).any(axis=1)
    stop = np.where(stopped, (pairs <= 0.0).argmax(axis=1), last)
    sums = np.where(np.arange(last + 1) < stop[:, None], np.minimum.accumulate(pairs, axis=1), 0.0).sum(axis=1)
    rest = rho[np.arange(len(rho)), 2 * stop]
    tau = -1.0 + 2.0 * sums + np.where(stopped, np.maximum(rest, 0.0), rest)
    still = np.ptp(draws, axis=(1, 2)) < np.finfo(float).resolution
    return np.where(still, float(total), total / np.maximum(tau, 1.0 / np.log10(total)))
