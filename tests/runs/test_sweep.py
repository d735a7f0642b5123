"""Many configs in one sweep: what is refused before it, what becomes of each, and what a second one does."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
from distributed import WorkerPlugin
from typer.testing import CliRunner

import bayes_glmm as bg
from bayes_glmm.datasets import clinics
from bayes_glmm.errors import ConfigError, SamplingError
from bayes_glmm.inference import ENGINES
from bayes_glmm.runs.cli import app
from bayes_glmm.runs.folder import is_run, partial_run
from bayes_glmm.runs.job import prepare
from bayes_glmm.runs.run import run
from bayes_glmm.runs.sweep import FAILED, finish, plan, sweep
from tests.runs.made_up import made_up

CONFIG = """\
data: {file: clinics.csv}
model:
  formula: p(favourable, n) ~ treatment + (1 | clinic)
  family: binomial
sampler: {draws: 50, tune: 20, chains: 2, seed: SEED, coordinates: plain}
effects: [{compare: treatment}]
outputs: {report: false, figures: false}
"""


@pytest.fixture
def configs(tmp_path, monkeypatch) -> list[Path]:
    """Two configs with their data beside them, and an engine that costs nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(ENGINES, "nutpie", replace(ENGINES["nutpie"], draw=made_up))
    clinics().to_csv("clinics.csv", index=False)
    paths = [Path(f"{name}.yaml") for name in ("one", "two")]
    for seed, path in enumerate(paths):
        path.write_text(CONFIG.replace("SEED", str(seed)))
    return paths


@pytest.fixture
def drawn(monkeypatch) -> list[tuple[int, int]]:
    """Seed and number of every chain that is drawn."""
    numbers: list[tuple[int, int]] = []

    def counted(model, settings, chains, keep):
        numbers.extend((settings.seed, chain) for chain in chains)
        made_up(model, settings, chains, keep)

    monkeypatch.setitem(ENGINES, "nutpie", replace(ENGINES["nutpie"], draw=counted))
    return numbers


def stop(monkeypatch, seed, error, action):
    """Do something while the chains of one seed break off after the first."""

    def draw(model, settings, chains, keep):
        made_up(model, settings, list(chains)[:1] if settings.seed == seed else chains, keep)
        if settings.seed == seed:
            raise error

    with monkeypatch.context() as patched:
        patched.setitem(ENGINES, "nutpie", replace(ENGINES["nutpie"], draw=draw))
        return action()


def here(configs, **options):
    return sweep(configs, workers=1, **options)


def begun(name):
    return json.loads(Path(f"runs/{name}/run.json").read_text())["started"]


def test_a_sweep_is_its_runs(configs):
    outcomes = here(configs)
    assert ["config", "verdict", "seconds", "folder", "message"] == list(outcomes.columns)
    assert ["one.yaml", "two.yaml"] == outcomes["config"].tolist()
    assert ["runs/one", "runs/two"] == outcomes["folder"].tolist()
    for name, verdict in zip(["one", "two"], outcomes["verdict"], strict=True):
        assert verdict == json.loads(Path(f"runs/{name}/run.json").read_text())["verdict"]
    assert prepare("runs/two/config.yaml").config.outputs.folder is None  # as the config has it
    run("two.yaml", overrides={"outputs": {"folder": "alone"}})
    xr.testing.assert_identical(bg.load("alone").idata, bg.load("runs/two").idata)


def test_everything_that_is_wrong_is_said_at_once_and_before_anything_is_sampled(configs, drawn):
    Path("one.yaml").write_text(CONFIG.replace("SEED", "1").replace("binomial", "binomail"))
    Path("three.yaml").write_text(CONFIG.replace("SEED", "1").replace("clinics.csv", "clinic.csv"))
    with pytest.raises(ConfigError) as caught:
        here([*configs, "three.yaml", "four.yaml"])
    first, *others = str(caught.value).split("\n")
    assert "3 of 4 configs cannot be run; nothing was sampled." == first
    assert ["one.yaml", "three.yaml", "four.yaml"] == [text.strip().split(":")[0] for text in others]
    for text, words in zip(others, ["binomail", "no such data file", "no such config"], strict=True):
        assert words in text
    assert [] == drawn
    assert not Path("runs").exists()


def test_two_configs_may_not_write_to_one_folder(configs, drawn):
    Path("two.yaml").write_text(CONFIG.replace("SEED", "1").replace("{report", "{folder: ./runs/one, report"))
    with pytest.raises(ConfigError, match=r"two\.yaml: It would write to the folder of one\.yaml\. \[runs/one\]"):
        here(configs)
    assert [] == drawn


def test_a_config_named_twice_is_run_once(configs, drawn):
    assert 1 == len(here(["one.yaml", Path("one.yaml").absolute()]))
    assert [(0, 0), (0, 1)] == drawn


