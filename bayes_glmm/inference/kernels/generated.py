"""Kernels written from the density of the family: for every family with at most one constant, under each of its links.

The density is run once on symbols (:mod:`~bayes_glmm.numerics.source`) and split into its terms: those of the data
alone are summed once, those of the constant alone are evaluated once a call, those of both once for each distinct
response, and those of the linear predictor once a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import special

from bayes_glmm.families import FAMILIES, LINKS, Response
from bayes_glmm.inference.kernels.elementary import elementary, erfcx, exp, expit, log_gamma, softplus, where
from bayes_glmm.inference.kernels.entries import KERNELS, Kernel
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.numerics.source import SOURCE, Line, Program, Symbol

# what lines call: scalars in compiled loops, arrays where data are prepared
_SCALARS: dict[str, Any] = {
    **{name: getattr(math, name) for name in ("log", "log1p", "expm1", "sqrt", "tan", "erfc")},
    **{"arctan2": math.atan2, "exp": exp, "expit": expit, "softplus": softplus, "erfcx": erfcx},
    **{"log_gamma": log_gamma, "where": where},
}
_ARRAYS: dict[str, Any] = {name: getattr(NUMPY, name) for name in (*_SCALARS,) if name != "log_gamma"} | {
    "log_gamma": lambda x: (special.gammaln(x), special.digamma(x))
}
_DATA, _CONSTANT = frozenset({"y"}), frozenset({"a"})
Terms = Sequence[tuple[float, Symbol]]


@cache
def kernel_of(family: str, link: str) -> Kernel | None:
    """The kernel of a family under a link, written by hand or from its density; None where two constants are needed."""
    if (family, link) in KERNELS:
        return KERNELS[family, link]
    return None if len(FAMILIES[family].parameters) > 2 else generated(family, link)


def generated(family: str, link: str) -> Kernel:
    """The kernel that the family's own log density gives."""
    record = FAMILIES[family]
    program = Program()
    one = Symbol(program, "(1.0)")
    y, n = (Symbol(program, name, _DATA) for name in ("y", "n"))
    eta = Symbol(program, "eta", frozenset({"eta"}), tangents={"eta": one})
    a = Symbol(program, "a", _CONSTANT, tangents={"a": one})
    program.known["log(a)"] = (Symbol(program, "log_a", _CONSTANT),)
    at = record.at(eta, LINKS[link], dict.fromkeys(record.auxiliary, a), SOURCE)
    terms = record.log_density(Response(y, n if record.response.trials else None), at, SOURCE).parts
    of_eta = [term for term in terms if "eta" in term[1].depends]
    of_data = [term for term in terms if term[1].depends <= _DATA]
    of_constant = [term for term in terms if term[1].depends == _CONSTANT]
    of_both = [term for term in terms if term[1].depends == _DATA | _CONSTANT]
    name = f"{family}_{link}"
    shared = _Shared.of(program, of_constant, of_both)
    return Kernel(
        row=_function(f"_{name}_row", "y, n, eta, a, log_a", _row_body(program, of_eta)),
        shared=_function(f"_{name}_shared", "statistics, a, log_a", shared.body()),
        statistics=lambda y, n: shared.statistics(y, n, of_data),
    )


def _row_body(program: Program, terms: Terms) -> list[str]:
    sums = [_sum(terms), _sum(terms, "eta"), _sum(terms, "a")]
    lines = program.lines_for(name for names, _ in sums for name in names)
    return [*map(str, lines), f"return {', '.join(code for _, code in sums)}"]


@dataclass(frozen=True)
class _Shared:
    """Terms without the linear predictor that the constant enters.

    Attributes
    ----------
    program : Program
    of_constant, of_both : terms
        Of the constant alone, and of a response too.
    columns : tuple of str
        What the latter read of the data, and of nothing else: computed once.
    """

    program: Program
    of_constant: Terms
    of_both: Terms
    columns: tuple[str, ...]

    @classmethod
    def of(cls, program: Program, of_constant: Terms, of_both: Terms) -> _Shared:
        names = {name for wanted in (None, "a") for name in _sum(of_both, wanted)[0]}
        lines = program.lines_for(names)
        data = {name for line in lines if line.depends <= _DATA for name in line.targets}
        used = {name for line in lines if not line.depends <= _DATA for name in line.needs} | names
        return cls(program, of_constant, of_both, tuple(sorted(data & used)))

    def body(self) -> list[str]:
        """The code of ``shared``: statistics are a sum, the number of rows, then counts and columns by response."""
        constants, both = ([_sum(terms), _sum(terms, "a")] for terms in (self.of_constant, self.of_both))
        lines = self.program.lines_for(name for names, _ in (*constants, *both) for name in names)
        fixed = [line for line in lines if line.depends <= _CONSTANT]
        inner = [line for line in lines if "a" in line.depends and line not in fixed]
        width = 3 + len(self.columns)
        code = [*map(str, fixed), f"value = statistics[0] + statistics[1] * ({constants[0][1]})"]
        code.append(f"slope = statistics[1] * ({constants[1][1]})")
        if self.of_both:
            code.append(f"for k in range(2, len(statistics), {width}):")
            read = ["count", "y", "n", *self.columns]
            inside = [f"{name} = statistics[k + {place}]" for place, name in enumerate(read)]
            inside += [*map(str, inner), f"value += count * ({both[0][1]})", f"slope += count * ({both[1][1]})"]
            code += [f"    {line}" for line in inside]
        return [*code, "return value, slope"]

    def statistics(self, y: np.ndarray, n: np.ndarray, of_data: Terms) -> np.ndarray:
        """What ``body`` reads of the data."""
        names, code = _sum(of_data)
        total = np.sum(_evaluated(self.program.lines_for(names), [code], y, n)[0] * np.ones(len(y)))
        if not self.of_both:
            return np.array([total, len(y)])
        rows, counts = np.unique(np.column_stack([y, n]), axis=0, return_counts=True)
        distinct, trials = rows.T
        columns = _evaluated(self.program.lines_for(self.columns), list(self.columns), distinct, trials)
        table = [counts.astype(float), distinct, trials, *(column * np.ones(len(rows)) for column in columns)]
        return np.concatenate([[total, len(y)], np.column_stack(table).ravel()])


def _evaluated(lines: Sequence[Line], wanted: Sequence[str], y: np.ndarray, n: np.ndarray) -> list[Any]:
    """Values of expressions of the data after some lines."""
    names = {**_ARRAYS, "y": y, "n": n}
    with np.errstate(all="ignore"):
        exec("\n".join(map(str, lines)), names)  # the lines are those that this package writes
        return [eval(code, names) for code in wanted]


def _sum(terms: Terms, wanted: str | None = None) -> tuple[list[str], str]:
    """The sum of terms, or of their derivatives in an input, as code, and the names that it reads."""
    parts = [(sign, part if wanted is None else part.tangents.get(wanted)) for sign, part in terms]
    found = [(sign, part) for sign, part in parts if part is not None]
    code = " ".join(f"{'+' if sign > 0 else '-'} {part.name}" for sign, part in found)
    return [name for _, part in found for name in part.reads], code or "0.0"


def _function(name: str, arguments: str, body: Sequence[str]) -> Callable[..., Any]:
    """The compiled function of some lines."""
    names = dict(_SCALARS)
    exec(f"def {name}({arguments}):\n" + "".join(f"    {line}\n" for line in body), names)
    return elementary(names[name])
