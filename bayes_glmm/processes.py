"""Other Python processes: they import what this process imports, and never a file of the working directory.

``python -c`` and ``python -m`` put the working directory first on the path, and :mod:`multiprocessing` starts its
processes by ``python -c``: a ``numba.py`` or a ``pickle.py`` beside a config would run.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HOME = str(Path(__file__).parents[1])  # the folder that the package was imported from
_CALL = """\
import json, sys
from importlib import import_module
sys.path[:] = json.loads(sys.argv[1])
getattr(import_module(sys.argv[2]), sys.argv[3])(*sys.argv[4:])
"""


def isolated_command(module: str, function: str, *arguments: str) -> list[str]:
    """Return the command that calls a function in a Python process that ignores the working directory.

    Parameters
    ----------
    module, function : str
    *arguments : str
        What the function is called with.
    """
    here = str(Path.cwd())
    # the package's own folder last: in a checkout that is not installed it is the working directory
    path = [entry for entry in sys.path if Path(entry).is_absolute() and entry != here] + [_HOME]
    return [sys.executable, "-I", "-c", _CALL, json.dumps(path), module, function, *arguments]


@contextmanager
def safe_path() -> Iterator[None]:
    """Processes that the block starts do not put the working directory on their path, however they are started."""
    name = "PYTHONSAFEPATH"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
