r"""Cholesky factor of the precision P = I + A'WA of the standardised effects, by block elimination.

With the largest grouping factor first, P = [[D, B], [B', E]] and D has one small block a level. Eliminating it leaves
the Schur complement S = E - B'D^-1 B of the other factors, dense and small: for the 73,421 ratings of 2,972 students on
1,128 lecturers in 14 departments it has 1,156 rows. MixedModels.jl eliminates in this order (Bates, Alday & Kokandakar
2025). B is sparse throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg, sparse

from bayes_glmm.errors import SpecError
from bayes_glmm.likelihood.random_part import RandomPart

LARGEST_COMPLEMENT = 8_000  # rows of S: 512 MB
_CHUNK = 8_000_000  # numbers of D^-1 B S^-1 held at once


@dataclass(frozen=True)
class Elimination:
    """What does not change with the values: where products of entries of A are summed.

    Attributes
    ----------
    part : RandomPart

    Raises
    ------
    SpecError
        If the factors beside the largest have too many levels for a dense complement.
    """

    part: RandomPart

    def __post_init__(self) -> None:
        if self.rest > LARGEST_COMPLEMENT:
            raise SpecError(
                f"The grouping factors beside {self.part.blocks[0].group!r} have {self.rest:,} random effects.",
                advice=f"The approximations handle {LARGEST_COMPLEMENT:,}; sample with model.fit().",
            )

    @property
    def width(self) -> int:
        """Effects a level of the factor that is eliminated."""
        return self.part.widths[0] if self.part.widths else 0

    @property
    def eliminated(self) -> int:
        """Columns of the factor that is eliminated."""
        return self.part.starts[1] if self.part.blocks else 0

    @property
    def rest(self) -> int:
        """Rows of the complement."""
        return self.part.size - self.eliminated

    @cached_property
    def others(self) -> np.ndarray:
        """Positions in the complement [row, own effect of the other factors]."""
        return self.part.columns[:, self.width :] - self.eliminated

    @cached_property
    def cross(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row, own effect, other effect -> place in the data of B; and B's sparse indices and pointers."""
        own = self.part.columns[:, : self.width]
        keys = own[:, :, None] * self.rest + self.others[:, None, :]
        unique, place = np.unique(keys.ravel(), return_inverse=True)
        pointers = np.searchsorted(unique, np.arange(self.eliminated + 1) * self.rest)
        return place, unique % self.rest, pointers

    @cached_property
    def complement(self) -> np.ndarray:
        """Place of each product of other effects in S, flat."""
        return (self.others[:, :, None] * self.rest + self.others[:, None, :]).ravel()

    @cached_property
    def by_level(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows in order of the levels of the eliminated factor, and where each level begins."""
        index = self.part.blocks[0].index
        order = np.argsort(index, kind="stable")
        return order, np.searchsorted(index[order], np.arange(len(self.part.blocks[0].levels) + 1))

    def blocks(self, values: np.ndarray) -> sparse.csr_array:
        """A block-diagonal matrix from its blocks [level, effect, effect]."""
        d = self.width
        starts = np.arange(len(values))[:, None, None] * d
        columns = np.broadcast_to(starts + np.arange(d), values.shape)
        pointers = np.arange(self.eliminated + 1) * d
        return sparse.csr_array((values.ravel(), columns.ravel(), pointers), shape=(self.eliminated, self.eliminated))


@dataclass(frozen=True)
class Factor:
    """The factorised precision.

    Attributes
    ----------
    elimination : Elimination
    values : array [row, own effect]
        Non-zero entries of A.
    D_root : array [level, effect, effect]
        Inverse of the Cholesky factor of each block of D.
    V : sparse array [column of D, row of S]
        ``D_root B``.
    S_root : array [row of S, row of S]
        Lower Cholesky factor of the complement.
    """

    elimination: Elimination
    values: np.ndarray
    D_root: np.ndarray
    V: sparse.csr_array
    S_root: np.ndarray

    @property
    def log_determinant(self) -> float:
        """The logarithm of |P|."""
        diagonal = np.diagonal(self.D_root, axis1=1, axis2=2)
        return float(2.0 * np.log(np.diagonal(self.S_root)).sum() - 2.0 * np.log(diagonal).sum())

    def solve(self, x: np.ndarray) -> np.ndarray:
        """P^-1 x, for x [column of z] or [column of z, k]."""
        n = self.elimination.eliminated
        first = self._rooted(x[:n])
        if not self.elimination.rest:
            return self._rooted(first, transposed=True)
        second = linalg.cho_solve((self.S_root, True), x[n:] - self.V.T @ first)
        return np.concatenate([self._rooted(first - self.V @ second, transposed=True), second])

    def scatter(self, noise: np.ndarray) -> np.ndarray:
        """Vectors with covariance P^-1 from standard normal ones, both [column of z] or [column of z, k]."""
        n = self.elimination.eliminated
        if not self.elimination.rest:
            return self._rooted(noise, transposed=True)
        second = linalg.solve_triangular(self.S_root, noise[n:], lower=True, trans="T")
        return np.concatenate([self._rooted(noise[:n] - self.V @ second, transposed=True), second])

    def _rooted(self, x: np.ndarray, transposed: bool = False) -> np.ndarray:
        """Each level's part of x [column of D] or [column of D, k] multiplied by its block of D_root."""
        if not x.size:
            return x
        root = np.swapaxes(self.D_root, 1, 2) if transposed else self.D_root
        return (root @ x.reshape(*self.D_root.shape[:2], -1)).reshape(x.shape)

    @cached_property
    def complement_inverse(self) -> np.ndarray:
        """The inverse of S."""
        return linalg.cho_solve((self.S_root, True), np.eye(self.elimination.rest))

    def own(self) -> np.ndarray:
        """P^-1 a_i in the columns of each row's own effects [row, own effect], a_i' the i-th row of A."""
        d = self.elimination.width
        if not self.elimination.rest:
            inverse = self.D_root.transpose(0, 2, 1) @ self.D_root
            index = self.elimination.part.blocks[0].index if d else np.empty(0, int)
            return np.einsum("ijk,ik->ij", inverse[index], self.values) if d else self.values
        result, S_inverse = np.empty_like(self.values), self.complement_inverse
        order, starts = self.elimination.by_level
        index = self.elimination.part.blocks[0].index
        for first, last, inverse, T in self._inverse_by_level():
            rows = order[starts[first] : starts[last]]
            level, other = index[rows] - first, self.elimination.others[rows]
            cross = T[level[:, None, None] * d + np.arange(d)[:, None], other[:, None, :]]
            a, b = self.values[rows, :d], self.values[rows, d:]
            result[rows, :d] = np.einsum("ijk,ik->ij", inverse[level], a) - np.einsum("ijk,ik->ij", cross, b)
            inner = S_inverse[other[:, :, None], other[:, None, :]]
            result[rows, d:] = np.einsum("ijk,ik->ij", inner, b) - np.einsum("ijk,ij->ik", cross, a)
        return result

    def _inverse_by_level(self) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
        """Consecutive levels: first, last, their blocks of P^-1, and ``D^-1 B S^-1``."""
        d, rest = self.elimination.width, self.elimination.rest
        root = self.elimination.blocks(self.D_root)
        F = sparse.csr_array(root.T @ self.V)
        levels = len(self.D_root)
        size = max(1, _CHUNK // (d * rest))
        for first in range(0, levels, size):
            last = min(first + size, levels)
            T = F[first * d : last * d] @ self.complement_inverse
            inverse = self.D_root[first:last].transpose(0, 2, 1) @ self.D_root[first:last]
            for k in range(d):
                for j in range(d):
                    added = F[first * d + k : last * d : d].multiply(T[j::d])
                    inverse[:, k, j] += np.asarray(added.sum(axis=1)).ravel()
            yield first, last, inverse, T

    def own_covariances(self) -> dict[str, np.ndarray]:
        """Blocks of P^-1 of each level's own effects, by grouping factor [level, effect, effect]."""
        part = self.elimination.part
        if not part.blocks:
            return {}
        result = {}
        if self.elimination.rest:
            parts = [inverse for _, _, inverse, _ in self._inverse_by_level()]
            result[part.blocks[0].group] = np.concatenate(parts)
        else:
            result[part.blocks[0].group] = self.D_root.transpose(0, 2, 1) @ self.D_root
        for block, start, width in zip(part.blocks[1:], part.starts[1:], part.widths[1:], strict=False):
            places = start - self.elimination.eliminated + np.arange(len(block.levels) * width).reshape(-1, width)
            result[block.group] = self.complement_inverse[places[:, :, None], places[:, None, :]]
        return result


def factorise(elimination: Elimination, values: np.ndarray, weights: np.ndarray) -> Factor:
    """Factorise I + A'WA.

    Parameters
    ----------
    elimination : Elimination
    values : array [row, own effect]
        Non-zero entries of A.
    weights : array [row]
        The diagonal of W; may be negative as long as P is positive definite.

    Raises
    ------
    numpy.linalg.LinAlgError
        If P is not positive definite, or not finite.
    """
    if not np.isfinite(weights).all():
        raise np.linalg.LinAlgError("The curvature of a row is not finite.")
    d, rest, part = elimination.width, elimination.rest, elimination.part
    own, other = values[:, :d], values[:, d:]
    D = np.zeros((len(part.blocks[0].levels) if part.blocks else 0, d, d))
    for k in range(d):
        for j in range(k + 1):
            products = np.bincount(part.blocks[0].index, weights * own[:, k] * own[:, j], len(D))
            D[:, k, j] = D[:, j, k] = products + (k == j)
    D_root = np.linalg.inv(np.linalg.cholesky(D))
    if not rest:
        return Factor(elimination, values, D_root, sparse.csr_array((D.shape[0] * d, 0)), np.empty((0, 0)))
    place, columns, pointers = elimination.cross
    products = (weights[:, None, None] * own[:, :, None] * other[:, None, :]).ravel()
    data = np.bincount(place, products, len(columns))
    B = sparse.csr_array((data, columns, pointers), shape=(elimination.eliminated, rest))
    V = sparse.csr_array(elimination.blocks(D_root) @ B)
    products = (weights[:, None, None] * other[:, :, None] * other[:, None, :]).ravel()
    E = np.bincount(elimination.complement, products, rest * rest).reshape(rest, rest)
    S = E + np.eye(rest) - (V.T @ V).toarray()
    return Factor(elimination, values, D_root, V, np.linalg.cholesky(S))
