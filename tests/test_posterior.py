"""The record of draws: made from numbers, saved and read back without loss."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayes_glmm.errors import DataError
from bayes_glmm.posterior import Posterior, load_posterior, posterior_at
from bayes_glmm.spec import ModelSpec

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
