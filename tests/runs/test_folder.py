"""A run folder is there and whole, or not there."""

from __future__ import annotations

import errno
import os
import platform
import signal
import subprocess
import sys

import pytest

from bayes_glmm.errors import ConfigError
from bayes_glmm.runs.folder import RECORD, is_run, new_run, partial_run, put_in_place, resumed_run


def write_run(folder, text="1", overwrite=False):
    with new_run(folder, overwrite) as partial:
        write_results(partial, text)
        put_in_place(partial, overwrite)


def write_results(partial, text="1"):
    partial.run.mkdir()
    (partial.run / "table.csv").write_text(text)
    (partial.run / RECORD).write_text("{}")


def stopped(folder, error, chains=0, overwrite=False):
    """A run that ends with an error after some chains."""
    with new_run(folder, overwrite) as partial:
        partial.start.write_text("{}")
        for chain in range(chains):
            (partial.chains / f"0-{chain}.nc").write_text("")
        raise error


def test_a_run_appears_whole_under_its_name(tmp_path):
    folder = tmp_path / "deep" / "run"
    with new_run(folder) as partial:
        write_results(partial)
        assert not folder.exists()
        put_in_place(partial, overwrite=False)
    assert is_run(folder)
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, ConfigError])
def test_a_run_stopped_before_a_chain_is_finished_leaves_nothing(tmp_path, error):
    with pytest.raises(error):
        stopped(tmp_path / "run", error("stop"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_finished_chains_are_kept_and_it_is_said(tmp_path, monkeypatch, error):
    monkeypatch.chdir(tmp_path)
    for chains, words in [(1, "1 finished chain is kept"), (3, "3 finished chains are kept")]:
        with pytest.raises(error) as caught:
            stopped("run", error(), chains, overwrite=True)
        assert [f"{words}: 'bayes-glmm resume run' goes on from there."] == caught.value.__notes__
        with pytest.raises(ConfigError, match=f"unfinished run is there.*{words}.*--overwrite starts it anew"):
            write_run("run")
        with resumed_run("run") as partial:
            assert chains == partial.finished_chains


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "No space left on device.*Make room"), (errno.EROFS, "Read-only file system.*can be written")],
)
def test_a_disk_that_takes_no_more_says_what_to_do_and_keeps_the_chains(tmp_path, number, words):
    with pytest.raises(ConfigError, match=f"cannot be written: {words}.*2 finished chains are kept"):
        stopped(tmp_path / "run", OSError(number, os.strerror(number)), chains=2)
    assert partial_run(tmp_path / "run").finished_chains == 2


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
    with pytest.raises(KeyboardInterrupt):
        stopped(tmp_path / "run", KeyboardInterrupt(), overwrite=True)
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


@pytest.mark.parametrize(("name", "overwrite", "words"), [(RECORD, False, "already"), ("thesis", True, "not a run")])
def test_what_appears_meanwhile_is_not_replaced(tmp_path, name, overwrite, words):
    def run():
        with new_run(tmp_path / "run", overwrite) as partial:
            write_results(partial)
            (tmp_path / "run").mkdir()
            (tmp_path / "run" / name).write_text("other")
            put_in_place(partial, overwrite)

    with pytest.raises(ConfigError, match=words):
        run()
    assert (tmp_path / "run" / name).read_text() == "other"


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made"), new_run(tmp_path / "file" / "run"):
        pytest.fail("the block must not be entered")


def test_there_is_nothing_to_resume(tmp_path):
    for name in ("run", ".run.partial"):
        with pytest.raises(ConfigError, match=r"no unfinished run here.*Start it with"), resumed_run(tmp_path / name):
            pytest.fail("the block must not be entered")
    write_run(tmp_path / "run")
    with pytest.raises(ConfigError, match="This run is finished"), resumed_run(tmp_path / "run"):
        pytest.fail("the block must not be entered")
    with pytest.raises(KeyboardInterrupt):
        stopped(tmp_path / "other", KeyboardInterrupt(), chains=1)
    with pytest.raises(ConfigError, match="Unfinished there: other"), resumed_run(tmp_path / "nun"):
        pytest.fail("the block must not be entered")


def test_the_hidden_folder_may_be_named_itself(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        stopped(tmp_path / "run", KeyboardInterrupt(), chains=1)
    with resumed_run(tmp_path / ".run.partial") as partial:
        assert partial.folder == tmp_path / "run"


HOLDER = """
import sys, time
from bayes_glmm.runs.folder import new_run
with new_run(sys.argv[1]) as partial:
    partial.start.write_text('{}')
    (partial.chains / '0-0.nc').write_text('')
    print('ready', flush=True)
    time.sleep(600)
"""


def test_one_process_writes_a_run_and_a_killed_one_holds_nothing(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path / "run"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for enter in (new_run, resumed_run):
            with pytest.raises(ConfigError, match=f"Another process.*process {process.pid} on {platform.node()}"):
                enter(tmp_path / "run").__enter__()
        os.kill(process.pid, signal.SIGKILL)
    assert not (tmp_path / "run").exists()
    with resumed_run(tmp_path / "run") as partial:
        assert 1 == partial.finished_chains
        with pytest.raises(ConfigError, match=f"process {os.getpid()} "):
            new_run(tmp_path / "run").__enter__()
        write_results(partial)
        put_in_place(partial, overwrite=False)
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]
    assert is_run(tmp_path / "run")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork.")
def test_a_worker_that_outlives_the_process_does_not_hold_the_lock(tmp_path):
    code = HOLDER.replace("print('ready'", "import os; worker = os.fork(); print(worker if worker else ''")
    with subprocess.Popen([sys.executable, "-c", code, tmp_path / "run"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        # both have written a line: the worker's empty one says that it runs, and has let the lock go
        worker = int("".join(process.stdout.readline().strip() for _ in range(2)))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        try:
            with resumed_run(tmp_path / "run") as partial:
                assert 1 == partial.finished_chains
        finally:
            os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize("begin", [new_run, resumed_run])
def test_a_hidden_folder_of_others_stays(tmp_path, begin):
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine").write_text("mine")
    (tmp_path / ".r.partial").symlink_to(other)
    with pytest.raises(ConfigError, match="a link to"), begin(tmp_path / "r"):
        pass
    assert (other / "mine").is_file()
    (tmp_path / ".r.partial").unlink()
    other.rename(tmp_path / ".r.partial")
    with pytest.raises(ConfigError, match="not one that a run wrote: mine"), begin(tmp_path / "r"):
        pass
    assert (tmp_path / ".r.partial" / "mine").is_file()
