"""The waiting before the first draw: what did not come along and is not on disk is compiled, half by a second process.

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
from functools import cache
from pathlib import Path
from typing import Any

from numba.core import config
from numba.core.caching import FunctionCache

from bayes_glmm.inference.densities.ahead import objects
from bayes_glmm.inference.densities.callbacks import Part, compile_part, python_function
from bayes_glmm.processes import isolated_command

log = logging.getLogger(__name__)
LONGEST = 20_000  # characters that a command takes everywhere: parts of a user's own family are named by their code


@cache
def code_of(part: Part) -> Any:
    """The C function of a part, with an ``address``: as it came along, from disk, or compiled."""
    brought = objects()
    return brought.link(part) if brought and part in brought else compile_part(part)


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
            code_of(part)
    for part in parts:
        code_of(part)


def on_disk(part: Part) -> bool:
    """Whether there is some code of that part; whether what numba left fits this machine is for numba to find."""
    brought = objects()
    if brought and part in brought:
        return True
    function = python_function(part)
    try:
        folder = FunctionCache(function).cache_path
    except RuntimeError:  # nowhere to keep it
        return False
    return any(Path(folder).glob(f"*{part.symbol}*.nbi"))


def compile_named(parts: str) -> None:
    """Compile parts, written as JSON: what the second process does."""
    for name, made_for in json.loads(parts):
        code_of(Part(name, tuple(made_for)))


@contextmanager
def _compiled_elsewhere(parts: Sequence[Part]) -> Iterator[None]:
    """A second process compiles these parts beside the block and to its own end; whether it could is not asked."""
    named = json.dumps([(part.name, part.made_for) for part in parts])
    if not parts or not sys.executable or len(named) > LONGEST:
        yield
        return
    process = subprocess.Popen(
        isolated_command(__name__, "compile_named", named),
        # where this process keeps code: numba would also look for a .numba_config.yaml in the working directory
        env=os.environ | {"NUMBA_CACHE_DIR": str(Path(config.CACHE_DIR).resolve()) if config.CACHE_DIR else ""},
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
