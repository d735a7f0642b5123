"""A working directory full of modules named like those that are imported: none of them runs, in no process."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import bayes_glmm as bg
from bayes_glmm.inference.densities import compilation
from bayes_glmm.inference.densities.callbacks import Part
from bayes_glmm.processes import isolated_command, safe_path
from bayes_glmm.workers import cluster
from tests.hostile.cases import frame

NAMES = (
    *("bayes_glmm", "numba", "numpy", "pandas", "scipy", "pymc", "pytensor", "nutpie", "typer", "rich", "yaml"),
    *("xarray", "h5py", "dask", "distributed", "cloudpickle", "sitecustomize", "usercustomize", "json", "pickle"),
    *("socket", "struct", "random", "queue", "signal", "selectors", "tempfile", "multiprocessing", "threading"),
    *("importlib", "contextlib", "typing", "collections", "argparse", "platform", "encodings"),
)
SITE = Path(sys.executable).parent


@pytest.fixture
def trapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of traps, and the file that they would write."""
    sprung, here = tmp_path / "sprung", tmp_path / "here"
    here.mkdir()
    for name in NAMES:
        (here / f"{name}.py").write_text(f"open({str(sprung)!r}, 'a').write('{name} ')\nraise SystemExit(3)\n")
    monkeypatch.chdir(here)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)  # a cluster of other tests may be open
    return sprung


def test_the_traps_work(trapped: Path) -> None:
    subprocess.run([sys.executable, "-c", "import numba"], check=False)
    assert "numba " in trapped.read_text()


def test_the_second_compiler(trapped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", ["", str(Path.cwd()), *sys.path])
    Path(".numba_config.yaml").write_text(f"cache_dir: {tmp_path / 'elsewhere'}\n")
    with compilation._compiled_elsewhere([Part("rows", ("gaussian", "identity"))]):
        pass
    assert not trapped.exists()
    assert not (tmp_path / "elsewhere").exists()
    assert list((tmp_path / "cache").rglob("*.nbi")), "it has compiled nothing"


def test_any_other_process(trapped: Path) -> None:
    done = subprocess.run(isolated_command("bayes_glmm.spec", "Prior.parse"), capture_output=True, check=False)
    assert b"Prior.parse" in done.stderr  # it came as far as to look for the function in the module
    assert not trapped.exists()


def test_workers_of_a_cluster(trapped: Path) -> None:
    with cluster(workers=1) as client:
        assert client.submit(Path.cwd, pure=False).result() == Path.cwd()
        assert client.submit(_imported, pure=False).result().startswith(str(SITE.parent))
    assert not trapped.exists()
    assert os.environ.get("PYTHONSAFEPATH") is None


def _imported() -> str:
    import scipy

    return str(scipy.__file__)


@pytest.fixture
def spawned() -> Iterator[None]:
    """Processes are started anew, as they are where they cannot be copied."""
    before = multiprocessing.get_start_method()
    multiprocessing.set_start_method("spawn", force=True)
    yield
    multiprocessing.set_start_method(before, force=True)


def test_processes_that_are_spawned(trapped: Path) -> None:
    with safe_path():
        process = multiprocessing.get_context("spawn").Process(target=os.getcwd)
        process.start()
        process.join()
    assert process.exitcode == 0
    assert not trapped.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("spawned")
def test_processes_of_an_engine(trapped: Path) -> None:
    fit = bg.GLMM("y ~ x", frame()).fit(draws=10, tune=10, chains=2, cores=2, engine="pymc", progress=False)
    assert np.isfinite(fit.posterior.beta).all()
    assert not trapped.exists()


def test_the_command(trapped: Path, tmp_path: Path) -> None:
    frame().to_csv("data.csv", index=False)
    Path("config.yaml").write_text("data: {file: data.csv}\nmodel: {formula: y ~ x}\n")
    Path(".numba_config.yaml").write_text("cache_locator_classes: trap\ncache_dir: trap\n")
    command = [str(SITE / "bayes-glmm"), "check", "config.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "beta" in done.stdout
    assert not trapped.exists()