def test_a_run_that_fails_keeps_no_other_from_its_end(configs, monkeypatch, drawn):
    outcomes = stop(monkeypatch, 0, SamplingError("It broke.", advice="Mend it."), lambda: here(configs))
    assert [True, False] == (outcomes["verdict"] == FAILED).tolist()
    assert "It broke. Mend it. 1 finished chain is kept" in outcomes["message"][0]
    assert is_run(Path("runs/two"))
    again = here(configs)
    assert [(0, 1)] == drawn  # of the others nothing, of this one what was missing
    assert FAILED not in set(again["verdict"])


def test_an_error_that_is_no_message_of_ours_is_named(configs, monkeypatch):
    outcomes = stop(monkeypatch, 0, ZeroDivisionError("division by zero"), lambda: here(configs[:1]))
    assert outcomes["message"][0].startswith("ZeroDivisionError: division by zero")


def test_a_sweep_that_is_stopped_goes_on_where_it_was(configs, monkeypatch, drawn):
    with pytest.raises(KeyboardInterrupt) as caught:
        stop(monkeypatch, 0, KeyboardInterrupt(), lambda: here(configs))
    assert "The same sweep again" in " ".join(caught.value.__notes__)
    here(configs)
    assert [(0, 1), (1, 0), (1, 1)] == drawn


def test_finished_runs_are_made_anew_only_if_asked_for(configs, drawn):
    here(configs[:1])
    first = begun("one")
    here(configs[:1])
    assert (first, 2) == (begun("one"), len(drawn))
    here(configs[:1], overwrite=True)
    assert first != begun("one")
    assert 4 == len(drawn)


def test_a_sweep_that_was_stopped_replacing_runs_replaces_those_it_had_begun(configs, monkeypatch, drawn):
    here(configs)
    old = {name: begun(name) for name in ("one", "two")}
    with pytest.raises(KeyboardInterrupt):
        stop(monkeypatch, 0, KeyboardInterrupt(), lambda: here(configs, overwrite=True))
    drawn.clear()
    here(configs)
    assert [(0, 1)] == drawn
    assert (True, False) == (old["one"] != begun("one"), old["two"] != begun("two"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("draws: 50", "draws: 60", r"sampler\.draws: 50 -> 60"),
        ("treatment + ", "", r"model\.formula"),
        ("compare: treatment", "compare: treatment, contrast: pairwise", r"effects\.0\.contrast: None -> 'pairwise'"),
        ("clinics.csv", "other.csv", "the data"),
    ],
)
def test_a_finished_run_of_another_config_is_not_taken_for_this_ones(configs, old, new, words):
    clinics().iloc[::-1].to_csv("other.csv", index=False)
    here(configs[:1])
    text = CONFIG.replace("SEED", "0").replace(old, new)
    configs[0].write_text(text.replace("effects: [{compare: treatment}]\n", "") if new == "" else text)
    with pytest.raises(ConfigError, match=rf"(?s)one\.yaml: .*made from something else: .*{words}.*--overwrite"):
        here(configs[:1])
    assert not plan(configs[:1], overwrite=True)[0].finished


def test_what_changes_no_result_changes_nothing(configs, drawn):
    here(configs)
    Path("data").mkdir()
    Path("clinics.csv").rename("data/clinics.csv")
    for seed, config in enumerate(configs):
        text = CONFIG.replace("SEED", f"{seed}, cores: 1").replace("clinics.csv", "data/clinics.csv")
        config.write_text(text.replace("outputs: {", f"outputs: {{folder: {Path.cwd()}/runs/{config.stem}, ") + "# !\n")
    here(configs)
    assert 4 == len(drawn)


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_a_worker_had_made_before_it_died_is_not_made_again(configs, drawn, overwrite):
    if overwrite:
        run("one.yaml")
    (entry,) = plan(configs[:1], overwrite)
    finish(entry, cores=1)  # done; then the worker dies before it says so, and another has the same entry
    made = begun("one")
    finish(entry, cores=1)
    assert made == begun("one")


def test_what_a_worker_had_begun_before_it_died_is_resumed_also_where_an_older_one_is_replaced(
    configs, drawn, monkeypatch
):
    with pytest.raises(KeyboardInterrupt):
        stop(monkeypatch, 0, KeyboardInterrupt(), lambda: run("one.yaml"))
    (entry,) = plan(configs[:1], overwrite=True)
    older = partial_run("runs/one").start.read_text()
    with pytest.raises(KeyboardInterrupt):
        stop(monkeypatch, 0, KeyboardInterrupt(), lambda: finish(entry, cores=1))
    assert older != partial_run("runs/one").start.read_text()
    finish(entry, cores=1)
    assert [(0, 1)] == drawn


def test_cores_are_those_of_the_config_or_the_share_of_a_run(configs):
    configs[1].write_text(CONFIG.replace("SEED", "1, cores: 3"))
    for entry in plan(configs[:2]):
        finish(entry, cores=2)
    records = [json.loads(Path(f"runs/{name}/run.json").read_text()) for name in ("one", "two")]
    assert [2, 3] == [record["sampling"]["settings"]["cores"] for record in records]


