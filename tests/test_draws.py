"""Draws in canonical columns and as written: the same predictors, there and back, in memory and on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.design import Problem
from bayes_glmm.draws import to_canonical, to_written, with_covariance

CHAINS, DRAWS = 2, 5


def model(right: str) -> bg.GLMM:
    rng = np.random.default_rng(3)
    z = rng.normal(size=90)
    frame = pd.DataFrame(
        {
            "y": rng.normal(size=90), "year": 2010.0 + 4.0 * z, "w": rng.normal(30.0, 2.0, 90),
            "f": rng.choice([*"pqr"], 90), "g": np.repeat(np.arange(9), 10), "h": np.arange(90) % 4,
        }
    )  # fmt: skip
    return bg.GLMM(f"y ~ {right}", frame)


def made_up(problem: Problem, seed: int = 0) -> xr.Dataset:
    """Draws of canonical coefficients and effects."""
    rng = np.random.default_rng(seed)
    coords = {"coefficient": list(problem.design.coefficients)}
    data = xr.Dataset(
        {"beta": (("chain", "draw", "coefficient"), rng.normal(size=(CHAINS, DRAWS, len(coords["coefficient"]))))},
        coords,
    )
    for block in problem.design.blocks:
        g, d, levels = block.group, len(block.effects), len(block.levels)
        root = np.tril(rng.normal(size=(CHAINS, DRAWS, d, d)))
        G = root @ np.swapaxes(root, -1, -2)
        data = with_covariance(data, block, G if block.correlated else G * np.eye(d))
        data[f"u_{g}"] = (("chain", "draw", g, f"{g}_effect"), rng.normal(size=(CHAINS, DRAWS, levels, d)))
    return data


def predictor(data: xr.Dataset, problem: Problem) -> np.ndarray:
    """X beta + Z u [chain, draw, row] in the problem's columns."""
    design = problem.design
    eta = data["beta"].to_numpy() @ design.X.T
    for block in design.blocks:
        eta = eta + (data[f"u_{block.group}"].to_numpy()[:, :, block.index] * block.values).sum(axis=-1)
    return eta


FORMULAS = [
    "year + (year | g)",
    "year + w + f + (year + w | g) + (1 | h)",
    "0 + f + year + (0 + f + year | g)",
    "year + (year || g) + (w | h)",
    "year",
]


@pytest.mark.parametrize("right", FORMULAS)
def test_predictors_are_the_same_in_both_columns(right: str) -> None:
    problem = model(right).problem
    drawn = made_up(problem.canonical)
    expected = predictor(drawn, problem.canonical)
    written = to_written(drawn.copy(deep=True), problem.priors.canonical, problem.design)
    assert_allclose(predictor(written, problem), expected, atol=1e-8)
    assert list(written["coefficient"].to_numpy()) == list(problem.design.coefficients)


@pytest.mark.parametrize("right", FORMULAS)
def test_covariances_are_those_of_the_effects(right: str) -> None:
    """z'Gz of a row is the variance of its effects, in any columns."""
    problem = model(right).problem
    drawn = made_up(problem.canonical)
    written = to_written(drawn.copy(deep=True), problem.priors.canonical, problem.design)
    for here, there in zip(problem.canonical.design.blocks, problem.design.blocks, strict=True):
        g = here.group
        expected = np.einsum("ri,cdij,rj->cdr", here.values, drawn[f"G_{g}"].to_numpy(), here.values)
        actual = np.einsum("ri,cdij,rj->cdr", there.values, written[f"G_{g}"].to_numpy(), there.values)
        # terms of the sum are of size z^2 G: rounding is relative to them
        size = np.einsum(
            "ri,cdij,rj->cdr", *(np.abs(a) for a in (there.values, written[f"G_{g}"].to_numpy(), there.values))
        )
        assert (np.abs(actual - expected) <= 1e-11 * size).all()
        G = written[f"G_{g}"].to_numpy()
        sd = np.sqrt(np.diagonal(G, axis1=-2, axis2=-1))
        assert_allclose(written[f"sd_{g}"], sd, rtol=1e-12)
        if here.correlated:
            assert_allclose(written[f"corr_{g}"], np.clip(G / (sd[..., None] * sd[..., None, :]), -1, 1), rtol=1e-12)
            assert list(written[f"G_{g}"].coords[f"{g}_effect_2"].to_numpy()) == list(there.effects)
        else:
            assert f"corr_{g}" not in written


