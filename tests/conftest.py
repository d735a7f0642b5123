"""Settings that every test shares: Hypothesis without chance, and the data that may stand beside the checkout."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from distributed import Client

# The same examples on every run: a red test is a change of the code, never of the seed.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")

SHARED = Path(__file__).parents[1].parent / "shared"


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> None:
    """Ctrl-C ends what tests start, also where a shell that runs them in the background has it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published data sets and exact answers, which is not part of the checkout."""
    if not SHARED.is_dir():
        pytest.skip("No folder 'shared' beside the checkout: published data sets and exact answers are not there.")
    return SHARED


@pytest.fixture(scope="session")
def two_workers() -> Iterator[Client]:
    """A dask cluster of two processes, each with one thread for tasks."""
    from bayes_glmm.workers import cluster

    with cluster(workers=2) as client:
        yield client


@pytest.fixture
def client(two_workers: Client) -> Client:
    """The same, whatever another test has done to its processes."""
    two_workers.wait_for_workers(2, timeout=60)
    return two_workers
