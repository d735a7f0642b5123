"""From settings to a posterior that says where it came from, can be saved, and holds what ArviZ expects."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.inference import ENGINES, Settings
from bayes_glmm.inference.engines import get_engine
from bayes_glmm.posterior import Posterior


def data() -> pd.DataFrame:
    """Twelve rows in four groups, with trials."""
    rng = np.random.default_rng(2)
    return pd.DataFrame({"y": rng.integers(0, 4, 12), "n": 5, "x": rng.normal(size=12), "g": [*"abcd"] * 3})


@pytest.fixture(scope="module")
def fit() -> bg.Fit:
    """A fit in the plain coordinates, too short to be believed."""
    model = bg.GLMM("p(y, n) ~ x + (1 | g)", data(), family="binomial")
    return model.fit(draws=30, tune=40, chains=2, seed=7, coordinates="plain", progress=False)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"draws": 0}, "draws is 0, but must be at least 1"),
        ({"tune": -1}, "tune is -1"),
        ({"chains": 0}, "chains is 0"),
        ({"max_treedepth": 0}, "max_treedepth is 0"),
        ({"seed": -3}, "seed is -3, but must be at least 0"),
        ({"target_accept": 1.0}, "target_accept is 1.0, but must lie between 0 and 1.*0.8"),
        ({"target_accept": 0.0}, "target_accept is 0.0"),
        ({"draws": 10**9}, "draws is 1,000,000,000, but must be at most 1,000,000"),
        ({"chains": 10**6}, "chains is 1,000,000, but must be at most 1,000"),
        ({"cores": -1}, "cores is -1, but must be at least 0"),
        ({"max_treedepth": 100}, "max_treedepth is 100, but must be at most 30"),
        ({"draws": 1.5}, "draws is 1.5, but must be a whole number"),
        ({"draws": 500.0}, "draws is 500.0, but must be a whole number"),
        ({"chains": "4"}, "chains is '4', but must be a whole number"),
        ({"tune": np.nan}, "tune is nan, but must be a whole number"),
        ({"seed": np.random.default_rng(1)}, "seed is Generator.*, but must be a whole number"),
        ({"chains": True}, "chains is True, but must be a whole number"),
        ({"cores": None}, "cores is None, but must be a whole number"),
        ({"cores": np.array([1, 2])}, "cores is array.*, but must be a whole number"),
        ({"target_accept": "0.8"}, "target_accept is '0.8', but must be a number"),
        ({"target_accept": np.nan}, "target_accept is nan, but must lie between 0 and 1"),
        ({"engine": None}, "engine is None, but must be text"),
        ({"coordinates": 3}, "coordinates is 3, but must be text"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",  # an address in a name differs between processes
)
def test_settings_that_cannot_be_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(bg.SpecError, match=message):
        Settings(**setting)
    with pytest.raises(bg.SpecError, match=message):
        bg.GLMM("y ~ x + (1 | g)", data()).fit(**setting, progress=False)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int32])
def test_numbers_of_numpy_are_numbers(kind: type[np.integer]) -> None:
    given = Settings(**{name: kind(3) for name in ("draws", "tune", "chains", "seed", "max_treedepth", "cores")})  # type: ignore[arg-type]
    assert Settings(draws=3, tune=3, chains=3, seed=3, max_treedepth=3, cores=3) == given
    assert json.dumps(asdict(replace(given, target_accept=np.float32(0.75))))  # type: ignore[arg-type]


def test_chains_run_beside_each_other_up_to_their_number() -> None:
    assert 3 == Settings(chains=3, cores=8).parallel
    assert 2 == Settings(chains=4, cores=2).parallel
    assert 1 <= Settings(chains=4, cores=0).parallel <= 4


def test_an_unknown_engine_is_named_with_those_there_are() -> None:
    with pytest.raises(bg.SpecError, match=r"no engine 'nutpy'.*Did you mean 'nutpie'\? Valid: nutpie, pymc, numpyro"):
        bg.GLMM("y ~ x + (1 | g)", data()).fit(engine="nutpy", progress=False)


def test_an_engine_that_is_not_installed_says_how_to_get_it() -> None:
    for name, engine in ENGINES.items():
        if find_spec(engine.package) is None:
            with pytest.raises(bg.SamplingError, match=rf"needs the package '{engine.package}'.*Install bayes-glmm"):
                get_engine(name)
        else:
            assert engine is get_engine(name)


def test_groups_variables_and_sizes(fit: bg.Fit) -> None:
    groups = {name: node.to_dataset() for name, node in fit.idata.children.items()}
    assert {
        "posterior",
        "sample_stats",
        "warmup_posterior",
        "warmup_sample_stats",
        "observed_data",
        "constant_data",
    } == set(groups)
    assert {"beta", "sd_g", "G_g", "z_g", "u_g"} == set(groups["posterior"].data_vars)
    assert {"beta", "sd_g", "G_g"} == set(groups["warmup_posterior"].data_vars)  # one row a level would double the size
    for name, draws in [("posterior", 30), ("sample_stats", 30), ("warmup_posterior", 40), ("warmup_sample_stats", 40)]:
        assert (2, draws) == (groups[name].sizes["chain"], groups[name].sizes["draw"])
    assert (2, 30) == fit.posterior.sample_shape


def test_the_data_stand_beside_the_draws(fit: bg.Fit) -> None:
    observed, constant = (fit.idata[name].to_dataset() for name in ("observed_data", "constant_data"))
    np.testing.assert_array_equal(data()["y"], observed["y"])
    np.testing.assert_array_equal(data()["n"], constant["trials"])
    np.testing.assert_array_equal(data()["x"], constant["X"].sel(coefficient="x"))
    np.testing.assert_array_equal(fit.design.blocks[0].index, constant["index_g"])
    levels = fit.idata["posterior"]["g"].to_numpy()[constant["index_g"].to_numpy()]
    assert data()["g"].tolist() == levels.tolist()
    np.testing.assert_array_equal(1.0, constant["Z_g"])


def test_variables_are_consistent_with_each_other(fit: bg.Fit) -> None:
    draws = fit.idata["posterior"].to_dataset()
    np.testing.assert_allclose(draws["G_g"][..., 0, 0], draws["sd_g"][..., 0] ** 2, rtol=1e-12)
    np.testing.assert_allclose(draws["u_g"], draws["z_g"] * draws["sd_g"], rtol=1e-12)


def test_nothing_is_an_object(fit: bg.Fit) -> None:
    # netCDF cannot hold Python objects; labels are text
    for name, node in fit.idata.children.items():
        for variable, values in node.to_dataset().data_vars.items():
            assert values.dtype.kind in "biuf", f"{name}/{variable}"


def test_provenance_says_how_the_draws_came_about(fit: bg.Fit) -> None:
    provenance = fit.posterior.provenance
    assert provenance["seconds"] > 0
    assert "plain" == provenance["coordinates"]
    expected = {"draws": 30, "tune": 40, "chains": 2, "seed": 7, "engine": "nutpie", "progress": False}
    assert expected == {name: provenance["settings"][name] for name in expected}
    assert version("pymc") == provenance["versions"]["pymc"]
    assert version("bayes-glmm") == provenance["versions"]["bayes-glmm"]


def test_a_seed_is_recorded_also_where_none_was_given() -> None:
    model = bg.GLMM("y ~ x", data())
    first = model.fit(draws=5, tune=5, chains=1, progress=False).posterior
    seed = first.provenance["settings"]["seed"]
    again = model.fit(draws=5, tune=5, chains=1, seed=seed, progress=False).posterior
    np.testing.assert_array_equal(first.beta, again.beta)


def test_a_saved_posterior_is_the_same_when_read(fit: bg.Fit, tmp_path: Path) -> None:
    fit.save(tmp_path / "run")
    read = bg.load(tmp_path / "run").posterior
    assert fit.spec == read.spec
    assert isinstance(read, Posterior)
    assert fit.posterior.provenance == read.provenance
    assert set(fit.idata.children) == set(read.draws.children)
    for name, node in fit.idata.children.items():
        for variable, values in node.to_dataset().data_vars.items():
            kept = read.draws[name].to_dataset()[variable]
            assert values.dims == kept.dims
            np.testing.assert_array_equal(values, kept)
    assert fit.posterior.priors == read.priors
    assert ["a", "b", "c", "d"] == read.draws["posterior"]["g"].to_numpy().tolist()
