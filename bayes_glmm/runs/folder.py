"""The folder of a run, written beside its place and renamed into it when whole: what stands there is finished."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bayes_glmm.errors import ConfigError

RECORD = "run.json"  # the last file written; a folder with it is a run


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


def is_run(folder: Path) -> bool:
    """Whether a folder holds a finished run."""
    return (folder / RECORD).is_file()


@contextmanager
def run_folder(folder: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """A folder to write a run into, which appears under its name when the block ends well.

    Parameters
    ----------
    folder : str or Path
    overwrite : bool
        Whether to replace a run that is there.

    Yields
    ------
    Path
        A hidden folder beside it, ``.NAME.<letters>.partial``. Removed if the block raises, Ctrl-C included; it stays
        only if the process is killed outright.

    Raises
    ------
    ConfigError
        As :func:`check_target`.
    """
    folder = Path(folder).absolute()
    check_target(folder, overwrite)
    partial = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}.partial"
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"The output folder cannot be made: {error}", str(folder), "Name another folder.") from error
    try:
        yield partial
        check_target(folder, overwrite)  # another run may have ended there meanwhile
        _replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _replace(partial: Path, folder: Path) -> None:
    """Rename; a run that was there is set aside first, and put back if the renaming fails."""
    if not folder.exists():
        partial.rename(folder)
        return
    aside = partial.with_suffix(".replaced")
    folder.rename(aside)
    try:
        partial.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)
