from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.effects.grid import (
    balanced,
    collapse,
    factor_columns,
    levels,
    means,
    observed,
    reference_grid,
    with_value,
)
from bayes_glmm.errors import DataError, SpecError
from bayes_glmm.posterior import posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.cases import logistic


@pytest.fixture(scope="module")
def design():
    return logistic().design


def test_typical_values_are_the_mean_and_the_most_common_level(design):
    row = means(design).iloc[0]
    assert row["x"] == pytest.approx(design.data["x"].mean())
    assert row["dose"] in {"low", "mid", "high"}
    assert len(means(design)) == 1


def test_the_balanced_grid_has_every_level_once(design):
    grid = balanced(design)
    assert sorted(grid["dose"]) == ["high", "low", "mid"]
    assert set(grid["x"]) == {design.data["x"].mean()}


def test_a_model_without_categories_has_one_balanced_row():
    data = pd.DataFrame({"y": [0.0, 1.0, 2.0, 1.5], "x": [1.0, 2.0, 3.0, 5.0], "g": list("aabb")})
    posterior = posterior_at(ModelSpec.from_formula("y ~ x + (1|g)"), data, [0, 1], {"g": [[1.0]]}, {"sigma": 1.0})
    assert balanced(posterior.design)["x"].tolist() == [2.75]


def test_a_reference_grid_combines_values_and_holds_the_rest_typical(design):
    grid = reference_grid(design, ["dose"], at={"x": [-1, 0, 1]})
    assert len(grid) == 9
    assert set(zip(grid["dose"], grid["x"], strict=True)) == {
        (d, x) for d in ("low", "mid", "high") for x in (-1, 0, 1)
    }
    assert reference_grid(design, [], at={"x": 2.0})["x"].tolist() == [2.0]


def test_a_reference_grid_keeps_declared_categories():
    dose = pd.Categorical(["low", "high", "low", "mid"], ["low", "mid", "high"], ordered=True)
    sex = pd.Categorical(["m", "f", "f", "f"], ["m", "f"])
    data = pd.DataFrame({"y": [0.0, 1.0, 2.0, 1.5], "dose": dose, "sex": sex, "g": list("aabb")})
    design = ModelSpec.from_formula("y ~ dose + (1|g)"), data
    posterior = posterior_at(*design, [0, 1, 2], {"g": [[1.0]]}, {"sigma": 1.0})
    assert reference_grid(posterior.design, "dose")["dose"].tolist() == ["low", "mid", "high"]
    both = posterior_at(ModelSpec.from_formula("y ~ sex + dose"), data, [0, 1, 2, 3], {}, {"sigma": 1.0}).design
    grid = reference_grid(both, "dose")
    assert grid["sex"].tolist() == ["f"] * 3
    assert list(grid["sex"].cat.categories) == ["m", "f"]
    assert len(reference_grid(both, [])) == 1


def test_a_number_of_many_values_is_gridded_by_its_quartiles(design):
    expected = np.quantile(design.data["x"], [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(reference_grid(design, "x")["x"], expected)


def test_numbers_inside_C_are_categories():
    data = pd.DataFrame({"y": np.arange(8.0), "k": [1, 2, 3, 3] * 2, "g": list("abcdabcd")})
    spec = ModelSpec.from_formula("y ~ C(k) + (1 | g)")
    posterior = posterior_at(spec, data, [0.0, 1.0, 2.0], {"g": [[1.0]]}, {"sigma": 1.0})
    assert factor_columns(posterior.design) == {"k"}
    assert means(posterior.design)["k"].tolist() == [3]
    assert levels(posterior.design, "k") == [1, 2, 3]


def test_ordered_categories_keep_their_order_and_type():
    data = pd.DataFrame({"y": np.arange(6.0), "g": list("aabbcc")})
    data["size"] = pd.Categorical(["S", "M", "L"] * 2, categories=["S", "M", "L"], ordered=True)
    spec = ModelSpec.from_formula("y ~ size + (1 | g)")
    design = posterior_at(spec, data, [0.0, 1.0, 2.0], {"g": [[1.0]]}, {"sigma": 1.0}).design
    assert levels(design, "size") == ["S", "M", "L"]
    assert reference_grid(design, "size")["size"].dtype == data["size"].dtype
    assert with_value(design, design.data, "size", "L")["size"].dtype == data["size"].dtype


def test_collapsing_counts_the_rows(design):
    patterns = collapse(design.data, ["dose"])
    assert patterns["dose"].tolist() == ["low", "mid", "high"]
    assert patterns["n"].tolist() == [20, 20, 20]
    assert collapse(design.data, [])["n"].tolist() == [60]
    assert collapse(pd.DataFrame({"n": [1, 1, 2]}), ["n"])["n_"].tolist() == [2, 1]


def test_observed_rows_leave_the_groups_out_unless_asked(design):
    assert list(observed(design)) == ["x", "dose"]
    assert list(observed(design, groups=["g", "h"])) == ["x", "dose", "g", "h"]


def test_a_counterfactual_leaves_the_data_alone(design):
    changed = with_value(design, design.data, "dose", "mid")
    assert set(changed["dose"]) == {"mid"}
    assert set(design.data["dose"]) == {"low", "mid", "high"}


def test_unknown_variables_and_levels_name_the_nearest(design):
    with pytest.raises(SpecError, match="Did you mean 'dose'"):
        reference_grid(design, "dosis")
    with pytest.raises(SpecError, match="grouping factor"):
        reference_grid(design, "g")
    with pytest.raises(DataError, match=r"not seen dose 'highest'.*Did you mean 'high'"):
        reference_grid(design, [], at={"dose": "highest"})
