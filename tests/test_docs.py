"""The README as its reader uses it: its Python runs, its config holds, its commands and tables are those there are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.families import FAMILIES
from bayes_glmm.runs.cli import app
from bayes_glmm.runs.run import check

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


def test_the_config_holds(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    columns = {"drug": rng.integers(0, 2, 60), "age": rng.normal(50.0, 9.0, 60), "clinic": np.arange(60) % 6}
    data = pd.DataFrame({"cured": rng.integers(0, 5, 60), "treated": 5, **columns})
    data.to_csv(tmp_path / "trial.csv", index=False)
    (block,) = _blocks("yaml")
    (tmp_path / "trial.yaml").write_text(block, encoding="utf-8")
    assert ["drug", "age"] == [effect.compare or effect.slopes for effect in check(tmp_path / "trial.yaml").effects]


def test_the_tables_name_every_family_link_and_command() -> None:
    text = README.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\w.*?) \| (.*) \|$", text, re.MULTILINE))
    named = {name: links for names, links in rows.items() for name in re.sub(r" \(.*?\)", "", names).split(", ")}
    assert {name: ", ".join(family.links) for name, family in FAMILIES.items()} == {
        name: links for name, links in named.items() if name in FAMILIES
    }
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert commands == set(re.findall(r"^\| `bayes-glmm (\w+)", text, re.MULTILINE))
