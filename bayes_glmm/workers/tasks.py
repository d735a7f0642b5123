"""Independent tasks on the workers of a dask cluster: their outcomes as they come, whatever becomes of a worker.

The scheduler keeps each task with its data until its result is here. A worker that is lost, by ``kill -9`` or with its
machine, takes no task with it: another does it again. A task at which several workers died waits until all others are
done, is tried once more alone, and given up if workers die at it again.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bayes_glmm.errors import SamplingError
from bayes_glmm.workers.tally import Tell, tally_line

if TYPE_CHECKING:
    from dask.typing import Key
    from distributed import Client, Future

LOOK, REST = 0.5, 0.02  # seconds between looks at the workers, and at what has come


@dataclass(frozen=True)
class Outcome[Result]:
    """What became of one item.

    Attributes
    ----------
    index : int
        Its place among the items.
    result : object
        What the function gave; None where it failed.
    error : Exception, optional
        What it raised.
    """

    index: int
    result: Result | None = None
    error: Exception | None = None

    def get(self) -> Result:
        """The result.

        Raises
        ------
        Exception
            What the function raised.
        """
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]  # a Result, which may be None


def on_workers[Item, Result](
    function: Callable[[Item], Result], items: Sequence[Item], client: Client, progress: str | None = None
) -> Iterator[Outcome[Result]]:
    """Call a function with each item, on the workers of a client.

    Parameters
    ----------
    function : callable
        Travels to the workers with its item, as a pickle: the two bring whatever they need.
    items : sequence
    client : distributed.Client
    progress : str, optional
        What the items are, for a live line on stderr; without, none is shown.

    Yields
    ------
    Outcome
        Each when it is finished. Those that are not when the iterator is closed are dropped.

    Raises
    ------
    SamplingError
        If the scheduler is lost.
    """
    yield from tallied(lambda tell: _on_workers(function, items, client, tell), len(items), progress)


def tallied[Result](
    outcomes: Callable[[Tell], Iterable[Outcome[Result]]], total: int, progress: str | None
) -> Iterator[Outcome[Result]]:
    """Outcomes as they come, counted in a live line."""
    with tally_line(progress, total) as tell:
        finished = failed = 0
        for outcome in outcomes(tell):
            finished, failed = finished + (outcome.error is None), failed + (outcome.error is not None)
            tell(finished=finished, failed=failed)
            yield outcome


def _on_workers[Item, Result](
    function: Callable[[Item], Result], items: Sequence[Item], client: Client, tell: Tell
) -> Iterator[Outcome[Result]]:
    suspects, seen = list[int](), set[str]()
    for place, future in _ended(function, dict(enumerate(items)), client, tell, seen):
        if _is_given_up(future):
            suspects.append(place)
        else:
            yield _outcome(future, place)
    for suspect in suspects:  # dask blames all tasks of a worker that dies; the guilty one does it again alone
        for place, future in _ended(function, {suspect: items[suspect]}, client, tell, seen):
            yield _outcome(future, place)


def _ended[Item](
    function: Callable[[Item], object], items: Mapping[int, Item], client: Client, tell: Tell, seen: set[str]
) -> Iterator[tuple[int, Future]]:
    """Tasks by the places of their items, as they end."""
    from distributed import as_completed

    with warnings.catch_warnings():
        # advises to place the data on a worker; they would be lost with it
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        futures = client.map(function, list(items.values()), pure=False)
    places = {future.key: place for place, future in zip(items, futures, strict=True)}
    waiting = as_completed(futures, loop=client.loop)
    del futures  # a result stays with its worker as long as its future is here
    try:
        while not waiting.is_empty():
            with suppress(OSError):  # without a scheduler, the tasks are told so
                running, lost = _look(client, places, seen)
                tell(running=running, lost=lost)
            until = time.monotonic() + LOOK
            while not waiting.has_ready() and time.monotonic() < until:
                time.sleep(REST)
            for future in waiting.next_batch(block=False):
                yield places[future.key], future
    finally:
        client.cancel(list(waiting.futures))


def _look(client: Client, keys: Container[Key], seen: set[str]) -> tuple[int, int]:
    """How many of the tasks are worked on, and how many of the workers ever seen are gone; remembers those it sees."""
    threads = client.nthreads()
    seen.update(threads)
    given = {worker: sum(key in keys for key in tasks) for worker, tasks in client.processing().items()}
    return sum(min(given.get(worker, 0), n) for worker, n in threads.items()), len(seen - set(threads))


def _is_given_up(future: Future) -> bool:
    from distributed import KilledWorker

    return future.status == "error" and isinstance(future.exception(), KilledWorker)


def _outcome(future: Future, place: int) -> Outcome:
    try:
        if _is_given_up(future):
            what = "Workers die at this task, also when it is the only one."
            return Outcome(place, error=SamplingError(what, advice="The usual reason is too little memory."))
        return Outcome(place, future.result())
    except CancelledError as error:
        reason = getattr(error, "reason", error)
        raise SamplingError(f"The cluster has dropped its tasks: {reason}.", advice="See to its scheduler.") from error
    except Exception as error:  # whatever the function raises is the outcome of its item
        return Outcome(place, error=error)
