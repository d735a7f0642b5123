"""Many tasks, here and on a cluster of two processes; whatever becomes of a task or of a worker, the others go on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from distributed import Client

from bayes_glmm.errors import DataError, SamplingError
from bayes_glmm.studies.executor import cluster, run_all


def divided(numerator: float, by: float) -> float:
    return numerator / by


def refused(item: str) -> str:
    if item == "bad":
        raise DataError("It is bad.", "column 'x'", "Use another.")
    return item


def killed_once(folder: Path, item: int) -> int:
    """Item 2 takes its process down the first time it is done."""
    first = folder / f"{item}-began"
    if item == 2 and not first.exists():
        first.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / f"{item}-{os.getpid()}").touch()
    return item**2


def deadly(item: int) -> int:
    if item == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def noted(folder: Path, item: int) -> None:
    (folder / f"{item}").touch()
    time.sleep(0.3)


def waits(folder: Path, item: int) -> int:
    """Leaves a note of its item and process, and ends when the folder says so."""
    (folder / f"{item}-{os.getpid()}").touch()
    wait_for(folder, "go", 1)
    return os.getpid()


def wait_for(folder: Path, pattern: str, count: int) -> list[Path]:
    """The files of a folder, as soon as there are so many."""
    end = time.monotonic() + 60
    while len(found := list(folder.glob(pattern))) < count:
        assert time.monotonic() < end, f"{pattern} is not there"
        time.sleep(0.02)
    return found


@pytest.fixture(params=["here", "on a cluster"])
def place(request: pytest.FixtureRequest) -> Client | None:
    return request.getfixturevalue("client") if request.param == "on a cluster" else None


def test_every_item_has_its_outcome_and_an_error_is_its_items_alone(place):
    outcomes = {o.index: o for o in run_all(partial(divided, 6.0), [1.0, 0.0, 4.0, 3.0], client=place)}
    assert {0, 1, 2, 3} == set(outcomes)
    assert [6.0, 1.5, 2.0] == [outcomes[i].get() for i in (0, 2, 3)]
    assert isinstance(outcomes[1].error, ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        outcomes[1].get()


def test_no_items_are_no_outcomes(place):
    assert [] == list(run_all(abs, [], client=place))


def test_equal_items_are_done_each(place, tmp_path):
    assert 3 == len(list(run_all(partial(killed_once, tmp_path), [5, 5, 5], client=place)))


def test_our_errors_keep_their_parts(place):
    found = [o.error for o in run_all(refused, ["good", "bad"], client=place) if o.error is not None]
    (error,) = found
    assert isinstance(error, DataError)
    assert ("It is bad.", "column 'x'", "Use another.") == (error.what, error.where, error.advice)
    assert "It is bad. [column 'x'] Use another." == str(error)


def test_functions_that_no_module_holds_are_done_too(place):
    assert {7} == {o.get() for o in run_all(lambda item: item + 2, [5], client=place)}


def test_large_data_travel_with_their_task(client):
    text = "x" * 11_000_000  # dask warns from 10 MB on
    assert [len(text)] == [o.get() for o in run_all(partial(len), [text], client=client)]


def test_a_line_tells_what_was_done(place, capsys):
    list(run_all(refused, ["a", "bad", "c"], client=place, progress="letters"))
    assert re.search(r"letters .* 2 finished, 1 failed .*", capsys.readouterr().err)


def test_nothing_is_shown_unless_asked_for(place, capsys):
    list(run_all(abs, [1], client=place))
    assert ("", "") == capsys.readouterr()


def test_a_task_whose_worker_is_killed_is_done_again(client, tmp_path):
    outcomes = list(run_all(partial(killed_once, tmp_path), range(6), client=client))
    assert {0: 0, 1: 1, 2: 4, 3: 9, 4: 16, 5: 25} == {o.index: o.get() for o in outcomes}
    assert (tmp_path / "2-began").exists()  # it was killed
    assert 1 == len([path for path in tmp_path.glob("2-*") if path.name != "2-began"])


def test_a_worker_killed_in_mid_task_is_told_of_and_its_task_done_by_another(client, tmp_path, capsys):
    def kill_the_first() -> int:
        (note,) = wait_for(tmp_path, "0-*", 1)
        process = int(note.name.removeprefix("0-"))
        os.kill(process, signal.SIGKILL)
        wait_for(tmp_path, "0-*", 2)
        (tmp_path / "go").touch()
        return process

    with ThreadPoolExecutor() as beside:
        killing = beside.submit(kill_the_first)
        outcomes = list(run_all(partial(waits, tmp_path), range(2), client=client, progress="tasks"))
    assert {0, 1} == {o.index for o in outcomes}
    assert killing.result() not in {o.get() for o in outcomes}
    assert re.search(r"tasks .* 2 finished; 1 worker lost", capsys.readouterr().err)


def test_a_task_that_kills_every_worker_is_given_up_and_takes_no_other_with_it(client):
    outcomes = {o.index: o for o in run_all(deadly, range(4), client=client)}
    assert [0, 2, 3] == [outcomes[i].get() for i in (0, 2, 3)]
    with pytest.raises(SamplingError, match="Workers die at this task"):
        outcomes[1].get()


def test_a_scheduler_that_dies_is_told_of_and_ends_the_wait(tmp_path):
    code = (
        "import time\nfrom distributed import LocalCluster\n"
        "with LocalCluster(n_workers=1, processes=False, protocol='tcp', dashboard_address=':0') as local:\n"
        "    print(local.scheduler_address, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as scheduler:
        assert scheduler.stdout is not None

        def kill_in_mid_task() -> None:
            wait_for(tmp_path, "0-*", 1)
            scheduler.kill()

        with cluster(scheduler.stdout.readline().strip()) as client, ThreadPoolExecutor() as beside:
            beside.submit(kill_in_mid_task)
            with pytest.raises(SamplingError, match=r"has dropped its tasks: scheduler-connection-lost\. See to"):
                list(run_all(partial(waits, tmp_path), range(2), client=client))


def test_items_that_nobody_waits_for_any_more_are_dropped(place, tmp_path):
    outcomes = run_all(partial(noted, tmp_path), range(9), client=place)
    next(outcomes)
    outcomes.close()
    time.sleep(2.0)  # in which two workers would do them all
    assert 1 <= len(list(tmp_path.iterdir())) <= 5
