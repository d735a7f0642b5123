"""Runs that are stopped, at any step and in any way, and what becomes of them; with draws that cost nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import bayes_glmm as bg
from bayes_glmm.datasets import clinics
from bayes_glmm.errors import ConfigError
from bayes_glmm.inference import ENGINES
from bayes_glmm.runs import folder as folder_module
from bayes_glmm.runs import resume as resume_module
from bayes_glmm.runs import run as run_module
from bayes_glmm.runs.cli import app
from bayes_glmm.runs.folder import is_run, partial_run
from bayes_glmm.runs.job import prepare
from bayes_glmm.runs.run import resume, run
from tests.runs.made_up import made_up

CONFIG = """\
data: {file: clinics.csv}
model:
  formula: p(favourable, n) ~ treatment + (1 | clinic)
  family: binomial
sampler: {draws: 100, tune: 20, chains: 3, seed: 4, coordinates: plain}
effects: [{compare: treatment}]
outputs: {report: false, figures: false}
"""


@pytest.fixture
def config(tmp_path, monkeypatch) -> Path:
    """A config with its data beside it, and an engine that costs nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(ENGINES, "nutpie", replace(ENGINES["nutpie"], draw=made_up))
    clinics().to_csv("clinics.csv", index=False)
    Path("trial.yaml").write_text(CONFIG)
    return Path("trial.yaml")


def stop_after(chains, error=KeyboardInterrupt):
    """An engine that breaks down after some chains."""

    def draw(model, settings, missing, keep):
        made_up(model, settings, list(missing)[:chains], keep)
        raise error

    return replace(ENGINES["nutpie"], draw=draw)


def interrupt(monkeypatch, config, **options):
    """A run that is stopped with two chains finished."""
    with monkeypatch.context() as patched:
        patched.setitem(ENGINES, "nutpie", stop_after(2))
        with pytest.raises(KeyboardInterrupt):
            run(config, **options)


@pytest.fixture
def stopped(config, monkeypatch) -> Path:
    """The same, after a run of it was stopped with two chains finished."""
    interrupt(monkeypatch, config)
    assert 2 == partial_run("runs/trial").finished_chains
    return config


def files(folder):
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


def assert_same_run(folder, expected):
    assert files(expected) == files(folder)
    xr.testing.assert_identical(bg.load(expected).idata, bg.load(folder).idata)
    for name in files(expected):
        if name.startswith("tables/"):
            assert (Path(expected) / name).read_bytes() == (Path(folder) / name).read_bytes()


def test_a_resumed_run_is_that_of_an_uninterrupted_one(stopped, monkeypatch):
    drawn = []

    def counted(model, settings, chains, keep):
        drawn.extend(chains)
        made_up(model, settings, chains, keep)

    monkeypatch.setitem(ENGINES, "nutpie", replace(ENGINES["nutpie"], draw=counted))
    result = resume("runs/trial")
    assert [2] == drawn
    assert Path("runs/trial") == result.folder
    assert [Path("runs/trial")] == list(Path("runs").iterdir())
    run("trial.yaml", overrides={"outputs": {"folder": "runs/whole"}})
    assert_same_run("runs/trial", "runs/whole")
    record = json.loads(Path("runs/trial/run.json").read_text())
    assert 2 == record["resumed"]["chains_kept"]
    assert "resumed" not in json.loads(Path("runs/whole/run.json").read_text())
    assert prepare("runs/trial/config.yaml").config.data.file == "../../clinics.csv"


def test_the_command_line_says_how_to_go_on(config, monkeypatch):
    monkeypatch.setitem(ENGINES, "nutpie", stop_after(1))
    result = CliRunner().invoke(app, ["run", "trial.yaml"])
    how = "1 finished chain is kept: 'bayes-glmm resume runs/trial' goes on from there."
    assert (130, f"Interrupted. {how}\n") == (result.exit_code, result.stderr)
    again = CliRunner().invoke(app, ["run", "trial.yaml"])
    assert 2 == again.exit_code
    assert how in again.stderr
    monkeypatch.setitem(ENGINES, "nutpie", replace(ENGINES["nutpie"], draw=made_up))
    finished = CliRunner().invoke(app, ["resume", "runs/trial", "--quiet"])
    assert "runs/trial" in finished.stdout
    assert is_run(Path("runs/trial"))


