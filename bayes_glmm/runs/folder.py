"""The folder of a run, and the hidden one beside it in which the run is made: what stands under the name is finished.

``.NAME.partial`` holds ``start.json`` (what was begun), ``chains/`` (each chain from the moment it is finished),
``run/`` (the results, which become the folder ``NAME`` by one renaming) and ``lock`` (who is at work). Whenever the
process ends, a ``start.json`` means that the run can be resumed, unless the run that stands under the name is the one
it began; all else is rubbish.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bayes_glmm.errors import ConfigError
from bayes_glmm.files import place
from bayes_glmm.inference.chains import count_chains
from bayes_glmm.runs.lock import locked

RECORD = "run.json"  # the last file written; a folder with it is a run
_PREFIX, _SUFFIX = ".", ".partial"
_CONTENTS = ("start.json", "chains", "run", "lock", "config.yaml", "model.txt")


@dataclass(frozen=True)
class Partial:
    """A run in the making.

    Attributes
    ----------
    folder : Path
        Where it will stand.
    """

    folder: Path

    @property
    def path(self) -> Path:
        """The hidden folder beside it."""
        return self.folder.parent / f"{_PREFIX}{self.folder.name}{_SUFFIX}"

    @property
    def start(self) -> Path:
        """What was begun."""
        return self.path / "start.json"

    @property
    def chains(self) -> Path:
        """Finished chains."""
        return self.path / "chains"

    @property
    def run(self) -> Path:
        """The results, written when all chains are finished."""
        return self.path / "run"

    @property
    def finished_chains(self) -> int:
        """How many chains need not be drawn again."""
        return count_chains(self.chains)

    @property
    def resumable(self) -> bool:
        """Whether a run was begun, and does not stand in its place."""
        if not self.start.is_file():
            return False
        return not is_run(self.folder) or started(self.folder / RECORD) != started(self.start)

    @property
    def worth_keeping(self) -> bool:
        """Whether it saves any sampling."""
        return self.resumable and self.finished_chains > 0

    @property
    def state(self) -> str:
        """How far it is, and how to go on, for a message."""
        n = self.finished_chains
        found = f"{n} finished chain{' is' if n == 1 else 's are'} kept"
        return f"{found}: 'bayes-glmm resume {shown(self.folder)}' goes on from there."

    def clear(self) -> None:
        """Remove all but the lock; first what makes it resumable, so that a half-removed one is rubbish."""
        self.start.unlink(missing_ok=True)
        for path in list(self.path.iterdir()):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "lock":
                path.unlink()


def shown(folder: Path) -> str:
    """A path as people type it: from the working directory, where it lies below."""
    return str(folder.relative_to(Path.cwd())) if folder.is_relative_to(Path.cwd()) else str(folder)


def partial_run(folder: str | Path) -> Partial:
    """The run in the making of a folder; the hidden folder may be named itself."""
    folder = Path(folder).resolve()
    if folder.name.startswith(_PREFIX) and folder.name.endswith(_SUFFIX):
        folder = folder.with_name(folder.name.removeprefix(_PREFIX).removesuffix(_SUFFIX))
    return Partial(folder)


def check_target(folder: Path, overwrite: bool) -> None:
    """A run may be written to a folder.

    Raises
    ------
    ConfigError
        If something is there that is not an empty folder; unless it is a run and ``overwrite``.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not is_run(folder):
        raise ConfigError("The output folder holds something that is not a run.", str(folder), "Name another folder.")
    if not overwrite:
        raise ConfigError(
            "A run is there already.", str(folder), "Name another folder, or say --overwrite to replace it."
        )


def _check_ours(partial: Partial) -> None:
    """The hidden folder holds what a run writes there, and is no link to another folder: it will be emptied."""
    if partial.path.is_symlink():
        others = [f"a link to {partial.path.readlink()}"]
    else:
        others = sorted(path.name for path in partial.path.glob("*") if path.is_symlink() or not _is_ours(path.name))
    if others:
        raise ConfigError(
            f"The hidden folder of the run is not one that a run wrote: {others[0]}.",
            str(partial.path),
            "Move it away, or name another output folder.",
        )


def _is_ours(name: str) -> bool:
    return name in _CONTENTS or (name.startswith(_PREFIX) and name.endswith(_SUFFIX))  # of a file half written


