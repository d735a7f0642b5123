"""The syntax of expressions: formulae's scanner and parser, with the operators of Python and R.

formulae takes ``a ** b ** c`` from the left, ``-a ** b`` as (-a) ** b and ``a < b < c`` as (a < b) < c, drops brackets
from labels, reads no ``1e6``, and adds truth values as NumPy does (True + True is True). Here powers are taken from the
right and bind before a sign, comparisons are not chained, and arithmetic is that of 64-bit floats.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from formulae.expr import Binary, Literal, Unary
from formulae.parser import Parser
from formulae.scanner import Scanner
from formulae.terms.call_resolver import CallResolver, LazyValue

from bayes_glmm.errors import DataError, SpecError
from bayes_glmm.foreign import OPERATORS, WORDS

_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WORD = re.compile(r"[^\W\d][\w.]*")
_WHOLE = re.compile(r"\d+", re.ASCII)
# not these, which are also Python's or formulae's own: they are refused where their place is known
_FOREIGN = re.compile(
    "|".join(re.escape(symbol) for symbol in sorted(OPERATORS, key=len, reverse=True) if symbol not in "|~:=[!")
)
_COMPARISONS: dict[str, Callable[..., Any]] = {
    "EQUAL_EQUAL": operator.eq,
    "BANG_EQUAL": operator.ne,
    "LESS_EQUAL": operator.le,
    "LESS": operator.lt,
    "GREATER_EQUAL": operator.ge,
    "GREATER": operator.gt,
}
_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "PLUS": operator.add,
    "MINUS": operator.sub,
    "STAR": operator.mul,
    "SLASH": operator.truediv,
    "SLASH_SLASH": operator.floordiv,
    "MODULO": operator.mod,
    "STAR_STAR": operator.pow,
}
_SIGNS: dict[str, Callable[..., Any]] = {"PLUS": operator.pos, "MINUS": operator.neg}


def parse(expression: str) -> Any:
    """The syntax tree of an expression.

    Raises
    ------
    SpecError
        For an operator of another language, a chained comparison, and text after the end.
    """
    parser = _Parser(_Scanner(expression).scan(False), expression)
    tree = parser.parse()
    if not parser.at_end():  # formulae itself stops reading without a word, as in ``x z``
        raise parser.missing_operator()
    return tree


def value(node: Any) -> Any:
    """What a node of a call evaluates to, as a record with ``eval(data, environment)`` whose text is its label."""
    return node.accept(_CallResolver(node))


def number(value: Any) -> Any:
    """Numbers and truth values as 64-bit floats; other values as they are."""
    if isinstance(value, bool | int | float | np.number | np.bool_):
        return np.float64(value)
    if isinstance(value, pd.Series | np.ndarray) and value.dtype.kind in "biuf":
        return value.astype(float)
    return value


class _Scanner(Scanner):
    """Tokens: numbers with exponents, text up to the same quotation mark, names that begin with ``_``."""

    current: int  # position in the text

    def scan_token(self) -> None:
        if match := _FOREIGN.match(self.code, self.current):
            raise SpecError(
                f"The formula cannot be read: {match[0]!r} is not an operator here.", self.code, OPERATORS[match[0]]
            )
        if match := _NUMBER.match(self.code, self.current):
            self._number(match)
        elif match := _WORD.match(self.code, self.current):
            self.current = match.end()
            literals = {"True": True, "False": False, "None": None}
            kind = "PYTHON_LITERAL" if match[0] in literals else "IDENTIFIER"
            self.add_token(kind, literals.get(match[0]))
        elif (mark := self.code[self.current]) in "'\"":
            self._text(mark)
        else:
            super().scan_token()

    def _number(self, match: re.Match[str]) -> None:
        self.current = match.end()
        if _WORD.match(self.code, self.current):
            raise SpecError(
                f"The number {match[0]}{self.code[self.current]} cannot be read.", self.code, "Write 2, 0.5 or 1e-3."
            )
        if not np.isfinite(float(match[0])):
            raise DataError(
                "A number is too large: beyond the limit of 64-bit floats.", self.code[:60], "Change the unit."
            )
        self.add_token("NUMBER", int(match[0]) if _WHOLE.fullmatch(match[0]) else float(match[0]))

    def _text(self, mark: str) -> None:
        end = self.code.find(mark, self.current + 1)
        if end < 0:
            raise SpecError(f"A {mark} is not closed.", self.code, "Close the quotation.")
        inside = self.code[self.current + 1 : end]
        if "\\" in inside:
            raise SpecError("A text holds a backslash.", self.code, OPERATORS["\\"])
        self.current = end + 1
        self.add_token("STRING", inside)


class _Parser(Parser):
    """Python's precedence: ``**`` (from the right), signs, ``:``, ``* / // %``, ``+ -``, one comparison."""

    def __init__(self, tokens: list[Any], expression: str) -> None:
        super().__init__(tokens)
        self.expression_text = expression

    def missing_operator(self) -> SpecError:
        """The error for a word where an operator should be."""
        word = self.peek().lexeme
        advice = OPERATORS.get(word) or WORDS.get(word) or WORDS.get(self.previous().lexeme)
        return SpecError(
            f"An operator is missing before {word!r}.", self.expression_text, advice or "Join terms by '+', ':' or '*'."
        )

    def consume(self, kind: str, message: str) -> Any:
        if not self.check(kind) and not self.at_end():
            raise self.missing_operator()
        return super().consume(kind, message)

    def comparison(self) -> Any:
        left = self.addition()
        if not self.match(list(_COMPARISONS)):
            return left
        compared = Binary(left, self.previous(), self.addition())
        if self.check(list(_COMPARISONS)):
            raise SpecError(
                "Comparisons are chained.",
                self.expression_text,
                "Write a < b < c as a product of two: I((a < b) * (b < c)).",
            )
        return compared

    def multiplication(self) -> Any:
        left = self.interaction()
        while self.match(["STAR", "SLASH", "SLASH_SLASH", "MODULO"]):
            left = Binary(left, self.previous(), self.interaction())
        return left

    def multiple_interaction(self) -> Any:
        return self.unary()

    def unary(self) -> Any:
        if self.match(["PLUS", "MINUS"]):
            return Unary(self.previous(), self.unary())
        return self.power()

    def power(self) -> Any:
        base = self.call()
        if self.match("STAR_STAR"):
            return Binary(base, self.previous(), self.unary())
        return base

    def primary(self) -> Any:
        if self.match("NUMBER"):
            token = self.previous()
            return Literal(token.literal, lexeme=token.lexeme)
        if (word := self.peek().lexeme) in OPERATORS or word == ".":
            raise SpecError(
                f"The formula cannot be read: {word!r} has no meaning here.",
                self.expression_text,
                OPERATORS.get(word) or WORDS[word],
            )
        return super().primary()


