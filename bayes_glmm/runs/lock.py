"""A lock on a folder: one process at a time, and a process that died holds nothing.

The lock is the operating system's, on an open file, so it ends with the process however that ends; the file says who
holds it. On Windows, and where a file system has no locks, nothing is locked.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from bayes_glmm.errors import ConfigError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock while the block lasts.

    Raises
    ------
    ConfigError
        If another process holds it, or ended its work just now.
    """
    path = folder / "lock"
    with path.open("a+", encoding="utf-8") as file:
        if sys.platform != "win32":
            os.register_at_fork(after_in_child=file.close)  # a worker that outlives this process must not hold the lock
        try:
            _take(file)
            current = path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino
        except BlockingIOError:
            current = False
        if not current:
            file.seek(0)
            raise ConfigError(
                "Another process is writing this run.",
                f"{folder}: {file.read().strip() or 'just now'}",
                "Wait until it is done, or stop it.",
            )
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
        file.flush()
        yield


def _take(file: TextIO) -> None:
    """Lock an open file at once, or raise BlockingIOError."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks
            return
