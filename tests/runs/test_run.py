"""One small real run, looked at from all sides; and what happens when a run cannot be or is cut short."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markupsafe import escape
from rich.console import Console
from typer.testing import CliRunner

import bayes_glmm as bg
from bayes_glmm.datasets import clinics
from bayes_glmm.diagnostics import Checks
from bayes_glmm.effects import predict
from bayes_glmm.errors import ConfigError, DataError
from bayes_glmm.report import Answer
from bayes_glmm.report.html import number
from bayes_glmm.runs import run as run_module
from bayes_glmm.runs.answers import question as question_of
from bayes_glmm.runs.cli import app
from bayes_glmm.runs.config import read_config
from bayes_glmm.runs.job import prepare
from bayes_glmm.runs.run import data, rebuild_report, run
from bayes_glmm.runs.schema import EffectSection
from bayes_glmm.runs.show import show_result
from tests.report.page import case

CONFIG = """\
title: A trial of a drug
data:
  file: clinics.csv
  categories: {treatment: [control, drug]}
model:
  formula: p(favourable, n) ~ treatment + (1 | clinic)
  family: binomial
sampler: {draws: 300, tune: 300, chains: 2, seed: 4}
effects:
  - question: How much does control lose?
    compare: treatment
    contrast: [drug, control]
  - compare: treatment
    contrast: pairwise
    random_effects: integrated
  - predict: {treatment: [control, drug]}
