"""Draws of an estimate that are beyond floating point: a mean of e^800 less another one is not a number."""

from __future__ import annotations

import numpy as np

MOST = 0.05  # of the draws: more of them concern the interval, and the estimate stays missing


def undefined_as_median(draws: np.ndarray) -> tuple[np.ndarray, int]:
    """Give undefined draws the median of the others, where few draws of an estimate are undefined.

    The median of the estimate is that of the defined draws, and its interval is as wide to the share of undefined ones.

    Parameters
    ----------
    draws : array [draw, estimate]

    Returns
    -------
    draws : array [draw, estimate]
        The same object where nothing is replaced.
    most : int
        The largest number of draws replaced for an estimate.

    Examples
    --------
    >>> draws = np.append(np.arange(39.0), np.nan)[:, None]
    >>> undefined_as_median(draws)[0][-1], undefined_as_median(draws)[1]
    (array([19.]), 1)
    """
    count = np.isnan(draws).sum(axis=0)
    few = np.flatnonzero((count > 0) & (count <= MOST * len(draws)))
    if not len(few):
        return draws, 0
    columns = draws[:, few]
    filled = draws.copy()
    filled[:, few] = np.where(np.isnan(columns), np.nanmedian(columns, axis=0), columns)
    return filled, int(count[few].max())
