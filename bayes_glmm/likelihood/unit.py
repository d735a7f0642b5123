r"""Factors of the likelihood: rows, or blocks of rows whose residuals are correlated.

The residuals of a block, divided by the standard deviations sigma of their rows, are N(0, R). With e = (y - mu) / sigma

    log p(y_b) = -e'R^-1 e / 2 - log|R| / 2 - sum log sigma - n_b log(2 pi) / 2,

and e white is C^-1 e, C C' = R: the first row of a block as it is, each later one less what is predicted from those
before it, over its sd given them. Levels with the same occasions share R, and C.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np

from bayes_glmm.design import Design
from bayes_glmm.design.residual import Pattern, Residual

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_NUMBERS = 8_000_000  # entries of correlation matrices held at once


def _in_parts(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function of (residual, places, arrays) take some draws at a time, as matrices of all take much memory."""

    @wraps(function)
    def in_parts(residual: Residual, places: np.ndarray, *arrays: np.ndarray) -> Any:
        size = max(1, _NUMBERS // len(residual.labels) ** 2)
        if places.ndim == 1 or len(places) <= size:
            return function(residual, places, *arrays)
        cuts = range(size, len(places), size)
        parts = zip(*(np.split(one, cuts) for one in (places, *arrays)), strict=True)
        found = [function(residual, *part) for part in parts]
        if isinstance(found[0], tuple):
            return tuple(np.concatenate(one) for one in zip(*found, strict=True))
        return np.concatenate(found)

    return in_parts


@dataclass(frozen=True)
class Unit:
    """The unit that densities, leave-one-out and checks count.

    Attributes
    ----------
    name : str
        ``"row"``, or the grouping factor whose levels are blocks.
    labels : tuple
        Numbers of the rows, or levels.
    index : array [row]
        The unit of each row.
    """

    name: str
    labels: tuple[int | str, ...]
    index: np.ndarray

    @property
    def is_row(self) -> bool:
        """Whether each row is one."""
        return self.name == "row"


def unit_of(design: Design) -> Unit:
    """Return what the likelihood of a design is a product over."""
    residual = design.residual
    if residual is None:
        rows = np.arange(len(design.y))
        return Unit("row", tuple(rows.tolist()), rows)
    return Unit(residual.group, residual.levels, residual.index)


@_in_parts
def whitened(residual: Residual, places: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """C^-1 times the rows of each block, and the logarithms of the diagonals of C.

    Parameters
    ----------
    residual : Residual
    places : array [..., constant]
    values : array [..., row] or [row, column]
        The second where ``places`` has one axis.

    Returns
    -------
    array as ``values``, array [..., row]
        The second is of the sd of each row given those of its block before it.
    """
    R = residual.form.matrix(places, residual.occasions)
    columns = values.ndim == 2 and places.ndim == 1
    result = np.array(values, float)
    log_sd = np.zeros((*places.shape[:-1], len(residual.index)))
    for pattern in residual.patterns:
        C = np.linalg.cholesky(R[..., pattern.at[:, None], pattern.at])
        k = len(pattern.at)
        if columns:
            own = values[pattern.rows].transpose(1, 0, 2).reshape(k, -1)
            white = np.linalg.solve(C, own).reshape(k, len(pattern.rows), -1)
            result[pattern.rows] = white.transpose(1, 0, 2)
        else:
            own = np.swapaxes(values[..., pattern.rows], -1, -2)
            result[..., pattern.rows] = np.swapaxes(np.linalg.solve(C, own), -1, -2)
        log_sd[..., pattern.rows] = np.log(np.diagonal(C, axis1=-2, axis2=-1))[..., None, :]
    return result, log_sd


@_in_parts
def coloured(residual: Residual, places: np.ndarray, white: np.ndarray) -> np.ndarray:
    """C times the rows of each block [..., row], the reverse of :func:`whitened`."""
    R = residual.form.matrix(places, residual.occasions)
    result = np.empty_like(white)
    for pattern in residual.patterns:
        C = np.linalg.cholesky(R[..., pattern.at[:, None], pattern.at])
        result[..., pattern.rows] = np.swapaxes(C @ np.swapaxes(white[..., pattern.rows], -1, -2), -1, -2)
    return result


def log_density_of_blocks(residual: Residual, places: np.ndarray, e: np.ndarray, log_sigma: np.ndarray) -> np.ndarray:
    """Log density of the rows of each level [..., level], for residuals e over their sds [..., row]."""
    white, log_sd = whitened(residual, places, e)
    by_row = -0.5 * white**2 - log_sd - log_sigma - _HALF_LOG_2PI
    result = np.zeros((*by_row.shape[:-1], len(residual.levels)))
    for pattern in residual.patterns:
        result[..., pattern.levels] = by_row[..., pattern.rows].sum(axis=-1)
    return result


@_in_parts
def log_density_given_others(
    residual: Residual, places: np.ndarray, e: np.ndarray, log_sigma: np.ndarray
) -> np.ndarray:
    """Log density of each row given all others of its block [..., row]: exact, by the inverse of R.

    With P = R^-1 a residual given the others is normal with mean e_i - (P e)_i / P_ii and variance 1 / P_ii (Bürkner,
    Gabry & Vehtari 2021, Computational Statistics 36, 1243-1261).
    """
    R = residual.form.matrix(places, residual.occasions)
    result = np.empty(e.shape)
    for pattern in residual.patterns:
        P = np.linalg.inv(R[..., pattern.at[:, None], pattern.at])
        own = np.diagonal(P, axis1=-2, axis2=-1)[..., None, :]
        result[..., pattern.rows] = 0.5 * np.log(own) - 0.5 * (e[..., pattern.rows] @ P) ** 2 / own
    return result - log_sigma - _HALF_LOG_2PI


def slopes(
    residual: Residual, places: np.ndarray, e: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Derivatives of the log density, with terms -v'R^-1 v / 2 added for further vectors v.

    Parameters
    ----------
    residual : Residual
    places : array [constant]
    e : array [row]
        Residuals over their sds.
    others : array [row, vector]

    Returns
    -------
    array [row], array [row, vector], array [constant]
        -R^-1 e and -R^-1 v, and the slopes in the places.
    """
    R = residual.form.matrix(places, residual.occasions)
    vectors = np.column_stack([e, others])
    result, R_slope = np.empty_like(vectors), np.zeros_like(R)
    for pattern in residual.patterns:
        place = np.ix_(pattern.at, pattern.at)
        solved = np.linalg.solve(R[place], _by_occasion(pattern, vectors))
        R_slope[place] += 0.5 * (solved @ solved.T - len(pattern.rows) * np.linalg.inv(R[place]))
        result[pattern.rows] = -solved.reshape(len(pattern.at), len(pattern.rows), -1).transpose(1, 0, 2)
    return result[:, 0], result[:, 1:], residual.form.pulled_back(places, residual.occasions, R_slope)


def _by_occasion(pattern: Pattern, values: np.ndarray) -> np.ndarray:
    """Rows [row, column] of the levels of a pattern side by side [occasion, level x column]."""
    return values[pattern.rows].transpose(1, 0, 2).reshape(len(pattern.at), -1)