class DiesAfterAChain(WorkerPlugin):
    """Workers have an engine that costs nothing; the first to finish a chain of seed 1 is killed."""

    name = "dies-after-a-chain"

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def setup(self, worker):
        ENGINES["nutpie"] = replace(ENGINES["nutpie"], draw=partial(dies_after_a_chain, self.marker))

    def teardown(self, worker):
        from bayes_glmm.inference.engines.nutpie import sample_nutpie

        ENGINES["nutpie"] = replace(ENGINES["nutpie"], draw=sample_nutpie)


def dies_after_a_chain(marker, model, settings, chains, keep):
    for chain in chains:
        made_up(model, settings, [chain], keep)
        if settings.seed == 1 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_killed_in_a_run_loses_none_of_its_finished_chains(configs, client, tmp_path):
    client.register_plugin(DiesAfterAChain(tmp_path / "killed"))
    try:
        outcomes = sweep(configs, address=client.scheduler.address)
    finally:
        client.unregister_worker_plugin(DiesAfterAChain.name)
    assert (tmp_path / "killed").exists()
    assert ["", ""] == outcomes["message"].tolist()
    records = [json.loads(Path(f"runs/{name}/run.json").read_text()) for name in ("one", "two")]
    assert [None, 1] == [record.get("resumed", {}).get("chains_kept") for record in records]
    assert [1, 1] == [record["sampling"]["settings"]["cores"] for record in records]
    assert {"one", "two"} == {path.name for path in Path("runs").iterdir()}
    there = tmp_path / "runs" / "two"  # the workers have another working directory
    assert there == prepare(there / "config.yaml").folder
    run("two.yaml", overrides={"outputs": {"folder": "alone"}})
    xr.testing.assert_identical(bg.load("alone").idata, bg.load("runs/two").idata)


@pytest.mark.slow
def test_configs_sampled_in_processes_are_those_sampled_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = CONFIG.replace("file: clinics.csv", "dataset: clinics").replace(", coordinates: plain", "")
    for seed in (1, 2):
        Path(f"{seed}.yaml").write_text(text.replace("SEED", str(seed)))
    outcomes = sweep(["1.yaml", "2.yaml"], workers=2)
    assert ["", ""] == outcomes["message"].tolist()
    run("2.yaml", overrides={"outputs": {"folder": "alone"}})
    alone, swept = bg.load("alone"), bg.load("runs/2")
    xr.testing.assert_identical(alone.idata["posterior"].to_dataset(), swept.idata["posterior"].to_dataset())


def invoke(*arguments):
    return CliRunner().invoke(app, ["sweep", "--workers", "1", *map(str, arguments)])


def test_the_command_shows_a_line_and_a_table_and_writes_it(configs):
    result = invoke(*configs)
    assert "2 finished" in result.stderr
    for name in ("one", "two"):
        assert f"{name}.yaml" in result.stdout
        assert f"runs/{name}" in result.stdout
    assert "runs/sweep.csv" in result.stdout
    table = pd.read_csv("runs/sweep.csv")
    assert ["runs/one", "runs/two"] == table["folder"].tolist()
    again = invoke(*configs, "--quiet", "--table", "elsewhere/all.csv")
    assert "" == again.stderr
    assert [f"{row.verdict}: {row.folder}" for row in table.itertuples()] == again.stdout.split("\n")[:-1]
    assert Path("elsewhere/all.csv").is_file()


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        (["fit to use", "look"], 0),
        (["look", "do not use"], 1),
        (["do not use", FAILED], 2),
    ],
)
def test_the_exit_code_is_that_of_the_worst_run(configs, monkeypatch, verdicts, code):
    rows = [
        {"config": "a.yaml", "verdict": verdict, "seconds": 1.0, "folder": "runs/a", "message": ""}
        for verdict in verdicts
    ]
    monkeypatch.setattr("bayes_glmm.runs.sweep.sweep", lambda *arguments, **options: pd.DataFrame(rows))
    assert code == invoke("a.yaml").exit_code


def test_what_is_wrong_is_said_by_the_command_with_its_code(configs):
    Path("two.yaml").write_text("data: 1")
    result = invoke(*configs)
    assert 2 == result.exit_code
    assert "Error: 1 of 2 configs cannot be run" in result.stderr


def test_without_dask_one_config_after_the_other_can_be_run(configs, monkeypatch):
    monkeypatch.setattr("bayes_glmm.workers.clusters.find_spec", lambda name: None)
    several = CliRunner().invoke(app, ["sweep", *map(str, configs), "--workers", "2"])
    assert 2 == several.exit_code
    assert "Install bayes-glmm[dask]" in several.stderr
    assert FAILED not in invoke(*configs).stdout
