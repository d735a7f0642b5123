"""Chains on a cluster are those of one process, whatever becomes of a worker."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import bayes_glmm as bg
from bayes_glmm.datasets import clinics
from bayes_glmm.errors import SamplingError
from bayes_glmm.inference import Settings
from bayes_glmm.inference.chains import Draws, in_folder, in_memory
from bayes_glmm.inference.cluster import on_cluster
from bayes_glmm.netcdf import write_tree

SETTINGS = Settings(draws=3, tune=2, chains=4, seed=9, progress=False)


def numbers(target, settings, chains, keep):
    """An engine that costs nothing; chain 2 fails if the target says so, or takes its process down the first time."""
    for chain in chains:
        if chain == 2 and target == "fails":
            raise SamplingError("It could not draw.")
        if chain == 2 and isinstance(target, Path) and not target.exists():
            target.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        rng = np.random.default_rng([settings.seed, chain])
        drawn = {"beta": ((), rng.normal(size=settings.draws))}
        process = {"process": ((), np.full(settings.draws, os.getpid()))}
        keep(chain, {"posterior": Draws(drawn, {}), "sample_stats": Draws(process, {})})


def test_chains_of_a_cluster_are_those_of_one_process(client):
    expected, found = (in_memory(draw, "a model", SETTINGS) for draw in (numbers, on_cluster(numbers, client)))
    xr.testing.assert_identical(expected["posterior"], found["posterior"])
    assert os.getpid() not in found["sample_stats"]["process"]


def test_a_chain_whose_worker_is_killed_is_drawn_again(client, tmp_path):
    expected = in_memory(numbers, "a model", SETTINGS)
    found = in_memory(on_cluster(numbers, client), tmp_path / "killed", SETTINGS)
    assert (tmp_path / "killed").exists()
    xr.testing.assert_identical(expected["posterior"], found["posterior"])


def test_chains_that_come_before_one_that_fails_are_kept_in_their_folder(client, tmp_path):
    with pytest.raises(SamplingError, match="It could not draw"):
        in_folder(tmp_path)(on_cluster(numbers, client), "fails", SETTINGS)
    assert "0-2.nc" not in {path.name for path in tmp_path.iterdir()}
    found = in_folder(tmp_path)(on_cluster(numbers, client), "a model", SETTINGS)
    xr.testing.assert_identical(in_memory(numbers, "a model", SETTINGS)["posterior"], found["posterior"])


def test_files_are_written_here_whatever_cluster_is_at_hand(client, tmp_path):
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"beta": ("draw", [1.0, 2.0])})})
    client.submit(write_tree, tmp_path / "by a worker.nc", tree).result()
    with client.as_current():
        write_tree(tmp_path / "here.nc", tree)
    for path in (tmp_path / "by a worker.nc", tmp_path / "here.nc"):
        xr.testing.assert_identical(tree, xr.load_datatree(path, engine="h5netcdf"))


def test_a_line_tells_of_the_chains_where_progress_is_asked_for(client, capsys):
    in_memory(on_cluster(numbers, client), "a model", Settings(draws=3, chains=2))
    assert "2 finished" in capsys.readouterr().err


@pytest.mark.parametrize("coordinates", ["auto", pytest.param("plain", marks=pytest.mark.slow)])
def test_a_fit_on_a_cluster_is_the_fit_of_one_process_to_the_bit(client, coordinates):
    model = bg.GLMM("p(favourable, n) ~ treatment + (1 | clinic)", clinics(), family="binomial")
    fit = partial(model.fit, draws=20, tune=20, chains=3, seed=2, coordinates=coordinates, progress=False)
    here, there = fit(), fit(client=client)
    xr.testing.assert_identical(here.idata["posterior"], there.idata["posterior"])
    for name in ("n_steps", "diverging", "energy"):
        xr.testing.assert_equal(here.idata["sample_stats"][name], there.idata["sample_stats"][name])
