"""A log density that engines can draw from without PyMC: where its code and data are, and what its points stand for."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bayes_glmm.errors import SamplingError
from bayes_glmm.inference.densities.callbacks import Part
from bayes_glmm.inference.densities.compilation import code_of, compile_parts
from bayes_glmm.inference.densities.records import address_table
from bayes_glmm.inference.settings import Settings

_VALUE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *4 * [ctypes.c_void_p])
_EXPANSION = ctypes.CFUNCTYPE(ctypes.c_int64, *2 * [ctypes.c_uint64], *3 * [ctypes.c_void_p])


@dataclass(frozen=True)
class Kept:
    """A variable that is kept of each draw.

    Attributes
    ----------
    name : str
    dims : tuple of str
    shape : tuple of int
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Density:
    """A posterior over R^n, compiled, with its gradient.

    Pickles as the names of its code and its arrays; the process that reads it finds the code on disk or compiles it.

    Attributes
    ----------
    value, expansion : Part
        The code of value and gradient, and of what is kept of a draw.
    arrays : tuple of array
        The fields of the named tuple that the code reads, in its order.
    start : array [n]
        The mode, or near it.
    kept : tuple of Kept
    coords : mapping of dim to labels
    rows : Part, optional
        The code that passes over the rows, where that of the value calls one.
    stream : array [chain, draw, number], optional
        Where draws of the random effects go, in place of among what is kept.
    left_out : int
        Coordinates of x that are N(0, I) given the others, and drawn where a draw is kept.
    """

    value: Part
    expansion: Part
    arrays: tuple[np.ndarray, ...]
    start: np.ndarray
    kept: tuple[Kept, ...]
    coords: Mapping[str, tuple[str, ...]]
    rows: Part | None = None
    stream: np.ndarray | None = None
    left_out: int = 0

    @cached_property
    def table(self) -> np.ndarray:
        """Addresses of the arrays, as the code expects them."""
        return address_table(self.arrays, code_of(self.rows).address if self.rows else 0)

    @cached_property
    def width(self) -> int:
        """Numbers kept of a draw."""
        return sum(int(np.prod(kept.shape)) for kept in self.kept)

    def compile(self) -> None:
        """Have the code at hand: from disk, or compiled."""
        compile_parts([part for part in (self.value, self.expansion, self.rows) if part])

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient at x."""
        x = np.ascontiguousarray(x, dtype=float)
        gradient, value = np.zeros(len(x)), np.empty(1)
        function = _VALUE(code_of(self.value).address)
        function(len(x), _address(x), _address(gradient), _address(value), _address(self.table))
        return float(value[0]), gradient

    def expand(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What is kept of a draw."""
        x, out = np.ascontiguousarray(x, dtype=float), np.empty(self.width)
        function = _EXPANSION(code_of(self.expansion).address)
        function(len(x), self.width, _address(x), _address(out), _address(self.table))
        sizes = [int(np.prod(kept.shape)) for kept in self.kept]
        parts = np.split(out, np.cumsum(sizes)[:-1])
        return {kept.name: part.reshape(kept.shape) for kept, part in zip(self.kept, parts, strict=True)}

    def initial_point(self, seed: int) -> np.ndarray:
        """Somewhere about the start [n]."""
        return self.start + np.random.default_rng(seed).uniform(-1.0, 1.0, len(self.start))

    def of_chain(self, chain: int, settings: Settings) -> Density:
        """The same density, whose draws go where those of the chain go, with the chain's own random numbers."""
        if self.stream is None and not self.left_out:
            return self
        *arrays, stream, _, seeds = self.arrays
        if self.stream is not None:
            stream = self.stream[chain]
        tune = settings.tune or 0
        if self.left_out:
            sequence = np.random.SeedSequence(settings.seed, spawn_key=(chain, 1))
            seeds = sequence.generate_state(tune + settings.draws).astype(np.int64)
        return replace(self, arrays=(*arrays, stream, np.array([tune, 0]), seeds))

    def __getstate__(self) -> dict[str, Any]:
        if self.stream is not None:
            raise SamplingError(
                "Draws of this many random effects go to this machine's disk: they cannot be drawn on a cluster.",
                advice="Fit without client=, or ask for fewer draws.",
            )
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}


def _address(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