@pytest.mark.parametrize("right", FORMULAS)
def test_there_and_back(right: str) -> None:
    problem = model(right).problem
    drawn = made_up(problem.canonical)
    written = to_written(drawn.copy(deep=True), problem.priors.canonical, problem.design)
    kept = written.copy(deep=True)
    back = to_canonical(written, problem.priors.canonical, problem.canonical.design)
    xr.testing.assert_identical(written, kept)  # what is carried back stays as it is
    assert set(back.data_vars) == set(drawn.data_vars)
    for name in drawn.data_vars:
        if not str(name).startswith(("sd_", "corr_")):
            assert_allclose(
                back[name].transpose(*drawn[name].dims), drawn[name], rtol=1e-6, atol=1e-6, err_msg=str(name)
            )
    assert list(back["coefficient"].to_numpy()) == list(problem.canonical.design.coefficients)


def test_effects_in_single_precision_on_disk(tmp_path: Path) -> None:
    """As a fit with many levels has them: the file stays as it is, since a run that is resumed reads it again."""
    problem = model("year + (year | g)").problem
    drawn = made_up(problem.canonical)
    u = drawn["u_g"].to_numpy().astype(np.float32)
    on_disk = np.memmap(tmp_path / "u", np.float32, "w+", shape=u.shape)
    on_disk[:] = u
    drawn["u_g"] = (drawn["u_g"].dims, on_disk)
    written = to_written(drawn, problem.priors.canonical, problem.design)
    assert written["u_g"].dtype == np.float32
    np.testing.assert_array_equal(on_disk, u)
    expected = u.astype(float) @ problem.priors.canonical.A["g"].T
    assert_allclose(written["u_g"], expected, rtol=1e-6, atol=1e-4)


def test_effects_that_cannot_be_written_to_are_copied() -> None:
    problem = model("year + (year | g)").problem
    drawn = made_up(problem.canonical)
    u = drawn["u_g"].to_numpy()
    u.setflags(write=False)
    kept = u.copy()
    written = to_written(drawn, problem.priors.canonical, problem.design)
    np.testing.assert_array_equal(u, kept)
    assert_allclose(written["u_g"], kept @ problem.priors.canonical.A["g"].T, rtol=1e-12)


def test_draws_without_effects() -> None:
    """The warm-up is kept without them."""
    problem = model("year + (year | g)").problem
    drawn = made_up(problem.canonical)
    whole = to_written(drawn.copy(deep=True), problem.priors.canonical, problem.design)
    part = to_written(drawn.drop_vars("u_g"), problem.priors.canonical, problem.design)
    for name in ("beta", "G_g", "sd_g", "corr_g"):
        np.testing.assert_array_equal(part[name], whole[name])


def test_nothing_is_carried_where_nothing_differs() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"y": rng.normal(size=20), "x": rng.normal(size=20), "g": np.arange(20) % 4})
    given = {"Intercept": "Normal(0, 1)", "x": "Normal(0, 1)"}
    problem = bg.GLMM("y ~ x + (1 | g)", frame, priors=given).problem
    drawn = made_up(problem.canonical)
    written = to_written(drawn, problem.priors.canonical, problem.design)
    xr.testing.assert_identical(written, drawn)


def test_an_effect_without_variance_has_no_correlation() -> None:
    problem = model("year + (year | g)").problem
    (block,) = problem.design.blocks
    data = with_covariance(xr.Dataset(), block, np.zeros((1, 1, 2, 2)))
    assert np.isnan(data["corr_g"]).all()
    assert (data["sd_g"] == 0).all()
