"""From the numbers of a whitening to a compiled density, of all coordinates or without those of the main factor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bayes_glmm.design import Design, RandomBlock, dimension_labels
from bayes_glmm.families import DISC
from bayes_glmm.inference.densities.callbacks import Part
from bayes_glmm.inference.densities.density import Density, Kept
from bayes_glmm.inference.densities.priors import prior_table, thresholds_table
from bayes_glmm.inference.densities.units import unit_pass
from bayes_glmm.inference.densities.variances import Variances, variances_of
from bayes_glmm.inference.densities.whitened import WhitenedData
from bayes_glmm.inference.kernels.inputs import predictor_inputs, row_order
from bayes_glmm.inference.others import Others
from bayes_glmm.inference.reduce import reduce_rows
from bayes_glmm.inference.whitening import Whitening
from bayes_glmm.likelihood.roots import FormRoot
from bayes_glmm.numerics.free import KINDS


def whitened_density(whitening: Whitening) -> Density | None:
    """The posterior over whitened coordinates, compiled; None where the family, the link or a prior has no entry.

    Raises
    ------
    SpecError
        For a prior that cannot be.
    """
    priors = whitening.problem.priors
    blocks = (whitening.main, *whitening.others)
    names = tuple(whitening.problem.spec.auxiliary)
    reduced = reduce_rows(whitening.problem.spec, whitening.problem.design)
    variances = variances_of(blocks, priors, *_standard_deviations(whitening, blocks))
    beta_priors = prior_table(priors[key] for key in whitening.estimate.layout.coefficients)
    auxiliary_prior = prior_table(priors[name] for name in names)
    thresholds = thresholds_table(priors.thresholds[1:], whitening.problem.design.step_places)
    if variances is None or beta_priors is None or auxiliary_prior is None or thresholds is None:
        return None
    design = _main_first(reduced.design, blocks)
    order = row_order(design)
    rows, response = unit_pass(reduced.spec, design, order)
    levels, d = whitening.R.shape
    others = whitening.fixed_and_others
    mix, lean = _mix(whitening)
    constant = reduced.constant + priors.canonical.log_apart
    data = WhitenedData(
        *response,
        *predictor_inputs(design, order),
        remainder=np.array([constant, reduced.lost_rows, reduced.within], dtype=float),
        variances=variances,
        auxiliary_prior=auxiliary_prior,
        beta_priors=beta_priors,
        pull=others.pull,
        steps=others.steps,
        curvature=others.curvature,
        order=others.order,
        sets=_sets(others, blocks),
        H=whitening.H.reshape(levels, d * d),
        R=whitening.R,
        S=whitening.S.reshape(levels * d, -1),
        cross_row=whitening.cross[0],
        cross_column=whitening.cross[1],
        cross=whitening.cross[2],
        blocks=_other_blocks(blocks),
        growth=_growth(whitening),
        thresholds=thresholds,
        mix=mix,
        lean=lean,
        apart=priors.canonical.apart,
        stream=np.empty((0, 0), dtype=np.float32),
        written=np.zeros(2, dtype=np.int64),
        seeds=np.empty(0, dtype=np.int64),
    )
    return Density(
        value=Part("whitened density", (d,)),
        expansion=Part("whitened expand", (d,)),
        rows=rows,
        arrays=tuple(_flat(data)),
        start=_start(whitening, blocks),
        kept=tuple(_kept(whitening.problem.design, blocks, names)),
        coords={name: tuple(map(str, labels)) for name, labels in dimension_labels(whitening.problem.design).items()},
    )


def without_main_effects(density: Density, whitening: Whitening) -> Density:
    """The density with the main factor's effects integrated out, where the parabolas are exact.

    Given all else w of the main factor is N(0, I): NUTS moves in the other coordinates, and w is drawn where a draw is
    kept.
    """
    size, seeds = whitening.R.size, np.zeros(1, dtype=np.int64)  # until it is that of a chain
    return replace(density, arrays=(*density.arrays[:-1], seeds), start=density.start[:-size], left_out=size)


def _standard_deviations(whitening: Whitening, blocks: tuple[RandomBlock, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations at the mode [row of L], and those of their logarithms by the Laplace approximation."""
    estimate = whitening.estimate
    errors = np.sqrt(np.diagonal(estimate.maximum.covariance))
    layout = estimate.layout
    owners = [(block.group, k) for block in layout.blocks for k in range(len(block.effects))]
    places = dict(zip(owners, layout.sds, strict=True))
    mode = [np.sqrt(np.diagonal(estimate.parameters.G(block.group))) for block in blocks]
    scale = [errors[places[block.group, k]] for block in blocks for k in range(len(block.effects))]
    return np.concatenate(mode), np.array(scale)


