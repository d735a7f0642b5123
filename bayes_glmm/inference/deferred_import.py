"""Defer imports that a dependency makes at module level until something of the package is used."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands for a package that is not read yet."""

    def __getattr__(self, name: str) -> Any:
        _take_out(self)
        return getattr(import_module(self.__name__), name)


@contextmanager
def deferred_import(package: str) -> Iterator[None]:
    """While the block lasts, ``import package`` binds something that reads the package when it is used.

    Nothing changes for a package that is there already.
    """
    if package in sys.modules:
        yield
        return
    later = sys.modules[package] = _Later(package)
    try:
        yield
    finally:
        _take_out(later)


def _take_out(later: ModuleType) -> None:
    if sys.modules.get(later.__name__) is later:
        del sys.modules[later.__name__]
