"""Expressions of a formula over a data frame, read by formulae in a closed world.

formulae looks names up in the data, among its own transforms and in the functions listed here: nothing else of the
running program can be reached from a formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_glmm.errors import DataError, SpecError, choices

if TYPE_CHECKING:
    from formulae.matrices import CommonEffectsMatrix

_NUMPY_FUNCTIONS = ["log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "cbrt", "abs", "sign", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "floor", "ceil", "round", "minimum", "maximum", "clip", "where", "power", "square"]
_NAMESPACE = {name: getattr(np, name) for name in _NUMPY_FUNCTIONS}
_NAMESPACE["np"] = SimpleNamespace(**_NAMESPACE)


def transforms() -> list[str]:
    """Functions that a formula may call: formulae's transforms, and NumPy's by name or as ``np.name``."""
    from formulae.transforms import TRANSFORMS

    return sorted({*TRANSFORMS, *_NUMPY_FUNCTIONS})


def columns_of(expression: str) -> list[str]:
    """Names of the data columns that an expression uses, in order of appearance.

    Raises
    ------
    SpecError
        If formulae cannot read the expression.
    """
    from formulae import model_description

    with _explained(expression):
        names = set(model_description(f"0 + {expression}").var_names) - {""}
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


def response_column(expression: str, data: pd.DataFrame) -> np.ndarray:
    """The values of a left-hand side such as ``"log(y)"`` or ``"y['yes']"`` [row].

    Raises
    ------
    SpecError
        For text that formulae cannot read.
    """
    from formulae import design_matrices

    with _explained(expression):
        values = np.asarray(design_matrices(f"{expression} ~ 1", data, "pass", _environment()).response.design_matrix)
    if values.ndim != 1:
        raise SpecError("The response has more than one column.", expression, "Model one response at a time.")
    return values.astype(float)


def labels_of(matrix: CommonEffectsMatrix) -> list[str]:
    """Column names of a matrix: ``Intercept``, ``x``, ``g[b]``."""
    return [str(label) for term in matrix.terms.values() for label in term.labels]


def _environment() -> object:
    from formulae.environment import Environment

    return Environment([_NAMESPACE])


@contextmanager
def _explained(expression: str) -> Iterator[None]:
    """Turn formulae's bare errors into ours."""
    from formulae.parser import ParseError
    from formulae.scanner import ScanError

    if called := next((name for name in re.findall(r"([\w.]+)\s*\(", expression) if not _callable(name)), None):
        raise SpecError(f"A formula cannot call {called!r}.", expression, choices(called, transforms()))
    try:
        yield
    except (ParseError, ScanError) as error:
        raise SpecError(f"The formula cannot be read: {error}", expression) from error
    except (KeyError, AttributeError) as error:
        raise SpecError(f"The formula names {error}, which is not known.", expression) from error
    except (TypeError, ValueError, IndexError, NotImplementedError, AssertionError) as error:
        raise DataError(f"The formula does not fit the data: {error}", expression) from error


def _callable(name: str) -> bool:
    return name.removeprefix("np.") in transforms() or name == ""
