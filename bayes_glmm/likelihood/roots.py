r"""Coordinates of the root L of one run of effects, G = L L', for optimisers; one class a kind of covariance.

Each has two systems. In x likelihoods are searched, in y posterior densities: y has no bounds, and in it the priors and
their Jacobian are known. Entries of both stand in the same order, and each standard deviation has one of y, its
logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayes_glmm.numerics.covariance import OneCorrelation

LARGEST_LOG = 350.0


@dataclass(frozen=True)
class FreeRoot:
    """The entries of L of a free covariance, its lower triangle row by row.

    L and L with the sign of a column changed have the same G, so the diagonal of L may take either sign: likelihoods
    are smooth where a standard deviation is 0, and x has no boundary. In y, row k of L is the ratios L_kj / L_kk, which
    say how correlated effect k is with those before it, and the logarithm of its length, the standard deviation.

    Attributes
    ----------
    size : int
        Effects.
    """

    size: int

    @cached_property
    def entries(self) -> tuple[tuple[int, int], ...]:
        """Row and column of each entry."""
        return tuple((i, j) for i in range(self.size) for j in range(i + 1))

    @cached_property
    def rows(self) -> tuple[np.ndarray, ...]:
        """Where each row of L stands in x and y; the diagonal entry is the last."""
        ends = np.cumsum(np.arange(1, self.size + 1))
        return tuple(np.arange(stop - k - 1, stop) for k, stop in enumerate(ends.tolist()))

    @property
    def count(self) -> int:
        """Length of x and y."""
        return self.size * (self.size + 1) // 2

    @property
    def sds(self) -> list[int]:
        """Where the logarithm of the standard deviation of each effect stands in y."""
        return [int(row[-1]) for row in self.rows]

    def names(self, group: str, effects: Sequence[str]) -> list[str]:
        """What the entries of x are called."""
        return [f"L_{group}[{effects[i]}, {effects[j]}]" for i, j in self.entries]

    def root(self, x: np.ndarray) -> np.ndarray:
        """L [effect, effect]."""
        L = np.zeros((self.size, self.size))
        L[np.tril_indices(self.size)] = x
        return L

    def vector(self, L: np.ndarray) -> np.ndarray:
        """The x of L."""
        return L[np.tril_indices(self.size)]

    def scale(self, L: np.ndarray) -> np.ndarray:
        """The size of what moves with each entry of x: the diagonal entry of its row."""
        return np.array([L[i, i] for i, _ in self.entries])

    def gradient(self, x: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Derivatives in x from those in L [effect, effect]."""
        return slope[np.tril_indices(self.size)]

    def with_positive_diagonal(self, x: np.ndarray) -> np.ndarray:
        """The same covariance with a diagonal of L that is not negative."""
        L = self.root(x)
        return self.vector(L * np.where(np.diagonal(L) < 0, -1.0, 1.0))

    def from_free(self, y: np.ndarray) -> np.ndarray:
        """The x of y."""
        x = y.copy()
        for row in self.rows:
            sd = np.exp(np.minimum(y[row[-1]], LARGEST_LOG))
            x[row] = sd * np.append(y[row[:-1]], 1.0) / np.sqrt(1.0 + y[row[:-1]] @ y[row[:-1]])
        return x

    def to_free(self, x: np.ndarray) -> np.ndarray:
        """The y of an x whose diagonal of L is positive."""
        y = x.copy()
        for row in self.rows:
            y[row] = np.append(x[row[:-1]] / x[row[-1]], np.log(np.linalg.norm(x[row])))
        return y

    def pulled_back(self, y: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Derivatives in y from derivatives in x."""
        result, x = slope.copy(), self.from_free(y)
        for row in self.rows:
            ratios, along = y[row[:-1]], x[row] @ slope[row]
            result[row[-1]] = along
            result[row[:-1]] = x[row[-1]] * slope[row[:-1]] - ratios * along / (1.0 + ratios @ ratios)
        return result

    def log_sds(self, x: np.ndarray, covariance: np.ndarray, free: bool) -> list[tuple[float, float]]:
        """The logarithm of each effect's standard deviation and its standard error, at x or, where free, at y."""
        found = []
        for row in self.rows:
            own, errors = x[row], covariance[np.ix_(row, row)]
            sd = max(float(np.linalg.norm(own)), np.finfo(float).tiny)
            slope = np.eye(len(row))[-1] if free else own / sd**2
            found.append((float(own[-1]) if free else math.log(sd), float(np.sqrt(slope @ errors @ slope))))
        return found

    def log_prior(self, y: np.ndarray, shape: float) -> tuple[float, np.ndarray]:
        """The log density of the correlations over y, LKJ(shape) without its constant, and its slope.

        The Cholesky factor C of an LKJ(eta) matrix has a density proportional to the product over k of
        C_kk^(d - k + 2 eta - 2) (Lewandowski, Kurowicka & Joe 2009; Stan reference manual). Row k of C is (rho, 1) /
        sqrt(1 + |rho|^2), rho its k - 1 ratios, with |dC / drho| = C_kk^(k + 1): C_kk^(d + 2 eta - 1) in all.
        """
        power, value, slope = self.size + 2.0 * shape - 1.0, 0.0, np.zeros(self.count)
        for row in self.rows:
            ratios = y[row[:-1]]
            squares = float(ratios @ ratios)
            value -= 0.5 * power * math.log1p(squares)
            slope[row[:-1]] = -power * ratios / (1.0 + squares)
        return value, slope


@dataclass(frozen=True)
class FormRoot:
    """The logarithms of standard deviations and the free coordinate of rho of a covariance by one correlation.

    Attributes
    ----------
    form : OneCorrelation
    """

    form: OneCorrelation

    @property
    def count(self) -> int:
        """Length of x and y, which are the same."""
        return len(self.form.sds) + 1

    @property
    def sds(self) -> list[int]:
        """Where the logarithm of the standard deviation of each effect stands in y."""
        return [0] * self.form.size if self.form.one_sd else list(range(self.form.size))

    def names(self, group: str, effects: Sequence[str]) -> list[str]:
        """What the entries of x are called."""
        i, j = self.form.nearest
        sds = [f"log sd_{group}[{effects[k]}]" for k in self.form.sds]
        return [*sds, f"logit corr_{group}[{effects[i]}, {effects[j]}]"]

    def root(self, x: np.ndarray) -> np.ndarray:
        """L [effect, effect]."""
        return self._sd(x)[:, None] * self.form.root(float(x[-1]))[0]

    def vector(self, L: np.ndarray) -> np.ndarray:
        """The x of L."""
        sd, t = self.form.from_covariance(L @ L.T)
        return np.append(np.log(sd), t)

    def scale(self, L: np.ndarray) -> np.ndarray:
        """The size of what moves with each entry of x: 1."""
        return np.ones(self.count)

    def gradient(self, x: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Derivatives in x from those in L [effect, effect]."""
        C, bend = self.form.root(float(x[-1]))
        by_effect = self._sd(x)[:, None] * np.tril(slope)
        along = (by_effect * C).sum(axis=1)
        return np.append(along.sum() if self.form.one_sd else along, (by_effect * bend).sum())

    def with_positive_diagonal(self, x: np.ndarray) -> np.ndarray:
        """The same x: the diagonal of L is positive."""
        return x

    def from_free(self, y: np.ndarray) -> np.ndarray:
        """The x of y."""
        return y

    def to_free(self, x: np.ndarray) -> np.ndarray:
        """The y of x."""
        return x

    def pulled_back(self, y: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Derivatives in y from derivatives in x."""
        return slope

    def log_sds(self, x: np.ndarray, covariance: np.ndarray, free: bool) -> list[tuple[float, float]]:
        """The logarithm of each effect's standard deviation and its standard error."""
        return [(float(x[k]), float(np.sqrt(covariance[k, k]))) for k in self.sds]

    def log_prior(self, y: np.ndarray, shape: float) -> tuple[float, np.ndarray]:
        """The log density of rho over y, its place in its range Beta(shape, shape), without its constant; its slope.

        For two effects that is LKJ(shape).
        """
        slope, t = np.zeros(self.count), float(y[-1])
        slope[-1] = -shape * math.tanh(0.5 * t)
        return -shape * float(np.logaddexp(0.0, t) + np.logaddexp(0.0, -t)), slope

    def _sd(self, x: np.ndarray) -> np.ndarray:
        return np.exp(np.minimum(x[self.sds], LARGEST_LOG))


Root = FreeRoot | FormRoot


def root_of(size: int, form: OneCorrelation | None) -> Root:
    """The coordinates of a run of that many effects."""
    return FreeRoot(size) if form is None else FormRoot(form)
