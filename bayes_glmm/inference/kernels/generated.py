"""Kernels written from the density of the family: for every family, any parameters with predictors, and all links.

The density is run once on symbols (:mod:`~bayes_glmm.numerics.source`) and split into its terms: those of the data
alone are summed once, those of constants alone are evaluated once a call, as are products of the two, those of both in
any other form once for each distinct response, and those of linear predictors once a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from hashlib import sha256
from types import FunctionType
from typing import Any

import numpy as np

from bayes_glmm.families import LINKS, Family, Link, Response, family_of_key
from bayes_glmm.families.observed import log_observed
from bayes_glmm.families.response import CODES, columns_of, read_beside
from bayes_glmm.inference.kernels.elementary import (
    elementary,
    erfc,
    erfcx,
    exp,
    expit,
    expm1,
    fused,
    log,
    log1p,
    log_binary,
    log_gamma,
    log_rising,
    softplus,
    where,
)
from bayes_glmm.inference.kernels.entries import TOGETHER, Kernel
from bayes_glmm.numerics.conway_maxwell import conway_maxwell
from bayes_glmm.numerics.source import ARRAYS, SOURCE, Program, Symbol
from bayes_glmm.numerics.tail_compiled import beta_rows, gamma_rows
from bayes_glmm.spec import ModelSpec

# what lines call in compiled loops
_SCALARS: dict[str, Any] = {
    **{"sqrt": math.sqrt, "tan": math.tan, "arctan2": math.atan2},
    **{"exp": exp, "expm1": expm1, "log": log, "log1p": log1p, "erfc": erfc, "erfcx": erfcx},
    **{"expit": expit, "softplus": softplus, "log_gamma": log_gamma, "where": where},
    **{"log_binary": log_binary, "log_rising": log_rising, "conway_maxwell": conway_maxwell},
    **{"log_gamma_integral": gamma_rows(exp, expm1), "log_beta_integral": beta_rows(exp, expm1, log1p)},
}
_DATA = frozenset({"y"})
_CODE = "# The kernel of "  # how the code of a user's own family begins
Terms = Sequence[tuple[float, Symbol]]


def links_of(spec: ModelSpec) -> str:
    """The links of a model in one word: that of the location, then each further parameter with a formula and its link.

    Examples
    --------
    >>> links_of(ModelSpec.from_formula(["y ~ x", "sigma ~ x"]))
    'identity_sigma_log'
    """
    called = zip(spec.family.parameters, spec.family.numbered.parameters, strict=True)
    names = {own.name: numbered.name for own, numbered in called}
    further = [word for name in list(spec.predicted)[1:] for word in (names[name], spec.link_of(name).name)]
    return "_".join([spec.link_name, *further])


def predicted_links(family: Family, links: str) -> dict[str, Link]:
    """The link of each parameter with a predictor, from the word of :func:`links_of`."""
    first, *further = links.split("_")
    found = {family.location.name: first} | dict(zip(further[::2], further[1::2], strict=True))
    return {name: LINKS[link] for name, link in found.items()}


def kernel_key(spec: ModelSpec, form: tuple[str, ...] = ()) -> tuple[str, str]:
    """What names the kernel of a model: family and links; ``form`` is that of the response.

    A user's own family goes by the code that its density gives: a text, which travels to other processes as it is, and
    is the same for no two densities. Censored and truncated responses have their form behind the family's name.

    Examples
    --------
    >>> kernel_key(ModelSpec.from_formula("y | trunc(lb=1) ~ x", "poisson"), ("lower",))
    ('poisson~lower', 'log')
    """
    links = links_of(spec)
    return ("~".join([spec.family.key, *form]) if spec.own is None else written(spec.own, links, form)), links


def parts_of(family: str) -> tuple[str, tuple[str, ...]]:
    """The family's own key, and the form of its responses, from the first part of a :func:`kernel_key`."""
    first = family.partition("\n")[0].partition(",")[0]  # of the code of a user's own family
    name, *form = first.split("~")
    return name, tuple(form)


def short_name(family: str) -> str:
    """The first part of a key as a name: itself, or the name and a digest of the code of a user's own family."""
    if not family.startswith(_CODE):
        return family.replace("~", "_")
    name = family.removeprefix(_CODE).partition(",")[0].replace("~", "_")
    return f"{name}_{sha256(family.encode()).hexdigest()[:16]}"


@cache
def kernel_of(family: str, links: str) -> Kernel:
    """The kernel of a :func:`kernel_key`, with a pass over many rows at once where there is one."""
    return replace(generated(family, links), rows=TOGETHER.get((family, links)))


