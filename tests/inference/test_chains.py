"""Finished chains in a folder: drawn once, whatever stops the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pymc as pm
import pytest
import xarray as xr

from bayes_glmm.inference import Settings
from bayes_glmm.inference.chains import Chain, Groups, Keep, chain_of, in_folder, in_memory

SETTINGS = Settings(draws=3, tune=2, chains=4, seed=9, progress=False)
MODEL = pm.Model()  # never looked at


class Engine:
    """Draws normal numbers; counts its chains, and breaks down before one of them."""

    def __init__(self, breaks: int | None = None) -> None:
        self.drawn: list[int] = []
        self.breaks = breaks

    def __call__(self, model: pm.Model, settings: Settings, chains: Sequence[int], keep: Keep) -> None:
        for chain in reversed(chains):  # they end in any order
            if chain == self.breaks:
                raise KeyboardInterrupt
            self.drawn.append(chain)
            keep(chain, self._chain(settings, chain))

    def _chain(self, settings: Settings, chain: int) -> Chain:
        rng = np.random.default_rng([settings.seed, chain])
        dims = ("chain", "draw", "coefficient")
        beta = rng.normal(size=(1, settings.draws, 2))
        beta[0, 0] = [np.nan, -0.0]
        labels = np.array(["Intercept", "süß"], dtype=object)
        posterior = xr.Dataset({"beta": (dims, beta)}, {"chain": [0], "coefficient": labels}, {"engine": "made up"})
        draws = {
            "diverging": rng.random((1, settings.draws)) < 0.5,
            "depth": rng.integers(0, 2**63, (1, settings.draws), dtype=np.uint64),
            "message": np.full((1, settings.draws), None),
        }
        statistics = xr.Dataset({name: (("chain", "draw"), values) for name, values in draws.items()})
        data = xr.Dataset({"y": ("row", np.arange(4))})
        groups = {"posterior": posterior, "sample_stats": statistics, "observed_data": data}
        return chain_of(xr.DataTree.from_dict(groups))


def assert_identical(expected: Groups, found: Groups) -> None:
    assert list(expected) == list(found)
    for name, data in expected.items():
        xr.testing.assert_identical(data, found[name])


def test_chains_in_a_folder_are_those_in_memory_to_the_bit(tmp_path: Path) -> None:
    expected = in_memory(Engine(), MODEL, SETTINGS)
    found = in_folder(tmp_path)(Engine(), MODEL, SETTINGS)
    assert list(range(4)) == expected["posterior"]["chain"].to_numpy().tolist()
    assert_identical(expected, found)
    for name, data in expected.items():
        for variable, values in data.variables.items():
            assert values.dtype == found[name].variables[variable].dtype
    assert np.signbit(found["posterior"]["beta"].to_numpy()[:, 0, 1]).all()
    assert {"posterior", "sample_stats"} == set(found)
    assert {"diverging", "depth"} == set(found["sample_stats"].data_vars)


def test_finished_chains_are_not_drawn_again(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        in_folder(tmp_path)(Engine(breaks=1), MODEL, SETTINGS)
    second, third = Engine(), Engine()
    found = in_folder(tmp_path)(second, MODEL, SETTINGS)
    assert [1, 0] == second.drawn
    assert_identical(in_memory(Engine(), MODEL, SETTINGS), found)
    in_folder(tmp_path)(third, MODEL, SETTINGS)
    assert [] == third.drawn


def test_a_sampling_that_draws_twice_finds_both_again(tmp_path: Path) -> None:
    first, other = Engine(), Settings(draws=5, tune=2, chains=2, seed=1, progress=False)
    gather = in_folder(tmp_path)
    gather(first, MODEL, SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        gather(Engine(breaks=0), MODEL, other)
    again, gather = Engine(), in_folder(tmp_path)
    assert_identical(in_memory(first, MODEL, SETTINGS), gather(again, MODEL, SETTINGS))
    assert [] == again.drawn
    assert_identical(in_memory(first, MODEL, other), gather(again, MODEL, other))
    assert [0] == again.drawn


def test_a_chain_that_cannot_be_written_stops_the_sampling_and_leaves_the_others(tmp_path: Path, monkeypatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device", str(self))

    in_folder(tmp_path)(Engine(), MODEL, SETTINGS)
    (tmp_path / "0-2.nc").unlink()
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        in_folder(tmp_path)(Engine(), MODEL, SETTINGS)
    assert ["0-0.nc", "0-1.nc", "0-3.nc"] == sorted(path.name for path in tmp_path.iterdir())
