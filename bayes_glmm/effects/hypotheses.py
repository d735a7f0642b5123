"""Hypotheses about estimates: combinations and comparisons of them as expressions, and the probability of a range."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayes_glmm.effects.columns import columns_of_table, free_name
from bayes_glmm.effects.tidy import Estimates, tidy
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.summaries import Interval, IntervalKind

_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs}
_RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
MOST_NAMED = 20  # in a message
_RELATION = re.compile(r">=|<=|==|!=|[<>=]")


@dataclass(frozen=True)
class Hypothesis:
    """A hypothesis in its parts.

    Attributes
    ----------
    text : str
        As written.
    left, right : str
        The sides; right is empty for an expression alone.
    relation : str
        ``>``, ``<``, ``>=``, ``<=`` or ``=``; empty for an expression alone.
    """

    text: str
    left: str
    relation: str
    right: str

    @property
    def event(self) -> str:
        """What ``probability`` is the probability of: the hypothesis itself; of an equality, a difference above 0."""
        if self.relation in _RELATIONS:
            return f"{self.left} {self.relation} {self.right}"
        return f"{self.left} - {_bracketed(self.right)} > 0" if self.right else f"{self.left} > 0"


def hypothesis(
    estimates: Estimates, expressions: str | Sequence[str], level: float = 0.95, interval: IntervalKind = "eti"
) -> Estimates:
    """Combinations and comparisons of estimates, worked out draw by draw.

    Parameters
    ----------
    estimates : Estimates
    expressions : str or sequence of str
        Arithmetic with ``+ - * / **``, numbers, brackets and ``exp log sqrt abs`` on the rows of the table, and at most
        one of ``> < >= <= =``. Rows are called by a label that no other row has (``treatment[drug]``,
        ``drug vs control``), by all the labels in which rows differ, joined by ``", "``, or ``b0``, ``b1``, ... from
        the top.
    level : float
        Posterior probability of the interval, between 0 and 1.
    interval : {"eti", "hdi"}
        Equal-tailed, or the shortest (highest density).

    Returns
    -------
    Estimates
        Labels: ``hypothesis``, as written; ``event``, what ``probability`` is the posterior probability of. The
        estimate is that of the left side less the right one. Under ``>`` and its like the event is the hypothesis; a
        single value has probability 0, so under ``=`` the event is a difference above 0.

    Raises
    ------
    SpecError
        For text that is not such an expression, and names of no row or of several.

    Examples
    --------
    >>> draws = np.array([[1.0, 3.0], [2.0, 5.0]])
    >>> two = tidy(draws, pd.DataFrame({"name": ["x", "z"]}), Interval(), (1, 2), "Two.")
    >>> hypothesis(two, ["x = z", "z / x - 1", "z > 4"]).table[["hypothesis", "event", "estimate", "probability"]]
      hypothesis          event  estimate  probability
    0      x = z      x - z > 0     -2.50          0.0
    1  z / x - 1  z / x - 1 > 0      1.75          1.0
    2      z > 4          z > 4      0.00          0.5
    """
    asked, rows = Interval(level, interval), Rows.of(estimates)
    parsed = [_parse(text, rows) for text in ([expressions] if isinstance(expressions, str) else expressions)]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        sides = [(_evaluate(one.left, one, rows), _evaluate(one.right or "0", one, rows)) for one in parsed]
        differences = [np.broadcast_to(left - right, len(rows.draws)) for left, right in sides]
    labels = pd.DataFrame({"hypothesis": [one.text for one in parsed], "event": [one.event for one in parsed]})
    shape = estimates.draws.sizes["chain"], estimates.draws.sizes["draw"]
    about = re.sub(r" (Posterior|Estimate) [^.]*interval\b.*", "", estimates.description)
    found = tidy(np.column_stack(differences), labels, asked, shape, f"Hypotheses. {about}")
    probabilities = [
        np.mean(_RELATIONS.get(one.relation, operator.gt)(left, right) & ~np.isnan(left - right))
        for one, (left, right) in zip(parsed, sides, strict=True)
    ]
    return Estimates(found.table.assign(probability=probabilities), found.draws, found.description)


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
    shares = inside.mean(dim=("chain", "draw")).values
    return pd.concat(
        [estimates.table, pd.Series(shares, estimates.table.index, name=free_name("within", estimates.table))], axis=1
    )


@dataclass(frozen=True)
class Rows:
    """The rows of a table by what they are called.

    Attributes
    ----------
    names : mapping of str to list of int
        Rows of each name: one label, all labels joined by commas, or ``b`` and the row's number; labels win.
    draws : array [draw, row]
    pattern : re.Pattern
        Finds names in a text, the longest first, in backticks or not.
    """

    names: Mapping[str, list[int]]
    draws: np.ndarray
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, estimates: Estimates) -> Rows:
        """Name the rows of estimates."""
        table, columns = estimates.table, list(columns_of_table(estimates.table).all_labels)
        vary = [table[name].nunique(dropna=False) > 1 for name in columns]
        named: dict[str, list[int]] = {}
        for row, labels in enumerate(table[columns].astype(object).itertuples(index=False, name=None)):
            texts = [label for label in labels if isinstance(label, str) and label and not _is_number(label)]
            telling = [label for label, several in zip(labels, vary, strict=True) if several]
            for name in dict.fromkeys([*texts, ", ".join(map(str, telling)), ", ".join(map(str, labels))]):
                named.setdefault(name, []).append(row)
        named.pop("", None)
        names = {f"b{row}": [row] for row in range(len(table))} | named
        ordered = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
        pattern = re.compile(rf"(?P<quote>`?)(?<![\w.\]])(?P<name>{ordered or '(?!)'})(?![\w.\[(])(?P=quote)")
        return cls(names, estimates.draws.to_numpy().reshape(-1, len(table)), pattern)

    def row(self, name: str, text: str) -> int:
        """Return the one row of a name.

        Raises
        ------
        SpecError
            If several rows have it.
        """
        if len(found := self.names[name]) > 1:
            those = ", ".join(f"b{row}" for row in found)
            raise SpecError(f"{name!r} names {len(found)} rows: {those}.", text, "Write one of these.")
        return found[0]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parse(text: str, rows: Rows) -> Hypothesis:
    """Split a hypothesis at its relation, which no name of a row hides."""
    masked = rows.pattern.sub(lambda found: "_" * len(found[0]), text)
    found = list(_RELATION.finditer(masked))
    if len(found) > 1 or {each[0] for each in found} & {"==", "!="}:
        raise SpecError(
            f"The hypothesis {text!r} cannot be read.",
            advice="Write one of >, <, >=, <= and = between two sides, such as 'b1 > 0.5' or 'b1 = b2'.",
        )
    if not found:
        return Hypothesis(text, text.strip(), "", "")
    (at,) = found
    return Hypothesis(text, text[: at.start()].strip(), at[0], text[at.end() :].strip())


def _evaluate(side: str, hypothesis: Hypothesis, rows: Rows) -> Any:
    """The draws of one side of a hypothesis [draw], or a number."""
    places: dict[str, np.ndarray] = {}

    def place(found: re.Match[str]) -> str:
        row = rows.row(found["name"], hypothesis.text)
        places[f"_row_{row}"] = rows.draws[:, row]
        return f"(_row_{row})"

    readable = rows.pattern.sub(place, side)
    try:
        tree = ast.parse(readable, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise SpecError(
            f"The hypothesis {hypothesis.text!r} cannot be read.", advice="Write such as 'b1 > 0.5' or 'b1 = b2'."
        ) from error
    return _value(tree, places, hypothesis.text, rows)


def _value(node: ast.expr, places: Mapping[str, np.ndarray], text: str, rows: Rows) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return float(number)
        case ast.Name(id=name) if name in places:
            return places[name]
        case ast.Name(id=name):
            simple = [name for name in rows.names if ", " not in name]
            raise SpecError(f"There is no estimate {name!r}.", text, choices(name, simple[:MOST_NAMED]))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, places, text, rows), _value(right, places, text, rows))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, places, text, rows)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](_value(argument, places, text, rows))
    raise SpecError(
        f"The hypothesis {text!r} has parts that are not supported.",
        advice="Use names of rows or b0, b1, ..., numbers, + - * / **, exp log sqrt abs, and one of > < >= <= =.",
    )


def _bracketed(text: str) -> str:
    return f"({text})" if re.search(r"[-+]", text[1:]) or text.startswith("-") else text
