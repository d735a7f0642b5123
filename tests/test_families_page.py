"""The page of all families: what it says is what the records have, and its formulas are what they compute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy import special

from bayes_glmm.families import FAMILIES, LINKS, Family, Response, get_family
from bayes_glmm.numerics.functions import NUMPY
from docs.families import PACKAGES, PAGE, averages, page, records
from tests.contracts.test_families import AUXILIARY

NUMBERS = [family for family in FAMILIES.values() if not family.categories]


def test_the_page_has_the_records() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.startswith("\n".join(records())), "run python docs/families.py"


@pytest.mark.slow
def test_the_page_has_the_rules_that_run() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python docs/families.py"
    assert len(averages()) > len(FAMILIES)


def test_names_elsewhere_are_accepted() -> None:
    for family in FAMILIES.values():
        assert set(family.elsewhere) <= set(PACKAGES)
        for text in family.elsewhere.values():
            name = text.partition(";")[0]
            assert " with " in name or get_family(name) is family, text


def value(family: Family, name: str, given: Mapping[str, float]) -> float:
    """What a formula of a record comes to."""
    names: dict[str, Any] = {
        "exp": np.exp,
        "gamma": special.gamma,
        "expit": special.expit,
        "logit": special.logit,
        **given,
    }
    for key, text in family.formulas.items():
        names[key] = eval(text.replace("^", "**"), {}, names)
    return float(names[name])


@pytest.mark.parametrize("family", NUMBERS, ids=lambda family: family.name)
def test_formulas_are_what_the_record_computes(family: Family) -> None:
    assert {"variance", "density"} & set(family.formulas)
    moved: dict[str, Any] = {"mean": family.mean.value, "variance": family.variance, "correlation": family.correlation}
    for mu in (0.27, 0.61):
        given = {"mu": mu} | {name: AUXILIARY[name] for name in family.auxiliary}
        at = family.at({"mu": (np.array(mu), LINKS["identity"])}, {key: np.array(x) for key, x in given.items()}, NUMPY)
        computed = {name: function(at) for name, function in moved.items() if name in family.formulas}
        for key, y in (("p0", 0.0), ("p1", 1.0)):
            if key in family.formulas:
                computed[key] = np.exp(family.log_density(Response(np.array(y)), at, NUMPY))
        assert set(computed) == set(family.formulas) - {"density"}
        for name, number in computed.items():
            assert value(family, name, given) == pytest.approx(float(number), rel=1e-12), name
        if "mean" not in family.formulas:
            assert float(family.mean.value(at)) == mu
