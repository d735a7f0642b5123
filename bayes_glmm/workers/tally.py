"""The live line of many tasks: how many are finished, have failed, are worked on and wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

Tell = Callable[..., None]  # of what has changed: tell(running=2)


@dataclass(frozen=True)
class Tally:
    """Tasks by state.

    Attributes
    ----------
    total, finished, failed, running : int
    lost : int
        Workers that are gone.

    Examples
    --------
    >>> print(Tally(12, finished=3, failed=1, running=2, lost=1))
    3 finished, 1 failed, 2 running, 6 waiting; 1 worker lost
    """

    total: int
    finished: int = 0
    failed: int = 0
    running: int = 0
    lost: int = 0

    @property
    def done(self) -> int:
        """Finished or failed."""
        return self.finished + self.failed

    def __str__(self) -> str:
        running = min(self.running, self.total - self.done)  # counted before the last of them came in
        counts = {"finished": self.finished, "failed": self.failed, "running": running}
        counts["waiting"] = self.total - self.done - running
        text = ", ".join(f"{n} {state}" for state, n in counts.items() if n or state == "finished")
        return text + (f"; {self.lost} worker{'s' if self.lost > 1 else ''} lost" if self.lost else "")


@contextmanager
def tally_line(what: str | None, total: int) -> Iterator[Tell]:
    """Show a line on stderr while the block lasts; where that is no terminal, as it stands at the end.

    Parameters
    ----------
    what : str, optional
        What the tasks are, such as ``"folds"``; without, nothing is shown.
    total : int
        How many there are.

    Yields
    ------
    function
        Takes fields of the tally that have changed.
    """
    if what is None:
        yield lambda **changed: None
        return
    from rich import progress  # only here: see inference/progress.py
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(20),
        progress.TextColumn("{task.fields[tally]}"),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bars:
        tally = Tally(total)
        line = bars.add_task(what, total=total, tally=tally)

        def tell(**changed: int) -> None:
            nonlocal tally
            tally = replace(tally, **changed)
            bars.update(line, completed=tally.done, tally=tally)

        yield tell
