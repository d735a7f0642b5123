"""Files and folders are there and whole, or not there, whatever step the writing ends at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bayes_glmm import files
from bayes_glmm.files import place, whole_folder, write_file


def fill(folder: Path, text: str) -> None:
    with whole_folder(folder) as partial:
        for name in ("a", "b"):
            (partial / name).write_text(text)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    for text in ("first", "sécond"):
        write_file(tmp_path / "file", text)
        assert {"file": text} == contents(tmp_path)
    write_file(tmp_path / "file", memoryview(b"third"))
    assert {"file": "third"} == contents(tmp_path)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch, step: str) -> None:
    write_file(tmp_path / "file", "old")

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if step == "fsync" else Path, step, full)
    with pytest.raises(OSError, match="No space left"):
        write_file(tmp_path / "file", "new")
    assert {"file": "old"} == contents(tmp_path)


@pytest.mark.parametrize("swap", [True, False], ids=["swapped", "renamed"])
def test_a_folder_appears_and_is_replaced_whole(tmp_path: Path, monkeypatch, swap: bool) -> None:
    if not swap:
        monkeypatch.setattr(files, "_swap", lambda *folders: False)
    folder = tmp_path / "deep" / "folder"
    for text in ("first", "second"):
        fill(folder, text)
        assert {"a": text, "b": text} == contents(folder)
        assert [folder] == list(folder.parent.iterdir())


def test_a_folder_whose_writing_fails_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    fill(folder, "old")

    def fails() -> None:
        with whole_folder(folder) as partial:
            (partial / "a").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert {"a": "old", "b": "old"} == contents(folder)
    assert [folder] == list(tmp_path.iterdir())


def test_without_a_swap_the_old_folder_comes_back_when_the_new_one_cannot_be_placed(
    tmp_path: Path, monkeypatch
) -> None:
    folder, source = tmp_path / "folder", tmp_path / "source"
    fill(folder, "old")
    fill(source, "new")
    rename = Path.rename

    def once(self: Path, target: Path) -> Path:
        if self == source:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(files, "_swap", lambda *folders: False)
    monkeypatch.setattr(Path, "rename", once)
    with pytest.raises(OSError, match="Input/output"):
        place(source, folder)
    assert {"a": "old", "b": "old"} == contents(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux swaps two folders in one step.")
def test_a_folder_replaced_over_and_over_is_whole_whenever_the_process_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from bayes_glmm.files import whole_folder\n"
        "for i in range(10**6):\n"
        "    with whole_folder(Path(sys.argv[1])) as partial:\n"
        "        [(partial / name).write_text(str(i)) for name in 'ab']\n"
        "    print('written', flush=True)"
    )
    folder = tmp_path / "folder"
    with subprocess.Popen([sys.executable, "-c", code, folder], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(50):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    found = contents(folder)
    assert {"a", "b"} == set(found)
    assert found["a"] == found["b"]
