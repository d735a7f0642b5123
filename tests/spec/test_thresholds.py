"""Patterns of thresholds and discriminations as they are asked for, refused, and saved."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.errors import SpecError
from bayes_glmm.spec import ModelSpec


def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    y, f = np.tile([1, 2, 3, 4], 15), np.repeat(["a", "b"], 30)
    return pd.DataFrame(
        {"y": y, "x": rng.normal(size=60), "year": 2000.0 + np.arange(60), "f": f, "g": np.arange(60) % 6}
    )


def test_a_pattern_goes_to_a_dict_and_back() -> None:
    spec = ModelSpec.from_formula(["y ~ x", "disc ~ x + (1 | g)"], "cumulative", thresholds="symmetric")
    assert spec.to_dict()["thresholds"] == "symmetric"
    assert ModelSpec.from_dict(spec.to_dict()) == spec
    assert "symmetric thresholds" in str(spec)
    flexible = ModelSpec.from_formula("y ~ x", "cumulative", thresholds="flexible")
    assert flexible == ModelSpec.from_formula("y ~ x", "cumulative")
    assert "thresholds" not in flexible.to_dict()


def test_without_a_formula_there_is_no_discrimination() -> None:
    model = bg.GLMM("y ~ x", data(), "cumulative")
    assert list(model.spec.auxiliary) == ["threshold_step_2", "threshold_step_3"]
    assert "disc" not in {one.name for one in model.spec.family.parameters}


def test_with_one_it_has_no_intercept() -> None:
    model = bg.GLMM(["y ~ x", "disc ~ x + f + (1 | g)"], data(), "sratio")
    assert model.design.predictors.of("disc").coefficients == ("x", "f[b]")
    assert model.priors.table.set_index("parameter")["prior"]["sd_g[disc_Intercept]"] == "HalfStudentT(nu=3, sigma=0.5)"
    assert "log(disc_i) = β_disc[x] x_i" in str(model)
    known = bg.GLMM(["y ~ x", "disc ~ offset(x)"], data(), "cumulative")
    assert known.design.predictors.of("disc").coefficients == ()


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("disc ~ 1 + x", "Leave out 1 +"),
        ("disc ~ x + 1", "Leave out 1 +"),
        ("disc ~ 0 + f", "Leave out 0 +"),
        ("disc ~ 1", "Leave the formula out"),
    ],
)
def test_an_intercept_is_refused_in_words(formula: str, words: str) -> None:
    with pytest.raises(SpecError, match="The intercept of disc is fixed at 0") as found:
        bg.GLMM(["y ~ x", formula], data(), "cumulative")
    assert words in str(found.value)


def test_a_zero_far_from_the_data_is_a_finding() -> None:
    found = [
        one for one in bg.GLMM(["y ~ x", "disc ~ year + f"], data(), "cumulative").findings if one.weight == "look"
    ]
    assert [one.name for one in found] == ["far_from_anchor"]
    assert "center(year)" in found[0].advice
    assert not bg.GLMM(["y ~ x", "disc ~ center(year) + f"], data(), "cumulative").findings


@pytest.mark.parametrize(
    ("family", "thresholds", "words"),
    [
        ("cumulative", "equal", "There is no pattern of thresholds 'equal'"),
        ("cumulative", 3, "There is no pattern of thresholds 3"),
        ("poisson", "equidistant", "The poisson family has no thresholds"),
        ("categorical", "symmetric", "The categorical family has no thresholds"),
    ],
)
def test_other_patterns_are_refused(family: str, thresholds: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        ModelSpec.from_formula("y ~ x", family, thresholds=thresholds)


def test_other_families_have_no_discrimination() -> None:
    with pytest.raises(SpecError, match="The poisson family has no further parameter 'disc'"):
        ModelSpec.from_formula(["y ~ x", "disc ~ x"], "poisson")
    with pytest.raises(SpecError, match="has no further parameter 'sigma'") as found:
        ModelSpec.from_formula(["y ~ x", "sigma ~ x"], "cumulative")
    assert "disc" in str(found.value)


def test_brms_names_a_pattern_within_the_family() -> None:
    with pytest.raises(SpecError, match="thresholds='equidistant'"):
        ModelSpec.from_formula("y ~ x", 'cumulative(threshold = "equidistant")')
    with pytest.raises(SpecError, match="thresholds='symmetric'"):
        ModelSpec.from_formula("y ~ x", 'cumulative("probit", threshold = "symmetric")')
