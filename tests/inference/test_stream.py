"""Draws of random effects that go to a file are those that memory would hold."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.errors import SamplingError
from bayes_glmm.inference import Settings, sample
from bayes_glmm.inference.densities import stream
from tests.likelihood import cases

OPTIONS: dict[str, Any] = {"draws": 60, "tune": 40, "chains": 2, "seed": 3, "progress": False}


@pytest.fixture(scope="module", params=["whitened", "integrated"])
def coordinates(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def held(coordinates: str) -> bg.Fit:
    return cases.model("gaussian", "crossed").fit(**OPTIONS, coordinates=coordinates)


def test_streamed_draws_are_the_held_ones_to_32_bits(
    held: bg.Fit, coordinates: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_HELD", 0)
    fit = cases.model("gaussian", "crossed").fit(**OPTIONS, coordinates=coordinates)
    posterior, expected = fit.idata["posterior"], held.idata["posterior"]
    for name in ("u_g", "u_h"):
        assert posterior[name].dtype == np.float32
        assert posterior[name].dims == expected[name].dims
        assert_allclose(posterior[name], expected[name], rtol=1e-6, atol=1e-7)
    assert_allclose(posterior["beta"], expected["beta"], rtol=0)
    assert "z_g" not in posterior
    assert_allclose(
        fit.predict(random_effects="known").table["estimate"],
        held.predict(random_effects="known").table["estimate"],
        rtol=1e-5,
    )


def test_an_interrupted_run_finds_its_stream(
    held: bg.Fit, coordinates: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_HELD", 0)
    model, settings = cases.model("gaussian", "crossed"), Settings(**OPTIONS, coordinates=coordinates)
    sample(model.problem, settings, chains=tmp_path)
    (tmp_path / "0-1.nc").unlink()
    again = sample(model.problem, settings, chains=tmp_path)
    assert_allclose(again.draws["posterior"]["u_g"], held.idata["posterior"]["u_g"], rtol=1e-6, atol=1e-7)


def test_a_stream_does_not_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.inference.test_densities import whitened

    monkeypatch.setattr(stream, "MOST_HELD", 0)
    _, density = whitened("gaussian", "crossed")
    with pytest.raises(SamplingError, match="cluster"):
        pickle.dumps(stream.streamed(density, Settings(draws=5), None))