def _main_first(design: Design, blocks: tuple[RandomBlock, ...]) -> Design:
    of_group = {block.group: block for block in design.blocks}
    ordered = tuple(of_group[block.group] for block in blocks)
    return replace(design, predictors=replace(design.predictors, blocks=ordered))


def _sets(others: Others, blocks: tuple[RandomBlock, ...]) -> np.ndarray:
    effects = [(block.group, column) for block in blocks for column in range(len(block.effects))]
    rows = [(one.start, one.stop, effects.index((one.group, one.column))) for one in others.sets]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _other_blocks(blocks: tuple[RandomBlock, ...]) -> np.ndarray:
    rows, place = [], len(blocks[0].effects) ** 2
    for block in blocks[1:]:
        d = len(block.effects)
        rows.append((len(block.levels), d, place))
        place += d * d
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _start(whitening: Whitening, blocks: tuple[RandomBlock, ...]) -> np.ndarray:
    """The mode: ratios of L, free coordinates of single correlations and of constants, 0 for sds and what is white."""
    layout = whitening.estimate.layout
    y = layout.to_free(layout.vector(whitening.estimate.parameters))
    y[list(layout.sds)] = 0.0
    runs = [run for block in blocks for run in layout.runs if run.group == block.group]
    free, correlations = [], []
    for run in runs:
        single = isinstance(run.root, FormRoot)
        free.append(y[run.place][:-1] if single else y[run.place])
        correlations.append(y[run.place][-1:] if single else y[:0])
    white = np.zeros(len(whitening.fixed_and_others.pull) + whitening.R.size)
    return np.concatenate([*free, *correlations, _growth(whitening)[:, 0], white])


def _growth(whitening: Whitening) -> np.ndarray:
    """Of constants: free coordinate at the mode, half the rate of the growth, where it lies [constant, 3]."""
    mode, records = whitening.estimate.parameters.auxiliary, whitening.problem.spec.auxiliary
    free = whitening.estimate.layout.constants
    rows = [(free[n].forward(mode[n]), 0.5 * whitening.powers[n], KINDS[one.support]) for n, one in records.items()]
    return np.array(rows, dtype=float).reshape(-1, 3)


def _mix(whitening: Whitening) -> tuple[np.ndarray, np.ndarray]:
    """A root of the covariance of the constants, and how coefficients follow them, by the Laplace approximation.

    Without rows unless all constants are distances of thresholds that are free, tied, or stretched by a discrimination:
    their coordinates are then about independent of one another and of the coefficients.
    """
    layout = whitening.estimate.layout
    count = len(layout.constants)
    spec = whitening.problem.spec
    strongly = whitening.problem.design.tied is not None or DISC.name in spec.formulas
    if not strongly and any(one.support != "real" for one in spec.auxiliary.values()):
        return np.zeros((0, count)), np.zeros((0, count))
    covariance, constants = whitening.estimate.maximum.covariance, slice(layout.theta.stop, None)
    try:
        own = covariance[constants, constants]
        lean = np.linalg.solve(own, covariance[constants, layout.beta]).T
        return np.ascontiguousarray(np.linalg.cholesky(own)), np.ascontiguousarray(lean)
    except np.linalg.LinAlgError:
        return np.zeros((0, count)), np.zeros((0, count))


def _kept(design: Design, blocks: tuple[RandomBlock, ...], auxiliary: tuple[str, ...]) -> Iterator[Kept]:
    yield from (Kept(one.variable, (one.dim,), (len(one.coefficients),)) for one in design.predictors.fixed)
    for block in blocks:
        level, effect, d, q = block.level_dim, block.effect_dim, len(block.effects), len(block.levels)
        yield Kept(f"sd_{block.group}", (effect,), (d,))
        yield Kept(f"L_{block.group}", (effect, block.second_effect_dim), (d, d))
        yield Kept(f"z_{block.group}", (level, effect), (q, d))
        yield Kept(f"u_{block.group}", (level, effect), (q, d))
    for name in auxiliary:
        yield Kept(name, (), ())


def _flat(data: WhitenedData) -> Iterator[np.ndarray]:
    """The arrays as the code expects them: contiguous, doubles or whole numbers."""
    for field in data:
        for array in field if isinstance(field, Variances) else (field,):
            kind = array.dtype if array.dtype in (np.int32, np.float32) else (float if array.dtype.kind == "f" else int)
            yield np.ascontiguousarray(array, dtype=kind)