def is_run(folder: Path) -> bool:
    """Whether a folder holds a finished run."""
    return (folder / RECORD).is_file()


def started(path: Path) -> str | None:
    """When a run was begun, to the microsecond, by its ``run.json`` or ``start.json``: what tells one from another."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["started"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def check_finished(folder: Path) -> None:
    """A folder holds a finished run.

    Raises
    ------
    ConfigError
        If it does not.
    """
    if is_run(folder):
        return
    unfinished = partial_run(folder).worth_keeping
    advice = partial_run(folder).state if unfinished else "Name the folder that 'bayes-glmm run' wrote."
    raise ConfigError("There is no finished run here.", str(folder), advice)


@contextmanager
def new_run(folder: str | Path, overwrite: bool = False) -> Iterator[Partial]:
    """A run to write; :func:`put_in_place` ends it.

    Parameters
    ----------
    folder : str or Path
    overwrite : bool
        Whether to replace a run that is there, finished or not.

    Yields
    ------
    Partial
        If the block raises, Ctrl-C included, it stays where a chain is finished, and is removed where none is.

    Raises
    ------
    ConfigError
        As :func:`check_target`; if an unfinished run is there or another process is writing it; if the disk does not
        take it.
    """
    partial = partial_run(folder)
    check_target(partial.folder, overwrite)
    _check_ours(partial)
    try:
        partial.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"The output folder cannot be made: {error}", str(folder), "Name another folder.") from error
    with _explained(partial), locked(partial.path), _removed_if_worthless(partial):
        if partial.worth_keeping and not overwrite:
            raise ConfigError(
                "An unfinished run is there.", str(partial.path), f"{partial.state} --overwrite starts it anew."
            )
        partial.clear()
        partial.chains.mkdir()
        yield partial


@contextmanager
def resumed_run(folder: str | Path) -> Iterator[Partial]:
    """An unfinished run to go on with; :func:`put_in_place` ends it.

    Raises
    ------
    ConfigError
        If there is none, another process is writing it, or the disk does not take it.
    """
    partial = partial_run(folder)
    if not partial.path.is_dir():
        raise _nothing_to_resume(partial)
    _check_ours(partial)
    with _explained(partial), locked(partial.path):
        if not partial.resumable:
            shutil.rmtree(partial.path, ignore_errors=True)
            raise _nothing_to_resume(partial)
        yield partial


def put_in_place(partial: Partial, overwrite: bool) -> None:
    """The results become the folder, in one step, and the hidden folder goes.

    Raises
    ------
    ConfigError
        As :func:`check_target`: something may have come there meanwhile.
    """
    check_target(partial.folder, overwrite)
    place(partial.run, partial.folder)
    partial.start.unlink(missing_ok=True)  # first: what is left, should the rest stay, is rubbish
    shutil.rmtree(partial.path, ignore_errors=True)


@contextmanager
def _removed_if_worthless(partial: Partial) -> Iterator[None]:
    """After an error, leave nothing behind that saves no sampling."""
    try:
        yield
    except BaseException:
        if not partial.worth_keeping:
            shutil.rmtree(partial.path, ignore_errors=True)
        raise


@contextmanager
def _explained(partial: Partial) -> Iterator[None]:
    """After an error, say what is kept; an error of the disk becomes one that says what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = ["Make room on the disk." if full else "See that the folder can be written."]
        advice += [partial.state] if partial.worth_keeping else []
        what = f"The run cannot be written: {error.strerror or error}."
        raise ConfigError(what, str(error.filename or partial.path), " ".join(advice)) from error
    except ConfigError:
        raise
    except BaseException as error:
        if partial.worth_keeping:
            error.add_note(partial.state)
        raise


def _nothing_to_resume(partial: Partial) -> ConfigError:
    if is_run(partial.folder):
        return ConfigError("This run is finished.", str(partial.folder), "There is nothing to resume.")
    others = sorted(
        partial_run(path).folder.name
        for path in partial.folder.parent.glob(f"{_PREFIX}*{_SUFFIX}")
        if partial_run(path).worth_keeping
    )
    advice = f"Unfinished there: {', '.join(others)}." if others else "Start it with 'bayes-glmm run CONFIG'."
    return ConfigError("There is no unfinished run here.", str(partial.folder), advice)
