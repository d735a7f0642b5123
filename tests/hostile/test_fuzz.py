"""Random text, tables and files: each ends in an error of this package or in a design whose columns all have names."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from bayes_glmm.design import build_design, new_predictors, resolve_priors
from bayes_glmm.errors import GLMMError
from bayes_glmm.families import FAMILIES
from bayes_glmm.runs.config import read_config
from bayes_glmm.spec import ModelSpec, Prior, parse_formula
from tests.hostile.cases import frame, within

COLUMNS = st.sampled_from(["y", "x", "z", "f", "g", "k", "n", "b", "share", "answer", "i", "nope", "`x`", "1", "0"])
CALLS = st.sampled_from(
    ["log", "C", "I", "bs", "poly", "scale", "T", "S", "np.exp", "where", "offset", "center", "foo"]
)
NUMBERS = st.sampled_from(["2", "3", "-1", "0", "0.5", "'a'", "df=4", "True", "10 ** 3"])
EXPRESSIONS = st.recursive(
    COLUMNS,
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from("+-*/:|") | st.sampled_from(["**", "==", "<", "="]), inner),
        st.builds("({})".format, inner),
        st.builds("{}({})".format, CALLS, inner),
        st.builds("{}({}, {})".format, CALLS, inner, NUMBERS),
        st.builds("({} | {})".format, inner, COLUMNS),
        st.builds("({} || {}:{})".format, inner, COLUMNS, COLUMNS),
    ),
    max_leaves=6,
)
TERMS = st.one_of(
    COLUMNS,
    EXPRESSIONS,
    st.builds("{}({})".format, CALLS, COLUMNS),
    st.builds("({} | {})".format, COLUMNS, COLUMNS),
    st.builds("{}{}{}".format, COLUMNS, st.sampled_from(":*/"), COLUMNS),
)
RIGHT = st.lists(TERMS, min_size=1, max_size=4).map(" + ".join)
FORMULAS = st.builds("{} ~ {}".format, st.sampled_from(["y", "k", "b", "z", "log(z)"]) | EXPRESSIONS, RIGHT)
DATA = frame()

VALUES = [
    st.floats(),
    st.floats(-1e6, 1e6),
    st.integers(0, 5),
    st.sampled_from(["a", "b", "", "<b>"]),
    st.integers(-(2**70), 2**70),
    st.booleans(),
    st.text(max_size=5),
    st.none(),
    st.sampled_from([1j, b"a", (1, 2), pd.Timestamp("2020-01-01"), pd.Timedelta(1), pd.NA, pd.NaT, np.float32(1.5)]),
    st.characters(codec=None),
]


@st.composite
def columns(draw: st.DrawFn) -> pd.Series:
    """A column of one kind of value, or of several; of a type that pandas makes of it, or of objects."""
    rows = 12
    kinds = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=draw(st.sampled_from([1, 1, 1, 2]))))
    values = draw(st.lists(st.one_of(kinds), min_size=rows, max_size=rows))
    column = pd.Series(values, dtype=object)
    change = draw(st.sampled_from(["object", "infer", "nullable", "category"]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            match change:
                case "infer":
                    return column.infer_objects()
                case "nullable":
                    return column.convert_dtypes()
                case "category":
                    return column.astype("category")
    except (TypeError, ValueError, OverflowError):  # what pandas cannot hold is of no interest
        pass
    return column


@given(FORMULAS, st.sampled_from(["gaussian", "poisson", "bernoulli", "gamma"]))
@settings(max_examples=300)
def test_formulas_of_all_forms(formula: str, family: str) -> None:
    with within(20):
        try:
            spec = ModelSpec.from_formula(formula, family)
            design = build_design(spec, DATA)
            resolve_priors(spec.of(design.categories), design)
        except GLMMError:
            return
        assert len(design.coefficients) == design.X.shape[1]
        new = new_predictors(design, DATA, known_groups=True)
        np.testing.assert_allclose(new.X, design.X)
        for old, again in zip(design.blocks, new.blocks, strict=True):
            assert len(old.effects) == old.values.shape[1]
            np.testing.assert_allclose(again.values, old.values)
            np.testing.assert_array_equal(again.index, old.index)


@given(st.text(max_size=40) | st.text(alphabet="yxfg~+-*/:|()[]{}`'\"0123456789.,= \\\n\t", max_size=40))
@settings(max_examples=500)
def test_text_of_any_kind_is_a_formula_or_an_error(text: str) -> None:
    with within(20):
        for formula in (text, f"y ~ {text}", f"{text} ~ x"):
            try:
                build_design(ModelSpec.from_formula(formula), DATA)
            except GLMMError:
                continue
            assert parse_formula(str(parse_formula(formula))) == parse_formula(formula)


@given(columns(), columns(), columns(), columns(), st.sampled_from(sorted(FAMILIES)), st.booleans())
@settings(max_examples=300)
def test_columns_of_all_kinds(
    y: pd.Series, x: pd.Series, g: pd.Series, again: pd.Series, family: str, drop: bool
) -> None:
    data = pd.DataFrame({"y": y, "x": x, "g": g, "n": 7})
    formula = "p(y, n) ~ x + (1 | g)" if FAMILIES[family].response.trials else "y ~ x + (1 | g)"
    spec = ModelSpec.from_formula(formula, family)
    with within(20):
        try:
            design = build_design(spec, data, "drop" if drop else "error")
            resolve_priors(spec.of(design.categories), design)
        except GLMMError:
            return
        assert np.isfinite(design.X).all()
        assert np.isfinite(design.y).all()
        assert (design.blocks[0].index >= 0).all()
        try:
            new_predictors(design, data.assign(x=again))
        except GLMMError:
            return


@given(st.text(max_size=30) | st.builds("{}({}, {})".format, st.text(max_size=8), NUMBERS, st.text(max_size=8)))
@settings(max_examples=300)
def test_text_of_any_kind_is_a_prior_or_an_error(text: str) -> None:
    with within(20), warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # of Python's parser
        try:
            prior = Prior.parse(text)
        except GLMMError:
            return
        assert Prior.parse(str(prior)) == prior


YAML = st.text(alphabet="ab:-[]{}&*!<>|'\"#%@,? \n\t0123456789.~", max_size=60)


@given(st.one_of(YAML, st.text(max_size=30)).map(str.encode) | st.binary(max_size=40))
@settings(max_examples=500)
def test_files_of_any_kind_are_no_config(tmp_path_factory, content: bytes) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    for text in (content, b"data: {dataset: clinics}\nmodel: {formula: y ~ x}\n" + content):
        path.write_bytes(text)
        with within(20):
            try:
                read_config(path)
            except GLMMError:
                continue
