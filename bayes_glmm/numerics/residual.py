r"""Correlations of the residuals of one level, each a table entry: ``ar``, ``cosy`` and ``unstr``.

Every correlation matrix is made of *places*, numbers between 0 and 1 with independent beta priors. Where one
correlation makes the matrix, its place is that in the range from ``low`` to ``high``,

    ar      R_st = rho^|t - s|        steps between occasions
    cosy    R_st = rho                s and t differ

and otherwise a place p stands for the partial correlation 2 p - 1 of two occasions given those before the first of
them, whose Cholesky factor has the entries

    C_st = (2 p_st - 1) sqrt(1 - sum_{k < t} C_sk^2),    C_ss = sqrt(1 - sum_{k < s} C_sk^2).

Partial correlations with beta priors make R ~ LKJ(eta) (Lewandowski, Kurowicka & Joe 2009, Journal of Multivariate
Analysis 100, 1989-2001). Places and what follows from them may have axes of draws before their last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

EDGE = 1e-10  # nearer to 0 and 1 a place is there in floating point


@dataclass(frozen=True)
class Occasions:
    """The occasions of a correlation matrix, and the range of a single correlation.

    Attributes
    ----------
    steps : array [occasion]
        When each is, in whole steps; its number where only the order of rows counts.
    low, high : float
        The range of a single correlation.
    """

    steps: np.ndarray
    low: float = -1.0
    high: float = 1.0

    def rho(self, place: np.ndarray) -> np.ndarray:
        """The single correlation at a place."""
        return self.low + (self.high - self.low) * np.asarray(place)

    def place(self, rho: np.ndarray) -> np.ndarray:
        """The reverse of :meth:`rho`."""
        return np.clip((np.asarray(rho) - self.low) / (self.high - self.low), EDGE, 1.0 - EDGE)


@dataclass(frozen=True)
class ResidualForm:
    """A correlation of residuals, as a formula names it.

    Attributes
    ----------
    name : str
        As it is written before the brackets: ``ar(t, gr = g)``.
    title : str
    constants : function
        Number of occasions to how many places there are.
    matrix : function
        ``(places [..., constant], occasions) -> R [..., occasion, occasion]``.
    pulled_back : function
        ``(places [constant], occasions, slope [occasion, occasion]) -> slope [constant]``: derivatives in the places
        from those in the entries of R.
    places : function
        ``(R [..., occasion, occasion], occasions) -> places [..., constant]``.
    shapes : function
        ``(eta, number of occasions) -> shapes [constant]`` of the beta priors of the places.
    lowest : function
        Number of occasions to where the range of a single correlation begins.
    variable : str
        What people read in place of the places: a single correlation, or a correlation matrix.
    effects : str
        The effects that a response without residuals has instead, with ``{time}`` and ``{group}``.
    needs_time : bool
        Whether occasions have to be named.
    """

    name: str
    title: str
    constants: Callable[[int], int]
    matrix: Callable[[np.ndarray, Occasions], np.ndarray]
    pulled_back: Callable[[np.ndarray, Occasions, np.ndarray], np.ndarray]
    places: Callable[[np.ndarray, Occasions], np.ndarray]
    shapes: Callable[[float, int], np.ndarray]
    lowest: Callable[[int], float]
    variable: str
    effects: str
    needs_time: bool

    @property
    def single(self) -> bool:
        """Whether one correlation makes the matrix."""
        return self.variable != "cor_residual"

    def names(self, occasions: int) -> tuple[str, ...]:
        """Names of the places, as constants of the family."""
        if self.single:
            return (f"unit_{self.variable}",)
        return tuple(f"unit_cor_{s + 1}_{t + 1}" for s, t in below(occasions))


def below(occasions: int) -> list[tuple[int, int]]:
    """Pairs of occasions, the later one first, in the order of their places."""
    return [(s, t) for s in range(occasions) for t in range(s)]


def distances(form: str, steps: np.ndarray) -> np.ndarray:
    """The power of the single correlation in each entry of R [occasion, occasion]."""
    apart = np.abs(np.subtract.outer(steps, steps)).astype(float)
    return apart if form == "ar" else np.minimum(apart, 1.0)


def _powers(form: str) -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray], Callable[..., np.ndarray]]:
    def matrix(places: np.ndarray, occasions: Occasions) -> np.ndarray:
        rho = occasions.rho(places[..., 0])
        return np.power(rho[..., None, None], distances(form, occasions.steps))

    def pulled_back(places: np.ndarray, occasions: Occasions, slope: np.ndarray) -> np.ndarray:
        D, rho = distances(form, occasions.steps), float(occasions.rho(places[..., 0]))
        along = np.where(D > 0, D * np.power(rho, np.maximum(D - 1.0, 0.0)), 0.0)
        return np.array([(occasions.high - occasions.low) * np.sum(slope * along)])

    def places(R: np.ndarray, occasions: Occasions) -> np.ndarray:
        t, s = divmod(int(np.argmax(distances(form, occasions.steps) == 1.0)), R.shape[-1])
        return occasions.place(R[..., s, t])[..., None]

    return matrix, pulled_back, places


def factor(places: np.ndarray, occasions: int) -> np.ndarray:
    """The lower Cholesky factor C of an unstructured correlation matrix [..., occasion, occasion]."""
    partial, left = 2.0 * np.asarray(places) - 1.0, np.ones((*np.shape(places)[:-1], occasions))
    C = np.zeros((*np.shape(places)[:-1], occasions, occasions))
    for k, (s, t) in enumerate(below(occasions)):
        C[..., s, t] = partial[..., k] * np.sqrt(left[..., s])
        left[..., s] *= 1.0 - partial[..., k] ** 2
    C[..., np.arange(occasions), np.arange(occasions)] = np.sqrt(left)
    return C


def _unstructured(places: np.ndarray, occasions: Occasions) -> np.ndarray:
    C = factor(places, len(occasions.steps))
    return C @ np.swapaxes(C, -1, -2)


def _unstructured_back(places: np.ndarray, occasions: Occasions, slope: np.ndarray) -> np.ndarray:
    """Of C = partial * (products of sqrt(1 - partial^2) before it in its row), entry by entry."""
    m = len(occasions.steps)
    C = factor(places, m)
    C_slope, partial = (slope + slope.T) @ C, 2.0 * np.asarray(places) - 1.0
    result, k = np.empty(len(partial)), 0
    for s in range(m):
        products, own = C_slope[s, : s + 1] * C[s, : s + 1], partial[k : k + s]
        later = np.cumsum(products[::-1])[::-1]  # the entries that a partial correlation shortens come after its own
        before = np.sqrt(np.cumprod(np.concatenate([[1.0], 1.0 - own**2]))[:-1])
        result[k : k + s] = 2.0 * (C_slope[s, :s] * before - later[1:] * own / (1.0 - own**2))
        k += s
    return result


def _partials(R: np.ndarray, occasions: Occasions) -> np.ndarray:
    m = len(occasions.steps)
    C = np.linalg.cholesky(R)
    found = np.empty((*R.shape[:-2], m * (m - 1) // 2))
    for k, (s, t) in enumerate(below(m)):
        left = np.sqrt(np.maximum(1.0 - np.sum(C[..., s, :t] ** 2, axis=-1), 1e-300))
        found[..., k] = np.clip(0.5 + 0.5 * C[..., s, t] / left, EDGE, 1.0 - EDGE)
    return found


def _lkj_shapes(eta: float, occasions: int) -> np.ndarray:
    return np.array([eta + 0.5 * (occasions - 2 - t) for _, t in below(occasions)])


RESIDUALS: dict[str, ResidualForm] = {
    "ar": ResidualForm(
        "ar",
        "first-order autoregression",
        lambda m: 1,
        *_powers("ar"),
        shapes=lambda eta, m: np.array([eta]),
        lowest=lambda m: -1.0,
        variable="rho",
        effects="ar1(0 + C({time}) | {group})",
        needs_time=True,
    ),
    "cosy": ResidualForm(
        "cosy",
        "compound symmetry",
        lambda m: 1,
        *_powers("cosy"),
        shapes=lambda eta, m: np.array([eta]),
        lowest=lambda m: -1.0 / (m - 1.0),
        variable="cosy",
        effects="(1 | {group})",
        needs_time=False,
    ),
    "unstr": ResidualForm(
        "unstr",
        "unstructured correlation",
        lambda m: m * (m - 1) // 2,
        _unstructured,
        _unstructured_back,
        _partials,
        shapes=_lkj_shapes,
        lowest=lambda m: -1.0,
        variable="cor_residual",
        effects="(0 + C({time}) | {group})",
        needs_time=True,
    ),
}
"""By the name before the brackets."""

KINDS = tuple(RESIDUALS)
"""Their numbers, for compiled code."""
