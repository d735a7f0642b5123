"""Expressions of a formula over a data frame, evaluated by formulae in a closed world.

formulae looks names up in the data, among its own transforms and in a few of NumPy's functions; what may be called is
decided in :mod:`bayes_glmm.design.grammar`. Nothing else of the running program can be reached from a formula.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_glmm.design.grammar import CODING, NUMPY_FUNCTIONS, parse_tree
from bayes_glmm.errors import DataError, GLMMError, SpecError

if TYPE_CHECKING:
    from formulae.matrices import CommonEffectsMatrix

_NAMESPACE: dict[str, Any] = {name: getattr(np, name) for name in NUMPY_FUNCTIONS}
_NAMESPACE["np"] = SimpleNamespace(**_NAMESPACE)
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?$")
_MOST_CELLS = 500_000_000  # of a matrix of fixed effects: 4 GB


def columns_of(expression: str) -> list[str]:
    """Names of the data columns that an expression uses, in order of appearance.

    Raises
    ------
    SpecError
        If formulae cannot read the expression.
    """
    from formulae import model_description

    with _explained(expression):
        names = {name for name in model_description(f"0 + {expression}").var_names if isinstance(name, str)} - {""}
    return sorted(names, key=lambda name: (expression.find(name), name))


def common_matrix(expression: str, data: pd.DataFrame) -> CommonEffectsMatrix | None:
    """The columns of a right-hand side such as ``"1 + x + bs(z, df=4)"``; None if it has none (``"0"``).

    Raises
    ------
    SpecError
        For text that formulae cannot read, or an unknown function.
    DataError
        For columns that the expression does not fit, and more matrix columns than memory holds.
    """
    from formulae import design_matrices, model_description

    with _explained(expression), np.errstate(all="ignore"):
        terms = model_description(expression).common_terms
        _check_size(terms, data)
        matrix = design_matrices(expression, as_floats(terms, data), "pass", _environment()).common
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
    for part in (*getattr(node, "args", ()), *getattr(node, "kwargs", {}).values()):
        yield from _coded(part, inside)


def _check_labels(matrix: CommonEffectsMatrix | None, expression: str) -> None:
    """A column has a name: formulae codes a factor once where ``f/x`` and ``f:(x + z)`` need it in two ways."""
    for term in () if matrix is None else matrix.terms.values():
        if len(list(term.labels)) != (term.data.shape[1] if term.data.ndim == 2 else 1):
            raise SpecError(
                f"The factor in {term.name} would need two codings.",
                expression,
                "Write the terms out: f/x as f + f:x, and f:(x + z) as f:x + f:z.",
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
    if _NUMBER.match(expression):
        return np.full(len(data), float(expression))
    matrix: Any = common_matrix(f"0 + {arithmetic(expression)}", data)
    values = values_of(matrix)
    if values.shape[1] != 1 or any(term.kind != "numeric" for term in matrix.terms.values()):
        raise DataError(f"{expression} is not one number a row.", advice="Use a numeric column, or arithmetic on some.")
    return values[:, 0]


def response_column(expression: str, data: pd.DataFrame) -> np.ndarray:
    """The values of a left-hand side such as ``"log(y)"`` [row].

    Raises
    ------
    SpecError
        For text that formulae cannot read.
    """
    from formulae import design_matrices

    with _explained(expression), np.errstate(all="ignore"):
        numbers = as_floats([], data)
        values = np.asarray(
            design_matrices(f"{expression} ~ 1", numbers, "pass", _environment()).response.design_matrix
        )
    if values.ndim != 1:
        raise SpecError("The response has more than one column.", expression, "Model one response at a time.")
    return values.astype(float)


def values_of(matrix: Any) -> np.ndarray:
    """The columns of a matrix [row, column]."""
    values = np.asarray(matrix.design_matrix, dtype=float)
    return values.reshape(len(values), -1)


def labels_of(matrix: Any) -> list[str]:
    """Column names of a matrix: ``Intercept``, ``x``, ``g[b]``."""
    return [str(label) for term in matrix.terms.values() for label in term.labels]


def _environment() -> object:
    from formulae.environment import Environment

    return Environment([_NAMESPACE])


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
