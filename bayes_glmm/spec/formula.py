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
from bayes_glmm.names import SPECIFIC
from bayes_glmm.spec.covariances import with_covariance
from bayes_glmm.spec.residual import ResidualTerm, residual_term
from bayes_glmm.spec.specific import specific_effects
from bayes_glmm.spec.splitting import check_balanced, depths, is_call, is_column, is_wrapped, split, without_quotes
from bayes_glmm.spec.terms import RandomTerm

_PROPORTION = re.compile(r"(?:p|prop|proportion)\((?P<inside>.*)\)$", re.DOTALL)
_CBIND = re.compile(r"cbind\((?P<inside>.*)\)$", re.DOTALL)
_COUNTS = re.compile(r"c(bind)?\((?P<inside>.*)\)$", re.DOTALL)
_TRIALS = re.compile(r"trials\((?P<inside>.*)\)$", re.DOTALL)


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
    frequency : str or None
        The column that counts how often each row occurs.
    sampling : str or None
        The column of sampling weights, and the factor that they are scaled within: ``"w, g"``.
    cens, trunc : str or None
        The arguments of ``cens(c, y2)`` and ``trunc(lb=0, ub=10)``.
    specific : str
        Fixed effects that differ between the thresholds of ordered categories, what is in ``cs()``; empty without.
    residual : ResidualTerm or None
        The correlation of the residuals of one level.
    """

    response: str
    fixed: str
    random: tuple[RandomTerm, ...] = ()
    trials: str | None = None
    offset: str | None = None
    frequency: str | None = None
    cens: str | None = None
    trunc: str | None = None
    sampling: str | None = None
    specific: str = ""
    residual: ResidualTerm | None = None

    @property
    def weighting(self) -> tuple[str, ...]:
        """The column of sampling weights, and the factor that they are scaled within if there is one."""
        return () if self.sampling is None else tuple(part.strip() for part in split(self.sampling, ","))

    @property
    def counts(self) -> tuple[str, ...]:
        """The columns with the counts of three or more categories; empty for other responses."""
        found = counted_columns(self.response)
        return found if len(found) > 2 else ()

    @property
    def weights_term(self) -> str:
        """The term of the sampling weights, empty without."""
        weights, *within = self.weighting or ("",)
        return f"weights({', '.join([weights, 'sampling', *within])})" if weights else ""

    @property
    def censoring(self) -> tuple[str, str | None] | None:
        """Expressions for the kind of censoring and for the upper ends of intervals, None without them."""
        if self.cens is None:
            return None
        code, *end = (part.strip() for part in split(self.cens, ","))
        return code, end[0] if end else None

    @property
    def bounds(self) -> dict[str, str]:
        """Expressions for the bounds of a truncated response, by their names ``lb`` and ``ub``."""
        parts = [] if self.trunc is None else [part.partition("=") for part in split(self.trunc, ",")]
        return {name.strip(): value.strip() for name, _, value in parts}

    @property
    def before(self) -> str:
        """What the mean and other parts of a censored or truncated response are before, in words; empty for others."""
        found = [
            name for name, written in (("censoring", self.cens), ("truncation", self.trunc)) if written is not None
        ]
        return f"before {' and '.join(found)}" if found else ""

    @property
    def right(self) -> str:
        """The right-hand side."""
        offset = [] if self.offset is None else [f"offset({self.offset})"]
        residual = [] if self.residual is None else [str(self.residual)]
        return " + ".join([self.all_fixed, *offset, *map(str, self.random), *residual])

    @property
    def all_fixed(self) -> str:
        """The fixed effects as they are written, with those that differ between thresholds."""
        return " + ".join([self.fixed, *([f"{SPECIFIC}({self.specific})"] if self.specific else [])])

    def __str__(self) -> str:
        left = self.response if self.trials is None else f"p({self.response}, {self.trials})"
        beside = [] if self.frequency is None else [f"weights({self.frequency}, frequency)"]
        beside += [self.weights_term] if self.weights_term else []
        beside += [f"{name}({inside})" for name in ("cens", "trunc") if (inside := getattr(self, name)) is not None]
        return f"{left}{' | ' if beside else ''}{' + '.join(beside)} ~ {self.right}"


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
    (RandomTerm(effects='x', group='g', correlated=False, shared=None, covariance=None),)
    """
    if not isinstance(text, str):
        raise SpecError(f"A formula is text, not {type(text).__name__}.", advice="Write: response ~ terms.")
    if not is_storable(text):
        raise SpecError("The formula cannot be read: it holds a character that is no text.", text, "Take it out.")
    check_balanced(text)
    sides = split(text, "~")
    if len(sides) != 2 or not all(side.strip() for side in sides):
        advice = formula_advice(text) or "Write: response ~ terms."
        raise SpecError("A formula needs one '~' with text on both sides.", text, advice)
    response, trials = _parse_response(sides[0].strip())
    fixed: list[str] = []
    offsets: list[str] = []
    random: list[RandomTerm] = []
    specific: list[str] = []
    residuals: list[ResidualTerm] = []
    for sign, term in _signed_terms(sides[1]):
        if is_wrapped(term) and len(split(term[1:-1], "|")) > 1:
            if sign == "-":
                raise SpecError("A random term cannot be subtracted.", f"- {term}", "Leave the term out instead.")
            random.extend(_parse_random(term))
        elif (found := with_covariance(term)) and sign == "+":
            random.extend(found.of(one) for one in _parse_random(found.term))
        elif (inside := specific_effects(term, sign)) is not None:
            specific.append(inside)
        elif (correlated := residual_term(term)) and sign == "+":
            residuals.append(correlated)
        elif match := re.match(r"offset\s*(?=\()", term):
            offsets.append(_offset(term, term[match.end() :], sign))
        elif "|" in without_quotes(term):
            raise SpecError(
                "A bar may stand only in a term of its own, (effects | group).",
                term,
                bar_advice(term) or "Random terms are added: y ~ x + (1 | g). They cannot be multiplied or interact.",
            )
        elif len(split(term, "=")) == 2 and (advice := keyword_advice(term)):
            raise SpecError("The formula cannot be read: a term is not an argument.", term, advice)
        else:
            fixed.append(f"{sign} {term}")
    if len(residuals) > 1:
        raise SpecError("Residuals have two correlations.", " + ".join(map(str, residuals)), "Keep one of the terms.")
    fixed_text = " ".join(fixed).removeprefix("+ ") or "1"
    offset = offsets[0] if len(offsets) == 1 else " + ".join(map(_summand, offsets)) or None
    specific_text, residual = " + ".join(specific), next(iter(residuals), None)
    return Formula(response, fixed_text, tuple(random), trials, offset, specific=specific_text, residual=residual)


