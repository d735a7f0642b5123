"""Every example runs as a person would run it; every worked config holds against its data; the main one runs whole."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bayes_glmm.runs.cli import app
from bayes_glmm.runs.run import check, run

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


def run_example(path: Path, *arguments: str | Path, folder: Path) -> str:
    command = [sys.executable, "-W", "ignore", path, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_are_examples_and_configs():
    assert len(EXAMPLES) >= 8
    assert len(CONFIGS) >= 6


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_asks_a_question(path):
    text = path.read_text(encoding="utf-8")
    question = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]
    assert question.endswith("?")
    assert f"python examples/{path.name}" in text
    assert len(text.splitlines()) < 60


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(path, tmp_path):
    assert run_example(path, "20", folder=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "file"), [("hospital", "hdp.csv"), ("counts", "hdp.csv"), ("sleep_lines", "sleepstudy.csv")]
)
def test_an_example_runs_on_the_published_file(example, file, shared, tmp_path):
    assert run_example(ROOT / "examples" / f"{example}.py", "20", shared / "data" / file, folder=tmp_path)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_holds(path):
    job = check(path)
    assert job.config.title
    assert job.config.effects
    assert path.read_text(encoding="utf-8").startswith("# ")


def test_the_hospital_config_takes_the_published_file(shared):
    result = CliRunner().invoke(
        app, ["check", str(ROOT / "configs" / "hospital.yaml"), "--data", str(shared / "data" / "hdp.csv")]
    )
    assert result.exit_code == 0, result.output
    assert "8525 rows" in result.output


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_runs_to_a_verdict_that_lets_its_draws_be_used(path, tmp_path):
    result = run(path, overrides={"outputs": {"folder": str(tmp_path / "run")}})
    assert result.checks.verdict == "fit to use", str(result.checks)
    assert result.checks["ess_bulk"].value > 400
    assert (result.folder / "report.html").is_file()
