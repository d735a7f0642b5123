"""Workers of a dask cluster, and what they do: independent tasks, done again elsewhere if a worker dies."""

from __future__ import annotations

from bayes_glmm.workers.clusters import cluster
from bayes_glmm.workers.tasks import Outcome, on_workers, tallied

__all__ = ["Outcome", "cluster", "on_workers", "tallied"]
