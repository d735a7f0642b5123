"""What the model's variables are called, along which dimensions they lie, and under which labels."""

from __future__ import annotations

import numpy as np
import pytest

import bayes_glmm as bg
from tests.model.structures import ROWS, STRUCTURES, Structure, small_data

EVERY_STRUCTURE = pytest.mark.parametrize("structure", STRUCTURES, ids=[s.name.replace(" ", "-") for s in STRUCTURES])


@EVERY_STRUCTURE
def test_names_dims_and_labels(structure: Structure) -> None:
    model = structure.model()
    pymc, response = model.pymc, model.design.response
    expected: dict[str, tuple[str, ...]] = {response: ("row",)}
    if structure.coefficients:
        expected["beta"] = ("coefficient",)
        if not structure.states_coefficients:
            expected["b"] = ("canonical",)
    if structure.family == "gaussian":
        expected["sigma"] = ()
    for group, effects in structure.effects.items():
        square = (f"{group}_effect", f"{group}_effect_2")
        expected |= {
            f"sd_{group}": (f"{group}_effect",),
            f"G_{group}": square,
            f"u_{group}": (group, f"{group}_effect"),
            f"z_{group}": (group, f"{group}_effect"),
        }
        if max(structure.runs[group]) > 1:
            expected[f"corr_{group}"] = square
        assert list(pymc.coords[f"{group}_effect"]) == list(pymc.coords[f"{group}_effect_2"]) == list(effects)
        assert structure.levels[group] == len(pymc.coords[group])
    found = {name: tuple(pymc.named_vars_to_dims.get(name, ())) for name in expected if name in pymc.named_vars}
    assert expected == found
    # besides: factors of correlation matrices, and single coefficients or sds whose priors differ
    others = set(pymc.named_vars) - set(expected) - {value.name for value in pymc.value_vars}
    assert all(name.startswith(("chol_", "beta[", "sd_")) for name in others), others
    assert list(structure.coefficients) == list(pymc.coords["coefficient"])
    assert ROWS == len(pymc.coords["row"])
    assert all("/" not in name for name in pymc.named_vars)


def test_levels_are_labelled_in_the_order_of_the_data() -> None:
    model = bg.GLMM("y ~ x + (1 | h/class)", small_data()).pymc
    assert ("s", "t", "v") == tuple(model.coords["h"])
    assert ("s:1", "s:2", "t:1", "t:2", "v:1", "v:2") == tuple(model.coords["h:class"])


def test_one_vector_where_priors_share_a_distribution_and_scalars_where_they_do_not() -> None:
    same = bg.GLMM("y ~ x + (1 | g)", small_data(), priors={"Intercept": "Normal(1, 2)", "x": "Normal(0, 3)"})
    assert ["beta", "sd_g", "z_g", "sigma"] == [variable.name for variable in same.pymc.free_RVs]
    mixed = bg.GLMM("y ~ x + (1 | g)", small_data(), priors={"Intercept": "Cauchy(1, 2)", "x": "Normal(0, 3)"})
    names = [variable.name for variable in mixed.pymc.free_RVs]
    assert ["beta[Intercept]", "beta[x]", "sd_g", "z_g", "sigma"] == names
    assert ["beta", "G_g", "u_g"] == [variable.name for variable in mixed.pymc.deterministics]


def test_counts_and_trials_are_whole_numbers() -> None:
    # PyMC's discrete likelihoods are told apart by the type of what is observed
    model = bg.GLMM("p(k, n) ~ x + (1 | g)", small_data(), family="binomial")
    observed = model.pymc.rvs_to_values[model.pymc["k"]]
    assert np.issubdtype(observed.dtype, np.integer)


@pytest.mark.parametrize("name", ["sigma", "beta", "sd_g", "u_g", "row", "coefficient", "chain"])
def test_a_response_named_like_a_parameter_or_a_dimension_gets_a_suffix(name: str) -> None:
    data = small_data().assign(**{name: np.arange(float(ROWS))})
    model = bg.GLMM(f"{name} ~ x + (1 | g)", data).pymc
    assert [f"{name}_response"] == [variable.name for variable in model.observed_RVs]
    assert model.named_vars_to_dims[f"{name}_response"] == ("row",)
    np.testing.assert_array_equal(model.rvs_to_values[model[f"{name}_response"]].eval(), data[name])


@pytest.mark.parametrize("group", ["row", "coefficient", "chain", "draw", "sigma", "beta", "b", "u_x"])
def test_a_group_named_like_a_dimension_or_a_parameter_gets_a_suffix(group: str) -> None:
    model = bg.GLMM(f"y ~ x + (1 | {group})", small_data().rename(columns={"g": group})).pymc
    assert (f"{group}_level", f"{group}_effect") == tuple(model.named_vars_to_dims[f"u_{group}"])
    assert [*"abcd"] == list(model.coords[f"{group}_level"])


def test_a_response_that_groups_is_refused() -> None:
    with pytest.raises(bg.GLMMError, match=r"g.*Leave it out there"):
        bg.GLMM("g ~ x + (1 | g)", small_data().assign(g=np.arange(ROWS)))
