"""The README as its reader uses it: every Python block runs, in one namespace, and the two commands are named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)


def _blocks(language: str) -> list[str]:
    text = README.read_text(encoding="utf-8")
    return [match["code"] for match in FENCE.finditer(text) if match["language"] == language]


@pytest.mark.slow
def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not _blocks("python"):
        pytest.skip("The README has no Python block.")
    import matplotlib

    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)  # reports and runs that a block writes
    text, namespace = README.read_text(encoding="utf-8"), {"__name__": "readme"}
    for block in _blocks("python"):
        line = text[: text.index(block)].count("\n")
        exec(compile("\n" * line + block, str(README), "exec"), namespace)


def test_python_blocks_are_python() -> None:
    for block in _blocks("python"):
        compile(block, str(README), "exec")


def test_the_two_commands_are_named() -> None:
    commands = "\n".join(_blocks("bash") + _blocks("sh") + _blocks("console") + _blocks("shell"))
    assert "uv run bayes-glmm run configs/" in commands, "the main job, on an example"
    assert "uv run pytest" in commands, "the tests"