def test_overwriting_discards_an_unfinished_run(stopped):
    run(stopped, overwrite=True)
    assert [Path("runs/trial")] == list(Path("runs").iterdir())
    assert "resumed" not in json.loads(Path("runs/trial/run.json").read_text())


def test_a_run_that_replaces_another_still_does_when_resumed(config, monkeypatch):
    run(config)
    before = Path("runs/trial/run.json").read_text()
    interrupt(monkeypatch, config, overwrite=True, overrides={"sampler": {"seed": 5}})
    assert before == Path("runs/trial/run.json").read_text()
    resume("runs/trial")
    assert 5 == json.loads(Path("runs/trial/run.json").read_text())["sampling"]["settings"]["seed"]


def test_changed_data_are_refused_and_nothing_is_lost(stopped):
    data = clinics()
    data.assign(favourable=data["favourable"] * 0).to_csv("clinics.csv", index=False)
    with pytest.raises(
        ConfigError, match=r"data have changed since the start: clinics\.csv.*Put them back.*--overwrite"
    ):
        resume("runs/trial")
    Path("clinics.csv").unlink()
    with pytest.raises(ConfigError, match="no such data file"):
        resume("runs/trial")
    data.to_csv("clinics.csv", index=False)
    resume("runs/trial")
    assert is_run(Path("runs/trial"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("draws: 100", "draws: 50", r"trial\.yaml has changed since the start: sampler\.draws: 100 -> 50"),
        ("~ treatment", "~ 1", r"model\.formula.*effects"),
        ("seed: 4", "sead: 4", "is wrong now: 'sampler' has no key 'sead'"),
    ],
)
def test_a_changed_config_is_refused_and_nothing_is_lost(stopped, old, new, words):
    changed = CONFIG.replace("effects: [{compare: treatment}]\n", "") if "treatment" in old else CONFIG
    stopped.write_text(changed.replace(old, new))
    with pytest.raises(ConfigError, match=f"(?s){words}.*Undo the change.*--overwrite"):
        resume("runs/trial")
    stopped.write_text(CONFIG + "# a comment changes nothing\n")
    resume("runs/trial")
    assert is_run(Path("runs/trial"))


def test_a_config_that_is_gone_is_not_needed(stopped):
    stopped.unlink()
    resume("runs/trial")
    assert is_run(Path("runs/trial"))


def test_options_of_the_command_line_are_part_of_the_config(config, monkeypatch):
    overrides = {"sampler": {"seed": 8}, "outputs": {"folder": "elsewhere/run"}}
    interrupt(monkeypatch, config, overrides=overrides)
    monkeypatch.chdir("elsewhere")  # a run is found from anywhere
    assert 8 == resume("run").posterior.provenance["settings"]["seed"]


def test_another_version_of_this_package_is_refused(stopped, monkeypatch):
    other = resume_module.versions() | {"bayes-glmm": "9.0"}
    with monkeypatch.context() as patched:
        patched.setattr(resume_module, "versions", lambda: other)
        with pytest.raises(ConfigError, match=rf"another version.*{bg.__version__} -> 9\.0.*Install that version"):
            resume("runs/trial")
    resume("runs/trial")


def test_another_machine_is_told(stopped, monkeypatch, caplog):
    other = resume_module.machine() | {"cpu": "x86_64 another"}
    monkeypatch.setattr(resume_module, "machine", lambda: other)
    resume("runs/trial")
    assert "another machine than at the start: cpu" in caplog.text
    assert "not the same to the bit" in caplog.text


