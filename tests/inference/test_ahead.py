"""Parts that come compiled: taken where they fit the machine, and the same code as is compiled here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from llvmlite import binding as llvm
from numpy.testing import assert_allclose

from bayes_glmm.inference.densities import ahead
from bayes_glmm.inference.densities.callbacks import Part

PART = Part("rows", ("poisson", "log"))
FIT = """
import sys
from pathlib import Path
from bayes_glmm.inference.densities import ahead, compilation
compilation.objects = lambda: ahead.objects(Path(sys.argv[1]))  # not what lies beside the source
import numpy as np
import bayes_glmm as bg
from tests.likelihood import cases
model = cases.model("poisson", "intercept")
fit = model.fit(draws=3, tune=10, seed=1, chains=2, coordinates="whitened", progress=False)
np.save(sys.argv[2], fit.idata["posterior"]["beta"].to_numpy())
"""


def written(folder: Path, made_for: list[str]) -> None:
    folder.mkdir()
    index = {"made for": made_for, "functions": {PART.symbol: "f"}}
    (folder / ahead.INDEX).write_text(json.dumps(index), encoding="utf-8")


def test_what_fits_best_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    able = [name for name, there in llvm.get_host_cpu_features().items() if there]
    processors = {"none such": ("flux capacitor",), "best": tuple(able[:2]), "any": ()}
    monkeypatch.setattr(ahead, "PROCESSORS", processors)
    for name in processors:
        written(tmp_path / name, ahead._runtime())
    found = ahead.objects(tmp_path)
    assert found is not None
    assert found.folder.name == "best"
    assert PART in found
    assert Part("rows", ("gamma", "log")) not in found


@pytest.mark.parametrize("other", [["another system", ahead._runtime()[1]], [ahead._runtime()[0], "numba 0.1"]])
def test_what_was_made_for_something_else_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: list[str]
) -> None:
    monkeypatch.setattr(ahead, "PROCESSORS", {"any": ()})
    written(tmp_path / "any", other)
    assert ahead.objects(tmp_path) is None


def test_without_a_folder_nothing_came_along(tmp_path: Path) -> None:
    assert ahead.objects(tmp_path / "nowhere") is None


@pytest.mark.slow
def test_a_fit_with_parts_that_came_along_compiles_nothing_and_gives_the_same_draws(tmp_path: Path) -> None:
    """In fresh processes, one without any compiler cache."""
    if not any(map(ahead.runs_here, ahead.PROCESSORS)):
        pytest.skip("no code is made for this kind of processor")
    ahead.write(tmp_path / "objects", [Part("whitened density", (1,)), Part("whitened expand", (1,)), PART])
    assert ahead.objects(tmp_path / "objects") is not None
    for name, objects in (("brought", str(tmp_path / "objects")), ("compiled", str(tmp_path / "nowhere"))):
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / name), "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "-c", FIT, objects, str(tmp_path / f"{name}.npy")], env=environment, check=True)
    assert not list(tmp_path.glob("brought/**/*.nbi"))
    assert list(tmp_path.glob("compiled/**/*.nbi"))
    brought, compiled = (np.load(tmp_path / f"{name}.npy") for name in ("brought", "compiled"))
    assert_allclose(brought, compiled, rtol=1e-6)  # the last bits may differ, and grow step by step
