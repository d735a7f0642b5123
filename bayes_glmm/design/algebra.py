"""The algebra of terms: ``a * b``, ``a / b``, ``(a + b) ** 2`` as sums of terms (Wilkinson & Rogers 1973), as in R.

formulae's own keeps a:b beside b:a, so that ``(a + b) ** 2 - b:a`` removes nothing; here a term is a set of columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from formulae.terms import Call, Intercept, Term, Variable
from formulae.terms.terms import Model

from bayes_glmm.design.parser import parse, value
from bayes_glmm.errors import SpecError


@dataclass(frozen=True)
class _Sum:
    """Terms in the order in which they are written, and the last word on the intercept (None: not mentioned)."""

    terms: tuple[Term, ...]
    intercept: bool | None = None


def describe(expression: str) -> Model:
    """The terms of an expression as formulae's model: the intercept, unless it is removed, and each term once.

    Raises
    ------
    SpecError
        For text that cannot be read, 0 or 1 within a product, and a subtracted term that comes first.
    """
    found = _expand(parse(expression), expression)
    implied = () if found.intercept is False else (Intercept(),)
    return Model(*implied, *found.terms)


def _expand(node: Any, expression: str) -> _Sum:
    match type(node).__name__:
        case "Grouping":
            return _expand(node.expression, expression)
        case "Variable":
            return _Sum((Term(Variable(node.name.lexeme)),))
        case "QuotedName":
            return _Sum((Term(Variable(node.expression.lexeme[1:-1])),))
        case "Call":
            return _Sum((Term(Call(value(node))),))
        case "Literal":
            return _Sum((), node.value == 1)
        case "Unary":
            return _signed(node.operator.lexeme, _expand(node.right, expression), expression)
    left, right = _expand(node.left, expression), node.right
    if node.operator.lexeme == "**":
        return _Sum(_power(left.terms, right.value))
    return _joined(node.operator.lexeme, left, _expand(right, expression), expression)


def _signed(sign: str, inside: _Sum, expression: str) -> _Sum:
    if sign == "+":
        return inside
    if inside.terms:
        raise SpecError("Nothing comes before a term that is subtracted.", expression, "Write 0 + x for no intercept.")
    return _Sum((), not inside.intercept)


def _joined(operator: str, left: _Sum, right: _Sum, expression: str) -> _Sum:
    if operator == "+":
        return _Sum(_once([*left.terms, *right.terms]), left.intercept if right.intercept is None else right.intercept)
    if operator == "-":
        removed = {_key(term) for term in right.terms}
        kept = tuple(term for term in left.terms if _key(term) not in removed)
        return _Sum(kept, left.intercept if right.intercept is None else not right.intercept)
    if left.intercept is not None or right.intercept is not None:
        raise SpecError(f"0 or 1 is joined by {operator!r}.", expression, "Add it as a term of its own: 0 + x.")
    match operator:
        case ":":
            return _Sum(_products(left.terms, right.terms))
        case "*":
            return _Sum(_once([*left.terms, *right.terms, *_products(left.terms, right.terms)]))
    whole = Term(*(component for term in left.terms for component in term.components))
    return _Sum(_once([*left.terms, *_products([whole], right.terms)]))


def _power(terms: tuple[Term, ...], degree: int) -> tuple[Term, ...]:
    result = terms
    for _ in range(degree - 1):
        result = _once([*result, *_products(result, terms)])
    return result


def _products(left: Iterable[Term], right: Iterable[Term]) -> tuple[Term, ...]:
    right = tuple(right)
    return _once(Term(*a.components, *b.components) for a in left for b in right)


def _once(terms: Iterable[Term]) -> tuple[Term, ...]:
    """The first of equal terms, in order."""
    found: dict[frozenset[Any], Term] = {}
    for term in terms:
        found.setdefault(_key(term), term)
    return tuple(found.values())


def _key(term: Term) -> frozenset[Any]:
    return frozenset(term.components)