def _offset(term: str, bracket: str, sign: str) -> str:
    inside = bracket[1:-1].strip()
    if sign == "-" or not inside or not is_wrapped(bracket):
        raise SpecError(
            "An offset is a term of its own: + offset(expression).",
            term if sign == "+" else f"- {term}",
            "Write arithmetic inside the brackets: offset(-x), offset(2 * x).",
        )
    return inside


def _parse_response(text: str) -> tuple[str, str | None]:
    response, *bars = [part.strip() for part in split(text, "|")]
    if bars:
        match = _TRIALS.match(bars[0])
        if len(bars) > 1 or not response or not match or not match["inside"].strip() or not is_call(bars[0]):
            advice = response_advice(text) or "Write y, p(y, n) or y | trials(n)."
            raise SpecError("The response is not understood.", text, advice)
        return response, match["inside"].strip()
    if len(columns := counted_columns(text)) > 2:
        return f"cbind({', '.join(columns)})", None
    for pattern, trials in ((_PROPORTION, "{1}"), (_CBIND, "{0} + ({1})")):
        if (match := pattern.match(text)) and is_call(text):
            inside = [part.strip() for part in split(match["inside"], ",")]
            if len(inside) != 2 or not all(inside):
                raise SpecError("Successes of trials need two arguments.", text, "Write p(y, n) or cbind(y, n - y).")
            return inside[0], trials.format(_summand(inside[0]), inside[1])
    return text, None


def counted_columns(response: str) -> tuple[str, ...]:
    """The columns of counts of ``cbind(a, b, c)``, or ``c(a, b, c)`` in Bambi's words; empty for other responses."""
    match = _COUNTS.match(response)
    inside = [part.strip() for part in split(match["inside"], ",")] if match and is_call(response) else []
    return tuple(inside) if inside and all(map(is_column, inside)) else ()


def _summand(text: str) -> str:
    """An expression as a part of a sum: comparisons bind less than '+'."""
    return f"({text})" if any(character in "<>=!" and depth == 0 for _, character, depth in depths(text)) else text


def _parse_random(term: str) -> Iterator[RandomTerm]:
    effects, *middle, group = [part.strip() for part in split(term[1:-1], "|")]
    shared = middle[0] if len(middle) == 1 and middle[0].replace("_", "").isalnum() else None
    if not (shared or middle in ([], [""])) or not effects or not group:
        raise SpecError("A random term is (effects | group) or (effects || group).", term, bar_advice(term))
    nested: list[str] = []
    for part in (piece.strip() for piece in group.split("/")):
        columns = [column.strip() for column in part.split(":")]
        if not all(map(is_column, columns)):
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
    for i, plus in enumerate(split(text, "+")):
        first, *rest = split(plus, "-")
        if first.strip():
            yield "+", first.strip()
        elif i > 0 and not rest:
            raise SpecError("Nothing stands after a '+'.", text.strip())
        for term in rest:
            if not term.strip():
                raise SpecError("Nothing stands after a '-'.", text.strip())
            yield "-", term.strip()
