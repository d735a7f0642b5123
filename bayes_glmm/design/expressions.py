"""Expressions of a formula over a data frame, evaluated by formulae in a closed world.

formulae looks names up in the data, among its own transforms and in a few of NumPy's functions; what may be called is
decided in :mod:`bayes_glmm.design.grammar`, and how text is read in :mod:`bayes_glmm.design.parser`. Nothing else of
the running program can be reached from a formula.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_glmm.design.grammar import CODING, NUMPY_FUNCTIONS, STATEFUL, parse_tree
from bayes_glmm.errors import DataError, GLMMError, SpecError

if TYPE_CHECKING:
    from formulae.matrices import CommonEffectsMatrix

_MOST_CELLS = 500_000_000  # of a matrix of fixed effects: 4 GB


def columns_of(expression: str) -> list[str]:
    """Names of the data columns that an expression uses, in order of appearance.

    Raises
    ------
    SpecError
        If formulae cannot read the expression.
    """
    from bayes_glmm.design.algebra import describe

    with _explained(expression):
        names = {name for name in describe(expression).var_names if isinstance(name, str)} - {""}
    return sorted(names, key=lambda name: (expression.find(name), name))


def is_one_term(expression: str) -> bool:
    """Whether an expression is a column, a number or a call, and not terms joined by operators.

    Raises
    ------
    SpecError
        If it cannot be read.
    """
    with _explained(expression):
        return type(parse_tree(expression)).__name__ not in ("Binary", "Unary")


def coded_in(expression: str) -> set[str]:
    """Columns of a right-hand side within ``C()``, ``S()`` or ``T()``.

    Raises
    ------
    SpecError
        If the expression cannot be read.
    """
    from bayes_glmm.design.algebra import describe

    with _explained(expression):
        return coded_columns(describe(expression).common_terms)


def common_matrix(expression: str, data: pd.DataFrame) -> CommonEffectsMatrix | None:
    """The columns of a right-hand side such as ``"1 + x + bs(z, df=4)"``; None if it has none (``"0"``).

    Raises
    ------
    SpecError
        For text that formulae cannot read, or an unknown function.
    DataError
        For columns that the expression does not fit, and more matrix columns than memory holds.
    """
    from formulae.matrices import DesignMatrices

    from bayes_glmm.design.algebra import describe

    with _explained(expression), np.errstate(all="ignore"):
        description = describe(expression)
        terms = description.common_terms
        _check_constants(terms, expression)
        _check_size(terms, data)
        used = [name for name in data if name in description.var_names]
        matrix = DesignMatrices(description, as_floats(terms, data[used]), _environment()).common
        _check_labels(matrix, expression)
        return matrix


def evaluate(matrix: CommonEffectsMatrix, data: pd.DataFrame) -> np.ndarray:
    """The columns of a matrix for new rows [row, column].

    Raises
    ------
    DataError
        For new columns that the expression does not fit.
    """
    # what is not finite is found by check_predictors, and explained
    with _explained(""), np.errstate(all="ignore"):
        return values_of(matrix.evaluate_new_data(as_floats(matrix.terms.values(), data))).reshape(len(data), -1)


def as_floats(terms: Iterable[Any], data: pd.DataFrame) -> pd.DataFrame:
    """The data with whole numbers and truth values as floats, which do not overflow; categories of numbers stay."""
    coded = coded_columns(terms)
    whole = [name for name in data if data[name].dtype.kind in "iub" and name not in coded]
    return data.astype(dict.fromkeys(whole, float))


def coded_columns(terms: Iterable[Any]) -> set[str]:
    """Columns within ``C()``, ``S()`` or ``T()``: categories, whatever they hold."""
    calls = [part.call for term in terms for part in getattr(term, "components", ()) if hasattr(part, "call")]
    return {name for call in calls for name in _coded(call, inside=False)}


def _coded(node: Any, inside: bool) -> Iterator[str]:
    inside = inside or getattr(node, "callee", None) in CODING
    if inside and hasattr(node, "name"):
        yield node.name
    for part in _parts(node):
        yield from _coded(part, inside)


def _parts(node: Any) -> tuple[Any, ...]:
    return (*getattr(node, "args", ()), *getattr(node, "kwargs", {}).values())


def _check_labels(matrix: CommonEffectsMatrix | None, expression: str) -> None:
    """A column has a name: formulae codes a factor once where ``f/x`` and ``f:(x + z)`` need it in two ways."""
    for term in () if matrix is None else matrix.terms.values():
        if len(list(term.labels)) != (term.data.shape[1] if term.data.ndim == 2 else 1):
            raise SpecError(
                f"The factor in {term.name} would need two codings.",
                expression,
                "Write the terms out: f/x as f + f:x, and f:(x + z) as f:x + f:z.",
            )


def _check_constants(terms: Iterable[Any], expression: str) -> None:
    for term in terms:
        for part in getattr(term, "components", ()):
            if not part.var_names - {""}:
                raise SpecError(
                    f"The term {part.name} uses no column.",
                    expression,
                    "Write 1 for the intercept, offset(2) to add 2.",
                )


def _check_size(terms: Iterable[Any], data: pd.DataFrame) -> None:
    """The matrix fits into memory: one column a level, one level a row would need rows times rows numbers."""
    coded = coded_columns(terms)
    for term in terms:
        names = {name for name in term.var_names if name in data}
        text = {name for name in names if name in coded or not pd.api.types.is_numeric_dtype(data[name])}
        columns = math.prod(data[name].nunique() for name in text)
        if columns * len(data) > _MOST_CELLS:
            raise DataError(
                f"The term {term.name} has {columns:,} levels, one coefficient each.",
                f"{len(data):,} rows",
                "Write it as a random effect, (1 | group), or make its levels fewer.",
            )


def arithmetic(expression: str) -> str:
    """The expression as a term in which ``+ - * /`` are arithmetic, and not the formula's."""
    return f"I({expression})"


