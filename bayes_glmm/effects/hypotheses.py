"""Questions about estimates: combinations of them as expressions, and the probability of a range."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_glmm.effects.tidy import Estimates, tidy
from bayes_glmm.errors import SpecError, choices

_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs}


def hypothesis(estimates: Estimates, expressions: str | Sequence[str], interval: float = 0.95) -> Estimates:
    """Combinations of estimates, draw by draw.

    Parameters
    ----------
    estimates : Estimates
    expressions : str or sequence of str
        ``b0``, ``b1``, ... are the rows of the table from the top, joined by ``+ - * / **``, numbers, brackets and
        ``exp log sqrt abs``. ``"b1 = b2"`` stands for ``b1 - b2``. The null of ``probability`` is 0.
    interval : float
        Mass of the equal-tailed interval.

    Returns
    -------
    Estimates
        Label: ``hypothesis``, the expression.

    Raises
    ------
    SpecError
        For text that is not such an expression, or a row that is not there.

    Examples
    --------
    >>> draws = np.array([[1.0, 3.0], [2.0, 5.0]])
    >>> two = tidy(draws, pd.DataFrame({"name": ["x", "z"]}), 0.95, (1, 2), "Two.")
    >>> hypothesis(two, ["b1 = b0", "b1 / b0 - 1"]).table[["hypothesis", "estimate"]]
        hypothesis  estimate
    0      b1 = b0      2.50
    1  b1 / b0 - 1      1.75
    """
    texts = [expressions] if isinstance(expressions, str) else list(expressions)
    values = estimates.draws.values.reshape(-1, len(estimates.table))
    names = {f"b{i}": column for i, column in enumerate(values.T)}
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        draws = [np.broadcast_to(_evaluate(text, names), len(values)) for text in texts]
    shape = estimates.draws.sizes["chain"], estimates.draws.sizes["draw"]
    description = f"Combinations of: {estimates.description}"
    return tidy(np.column_stack(draws), pd.DataFrame({"hypothesis": texts}), interval, shape, description, 0.0)


def probability_within(estimates: Estimates, low: float, high: float) -> pd.DataFrame:
    """The table with ``within``: the posterior probability that each estimate lies between low and high.

    With a range of effects too small to matter this is the mass in the region of practical equivalence (Kruschke 2018).

    Parameters
    ----------
    estimates : Estimates
    low, high : float
        In the unit of the estimates.

    Raises
    ------
    SpecError
        If low is not below high.
    """
    if not low < high:
        raise SpecError(f"The range from {low!r} to {high!r} is empty.", advice="Give low < high.")
    inside = (estimates.draws >= low) & (estimates.draws <= high)
    return estimates.table.assign(within=inside.mean(dim=("chain", "draw")).values)


def _evaluate(text: str, names: dict[str, np.ndarray]) -> Any:
    left, equals, right = text.partition("=")
    try:
        tree = ast.parse(f"({left}) - ({right})" if equals else text.strip(), mode="eval").body
    except SyntaxError as error:
        raise SpecError(f"The hypothesis {text!r} cannot be read.", advice="Write such as 'b1 = b2'.") from error
    return _value(tree, names, text)


def _value(node: ast.expr, names: dict[str, np.ndarray], text: str) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.Name(id=name):
            raise SpecError(f"There is no estimate {name!r}.", text, choices(name, names))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, names, text), _value(right, names, text))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, names, text)
        case ast.Call(func=ast.Name(id=name), args=[argument]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](_value(argument, names, text))
    raise SpecError(
        f"{ast.unparse(node)!r} cannot stand in a hypothesis.",
        text,
        "Use b0, b1, ..., numbers, + - * / ** and exp, log, sqrt, abs.",
    )
