"""Kernels written from the density of the family: for every family, any parameters with predictors, and all links.

The density is run once on symbols (:mod:`~bayes_glmm.numerics.source`) and split into its terms: those of the data
alone are summed once, those of constants alone are evaluated once a call, those of both once for each distinct
response, and those of linear predictors once a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import special

from bayes_glmm.families import LINKS, Family, Link, Response, family_of_key
from bayes_glmm.inference.kernels.elementary import (
    elementary,
    erfc,
    erfcx,
    exp,
    expit,
    expm1,
    log,
    log1p,
    log_gamma,
    softplus,
    where,
)
from bayes_glmm.inference.kernels.entries import KERNELS, Kernel
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.numerics.source import SOURCE, Line, Program, Symbol
from bayes_glmm.spec import ModelSpec

# what lines call: scalars in compiled loops, arrays where data are prepared
_SCALARS: dict[str, Any] = {
    **{"sqrt": math.sqrt, "tan": math.tan, "arctan2": math.atan2},
    **{"exp": exp, "expm1": expm1, "log": log, "log1p": log1p, "erfc": erfc, "erfcx": erfcx},
    **{"expit": expit, "softplus": softplus, "log_gamma": log_gamma, "where": where},
}
_ARRAYS: dict[str, Any] = {name: getattr(NUMPY, name) for name in _SCALARS if name != "log_gamma"} | {
    "log_gamma": lambda x: (special.gammaln(x), special.digamma(x))
}
_DATA = frozenset({"y"})
Terms = Sequence[tuple[float, Symbol]]


def links_of(spec: ModelSpec) -> str:
    """The links of a model in one word: that of the location, then each further parameter with a formula and its link.

    Examples
    --------
    >>> links_of(ModelSpec.from_formula(["y ~ x", "sigma ~ x"]))
    'identity_sigma_log'
    """
    further = [word for name in list(spec.predicted)[1:] for word in (name, spec.link_of(name).name)]
    return "_".join([spec.link_name, *further])


def predicted_links(family: Family, links: str) -> dict[str, Link]:
    """The link of each parameter with a predictor, from the word of :func:`links_of`."""
    first, *further = links.split("_")
    found = {family.location.name: first} | dict(zip(further[::2], further[1::2], strict=True))
    return {name: LINKS[link] for name, link in found.items()}


@cache
def kernel_of(family: str, links: str) -> Kernel:
    """The kernel of a family, by its key, under some links, written by hand or from its density."""
    return KERNELS.get((family, links)) or generated(family, links)


def generated(family: str, links: str) -> Kernel:
    """The kernel that the family's own log density gives."""
    record = family_of_key(family)
    program = Program()
    one = Symbol(program, "(1.0)")
    y, n = (Symbol(program, name, _DATA) for name in ("y", "n"))
    predicted = predicted_links(record, links)
    eta_names = [f"eta{k}" for k in range(len(predicted))]
    etas = [Symbol(program, name, frozenset({name}), tangents={name: one}) for name in eta_names]
    auxiliary = [name for name in record.auxiliary if name not in predicted]
    names = [f"a{k}" for k in range(len(auxiliary))]
    constants = [Symbol(program, name, frozenset({name}), tangents={name: one}) for name in names]
    for name in names:
        program.known[f"log({name})"] = (Symbol(program, f"log_{name}", frozenset({name})),)
    eta = dict(zip(predicted, zip(etas, predicted.values(), strict=True), strict=True))
    at = record.at(eta, dict(zip(auxiliary, constants, strict=True)), SOURCE)
    terms = record.log_density(Response(y, n if record.response.trials else None), at, SOURCE).parts
    of_eta = [term for term in terms if term[1].depends & set(eta_names)]
    of_data = [term for term in terms if term[1].depends <= _DATA]
    rest = [term for term in terms if not term[1].depends & set(eta_names) and not term[1].depends <= _DATA]
    of_constants = [term for term in rest if not term[1].depends & _DATA]
    of_both = [term for term in rest if term[1].depends & _DATA]
    shared = _Shared.of(program, names, of_constants, of_both)
    body = [f"{name} = eta[{k}]" for k, name in enumerate(eta_names)] + _row_body(program, eta_names, names, of_eta)
    return Kernel(
        row=_function(f"_{family}_{links}_row", "y, n, eta, a, log_a", names, body),
        shared=_function(f"_{family}_{links}_shared", "statistics, a, log_a", names, shared.body()),
        statistics=lambda y, n: shared.statistics(y, n, of_data),
        constants=max(len(names), 1),
        predictors=len(predicted),
    )


