"""Operators against Python's own eval on NumPy columns, and sums of terms against R's rules written once more."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bayes_glmm.design import Design, build_design, new_predictors
from bayes_glmm.design.expressions import columns_of
from bayes_glmm.errors import GLMMError, SpecError
from bayes_glmm.spec import ModelSpec, parse_formula

ROWS = 12
_rng = np.random.default_rng(5)
DATA = pd.DataFrame(
    {
        "y": _rng.normal(size=ROWS),
        "u": _rng.normal(size=ROWS),
        "v": _rng.uniform(0.5, 2.0, ROWS),
        "w": _rng.uniform(1.0, 3.0, ROWS),
        "k": _rng.integers(1, 6, ROWS),
        "s": _rng.integers(0, 4, ROWS),
        "g": list("abc") * 4,
    }
)
COLUMNS = {name: DATA[name].to_numpy(float) for name in "uvwk"}
FUNCTIONS = {name: getattr(np, name) for name in ("log", "exp", "sqrt", "abs", "minimum", "where")}
ATOMS = st.sampled_from(["u", "v", "w", "k", "2", "0.5", ".5", "3.", "1e1", "2E-1", "1"])


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from([" + ", " - ", "*", " / ", "**", " ** ", "%", " // "])
    return st.one_of(
        st.builds("{}{}{}".format, inner, operators, inner),
        st.builds("{}{}{}".format, inner, operators, inner),
        st.builds("({})".format, inner),
        st.builds("-{}".format, inner),
        st.builds("+ {}".format, inner),
        st.builds("exp({})".format, inner),
        st.builds("minimum({}, {})".format, inner, inner),
    )


ARITHMETIC = st.recursive(ATOMS, _compound, max_leaves=7)
CONDITIONS = st.builds("{} {} {}".format, ARITHMETIC, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), ARITHMETIC)


def _python(text: str) -> np.ndarray:
    """The value by Python: integers are floats, as no power of theirs may be negative in NumPy."""
    with np.errstate(all="ignore"):
        try:
            value = eval(text, {"__builtins__": {}}, {**COLUMNS, **FUNCTIONS})
        except (ArithmeticError, ValueError):
            assume(False)
    assume(not isinstance(value, complex))
    return np.broadcast_to(np.asarray(value, float), ROWS)


def _offset(text: str) -> np.ndarray:
    return build_design(ModelSpec.from_formula(f"y ~ u + offset({text})"), DATA).offset


@given(ARITHMETIC)
def test_arithmetic_is_that_of_python(text: str) -> None:
    expected = _python(text)
    if not np.isfinite(expected).all():
        with pytest.raises(GLMMError):
            _offset(text)
        return
    np.testing.assert_allclose(_offset(text), expected, rtol=1e-13, atol=1e-300)


@given(CONDITIONS)
def test_comparisons_are_those_of_python(text: str) -> None:
    expected = _python(text)
    np.testing.assert_array_equal(_offset(text), expected)
    chosen = _offset(f"where({text}, u, 2 * v)")
    np.testing.assert_array_equal(chosen, np.where(expected, DATA.u, 2 * DATA.v))


PLACES = {
    "fixed": ("y ~ 0 + I({})", "gaussian", lambda design: design.X[:, 0]),
    "braces": ("y ~ 0 + {{{}}}", "gaussian", lambda design: design.X[:, 0]),
    "call": ("y ~ 0 + abs({})", "gaussian", lambda design: design.X[:, 0]),
    "random": ("y ~ (0 + I({}) | g)", "gaussian", lambda design: design.blocks[0].values[:, 0]),
    "interaction": ("y ~ 0 + v:I({})", "gaussian", lambda design: design.X[:, 0] / DATA.v),
    "offset": ("y ~ u + offset({})", "gaussian", lambda design: design.offset),
    "sum of offsets": ("y ~ u + offset(0) + offset({})", "gaussian", lambda design: design.offset),
    "response": ("I({}) ~ u", "gaussian", lambda design: design.y),
    "trials": ("p(s, 1000 * ({})) ~ u", "binomial", lambda design: design.trials / 1000),
    "other trials": ("s | trials(1000 * ({})) ~ u", "binomial", lambda design: design.trials / 1000),
    "failures": ("cbind(s, 1000 * ({}) - s) ~ u", "binomial", lambda design: design.trials / 1000),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k ** 0.5 ** 2 * 0 + k", lambda d: d.k**0.25 * 0 + d.k),
        ("k ** 2 ** 1 ** 5", lambda d: d.k**2.0),
        ("100 + -k ** 2", lambda d: 100 - d.k**2),
        ("100 - -k ** 2", lambda d: 100 + d.k**2),
        ("2 ** -1 * 2 * k", lambda d: d.k),
        ("9 - k % 3 * 2", lambda d: 9 - (d.k % 3) * 2),
        ("1 + k // 2 * 3", lambda d: 1 + (d.k // 2) * 3),
        ("8 / 2 / 2 * k", lambda d: 2 * d.k),
        ("7 - 2 - 1 + k", lambda d: 4 + d.k),
        ("1 + (k > 2) + (k > 3)", lambda d: 1 + (d.k > 2).astype(int) + (d.k > 3).astype(int)),
        ("1 + (k + 1 > 2 + 1)", lambda d: 1 + (d.k > 2)),
        ("1e1 * k + 1.E0", lambda d: 10 * d.k + 1),
        ("+k", lambda d: d.k),
    ],
)
def test_operators_mean_the_same_everywhere(place: str, text: str, value) -> None:
    formula, family, read = PLACES[place]
    design = build_design(ModelSpec.from_formula(formula.format(text), family), DATA)
    np.testing.assert_allclose(read(design), value(DATA).to_numpy(float), rtol=1e-12)
    # the specification says the same once it is written down and read back
    again = build_design(ModelSpec.from_dict(ModelSpec.from_formula(formula.format(text), family).to_dict()), DATA)
    np.testing.assert_array_equal(read(again), read(design))


def test_powers_bind_before_signs_and_from_the_right() -> None:
    design = build_design(ModelSpec.from_formula("y ~ 0 + I(w ** 0.5 ** 2) + I(-w ** 2) + I((-w) ** 3)"), DATA)
    np.testing.assert_allclose(design.X, np.column_stack([DATA.w**0.25, -(DATA.w**2), -(DATA.w**3)]), rtol=1e-14)


def test_labels_keep_brackets() -> None:
    design = build_design(ModelSpec.from_formula("y ~ 0 + I((u + 1) * v) + I(u + 1 * v) + I(-(u ** 2) / 1e3)"), DATA)
    assert design.coefficients == ("I((u + 1) * v)", "I(u + 1 * v)", "I(-(u ** 2) / 1e3)")
    np.testing.assert_allclose(design.X[:, 0], (DATA.u + 1) * DATA.v)
    np.testing.assert_allclose(design.X[:, 1], DATA.u + DATA.v)


def test_functions_of_comparisons_are_exact() -> None:
    """NumPy's exp of a truth value has 16 bits."""
    design = build_design(ModelSpec.from_formula("y ~ 0 + exp(u > 0)"), DATA)
    np.testing.assert_array_equal(design.X[:, 0], np.where(DATA.u > 0, np.exp(1.0), 1.0))


