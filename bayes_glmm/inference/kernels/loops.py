"""The compiled passes over the rows: one a form of the linear predictor, each made for any kernel.

``predictor`` takes eta as it is. ``design`` makes it from X, Z, beta and u, a block of rows at a time: a block stays in
the nearest cache while it becomes eta, then the gradient in eta, then its share of the gradients in beta and u. A row
has one eta for each parameter of the family with a linear predictor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from bayes_glmm.inference.kernels.constants import tuples
from bayes_glmm.inference.kernels.elementary import fused
from bayes_glmm.inference.kernels.entries import MOST_FACTORS, Kernel
from bayes_glmm.inference.kernels.memory import stack

BLOCK = MOST_FACTORS  # rows: 8 kB


def named(*key: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a function that is about to be compiled a name of its own, by what it is made for.

    Code on disk is linked by names. Functions that one factory makes for different kernels would share theirs, and a
    process that loads the code of two of them might run the one in place of the other.
    """

    def rename(function: Callable[..., Any]) -> Callable[..., Any]:
        function.__qualname__ = "_".join([function.__qualname__, *map(str, key)]).replace(" ", "_")
        return function

    return rename


@dataclass(frozen=True)
class Form:
    """One way to hand over the linear predictors.

    Attributes
    ----------
    data : tuple of str
        Inputs that the data decide.
    parameters : tuple of str
        Inputs that have a gradient.
    eta : function
        ``(inputs by name, number of predictors) -> eta [predictor, row]``, for NumPy and JAX: what the pass computes,
        written out.
    make : function
        ``Kernel -> compiled function`` of data and parameters, in this order, to the log likelihood and its gradient
        in each parameter.
    """

    data: tuple[str, ...]
    parameters: tuple[str, ...]
    eta: Callable[[Mapping[str, Any], int], Any]
    make: Callable[[Kernel], Callable[..., Any]]


def _make_predictor_pass(kernel: Kernel) -> Callable[..., Any]:
    rows_pass, shared = _make_rows_pass(kernel), kernel.shared
    constants = tuples(kernel.constants)
    read, log, add = constants.read, constants.log, constants.add

    @fused
    @named(kernel.row.__name__)
    def fused_log_likelihood(y, trials, statistics, eta, auxiliary):  # type: ignore[no-untyped-def] # pragma: no cover
        a, slopes = read(auxiliary), np.zeros(len(auxiliary))
        log_a = log(a)
        shared_value, shared_slope = shared(statistics, a, log_a)
        rows = eta.copy()
        value, slope = rows_pass(y, trials, 0, len(y), rows, len(y), a, log_a)
        add(slope, slopes)
        add(shared_slope, slopes)
        return np.asarray(value + shared_value), rows, slopes

    return fused_log_likelihood


def make_design_pass(kernel: Kernel) -> Callable[..., Any]:
    """The compiled pass from beta and u; adds to their gradients, returns the value and its slopes in a, a tuple."""
    rows_pass, shared = _make_rows_pass(kernel), kernel.shared
    constants = tuples(kernel.constants)
    log, plus, size = constants.log, constants.plus, BLOCK * kernel.predictors
    last = size - BLOCK  # where the rows of the last predictor begin

    @fused
    @named(kernel.row.__name__)
    def design_pass(  # type: ignore[no-untyped-def] # pragma: no cover
        y, trials, statistics, X, Z, index, target, beta, u, a, beta_gradient, u_gradient
    ):
        log_a = log(a)
        value, slope = shared(statistics, a, log_a)
        block = numba.carray(stack(size), (size,))  # the linear predictors of a block of rows, one after the other
        for start in range(0, len(y), BLOCK):
            stop = min(start + BLOCK, len(y))
            block[:] = 0.0
            _add_columns(block, stop - start, X, target, start, beta)
            _add_effects(block, stop - start, Z, index, target[len(X) :], start, u)
            rows = block[: last + stop - start]
            block_value, block_slope = rows_pass(y[start:stop], trials, start, len(y), rows, BLOCK, a, log_a)
            value += block_value
            slope = plus(slope, block_slope)
            _sum_columns(block, stop - start, X, target, start, beta_gradient)
            _sum_effects(block, stop - start, Z, index, target[len(X) :], start, u_gradient)
        return value, slope

    return design_pass


def _make_design_form(kernel: Kernel) -> Callable[..., Any]:
    design_pass = make_design_pass(kernel)
    constants = tuples(kernel.constants)
    read, add = constants.read, constants.add

    @fused
    @named(kernel.row.__name__)
    def fused_log_likelihood(  # type: ignore[no-untyped-def] # pragma: no cover
        y, trials, statistics, X, Z, index, target, beta, u, auxiliary
    ):
        beta_gradient, u_gradient = np.zeros(len(beta)), np.zeros(len(u))
        value, slope = design_pass(
            y, trials, statistics, X, Z, index, target, beta, u, read(auxiliary), beta_gradient, u_gradient
        )
        slopes = np.zeros(len(auxiliary))
        add(slope, slopes)
        return np.asarray(value), beta_gradient, u_gradient, slopes

    return fused_log_likelihood