def _row_body(program: Program, etas: Sequence[str], names: Sequence[str], terms: Terms) -> list[str]:
    reads, value = _sum(terms)
    of_eta, of_a = ([_sum(terms, name) for name in wanted] for wanted in (etas, names))
    lines = program.lines_for([*reads, *(name for wanted, _ in (*of_eta, *of_a) for name in wanted)])
    slopes = _tuple([code for _, code in of_eta]), _tuple([code for _, code in of_a])
    return [*map(str, lines), f"return {value}, {slopes[0]}, {slopes[1]}"]


@dataclass(frozen=True)
class _Shared:
    """Terms without the linear predictor that constants enter.

    Attributes
    ----------
    program : Program
    names : sequence of str
        Of the constants.
    of_constants, of_both : terms
        Of constants alone, and of a response too.
    columns : tuple of str
        What the latter read of the data, and of nothing else: computed once.
    """

    program: Program
    names: Sequence[str]
    of_constants: Terms
    of_both: Terms
    columns: tuple[str, ...]

    @classmethod
    def of(cls, program: Program, names: Sequence[str], of_constants: Terms, of_both: Terms) -> _Shared:
        reads = {name for wanted in (None, *names) for name in _sum(of_both, wanted)[0]}
        lines = program.lines_for(reads)
        data = {name for line in lines if line.depends <= _DATA for name in line.targets}
        used = {name for line in lines if not line.depends <= _DATA for name in line.needs} | reads
        return cls(program, names, of_constants, of_both, tuple(sorted(data & used)))

    def body(self) -> list[str]:
        """The code of ``shared``: statistics are a sum, the number of rows, then counts and columns by response."""
        fixed, inner = (
            [_sum(self.of_constants, name) for name in (None, *self.names)],
            [_sum(self.of_both, name) for name in (None, *self.names)],
        )
        lines = self.program.lines_for(name for reads, _ in (*fixed, *inner) for name in reads)
        before = [line for line in lines if not line.depends & _DATA]
        within = [line for line in lines if line.depends & _DATA and not line.depends <= _DATA]
        sums = ["value", *(f"slope_{name}" for name in self.names)]
        code = [*map(str, before), f"value = statistics[0] + statistics[1] * ({fixed[0][1]})"]
        code += [f"{name} = statistics[1] * ({own})" for name, (_, own) in zip(sums[1:], fixed[1:], strict=True)]
        if self.of_both:
            read = ["count", "y", "n", *self.columns]
            body = [f"{name} = statistics[k + {place}]" for place, name in enumerate(read)]
            body += map(str, within)
            body += [f"{name} += count * ({own})" for name, (_, own) in zip(sums, inner, strict=True)]
            code += [f"for k in range(2, len(statistics), {len(read)}):", *(f"    {line}" for line in body)]
        return [*code, f"return value, {_tuple(sums[1:])}"]

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


def _tuple(codes: Sequence[str]) -> str:
    """The slopes in the constants; of a constant that nothing reads where there is none."""
    return f"({', '.join(codes or ['0.0'])},)"


def _function(name: str, arguments: str, constants: Sequence[str], body: Sequence[str]) -> Callable[..., Any]:
    """The compiled function of some lines, which read constants and their logarithms by name."""
    names = dict(_SCALARS)
    read = [f"{part}{constant} = {part}a[{k}]" for k, constant in enumerate(constants) for part in ("", "log_")]
    exec(f"def {name}({arguments}):\n" + "".join(f"    {line}\n" for line in [*read, *body]), names)
    return elementary(names[name])
