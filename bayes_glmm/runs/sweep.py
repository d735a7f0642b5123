"""Many configs, each an ordinary run, side by side on a dask cluster.

All configs are validated before anything is sampled. What a sweep that was stopped left behind, or a worker that died,
is no different from any run that was stopped: the same sweep again keeps runs that are finished and resumes the others.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayes_glmm.errors import ConfigError, GLMMError
from bayes_glmm.files import write_file
from bayes_glmm.inference.engines import get_engine
from bayes_glmm.runs.folder import RECORD, check_target, is_run, partial_run, shown, started
from bayes_glmm.runs.job import prepare
from bayes_glmm.runs.resume import check_same, reopen
from bayes_glmm.runs.run import resume, run
from bayes_glmm.runs.tables import csv_text
from bayes_glmm.studies.executor import cluster, run_all

if TYPE_CHECKING:
    from distributed import Client

FAILED = "failed"  # in place of a verdict
_AGAIN = {
    False: "The same sweep again keeps the runs that are finished and resumes those that were begun.",
    True: "The same sweep without --overwrite resumes the runs that were begun; older ones stay as they are.",
}


@dataclass(frozen=True)
class Entry:
    """A config of a sweep, checked, and what stood in its place when the sweep began.

    Attributes
    ----------
    config, folder : Path
        Absolute.
    place : Path
        The working directory of the sweep, from which paths of the config are read.
    overwrite : bool
    resumes : bool
        Whether an unfinished run is there that is to be finished.
    run_before, partial_before : str or None
        When the run that is there was begun, and the unfinished one.
    """

    config: Path
    folder: Path
    place: Path
    overwrite: bool
    resumes: bool
    run_before: str | None
    partial_before: str | None

    @property
    def finished(self) -> bool:
        """Whether its run is there and stays."""
        return self.run_before is not None and not (self.overwrite or self.resumes)


def sweep(
    configs: Iterable[str | Path],
    overwrite: bool = False,
    address: str | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Do what many configs say.

    Parameters
    ----------
    configs : iterable of str or Path
    overwrite : bool
        Whether to make runs anew that are there, finished or not; else finished ones are kept, others resumed.
    address : str, optional
        Of a dask scheduler whose workers see the same files; processes of this machine without one.
    workers : int, optional
        How many processes of this machine, among which its cores are divided; as many as there are runs or cores by
        default. One is this process itself, without dask.
    progress : bool
        Whether to show a live line.

    Returns
    -------
    DataFrame
        One row a config, in order: ``config``, ``verdict`` (``failed`` where there is none), ``seconds``, ``folder``,
        and ``message`` where it failed.

    Raises
    ------
    ConfigError
        Before anything is sampled: one for all that is wrong with any config; for two that write to one folder.
    SamplingError
        If dask.distributed is not installed, or its scheduler does not answer or is lost.
    """
    entries = plan(configs, overwrite)
    waiting = [place for place, entry in enumerate(entries) if not entry.finished]
    errors: dict[int, Exception] = {}
    with _workers(len(waiting), address, workers) as (client, cores):
        task, items = partial(finish, cores=cores), [entries[place] for place in waiting]
        try:
            for outcome in run_all(task, items, client=client, progress="runs" if progress and items else None):
                if outcome.error is not None:
                    errors[waiting[outcome.index]] = outcome.error
        except BaseException as error:  # Ctrl-C among them
            error.add_note(_AGAIN[overwrite])
            raise
    return pd.DataFrame([_row(entry, errors.get(place)) for place, entry in enumerate(entries)])


def finish(entry: Entry, cores: int) -> None:
    """Make the run of a config, or what is missing of it.

    A worker that died may have had this entry before: what has been begun since the sweep began is its work, and kept.
    """
    made = partial_run(entry.folder)
    if started(made.folder / RECORD) not in (None, entry.run_before):
        return
    if made.worth_keeping and (entry.resumes or started(made.start) != entry.partial_before):
        resume(made.folder, cores=cores)
    else:
        there = {} if Path.cwd() == entry.place else {"outputs": {"folder": str(entry.folder)}}
        run(entry.config, entry.overwrite, there, cores=cores)


@contextmanager
def _workers(runs: int, address: str | None, workers: int | None) -> Iterator[tuple[Client | None, int]]:
    """Where to run, and how many cores are there for each run: of other machines it is not known."""
    machine = os.cpu_count() or 1
    workers = workers or min(runs, machine)
    if runs == 0 or (address is None and workers == 1):
        yield None, machine
        return
    with cluster(address, workers) as client:
        yield client, max(1, machine // workers) if address is None else 1


def _row(entry: Entry, error: Exception | None) -> dict[str, Any]:
    row = {"config": shown(entry.config), "verdict": FAILED, "seconds": None, "folder": shown(entry.folder)}
    if error is not None:
        kind = "" if isinstance(error, GLMMError | OSError) else f"{type(error).__name__}: "
        return row | {"message": " ".join([f"{kind}{error}", *getattr(error, "__notes__", [])])}
    record = json.loads((entry.folder / RECORD).read_text(encoding="utf-8"))
    return row | {"verdict": record["verdict"], "seconds": record["seconds"], "message": ""}


def write_table(outcomes: pd.DataFrame, file: Path | None = None) -> Path:
    """Write the outcomes of a sweep as CSV: by default to ``sweep.csv`` beside the folder of the first run."""
    path = file or Path(outcomes["folder"].iloc[0]).parent / "sweep.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, csv_text(outcomes))
    return path


def plan(configs: Iterable[str | Path], overwrite: bool = False) -> list[Entry]:
    """The configs of a sweep, each checked as for a run of its own.

    Raises
    ------
    ConfigError
        One for all that is wrong.
    """
    entries, wrong = dict[Path, Entry](), dict[Path, str]()
    paths = list(dict.fromkeys(Path(config).absolute() for config in configs))
    for path in paths:
        try:
            entry = _entry(path, overwrite, entries)
            entries[entry.folder] = entry
        except (GLMMError, OSError) as error:
            wrong[path] = str(error)
    if wrong:
        listed = "".join(f"\n  {shown(path)}: {message}" for path, message in wrong.items())
        raise ConfigError(f"{len(wrong)} of {len(paths)} configs cannot be run; nothing was sampled.{listed}")
    return list(entries.values())


def _entry(path: Path, overwrite: bool, others: Mapping[Path, Entry]) -> Entry:
    job = prepare(path)
    get_engine(job.settings.engine)
    made = partial_run(job.folder)
    if other := others.get(made.folder):
        what = f"It would write to the folder of {shown(other.config)}."
        raise ConfigError(what, shown(made.folder), "Name another in its section 'outputs'.")
    resumes = made.worth_keeping and not overwrite
    if resumes:
        reopen(made)
    elif is_run(made.folder) and not overwrite:
        check_same(job)
    else:
        check_target(made.folder, overwrite)
    return Entry(
        config=path,
        folder=made.folder,
        place=Path.cwd(),
        overwrite=overwrite,
        resumes=resumes,
        run_before=started(made.folder / RECORD),
        partial_before=started(made.start),
    )
