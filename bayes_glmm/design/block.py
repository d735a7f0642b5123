"""RandomBlock: all random effects of one grouping factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayes_glmm import names
from bayes_glmm.numerics.covariance import OneCorrelation

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True)
class RandomBlock:
    """All random effects of one grouping factor, whichever parameters' predictors they enter.

    The matrix Z of the textbooks is never formed: row i of it has ``values[i]`` in the columns of level ``index[i]``.

    Attributes
    ----------
    group : str
        The grouping factor, ``"g"`` or ``"a:b"``.
    effects : tuple of str
        What varies by group: ``("Intercept", "x", "sigma_Intercept")``.
    values : array [row, effect]
    index : array [row]
        Position of the row's level in ``levels``; -1 for a level that the model has not seen (new rows only).
    levels : tuple of str
    pattern : tuple of int
        Sizes of the runs of effects that are correlated among themselves: (2,) for ``(x | g)``, (1, 1) for
        ``(x || g)``.
    parameters : tuple of str
        The parameter whose predictor each effect enters; the location for all where none are given.
    forms : tuple of OneCorrelation or None
        How the effects of each run covary; None where their covariance is free.
    """

    group: str
    effects: tuple[str, ...]
    values: Float[np.ndarray, "row effect"]
    index: Int[np.ndarray, " row"]
    levels: tuple[str, ...]
    pattern: tuple[int, ...]
    parameters: tuple[str, ...] = ()
    forms: tuple[OneCorrelation | None, ...] = ()

    def __post_init__(self) -> None:
        if not self.forms:
            object.__setattr__(self, "forms", (None,) * len(self.pattern))
        if not self.parameters:
            object.__setattr__(self, "parameters", (names.LOCATION,) * len(self.effects))

    @property
    def level_dim(self) -> str:
        """The dimension of draws along the levels."""
        return names.level_dim(self.group)

    @property
    def effect_dim(self) -> str:
        """The dimension of draws along the effects."""
        return names.effect_dim(self.group)

    @property
    def second_effect_dim(self) -> str:
        """The other dimension of matrices over the effects."""
        return names.second_effect_dim(self.group)

    @property
    def correlated(self) -> bool:
        """Whether any two effects are correlated."""
        return max(self.pattern) > 1

    @property
    def runs(self) -> tuple[slice, ...]:
        """Where each run of effects that are correlated among themselves stands."""
        ends = np.cumsum(self.pattern).tolist()
        return tuple(slice(stop - size, stop) for size, stop in zip(self.pattern, ends, strict=True))

    @property
    def own_sds(self) -> tuple[int, ...]:
        """The effects with a standard deviation of their own, not that of the first of their run."""
        found = []
        for run, form in zip(self.runs, self.forms, strict=True):
            found += list(range(run.start, run.stop)) if form is None else [run.start + k for k in form.sds]
        return tuple(found)

    @property
    def correlations(self) -> np.ndarray:
        """Which entries of a matrix over the effects are correlations of their own [effect, effect]."""
        kept = np.zeros((len(self.effects),) * 2, bool)
        for run, form in zip(self.runs, self.forms, strict=True):
            own = kept[run, run]
            if form is None:
                own |= np.tril(np.ones(own.shape, bool), k=-1)
            else:
                own[form.nearest] = True
        return kept

    @property
    def leaders(self) -> tuple[int, ...]:
        """For each effect, the one whose standard deviation it has."""
        own = np.array(self.own_sds)
        return tuple(own[np.searchsorted(own, np.arange(len(self.effects)), side="right") - 1].tolist())

    @property
    def runs_of_parameters(self) -> tuple[list[int], ...]:
        """Positions of the effects of each run of free covariance, by the parameter whose predictor they enter."""
        parts = [
            [k for k in range(run.start, run.stop) if self.parameters[k] == parameter]
            for run, form in zip(self.runs, self.forms, strict=True)
            if form is None
            for parameter in dict.fromkeys(self.parameters[run])
        ]
        return tuple(parts)

    def of(self, parameter: str) -> list[int]:
        """Positions of the effects that enter a parameter's predictor."""
        return [k for k, name in enumerate(self.parameters) if name == parameter]
