r"""The default prior of coefficients: a prior of the span of their columns, the same in every coding of the span.

With rows i of weight w_i, x_i the columns about their centre and S the reach of the linear predictor,

    beta ~ N(0, S^2 P^-1),     P = sum lambda_i x_i x_i',     lambda_i = w_i / sum w  to begin with.

For one column this is N(0, S / sd(x)). A prior of the columns one by one depends on how the span is written: x and x^2,
x and x + z, one reference level or another are different models. This one is not, since x T has P T'PT.

Alone it would say that rare rows are extreme: the level of a factor with 5 of 500 rows has a prior sd of S / 0.1. So no
row's x_i'beta may have a prior sd above CAP S. Where h_i = x_i' P^-1 x_i is larger than CAP^2, lambda_i is multiplied
by h_i / CAP^2, until none is: as if the row occurred more often. The multipliers depend on h alone, which no recoding
changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

CAP = 4.0  # 2 shrinks the slope of a covariate with outliers; without a cap a level of 0 in 5 gets a probability of 0
_CLOSE = 1e-3  # of CAP^2
_PASSES = 2_000


@dataclass(frozen=True)
class Span:
    """The prior precision of a span, in units of 1 / S^2.

    Attributes
    ----------
    root : array [column, column]
        Upper triangular R with R'R = P.
    leverage : array [row]
        h_i, the prior variance of each row's predictor in units of S^2.
    capped : array of bool [row]
        Rows whose weight was raised.
    narrowed : array [column]
        Prior sd of each coefficient, as a share of that without the cap.
    """

    root: np.ndarray
    leverage: np.ndarray
    capped: np.ndarray
    narrowed: np.ndarray


def span_of(columns: np.ndarray, weights: np.ndarray, cap: float = CAP) -> Span:
    """The prior of a span.

    Parameters
    ----------
    columns : array [row, column]
        Of full rank; about their centre where the model has a constant.
    weights : array [row]
        How many observations each row stands for.
    cap : float
        The largest prior sd of a row's predictor, in units of S.

    Returns
    -------
    Span

    Examples
    --------
    >>> span_of(np.array([[-1.0], [1.0]]), np.ones(2)).root
    array([[1.]])
    """
    n, k = columns.shape
    if k == 0:
        return Span(np.empty((0, 0)), np.zeros(n), np.zeros(n, dtype=bool), np.empty(0))
    share = weights / weights.sum()
    # orthonormal columns first, so that sums of squares lose no digits however the span is written
    Q, R = np.linalg.qr(np.sqrt(share)[:, None] * columns)
    rows = linalg.solve_triangular(R, columns.T, trans="T").T if n else Q
    leverage = np.einsum("ij,ij->i", rows, rows)
    far = np.flatnonzero(leverage > cap**2)  # the others stay below the cap: leverages only fall
    beyond, multiplier = rows[far], np.ones(len(far))
    for _ in range(_PASSES):
        added = (beyond * (share[far] * (multiplier - 1.0))[:, None]).T @ beyond
        L = np.linalg.cholesky(np.eye(k) + added)
        found = ((beyond @ np.linalg.inv(L).T) ** 2).sum(axis=1)
        if found.max(initial=0.0) <= cap**2 * (1.0 + _CLOSE):
            break
        multiplier = multiplier * np.maximum(1.0, found / cap**2)
    root = L.T @ R
    if len(far):
        leverage = ((rows @ np.linalg.inv(L).T) ** 2).sum(axis=1)
    capped = np.zeros(n, dtype=bool)
    capped[far] = multiplier > 1.0
    root = root * np.where(np.diagonal(root) < 0, -1.0, 1.0)[:, None]
    return Span(root, leverage, capped, _prior_sds(root) / _prior_sds(R))


def _prior_sds(root: np.ndarray) -> np.ndarray:
    """Roots of the diagonal of (R'R)^-1."""
    return np.linalg.norm(linalg.solve_triangular(root, np.eye(len(root))), axis=1)
