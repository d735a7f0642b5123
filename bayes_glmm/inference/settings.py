"""Settings of a run: what a person may say about the sampling."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bayes_glmm.errors import SpecError


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
        For values that cannot be.
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
        for name in ("draws", "tune", "chains", "max_treedepth"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SpecError(f"{name} is {value}, but must be at least 1.")
        if self.seed < 0:
            raise SpecError(f"seed is {self.seed}, but must not be negative.")
        if not 0 < self.target_accept < 1:
            raise SpecError(
                f"target_accept is {self.target_accept}, but must lie between 0 and 1.", advice="Usual: 0.8."
            )

    @property
    def parallel(self) -> int:
        """How many chains run at once."""
        return min(self.chains, self.cores or os.cpu_count() or 1)
