r"""Covariances of the effects of one level beyond the unstructured one: each a table entry, by one correlation.

The correlation of effects i and j is rho to the power of their distance,

    G_ij = sd_i sd_j rho^D_ij,

which is compound symmetry where all distances are 1, a first-order autoregression where they count steps, and its
continuous form, an Ornstein-Uhlenbeck process, where they are times. rho lies above the lowest value for which all such
matrices are positive definite.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

EDGE = 25.0  # of the free coordinate: nearer to the ends of its range rho is there in floating point

Distances = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class OneCorrelation:
    """The covariance of a run of effects whose correlations are powers of one.

    Attributes
    ----------
    name : str
        Of its entry in :data:`COVARIANCES`.
    distances : tuple of tuple of float
        D [effect, effect], 0 on the diagonal and 1 somewhere.
    lowest : float
        Where the range of rho begins; it ends at 1.
    one_sd : bool
        Whether the effects have one standard deviation together.
    """

    name: str
    distances: Distances
    lowest: float
    one_sd: bool

    @property
    def size(self) -> int:
        """How many effects there are."""
        return len(self.distances)

    @property
    def sds(self) -> tuple[int, ...]:
        """The effects that have a standard deviation of their own."""
        return (0,) if self.one_sd else tuple(range(self.size))

    @cached_property
    def D(self) -> np.ndarray:
        """The distances [effect, effect]."""
        return np.array(self.distances)

    @cached_property
    def nearest(self) -> tuple[int, int]:
        """The first two effects at distance 1, whose correlation is rho itself."""
        j, i = divmod(int(np.argmax(self.D == 1.0)), self.size)
        return i, j

    def rho(self, t: float) -> float:
        """The correlation of a free coordinate, the logit of its place in the range."""
        return self.lowest + (1.0 - self.lowest) * self.share(t)

    def share(self, t: float) -> float:
        """The place of rho in its range, 0 to 1."""
        return float(1.0 / (1.0 + np.exp(-np.clip(t, -EDGE, EDGE))))

    def place(self, correlation: np.ndarray) -> np.ndarray:
        """The place in its range, 0 to 1, of the correlation of two effects at distance 1."""
        return (correlation - self.lowest) / (1.0 - self.lowest)

    def correlation(self, rho: float) -> np.ndarray:
        """The correlation matrix R [effect, effect]."""
        return np.where(self.D == 0, 1.0, np.power(float(rho), self.D, where=self.D > 0, out=np.ones_like(self.D)))

    def root(self, t: float) -> tuple[np.ndarray, np.ndarray]:
        """The lower Cholesky factor C of R, and its derivative in the free coordinate, both [effect, effect].

        dC = C Phi(C^-1 dR C^-T), Phi the lower half with its diagonal halved (Smith 1995, Journal of Computational and
        Graphical Statistics 4, 134-147).
        """
        share = self.share(t)
        rho = self.rho(t)
        C = np.linalg.cholesky(self.correlation(rho))
        slope = self.D * np.power(rho, self.D - 1.0, where=self.D > 0, out=np.zeros_like(self.D))
        inner = np.linalg.solve(C, np.linalg.solve(C, slope * (1.0 - self.lowest) * share * (1.0 - share)).T)
        return C, C @ (np.tril(inner) - 0.5 * np.diag(np.diagonal(inner)))

    def from_covariance(self, G: np.ndarray) -> tuple[np.ndarray, float]:
        """Standard deviations [own] and free coordinate of a covariance of this form [effect, effect]."""
        sd = np.sqrt(np.diagonal(G))
        i, j = self.nearest
        share = np.clip(self.place(G[i, j] / (sd[i] * sd[j])), 1e-11, 1.0 - 1e-11)
        return sd[list(self.sds)], float(np.log(share) - np.log1p(-share))


@dataclass(frozen=True)
class Covariance:
    """How effects of one level are correlated, as a formula names it.

    Attributes
    ----------
    name : str
        As it is written before the brackets: ``cs(0 + f | g)``.
    title : str
    distances : function
        Labels of the effects to D [effect, effect]; raises ValueError where they have none.
    lowest : function
        Number of effects to where the range of rho begins.
    one_sd : bool
    other : str
        The entry that differs in ``one_sd`` alone, empty if there is none.
    """

    name: str
    title: str
    distances: Callable[[Sequence[str]], np.ndarray]
    lowest: Callable[[int], float]
    one_sd: bool
    other: str = ""

    def of(self, effects: Sequence[str]) -> OneCorrelation:
        """The covariance of these effects.

        Raises
        ------
        ValueError
            If they have no distances.
        """
        D = self.distances(effects)
        rows = tuple(tuple(map(float, row)) for row in D)
        return OneCorrelation(self.name, rows, self.lowest(len(effects)), self.one_sd)


def _equal(effects: Sequence[str]) -> np.ndarray:
    n = len(effects)
    return np.ones((n, n)) - np.eye(n)


def _steps(effects: Sequence[str]) -> np.ndarray:
    """Steps from one to the other; where all have times, these must be a step apart."""
    times = _times(effects)
    if times is not None:
        gaps = np.diff(times)
        if np.ptp(gaps) > 1e-9 * np.abs(gaps).max():
            raise ValueError(f"the times {', '.join(f'{time:g}' for time in times)} are not equally far apart")
    order = np.arange(len(effects))
    return np.abs(order[:, None] - order[None, :]).astype(float)


def _apart(effects: Sequence[str]) -> np.ndarray:
    """Times from one to the other, in units of the smallest."""
    times = _times(effects)
    if times is None:
        raise ValueError(f"{effects[0]!r} has no time: levels are numbers there")
    D = np.abs(times[:, None] - times[None, :])
    smallest = D[~np.eye(len(D), dtype=bool)].min(initial=np.inf)
    if not smallest > 0:
        raise ValueError("two levels have the same time")
    return D / smallest


def _times(effects: Sequence[str]) -> np.ndarray | None:
    """The number in the level of each effect, ``C(t)[2.5]`` or ``t[week 3]``; None where one has none."""
    found = [re.findall(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", effect.rpartition("[")[2]) for effect in effects]
    if any(len(numbers) != 1 for numbers in found):
        return None
    return np.array([float(numbers[0]) for numbers in found])


def _least_for_all_alike(n: int) -> float:
    """The correlation of n numbers whose sum is constant."""
    return -1.0 / (n - 1.0)


COVARIANCES: dict[str, Covariance] = {
    record.name: record
    for record in (
        Covariance("cs", "compound symmetry", _equal, _least_for_all_alike, one_sd=False, other="homcs"),
        Covariance("homcs", "compound symmetry with one sd", _equal, _least_for_all_alike, one_sd=True, other="cs"),
        Covariance("ar1", "first-order autoregression", _steps, lambda n: -1.0, one_sd=True, other="hetar1"),
        Covariance("hetar1", "first-order autoregression, an sd each", _steps, lambda n: -1.0, False, other="ar1"),
        Covariance("ou", "Ornstein-Uhlenbeck process", _apart, lambda n: 0.0, one_sd=True),
    )
}
