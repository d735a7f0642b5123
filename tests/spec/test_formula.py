"""Formula text to parts and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayes_glmm.errors import SpecError
from bayes_glmm.spec import RandomTerm, parse_formula
from tests.strategies import BLANKS, GROUPS, random_terms, right_sides


@pytest.mark.parametrize(
    ("text", "fixed", "random"),
    [
        ("y ~ 1", "1", []),
        ("y ~ x", "x", []),
        ("y~x+(x|g)", "x", ["(x | g)"]),
        ("y ~ (1 | g)", "1", ["(1 | g)"]),
        ("y ~ (1 | g) + x", "x", ["(1 | g)"]),
        ("y ~ x + (x || g)", "x", ["(x || g)"]),
        ("y ~ x + (0 + x | g)", "x", ["(0 + x | g)"]),
        ("y ~ x + (x - 1 | g)", "x", ["(x - 1 | g)"]),
        ("y ~ (1 | a/b)", "1", ["(1 | a)", "(1 | a:b)"]),
        ("y ~ (x || a/b/c)", "1", ["(x || a)", "(x || a:b)", "(x || a:b:c)"]),
        ("y ~ (1 | a:b)", "1", ["(1 | a:b)"]),
        ("y ~ (1 | a:b/c)", "1", ["(1 | a:b)", "(1 | a:b:c)"]),
        ("y ~ (1 | a) + (1 | b)", "1", ["(1 | a)", "(1 | b)"]),
        ("y ~ 0 + x + (1 | g)", "0 + x", ["(1 | g)"]),
        ("y ~ 0 + (1 | g)", "0", ["(1 | g)"]),
        ("y ~ x - 1 + (1 | g)", "x - 1", ["(1 | g)"]),
        ("y ~ x + (1 | g) - 1", "x - 1", ["(1 | g)"]),
        ("y ~ -1 + x", "- 1 + x", []),
        ("y ~ bs(x, df=4) + (bs(x, df=4) | g)", "bs(x, df=4)", ["(bs(x, df=4) | g)"]),
        ("y ~ x*z + x:z + (x*z | g)", "x*z + x:z", ["(x*z | g)"]),
        ("y ~ (x + z)**2 + ((x) | g)", "(x + z)**2", ["((x) | g)"]),
        ("y ~ ((x + (z)))", "((x + (z)))", []),
        ("y ~ I(x - 1) + {x + 2}", "I(x - 1) + {x + 2}", []),
        ("y ~ C(x, levels=['a|b', '~ (c']) + (1|g)", "C(x, levels=['a|b', '~ (c'])", ["(1 | g)"]),
        ("y ~ `size (cm)` + `:-)` + `[` + (1 | g)", "`size (cm)` + `:-)` + `[`", ["(1 | g)"]),
        ("y ~ `a + b | c` + (1 | `my g`)", "`a + b | c`", ["(1 | `my g`)"]),
        ("  y\t~\n x  +\n( 1  |  g )  ", "x", ["(1 | g)"]),
        ("y ~ (1 | dotted.name)", "1", ["(1 | dotted.name)"]),
    ],
)
def test_fixed_and_random_parts(text: str, fixed: str, random: list[str]) -> None:
    formula = parse_formula(text)
    assert (formula.response, formula.fixed, [str(term) for term in formula.random]) == ("y", fixed, random)
    assert formula.trials is None
    assert formula.offset is None


@pytest.mark.parametrize(
    ("left", "response", "trials"),
    [
        ("y", "y", None),
        ("`my y`", "`my y`", None),
        ("log(y)", "log(y)", None),
        ("y['a ~ b | c']", "y['a ~ b | c']", None),
        ("p(y, n)", "y", "n"),
        ("prop(y,n)", "y", "n"),
        ("proportion(y, 12)", "y", "12"),
        ("p(y, a + max(b, c))", "y", "a + max(b, c)"),
        ("y | trials(n)", "y", "n"),
        ("y|trials(12)", "y", "12"),
        ("cbind(y, n - y)", "y", "y + (n - y)"),
        ("cbind(dead, alive)", "dead", "dead + (alive)"),
        ("p(`my y`, `a, b`)", "`my y`", "`a, b`"),
    ],
)
def test_left_side(left: str, response: str, trials: str | None) -> None:
    formula = parse_formula(f"{left} ~ x + (1 | g)")
    assert (formula.response, formula.trials, formula.fixed) == (response, trials, "x")


@pytest.mark.parametrize(
    ("right", "fixed", "offset"),
    [
        ("offset(t)", "1", "t"),
        ("x + offset(log(t))", "x", "log(t)"),
        ("offset( log(t) - log(s) ) + x + (1 | g)", "x", "log(t) - log(s)"),
        ("offset(a) + x + offset(b)", "x", "a + b"),
        ("offset (t) + x", "x", "t"),
        ("offset_of_mine + x", "offset_of_mine + x", None),
    ],
)
def test_offset(right: str, fixed: str, offset: str | None) -> None:
    formula = parse_formula(f"y ~ {right}")
    assert (formula.fixed, formula.offset) == (fixed, offset)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "one '~'"),
        ("y", "one '~'"),
        ("~ x", "one '~'"),
        ("y ~", "one '~'"),
        ("y ~ x ~ z", "one '~'"),
        ("y ~ (1 | g", "')' is missing"),
        ("y ~ 1 | g)", "no partner"),
        ("y ~ [x)", "no partner"),
        ("y ~ 'abc", "not closed"),
        ("y ~ `abc", "not closed"),
        ("y ~ x | g", "bar may stand only"),
        ("y ~ x * (1 | g)", "bar may stand only"),
        ("y ~ (1 | g):x", "bar may stand only"),
        ("y ~ (1 | g)(1 | h)", "bar may stand only"),
        ("y ~ ((1 | g) + (1 | h))", "bar may stand only"),
        ("y ~ (1 | )", "(effects | group)"),
        ("y ~ ( | g)", "(effects | group)"),
        ("y ~ (1 ||| g)", "(effects | group)"),
        ("y ~ (1 | g | h | k)", "(effects | group)"),
        ("y ~ (1 | g + h)", "Write (1 | g) + (1 | h)."),
        ("y ~ (1 | log(g))", "not a column"),
        ("y ~ (1 | 1)", "not a column"),
        ("y ~ (1 | g//h)", "not a column"),
        ("y ~ (1 | g:)", "not a column"),
        ("y ~ (1 | `a/b`)", "not a column"),
        ("y ~ x - (1 | g)", "cannot be subtracted"),
        ("y ~ x +", "after a '+'"),
        ("y ~ x + + z", "after a '+'"),
        ("y ~ x -", "after a '-'"),
        ("y ~ x - - 1", "after a '-'"),
        ("y | n ~ x", "y | trials(n)"),
        ("y | trials() ~ x", "trials()"),
        ("p(y) ~ x", "two arguments"),
        ("p(y, ) ~ x", "two arguments"),
        ("p(y, n, m) ~ x", "two arguments"),
        ("cbind(y) ~ x", "two arguments"),
        ("y ~ offset()", "offset(expression)"),
        ("y ~ x - offset(t)", "offset(expression)"),
        ("y ~ offset(t) * x", "offset(expression)"),
        (None, "A formula is text"),
        (3, "A formula is text"),
    ],
)
def test_what_is_not_a_formula(text: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_formula(text)
    assert words in str(caught.value)


@given(right_sides(), st.lists(random_terms, max_size=3), BLANKS, st.sampled_from([None, "log(t)", "a - 2 * b"]))
def test_text_to_parts_to_text(fixed: str, random: list[RandomTerm], blank: str, offset: str | None) -> None:
    terms = [*map(str, random), *([] if offset is None else [f"offset({offset})"]), fixed]
    formula = parse_formula(f"y{blank}~{blank}" + f"{blank}+{blank}".join(terms) + blank)
    assert (formula.fixed, formula.random, formula.offset) == (fixed, tuple(random), offset)
    assert parse_formula(str(formula)) == formula


@given(right_sides(), GROUPS)
def test_columns_of_a_grouping_factor(effects: str, group: str) -> None:
    assert ":".join(RandomTerm(effects, group).columns) == group.replace("`", "")


@settings(max_examples=500)
@given(st.text(alphabet="yxg~+-*|():/'`[]{},0123 ", max_size=30))
def test_any_text_is_read_or_explained(text: str) -> None:
    try:
        formula = parse_formula(text)
    except SpecError:
        return
    assert parse_formula(str(formula)) == formula
