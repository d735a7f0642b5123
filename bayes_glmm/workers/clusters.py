"""A dask cluster: processes of this machine, or one that is there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bayes_glmm.errors import SamplingError
from bayes_glmm.processes import safe_path

if TYPE_CHECKING:
    from distributed import Client

PATIENCE = 10.0  # seconds in which a scheduler should answer
_CONFIG = {
    "distributed.scheduler.allowed-failures": 1,  # workers that may die at a task before it waits, or is given up
    "distributed.worker.daemon": False,  # PyMC's sampler starts processes of its own, which a daemon may not
    # else a process away 15 seconds after a loss, its own or an earlier one, is given up for good
    "distributed.deploy.lost-worker-timeout": "100 days",
}


@contextmanager
def cluster(address: str | None = None, workers: int | None = None) -> Iterator[Client]:
    """A dask client while the block lasts.

    Parameters
    ----------
    address : str, optional
        Of a scheduler, such as ``tcp://10.0.0.1:8786``. Without one, processes of this machine are started, each with
        one thread for tasks and one for linear algebra; one that dies is started again.
    workers : int, optional
        How many processes; as many as the machine has cores by default.

    Raises
    ------
    SamplingError
        If dask.distributed is not installed, or no scheduler answers at the address.

    Notes
    -----
    The processes import the script that asks for them, which must do so under ``if __name__ == "__main__":``.
    """
    check_installed()
    with _there(address) if address is not None else _local(workers) as client:
        yield client


def check_installed() -> None:
    """dask.distributed is there.

    Raises
    ------
    SamplingError
        If it is not.
    """
    if find_spec("distributed") is None:
        raise SamplingError(
            "A cluster needs the package 'distributed', which is not installed.", advice="Install bayes-glmm[dask]."
        )


@contextmanager
def _local(workers: int | None) -> Iterator[Client]:
    import dask
    from dask.system import CPU_COUNT
    from distributed import Client, LocalCluster

    n = workers or CPU_COUNT
    size = {"n_workers": n, "threads_per_worker": 1, "memory_limit": 1.0 / n}
    with (
        safe_path(),  # also for the workers that are started again later
        dask.config.set(_CONFIG),
        # what is logged below this, errors of tasks and lost workers, the caller is told
        LocalCluster(**size, dashboard_address=":0", silence_logs=logging.CRITICAL) as local,
        Client(local, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _there(address: str) -> Iterator[Client]:
    from distributed import Client
    from distributed.utils import silence_logging_cmgr

    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:  # nobody answers; not an address
        raise SamplingError(f"No dask scheduler answers: {error}", address, "Start one, or correct it.") from error
    with silence_logging_cmgr(logging.CRITICAL), client:  # a lost scheduler is an error that the caller has
        yield client
