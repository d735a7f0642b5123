"""A further namespace of functions, which writes source: a density that is run once on symbols becomes code.

Each operation appends a line to a :class:`Program`, with lines for the derivatives of its result in those inputs that
have one (forward differentiation; Griewank & Walther 2008, Evaluating Derivatives, chapter 3). Lines that say the same
are one line. What the written functions are called with is for the caller to decide: scalars in a compiled loop, or
arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import special

from bayes_glmm.numerics import conway_maxwell_forms, tail_integrals
from bayes_glmm.numerics.functions import NUMPY, Functions


@dataclass(frozen=True)
class Line:
    """One line of a program.

    Attributes
    ----------
    targets : tuple of str
        Names that it gives values to.
    code : str
    needs : tuple of str
        Names of earlier lines that it reads.
    depends : frozenset of str
        Inputs that it follows from.
    """

    targets: tuple[str, ...]
    code: str
    needs: tuple[str, ...]
    depends: frozenset[str]

    def __str__(self) -> str:
        return f"{', '.join(self.targets)} = {self.code}"


@dataclass
class Program:
    """Lines in the order in which they were written, which is one that they can be run in.

    Attributes
    ----------
    lines : list of Line
    known : dict of str to Symbol
        The result of each code, so that none is written twice.
    """

    lines: list[Line] = field(default_factory=list)
    known: dict[str, tuple[Symbol, ...]] = field(default_factory=dict)

    def write(self, code: str, of: Iterable[Symbol], results: int = 1) -> tuple[Symbol, ...]:
        """Write a line, unless one says the same."""
        if code not in self.known:
            operands = tuple(of)
            depends = frozenset[str]().union(*(symbol.depends for symbol in operands))
            targets = tuple(f"t{len(self.known)}_{k}" for k in range(results))
            needs = tuple(name for symbol in operands for name in symbol.reads)
            self.lines.append(Line(targets, code, needs, depends))
            self.known[code] = tuple(Symbol(self, name, depends, (name,)) for name in targets)
        return self.known[code]

    def lines_for(self, names: Iterable[str]) -> list[Line]:
        """The lines that give these names their values, with all that they need."""
        wanted, found = set(names), []
        for line in reversed(self.lines):
            if wanted & set(line.targets):
                wanted |= set(line.needs)
                found.append(line)
        return found[::-1]


@dataclass(frozen=True, eq=False)
class Symbol:
    """A number that a program computes.

    Attributes
    ----------
    program : Program
    name : str
        Its name in the source, or a constant.
    depends : frozenset of str
        Inputs that it follows from.
    reads : tuple of str
        Names of lines behind it.
    tangents : dict of str to Symbol
        Its derivative in each input that has one; those that are missing are 0.
    terms : tuple of (float, Symbol)
        What it is the sum of, with their signs; empty for itself alone.
    factors : tuple of Symbol
        What it is the product of; empty for itself alone.
    """

    program: Program
    name: str
    depends: frozenset[str] = frozenset()
    reads: tuple[str, ...] = ()
    tangents: dict[str, Symbol] = field(default_factory=dict)
    terms: tuple[tuple[float, Symbol], ...] = ()
    factors: tuple[Symbol, ...] = ()

    __array_ufunc__ = None  # numbers of NumPy leave arithmetic to this class

    @property
    def parts(self) -> tuple[tuple[float, Symbol], ...]:
        """Terms, or itself as the only one."""
        return self.terms or ((1.0, self),)

    def lift(self, other: Any) -> Symbol:
        """Another number as a symbol of the same program."""
        return other if isinstance(other, Symbol) else Symbol(self.program, f"({float(other)!r})")

    def _write(self, code: str, *of: Symbol) -> Symbol:
        return self.program.write(code, of)[0]

    def _with(self, value: Symbol, tangents: dict[str, Symbol], terms: Any = (), factors: Any = ()) -> Symbol:
        return Symbol(self.program, value.name, value.depends, value.reads, tangents, tuple(terms), tuple(factors))

    def _chain(self, value: Symbol, slope: Callable[[], Symbol]) -> Symbol:
        """A function of this symbol alone, whose derivative is written where it is needed."""
        if not self.tangents:
            return value
        by = slope()
        return self._with(value, {key: by._times(tangent) for key, tangent in self.tangents.items()})

    def _along(self, operands: Sequence[Symbol], slopes: Sequence[Symbol]) -> Symbol:
        """Return this value of a function of several symbols with the derivative in each."""
        tangents: dict[str, Symbol] = {}
        for operand, slope in zip(operands, slopes, strict=True):
            for key, tangent in operand.tangents.items():
                change = slope._times(tangent)
                tangents[key] = tangents[key]._plus(change) if key in tangents else change
        return self._with(self, tangents)

    def _times(self, other: Symbol) -> Symbol:
        """The product without its derivatives."""
        if other.name == "(1.0)" or self.name == "(1.0)":
            return self if other.name == "(1.0)" else other
        return self._write(f"{self.name} * {other.name}", self, other)

    def _plus(self, other: Symbol, sign: str = "+") -> Symbol:
        return self._write(f"{self.name} {sign} {other.name}", self, other)

    def _minus(self) -> Symbol:
        return self._write(f"-{self.name}", self)

    def _added(self, other: Symbol, sign: str) -> Symbol:
        tangents = dict(self.tangents)
        for key, tangent in other.tangents.items():
            alone = tangent if sign == "+" else tangent._minus()
            tangents[key] = tangents[key]._plus(tangent, sign) if key in tangents else alone
        factor = 1.0 if sign == "+" else -1.0
        terms = (*self.parts, *((factor * own, part) for own, part in other.parts))
        return self._with(self._plus(other, sign), tangents, terms)

    def __add__(self, other: Any) -> Symbol:
        return self._added(self.lift(other), "+")

    def __radd__(self, other: Any) -> Symbol:
        return self.lift(other)._added(self, "+")

    def __sub__(self, other: Any) -> Symbol:
        return self._added(self.lift(other), "-")

    def __rsub__(self, other: Any) -> Symbol:
        return self.lift(other)._added(self, "-")

    def __neg__(self) -> Symbol:
        tangents = {key: tangent._minus() for key, tangent in self.tangents.items()}
        return self._with(self._minus(), tangents, ((-sign, part) for sign, part in self.parts))

    def __mul__(self, other: Any) -> Symbol:
        return self._product(self.lift(other))

    def __rmul__(self, other: Any) -> Symbol:
        return self.lift(other)._product(self)

    def _product(self, other: Symbol) -> Symbol:
        tangents = {key: tangent._times(other) for key, tangent in self.tangents.items()}
        for key, tangent in other.tangents.items():
            change = self._times(tangent)
            tangents[key] = tangents[key]._plus(change) if key in tangents else change
        factors = (*(self.factors or (self,)), *(other.factors or (other,)))
        return self._with(self._times(other), tangents, factors=factors)

    def __truediv__(self, other: Any) -> Symbol:
        return self._quotient(self.lift(other))

    def __rtruediv__(self, other: Any) -> Symbol:
        return self.lift(other)._quotient(self)

    def _quotient(self, other: Symbol) -> Symbol:
        value, above = self._write(f"{self.name} / {other.name}", self, other), dict(self.tangents)
        for key, tangent in other.tangents.items():
            change = value._times(tangent)
            above[key] = above[key]._plus(change, "-") if key in above else change._minus()
        return self._with(
            value, {key: self._write(f"{over.name} / {other.name}", over, other) for key, over in above.items()}
        )

    def __pow__(self, power: float) -> Symbol:
        if power == 2:
            return self * self
        value = self._write(f"{self.name} ** {float(power)!r}", self)
        return self._chain(
            value, lambda: self._write(f"{float(power)!r} * {self.name} ** {float(power) - 1.0!r}", self)
        )

    def __gt__(self, other: Any) -> Symbol:
        other = self.lift(other)
        return self._write(f"{self.name} > {other.name}", self, other)

    def __lt__(self, other: Any) -> Symbol:
        other = self.lift(other)
        return self._write(f"{self.name} < {other.name}", self, other)


def _function(name: str, slope: str) -> Callable[[Any], Any]:
    """A function of one number, with its derivative as source: ``{x}`` is the argument, ``{v}`` the value."""

    def call(x: Any) -> Any:
        if not isinstance(x, Symbol):
            return getattr(NUMPY, name)(x)
        value = x._write(f"{name}({x.name})", x)
        return x._chain(value, lambda: x._write(slope.format(x=x.name, v=value.name), x, value))

    return call


def _log_gamma(x: Any) -> Any:
    if not isinstance(x, Symbol):
        return NUMPY.gammaln(x)
    value, slope = x.program.write(f"log_gamma({x.name})", (x,), results=2)
    return x._chain(value, lambda: slope)


def _log_rising(x: Any, k: Any) -> Any:
    first, second = _both(x, k)
    if second.tangents:
        return _log_gamma(first + second) - _log_gamma(first)
    value, slope = first.program.write(f"log_rising({first.name}, {second.name})", (first, second), results=2)
    return first._chain(value, lambda: slope)


def _conway_maxwell(y: Any, log_mu: Any, log_nu: Any) -> Any:
    lift = next(one for one in (y, log_mu, log_nu) if isinstance(one, Symbol)).lift
    operands = [lift(one) for one in (y, log_mu, log_nu)]
    code = f"conway_maxwell({', '.join(one.name for one in operands)})"
    value, *slopes = operands[0].program.write(code, operands, results=3)
    return value._along(operands[1:], slopes)


def _of_three(name: str) -> Callable[..., Any]:
    """A function of three numbers that returns its value and the derivative in each."""

    def call(*numbers: Any) -> Any:
        lift = next(one for one in numbers if isinstance(one, Symbol)).lift
        operands = [lift(one) for one in numbers]
        code = f"{name}({', '.join(one.name for one in operands)})"
        value, *slopes = operands[0].program.write(code, operands, results=4)
        return value._along(operands, slopes)

    return call


def _where(condition: Symbol, a: Any, b: Any) -> Any:
    a, b = condition.lift(a), condition.lift(b)
    zero, tangents = condition.lift(0.0), {}
    for key in {**a.tangents, **b.tangents}:
        tangents[key] = _chosen(condition, a.tangents.get(key, zero), b.tangents.get(key, zero))
    return a._with(_chosen(condition, a, b), tangents)


def _chosen(condition: Symbol, a: Symbol, b: Symbol) -> Symbol:
    return condition._write(f"where({condition.name}, {a.name}, {b.name})", condition, a, b)


def _larger(a: Any, b: Any) -> Any:
    first, second = _both(a, b)
    return _where(second > first, second, first)  # equal ones: the first, whose slope a limit of it has not


def _smaller(a: Any, b: Any) -> Any:
    first, second = _both(a, b)
    return _where(second < first, second, first)


def _both(a: Any, b: Any) -> tuple[Symbol, Symbol]:
    lift = (a if isinstance(a, Symbol) else b).lift
    return lift(a), lift(b)


def _arctan2(a: Any, b: Any) -> Any:
    first, second = _both(a, b)
    value = first._write(f"arctan2({first.name}, {second.name})", first, second)
    square = first._times(first)._plus(second._times(second))
    above = {key: second._times(tangent) for key, tangent in first.tangents.items()}
    for key, tangent in second.tangents.items():
        change = first._times(tangent)
        above[key] = above[key]._plus(change, "-") if key in above else change._minus()
    slopes = {key: first._write(f"{over.name} / {square.name}", over, square) for key, over in above.items()}
    return first._with(value, slopes)


def _no_inverse(x: Any) -> Any:
    raise NotImplementedError("No density needs the inverse of erfc.")


_TWO_BY_ROOT_PI = float(2.0 / np.sqrt(np.pi))

SOURCE = Functions(
    exp=_function("exp", "{v}"),
    log=_function("log", "1.0 / {x}"),
    log1p=_function("log1p", "1.0 / (1.0 + {x})"),
    expm1=_function("expm1", "{v} + 1.0"),
    sqrt=_function("sqrt", "0.5 / {v}"),
    tan=_function("tan", "1.0 + {v} * {v}"),
    arctan2=_arctan2,
    erfc=_function("erfc", f"{-_TWO_BY_ROOT_PI!r} * exp(-{{x}} * {{x}})"),
    erfcx=_function("erfcx", f"2.0 * {{x}} * {{v}} - {_TWO_BY_ROOT_PI!r}"),
    erfcinv=_no_inverse,
    expit=_function("expit", "{v} * expit(-{x})"),
    softplus=_function("softplus", "expit({x})"),
    gammaln=_log_gamma,
    maximum=_larger,
    minimum=_smaller,
    where=_where,
    abs=_function("abs", "where({x} > 0.0, 1.0, -1.0)"),
    log_binary=_of_three("log_binary"),
    log_rising=_log_rising,
    conway_maxwell=_conway_maxwell,
    log_gamma_integral=_of_three("log_gamma_integral"),
    log_beta_integral=_of_three("log_beta_integral"),
)

# what the lines call where they run on arrays
ARRAYS: dict[str, Any] = {name: getattr(NUMPY, name) for name in Functions.__dataclass_fields__} | {
    "log_gamma": lambda x: (special.gammaln(x), special.digamma(x)),
    "conway_maxwell": conway_maxwell_forms.values,
    "log_gamma_integral": tail_integrals.gamma_values,
    "log_beta_integral": tail_integrals.beta_values,
    "log_rising": lambda x, k: (NUMPY.log_rising(x, k), special.digamma(x + k) - special.digamma(x)),
    "log_binary": lambda k, m, x: (
        NUMPY.log_binary(k, m, x),
        -NUMPY.softplus(-x),
        -NUMPY.softplus(x),
        k * NUMPY.expit(-x) - m * NUMPY.expit(x),
    ),
}


def value_of(symbol: Symbol, inputs: Mapping[str, Any]) -> Any:
    """Return the value of a symbol where the inputs of its program have these values, numbers or arrays."""
    names = ARRAYS | dict(inputs)
    lines = symbol.program.lines_for(symbol.reads)
    with np.errstate(all="ignore"):
        exec("\n".join(map(str, lines)), names)  # the lines are those that this module writes
        return eval(symbol.name, names)
