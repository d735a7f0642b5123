"""Terms that correlate residuals, in brms's spelling."""

from __future__ import annotations

import pytest

from bayes_glmm.design.encode import predictor_columns
from bayes_glmm.errors import SpecError
from bayes_glmm.spec import ModelSpec, ResidualTerm, parse_formula


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("ar(week, gr = id)", ResidualTerm("ar", "week", "id")),
        ("ar(time=week, gr=id, p=1, cov=TRUE)", ResidualTerm("ar", "week", "id")),
        ("ar(week, id, 1)", ResidualTerm("ar", "week", "id")),
        ("cosy(gr = id)", ResidualTerm("cosy", None, "id")),
        ("cosy(time = NA, gr = id)", ResidualTerm("cosy", None, "id")),
        ("unstr(week, gr = site:id)", ResidualTerm("unstr", "week", "site:id")),
        ("unstr(time = `my week`, gr = id)", ResidualTerm("unstr", "`my week`", "id")),
    ],
)
def test_terms_are_read_and_written(term: str, found: ResidualTerm) -> None:
    formula = parse_formula(f"y ~ x + {term} + (1 | site)")
    assert formula.residual == found
    assert formula.fixed == "x"
    assert parse_formula(str(formula)) == formula


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ("ar(week, gr = id, p = 2)", "order 2 is not supported"),
        ("ar(week, gr = id, cov = FALSE)", "stationary"),
        ("ar(week, gr = id, q = 1)", "no argument"),
        ("ar(week)", "needs the levels"),
        ("ar(gr = id)", "needs the column of occasions"),
        ("unstr(gr = id)", "needs the column of occasions"),
        ("cosy(gr = log(id))", "not a column"),
        ("ar(log(week), gr = id)", "not a column"),
        ("ar(week, gr = id) + cosy(gr = id)", "two correlations"),
        ("arma(week, gr = id)", "no correlation of residuals"),
        ("x:ar(week, gr = id)", "cannot"),
    ],
)
def test_other_terms_are_refused_in_words(term: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        predictor_columns([parse_formula(f"y ~ {term}")])


def test_a_specification_survives_a_dict() -> None:
    spec = ModelSpec.from_formula(["y ~ x + (1 | s) + unstr(week, gr = id)", "sigma ~ 0 + week"])
    assert spec.to_dict()["residual"] == "unstr(week, gr = id)"
    assert ModelSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize(("family", "effects"), [("poisson", r"ar1\(0 \+ C\(week\) \| id\)"), ("student_t", "ar1")])
def test_other_families_get_latent_effects(family: str, effects: str) -> None:
    with pytest.raises(SpecError, match=effects):
        ModelSpec.from_formula("y ~ ar(week, gr = id)", family)


@pytest.mark.parametrize(
    ("formula", "link", "words"),
    [
        ("y ~ cosy(gr = id)", "log", "identity link"),
        (["y ~ x", "sigma ~ cosy(gr = id)"], None, "sigma has no residuals"),
        ("y | weights(w, frequency) ~ cosy(gr = id)", None, "cannot be merged"),
        ("y | cens(c) ~ cosy(gr = id)", None, "cannot be censored"),
    ],
)
def test_what_correlated_residuals_exclude(formula: str, link: str | None, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        ModelSpec.from_formula(formula, link=link)
