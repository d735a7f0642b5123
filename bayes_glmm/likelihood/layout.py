"""All parameters of a model as one vector, for optimisers: beta, the roots L of covariances, constants made free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayes_glmm.design import RandomBlock
from bayes_glmm.likelihood.likelihood import Likelihood, Parameters
from bayes_glmm.likelihood.roots import Root, root_of
from bayes_glmm.numerics.free import FREE, Free


@dataclass(frozen=True)
class Run:
    """The effects of one group that covary, and where they stand.

    Attributes
    ----------
    group : str
    effects : slice
        Among those of the group.
    place : slice
        Of their root's coordinates in the vector.
    root : Root
    """

    group: str
    effects: slice
    place: slice
    root: Root


@dataclass(frozen=True)
class Layout:
    """Which entry of the vector x is which parameter, and of the free vector y.

    Both differ in the coordinates of L alone (:mod:`~bayes_glmm.likelihood.roots`): x has those in which likelihoods
    are searched, y those of posterior densities.

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
    def runs(self) -> tuple[Run, ...]:
        """The runs of effects that covary."""
        found, start = [], len(self.coefficients)
        for block in self.blocks:
            for effects, size, form in zip(block.runs, block.pattern, block.forms, strict=True):
                root = root_of(size, form)
                found.append(Run(block.group, effects, slice(start, start + root.count), root))
                start += root.count
        return tuple(found)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of each entry of x."""
        effects = {block.group: block.effects for block in self.blocks}
        theta = [name for run in self.runs for name in run.root.names(run.group, effects[run.group][run.effects])]
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
        """Where the coordinates of L stand."""
        start = len(self.coefficients)
        return slice(start, self.runs[-1].place.stop if self.runs else start)

    @cached_property
    def sds(self) -> tuple[int, ...]:
        """Where the logarithm of the standard deviation of each effect stands in y, block by block."""
        return tuple(run.place.start + k for run in self.runs for k in run.root.sds)

    def scale(self, parameters: Parameters) -> np.ndarray:
        """The size of what moves with each coordinate of L in x."""
        found = [run.root.scale(_part(parameters.L, run)) for run in self.runs]
        return np.concatenate([*found, np.empty(0)])

    def from_free(self, y: np.ndarray) -> np.ndarray:
        """The vector x of free coordinates y."""
        return self._changed(y, lambda run: run.root.from_free(y[run.place]))

    def to_free(self, x: np.ndarray) -> np.ndarray:
        """The free coordinates of a vector x whose diagonals of L are positive."""
        return self._changed(x, lambda run: run.root.to_free(x[run.place]))

    def pulled_back(self, y: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Derivatives in y from derivatives in x."""
        return self._changed(slope, lambda run: run.root.pulled_back(y[run.place], slope[run.place]))

    def with_positive_diagonal(self, x: np.ndarray) -> np.ndarray:
        """The same covariances with diagonals of L that are not negative."""
        return self._changed(x, lambda run: run.root.with_positive_diagonal(x[run.place]))

    def log_sds(self, x: np.ndarray, covariance: np.ndarray, free: bool) -> np.ndarray:
        """The logarithm of each effect's standard deviation and its standard error [effect, 2], at x or at y."""
        found = [
            pair for run in self.runs for pair in run.root.log_sds(x[run.place], covariance[run.place, run.place], free)
        ]
        return np.array(found).reshape(-1, 2)

    def parameters(self, x: np.ndarray) -> Parameters:
        """The parameters of a vector."""
        L = {block.group: np.zeros((len(block.effects),) * 2) for block in self.blocks}
        for run in self.runs:
            L[run.group][run.effects, run.effects] = run.root.root(x[run.place])
        numbers = zip(self.constants.items(), x[self.theta.stop :], strict=True)
        return Parameters(x[self.beta], L, {name: free.back(float(number)) for (name, free), number in numbers})

    def vector(self, parameters: Parameters) -> np.ndarray:
        """The vector of some parameters."""
        theta = [run.root.vector(_part(parameters.L, run)) for run in self.runs]
        auxiliary = [free.forward(parameters.auxiliary[name]) for name, free in self.constants.items()]
        return np.concatenate([parameters.beta, *theta, auxiliary])

    def gradient(self, gradient: Parameters, at: Parameters) -> np.ndarray:
        """Derivatives in x from derivatives in the parameters."""
        x = self.vector(at)
        theta = [run.root.gradient(x[run.place], _part(gradient.L, run)) for run in self.runs]
        constants = self.constants.items()
        auxiliary = [gradient.auxiliary[name] * free.slope(at.auxiliary[name]) for name, free in constants]
        return np.concatenate([gradient.beta, *theta, auxiliary])

    def _changed(self, vector: np.ndarray, change: Callable[[Run], np.ndarray]) -> np.ndarray:
        """A vector with the coordinates of each root changed."""
        result = vector.copy()
        for run in self.runs:
            result[run.place] = change(run)
        return result


def _part(L: Mapping[str, np.ndarray], run: Run) -> np.ndarray:
    return L[run.group][run.effects, run.effects]


def layout_of(likelihood: Likelihood) -> Layout:
    """The layout of a model's parameters."""
    design = likelihood.design
    keys = tuple(f"{one.variable}[{name}]" for one in design.predictors.fixed for name in one.coefficients)
    constants = likelihood.spec.auxiliary
    return Layout(
        keys, design.blocks, tuple(constants), tuple(one.support for one in constants.values()), design.step_places
    )
