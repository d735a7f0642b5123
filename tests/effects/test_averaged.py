"""Averaged means: the averages of predictions by hand, and what comparisons compare."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.datasets import wine
from bayes_glmm.errors import DataError, SpecError


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 240
    table = pd.DataFrame(
        {
            "arm": rng.choice(["a", "b", "c"], n),
            "sex": rng.choice(["f", "m"], n),
            "x": rng.normal(size=n),
            "g": rng.integers(0, 12, n),
            "n": rng.integers(1, 50, n),
        }
    )
    eta = 0.4 * table["x"] + 0.7 * (table["arm"] == "b") * (table["sex"] == "m") + rng.normal(size=12)[table["g"]]
    return table.assign(y=(rng.uniform(size=n) < 1 / (1 + np.exp(-eta))).astype(int))


@pytest.fixture(scope="module")
def fit(data: pd.DataFrame) -> bg.Fit:
    model = bg.GLMM("y ~ arm * sex + x + (x | g)", data, "bernoulli")
    return bg.Fit(bg.approx.laplace_posterior(model, draws=400))


@pytest.mark.parametrize("reading", ["integrated", "zero", "known"])
def test_means_are_averages_of_predictions_at_each_value(fit: bg.Fit, data: pd.DataFrame, reading: str) -> None:
    found = fit.means("arm", by="sex", random_effects=reading)
    assert list(found.table.columns[:3]) == ["arm", "sex", "effect"]
    for arm in "abc":
        rows = data.assign(arm=arm)
        draws = fit.predict(rows, reading).draws.to_numpy()
        for sex in "fm":
            expected = draws[:, :, (data["sex"] == sex).to_numpy()].mean(axis=2)
            actual = found.draws.sel(arm=arm).sel(sex=sex).to_numpy()
            np.testing.assert_allclose(actual, expected, rtol=1e-9)


def test_their_differences_are_what_compare_reports(fit: bg.Fit) -> None:
    means = fit.means("arm", random_effects="integrated")
    compared = fit.compare("arm", random_effects="integrated", estimands="difference")
    difference = means.draws.sel(arm="b").to_numpy() - means.draws.sel(arm="a").to_numpy()
    np.testing.assert_allclose(compared.draws.sel(contrast="b vs a").to_numpy(), difference, rtol=1e-9, atol=1e-12)


def test_cells_are_weighed_by_their_sizes(fit: bg.Fit, data: pd.DataFrame) -> None:
    cells = data[["arm", "sex", "x", "g"]].drop_duplicates().assign(size=np.arange(1.0, 241.0))
    found = fit.means(newdata=cells, by="sex", weights="size", random_effects="integrated")
    draws = fit.predict(cells, "integrated").draws.to_numpy()
    for sex in "fm":
        size = cells["size"].where(cells["sex"] == sex, 0.0).to_numpy()
        np.testing.assert_allclose(found.draws.sel(sex=sex).to_numpy(), draws @ size / size.sum(), rtol=1e-9)


def test_without_anything_it_is_the_average_of_all_rows(fit: bg.Fit, data: pd.DataFrame) -> None:
    found = fit.means(random_effects="integrated")
    assert len(found.table) == 1
    expected = fit.predict(data, "integrated").draws.to_numpy().mean(axis=2)
    np.testing.assert_allclose(found.draws.to_numpy()[..., 0], expected, rtol=1e-9)


def test_numbers_take_the_values_given(fit: bg.Fit) -> None:
    found = fit.means("x", [-1.0, 0.0, 2.5], random_effects="zero")
    assert found.table["x"].tolist() == [-1.0, 0.0, 2.5]
    assert found.table["estimate"].is_monotonic_increasing


def test_categories_have_a_row_each_and_add_up_to_one() -> None:
    model = bg.GLMM("rating ~ temp + (1 | judge)", wine(), "cumulative")
    found = bg.Fit(bg.approx.laplace_posterior(model, draws=200)).means("temp", random_effects="integrated")
    assert len(found.table) == 10
    total = found.draws.sel(temp="warm").sum("estimate")
    np.testing.assert_allclose(total, 1.0, rtol=1e-9)
    np.testing.assert_allclose(found.table.groupby("temp", observed=True)["estimate"].sum(), 1.0, rtol=1e-9)


def test_an_approximation_answers_too(data: pd.DataFrame) -> None:
    found = bg.approx.laplace(bg.GLMM("y ~ arm + x + (1 | g)", data, "bernoulli")).means("arm")
    assert set(found.table["arm"]) == {"a", "b", "c"}


def test_what_is_unknown_is_refused(fit: bg.Fit) -> None:
    with pytest.raises(SpecError, match="no variable to set"):
        fit.means(values=[1, 2])
    with pytest.raises(DataError, match="d"):
        fit.means("arm", ["a", "d"])
    with pytest.raises(SpecError, match="'arm' is set to its values and in 'by'"):
        fit.means("arm", by=["sex", "arm"])
    with pytest.raises(SpecError, match="no values of 'x'"):
        fit.means("x", [])
    with pytest.raises(SpecError, match="z"):
        fit.means("z")
    with pytest.raises(SpecError, match="no column 'size' of weights"):
        fit.means(weights="size")
