"""Covariances in formulas: read, written, carried to plain values and back, refused in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.errors import SpecError
from bayes_glmm.numerics.covariance import COVARIANCES
from bayes_glmm.spec import ModelSpec, RandomTerm
from bayes_glmm.spec.formula import parse_formula


@pytest.mark.parametrize("name", COVARIANCES)
def test_a_covariance_is_written_before_the_brackets(name: str) -> None:
    (term,) = parse_formula(f"y ~ x + {name} ( 0 + f | g )").random
    assert term == RandomTerm("0 + f", "g", covariance=name)
    assert str(term) == f"{name}(0 + f | g)"
    assert parse_formula(f"y ~ x + {term}").random == (term,)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("us(x | g)", "(x | g)"),
        ("diag(x | g)", "(x || g)"),
        ("cs(0 + f | g, hom = TRUE)", "homcs(0 + f | g)"),
        ("ar1(0 + f | g, hom=False)", "hetar1(0 + f | g)"),
        ("hetar1(0 + f | g, hom=T)", "ar1(0 + f | g)"),
        ("homcs(0 + f | g, hom = TRUE)", "homcs(0 + f | g)"),
        ("cs(0 + f | a/b)", "cs(0 + f | a) + cs(0 + f | a:b)"),
    ],
)
def test_spellings_of_r(written: str, meant: str) -> None:
    assert parse_formula(f"y ~ {written}").random == parse_formula(f"y ~ {meant}").random


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("cs(0 + f || g)", r"'cs' has its own correlations.*Write cs\(0 \+ f \| g\)"),
        ("ar1(0 + f |i| g)", "'ar1' has its own correlations"),
        ("cs(0 + f | g, 3)", r"'cs' has no argument '3'.*hom=TRUE asks for one sd"),
        ("us(x | g, hom = TRUE)", "'us' has no argument 'hom = TRUE'"),
        ("ou(0 + f | g, hom = FALSE)", "'ou' has one sd"),
        ("toep(0 + f | g)", r"[Cc]ovariances.*cs\(0 \+ f \| g\)"),
    ],
)
def test_what_is_refused(term: str, message: str) -> None:
    with pytest.raises(SpecError, match=f"(?s){message}"):
        ModelSpec.from_formula(f"y ~ x + {term}")


@pytest.mark.parametrize("name", COVARIANCES)
def test_plain_values_and_back(name: str) -> None:
    spec = ModelSpec.from_formula(f"y ~ x + (1 | h) + {name}(0 + f | g)")
    assert spec.to_dict()["random"][1]["covariance"] == name
    assert ModelSpec.from_dict(spec.to_dict()) == spec


def test_a_covariance_given_in_parts_has_a_name() -> None:
    parts = {"response": "y", "random": [{"effects": "0 + f", "group": "g", "covariance": "csx"}]}
    with pytest.raises(SpecError, match=r"no covariance 'csx'.*Did you mean 'cs'"):
        ModelSpec.from_dict(parts)


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    t = np.tile([1, 2, 4], 20)
    return pd.DataFrame({"y": rng.normal(size=60), "x": rng.normal(size=60), "t": t, "g": np.repeat(np.arange(10), 6)})


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("cs(x | g)", r"are Intercept, x: compound symmetry is for the levels of a factor.*cs\(0 \+ C\(f\) \| g\)"),
        ("ar1(0 + x | g)", "are x: first-order autoregression is for the levels"),
        ("ar1(0 + C(t) | g)", r"times 1, 2, 4 are not equally far apart.*ou\(0 \+ C\(t\) \| g\)"),
    ],
)
def test_effects_must_have_distances(term: str, message: str) -> None:
    with pytest.raises(SpecError, match=f"(?s){message}"):
        bg.GLMM(f"y ~ x + {term}", table())


def test_one_sd_has_one_prior_and_one_line() -> None:
    model = bg.GLMM("y ~ x + ou(0 + C(t) | g)", table(), priors={"sd_g": "HalfNormal(1)", "corr_g": "LKJ(3)"})
    names = [name for name in model.priors.entries if name.endswith("_g") or "_g[" in name]
    assert names == ["sd_g[C(t)[1]]", "corr_g"]
    text = str(model)
    assert "Ornstein-Uhlenbeck process of C(t)[1], C(t)[2], C(t)[4]:\n    R_g[C(t)[2], C(t)[1]] = ρ, 0 < ρ < 1" in text
    assert "\nplace of ρ between 0 and 1 ~ Beta(3, 3)" in text
    assert "others ρ to the power of their distance; one sd_g" in text
    with pytest.raises(SpecError, match=r"sd_g\[C\(t\)\[2\]\]"):
        bg.GLMM("y ~ x + ou(0 + C(t) | g)", table(), priors={"sd_g[C(t)[2]]": "HalfNormal(1)"})