def test_text_of_either_quotation_mark() -> None:
    data = DATA.assign(g=["it's", 'the "b"', "c"] * 4)
    design = build_design(ModelSpec.from_formula("""y ~ 0 + I(g == "it's") + I(g == 'the "b"')"""), data)
    np.testing.assert_array_equal(design.X, np.tile([[1, 0], [0, 1], [0, 0]], (4, 1)))


REFUSED = [
    "I(u < v < w)",
    "I(u == v == w)",
    "I(0 < u <= 1)",
    "I(u:v)",
    "I(u & v)",
    "I(u > 1 & v > 1)",
    "I(u and v)",
    "I(u or v)",
    "I(not u)",
    "I(!u)",
    "I(~u)",
    "I(u ^ 2)",
    "u ^ 2",
    "(u + v) ^ 2",
    "I(u %% 2)",
    "I(u %/% 2)",
    "I(g %in% 'a')",
    "g %in% u",
    "I(g in 'a')",
    "I(g is None)",
    "I(2L * u)",
    "I(2 u)",
    "I(u 2)",
    "I(1e)",
    "I(1_000 * u)",
    "I(0x10 * u)",
    "I(2j * u)",
    "I(u <- 2)",
    "I(u = 2)",
    "I(u := 2)",
    "I(g + g)",
    "I(-g)",
    "I(g * 2)",
    "I(g == 'a\\\\b')",
    "I(u[1])",
    "u[1]",
    "u == 1",
    "u % 2",
    "u // 2",
    "u * 2",
    "2 * u",
    "u + 2",
    "u - 2",
    "u:1",
    "u*0",
    "u ** 2",
    "(u + v) ** -1",
    "(u + v) ** 2 ** 1",
    "(u + v) ** (1 + 1)",
    "1e0 * u",
    "I((-8) ** 0.5 * u)",
    "I(0 ** -1 * u)",
    "I(1e400 * u)",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_has_no_meaning_here_is_refused(text: str) -> None:
    with pytest.raises(GLMMError) as caught:
        build_design(ModelSpec.from_formula(f"y ~ v + {text}"), DATA)
    assert caught.value.where or caught.value.advice


@pytest.mark.parametrize("transform", ["center(u)", "2 * scale(u)", "log(3 + standardize(u))", "poly(u, 1)"])
def test_an_offset_does_not_depend_on_other_rows(transform: str) -> None:
    """Its value for new rows would come from the new rows' own mean."""
    with pytest.raises(SpecError, match="depends on the rows"):
        _offset(transform)


def test_transforms_within_arithmetic_remember_their_rows() -> None:
    design = build_design(ModelSpec.from_formula("y ~ I(center(u) ** 2) + I(-scale(w) + 1)"), DATA)
    made = new_predictors(design, DATA.head(3))
    np.testing.assert_array_equal(made.X, design.X[:3])
    np.testing.assert_allclose(made.X[:, 1], (DATA.u - DATA.u.mean())[:3] ** 2, rtol=1e-12)


# ---- sums of terms: R's rules (Wilkinson & Rogers 1973; R's help page of ``formula``), a term as a set of columns

PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, ":": 3}
Tree = tuple
LEAVES = st.sampled_from("uvwk").map(lambda name: ("column", name))
_sums = st.lists(st.sampled_from("uvwk"), min_size=2, max_size=3, unique=True)
TREES = st.recursive(
    LEAVES | st.builds(lambda names, n: ("power", names, n), _sums, st.integers(1, 3)),
    lambda inner: st.tuples(st.sampled_from(list(PRECEDENCE)), inner, inner),
    max_leaves=5,
)