outputs:
  log_likelihood: true
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A config with its data beside it."""
    folder = tmp_path_factory.mktemp("config")
    (folder / "trial.yaml").write_text(CONFIG)
    clinics().to_csv(folder / "clinics.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def finished(folder):
    return run(folder / "trial.yaml", overrides={"outputs": {"folder": str(folder / "runs" / "trial")}})


def test_a_run_writes_all_that_it_promises(finished):
    written = {path.relative_to(finished.folder).as_posix() for path in finished.folder.rglob("*") if path.is_file()}
    tables = {f"tables/{name}.csv" for name in finished.tables}
    posterior = {f"posterior/{name}" for name in ("draws.nc", "data.parquet", "model.json")}
    files = {"config.yaml", "model.txt", "diagnostics.json", "report.html", "run.json"}
    assert written - {path for path in written if path.startswith("figures/")} == tables | posterior | files
    assert any(path.startswith("figures/") and path.endswith(".svg") for path in written)
    expected = {"summary", "coefficients", "marginal_coefficients", "variance"}
    assert set(finished.tables) == expected | {"compare_treatment", "compare_treatment_2", "predict"}


def test_the_summary_names_its_parameters(finished):
    table = pd.read_csv(finished.folder / "tables" / "summary.csv")
    assert "beta[Intercept]" == table["parameter"].iloc[0]
    assert "rhat" in table.columns


def test_tables_agree_with_the_posterior(finished):
    draws = finished.posterior.beta[:, 1]
    table = pd.read_csv(finished.folder / "tables" / "coefficients.csv").set_index("coefficient")
    assert table.loc["treatment[drug]", "estimate"] == pytest.approx(np.median(draws))
    compared = pd.read_csv(finished.folder / "tables" / "compare_treatment.csv")
    difference = compared.query("estimand == 'difference' and effect == 'population-averaged'")
    assert "control vs drug" == difference["contrast"].item()
    predicted = pd.read_csv(finished.folder / "tables" / "predict.csv").query("effect == 'population-averaged'")
    shares = predict(finished.posterior, predicted[["treatment"]], "integrated").draws.to_numpy().reshape(-1, 2)
    np.testing.assert_allclose(predicted["estimate"], np.median(shares, axis=0))
    drug, control = (shares[:, predicted["treatment"].tolist().index(name)] for name in ("drug", "control"))
    assert difference["estimate"].item() == pytest.approx(np.median(control - drug))


def test_the_record_says_what_was_done(finished, folder):
    record = json.loads((finished.folder / "run.json").read_text())
    assert record["verdict"] == finished.checks.verdict
    assert record["sampling"]["settings"]["seed"] == 4
    assert record["seconds"] >= record["sampling"]["seconds"] > 0
    assert record["sampling"]["versions"]["bayes-glmm"] == bg.__version__
    digest = subprocess.run(["sha256sum", folder / "clinics.csv"], capture_output=True, text=True, check=True)
    assert record["data"] == {"source": "clinics.csv", "sha256": digest.stdout.split()[0], "rows": 16}
    diagnostics = json.loads((finished.folder / "diagnostics.json").read_text())
    assert diagnostics["convergence"]["verdict"] == finished.checks.verdict
    assert diagnostics["predictive"]["verdict"] == finished.predictive.verdict
    assert len(diagnostics["predictive"]["checks"]) == len(finished.predictive.checks) > 0


def test_the_posterior_can_be_loaded_and_asked(finished):
    fit = bg.load(finished.folder / "posterior")
    assert fit.posterior.sample_shape == (2, 300)
    again = fit.compare("treatment", contrast=("drug", "control")).table
    pd.testing.assert_frame_equal(again, finished.tables["compare_treatment"])
    assert "log_likelihood" in fit.idata.children


def test_the_written_config_runs_again_from_where_it_stands(finished, folder):
    original, again = prepare(folder / "trial.yaml"), prepare(finished.folder / "config.yaml")
    assert again.config.sampler == original.config.sampler
    assert again.effects == original.effects
    pd.testing.assert_frame_equal(again.data, original.data)


def test_the_report_names_the_run_and_can_be_rebuilt(finished):
    text = finished.report.read_text()
    assert "A trial of a drug" in text
    finished.report.unlink()
    assert rebuild_report(finished.folder) == finished.report
    assert finished.report.read_text() == text
    assert not list(finished.folder.glob("*partial*"))


def test_the_report_answers_the_questions_first_in_the_direction_asked(finished):
    text = finished.report.read_text()
    assert (
        text.index('<section id="verdict"') < text.index('<section id="answers"') < text.index('<section id="curves"')
    )
    assert '<section id="population"' not in text, "the model has no other variable"
    answers = text[text.index('<section id="answers"') : text.index('<section id="curves"')]
    questions = [answer.question for answer in finished.answers.values()]
    assert questions == [
        "How much does control lose?",
        'How does the probability of "favourable" change with treatment?',
        'What is the probability of "favourable" at treatment = control, drug?',
    ]
    places = [answers.index(f"<h3>{escape(question)}</h3>") for question in questions]
    assert places == sorted(places)
    first, second, third = answers[: places[1]], answers[places[1] : places[2]], answers[places[2] :]
    assert "control vs drug" in first
    assert "drug vs control" not in first
    assert "drug vs control" in second
    for part, name in zip((first, second, third), ("compare_treatment", "compare_treatment_2", "predict"), strict=True):
        for values in pd.read_csv(finished.folder / "tables" / f"{name}.csv")[
            ["estimate", "lower", "upper"]
        ].to_numpy():
            assert all(str(number(value)) in part for value in values.tolist())


def test_each_question_is_computed_once(finished):
    for name, answer in finished.answers.items():
        assert answer.estimates.table is finished.tables[name]


def test_questions_are_part_of_the_written_config(finished):
    written = read_config(finished.folder / "config.yaml")[0]
    assert ["How much does control lose?", None, None] == [effect.question for effect in written.effects or ()]


@pytest.mark.parametrize(
    ("keys", "question"),
    [
        ({"compare": "x", "by": ["f"]}, "How does the mean of y change with x, by f?"),
        ({"slopes": "x", "by": ["f", "h"]}, "What is the average slope of the mean of y in x, by f and h?"),
        ({"predict": {"x": [0, 2.5], "f": ["a"]}}, "What is the mean of y at x = 0, 2.5 and f = a?"),
        ({"predict": {"x": [1, 2, 3, 4, 5]}}, "What is the mean of y at 5 values of x?"),
        ({"predict": {}}, "What is the mean of y?"),
        ({"compare": "x", "question": "Why {x}?"}, "Why {x}?"),
    ],
)
def test_questions_without_words_get_them(keys, question):
    assert question_of(case("poisson"), EffectSection(**keys)) == question


def test_a_report_needs_a_finished_run(tmp_path):
    with pytest.raises(ConfigError, match="no finished run"):
        rebuild_report(tmp_path)


def test_what_is_shown_has_both_kinds_of_coefficients_and_a_misfit_where_there_is_one(finished):
    shown = show(finished)
    assert "conditional" in shown
    assert "population-averaged" in shown
    assert "How much does control lose?" in shown
    assert shown.index("How much does control lose?") < shown.index("Coefficients")
    assert "Could the model have made the data?" not in shown
    sd = replace(finished.predictive.checks[0], title="SD of the response", verdict="look", finding="too wide")
    misfit = show(replace(finished, predictive=Checks((sd,))))
    assert "Could the model have made the data?" in misfit
    assert "too wide" in misfit


def test_slopes_are_shown_with_their_readings_side_by_side(finished):
    numbers = {"estimate": [0.25, 0.75], "mcse": 0.01, "lower": [0.1, 0.5], "upper": [0.4, 1.0], "probability": 1.0}
    table = pd.DataFrame({"variable": "dose", "effect": ["population-averaged", "conditional (u = 0)"], **numbers})
    estimates = replace(finished.answers["predict"].estimates, table=table)
    shown = show(replace(finished, answers={"slopes_dose": Answer("How steep?", "dose", estimates)}))
    line = next(line for line in shown.splitlines() if line.startswith("dose"))
    assert line.split("  ")[0] == "dose"
    assert "0.25 [0.1, 0.4]" in line
    assert "0.75 [0.5, 1]" in line


def test_long_answers_are_cut_on_the_screen(finished):
    long = pd.concat([finished.tables["predict"].assign(treatment=f"t{i}") for i in range(40)], ignore_index=True)
    estimates = replace(finished.answers["predict"].estimates, table=long)
    shown = show(replace(finished, answers={"predict": Answer("Where?", "", estimates)}))
    assert "t29" in shown
    assert "t30" not in shown
    assert "The first 30 of 40 rows; tables/predict.csv has all." in shown


def show(result) -> str:
    screen = StringIO()
    show_result(Console(file=screen, width=150), result)
    return screen.getvalue()


def test_a_second_run_is_refused_before_sampling(finished, folder, monkeypatch):
    monkeypatch.setattr(run_module, "sample", lambda *args: pytest.fail("sampled"))
    with pytest.raises(ConfigError, match="--overwrite"):
        run(folder / "trial.yaml", overrides={"outputs": {"folder": str(finished.folder)}})


@pytest.mark.parametrize(("blow", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_nothing(folder, tmp_path, monkeypatch, blow, code):
    monkeypatch.setattr(run_module, "sample", lambda *args: signal.raise_signal(blow))
    result = CliRunner().invoke(app, ["run", str(folder / "trial.yaml"), "--output", str(tmp_path / "run")])
    assert result.exit_code == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_during_sampling_stops_it(folder, tmp_path):
    command = [Path(sys.executable).parent / "bayes-glmm", "run", folder / "trial.yaml", "-q", "-o", tmp_path / "run"]
    with subprocess.Popen([*command, "--draws", "1000000"], stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / ".run.partial" / "start.json").exists():  # the last thing before compiling and sampling
            assert process.poll() is None
            time.sleep(0.1)
        time.sleep(3)  # before the first chain is finished, which would be kept
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert list(tmp_path.iterdir()) == []


def test_data_lists_and_reads():
    assert "abortion" in set(data()["name"])
    assert len(data("clinics")) == 16
    with pytest.raises(DataError, match="Did you mean 'clinics'"):
        data("clinic")
