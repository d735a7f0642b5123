r"""The random part of linear predictors in standardised effects: Z u = A z, A = Z L, z ~ N(0, I).

Row i of A has non-zero entries only in the columns of its own levels: ``values_i' L`` for each grouping factor. The
columns are ordered for elimination: the factor with most of them first, whose part of A'WA is block-diagonal.
In z everything stays defined when a standard deviation is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from bayes_glmm.design import RandomBlock


@dataclass(frozen=True)
class RandomPart:
    """Where each row's random effects stand in one long vector z.

    Attributes
    ----------
    blocks : tuple of RandomBlock
        Most columns first.
    rows : int
    """

    blocks: tuple[RandomBlock, ...]
    rows: int

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Effects a level, of each block."""
        return tuple(len(block.effects) for block in self.blocks)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where each block begins in z; the last entry is the length of z."""
        sizes = [len(block.levels) * len(block.effects) for block in self.blocks]
        return tuple(np.concatenate([[0], np.cumsum(sizes)]).astype(int).tolist())

    @property
    def size(self) -> int:
        """Length of z."""
        return self.starts[-1]

    @cached_property
    def columns(self) -> np.ndarray:
        """Positions in z of each row's own effects [row, own effect]."""
        columns = [
            start + block.index[:, None] * width + np.arange(width)
            for block, start, width in zip(self.blocks, self.starts, self.widths, strict=False)
        ]
        return np.hstack(columns) if columns else np.empty((self.rows, 0), dtype=int)

    def values(self, L: Mapping[str, np.ndarray]) -> np.ndarray:
        """Non-zero entries of A [row, own effect] for covariances G = L L'."""
        values = [block.values @ L[block.group] for block in self.blocks]
        return np.hstack(values) if values else np.empty((self.rows, 0))

    def spread(self, values: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The product A z [row], for z [column of z]."""
        return np.einsum("ij,ij->i", values, z[self.columns])

    def gather(self, values: np.ndarray, by_row: np.ndarray) -> np.ndarray:
        """The product A'v [column of z], for v [row]."""
        return np.bincount(self.columns.ravel(), (values * by_row[:, None]).ravel(), self.size)

    def matrix(self, values: np.ndarray) -> sparse.csr_array:
        """The matrix A [row, column of z]."""
        pointers = np.arange(self.rows + 1) * self.columns.shape[1]
        return sparse.csr_array((values.ravel(), self.columns.ravel(), pointers), shape=(self.rows, self.size))

    def by_factor(self, by_entry: np.ndarray) -> dict[str, np.ndarray]:
        """Derivatives in the lower triangles of L from those in the entries of A [row, own effect]."""
        result, column = {}, 0
        for block, width in zip(self.blocks, self.widths, strict=True):
            result[block.group] = np.tril(block.values.T @ by_entry[:, column : column + width])
            column += width
        return result

    def split(self, z: np.ndarray) -> dict[str, np.ndarray]:
        """The vector z by grouping factor, each [level, effect, ...]."""
        return {
            block.group: z[a:b].reshape(len(block.levels), len(block.effects), *z.shape[1:])
            for block, a, b in zip(self.blocks, self.starts, self.starts[1:], strict=False)
        }


def random_part(blocks: Iterable[RandomBlock], rows: int) -> RandomPart:
    """The random part of some blocks with that many rows."""
    ordered = sorted(blocks, key=lambda block: -len(block.levels) * len(block.effects))
    return RandomPart(tuple(ordered), rows)
