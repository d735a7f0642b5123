"""Settings of a run: what a person may say about the sampling."""

from __future__ import annotations

import os
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from bayes_glmm.errors import SpecError

# the least and the largest of each: a billion draws are more than memory, and end Python and not only the run
_WHOLE = {
    "draws": (1, 1_000_000),
    "tune": (1, 1_000_000),
    "chains": (1, 1_000),
    "seed": (0, np.inf),
    "max_treedepth": (1, 30),
    "cores": (0, 10_000),
}


@dataclass(frozen=True)
class Settings:
    """How to sample.

    Attributes
    ----------
    draws : int
        Draws kept of each chain.
    tune : int, optional
        Warm-up draws of each chain. If not given, as many as the coordinates usually need (1,000 in plain ones, 200 in
        others), and 1,000 where diagnostics ask for more.
    chains : int
    seed : int
        The same seed on the same machine gives the same draws.
    engine : str
        A name in ``bayes_glmm.inference.ENGINES``.
    target_accept : float
        Acceptance rate that the step size is adapted to; nearer 1 means smaller steps.
    max_treedepth : int
        At most 2^max_treedepth gradients a draw.
    coordinates : str
        What NUTS moves in; a name in ``bayes_glmm.inference.COORDINATES``. The posterior is the same.
    cores : int
        Chains that run at the same time; 0 for as many as the machine has.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    SpecError
        For values of another type or beyond their bounds: at most a million draws, 1,000 chains, a tree depth of 30.
    """

    draws: int = 1000
    tune: int | None = None
    chains: int = 4
    seed: int = 0
    engine: str = "nutpie"
    coordinates: str = "auto"
    target_accept: float = 0.8
    max_treedepth: int = 10
    cores: int = 0
    progress: bool = True

    def __post_init__(self) -> None:
        for name, (low, high) in _WHOLE.items():
            value = getattr(self, name)
            if name == "tune" and value is None:
                continue
            if isinstance(value, bool | np.bool) or not isinstance(value, Integral):
                raise SpecError(f"{name} is {value!r}, but must be a whole number.")
            value = int(value)  # NumPy's whole numbers are not written to JSON
            if not low <= value <= high:
                bound = f"at least {low}" if value < low else f"at most {high:,}"
                raise SpecError(f"{name} is {value:,}, but must be {bound}.")
            object.__setattr__(self, name, value)
        for name in ("engine", "coordinates"):
            if not isinstance(value := getattr(self, name), str):
                raise SpecError(f"{name} is {value!r}, but must be text.")
        if isinstance(self.target_accept, bool) or not isinstance(self.target_accept, Real):
            raise SpecError(f"target_accept is {self.target_accept!r}, but must be a number.", advice="Usual: 0.8.")
        if not 0 < self.target_accept < 1:
            raise SpecError(
                f"target_accept is {self.target_accept}, but must lie between 0 and 1.", advice="Usual: 0.8."
            )
        object.__setattr__(self, "target_accept", float(self.target_accept))
        if not isinstance(self.progress, bool | np.bool):
            raise SpecError(f"progress is {self.progress!r}, but must be True or False.")

    @property
    def parallel(self) -> int:
        """How many chains run at once."""
        return min(self.chains, self.cores or os.cpu_count() or 1)
