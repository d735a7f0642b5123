"""Formulas that attack, that never end, and that mean something else than they look: nothing runs, nothing hangs."""
# ruff: noqa: E501  one case a line

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.design.grammar import FUNCTIONS
from bayes_glmm.errors import DataError, GLMMError, SpecError
from bayes_glmm.spec import ModelSpec, Prior
from tests.hostile.cases import Case, check, frame, keep, put, refused, watched, within

secret = "of the caller"  # a name that a formula must not reach

# formulas whose text would do harm if any of it were evaluated as Python
ATTACKS = [
    "np.load('a.npy')",
    "np.fromfile('/etc/passwd')",
    "np.log.__class__(x)",
    "np.__dict__",
    "np.np.log(x)",
    "np.C(x)",
    "np.testing.run(x)",
    "numpy.log(x)",
    "pd.read_pickle('a')",
    "os.system('touch pwned')",
    "__import__('os').system('touch pwned')",
    "I(__import__('os'))",
    "log(x=__import__('os'))",
    "__builtins__",
    "I(__builtins__)",
    "eval('1')",
    "exec('1')",
    "compile('1', '', 'exec')",
    "open('/etc/passwd')",
    "I(open('/etc/passwd'))",
    "getattr(x, 'values')",
    "I(getattr(x, 'values'))",
    "globals()",
    "vars(x)",
    "x.__class__",
    "x.values",
    "I(x.values)",
    "log(x.to_pickle)",
    "x.to_csv('pwned')",
    "I(x.to_csv('pwned'))",
    "(lambda: 1)()",
    "I((lambda: 1)())",
    "lambda x: x",
    "[i for i in x]",
    "I([i for i in x])",
    "{i: i for i in x}",
    "f'{x}'",
    "I(f'{__import__(\"os\")}')",
    "(x := 3)",
    "I(x := open('a'))",
    "log(x)(x)",
    "I(log)(x)",
    "center(x)(z)",
    "`__import__`('os')",
    "`x`.__class__",
    "x; import os",
    "x\nimport os",
    "x if x else z",
    "x or __import__('os')",
    "*x",
    "log(*x)",
    "log(**x)",
    "@x",
    "%timeit",
    "!ls",
    "$(ls)",
    "`ls`()",
    "secret",
    "I(secret)",
    "log(frame)",
    "self",
    "data",
    "C(f, contrast=I)",
    "C(f, contrast=Treatment)",
    "C(f, Sum)",
    "Treatment(f)",
    "CategoricalBox(f, x, z)",
    "where(x > 0, open, z)",
    "log(z, out=x)",
    "log(z, x)",
    "log(x, where=f)",
    "log(x, dtype=object)",
    "clip(x, 0, 1, out=z)",
    "round(x, out=z)",
    "I(C(I(open('a'))))",
    "C(I(np.load('a')))",
    "bs(x, knots=open('a'))",
    "poly(x, degree=__import__('os'))",
    "I(x == open('a'))",
    "x + (open('a') + z) ** 2",
]


