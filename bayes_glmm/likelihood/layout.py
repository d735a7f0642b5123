"""All parameters of a model as one vector, for optimisers: beta, the lower triangles of L, constants made free."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayes_glmm.design import RandomBlock
from bayes_glmm.likelihood.likelihood import Likelihood, Parameters
from bayes_glmm.numerics.free import FREE, Free


@dataclass(frozen=True)
class Layout:
    """Which entry of the vector x is which parameter.

    L and L with the sign of a column changed have the same G, so the diagonal of L may take either sign: likelihoods
    are smooth where a standard deviation is 0, and x has no boundary.

    Attributes
    ----------
    coefficients : tuple of str
        Keys of one parameter's after another's: ``beta[x]``, ``beta_sigma[x]``.
    blocks : tuple of RandomBlock
    auxiliary : tuple of str
        The constants.
    supports : tuple of str
        Where each of them lies.
    steps : tuple of int
        Of each threshold of ordered categories but the first, the place of the constant that is its distance from the
        one before.
    """

    coefficients: tuple[str, ...]
    blocks: tuple[RandomBlock, ...]
    auxiliary: tuple[str, ...]
    supports: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()

    @cached_property
    def constants(self) -> dict[str, Free]:
        """The constants, and how each becomes free; positive ones by their logarithm."""
        supports = self.supports or ("positive",) * len(self.auxiliary)
        return {name: FREE[support] for name, support in zip(self.auxiliary, supports, strict=True)}

    @cached_property
    def entries(self) -> tuple[tuple[str, int, int], ...]:
        """Group, row and column of each entry of L that is free."""
        return tuple((block.group, i, j) for block in self.blocks for i, j in _free(block.pattern))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of each entry of x."""
        effects = {block.group: block.effects for block in self.blocks}
        theta = [f"L_{group}[{effects[group][i]}, {effects[group][j]}]" for group, i, j in self.entries]
        return (
            *self.coefficients,
            *theta,
            *(f"{free.name} {name}".strip() for name, free in self.constants.items()),
        )

    @property
    def terms(self) -> tuple[str, ...]:
        """The coefficients as people read them: ``x``, ``sigma_x``."""
        parts = (key.removesuffix("]").partition("[") for key in self.coefficients)
        return tuple(inside if kind == "beta" else f"{kind[5:]}_{inside}" for kind, _, inside in parts)

    @property
    def beta(self) -> slice:
        """Where beta stands."""
        return slice(0, len(self.coefficients))

    @property
    def theta(self) -> slice:
        """Where the entries of L stand."""
        return slice(len(self.coefficients), len(self.coefficients) + len(self.entries))

    @cached_property
    def rows(self) -> tuple[np.ndarray, ...]:
        """Where each row of each L stands, within its run of correlated effects; the diagonal entry is the last."""
        rows: dict[tuple[str, int], list[int]] = {}
        for position, (group, i, _) in enumerate(self.entries, start=self.theta.start):
            rows.setdefault((group, i), []).append(position)
        return tuple(map(np.array, rows.values()))

    def from_free(self, y: np.ndarray) -> np.ndarray:
        """The vector x of free coordinates y: rows of L from their length and the ratios of their entries."""
        x = y.copy()
        for row in self.rows:
            sd = np.exp(np.minimum(y[row[-1]], 350.0))
            x[row] = sd * np.append(y[row[:-1]], 1.0) / np.sqrt(1.0 + y[row[:-1]] @ y[row[:-1]])
        return x

    def to_free(self, x: np.ndarray) -> np.ndarray:
        """The free coordinates of a vector x whose diagonals of L are positive.

        Row k of L becomes the ratios L_kj / L_kk, which say how correlated effect k is with those before it, and the
        logarithm of its length, the standard deviation.
        """
        y = x.copy()
        for row in self.rows:
            y[row] = np.append(x[row[:-1]] / x[row[-1]], np.log(np.linalg.norm(x[row])))
        return y

    def pulled_back(self, y: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Derivatives in y from derivatives in x."""
        result = slope.copy()
        x = self.from_free(y)
        for row in self.rows:
            ratios, along = y[row[:-1]], x[row] @ slope[row]
            result[row[-1]] = along
            result[row[:-1]] = x[row[-1]] * slope[row[:-1]] - ratios * along / (1.0 + ratios @ ratios)
        return result

    def parameters(self, x: np.ndarray) -> Parameters:
        """The parameters of a vector."""
        L = {block.group: np.zeros((len(block.effects),) * 2) for block in self.blocks}
        for (group, i, j), value in zip(self.entries, x[self.theta], strict=True):
            L[group][i, j] = value
        numbers = zip(self.constants.items(), x[self.theta.stop :], strict=True)
        return Parameters(x[self.beta], L, {name: free.back(float(number)) for (name, free), number in numbers})

    def vector(self, parameters: Parameters) -> np.ndarray:
        """The vector of some parameters."""
        theta = [parameters.L[group][i, j] for group, i, j in self.entries]
        auxiliary = [free.forward(parameters.auxiliary[name]) for name, free in self.constants.items()]
        return np.concatenate([parameters.beta, theta, auxiliary])

    def gradient(self, gradient: Parameters, at: Parameters) -> np.ndarray:
        """Derivatives in x from derivatives in the parameters."""
        theta = [gradient.L[group][i, j] for group, i, j in self.entries]
        constants = self.constants.items()
        auxiliary = [gradient.auxiliary[name] * free.slope(at.auxiliary[name]) for name, free in constants]
        return np.concatenate([gradient.beta, theta, auxiliary])

    def with_positive_diagonal(self, x: np.ndarray) -> np.ndarray:
        """The same covariances with diagonals of L that are not negative."""
        parameters = self.parameters(x)
        L = {group: value * np.where(np.diagonal(value) < 0, -1.0, 1.0) for group, value in parameters.L.items()}
        return self.vector(Parameters(parameters.beta, L, parameters.auxiliary))


def layout_of(likelihood: Likelihood) -> Layout:
    """The layout of a model's parameters."""
    design = likelihood.design
    keys = tuple(f"{one.variable}[{name}]" for one in design.predictors.fixed for name in one.coefficients)
    constants = likelihood.spec.auxiliary
    return Layout(
        keys, design.blocks, tuple(constants), tuple(one.support for one in constants.values()), design.step_places
    )


def _free(pattern: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Lower triangle of each run of correlated effects, row by row."""
    start = 0
    for size in pattern:
        yield from ((start + i, start + j) for i in range(size) for j in range(i + 1))
        start += size
