"""Packages that are put off are read when they are used, once, and leave nothing behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bayes_glmm.inference.deferred_import import deferred_import


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = "read_late_by_this_test"
    (tmp_path / f"{name}.py").write_text("number = 7\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def test_a_package_is_read_when_it_is_used(package: str) -> None:
    with deferred_import(package):
        bound = __import__(package)
    assert package not in sys.modules
    assert bound.number == 7
    assert sys.modules[package].number == 7


def test_use_within_the_block_reads_it(package: str) -> None:
    with deferred_import(package):
        assert __import__(package).number == 7
    assert sys.modules[package].number == 7


def test_what_is_there_stays(package: str) -> None:
    there = __import__(package)
    with deferred_import(package):
        assert __import__(package) is there
    assert sys.modules[package] is there
