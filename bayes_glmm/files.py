"""Files and folders that appear whole or not at all, whenever the process ends, be it by ``kill -9``.

What is written goes to a hidden neighbour first, ``.NAME.<letters>.partial``, and is renamed when it is on the disk: a
rename is one step of the file system. Only a process that is killed outright leaves the neighbour behind.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bayes_glmm.errors import DataError


def write_file(path: Path, content: bytes | memoryview | str) -> None:
    """Write a file, text as UTF-8; one that is there is replaced in one step.

    Raises
    ------
    OSError
        With the old file as it was, and nothing beside it.
    """
    partial = _neighbour(path)
    try:
        with partial.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def check_no_link(path: Path) -> None:
    """Check that a file is no symbolic link.

    Raises
    ------
    DataError
    """
    if path.is_symlink():
        raise DataError(f"{path.name} is a link to another file.", str(path), "Put the file itself in its place.")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which stands under its name when the block ends well, in place of one that was there.

    Yields
    ------
    Path
        The hidden neighbour. Removed if the block raises.
    """
    partial = _neighbour(folder)
    partial.mkdir(parents=True)
    try:
        yield partial
        place(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def place(source: Path, folder: Path) -> None:
    """Rename a folder; one that is there is removed.

    Where the system can swap two folders in one step (Linux), there is no moment without a whole folder under the name.
    Elsewhere there is one between two renames: a process killed just then leaves the old folder beside it, as
    ``.NAME.<letters>.partial``.
    """
    for path in (path for path in source.rglob("*") if path.is_file()):
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    if not folder.exists():
        source.rename(folder)
        return
    if not _swap(source, folder):
        aside = _neighbour(folder)
        folder.rename(aside)
        try:
            source.rename(folder)
        except OSError:
            aside.rename(folder)
            raise
        aside.rename(source)
    shutil.rmtree(source, ignore_errors=True)


def _neighbour(path: Path) -> Path:
    return path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.partial"


def _swap(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step; False where the system or the file system cannot."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of linux/fs.h
    return rename is not None and rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0
