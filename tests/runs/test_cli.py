"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import bayes_glmm as bg
from bayes_glmm.datasets import clinics
from bayes_glmm.errors import SamplingError
from bayes_glmm.inference import ENGINES
from bayes_glmm.runs.cli import app

CONFIG = """\
data: {dataset: clinics}
model:
  formula: p(favourable, n) ~ treatment + (1 | clinic)
  family: binomial
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "trial.yaml"
    path.write_text(CONFIG)
    return path


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_help_lists_the_commands_and_imports_no_sampler():
    code = (
        "import sys; from typer.testing import CliRunner; from bayes_glmm.runs.cli import app\n"
        "result = CliRunner().invoke(app, ['--help']); print(result.output)\n"
        "heavy = {'pymc', 'pytensor', 'nutpie', 'arviz', 'matplotlib'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for command in ("run", "sweep", "resume", "check", "report", "compare", "data"):
        assert f" {command} " in output
    assert "heavy: []" in output


def test_version():
    result = invoke("--version")
    assert (result.exit_code, result.stdout.strip()) == (0, f"bayes-glmm {bg.__version__}")


def test_check_prints_equations_and_priors(config):
    result = invoke("check", config)
    assert result.exit_code == 0
    assert "logit(μ_i)" in result.stdout
    assert "beta[treatment[drug]]" in result.stdout
    assert "The config is valid." in result.stdout


def test_what_is_wrong_goes_to_stderr_without_a_traceback(config):
    config.write_text(CONFIG.replace("treatment", "treatmant"))
    for command in ("check", "run"):
        result = invoke(command, config)
        assert result.exit_code == 2
        assert "line 3" in result.stderr
        assert "Did you mean 'treatment'" in result.stderr
        assert result.stdout == ""
        assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "arguments", [["run", "no.yaml"], ["report", "."], ["data", "clinic"], ["frobnicate"], ["run"]]
)
def test_wrong_use_exits_with_2(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke(*arguments).exit_code == 2


def test_draws_that_cannot_be_used_exit_with_1_and_say_so(config, tmp_path):
    result = invoke("run", config, "--draws", 10, "--tune", 10, "--chains", 2, "--seed", 1, "-o", tmp_path / "run")
    assert result.exit_code == 1, result.output
    assert "Verdict: do not use" in result.stdout
    assert "conditional" in result.stdout
    assert "population-averaged" in result.stdout
    assert str(tmp_path / "run" / "report.html") in result.stdout.replace("\n", "")
    again = invoke("run", config, "-o", tmp_path / "run")
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr


def test_data_prints_a_csv_that_reads_back(tmp_path):
    result = invoke("data", "clinics")
    expected = clinics().astype({"treatment": str})
    pd.testing.assert_frame_equal(pd.read_csv(StringIO(result.stdout)), expected, check_dtype=False)
    assert invoke("data", "clinics", "--output", tmp_path / "c.csv").exit_code == 0
    assert (tmp_path / "c.csv").read_text() == result.stdout
    assert "Eight" not in invoke("data").stdout
    assert "abortion" in invoke("data").stdout


def test_a_file_in_place_of_the_config_data(config, tmp_path):
    clinics().head(10).to_csv(tmp_path / "mine.csv", index=False)
    result = invoke("check", config, "--data", tmp_path / "mine.csv")
    assert result.exit_code == 0, result.output
    assert "10 rows" in result.stdout


def test_a_reader_that_has_had_enough_is_no_error():
    command = f"{Path(sys.executable).parent / 'bayes-glmm'} data abortion | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout == "person,gender,situation,response\n"
    assert "Error" not in done.stderr
    assert "Traceback" not in done.stderr


def test_check_says_what_to_know_before_sampling(config, tmp_path):
    assert "Note:" not in invoke("check", config).stdout
    clinics().head(6).to_csv(tmp_path / "few.csv", index=False)
    stdout = invoke("check", config, "--data", tmp_path / "few.csv").stdout
    assert "Note: clinic has 3 levels" in stdout


def test_run_says_it_before_sampling_and_not_to_those_who_want_quiet(config, tmp_path, monkeypatch):
    clinics().head(6).to_csv(tmp_path / "few.csv", index=False)
    few = ["--data", tmp_path / "few.csv", "-o", tmp_path / "run"]

    def draw(*arguments):
        raise SamplingError("Sampling has begun.")

    monkeypatch.setitem(ENGINES, "nutpie", replace(ENGINES["nutpie"], draw=draw))
    told = invoke("run", config, *few).stderr
    note = told.index("Note: clinic has 3 levels")
    assert note < told.index("Sampling has begun.")
    assert "Note:" not in invoke("run", config, "--quiet", *few).stderr
    assert "Note:" not in invoke("run", config, "-o", tmp_path / "run").stderr
