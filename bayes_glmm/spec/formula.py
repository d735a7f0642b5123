"""lme4's formula text, cut into parts: response, fixed effects, random terms, offset.

Only what formulae cannot read is read here: ``(effects | group)``, ``||``, nesting, ``offset()`` and the ways of
writing successes of trials. The fixed part and the effects before each bar go to formulae as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bayes_glmm.errors import SpecError, is_storable
from bayes_glmm.foreign import bar_advice, formula_advice, keyword_advice, response_advice
from bayes_glmm.spec.terms import RandomTerm

_OPEN, _CLOSE, _QUOTES = "([{", ")]}", "'\"`"
_QUOTED = -1_000_000  # no depth of brackets
_PROPORTION = re.compile(r"(?:p|prop|proportion)\((?P<inside>.*)\)$", re.DOTALL)
_CBIND = re.compile(r"cbind\((?P<inside>.*)\)$", re.DOTALL)
_TRIALS = re.compile(r"trials\((?P<inside>.*)\)$", re.DOTALL)
_COLUMN = re.compile(r"[^\W\d]\w*(?:\.\w+)*$|`[^`]+`$")


@dataclass(frozen=True)
class Formula:
    """The parts of a formula.

    Attributes
    ----------
    response, fixed : str
        Left-hand side, and the fixed effects as a formula without response.
    trials, offset : str or None
        Expressions for the number of trials and for the offset.
    random : tuple of RandomTerm
    """

    response: str
    fixed: str
    random: tuple[RandomTerm, ...] = ()
    trials: str | None = None
    offset: str | None = None

    @property
    def right(self) -> str:
        """The right-hand side."""
        offset = [] if self.offset is None else [f"offset({self.offset})"]
        return " + ".join([self.fixed, *offset, *map(str, self.random)])

    def __str__(self) -> str:
        left = self.response if self.trials is None else f"p({self.response}, {self.trials})"
        return f"{left} ~ {self.right}"


def parse_formula(text: str) -> Formula:
    """Cut a formula into its parts.

    Parameters
    ----------
    text : str
        For example ``"y ~ x + (1 + x | g)"``, ``"p(y, n) ~ x + (1 | a/b)"``, ``"y | trials(n) ~ (x || g)"``,
        ``"cbind(y, n - y) ~ offset(log(t)) + (1 | a:b)"``.

    Returns
    -------
    Formula

    Raises
    ------
    SpecError
        For unbalanced brackets, a missing or second ``~``, a bar outside ``(effects | group)``, or a group that is not
        columns joined by ``:`` and ``/``.

    Examples
    --------
    >>> parse_formula("y ~ x + (x || g)").random
    (RandomTerm(effects='x', group='g', correlated=False, shared=None),)
    """
    if not isinstance(text, str):
        raise SpecError(f"A formula is text, not {type(text).__name__}.", advice="Write: response ~ terms.")
    if not is_storable(text):
        raise SpecError("The formula cannot be read: it holds a character that is no text.", text, "Take it out.")
    _check_balanced(text)
    sides = _split(text, "~")
    if len(sides) != 2 or not all(side.strip() for side in sides):
        advice = formula_advice(text) or "Write: response ~ terms."
        raise SpecError("A formula needs one '~' with text on both sides.", text, advice)
    response, trials = _parse_response(sides[0].strip())
    fixed: list[str] = []
    offsets: list[str] = []
    random: list[RandomTerm] = []
    for sign, term in _signed_terms(sides[1]):
        if _is_wrapped(term) and len(_split(term[1:-1], "|")) > 1:
            if sign == "-":
                raise SpecError("A random term cannot be subtracted.", f"- {term}", "Leave the term out instead.")
            random.extend(_parse_random(term))
        elif match := re.match(r"offset\s*(?=\()", term):
            offsets.append(_offset(term, term[match.end() :], sign))
        elif "|" in _without_quotes(term):
            raise SpecError(
                "A bar may stand only in a term of its own, (effects | group).",
                term,
                bar_advice(term) or "Random terms are added: y ~ x + (1 | g). They cannot be multiplied or interact.",
            )
        elif len(_split(term, "=")) == 2 and (advice := keyword_advice(term)):
            raise SpecError("The formula cannot be read: a term is not an argument.", term, advice)
        else:
            fixed.append(f"{sign} {term}")
    fixed_text = " ".join(fixed).removeprefix("+ ") or "1"
    offset = offsets[0] if len(offsets) == 1 else " + ".join(map(_summand, offsets)) or None
    return Formula(response, fixed_text, tuple(random), trials, offset)


def _offset(term: str, bracket: str, sign: str) -> str:
    inside = bracket[1:-1].strip()
    if sign == "-" or not inside or not _is_wrapped(bracket):
        raise SpecError(
            "An offset is a term of its own: + offset(expression).",
            term if sign == "+" else f"- {term}",
            "Write arithmetic inside the brackets: offset(-x), offset(2 * x).",
        )
    return inside


def _parse_response(text: str) -> tuple[str, str | None]:
    response, *bars = [part.strip() for part in _split(text, "|")]
    if bars:
        match = _TRIALS.match(bars[0])
        if len(bars) > 1 or not response or not match or not match["inside"].strip() or not _is_call(bars[0]):
            advice = response_advice(text) or "Write y, p(y, n) or y | trials(n)."
            raise SpecError("The response is not understood.", text, advice)
        return response, match["inside"].strip()
    for pattern, trials in ((_PROPORTION, "{1}"), (_CBIND, "{0} + ({1})")):
        if (match := pattern.match(text)) and _is_call(text):
            inside = [part.strip() for part in _split(match["inside"], ",")]
            if len(inside) != 2 or not all(inside):
                raise SpecError("Successes of trials need two arguments.", text, "Write p(y, n) or cbind(y, n - y).")
            return inside[0], trials.format(_summand(inside[0]), inside[1])
    return text, None


def _summand(text: str) -> str:
    """An expression as a part of a sum: comparisons bind less than '+'."""
    return f"({text})" if any(character in "<>=!" and depth == 0 for _, character, depth in _depths(text)) else text


def _parse_random(term: str) -> Iterator[RandomTerm]:
    effects, *middle, group = [part.strip() for part in _split(term[1:-1], "|")]
    shared = middle[0] if len(middle) == 1 and middle[0].replace("_", "").isalnum() else None
    if not (shared or middle in ([], [""])) or not effects or not group:
        raise SpecError("A random term is (effects | group) or (effects || group).", term, bar_advice(term))
    nested: list[str] = []
    for part in (piece.strip() for piece in group.split("/")):
        columns = [column.strip() for column in part.split(":")]
        if not all(_COLUMN.match(column) for column in columns):
            raise SpecError(
                f"The group {group!r} is not a column, nor columns joined by ':' or '/'.",
                term,
                bar_advice(term)
                or "Make the group a column of the data first. Nested groups are (1 | a/b), crossed groups two terms.",
            )
        nested.extend(columns)
        if len(set(nested)) < len(nested):
            raise SpecError(f"The group {group!r} names a column twice.", term, "Name each column once.")
        yield RandomTerm(effects, ":".join(nested), correlated=middle != [""], shared=shared)


def _signed_terms(text: str) -> Iterator[tuple[str, str]]:
    """The top-level terms of a right-hand side with the sign before each."""
    for i, plus in enumerate(_split(text, "+")):
        first, *rest = _split(plus, "-")
        if first.strip():
            yield "+", first.strip()
        elif i > 0 and not rest:
            raise SpecError("Nothing stands after a '+'.", text.strip())
        for term in rest:
            if not term.strip():
                raise SpecError("Nothing stands after a '-'.", text.strip())
            yield "-", term.strip()


def _open_quote(text: str) -> str:
    """The quotation mark that is still open at the end; empty if none."""
    quote = ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
    return quote


def _depths(text: str) -> Iterator[tuple[int, str, int]]:
    """Position, character and bracket depth; quoted characters have a depth of their own and are never split at."""
    depth, quote = 0, ""
    for i, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
            yield i, character, _QUOTED
            continue
        if character in _QUOTES:
            quote = character
            yield i, character, _QUOTED
            continue
        depth -= character in _CLOSE
        yield i, character, depth
        depth += character in _OPEN


def _split(text: str, separator: str) -> list[str]:
    """Split at a one-character separator outside brackets and quotes."""
    cuts = [i for i, character, depth in _depths(text) if character == separator and depth == 0]
    return [text[a + 1 : b] for a, b in zip([-1, *cuts], [*cuts, len(text)], strict=True)]


def _is_wrapped(term: str) -> bool:
    """Whether one pair of parentheses holds the whole term."""
    closing = [i for i, character, depth in _depths(term) if character == ")" and depth == 0]
    return term.startswith("(") and closing[:1] == [len(term) - 1]


def _is_call(text: str) -> bool:
    """Whether a function with one pair of parentheses is the whole text: ``f(x)``, not ``f(x) + (z)``."""
    return _is_wrapped(text[text.find("(") :])


def _without_quotes(text: str) -> str:
    return "".join(character for _, character, depth in _depths(text) if depth != _QUOTED)


def _check_balanced(text: str) -> None:
    if quote := _open_quote(text):
        raise SpecError(f"A {quote} is not closed.", text, "Close the quotation.")
    stack: list[str] = []
    for _, character, depth in _depths(text):
        if depth == _QUOTED:
            continue
        if character in _OPEN:
            stack.append(_CLOSE[_OPEN.index(character)])
        elif character in _CLOSE and (not stack or stack.pop() != character):
            raise SpecError(f"A {character!r} has no partner.", text, "Balance the brackets.")
    if stack:
        raise SpecError(f"A {stack[-1]!r} is missing.", text, "Balance the brackets.")
