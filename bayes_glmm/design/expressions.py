"""Expressions of a formula over a data frame, read by formulae in a closed world.

formulae looks names up in the data, among its own transforms and in the functions listed here: nothing else of the
running program can be reached from a formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_glmm.errors import DataError, GLMMError, SpecError, choices

if TYPE_CHECKING:
    from formulae.matrices import CommonEffectsMatrix

# fmt: off
_NUMPY_FUNCTIONS = [
    "log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "cbrt", "abs", "sign", "sin", "cos", "tan", "arcsin",
    "arccos", "arctan", "sinh", "cosh", "tanh", "floor", "ceil", "round", "minimum", "maximum", "clip", "where",
    "power", "square",
]
# fmt: on
_NAMESPACE = {name: getattr(np, name) for name in _NUMPY_FUNCTIONS}
_NAMESPACE["np"] = SimpleNamespace(**_NAMESPACE)
_NOT_FUNCTIONS = {"offset", "p", "prop", "proportion"}  # read by bayes_glmm.spec, and only as terms of their own
_NUMBER = re.compile(r"\d+(\.\d*)?$")


def transforms() -> list[str]:
    """Functions that a formula may call: formulae's transforms, and NumPy's by name or as ``np.name``."""
    from formulae.transforms import TRANSFORMS

    return sorted({*TRANSFORMS, *_NUMPY_FUNCTIONS} - _NOT_FUNCTIONS)


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
    """
    from formulae import design_matrices

    with _explained(expression), np.errstate(all="ignore"):
        return design_matrices(expression, data, na_action="pass", env=_environment()).common


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
        values = np.asarray(design_matrices(f"{expression} ~ 1", data, "pass", _environment()).response.design_matrix)
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

    try:
        _check_tree(_tree(expression), expression)
        yield
    except (ParseError, ScanError, ResolverError, AttributeError) as error:
        raise SpecError(f"The formula cannot be read: {error}", expression) from error
    except KeyError as error:
        raise SpecError(f"The formula names {error}, which is not known.", expression) from error
    except (TypeError, ValueError, IndexError, NotImplementedError, AssertionError) as error:
        if isinstance(error, GLMMError):
            raise
        raise DataError(f"The formula does not fit the data: {error}", expression) from error


def _tree(expression: str) -> Any:
    """The syntax tree; formulae itself stops reading without a word where an operator is missing, as in ``x z``."""
    from formulae.parser import Parser
    from formulae.scanner import Scanner

    parser = Parser(Scanner(expression).scan(False))
    tree = parser.parse()
    if not parser.at_end():
        raise SpecError(
            f"An operator is missing before {parser.peek().lexeme!r}.", expression, "Join terms by '+', ':' or '*'."
        )
    return tree


def _check_tree(node: Any, expression: str) -> None:
    """Refuse what formulae reads otherwise than it looks: powers of one column, numbers as terms, unknown functions."""
    kind = type(node).__name__
    if kind == "Call":
        _check_call(node, expression)
    elif kind == "Literal" and not isinstance(node.value, str) and node.value not in (0, 1):
        raise SpecError(f"The number {node.value} is not a term.", expression, "Write arithmetic inside I(...).")
    elif kind == "Binary" and node.operator.lexeme == "**":
        if type(getattr(node.left, "expression", None)).__name__ != "Binary":
            raise SpecError("The power of one term is that term itself.", expression, "Write a square as I(x ** 2).")
        _check_tree(node.left, expression)
    elif kind == "Binary" and node.operator.lexeme not in ("+", "-", "*", "/", ":"):
        raise SpecError(f"{node.operator.lexeme!r} does not join terms.", expression, "Write a comparison as I(x > 2).")
    elif kind == "Variable" and node.level is not None:
        raise SpecError("A level can be named in the response only.", expression, "Write I(x == 'level').")
    elif kind in ("Binary", "Unary", "Grouping"):
        for part in ("left", "right", "expression"):
            if hasattr(node, part):
                _check_tree(getattr(node, part), expression)


def _check_call(node: Any, expression: str) -> None:
    """Every function that is called, at any depth, is one of :func:`transforms`."""
    kind = type(node).__name__
    if kind == "Call":
        name = node.callee.name.lexeme if type(node.callee).__name__ == "Variable" else "(...)"
        if name.removeprefix("np.") not in transforms():
            raise SpecError(f"A formula cannot call {name!r}.", expression, choices(name, transforms()))
        parts = node.args
    elif kind == "Variable" and node.level is not None:
        raise SpecError("A level can be named in the response only.", expression, "Write I(x == 'level').")
    else:
        parts = [getattr(node, part) for part in ("left", "right", "expression", "value") if hasattr(node, part)]
    for part in parts:
        _check_call(part, expression)