def test_other_versions_of_other_packages_are_told(stopped, monkeypatch, caplog):
    other = resume_module.versions() | {"nutpie": "9.0"}
    monkeypatch.setattr(resume_module, "versions", lambda: other)
    resume("runs/trial")
    assert "other versions than at the start: nutpie" in caplog.text
    began = json.loads(Path("runs/trial/run.json").read_text())["resumed"]["versions_at_start"]
    assert began["nutpie"] != "9.0"


def test_a_config_that_now_gives_another_model_is_refused(stopped):
    model = partial_run("runs/trial").path / "model.txt"
    model.write_text(model.read_text().replace("Normal", "Cauchy"))
    with pytest.raises(ConfigError, match=r"now gives another model.*no package has changed"):
        resume("runs/trial")


@pytest.mark.parametrize("text", ['{"format": 99}', "{", "[]"])
def test_a_start_of_another_format_is_refused(stopped, text):
    partial_run("runs/trial").start.write_text(text)
    with pytest.raises(ConfigError, match=r"does not know what was begun.*--overwrite"):
        resume("runs/trial")


@pytest.mark.parametrize("step", ["start", "posterior", "tables", "diagnostics", "record", "place"])
def test_a_full_disk_loses_no_finished_chain(config, monkeypatch, step):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere")

    def full_at(name):
        write = run_module.write_file
        return lambda path, content: full() if path.name == name else write(path, content)

    where, name, broken = {
        "start": (resume_module, "write_file", full),
        "posterior": (bg.posterior, "write_tree", full),
        "tables": (pd.DataFrame, "to_csv", full),
        "diagnostics": (run_module, "write_file", full_at("diagnostics.json")),
        "record": (run_module, "write_file", full_at("run.json")),
        "place": (folder_module, "place", full),
    }[step]
    with monkeypatch.context() as patched:
        patched.setattr(where, name, broken)
        result = CliRunner().invoke(app, ["run", str(config)])
    assert 2 == result.exit_code
    assert "cannot be written: No space left on device. [somewhere] Make room on the disk." in result.stderr
    if step == "start":
        assert [] == list(Path("runs").iterdir())
    else:
        assert "'bayes-glmm resume runs/trial'" in result.stderr
        monkeypatch.setitem(ENGINES, "nutpie", stop_after(0, AssertionError))  # nothing is drawn again
        resume("runs/trial")
        assert [Path("runs/trial")] == list(Path("runs").iterdir())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None, reason="There is no unshare to mount a small disk with.")
@pytest.mark.parametrize("size", ["16k", "64k", "140k"])
def test_a_disk_that_is_really_full(config, tmp_path, size):
    code = (
        "import sys; from dataclasses import replace; from bayes_glmm.inference import ENGINES\n"
        "from bayes_glmm.runs.cli import app; from tests.runs.made_up import made_up\n"
        "ENGINES['nutpie'] = replace(ENGINES['nutpie'], draw=made_up); app()"
    )
    script = f"mount -t tmpfs -o size={size} none runs || exit 77; \"$0\" -c '{code}' run trial.yaml; ls -A runs >&2"
    script = script.replace("'nutpie'", '"nutpie"')
    Path("runs").mkdir()
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, sys.executable]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    if ended.returncode == 77 or "unshare" in ended.stderr:
        pytest.skip("No small disk can be mounted here.")
    assert "Error: The run cannot be written: No space left on device." in ended.stderr
    assert "Traceback" not in ended.stderr
    left = ended.stderr.splitlines()[-1]
    assert (left == ".trial.partial") == ("resume runs/trial" in ended.stderr)


def test_a_folder_that_cannot_be_written_is_said(stopped, monkeypatch):
    def read_only(*arguments, **options):
        raise OSError(errno.EROFS, "Read-only file system", "runs")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", read_only)
        with pytest.raises(ConfigError, match=r"output folder cannot be made.*Read-only"):
            run(stopped, overrides={"outputs": {"folder": "other"}})
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", read_only)
        with pytest.raises(ConfigError, match=r"Read-only file system.*can be written\. 2 finished chains are kept"):
            resume("runs/trial")
    resume("runs/trial")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork.")
