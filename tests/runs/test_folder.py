"""A run folder is there and whole, or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from bayes_glmm.errors import ConfigError
from bayes_glmm.runs.folder import RECORD, is_run, run_folder


def write_run(folder, text="1", overwrite=False):
    with run_folder(folder, overwrite) as partial:
        (partial / "table.csv").write_text(text)
        (partial / RECORD).write_text("{}")


def test_a_run_appears_whole_under_its_name(tmp_path):
    folder = tmp_path / "deep" / "run"
    with run_folder(folder) as partial:
        (partial / RECORD).write_text("{}")
        assert not folder.exists()
        assert partial.name.endswith(".partial")
    assert is_run(folder)
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_run_leaves_nothing(tmp_path, error):
    def interrupted():
        with run_folder(tmp_path / "run") as partial:
            (partial / RECORD).write_text("{}")
            raise error

    with pytest.raises(error):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_replaced_only_when_asked(tmp_path):
    write_run(tmp_path / "run", "old")
    with pytest.raises(ConfigError, match="--overwrite"):
        write_run(tmp_path / "run", "new")
    assert (tmp_path / "run" / "table.csv").read_text() == "old"
    write_run(tmp_path / "run", "new", overwrite=True)
    assert (tmp_path / "run" / "table.csv").read_text() == "new"
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]


def test_an_interrupted_replacement_keeps_the_old_run(tmp_path):
    write_run(tmp_path / "run", "old")
    with pytest.raises(KeyboardInterrupt), run_folder(tmp_path / "run", overwrite=True):
        raise KeyboardInterrupt
    assert (tmp_path / "run" / "table.csv").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]


def test_what_is_not_a_run_is_never_replaced(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("precious")
    (tmp_path / "file").write_text("precious")
    for name in ("home", "file"):
        with pytest.raises(ConfigError, match="not a run"):
            write_run(tmp_path / name, overwrite=True)
    assert (tmp_path / "home" / "thesis.tex").read_text() == "precious"
    assert (tmp_path / "file").read_text() == "precious"


def test_an_empty_folder_is_used(tmp_path):
    (tmp_path / "run").mkdir()
    write_run(tmp_path / "run")
    assert is_run(tmp_path / "run")


def test_a_run_that_appears_meanwhile_is_not_overwritten(tmp_path):
    with pytest.raises(ConfigError, match="already"), run_folder(tmp_path / "run"):
        write_run(tmp_path / "run", "other")
    assert (tmp_path / "run" / "table.csv").read_text() == "other"


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made"), run_folder(tmp_path / "file" / "run"):
        pytest.fail("the block must not be entered")


def test_a_killed_run_leaves_only_what_is_named_partial(tmp_path):
    code = (
        "import sys, time; from bayes_glmm.runs.folder import run_folder\n"
        "with run_folder(sys.argv[1]) as partial:\n"
        "    (partial / 'run.json').write_text('{}'); print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path / "run"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "run").exists()
    assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
    write_run(tmp_path / "run")  # and is in nobody's way
    assert is_run(tmp_path / "run")
