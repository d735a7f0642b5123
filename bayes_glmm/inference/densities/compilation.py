"""The waiting before the first draw: what is not on disk is compiled, half of it by a second process.

Compiling holds a lock of numba's, so that threads would wait for each other. The second process leaves its parts on
disk, where this one finds them.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from numba.core.caching import FunctionCache

from bayes_glmm.inference.densities.callbacks import Part, python_function

log = logging.getLogger(__name__)


def compile_parts(parts: Sequence[Part]) -> None:
    """Have the code of these parts at hand.

    Parameters
    ----------
    parts : sequence of Part
        That which takes longest first.
    """
    missing = [part for part in parts if not on_disk(part)]
    if missing:
        log.info("Compiling %s: once, for all models of the kind.", "; ".join(map(str, missing)))
    with _compiled_elsewhere(missing[1:]):
        for part in missing[:1]:
            part()
    for part in parts:
        part()


def on_disk(part: Part) -> bool:
    """Whether some code of that part is on disk; whether it fits this machine is for numba to find."""
    function = python_function(part)
    try:
        folder = FunctionCache(function).cache_path
    except RuntimeError:  # nowhere to keep it
        return False
    return any(Path(folder).glob(f"*{function.__qualname__}*.nbi"))


def compile_named(parts: str) -> None:
    """Compile parts, written as JSON: what the second process does."""
    for name, made_for in json.loads(parts):
        Part(name, tuple(made_for))()


@contextmanager
def _compiled_elsewhere(parts: Sequence[Part]) -> Iterator[None]:
    """A second process compiles these parts beside the block and to its own end; whether it could is not asked."""
    if not parts or not sys.executable:
        yield
        return
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import sys; from {__name__} import compile_named; compile_named(sys.argv[1])",
            json.dumps([(part.name, part.made_for) for part in parts]),
        ],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
        process.wait()
    finally:
        process.kill()
        process.wait()
