"""The bars of a sampling in the terminal, one line a chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bayes_glmm.inference.settings import Settings

Report = Callable[[list[Any]], None]


@contextmanager
def chain_progress(settings: Settings, chains: Sequence[int]) -> Iterator[Callable[[int], Report | None]]:
    """Show bars while the block lasts, if the settings ask for them.

    Yields
    ------
    function
        For the number of a chain, what takes its state: a list of one record with ``finished_draws``, ``divergences``
        and ``tuning``, as nutpie hands out. Nothing takes it where no bars are shown.
    """
    if not settings.progress:
        yield lambda chain: None
        return
    from rich import progress  # only here: reading it takes 0.06 s, as long as sampling a small model
    from rich.console import Console

    columns = (
        progress.TextColumn("chain {task.fields[number]}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[state]}"),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bars:
        total = (settings.tune or 0) + settings.draws
        tasks = {chain: bars.add_task("", False, total, number=chain, state="waits") for chain in chains}

        def reporter(chain: int) -> Report:
            bars.start_task(tasks[chain])
            bars.update(tasks[chain], state="starts")

            def report(states: list[Any]) -> None:
                (state,) = states
                diverged = f", {state.divergences} divergences" if state.divergences else ""
                text = ("warm-up" if state.tuning else "draws") + diverged
                bars.update(tasks[chain], completed=state.finished_draws, state=text)

            return report

        yield reporter
