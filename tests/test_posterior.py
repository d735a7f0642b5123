"""The record of draws: made from numbers, saved and read back without loss."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayes_glmm import files
from bayes_glmm import posterior as posterior_module
from bayes_glmm.design import build_design
from bayes_glmm.errors import DataError
from bayes_glmm.posterior import Posterior, load_posterior, posterior_at
from bayes_glmm.spec import ModelSpec, Prior

DRAWS = 7


def _data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "k": rng.integers(0, 6, 40),
            "n": rng.integers(6, 9, 40),
            "x": rng.normal(size=40),
            "t": rng.uniform(1.0, 2.0, 40),
            "f": pd.Categorical(np.tile(["low", "mid", "high", "mid"], 10), ["low", "mid", "high", "unused"]),
            "g": np.repeat([1.0, 10.0, 9.0, 308.0], 10),
            "h": np.tile(["ü", "a:b", "<b>", "'"], 10),
        }
    )


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    rng = np.random.default_rng(5)
    formula = "p(k, n) ~ x + f + offset(log(t)) + (x | g) + (1 || h) + (1 | g:h)"
    spec = ModelSpec.from_formula(formula, "binomial", "probit", {"x": "Normal(0, 0.1234567891)"})
    factor = rng.normal(size=(DRAWS, 2, 2))
    return posterior_at(
        spec,
        _data(),
        beta=rng.normal(size=(DRAWS, 4)),
        G={"g": factor @ factor.swapaxes(1, 2), "h": rng.uniform(size=(DRAWS, 1, 1)), "g:h": np.array([[0.3]])},
        u={"g": rng.normal(size=(DRAWS, 4, 2)), "h": rng.normal(size=(4, 1))},
    )


def test_shapes_and_names_read_like_the_formula(posterior: Posterior) -> None:
    draws = posterior.draws["posterior"].dataset
    assert draws["beta"].dims == ("chain", "draw", "coefficient")
    assert list(draws["coefficient"].values) == ["Intercept", "x", "f[mid]", "f[high]"]
    assert draws["u_g"].dims == ("chain", "draw", "g", "g_effect")
    assert list(draws["g"].values) == ["1", "9", "10", "308"]
    assert draws["G_g"].dims == ("chain", "draw", "g_effect", "g_effect_2")
    assert "corr_h" not in draws
    assert posterior.sample_shape == (1, DRAWS)
    assert posterior.beta.shape == (DRAWS, 4)
    assert posterior.u("g:h").shape == (DRAWS, len(posterior.design.block("g:h").levels), 1)
    assert not posterior.u("g:h").any()
    np.testing.assert_array_equal(posterior.G("g:h"), np.full((DRAWS, 1, 1), 0.3))


def test_sds_and_correlations_are_those_of_G(posterior: Posterior) -> None:
    sd, corr = posterior.array("sd_g"), posterior.array("corr_g")
    np.testing.assert_allclose(sd[:, :, None] * corr * sd[:, None, :], posterior.G("g"), rtol=1e-12)
    np.testing.assert_allclose(np.diagonal(corr, axis1=1, axis2=2), 1.0, rtol=1e-12)


def test_a_point_is_one_draw() -> None:
    spec = ModelSpec.from_formula("x ~ t + (1 | g)", "student_t")
    point = posterior_at(spec, _data(), np.array([0.5, 1.0]), {"g": np.eye(1)}, {"sigma": 2.0, "nu": np.array(4.0)})
    assert point.sample_shape == (1, 1)
    assert {name: value.tolist() for name, value in point.auxiliary.items()} == {"sigma": [2.0], "nu": [4.0]}


def test_chains_are_stacked_in_order(posterior: Posterior) -> None:
    two = posterior.draws["posterior"].dataset.isel(chain=[0, 0]).assign_coords(chain=[0, 1])
    two["beta"] = two["beta"] + two["chain"] * 1000.0
    tree = posterior.draws.copy()
    tree["posterior"] = type(tree)(two.transpose("draw", "chain", ...))
    stacked = Posterior(posterior.spec, posterior.design, posterior.priors, tree)
    np.testing.assert_array_equal(stacked.beta, np.concatenate([posterior.beta, posterior.beta + 1000.0]))


def test_saved_and_read_back_is_the_same(posterior: Posterior, tmp_path: Path) -> None:
    folder = posterior.save(tmp_path / "a" / "run")
    again = load_posterior(folder)
    assert again.spec == posterior.spec
    assert again.priors.entries == posterior.priors.entries
    assert again.provenance == posterior.provenance
    assert again.design.coefficients == posterior.design.coefficients
    np.testing.assert_array_equal(again.design.y, posterior.design.y)
    np.testing.assert_array_equal(again.design.X, posterior.design.X)
    np.testing.assert_array_equal(again.design.offset, posterior.design.offset)
    np.testing.assert_array_equal(again.design.trials, posterior.design.trials)
    for old, new in zip(posterior.design.blocks, again.design.blocks, strict=True):
        assert (new.group, new.effects, new.levels, new.pattern) == (old.group, old.effects, old.levels, old.pattern)
        np.testing.assert_array_equal(new.values, old.values)
        np.testing.assert_array_equal(new.index, old.index)
    xr.testing.assert_identical(again.draws, posterior.draws)
    pd.testing.assert_frame_equal(again.design.data, posterior.design.data)


def test_priors_are_those_of_the_draws_whatever_the_defaults_are_now(posterior: Posterior, tmp_path: Path) -> None:
    entries = {name: Prior("Normal", keyword=(("mu", 1 / 3), ("sigma", 2e-9))) for name in posterior.priors.entries}
    older = replace(posterior, priors=replace(posterior.priors, entries=entries))
    assert older.priors != posterior.priors
    folder = older.save(tmp_path / "run")
    assert older.priors == load_posterior(folder).priors
    record = json.loads((folder / "model.json").read_text())
    del record["priors"]
    (folder / "model.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="'priors' is missing"):
        load_posterior(folder)


def test_every_kind_of_array_comes_back_to_the_bit(posterior: Posterior, tmp_path: Path) -> None:
    floats = np.array([[np.nan, -0.0, np.inf, 5e-324, 1.0 / 3.0]])
    variables = {
        "float64": floats,
        "float32": floats.astype(np.float32),
        "int8": np.array([[-128, 127, 0, 1, 2]], np.int8),
        "int32": np.array([[-(2**31), 2**31 - 1, 0, 1, 2]], np.int32),
        "int64": np.array([[-(2**63), 2**63 - 1, 0, 1, 2]]),
        "uint64": np.array([[2**64 - 1, 2**63, 0, 1, 2]], np.uint64),
        "bool": np.array([[True, False, True, True, False]]),
    }
    coords = {"chain": [3], "draw": [5, 1, 4, 2, 3], "label": ("draw", ["", "ü", "a b", "<b>", "\n"])}
    attributes = {"sampler": "ours", "seed": 3, "scale": 0.1}
    extra = xr.Dataset({name: (("chain", "draw"), values) for name, values in variables.items()}, coords, attributes)
    groups = {"posterior": posterior.draws["posterior"].to_dataset(), "extra": extra}
    given = replace(posterior, draws=xr.DataTree.from_dict(groups))
    read = load_posterior(given.save(tmp_path / "run")).draws["extra"].to_dataset()
    assert attributes == read.attrs
    assert set(extra.variables) == set(read.variables)
    for name, expected in extra.variables.items():
        found = read.variables[name]
        assert (expected.dims, expected.dtype) == (found.dims, found.dtype)
        assert expected.to_numpy().tobytes() == found.to_numpy().tobytes()


def test_rows_left_out_are_remembered(tmp_path: Path) -> None:
    spec, data = ModelSpec.from_formula("x ~ t + (1 | g)"), _data()
    data.loc[[3, 5], "t"] = np.nan
    made = posterior_at(spec, data.drop([3, 5]), np.zeros((1, 2)), {"g": np.eye(1)}, {"sigma": 1.0})
    dropped = replace(made, design=build_design(spec, data, "drop"))
    read = load_posterior(dropped.save(tmp_path / "run"))
    assert 2 == read.design.dropped
    pd.testing.assert_frame_equal(dropped.design.data, read.design.data)


def test_nothing_is_unpickled(posterior: Posterior, tmp_path: Path, monkeypatch) -> None:
    folder = posterior.save(tmp_path / "run")

    def caught(*arguments: object, **options: object) -> None:
        pytest.fail("unpickled")

    for module, name in [(pickle, "load"), (pickle, "loads"), (pickle, "Unpickler")]:
        monkeypatch.setattr(module, name, caught)
    assert posterior.sample_shape == load_posterior(folder).sample_shape


def test_the_folder_of_a_run_gives_its_posterior(posterior: Posterior, tmp_path: Path) -> None:
    posterior.save(tmp_path / "run" / "posterior")
    assert posterior.spec == load_posterior(tmp_path / "run").spec


@pytest.mark.parametrize("step", ["draws", "data", "model", "place"])
def test_a_disk_that_is_full_leaves_what_was_saved_before(
    posterior: Posterior, tmp_path: Path, monkeypatch, step: str
) -> None:
    folder = posterior.save(tmp_path / "run")
    doubled = posterior.draws.copy()
    doubled["posterior"] = type(doubled)(posterior.draws["posterior"].dataset * 2.0)

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    where, name = {
        "draws": (posterior_module, "write_tree"),
        "data": (posterior_module, "write_frame"),
        "model": (Path, "write_text"),
        "place": (files, "place"),
    }[step]
    monkeypatch.setattr(where, name, full)
    for target in (folder, tmp_path / "other"):
        with pytest.raises(OSError, match="No space left"):
            replace(posterior, draws=doubled).save(target)
    monkeypatch.undo()
    assert [folder] == list(tmp_path.iterdir())
    xr.testing.assert_identical(posterior.draws, load_posterior(folder).draws)


def test_what_is_not_a_saved_posterior_is_never_replaced(posterior: Posterior, tmp_path: Path) -> None:
    folder = posterior.save(tmp_path / "run")
    (folder / "thesis.tex").write_text("precious")
    (tmp_path / "file").write_text("precious")
    for target, name in [(folder, "thesis.tex"), (tmp_path / "file", "file")]:
        with pytest.raises(DataError, match=f"not a saved posterior: '{name}'"):
            posterior.save(target)
    assert "precious" == (folder / "thesis.tex").read_text() == (tmp_path / "file").read_text()


def test_saving_again_replaces_what_stood_there(posterior: Posterior, tmp_path: Path) -> None:
    posterior.save(tmp_path)
    doubled = posterior.draws.copy()
    doubled["posterior"] = type(doubled)(posterior.draws["posterior"].dataset * 2.0)
    Posterior(posterior.spec, posterior.design, posterior.priors, doubled).save(tmp_path)
    np.testing.assert_array_equal(load_posterior(tmp_path).beta, 2.0 * posterior.beta)


@pytest.mark.parametrize("name", ["model.json", "draws.nc", "data.parquet"])
def test_a_missing_file_is_named(posterior: Posterior, tmp_path: Path, name: str) -> None:
    (posterior.save(tmp_path) / name).unlink()
    with pytest.raises(DataError, match=name):
        load_posterior(tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Name the folder of a run"):
        load_posterior(tmp_path / "nothing")


def test_another_format_is_refused(posterior: Posterior, tmp_path: Path) -> None:
    path = posterior.save(tmp_path) / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(DataError, match="format 99"):
        load_posterior(tmp_path)


@pytest.mark.parametrize("name", ["model.json", "draws.nc", "data.parquet"])
def test_a_damaged_file_is_named(posterior: Posterior, tmp_path: Path, name: str) -> None:
    path = posterior.save(tmp_path) / name
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=name):
        load_posterior(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"beta": np.zeros(3)}, "beta has shape [1, 3]; the model has [4]"),
        ({"beta": np.zeros((5, 3))}, "[5, 4]"),
        ({"G": {"g": np.eye(3)}}, "G['g'] has shape [3, 3]; the model has [2, 2]"),
        ({"G": {}}, "'g' is not given"),
        ({"G": {"g": np.eye(2), "h": np.eye(1)}}, "no 'h'"),
        ({"u": {"g": np.zeros((3, 2))}}, "u['g'] has shape [3, 2]; the model has [4, 2]"),
        ({"auxiliary": {"sigma": np.ones(3)}}, "sigma has shape [3]"),
        ({"auxiliary": {"phi": 1.0}}, "Valid: sigma."),
    ],
)
def test_arrays_of_the_wrong_shape_are_refused(change: dict, words: str) -> None:
    spec = ModelSpec.from_formula("x ~ t + f + (t | g)")
    given = {"beta": np.zeros(4), "G": {"g": np.eye(2)}, "auxiliary": {"sigma": 1.0}} | change
    with pytest.raises(DataError) as caught:
        posterior_at(spec, _data(), **given)
    assert words in str(caught.value)