def numeric_column(expression: str, data: pd.DataFrame) -> np.ndarray:
    """The value of an arithmetic expression such as ``"log(t) - log(s)"`` or ``"12"`` [row].

    Raises
    ------
    SpecError
        For text that formulae cannot read.
    DataError
        If the value is not one number a row.
    """
    values = _value(expression, data, stateful=False)
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise DataError(f"{expression} is not one number a row.", advice="Use a numeric column, or arithmetic on some.")
    return values.astype(float)


def response_column(expression: str, data: pd.DataFrame) -> np.ndarray:
    """The values of a left-hand side such as ``"log(y)"`` or ``"after - before"`` [row].

    Raises
    ------
    SpecError
        For text that formulae cannot read.
    """
    values = _value(expression, data, stateful=True)
    if values.ndim != 1:
        raise SpecError("The response has more than one column.", expression, "Model one response at a time.")
    if values.dtype.kind not in "biuf":
        raise DataError("The response is not one number per row.", expression, "Write y['level'] ~ ... for a 0/1 one.")
    return values.astype(float)


def _value(expression: str, data: pd.DataFrame, stateful: bool) -> np.ndarray:
    """The value of arithmetic on the columns, a number repeated for every row [row] or [row, column]."""
    from bayes_glmm.design.algebra import describe

    text = arithmetic(expression)
    with _explained(text), np.errstate(all="ignore"):
        (term,) = describe(f"0 + {text}").common_terms
        call = term.components[0].call
        if not stateful and (made := _transforms(call)):
            raise SpecError(
                f"{made[0]}() depends on the rows, so new rows would have another value.",
                expression,
                "Make a column of the data first, and name it here.",
            )
        value = call.eval(as_floats([], data), _environment())
        if type(value).__name__ == "CategoricalBox":
            raise SpecError("Categories have more than one column.", expression, "Use a numeric column.")
        values = np.asarray(value)
        return np.broadcast_to(values, (len(data), *values.shape[1:])) if values.ndim < 2 else values


def _transforms(node: Any) -> list[str]:
    """Names of transforms within a call that remember the rows they were made on."""
    inside = [name for part in _parts(node) for name in _transforms(part)]
    name = getattr(node, "callee", None)
    return [name, *inside] if name in STATEFUL else inside


def values_of(matrix: Any) -> np.ndarray:
    """The columns of a matrix [row, column]."""
    values = np.asarray(matrix.design_matrix, dtype=float)
    return values.reshape(len(values), -1)


def labels_of(matrix: Any) -> list[str]:
    """Column names of a matrix: ``Intercept``, ``x``, ``g[b]``."""
    return [str(label) for term in matrix.terms.values() for label in term.labels]


@cache
def _environment() -> Any:
    """Where formulae looks functions up: its transforms, and NumPy's functions of 64-bit floats."""
    from formulae.environment import Environment
    from formulae.transforms import TRANSFORMS

    functions = {name: _OfFloats(name) for name in NUMPY_FUNCTIONS}
    return Environment([TRANSFORMS, {**functions, "np": SimpleNamespace(**functions)}])


@dataclass(frozen=True)
class _OfFloats:
    """A function of NumPy, by name, so that designs travel between processes; it takes truth values for floats."""

    name: str

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        from bayes_glmm.design.parser import number

        parts = (number(part) if hasattr(part, "dtype") else part for part in arguments)
        return getattr(np, self.name)(*parts, **named)


@contextmanager
def _explained(expression: str) -> Iterator[None]:
    """Turn formulae's bare errors into ours, and what it would pass over in silence into errors."""
    from formulae.parser import ParseError
    from formulae.resolver import ResolverError
    from formulae.scanner import ScanError
    from formulae.terms.call_resolver import CallResolverError

    try:
        if expression:
            parse_tree(expression)
        with redirect_stdout(io.StringIO()):  # formulae prints what it raises
            yield
    except GLMMError:
        raise
    except (ParseError, ScanError, ResolverError, CallResolverError, AttributeError) as error:
        raise SpecError(f"The formula cannot be read: {error}", expression) from error
    except KeyError as error:
        raise SpecError(f"The formula names {error}, which is not known.", expression) from error
    except RecursionError as error:
        raise SpecError("The formula is too long, or nested too deeply.", expression, "Shorten it.") from error
    except (TypeError, ValueError, IndexError, ArithmeticError, NotImplementedError, AssertionError) as error:
        raise DataError(f"The formula does not fit the data: {error}", expression) from error