@pytest.mark.parametrize("overwrite", [False, True], ids=["new", "replaced"])
def test_a_run_killed_at_every_step_is_whole_or_can_be_resumed(config, monkeypatch, overwrite):
    job, table = prepare(config), pd.DataFrame({"estimate": [1.0]})
    for module, name, quick in [  # what only takes time
        (run_module, "prepare", lambda *arguments: job),
        (resume_module, "prepare", lambda *arguments: job),
        (run_module, "check_posterior", lambda *arguments: bg.diagnostics.Checks(())),
        (run_module, "result_tables", lambda *arguments: {"coefficients": table}),
        (run_module, "answers_of", lambda *arguments: {}),
    ]:
        monkeypatch.setattr(module, name, quick)
    left, reference = Path("runs/trial"), run(config).folder.rename("reference")
    mark = Path("tables/coefficients.csv")
    seen = []
    for step in range(1, 500):
        if overwrite:
            shutil.copytree(reference, left)
            (left / mark).write_text("old")
        if not killed_at(step, lambda: run(config, overwrite)):
            break
        assert not left.exists() or files(reference) == files(left)
        if partial_run(left).resumable:
            seen.append("resumable")
            resume(left)
        elif left.exists() and (left / mark).read_text() != "old":
            seen.append("whole")
        else:
            seen.append("not begun")
            run(config, overwrite)
        assert files(reference) == files(left)
        assert (reference / mark).read_bytes() == (left / mark).read_bytes()
        draws = [xr.load_datatree(folder / "posterior" / "draws.nc", engine="h5netcdf") for folder in (reference, left)]
        xr.testing.assert_identical(*draws)
        shutil.rmtree("runs")
    assert sorted(seen, key=["not begun", "resumable", "whole"].index) == seen
    assert len(seen) > 40  # so many things are done to the disk
    assert {"not begun", "resumable", "whole"} == set(seen)


def killed_at(step, function):
    """Run a function in a fork that is killed just before it does something to the disk for the n-th time."""
    with warnings.catch_warnings():
        # forks of processes with threads, of which the child uses none: Python warns, and JAX where a test imported it
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
        child = os.fork()
    if child == 0:
        count = 0

        def hook(event, arguments):
            nonlocal count
            writes = event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "ctypes.call_function")
            if writes or (
                event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            ):
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            function()
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "coordinates"), [("nutpie", "integrated"), ("nutpie", "plain"), ("pymc", "plain")])
def test_a_real_run_killed_while_it_samples_gives_the_same_posterior(tmp_path, monkeypatch, engine, coordinates):
    monkeypatch.chdir(tmp_path)
    Path("trial.yaml").write_text(
        CONFIG.replace("{file: clinics.csv}", "{dataset: clinics}").replace("plain", f"{coordinates}, cores: 1")
    )
    command = [Path(sys.executable).parent / "bayes-glmm", "run", "trial.yaml", "-q", "--engine", engine]
    command += ["--draws", "3000", "--chains", "3"]
    partial = partial_run("runs/trial")
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while partial.finished_chains < 1:
            assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
    assert not Path("runs/trial").exists()
    kept = {path.name: path.read_bytes() for path in partial.chains.glob("[0-9]*.nc")}
    assert 1 <= len(kept) < 3
    overrides = {"sampler": {"engine": engine, "draws": 3000}, "outputs": {"folder": "runs/whole"}}
    resumed, whole = resume("runs/trial").posterior, run("trial.yaml", overrides=overrides).posterior
    xr.testing.assert_identical(whole.draws["posterior"], resumed.draws["posterior"])
    assert len(kept) == json.loads(Path("runs/trial/run.json").read_text())["resumed"]["chains_kept"]
