"""Runs side by side: what stands beside what, and when leave-one-out is refused."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import bayes_glmm as bg
from bayes_glmm.datasets import clinics
from bayes_glmm.diagnostics import loo_by_group, loo_by_row
from bayes_glmm.errors import ConfigError
from bayes_glmm.inference import ENGINES
from bayes_glmm.runs import compare as comparing
from bayes_glmm.runs.cli import app
from bayes_glmm.runs.compare import compare
from bayes_glmm.runs.run import run
from bayes_glmm.runs.show import side_by_side
from bayes_glmm.runs.tables import csv_text
from bayes_glmm.studies import model_comparison
from tests.report.page import check_fragment
from tests.runs.made_up import made_up

CONFIG = """\
data: {{file: {file}, missing: drop}}
model:
  formula: {formula}
  family: {family}
  link: {link}
sampler: {{draws: 200, tune: 20, chains: 2, seed: {seed}, coordinates: plain}}
effects: {effects}
outputs: {{report: false, figures: false}}
"""
DEFAULTS: dict[str, object] = {
    "file": "clinics.csv",
    "formula": "p(favourable, n) ~ treatment + (1 | clinic)",
    "family": "binomial",
    "link": "logit",
    "seed": 1,
    "effects": "[{compare: treatment}]",
}
RUNS: dict[str, dict[str, object]] = {
    "logit": {},
    "probit": {"link": "probit", "seed": 2, "effects": "[{compare: treatment}, {predict: {treatment: [drug]}}]"},
    "other_data": {"file": "other.csv"},
    "fewer_rows": {"formula": "p(favourable, n) ~ treatment + offset(x) + (1 | clinic)"},
    "counts": {"formula": "favourable ~ treatment + (1 | clinic)", "family": "poisson", "link": "log"},
    "log": {"formula": "log(n) ~ treatment + (1 | clinic)", "family": "gaussian", "link": "identity"},
    "ungrouped": {"formula": "p(favourable, n) ~ treatment"},
    "densities": {"formula": "favourable ~ treatment + (1 | clinic)", "family": "gaussian", "link": "identity"},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """Finished runs of made-up draws."""
    folder = tmp_path_factory.mktemp("runs")
    data = clinics().assign(x=[np.nan, *[0.0] * 15])
    data.to_csv(folder / "clinics.csv", index=False)
    data.assign(n=data["n"] + 1).to_csv(folder / "other.csv", index=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(ENGINES, "nutpie", replace(ENGINES["nutpie"], draw=made_up))
        for name, changes in RUNS.items():
            (folder / f"{name}.yaml").write_text(CONFIG.format(**DEFAULTS | changes))
            run(folder / f"{name}.yaml", overrides={"outputs": {"folder": str(folder / "runs" / name)}})
    return {name: folder / "runs" / name for name in RUNS}


def test_verdicts_and_models_stand_side_by_side(runs):
    found = compare([runs["logit"], runs["probit"]]).runs.set_index("run")
    assert ["logit", "probit"] == list(found.index)
    assert "probit link" in str(found.loc["probit", "model"])
    assert {"fit to use", "look", "do not use"} >= set(found["convergence"]) | set(found["predictive"])
    assert [16, 16] == found["rows"].tolist()
    assert ["2 x 200"] * 2 == found["draws"].tolist()


@pytest.mark.parametrize(("unit", "leave_out"), [("row", loo_by_row), ("clinic", loo_by_group)])
def test_leave_one_out_is_that_of_each_run_with_the_paired_standard_error(runs, unit, leave_out):
    comparison = compare([runs["logit"], runs["probit"]])
    assert ["row", "clinic"] == list(comparison.loo)
    found = comparison.loo[unit].set_index("run")
    loo = {name: leave_out(bg.load(runs[name]).posterior) for name in found.index}
    best, other = found.index
    difference = (loo[other].pointwise["elpd"] - loo[best].pointwise["elpd"]).to_numpy()
    assert found.loc[best, "elpd"] > found.loc[other, "elpd"]
    for name in found.index:
        assert found.loc[name, "elpd"] == pytest.approx(loo[name].elpd)
        assert found.loc[name, "k too large"] == len(loo[name].failing)
    assert found.loc[other, "elpd_diff"] == pytest.approx(difference.sum())
    assert found.loc[other, "dse"] == pytest.approx(np.sqrt(len(difference) * difference.var()))
    assert found["weight"].sum() == pytest.approx(1.0)


def test_what_the_draws_cannot_tell_is_said(runs):
    comparison = compare([runs["logit"], runs["probit"]])
    missing = sum(int(table["k too large"].sum()) for table in comparison.loo.values())
    assert missing > 0, "two rows a clinic, u drawn from anywhere"
    assert "not to be trusted" in comparison.loo_note


def test_levels_are_left_out_of_factors_that_all_runs_have_and_that_can_be(runs, monkeypatch):
    assert ["row", "clinic"] == list(compare([runs["logit"], runs["counts"]]).loo)  # two distributions of one count
    assert ["row"] == list(compare([runs["logit"], runs["ungrouped"]]).loo)
    monkeypatch.setattr(model_comparison, "why_not", lambda posterior, block: "The quadrature is off.")
    assert ["row"] == list(compare([runs["logit"], runs["probit"]]).loo)


@pytest.mark.parametrize(
    ("others", "words"),
    [
        (["logit", "other_data"], "logit and other_data have different data"),
        (["logit", "fewer_rows"], "use different rows of the data"),
        (["densities", "log"], r"densities and log: the responses differ: favourable, log\(n\)"),
        (["counts", "densities"], r"one has probabilities, the other densities \(poisson, gaussian\)"),
    ],
)
def test_leave_one_out_of_what_is_not_alike_is_refused_and_effects_are_shown(runs, others, words):
    comparison = compare([runs[name] for name in others])
    assert comparison.loo == {}
    assert comparison.loo_note.startswith("No leave-one-out")
    assert re.search(words, comparison.loo_note)
    assert set(others) <= set(comparison.effects["compare_treatment"].columns)


def test_estimates_stand_side_by_side(runs):
    effects = compare([runs["logit"], runs["probit"]]).effects
    wide = effects["compare_treatment"].set_index(["estimand", "effect"])
    for name in ("logit", "probit"):
        table = pd.read_csv(runs[name] / "tables" / "compare_treatment.csv")
        row = table[(table["estimand"] == "difference") & (table["effect"] == "population-averaged")].iloc[0]
        text = f"{row['estimate']:.3g} [{row['lower']:.3g}, {row['upper']:.3g}]"
        assert text == wide.loc[("difference", "population-averaged"), name]
    assert ["–"] * len(effects["predict"]) == effects["predict"]["logit"].tolist()
    assert "–" not in effects["predict"]["probit"].tolist()
    assert "coefficients: logit on the logit scale, probit on the probit scale" in effects
    assert "summary" not in effects
    same = compare([runs["logit"], runs["fewer_rows"]]).effects
    assert {"conditional", "population-averaged"} == set(same["coefficients"]["effect"])


def test_levels_keep_their_names(tmp_path):
    levels = ["NA", "None", "01", "1", ""]
    table = pd.DataFrame({"level": levels, "effect": "conditional", "estimate": 1.0, "lower": 0.5, "upper": np.nan})
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "means.csv").write_text(csv_text(table))
    found = comparing.Finished("a", tmp_path, {}, {}).tables
    wide = comparing._side_by_side(found)
    assert levels == wide["level"].tolist()
    assert levels == side_by_side(found["means"], ["level"])["level"].tolist()


def test_runs_of_one_name_are_told_apart(runs, tmp_path):
    (tmp_path / "logit").symlink_to(runs["logit"])
    with pytest.raises(ConfigError, match="two different runs"):
        compare([runs["logit"], tmp_path / "logit"])
    with pytest.raises(ConfigError, match="two different runs"):
        compare([runs["logit"]])
    copy = tmp_path / "copies" / "logit"
    copy.parent.mkdir()
    shutil.copytree(runs["logit"], copy)
    assert [str(runs["logit"]), str(copy)] == compare([runs["logit"], copy]).runs["run"].tolist()


def test_a_folder_without_a_run_is_refused(runs, tmp_path):
    with pytest.raises(ConfigError, match="no finished run here"):
        compare([runs["logit"], tmp_path])


class Page(HTMLParser):
    """The cells of the tables, and whatever the page would load."""

    def __init__(self):
        super().__init__()
        self.text, self.loads = [], []

    def handle_data(self, data):
        self.text.append(data.strip())

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.loads += [
            found[key] for key in ("src", "href") if key in found and not found[key].startswith(("#", "data:"))
        ]


def test_the_command_prints_the_comparison_or_writes_a_page(runs, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    folders = [str(runs["logit"]), str(runs["probit"])]
    printed = CliRunner().invoke(app, ["compare", *folders])
    assert (0, "") == (printed.exit_code, printed.stderr)
    for words in (
        "Verdicts",
        "Leave-one-out by row",
        "Leave-one-out by clinic",
        "elpd_diff",
        "Compare treatment",
        "population-averaged",
    ):
        assert words in printed.stdout
    path = tmp_path / "deep" / "out.html"
    written = CliRunner().invoke(app, ["compare", *folders, "--html", str(path)])
    assert (0, f"{path}\n") == (written.exit_code, written.stdout)
    page = Page()
    page.feed(path.read_text())
    assert [] == page.loads
    comparison = compare(folders)
    for table in (comparison.runs, *comparison.effects.values()):
        assert set(table.astype(str).to_numpy().ravel()) <= set(page.text) | {""}
    assert "Comparison of logit, probit" in page.text
    shown = check_fragment(path.read_text())
    labels = [svg["aria-label"] for svg in shown.all("svg")]
    assert len(comparison.loo) == len([label for label in labels if label.startswith("Differences of elpd")])
    table = pd.read_csv(runs["probit"] / "tables" / "compare_treatment.csv")
    estimate = table[(table["estimand"] == "difference") & (table["effect"] == "population-averaged")]["estimate"].iloc[
        0
    ]
    value = f"treatment, drug vs control: probit\npopulation-averaged {estimate:.3g} [".replace("-0", "−0")
    assert any(text.startswith(value) for text in shown.text)
    assert "coefficients" not in comparison.estimates, "on different scales"
    same = compare([runs["logit"], runs["fewer_rows"]])
    assert {"logit", "fewer_rows"} == set(same.estimates["coefficients"]["run"])
