"""Which systems of coordinates every family and structure may be sampled in, against the table of instances."""

from __future__ import annotations

import re

import pytest

from bayes_glmm.inference import Settings
from bayes_glmm.inference.case import Case
from bayes_glmm.inference.coordinates import FIXED, MARGINAL, PLAIN, QUADRATURE, SYSTEMS, WHITENED
from bayes_glmm.inference.engines import get_engine
from tests.contracts.instances import DIAGONAL, INSTANCES, Instance

NAMES = {"fixed": FIXED, "whitened": WHITENED, "closed form": MARGINAL, "quadrature": QUADRATURE}


def test_the_table_has_every_system() -> None:
    assert {id(one) for one in (*NAMES.values(), PLAIN)} == {id(one) for one in SYSTEMS}


@pytest.mark.parametrize(
    "instance",
    [pytest.param(one, id=str(one), marks=() if one in DIAGONAL else pytest.mark.slow) for one in INSTANCES],
)
def test_obstacles_are_those_of_the_table(instance: Instance) -> None:
    case = Case(instance.model().problem.canonical, get_engine("nutpie"), Settings(progress=False))
    assert PLAIN.obstacle(case) is None
    for name, system in NAMES.items():
        expected, found = instance.obstacle(name), system.obstacle(case)
        if expected:
            assert found, name
            assert re.search(expected, found), f"{name}: {found}"
        else:
            assert found is None, f"{name}: {found}"
    chosen = min((one for one in SYSTEMS if one.obstacle(case) is None), key=lambda one: one.cost(case))
    assert chosen is not PLAIN