def _written_out(inputs: Mapping[str, Any], predictors: int) -> Any:
    columns = inputs["beta"][:, None] * inputs["X"]
    terms = inputs["u"][inputs["index"]] * inputs["Z"]
    target = inputs["target"]
    into = 1.0 * (np.arange(predictors)[:, None] == target)
    return into[:, : len(columns)] @ columns + into[:, len(columns) :] @ terms


FORMS: dict[str, Form] = {
    # eta [predictor, row] raveled
    "predictor": Form(
        data=("y", "trials", "statistics"),
        parameters=("eta", "auxiliary"),
        eta=lambda inputs, predictors: inputs["eta"].reshape(predictors, -1),
        make=_make_predictor_pass,
    ),
    # X [coefficient, row] and Z [term, row], a term being one effect of one grouping factor; u holds the effects of all
    # factors, and index [term, row] says which of them a row has; target says which predictor a column or term enters
    "design": Form(
        data=("y", "trials", "statistics", "X", "Z", "index", "target"),
        parameters=("beta", "u", "auxiliary"),
        eta=_written_out,
        make=_make_design_form,
    ),
}


def _make_rows_pass(kernel: Kernel) -> Callable[..., Any]:
    """Turns rows of linear predictors into rows of the gradient, in place; returns sums of the value and its slopes.

    The predictors of a row stand a stride apart. ``trials`` has all rows, one column after the other; ``first`` is the
    first of those passed, ``size`` their number in all.
    """
    row, together = kernel.row, kernel.rows
    plus, zero = tuples(kernel.constants).plus, tuples(kernel.constants).zero
    of_row, to_row = tuples(kernel.predictors).of_row, tuples(kernel.predictors).to_row
    beside = tuples(kernel.beside).of_row

    if together is not None:

        @fused
        @named(kernel.row.__name__)
        def all_rows(y, trials, first, size, rows, stride, a, log_a):  # type: ignore[no-untyped-def] # pragma: no cover
            return together(y, trials, rows, a, log_a)

        return all_rows

    @fused
    @named(kernel.row.__name__)
    def rows_pass(y, trials, first, size, rows, stride, a, log_a):  # type: ignore[no-untyped-def] # pragma: no cover
        value, slope = 0.0, zero
        for i in range(len(y)):
            row_value, eta_slope, row_slope = row(
                y[i], beside(trials, size, first + i), of_row(rows, stride, i), a, log_a
            )
            to_row(eta_slope, rows, stride, i)
            value += row_value
            slope = plus(slope, row_slope)
        return value, slope

    return rows_pass


@fused
def _add_columns(block, count, X, target, start, beta):  # type: ignore[no-untyped-def] # pragma: no cover
    for c in range(len(X)):
        coefficient, column = beta[c], X[c, start : start + count]
        rows = block[target[c] * BLOCK : target[c] * BLOCK + count]
        for i in range(count):
            rows[i] += coefficient * column[i]


@fused
def _add_effects(block, count, Z, index, target, start, u):  # type: ignore[no-untyped-def] # pragma: no cover
    # rows of one level mostly follow each other: its effect stays in a register, which is faster than a gather
    for t in range(len(Z)):
        values, position = Z[t, start : start + count], index[t, start : start + count]
        rows = block[target[t] * BLOCK : target[t] * BLOCK + count]
        level, effect = position[0], u[position[0]]
        for i in range(count):
            if position[i] != level:
                level, effect = position[i], u[position[i]]
            rows[i] += effect * values[i]


@fused
def _sum_columns(block, count, X, target, start, gradient):  # type: ignore[no-untyped-def] # pragma: no cover
    for c in range(len(X)):
        total, column = 0.0, X[c, start : start + count]
        rows = block[target[c] * BLOCK : target[c] * BLOCK + count]
        for i in range(count):
            total += column[i] * rows[i]
        gradient[c] += total


@fused
def _sum_effects(block, count, Z, index, target, start, gradient):  # type: ignore[no-untyped-def] # pragma: no cover
    # the same the other way: their sum waits in a register for the next level
    for t in range(len(Z)):
        values, position = Z[t, start : start + count], index[t, start : start + count]
        rows = block[target[t] * BLOCK : target[t] * BLOCK + count]
        total, level = 0.0, position[0]
        for i in range(count):
            if position[i] != level:
                gradient[level] += total
                total, level = 0.0, position[i]
            total += values[i] * rows[i]
        gradient[level] += total