def generated(family: str, links: str) -> Kernel:
    """The kernel that the family's own log density gives."""
    name, form = parts_of(family)
    code = family if family.startswith(_CODE) else written(family_of_key(name), links, form)
    scalars, arrays = dict(_SCALARS), dict(ARRAYS)
    for names in (scalars, arrays):
        exec(code, names)  # the lines are those that this package writes
    name = f"_{short_name(family)}_{links}"
    return Kernel(
        row=elementary(_named(scalars["row"], f"{name}_row")),
        shared=fused(_named(scalars["shared"], f"{name}_shared")),  # a sum over responses
        statistics=partial(_statistics, arrays["sums"], arrays["columns"]),
        constants=scalars["constants"],
        predictors=scalars["predictors"],
        beside=scalars["columns_beside"],
    )


def written(record: Family, links: str, form: tuple[str, ...] = ()) -> str:
    """The code of the kernel of a family: its functions, and how many constants and predictors they take."""
    program = Program()
    one = Symbol(program, "(1.0)")
    columns = read_beside(form, record.response.trials)
    data = {name: Symbol(program, name, _DATA) for name in ("y", *columns)}
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
    terms = log_observed(record, response_of(record, form, data), at, SOURCE).parts
    of_eta = [term for term in terms if term[1].depends & set(eta_names)]
    of_data = [term for term in terms if term[1].depends <= _DATA]
    rest = [term for term in terms if not term[1].depends & set(eta_names) and not term[1].depends <= _DATA]
    of_constants = [term for term in rest if not term[1].depends & _DATA]
    of_both = [term for term in rest if term[1].depends & _DATA]
    shared = _Shared.of(program, names, columns, of_constants, of_both)
    body = [f"{name} = eta[{k}]" for k, name in enumerate(eta_names)] + _row_body(program, eta_names, names, of_eta)
    read = [f"{part}{constant} = {part}a[{k}]" for k, constant in enumerate(names) for part in ("", "log_")]
    beside = [f"{name} = beside[{k}]" for k, name in enumerate(columns)]
    return "\n".join(
        [
            f"{_CODE}{'~'.join([record.name, *form])}, {links}",
            f"constants, predictors, columns_beside = {max(len(names), 1)}, {len(predicted)}, {len(columns)}",
            *_function("row", "y, beside, eta, a, log_a", [*beside, *read, *body]),
            *_function("shared", "statistics, a, log_a", [*read, *shared.body()]),
            *_function("sums", "y, beside", [*beside, *shared.sums(of_data)]),
            *_function("columns", "y, beside", [*beside, *shared.table()]),
        ]
    )


