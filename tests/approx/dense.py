"""The textbook's matrices, written out: Z with all its zeros, G of all random effects, inverses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg

from bayes_glmm.design import Design


def incidence(design: Design) -> np.ndarray:
    """Z [row, random effect], grouping factors in the design's order, effects within levels."""
    rows = np.arange(len(design.y))
    parts = []
    for block in design.blocks:
        part = np.zeros((len(rows), len(block.levels), len(block.effects)))
        part[rows, block.index] = block.values
        parts.append(part.reshape(len(rows), -1))
    return np.hstack([np.zeros((len(rows), 0)), *parts])


def stacked(design: Design, by_group: Mapping[str, np.ndarray]) -> np.ndarray:
    """Random effects [level, effect] by group as one vector, in the order of the columns of Z."""
    return np.concatenate([np.zeros(0), *(np.ravel(by_group[block.group]) for block in design.blocks)])


def covariance(design: Design, by_group: Mapping[str, np.ndarray]) -> np.ndarray:
    """Covariance of all random effects, from that of each level's."""
    parts = [np.kron(np.eye(len(block.levels)), by_group[block.group]) for block in design.blocks]
    return linalg.block_diag(*parts) if parts else np.zeros((0, 0))


@dataclass(frozen=True)
class LinearModel:
    """t ~ N(X beta, V): generalised least squares by the inverse of V.

    Attributes
    ----------
    t : array [row]
    X : array [row, coefficient]
    V : array [row, row]
    """

    t: np.ndarray
    X: np.ndarray
    V: np.ndarray

    @cached_property
    def inverse(self) -> np.ndarray:
        """Of V."""
        return np.linalg.inv(self.V)

    @cached_property
    def covariance(self) -> np.ndarray:
        """Of beta."""
        return np.linalg.inv(self.X.T @ self.inverse @ self.X)

    @cached_property
    def beta(self) -> np.ndarray:
        """By generalised least squares."""
        return self.covariance @ self.X.T @ self.inverse @ self.t

    @cached_property
    def scaled_residuals(self) -> np.ndarray:
        """V^-1 (t - X beta)."""
        return self.inverse @ (self.t - self.X @ self.beta)

    def log_likelihood(self, criterion: str) -> float:
        """The (restricted) log likelihood, with all constants."""
        n, p = self.X.shape
        quadratic = (self.t - self.X @ self.beta) @ self.scaled_residuals
        value = -0.5 * (n * np.log(2 * np.pi) + np.linalg.slogdet(self.V)[1] + quadratic)
        if criterion == "REML":  # the likelihood with a flat prior on beta, integrated over beta
            value += 0.5 * (p * np.log(2 * np.pi) + np.linalg.slogdet(self.covariance)[1])
        return float(value)
