"""ModelSpec goes to and from plain values, and says what is wrong with those that cannot be."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import yaml
from hypothesis import given

from bayes_glmm.errors import SpecError
from bayes_glmm.families import FAMILIES
from bayes_glmm.spec import ModelSpec, Prior
from tests.strategies import specs


@given(specs())
def test_to_and_from_plain_values(spec: ModelSpec) -> None:
    assert ModelSpec.from_dict(spec.to_dict()) == spec
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert ModelSpec.from_dict(yaml.safe_load(yaml.safe_dump(spec.to_dict(), allow_unicode=True))) == spec


@given(specs())
def test_to_and_from_formula_text(spec: ModelSpec) -> None:
    again = ModelSpec.from_formula(str(spec.formula), spec.family_name, spec.link_name, spec.priors)
    assert again == spec
    assert str(spec.formula) in str(spec)
    assert spec.family_name in str(spec)
    assert spec.link_name in str(spec)


def test_formula_and_parts_are_the_same_model() -> None:
    parts = {
        "response": "y",
        "trials": "n",
        "fixed": "x",
        "random": [{"effects": "x", "group": "g", "correlated": False}, {"effects": "1", "group": "g:h"}],
        "offset": "log(t)",
        "family": "binomial",
        "link": "probit",
        "priors": {"beta": "Normal(0, 1)"},
    }
    text = "p(y, n) ~ x + offset(log(t)) + (x || g) + (1 | g:h)"
    assert ModelSpec.from_dict(parts) == ModelSpec.from_formula(text, "binomial", "probit", {"beta": "Normal(0, 1)"})
    whole = {"formula": text, "family": "binomial", "link": "probit", "priors": {"beta": "Normal(0, 1)"}}
    assert ModelSpec.from_dict(whole) == ModelSpec.from_dict(parts)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_first_link_is_the_default(family) -> None:
    left = "p(y, n)" if family.response.trials else "y"
    spec = ModelSpec.from_formula(f"{left} ~ x", family.name)
    assert (spec.link_name, spec.family, spec.link.name) == (family.links[0], family, family.links[0])


def test_a_specification_is_immutable_and_comparable() -> None:
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", priors={"beta": Prior("Normal", (0, 1))})
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.family_name = "poisson"  # type: ignore[misc]
    assert spec == ModelSpec.from_formula("y~x+(1|g)", priors={"beta": "Normal(0, 1)"})
    assert spec != ModelSpec.from_formula("y ~ x + (1 | g)", priors={"beta": "Normal(0, 2)"})
    assert spec != ModelSpec.from_formula("y ~ x + (1 || g)", priors={"beta": "Normal(0, 1)"})


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({}, "'response'"),
        ({"formula": "y ~ x", "response": "y"}, "Both 'formula' and 'response'"),
        ({"fromula": "y ~ x"}, "Did you mean 'formula'?"),
        ({"formula": None}, "A formula is text"),
        ({"formula": "y ~ x", "family": "gausian"}, "Did you mean 'gaussian'?"),
        ({"formula": "y ~ x", "family": None}, "no family None"),
        ({"formula": "y ~ x", "link": "probti"}, "Did you mean 'probit'?"),
        ({"formula": "y ~ x", "link": "logit"}, "does not take the link 'logit'"),
        ({"formula": "y ~ x", "family": "poisson", "link": "inverse"}, "Valid: log, identity, sqrt."),
        ({"formula": "p(y, n) ~ x", "family": "bernoulli"}, "family='binomial'"),
        ({"formula": "y ~ x", "family": "binomial"}, "p(y, n)"),
        ({"formula": "y ~ x", "priors": {"beta": "Normal"}}, "Normal(0, 2.5)"),
        ({"formula": "y ~ x", "priors": ["Normal(0, 1)"]}, "The priors are a list"),
        ({"formula": "y ~ x", "priors": "Normal(0, 1)"}, "The priors are a str"),
        ({"response": "y", "random": ["(1 | g)"]}, "A random term is a str"),
        ({"response": "y", "random": [{"group": "g"}]}, "needs 'effects'"),
        ({"response": "y", "random": [{"effects": "1", "gruop": "g"}]}, "Did you mean 'group'?"),
        ({"response": "y", "random": [{"effects": "1", "group": "log(g)"}]}, "not a column"),
        ({"response": "y", "fixed": "x + (1"}, "')' is missing"),
        ({"response": "y ~ x"}, "one '~'"),
    ],
)
def test_what_is_not_a_model(mapping: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        ModelSpec.from_dict(mapping)
    assert words in str(caught.value)
