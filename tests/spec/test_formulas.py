"""Formulas of several parameters: written in two ways, carried to plain values and back, and refused in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bayes_glmm.errors import SpecError
from bayes_glmm.families import FAMILIES
from bayes_glmm.spec import ModelSpec, RandomTerm
from tests.strategies import GROUPS, right_sides

SEVERAL = [family for family in FAMILIES.values() if family.auxiliary]
SHARED = st.sampled_from([None, "i", "id_2", "1"])
TERMS = st.builds(
    lambda effects, group, correlated, shared: RandomTerm(effects, group, correlated or shared is not None, shared),
    right_sides(),
    GROUPS,
    st.booleans(),
    SHARED,
)


@st.composite
def sides(draw: st.DrawFn) -> str:
    """A right-hand side with random terms, some of which share a name, and perhaps an offset."""
    parts = [draw(right_sides()), *map(str, draw(st.lists(TERMS, max_size=2)))]
    if draw(st.booleans()):
        parts.append(draw(st.sampled_from(["offset(log(t))", "offset(2 * t)"])))
    return " + ".join(parts)


@st.composite
def written(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of ``from_formula`` with formulas of some further parameters, and links of some of those."""
    family = draw(st.sampled_from(SEVERAL))
    names = draw(st.lists(st.sampled_from(list(family.auxiliary)), min_size=1, unique=True))
    linked = draw(st.sets(st.sampled_from(["mu", *names])))
    records = {parameter.name: parameter for parameter in family.parameters}
    left = ["p(y, n)", "p(sigma, 9)"] if family.response.trials else ["y", "sigma", "log(y)"]
    return {
        "formula": f"{draw(st.sampled_from(left))} ~ {draw(sides())}",
        "family": family.name,
        "formulas": {name: draw(sides()) for name in names},
        "link": {name: draw(st.sampled_from(records[name].links)) for name in sorted(linked)},
    }


@given(written())
def test_a_list_and_a_mapping_are_the_same_model(arguments: dict[str, Any]) -> None:
    mapping = ModelSpec.from_formula(**arguments)
    formulas = arguments.pop("formulas")
    listed = [arguments.pop("formula"), *(f"{name} ~ {right}" for name, right in formulas.items())]
    assert ModelSpec.from_formula(listed, **arguments) == mapping
    assert ModelSpec.from_formula(tuple(listed), **arguments) == mapping
    assert set(mapping.formulas) == set(formulas) == set(mapping.links)


@given(written())
def test_to_and_from_plain_values(arguments: dict[str, Any]) -> None:
    spec = ModelSpec.from_formula(**arguments)
    for carried in (
        spec.to_dict(),
        json.loads(json.dumps(spec.to_dict())),
        yaml.safe_load(yaml.safe_dump(spec.to_dict(), allow_unicode=True)),
    ):
        again = ModelSpec.from_dict(carried)
        assert again == spec
    for name, formula in spec.formulas.items():
        assert str(formula) in str(spec)
        assert spec.link_of(name).name == spec.links[name]


def test_plain_values_are_readable() -> None:
    spec = ModelSpec.from_formula(
        ["y ~ x + (x |i| g)", "zi ~ w + offset(t) + (1 |i| g)"],
        "zero_inflated_poisson",
        {"zi": "probit"},
        {"zi.beta": "Normal(0, 1)"},
    )
    assert spec.to_dict() == {
        "response": "y",
        "fixed": "x",
        "random": [{"effects": "x", "group": "g", "correlated": True, "shared": "i"}],
        "formulas": {"zi": "w + offset(t) + (1 |i| g)"},
        "family": "zero_inflated_poisson",
        "link": {"mu": "log", "zi": "probit"},
        "priors": {"zi.beta": "Normal(0, 1)"},
    }
    assert [(term.effects, term.shared) for term in spec.random] == [("x", "i"), ("1", "i")]


def test_a_model_with_one_formula_has_the_plain_values_it_always_had() -> None:
    assert ModelSpec.from_formula("y ~ x", "gamma", {"mu": "inverse"}).to_dict() == {
        "response": "y",
        "fixed": "x",
        "family": "gamma",
        "link": "inverse",
    }


@pytest.mark.parametrize("mapping", [{"formula": ["y ~ x", "sigma ~ z"]}, {"formula": "y ~ x"}, {"response": "y"}])
def test_a_mapping_takes_formulas_in_any_form(mapping: dict[str, Any]) -> None:
    rest = {} if isinstance(mapping.get("formula"), list) else {"formulas": {"sigma": "z"}}
    expected = ModelSpec.from_formula(["y ~ x" if "formula" in mapping else "y ~ 1", "sigma ~ z"])
    assert ModelSpec.from_dict(mapping | rest) == expected