def response_of(record: Family, form: tuple[str, ...], data: Mapping[str, Any]) -> Response:
    """The response of a form, from its values ``y`` and the columns beside them, by name."""
    kinds = tuple(name for name in form if name in CODES)
    beside = {name: data[name] for name in columns_of(form)}
    return Response(data["y"], data["n"] if record.response.trials else None, **beside, kinds=kinds)


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
    beside : sequence of str
        Of the data beside y.
    of_constants, of_both : terms
        Of constants alone, and of a response too.
    products : tuple of (float, Symbol, Symbol)
        Sign and factors of terms that are a number of constants alone times one of the data alone.
    columns : tuple of str
        What ``of_both`` reads of the data, and of nothing else: computed once.
    """

    program: Program
    names: Sequence[str]
    beside: Sequence[str]
    of_constants: Terms
    of_both: Terms
    products: tuple[tuple[float, Symbol, Symbol], ...]
    columns: tuple[str, ...]

    @classmethod
    def of(
        cls, program: Program, names: Sequence[str], beside: Sequence[str], of_constants: Terms, mixed: Terms
    ) -> _Shared:
        split = [(term, _product(term)) for term in mixed]
        products = tuple(product for _, product in split if product is not None)
        of_both = [term for term, product in split if product is None]
        reads = {name for wanted in (None, *names) for name in _sum(of_both, wanted)[0]}
        lines = program.lines_for(reads)
        data = {name for line in lines if line.depends <= _DATA for name in line.targets}
        used = {name for line in lines if not line.depends <= _DATA for name in line.needs} | reads
        return cls(program, names, beside, of_constants, of_both, products, tuple(sorted(data & used)))

    def body(self) -> list[str]:
        """The code of ``shared``: statistics are sums over rows, then counts and columns by response.

        The sums are of the terms of the data alone, of 1, and of the data's factor of each product.
        """
        once = [self.of_constants, *([(sign, factor)] for sign, factor, _ in self.products)]
        fixed, inner = (
            [[_sum(terms, name) for terms in once] for name in (None, *self.names)],
            [_sum(self.of_both, name) for name in (None, *self.names)],
        )
        read_once = (one for sums in fixed for one in sums)
        lines = self.program.lines_for(name for reads, _ in (*read_once, *inner) for name in reads)
        before = [line for line in lines if not line.depends & _DATA]
        within = [line for line in lines if line.depends & _DATA and not line.depends <= _DATA]
        sums = ["value", *(f"slope_{name}" for name in self.names)]
        totals = [" + ".join(f"statistics[{k}] * ({own})" for k, (_, own) in enumerate(parts, 1)) for parts in fixed]
        code = [*map(str, before), f"value = statistics[0] + {totals[0]}"]
        code += [f"{name} = {total}" for name, total in zip(sums[1:], totals[1:], strict=True)]
        if self.of_both:
            read = ["count", "y", *self.beside, *self.columns]
            body = [f"{name} = statistics[k + {place}]" for place, name in enumerate(read)]
            body += map(str, within)
            body += [f"{name} += count * ({own})" for name, (_, own) in zip(sums, inner, strict=True)]
            first = 1 + len(once)
            code += [f"for k in range({first}, len(statistics), {len(read)}):", *(f"    {line}" for line in body)]
        return [*code, f"return value, {_tuple(sums[1:])}"]

    def sums(self, of_data: Terms) -> list[str]:
        """The code of what ``body`` reads of the sums over rows."""
        parts = [_sum(of_data), *(_sum([(1.0, factor)]) for *_, factor in self.products)]
        lines = self.program.lines_for(name for reads, _ in parts for name in reads)
        return [*map(str, lines), f"return {_tuple([code for _, code in parts])}"]

    def table(self) -> list[str]:
        """The code of the columns by response; None where nothing reads them."""
        columns = f"({''.join(f'{name}, ' for name in self.columns)})" if self.of_both else "None"
        return [*map(str, self.program.lines_for(self.columns)), f"return {columns}"]


def _product(term: tuple[float, Symbol]) -> tuple[float, Symbol, Symbol] | None:
    """A term's sign, its factor of constants alone and that of the data alone; None if it has another form."""
    sign, symbol = term
    of_data = [factor for factor in symbol.factors if factor.depends <= _DATA]
    of_constants = [factor for factor in symbol.factors if not factor.depends <= _DATA]
    if not of_data or any(factor.depends & _DATA for factor in of_constants):
        return None
    return sign, math.prod(of_constants[1:], start=of_constants[0]), math.prod(of_data[1:], start=of_data[0])


def _statistics(sums: Callable[..., Any], columns: Callable[..., Any], y: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """What ``shared`` reads of the data: the sum of terms of the data, the number of rows, other sums, a table.

    ``beside`` has the columns beside y, one after the other.
    """
    data = np.stack([y, *beside.reshape(-1, len(y))]) if len(y) else np.empty((2, 0))
    with np.errstate(all="ignore"):
        total, *others = (np.sum(part * np.ones(len(y))) for part in sums(data[0], data[1:]))
        summed = np.array([total, len(y), *others])
        if columns(data[0, :0], data[1:, :0]) is None:
            return summed
        distinct, counts = np.unique(data.T, axis=0, return_counts=True)
        columns_of_distinct = columns(distinct[:, 0], distinct.T[1:])
        table = [counts, *distinct.T, *(column * np.ones(len(distinct)) for column in columns_of_distinct)]
    return np.concatenate([summed, np.column_stack(table).ravel()])


def _sum(terms: Terms, wanted: str | None = None) -> tuple[list[str], str]:
    """The sum of terms, or of their derivatives in an input, as code, and the names that it reads."""
    parts = [(sign, part if wanted is None else part.tangents.get(wanted)) for sign, part in terms]
    found = [(sign, part) for sign, part in parts if part is not None]
    code = " ".join(f"{'+' if sign > 0 else '-'} {part.name}" for sign, part in found)
    return [name for _, part in found for name in part.reads], code or "0.0"


def _tuple(codes: Sequence[str]) -> str:
    """The slopes in the constants; of a constant that nothing reads where there is none."""
    return f"({', '.join(codes or ['0.0'])},)"


def _function(name: str, arguments: str, body: Sequence[str]) -> list[str]:
    """The lines of a function."""
    return [f"def {name}({arguments}):", *(f"    {line}" for line in body)]


def _named(function: FunctionType, name: str) -> FunctionType:
    """A written function under a name of its own."""
    function.__name__ = function.__qualname__ = name
    return function
