"""Terms beside the response, ``y | se(s) + rate(t)``: what each means, written as formulas without them.

``trials(n)`` belongs to the response itself. ``rate(t)`` is the offset log(t) of a log link. A known scale goes to the
formula of sigma: ``se(s)`` is sigma_i = s_i, and ``weights(w, precision)`` is sigma_i = sigma / sqrt(w_i).
``weights(w, frequency)`` is kept: the design repeats each row w times. So are ``weights(w, sampling)``, the power to
which the density of a row is raised, and ``cens(c, y2)`` and ``trunc(lb, ub)``, which change what it is;
``censored(y, c)`` and ``truncated(y, lb, ub)`` are Bambi's words for them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from bayes_glmm.errors import SpecError
from bayes_glmm.families import FAMILIES, Family
from bayes_glmm.foreign import response_advice
from bayes_glmm.spec.formula import Formula
from bayes_glmm.spec.splitting import check_balanced, is_call, is_column, split

_CALL = re.compile(r"(?P<name>[a-z]+)\s*\((?P<inside>.*)\)$", re.DOTALL)
SIGMA = "sigma"  # the parameter that known scales are about
KINDS = {
    "frequency": "each row counts as w identical rows",
    "precision": "the variance of a row is sigma^2 / w",
    "sampling": "each row represents w members of the population (a pseudo-posterior)",
}


@dataclass(frozen=True)
class Additions:
    """Terms beside a response: trials, exposure, frequencies, known scale.

    Attributes
    ----------
    trials : str
        The number of trials, or empty; this and the others are expressions.
    rate : str
        The exposure.
    frequency : str
        The column with the number of times that each row occurs.
    sigma : str
        The right-hand side of sigma's formula.
    sampling : str
        The column of sampling weights, and the factor that they are scaled within.
    cens, trunc : str
        The arguments of ``cens()``, and those of ``trunc()`` by name.
    written : str
        The terms as they were written.
    """

    trials: str = ""
    rate: str = ""
    frequency: str = ""
    sigma: str = ""
    cens: str = ""
    trunc: str = ""
    sampling: str = ""
    written: str = ""

    def of_response(self, formula: Formula) -> Formula:
        """The formula of the response with the terms that are kept with it."""
        return replace(
            formula,
            frequency=self.frequency or None,
            sampling=self.sampling or None,
            cens=self.cens or None,
            trunc=self.trunc or None,
        )

    def check_family(self, family: Family) -> None:
        """Check that a family has what the terms are about.

        Raises
        ------
        SpecError
        """
        if self.rate and not family.response.is_count:
            raise SpecError(
                f"rate() is for counts, not for the {family.name} family.",
                self.written,
                "Divide the response by the exposure, or take it as a predictor.",
            )
        if self.sigma and (SIGMA not in family.auxiliary or family.response.range != "real"):
            raise SpecError(
                f"A known scale is one of sigma, which the {family.name} family does not have.",
                self.written,
                "Use family='gaussian' or 'student_t'; p(y, n) for successes of n trials.",
            )

        if self.cens or self.trunc:
            _check_tails(family, "cens()" if self.cens else "trunc()", self.written)

    def check_link(self, link: str) -> None:
        """Check that an exposure multiplies the mean.

        Raises
        ------
        SpecError
        """
        if self.rate and link != "log":
            raise SpecError(f"rate() needs the log link, not {link!r}.", self.written, "Leave link= out.")


def read_additions(text: str, left: str) -> Additions:
    """The terms after the bar of a left-hand side.

    Parameters
    ----------
    text : str
        ``"trials(n) + weights(w, frequency)"``.
    left : str
        The whole left-hand side, for messages.

    Raises
    ------
    SpecError
        For a term that is unknown, incomplete or written twice.
    """
    found: dict[str, str] = {}
    for term in (part.strip() for part in split(text, "+")):
        match = _CALL.match(term)
        reader = _READERS.get(match["name"]) if match else None
        if match is None or reader is None or not match["inside"].strip():
            known = ", ".join(f"{name}()" for name in _READERS)
            advice = response_advice(left) or f"Terms after the bar are {known}, joined by '+'."
            raise SpecError("The response is not understood.", left, advice)
        name, value = reader([part.strip() for part in split(match["inside"], ",")], term)
        if name in found:
            raise SpecError("Two terms beside the response are about the same.", left, f"Leave {term} out.")
        found[name] = value
    return Additions(**found, written=left)


def without_additions(text: str) -> tuple[str, Additions]:
    """A formula without the terms beside its response but trials, and these terms.

    An exposure becomes an offset; Bambi's ``censored()`` and ``truncated()`` are read as terms. What is no formula
    stays as it is.

    Raises
    ------
    SpecError
        As :func:`read_additions`.

    Examples
    --------
    >>> without_additions("y | trials(n) + rate(t) ~ x")[0]
    'y | trials(n) ~ x + offset(log(t))'
    """
    sides = split(text, "~") if isinstance(text, str) else []
    left, *bars = split(sides[0], "|") if len(sides) == 2 else [""]
    if len(bars) < 2:
        left, bars = _from_bambi(left, bars)
    if len(bars) != 1 or not left.strip():
        return text, Additions()
    check_balanced(text)
    found = read_additions(bars[0], sides[0].strip())
    trials = f" | trials({found.trials})" if found.trials else ""
    rate = f" + offset(log({found.rate}))" if found.rate else ""
    return f"{left.strip()}{trials} ~ {sides[1].strip()}{rate}", found


def _one(name: str, pattern: str, arguments: list[str], term: str) -> tuple[str, str]:
    if len(arguments) != 1:
        raise SpecError(f"{term.partition('(')[0]}() takes one argument.", term, _ONE.get(term.partition("(")[0], ""))
    return name, pattern.format(arguments[0])


def _weights(arguments: list[str], term: str) -> tuple[str, str]:
    if len(arguments) == 3:
        return _sampling_within(arguments, term)
    *first, kind = [one.strip("'\"") for one in arguments]
    kind = re.sub(r"^\w+\s*=\s*['\"]?", "", kind)
    if len(first) != 1 or kind not in KINDS:
        column = arguments[0]
        kinds = "; ".join(f"weights({column}, {name}): {meaning}" for name, meaning in KINDS.items())
        raise SpecError("Weights can mean different things.", term, f"Write {kinds}.")
    if kind == "precision":
        return SIGMA, f"1 + offset(-0.5 * log({first[0]}))"
    if not is_column(first[0]):
        what = {"frequency": "Frequencies", "sampling": "Sampling weights"}[kind]
        raise SpecError(f"{what} are a column.", term, "Make the column first.")
    return kind, first[0]


def _sampling_within(arguments: list[str], term: str) -> tuple[str, str]:
    column, kind, within = (re.sub(r"^(type|kind|by)\s*=\s*", "", one).strip("'\"") for one in arguments)
    if kind != "sampling" or not is_column(column) or not is_column(within):
        raise SpecError(
            "Weights with three arguments are sampling weights that are scaled within the levels of a factor.",
            term,
            "Write weights(w, sampling, g) with two columns.",
        )
    return kind, f"{column}, {within}"


def _check_tails(family: Family, term: str, written: str) -> None:
    """Check that a family has probabilities of ranges of the response."""
    if family.log_cumulative_hazard is not None:
        return
    having = [name for name, one in FAMILIES.items() if one.log_cumulative_hazard is not None]
    raise SpecError(
        f"{term} needs the distribution function of the response, which the {family.name} family does not have here.",
        written,
        f"Families with it: {', '.join(having)}.",
    )


def _cens(arguments: list[str], term: str) -> tuple[str, str]:
    values = [re.sub(r"^y2\s*=\s*", "", one) for one in arguments]
    if len(values) > 2 or not all(values):
        raise SpecError("cens() takes the kind of censoring, and the upper ends of intervals.", term, _CENS)
    return "cens", ", ".join(values)


def _trunc(arguments: list[str], term: str) -> tuple[str, str]:
    found: dict[str, str] = {}
    for name, argument in zip(_BOUNDS, arguments, strict=False):
        named = re.match(r"(?P<name>\w+)\s*=(?!=)\s*(?P<value>.*)$", argument, re.DOTALL)
        bound, value = (named["name"], named["value"]) if named else (name, argument)
        if bound not in _BOUNDS or bound in found or not value:
            raise SpecError("A bound of trunc() is not understood.", term, _TRUNC)
        if value.strip("+-").lower() not in ("inf", "none"):
            found[bound] = value
    if not found or len(arguments) > len(_BOUNDS):
        raise SpecError("trunc() takes a lower and an upper bound.", term, _TRUNC)
    return "trunc", ", ".join(f"{name}={found[name]}" for name in _BOUNDS if name in found)


def _from_bambi(left: str, bars: list[str]) -> tuple[str, list[str]]:
    """``censored(y, c)``, ``censored(y, y2, c)`` and ``truncated(y, lb, ub)`` with their terms after the bar."""
    match = re.match(r"(?P<name>censored|truncated)\s*\((?P<inside>.*)\)$", left.strip(), re.DOTALL)
    if match is None or not is_call(left.strip()):
        return left, bars
    y, *rest = [part.strip() for part in split(match["inside"], ",")]
    known = match["name"] == "censored"
    if known and len(rest) == 2:  # the kind comes last
        rest = rest[::-1]
    if not y or not rest or not all(rest):
        raise SpecError("The response is not understood.", left.strip(), _CENS if known else _TRUNC)
    term = f"{'cens' if known else 'trunc'}({', '.join(rest)})"
    return y, [" + ".join([term, *bars])]


_BOUNDS = ("lb", "ub")
_CENS = (
    "Write y | cens(c) with c one of left, none, right (or -1, 0, 1), and y | cens(c, y2) for intervals from y to y2."
)
_TRUNC = "Write y | trunc(lb=0), trunc(ub=10) or trunc(lb=0, ub=10): numbers or columns."
_ONE = {"se": "Add an effect by row, (1 | row), for a variance beside the known one."}
_READERS = {
    "trials": lambda arguments, term: _one("trials", "{}", arguments, term),
    "rate": lambda arguments, term: _one("rate", "{}", arguments, term),
    "se": lambda arguments, term: _one(SIGMA, "0 + offset(log({}))", arguments, term),
    "weights": _weights,
    "cens": _cens,
    "trunc": _trunc,
}
