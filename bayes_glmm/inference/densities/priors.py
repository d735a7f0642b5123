"""Log densities of priors inside compiled densities: a table of numbers, one row a prior, read by one function.

Its code is written from the shapes of :mod:`~bayes_glmm.numerics.distributions`, with their derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numba
import numpy as np

from bayes_glmm.inference.kernels.elementary import where
from bayes_glmm.likelihood.priors import density_of
from bayes_glmm.numerics.distributions import DISTRIBUTIONS, SMOOTH
from bayes_glmm.numerics.free import KINDS
from bayes_glmm.numerics.source import SOURCE, Program, Symbol
from bayes_glmm.spec import Prior

UNIT, REAL = KINDS["unit"], KINDS["real"]
LARGEST_LOG = 300.0  # of what is positive: its square is a double
_SCALARS: dict[str, Any] = {"exp": math.exp, "log": math.log, "log1p": math.log1p, "abs": abs, "where": where}


def prior_table(priors: Iterable[Prior]) -> np.ndarray | None:
    """The table of some priors [prior, 5]: shape, three numbers, constant; None where one of them has no smooth shape.

    Raises
    ------
    SpecError
        For arguments that a distribution does not take.
    """
    rows = []
    for prior in priors:
        if prior.distribution not in DISTRIBUTIONS:
            return None
        density = density_of(prior)
        if density.shape not in SMOOTH:
            return None
        rows.append([SMOOTH.index(density.shape), density.a, density.b, density.c, density.constant])
    return np.array(rows, float).reshape(-1, 5)


def thresholds_table(priors: Sequence[Prior], steps: Sequence[int]) -> np.ndarray | None:
    """The table of the priors of thresholds but the first, with the places of their steps [threshold - 1, 6].

    None as :func:`prior_table`.
    """
    found = prior_table(priors)
    return None if found is None else np.column_stack([found, np.array(steps, float)])


def _written() -> str:
    """The code of :func:`prior_density`: one branch a shape."""
    code = ["def prior_density(row, x):", "    kind, a, b, c, constant = row[0], row[1], row[2], row[3], row[4]"]
    for kind, shape in enumerate(SMOOTH):
        program = Program()
        at = Symbol(program, "x", frozenset({"x"}), tangents={"x": Symbol(program, "(1.0)")})
        value = shape(at, SOURCE, *(Symbol(program, name, frozenset({name})) for name in "abc"))
        slope = value.tangents["x"]
        lines = program.lines_for([*value.reads, *slope.reads])
        body = [*map(str, lines), f"return constant + {value.name}, {slope.name}"]
        code += [f"    if kind == {kind}:", *(f"        {line}" for line in body)]
    return "\n".join([*code, "    return nan, nan"])


def _compiled() -> Callable[..., Any]:
    names: dict[str, Any] = _SCALARS | {"nan": math.nan}
    exec(_written(), names)  # lines that this package writes
    return numba.njit(nogil=True, error_model="numpy", forceinline=True)(names["prior_density"])


prior_density = _compiled()
"""Log density of a prior at x, and its derivative: ``(row of the table, x) -> (value, slope)``, compiled."""


@numba.njit(nogil=True, error_model="numpy")
def coefficients_density(priors, apart, beta, slope):  # type: ignore[no-untyped-def] # pragma: no cover
    """Log density of the coefficients; its derivatives in them are added to their slopes.

    Where ``apart`` has rows, coefficients are a mixture and those with the priors are ``apart`` times them.
    """
    value = 0.0
    for j in range(len(priors)):
        b = beta[j]
        if len(apart):
            b = 0.0
            for c in range(len(priors)):
                b += apart[j, c] * beta[c]
        own, own_slope = prior_density(priors[j], b)
        value += own
        if len(apart):
            for c in range(len(priors)):
                slope[c] += own_slope * apart[j, c]
        else:
            slope[j] += own_slope
    return value


@numba.njit(nogil=True, error_model="numpy")
def thresholds_density(priors, beta, a, slope, a_slope):  # type: ignore[no-untyped-def] # pragma: no cover
    """What the priors of the second and later thresholds add; derivatives in beta and a are added to their slopes.

    The first is less the first coefficient, and each later one a constant of a above the one before: that whose place
    the last column of the priors has.
    """
    value, threshold = 0.0, 0.0
    for k in range(len(priors)):
        threshold += a[int(priors[k, 5])]
        own, own_slope = prior_density(priors[k], threshold - beta[0])
        value += own
        slope[0] -= own_slope
        for j in range(k + 1):
            a_slope[int(priors[j, 5])] += own_slope
    return value


@numba.njit(nogil=True, error_model="numpy", forceinline=True)
def constant_at(kind, x):  # type: ignore[no-untyped-def] # pragma: no cover
    """A constant at its free coordinate, and its derivative; as :data:`~bayes_glmm.numerics.free.FREE` has them."""
    if kind == UNIT:
        t = math.exp(-abs(x))
        return (1.0 if x >= 0.0 else t) / (1.0 + t), t / ((1.0 + t) * (1.0 + t))
    if kind == REAL:
        return x, 1.0
    a = math.exp(min(x, LARGEST_LOG))
    return a, a


@numba.njit(nogil=True, error_model="numpy", forceinline=True)
def constant_density(row, kind, x, remainder):  # type: ignore[no-untyped-def] # pragma: no cover
    """Log density of a constant's prior over its free coordinate x, with what merged rows add, and its derivative.

    ``remainder`` has the number of rows lost and their sum of squares within in its second and third place. Only
    Gaussian rows lose some, whose only constant is sigma.
    """
    a, along = constant_at(kind, x)
    value, slope = prior_density(row, a)
    bend = 1.0 - 2.0 * a if kind == UNIT else 0.0 if kind == REAL else 1.0
    value, slope = value + math.log(along), slope * along + bend
    lost, within = remainder[1], remainder[2]
    if lost > 0.0:
        value -= lost * math.log(a) + 0.5 * within / (a * a)
        slope += within / (a * a) - lost
    return value, slope