@pytest.mark.parametrize("response", ["sigma", "nu", "mu", "`sigma`"])
def test_the_first_formula_is_that_of_the_response_whatever_it_is_called(response: str) -> None:
    spec = ModelSpec.from_formula([f"{response} ~ x", "sigma ~ z"], "student_t")
    assert spec.formula.response == response
    assert {name: one.right for name, one in spec.predicted.items()} == {"mu": "x", "sigma": "z"}
    assert list(spec.auxiliary) == ["nu"]
    assert not ModelSpec.from_formula(f"{response} ~ x", "student_t").formulas


def test_predictors_are_in_the_order_of_the_family() -> None:
    spec = ModelSpec.from_formula(["y ~ x", "nu ~ z", "sigma ~ w"], "student_t")
    assert list(spec.predicted) == ["mu", "sigma", "nu"]
    assert spec.auxiliary == {}


def test_one_model_is_one_text() -> None:
    one = ModelSpec.from_formula(["y ~ x", "nu ~ 1", "sigma ~ 1"], "student_t")
    other = ModelSpec.from_formula(["y ~ x", "sigma ~ 1", "nu ~ 1"], "student_t")
    assert one == other
    assert str(one) == str(other)


def test_each_parameter_has_its_first_link_by_default() -> None:
    for family in SEVERAL:
        left = "p(y, n)" if family.response.trials else "y"
        for name, record in family.auxiliary.items():
            spec = ModelSpec.from_formula([f"{left} ~ x", f"{name} ~ z"], family.name)
            assert (spec.link_name, spec.links) == (family.links[0], {name: record.links[0]})


def test_one_link_is_that_of_the_location() -> None:
    spec = ModelSpec.from_formula(["y ~ x", "sigma ~ z"], link="log")
    assert (spec.link.name, spec.link_of("mu").name, spec.link_of("sigma").name) == ("log", "log", "log")
    assert ModelSpec.from_formula(["y ~ x", "sigma ~ z"]).link.name == "identity"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"formula": ["y ~ x", "tau ~ z"]}, "no further parameter 'tau': tau is not a parameter of it"),
        ({"formula": ["y ~ x", "sgima ~ z"]}, "Did you mean 'sigma'?"),
        ({"formula": "y ~ x", "formulas": {"tau": "z"}}, "no further parameter 'tau'"),
        ({"formula": ["y ~ x", "mu ~ z"]}, "mu is the location of it"),
        ({"formula": "y ~ x", "formulas": {"mu": "z"}}, "mu is the location of it"),
        ({"formula": ["y ~ x", "zi ~ z"], "family": "poisson"}, "Its only parameter is that of the response"),
        ({"formula": ["y ~ x", "sigma ~ z", "sigma ~ x"]}, "'sigma' has two formulas"),
        ({"formula": ["y ~ x", "sigma ~ z"], "formulas": {"sigma": "z"}}, "'sigma' has two formulas"),
        ({"formula": "y ~ x", "link": {"sigma": "log"}}, "No formula of a parameter 'sigma' takes a link"),
        ({"formula": ["y ~ x", "sigma ~ z"], "link": {"nu": "log"}}, "No formula of a parameter 'nu' takes a link"),
        ({"formula": ["y ~ x", "sigma ~ z"], "link": {"sigma": "logit"}}, "does not take the link 'logit' of sigma"),
        ({"formula": ["y ~ x", "sigma ~ z"], "link": {"mu": "logit"}}, "does not take the link 'logit'."),
        ({"formula": ["y ~ x", "sigma ~ z"], "link": {"sigma": "lgo"}}, "no link 'lgo'"),
        ({"formula": ["y ~ x", "sigma ~ z"], "link": {"sigma": 3}}, "The link of 'sigma' of a model is text, not int"),
        ({"formula": ["y ~ x", 3]}, "A formula is text, not int"),
        ({"formula": []}, "There is no formula"),
        ({"formula": "y ~ x", "formulas": {"sigma": 3}}, "The formula of 'sigma' of a model is text, not int"),
        ({"formula": "y ~ x", "formulas": {"sigma": None}}, "The formula of 'sigma' of a model is text, not NoneType"),
        ({"formula": "y ~ x", "formulas": ["sigma ~ z"]}, "The formulas are a list"),
        ({"formula": "y ~ x", "formulas": {"sigma": "y ~ z"}}, "one '~'"),
        ({"formula": ["y ~ x", "sigma ~ (1 | g"]}, "')' is missing"),
    ],
)
def test_what_is_not_a_model_of_several_parameters(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        ModelSpec.from_formula(**arguments)
    assert words in str(caught.value)
