"""``cs(x)``: how it is read, written and refused, beside the covariance of the same name."""

from __future__ import annotations

import pytest

import bayes_glmm as bg
from bayes_glmm.errors import SpecError
from bayes_glmm.spec import ModelSpec
from bayes_glmm.spec.formula import parse_formula
from tests.inference.test_cumulative import data

FREE = ("sratio", "cratio", "acat")
BOTH = r"cs\(x\) has a coefficient of x per threshold; cs\(0 \+ f \| g\) is a covariance"


@pytest.mark.parametrize(
    ("written", "common", "specific", "again"),
    [
        ("cs(x)", "1", "x", "y ~ 1 + cs(x)"),
        ("f + cs(x) + (1 | g)", "f", "x", "y ~ f + cs(x) + (1 | g)"),
        ("cs(x) + f + cs(z:w)", "f", "x + z:w", "y ~ f + cs(x + z:w)"),
        ("cs (a*b) - 1", "- 1", "a*b", "y ~ - 1 + cs(a*b)"),
        ("x + cs(0 + f | g)", "x", "", "y ~ x + cs(0 + f | g)"),
        ("cs(f) + cs(0 + f | g)", "1", "f", "y ~ 1 + cs(f) + cs(0 + f | g)"),
        ("cs(bs(x, df=4))", "1", "bs(x, df=4)", "y ~ 1 + cs(bs(x, df=4))"),
    ],
)
def test_both_uses_are_read_and_written_again(written: str, common: str, specific: str, again: str) -> None:
    found = parse_formula(f"y ~ {written}")
    assert (found.fixed, found.specific, str(found)) == (common, specific, again)
    assert parse_formula(str(found)) == found


@pytest.mark.parametrize("family", FREE)
def test_a_specification_goes_to_a_dict_and_back(family: str) -> None:
    spec = ModelSpec.from_formula(["y ~ f + cs(x) + (1 | g)", "disc ~ x"], family)
    assert spec.to_dict()["fixed"] == "f + cs(x)"
    assert spec.to_dict()["formulas"] == {"disc": "x"}
    assert ModelSpec.from_dict(spec.to_dict()) == spec
    with_data = bg.GLMM(["y ~ f + cs(x) + (1 | g)", "disc ~ x"], data(), family).spec
    assert with_data.to_dict() == spec.to_dict()
    assert list(with_data.predicted) == ["mu", "disc", "cs1", "cs2", "cs3"]
    fewer = with_data.of(("1", "2", "3"))
    assert list(fewer.predicted) == ["mu", "disc", "cs1", "cs2"]
    assert "cs1" not in str(with_data)


@pytest.mark.parametrize(
    ("formula", "family", "message"),
    [
        ("y ~ cs(x)", "cumulative", rf"Under cumulative.*probabilities are negative.*family='sratio'.*{BOTH}"),
        ("y ~ cs(x)", "gaussian", rf"gaussian family has no thresholds.*family='acat'.*{BOTH}"),
        ("y ~ cs(x)", "categorical", rf"categorical family has no thresholds.*{BOTH}"),
        ("y ~ cs()", "acat", rf"a term of their own.*cs\(a \+ b\) for several.*{BOTH}"),
        ("y ~ cs(x, f)", "acat", rf"a term of their own.*{BOTH}"),
        ("y ~ f - cs(x)", "acat", rf"a term of their own.*- cs\(x\).*{BOTH}"),
        ("y ~ cs(x):f", "acat", r"\+ cs\(x\), with interactions inside: cs\(x:z\).*covariance.*cs\(0 \+ f \| g\)"),
        ("y ~ (cs(x) | g)", "acat", r"\+ cs\(x\).*Random effects have none; their covariance.*cs\(0 \+ f \| g\)"),
        ("y ~ cs(x | g)", "acat", rf"compound symmetry is for the levels of a factor.*{BOTH}"),
        ("y ~ x + cs(x)", "acat", r"effect of x is in the formula twice"),
        ("y ~ f + cs(f:x)", "acat", ""),
        ("y ~ cs(0 + f)", "acat", r"add up to a constant.*Leave out 0 \+"),
        ("y ~ cs(1)", "acat", r"its constant is theirs"),
        (["y ~ x", "disc ~ cs(f)"], "acat", rf"Effects on disc cannot differ.*{BOTH}"),
    ],
)
def test_what_cannot_be_is_refused_with_both_spellings(formula: str | list[str], family: str, message: str) -> None:
    if not message:
        bg.GLMM(formula, data(), family)
        return
    with pytest.raises(SpecError, match=message):
        bg.GLMM(formula, data(), family)


@pytest.mark.parametrize("pattern", ["equidistant", "symmetric"])
def test_tied_thresholds_are_refused(pattern: str) -> None:
    with pytest.raises(SpecError, match=rf"{pattern} at one value of x are not at another"):
        bg.GLMM("y ~ cs(x)", data(), "sratio", thresholds=pattern)


def test_priors_are_set_for_all_thresholds_or_for_one() -> None:
    priors = {"x": "Normal(0, 1)", "cs2.x": "Normal(0, 0.5)", "beta": "Normal(0, 3)"}
    entries = bg.GLMM("y ~ f + cs(x)", data(), "sratio", priors=priors).priors.entries
    found = {name: str(prior) for name, prior in entries.items() if name.startswith("beta")}
    assert found == {
        "beta[f[q]]": "Normal(0, 3)",
        "beta[f[r]]": "Normal(0, 3)",
        "beta_cs1[x]": "Normal(0, 1)",
        "beta_cs2[x]": "Normal(0, 0.5)",
        "beta_cs3[x]": "Normal(0, 1)",
    }
    with pytest.raises(SpecError, match=r"no parameter 'cs4\.x'"):
        bg.GLMM("y ~ f + cs(x)", data(), "sratio", priors={"cs4.x": "Normal(0, 1)"})


def test_the_model_is_written_with_a_predictor_per_threshold() -> None:
    lines = str(bg.GLMM("y ~ f + cs(x)", data(), "acat")).splitlines()
    assert lines[1] == "logit(P(y_i = k+1 | y_i ∈ {k, k+1})) = η_i + cs_k,i − threshold[k|k+1],  k = 1, 2, 3"
    assert lines[3:6] == [f"cs_{k},i = β_cs{k}[x] x_i" for k in (1, 2, 3)]
    lines = str(bg.GLMM("y ~ f + cs(x)", data(), "sratio")).splitlines()
    assert "threshold[k|k+1] − (η_i + cs_k,i)" in lines[1]
