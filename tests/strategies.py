"""Random specifications, designs and covariances for Hypothesis."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from bayes_glmm.design import Design, build_design
from bayes_glmm.families import FAMILIES
from bayes_glmm.spec import ModelSpec, Prior, RandomTerm

# a key word or a function of formulas is no column here: C(x) and p(y, n) mean something
NAMES = st.sampled_from(["x", "z1", "age_2", "dose", "Größe", "`body mass`", "time.s"])
TERMS = st.one_of(
    NAMES,
    st.builds("{}:{}".format, NAMES, NAMES),
    st.builds("{}*{}".format, NAMES, NAMES),
    st.builds("bs({}, df={})".format, NAMES, st.integers(4, 9)),
    st.builds("C({}, levels=['a|b', 'c ~ d + e'])".format, NAMES),
    st.builds("I({} ** 2)".format, NAMES),
    st.builds("({} + {}) ** 2".format, NAMES, NAMES),
)
GROUPS = st.sampled_from(["g", "h", "g:h", "site", "`my group`", "site:g:h"])
BLANKS = st.sampled_from(["", " ", "  ", "\n", "\t "])


@st.composite
def right_sides(draw: st.DrawFn) -> str:
    """Fixed effects as text: ``0 + x + bs(z, df=4) - 1``."""
    terms = draw(st.lists(TERMS, max_size=4))
    first = draw(st.sampled_from(["1", "0", *terms]))
    signed = [first, *(f"{draw(st.sampled_from(['+', '-']))} {term}" for term in terms)]
    return " ".join(signed)


random_terms = st.builds(RandomTerm, right_sides(), GROUPS, st.booleans())
numbers = st.one_of(
    st.integers(-(10**6), 10**6), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.1, 1e-9, 2.5])
)
arguments = st.one_of(numbers, st.lists(numbers.map(float), max_size=3).map(tuple))
identifiers = st.sampled_from(["mu", "sigma", "nu", "alpha", "eta", "a"])


@st.composite
def priors(draw: st.DrawFn) -> Prior:
    """Any prior that can be written."""
    name = draw(st.sampled_from(["Normal", "HalfStudentT", "Exponential", "LKJ", "Dirichlet", "Flat"]))
    keyword = draw(st.dictionaries(identifiers, arguments, max_size=3))
    return Prior(name, tuple(draw(st.lists(arguments, max_size=2))), tuple(keyword.items()))


@st.composite
def specs(draw: st.DrawFn) -> ModelSpec:
    """A specification of any family and link, as its parts."""
    family = draw(st.sampled_from(list(FAMILIES.values())))
    parts = {
        "response": draw(st.sampled_from(["y", "`my response`", "log(y)", "y['yes']"])),
        "fixed": draw(right_sides()),
        "random": [
            {"effects": term.effects, "group": term.group, "correlated": term.correlated}
            for term in draw(st.lists(random_terms, max_size=3))
        ],
        "family": family.name,
        "link": draw(st.sampled_from(family.links)),
        "priors": {name: str(draw(priors())) for name in draw(st.sets(st.sampled_from(["beta", "sd", "corr_g", "x"])))},
    }
    if family.response.trials:
        parts["trials"] = draw(st.sampled_from(["n", "12", "a + b", "`how many`"]))
    if draw(st.booleans()):
        parts["offset"] = draw(st.sampled_from(["t", "log(t)", "log(a) - log(b)", "2 * `my t`"]))
    return ModelSpec.from_dict(parts)


@st.composite
def designs(draw: st.DrawFn) -> tuple[Design, pd.DataFrame, ModelSpec]:
    """A design of two crossed grouping factors, with its data in random row order and its specification."""
    rows, a, b = draw(st.integers(12, 40)), draw(st.integers(2, 5)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    data = pd.DataFrame(
        {
            "y": rng.normal(size=rows),
            "x": rng.normal(size=rows),
            "g": rng.permutation(np.arange(rows) % a),
            "h": np.array(list("dcba"))[rng.permutation(np.arange(rows) % b)],
        }
    )
    terms = draw(st.sampled_from(["(1 | g)", "(x | g)", "(x || g) + (1 | h)", "(x | g/h)", "(0 + x | g) + (1 | g)"]))
    spec = ModelSpec.from_formula(f"y ~ x + {terms}")
    return build_design(spec, data), data, spec


@st.composite
def repetitive(draw: st.DrawFn, families: list[tuple[str, str]]) -> tuple[ModelSpec, pd.DataFrame]:
    """A specification, of one of these families and links, and data of few distinct values, so that rows repeat."""
    family, link = draw(st.sampled_from(families))
    rows = draw(st.integers(12, 200))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def column(values: list, most: int) -> np.ndarray:
        return np.array(values)[rng.permutation(np.arange(rows) % draw(st.integers(2, most)))]

    data = pd.DataFrame(
        {"x": column([0.3, 0.8, 1.1, 2.7], 4), "f": column([*"pqr"], 3), "t": column([0.0, 0.4, 1.5], 3)}
        | {"g": column([*"abcde"], 5), "h": column([3, 1, 2], 3), "n": rng.integers(1, 6, rows)}
    )
    response = FAMILIES[family].response.name
    data["y"] = {
        "binary": lambda: rng.integers(0, 2, rows),
        "successes": lambda: rng.binomial(data["n"], 0.6),
        "count": lambda: rng.poisson(3.0, rows),
        "real": lambda: rng.normal(50.0, 2.0, rows),
    }[response]()
    right = draw(st.sampled_from(["x", "x + f", "f + offset(t)", "0 + x + offset(t)"]))
    terms = draw(st.sampled_from(["(1 | g)", "(x | g)", "(x || g) + (1 | h)", "(1 | g / h)", "(0 + x | g) + (f | h)"]))
    left = "p(y, n)" if response == "successes" else "y"
    return ModelSpec.from_formula(f"{left} ~ {right} + {terms}", family, link), data


@st.composite
def covariances(draw: st.DrawFn, max_size: int = 4) -> np.ndarray:
    """A symmetric positive definite matrix, with standard deviations between 0.01 and 10."""
    size = draw(st.integers(1, max_size))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    factor = rng.normal(size=(size, size + 1))
    covariance = factor @ factor.T
    scale = 10 ** rng.uniform(-2, 1, size) / np.sqrt(np.diag(covariance))
    return covariance * np.outer(scale, scale)