PLACES = ["y ~ {}", "y ~ x + (1 + {} | g)", "{} ~ x", "k ~ offset({})", "p(k, {}) ~ x", "y ~ (1 | {})"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_but_columns_and_listed_functions_is_reached(attack: str) -> None:
    for place in PLACES:
        family = {"k": "poisson", "p": "binomial"}.get(place[0], "gaussian")
        with within(10), watched() as events, pytest.raises(GLMMError):
            Case("", place.format(attack), keep, None, "", family).build()
        assert not events, f"{place}: {events}"


@pytest.mark.parametrize(
    "name", ["__import__", "os.system('x')", "log", "np", "open('a')", "C(f)", "`", "I(x)[1]", "x y", "ü"]
)
def test_a_column_whose_name_is_code_is_a_column(name: str) -> None:
    data = frame().rename(columns={"z": name})
    formula = f"y ~ x + `{name}` + (`{name}` | g)"
    if "`" in name:
        with pytest.raises(SpecError):
            Case("", formula, lambda _: data, None, "").build()
        return
    design = Case("", formula, lambda _: data, None, "").build()
    assert design.coefficients == ("Intercept", "x", name)
    np.testing.assert_array_equal(design.X[:, 2], data[name])


def test_a_column_named_like_a_function_does_not_replace_it() -> None:
    data = frame().assign(log=1.5, np=2.5, C=lambda d: d.f, I=3.5)
    design = Case("", "y ~ 0 + log(z) + np.sqrt(z) + I(2 * z)", lambda _: data, None, "").build()
    np.testing.assert_array_equal(design.X, np.column_stack([np.log(data.z), np.sqrt(data.z), 2 * data.z]))


def test_the_functions_are_those_of_numpy_and_formulae() -> None:
    from formulae.transforms import TRANSFORMS

    assert {name for name in FUNCTIONS if not callable(getattr(np, name, None))} <= set(TRANSFORMS)
    assert not {"binary", "offset", "p", "prop"} & set(FUNCTIONS)


WITHOUT_END = [
    Case("tower of powers", "y ~ I(9 ** (9 ** (9 ** 9)))", keep, SpecError, "power of a number"),
    Case("tower beside a column", "y ~ I(x + 9 ** (9 ** (9 ** 9)))", keep, SpecError, "power of a number"),
    Case("tower in an offset", "y ~ offset(x * 9 ** 9 ** 9)", keep, SpecError, "power of a number"),
    Case("tower in trials", "p(k, 9 ** 9 ** 9) ~ x", keep, SpecError, "power of a number", "binomial"),
    Case("text times a number", "y ~ I('a' * 10000000000)", keep, SpecError, "no '*' of text"),
    Case("number of 400 digits", f"y ~ I(x * {'9' * 400})", keep, DataError, "too large"),
    Case("number of 5,000 digits", f"y ~ I(x * {'9' * 5000})", keep, GLMMError, "limit"),
    Case("trials of 400 digits", f"p(k, {'9' * 400}) ~ x", keep, DataError, "too large", "binomial"),
    Case("degree", "y ~ poly(x, 1000000000)", keep, SpecError, "up to 100"),
    Case("computed degree", "y ~ poly(x, 1000 * 1000)", keep, SpecError, "Write the number itself"),
    Case("knots", "y ~ bs(x, df=1000000)", keep, SpecError, "up to 1000"),
    Case("degree of splines", "y ~ bs(x, df=20, degree=15)", keep, SpecError, "up to 5"),
    Case("as many knots as rows", "y ~ bs(x, knots=z)", keep, SpecError, "not a number or text"),
    Case("power of a sum", "y ~ (x + z + k) ** 100000", keep, SpecError, "from 1 to 10"),
    Case("power that is a column", "y ~ (x + z) ** x", keep, SpecError, "from 1 to 10"),
    Case("power that is a fraction", "y ~ (x + z) ** 1.5", keep, SpecError, "from 1 to 10"),
    Case("product of 16 columns", f"y ~ {' * '.join(f'x{i}' for i in range(16))}", keep, SpecError, "2,000 terms"),
    Case("brackets", f"y ~ {'(' * 5000}x{')' * 5000}", keep, SpecError, "nested too deeply"),
    Case("calls", f"y ~ {'log(' * 3000}x{')' * 3000}", keep, SpecError, "nested too deeply"),
    Case("sum of thousands", f"y ~ {' + '.join(['x'] * 5000)}", keep, SpecError, "too long"),
    Case("interaction of thousands", f"y ~ {':'.join(['x'] * 5000)}", keep, SpecError, "too long"),
    Case("random terms by the hundred", "y ~ " + " + ".join(["(1 | g)"] * 300), keep, SpecError, "more than one term"),
    Case("minus signs", f"y ~ {'-' * 5000}x", keep, SpecError, "Nothing stands after"),
    Case(
        "levels by levels",
        "y ~ C(a):C(c)",
        lambda d: pd.DataFrame({"y": np.arange(3e5), "a": np.arange(300_000) % 3000, "c": np.arange(300_000) % 3001}),
        DataError,
        "9,003,000 levels",
    ),
]

MEANING = [
    Case("text as term", "y ~ 'x'", keep, SpecError, "without quotes"),
    Case("text as response", "'y' ~ x", keep, SpecError, "without quotes"),
    Case("truth value as term", "y ~ True", keep, SpecError, "not a term"),
    Case("None as term", "y ~ None", keep, SpecError, "word None"),
    Case("superscript", "y ~ x + ²", keep, GLMMError, "²"),
    Case("mark that turns the line round", "y ~ \u202ex", keep, SpecError, r"\u202e"),
    Case("escape sequence", "y ~ `\x1b[31m`", keep, DataError, r"\x1b[31m"),
    Case("NUL", "y ~ `x\x00`", keep, SpecError, "cannot be read"),
    Case("half a character", "y ~ `\ud800`", keep, SpecError, "cannot be read"),
    Case("base of a logarithm", "y ~ log(z, 10)", keep, SpecError, "arguments of log()"),
    Case("argument missing", "y ~ maximum(x)", keep, SpecError, "needs its argument 'x2'"),
    Case("argument twice", "y ~ poly(x, 2, degree=2)", keep, SpecError, "arguments of poly()"),
    Case("level of none", "y ~ T(f, 'zz')", keep, DataError, "reference not in levels"),
    Case("binary, which forgets", "y ~ binary(f)", keep, SpecError, "cannot call 'binary'"),
    Case("two codings of a factor", "y ~ f/x", keep, SpecError, "f + f:x"),
    Case("two codings of a factor, hidden", "y ~ f:(x + h)", put(h=list("uv") * 15), SpecError, "Write the terms out"),
    Case("numbers nested", "y ~ x/z", keep, None, "x:z"),
    Case("group twice", "y ~ (1 | g:g)", keep, SpecError, "names a column twice"),
    Case("group nested in itself", "y ~ (1 | g/g)", keep, SpecError, "names a column twice"),
    Case("group that is code", "y ~ (1 | log(x))", keep, SpecError, "not a column"),
    Case("response with a path", "I(k / z) ~ x", keep, None, "x"),
    Case("column with a path", "y ~ `a/b`", lambda d: d.rename(columns={"x": "a/b"}), None, "a/b"),
    Case("two responses", "C(y) ~ x", keep, SpecError, "more than one column"),
    Case("assignment", "y ~ I(x = 3)", keep, GLMMError, "I("),
]


@pytest.mark.parametrize("case", WITHOUT_END + MEANING, ids=[case.name for case in WITHOUT_END + MEANING])
def test_formulas(case: Case) -> None:
    check(case)


def test_nothing_is_printed_where_formulae_prints(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError):
        Case("", "y ~ T(f, ref='zz')", keep, None, "").build()
    assert capsys.readouterr() == ("", "")


PRIORS = [
    *("__import__('os').system('x')", "Normal(__import__('os'), 1)", "Normal(open('a'), 1)", "(lambda: 1)()", "pm.Normal(0, 1)"),
    *("Normal(0, 1); import os", "Normal(0, 1)(2)", "Normal(*[0, 1])", "Normal(**{'mu': 0})", "Normal(0, 1j)", "Normal(0, True)"),
    *("Normal(0, 1e999)", "Normal(0, 10 ** 400)", "Normal(0, 'a')", "Normal(x, 1)", "Normal", "", " ", "Normal(0,, 1)", "Normal(0, sigma=1, sigma=2)"),
    *(f"Normal({'(' * 300}0{')' * 300}, 1)", f"Normal({'-' * 20000}1, 1)", f"Normal(0, {'9' * 400})", f"Normal(0, {'9' * 5000})", "Normal(0, 1)\x00"),
    *("[Normal(0, 1)]", "f'{Normal}'", "Normal(0, [i for i in [1]])", "Normal(0, (y := 2))", "Normal(0, 1) if 1 else 2"),
]  # fmt: skip


@pytest.mark.parametrize("text", PRIORS)
def test_priors_are_read_and_never_evaluated(text: str) -> None:
    with within(10), watched() as events:
        refused(lambda: Prior.parse(text), SpecError, "Write a PyMC distribution")
    assert not events


@pytest.mark.parametrize(
    "parts",
    [
        *({"response": 3}, {"response": None}, {"response": ["y"]}, {"response": "y", "fixed": 3}, {"response": "y", "fixed": None}),
        *({"response": "y", "fixed": "x ~ z"}, {"response": "y", "offset": 3}, {"response": "y", "trials": ["n"]}),
        *({"response": "y", "random": 3}, {"response": "y", "random": "abc"}, {"response": "y", "random": {"a": 1}}),
        *({"response": "y", "random": [3]}, {"response": "y", "random": [{"effects": ["a"], "group": {"b": 1}}]}),
        *({"response": "y", "random": [{"effects": "1", "group": "g", "correlated": "no"}]}, {"formula": 3}, {"formula": None}, {"formula": ["y ~ x", 3]}),
        *({"formula": "y ~ x", "family": ["a"]}, {"formula": "y ~ x", "family": {}}, {"formula": "y ~ x", "link": 3}, {"formula": "y ~ x", "link": ["log"]}),
        *({"formula": "y ~ x", "priors": "Normal(0, 1)"}, {"formula": "y ~ x", "priors": ["a"]}, {"formula": "y ~ x", "priors": {"beta": 3}}),
        *({"formula": "y ~ x", "priors": {"beta": None}}, {"formula": "y ~ x", "zz": 1}, {"formula": "y ~ x", "response": "y"}, {}, [], "y ~ x", None, 3),
    ],
)  # fmt: skip
def test_records_of_models_of_any_kind(parts: object) -> None:
    with pytest.raises(SpecError):
        ModelSpec.from_dict(parts)  # type: ignore[arg-type]
