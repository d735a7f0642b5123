"""What the compiled passes read: the data of a design in the order and the layout in which they are read fastest."""

from __future__ import annotations

import numpy as np

from bayes_glmm.design import Design
from bayes_glmm.families.response import read_beside
from bayes_glmm.inference.kernels.entries import Kernel


def response_inputs(kernel: Kernel, design: Design, order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Response [row] in the order given, the columns beside it one after the other, and what ``shared`` needs of them.

    Beside it are trials, or what is known of a censored or truncated response.
    """
    observed = design.observed[order]
    # a family without trials never reads them: y stands in, so that no further memory is passed over
    trials = observed.values if observed.trials is None else observed.trials
    names = read_beside(observed.form, observed.trials is not None)
    columns = [trials if name == "n" else getattr(observed, name) for name in names]
    beside = columns[0] if len(columns) == 1 else np.concatenate(columns)
    return observed.values, beside, np.asarray(kernel.statistics(observed.values, beside), float)


def predictor_inputs(design: Design, order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """X [coefficient, row], Z [term, row], index [term, row] and target [coefficient + term], rows in the order given.

    Coefficients are those of one predictor after the other. A term is one effect of one grouping factor; ``index`` is
    its position among the effects of all factors, each factor's [level, effect] raveled, one after the other. Offsets
    are last rows of X, whose coefficient is 1. ``target`` is the predictor that each enters.
    """
    parameters, fixed = design.predictors.parameters, design.predictors.fixed
    columns = [(k, column) for k, one in enumerate(fixed) for column in one.X.T]
    columns += [(k, one.offset) for k, one in enumerate(fixed) if one.offset.any()]
    of_column, X = [k for k, _ in columns], [column for _, column in columns]
    Z, index, of_term, count = [], [], [], 0
    for block in design.blocks:
        effects = len(block.effects)
        Z += [*block.values.T]
        index += [count + block.index * effects + k for k in range(effects)]
        of_term += [parameters.index(parameter) for parameter in block.parameters]
        count += len(block.levels) * effects
    return (
        np.ascontiguousarray(np.array(X).reshape(-1, len(order))[:, order]),
        np.ascontiguousarray(np.array(Z).reshape(-1, len(order))[:, order]),
        np.ascontiguousarray(np.array(index, dtype=np.int32).reshape(-1, len(order))[:, order]),
        np.array([*of_column, *of_term], dtype=np.int64),
    )


def row_order(design: Design) -> np.ndarray:
    """Rows of one level after each other, coarse factors first, so that sums over levels are sums over runs."""
    if not design.blocks:
        return np.arange(len(design.y))
    finest_first = sorted(design.blocks, key=lambda block: -len(block.levels))
    return np.lexsort([block.index for block in finest_first])