class _CallResolver(CallResolver):
    """Nodes of a call to records that evaluate themselves."""

    def visitGroupingExpr(self, expr: Any) -> Any:
        return _Operation("({})", _same, expr.expression.accept(self))

    def visitBinaryExpr(self, expr: Any) -> Any:
        kind, symbol = expr.operator.kind, expr.operator.lexeme
        sides = expr.left.accept(self), expr.right.accept(self)
        if kind in _COMPARISONS:
            return _Operation(f"{{}} {symbol} {{}}", _COMPARISONS[kind], *sides)
        if kind not in _ARITHMETIC:
            raise SpecError(f"{symbol!r} is not supported.", " ".join(map(str, sides)), OPERATORS.get(symbol, ""))
        return _Operation(f"{{}} {symbol} {{}}", _OfNumbers(symbol, _ARITHMETIC[kind]), *sides)

    def visitUnaryExpr(self, expr: Any) -> Any:
        symbol = expr.operator.lexeme
        return _Operation(f"{symbol}{{}}", _OfNumbers(symbol, _SIGNS[expr.operator.kind]), expr.right.accept(self))

    def visitLiteralExpr(self, expr: Any) -> Any:
        return _Value(expr.value, expr.lexeme)


class _Operation:
    """An operator with its operands; takes the place of formulae's LazyOperator, whose label has no brackets."""

    def __init__(self, label: str, function: Callable[..., Any], *args: Any) -> None:
        self.label, self.function, self.args = label, function, args

    def __str__(self) -> str:
        return self.label.format(*self.args)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Operation) and (self.label, self.args) == (other.label, other.args)

    def __hash__(self) -> int:
        return hash((self.label, self.args))

    def accept(self, visitor: Any) -> Any:
        return visitor.visitLazyOperator(self)

    def eval(self, data_mask: pd.DataFrame, env: Any) -> Any:
        return self.function(*(argument.eval(data_mask, env) for argument in self.args))


class _Value(LazyValue):
    """A number, text or truth value; formulae's own cannot be hashed."""

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)

    def __hash__(self) -> int:
        return hash((self.value, self.lexeme))


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class _OfNumbers:
    """An operator on floats, which refuses text and categories."""

    symbol: str
    function: Callable[..., Any]

    def __call__(self, *operands: Any) -> Any:
        numbers = [number(operand) for operand in operands]
        for operand in numbers:
            if getattr(operand, "dtype", np.dtype(object)) != np.float64:
                name = getattr(operand, "name", None)
                raise DataError(
                    f"{self.symbol!r} needs numbers, not text or categories.",
                    f"column {name!r}" if name else "",
                    "Use numeric columns; compare text: I(x == 'level').",
                )
        return self.function(*numbers)