def _text(tree: Tree, outside: int = 0, right: bool = False) -> str:
    match tree:
        case ("column", name):
            return name
        case ("power", names, degree):
            return f"({' + '.join(names)}) ** {degree}"
    binding = PRECEDENCE[tree[0]]
    text = f"{_text(tree[1], binding)} {tree[0]} {_text(tree[2], binding, True)}"
    return f"({text})" if binding < outside or (right and binding == outside) else text


def _terms(tree: Tree) -> set[frozenset[str]]:
    match tree:
        case ("column", name):
            return {frozenset(name)}
        case ("power", names, degree):
            terms = {frozenset(name) for name in names}
            result = terms
            for _ in range(degree - 1):
                result = result | {a | b for a in result for b in terms}
            return result
    left, right = _terms(tree[1]), _terms(tree[2])
    products = {a | b for a in left for b in right}
    return {
        "+": left | right,
        "-": left - right,
        "*": left | right | products,
        ":": products,
        "/": left | {frozenset().union(*left) | b for b in right} if left else set(),
    }[tree[0]]


@given(TREES, st.sampled_from(["{}", "0 + {}", "{} - 1", "-1 + {}", "1 + {}", "{} + 0", "{} - 1 + 1"]))
def test_sums_of_terms_are_those_of_r(tree: Tree, place: str) -> None:
    from bayes_glmm.design.algebra import describe

    text = place.format(_text(tree))
    expected = {":".join(sorted(term)) for term in _terms(tree)}
    intercept = place in ("{}", "1 + {}", "{} - 1 + 1")
    fixed = parse_formula(f"y ~ {text}").fixed
    names = [":".join(sorted(term.name.split(":"))) for term in describe(fixed).common_terms]
    assert sorted(names) == sorted(expected | ({"Intercept"} if intercept else set()))
    assert set(columns_of(fixed)) == {column for term in expected for column in term.split(":")}


def _design(formula: str) -> Design:
    return build_design(ModelSpec.from_formula(formula), DATA)


def test_an_interaction_is_subtracted_in_any_order() -> None:
    assert _design("y ~ (u + v) ** 2 - v:u").coefficients == ("Intercept", "u", "v")
    assert _design("y ~ u*v + v:u").coefficients == ("Intercept", "u", "v", "u:v")
    assert _design("y ~ (0 + u) + v").coefficients == ("u", "v")
    assert _design("y ~ u*v - 1").coefficients == ("u", "v", "u:v")
