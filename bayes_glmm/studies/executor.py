"""The one door for many independent tasks: here, one after the other, or on the workers of a dask cluster.

    with cluster(workers=4) as client:
        for outcome in run_all(score, folds, client=client, progress="folds"):
            scores[outcome.index] = outcome.get()

What a task gives depends on its item alone, so both places give the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from bayes_glmm.workers import Outcome, cluster, on_workers, tallied
from bayes_glmm.workers.tally import Tell

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Outcome", "cluster", "run_all"]


def run_all[Item, Result](
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    client: Client | None = None,
    progress: str | None = None,
) -> Generator[Outcome[Result], None, None]:
    """Call a function with each item.

    Parameters
    ----------
    function : callable
        Takes one item. To a cluster both travel as pickles: a function of a module, or a ``functools.partial`` of one.
    items : iterable
        Everything that sets one call apart from another, its seed included.
    client : distributed.Client, optional
        The cluster to use, as :func:`cluster` opens it; this process without one.
    progress : str, optional
        What the items are, such as ``"folds"``, for a live line on stderr; without, none is shown.

    Yields
    ------
    Outcome
        ``(index, result, error)``, each when it is finished, in any order; :meth:`Outcome.get` gives the result or
        raises the error. An item whose function raises one does not keep others from being done. On a cluster, items of
        a worker that dies are done again by others. Closing the generator drops what is not done.

    Raises
    ------
    SamplingError
        If the scheduler of the cluster is lost.

    Examples
    --------
    >>> {outcome.index: outcome.get() for outcome in run_all(abs, [3, -4])}
    {0: 3, 1: 4}
    """
    items = list(items)
    if client is None:
        yield from tallied(lambda tell: _here(function, items, tell), len(items), progress)
    else:
        yield from on_workers(function, items, client, progress)


def _here[Item, Result](
    function: Callable[[Item], Result], items: Sequence[Item], tell: Tell
) -> Iterator[Outcome[Result]]:
    for index, item in enumerate(items):
        tell(running=1)
        try:
            result = function(item)
        except Exception as error:  # whatever the function raises is the outcome of its item
            yield Outcome(index, error=error)
        else:
            yield Outcome(index, result)
