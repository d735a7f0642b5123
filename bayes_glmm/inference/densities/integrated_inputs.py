"""From an integral to a compiled density, with the coordinates turned and stretched as its mode suggests."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import linalg, optimize

from bayes_glmm.design import Priors, dimension_labels
from bayes_glmm.inference.densities.callbacks import Part
from bayes_glmm.inference.densities.density import Density, Kept
from bayes_glmm.inference.densities.integrated import IntegratedData
from bayes_glmm.inference.densities.priors import prior_table, thresholds_table
from bayes_glmm.inference.integral import Integral
from bayes_glmm.inference.kernels.generated import kernel_key, kernel_of
from bayes_glmm.inference.kernels.inputs import response_inputs
from bayes_glmm.likelihood import layout_of, likelihood_of
from bayes_glmm.likelihood.start import starting_parameters
from bayes_glmm.numerics.differences import hessian
from bayes_glmm.numerics.free import KINDS

_MODE, _ROOT = -2, -1  # the last of the arrays
_STEP = 1e-3  # of differences of gradients, in coordinates near whose unit the posterior bends


def integrated_density(integral: Integral, priors: Priors) -> Density | None:
    """The posterior with the effects integrated out, compiled; None where family, link or a prior has no entry.

    Raises
    ------
    SpecError
        For a prior that cannot be.
    """
    spec, design, fixed = integral.spec, integral.design, integral.design.predictors.fixed
    (block,) = design.blocks
    beta_priors = prior_table(priors[f"{one.variable}[{name}]"] for one in fixed for name in one.coefficients)
    sd_prior = prior_table([priors[f"sd_{block.group}[{block.effects[0]}]"]])
    auxiliary_priors = prior_table(priors[name] for name in spec.auxiliary)
    thresholds = thresholds_table(priors.thresholds[1:], design.step_places)
    if beta_priors is None or sd_prior is None or auxiliary_priors is None or thresholds is None:
        return None
    family = kernel_key(spec, design.observed.form)
    kernel = kernel_of(*family)
    used = integral.patterns.used > 0.0
    rows = integral.patterns.rows[used]
    y, trials, _ = response_inputs(kernel, design, rows)
    grid, start = integral.grid, _start(integral)
    entered = design.predictors.parameters.index(integral.entered)
    data = IntegratedData(
        y=y,
        trials=trials,
        values=block.values[rows, 0],
        statistics=response_inputs(kernel, design, np.arange(len(design.y)))[2],
        offset=np.column_stack([one.offset[rows] for one in fixed]),
        X=np.hstack([one.X[rows] for one in fixed]),
        target=np.array([*(k for k, one in enumerate(fixed) for _ in one.coefficients), entered], dtype=np.int64),
        first=np.concatenate([[0], np.cumsum(used.sum(axis=1))]).astype(np.int64),
        groups=integral.patterns.count.astype(float),
        grid=grid,
        weight=-0.5 * grid**2 - 0.5 * math.log(2.0 * math.pi) + math.log(integral.step),
        remainder=np.array([priors.canonical.log_apart, 0.0, 0.0]),
        beta_priors=beta_priors,
        sd_prior=sd_prior,
        auxiliary_priors=auxiliary_priors,
        kinds=np.array([KINDS[one.support] for one in spec.auxiliary.values()], dtype=np.int64),
        thresholds=thresholds,
        apart=priors.canonical.apart,
        mode=start,
        root=np.eye(len(start)),
    )
    density = Density(
        value=Part("integrated density", family),
        expansion=Part("integrated expand"),
        arrays=tuple(np.ascontiguousarray(array) for array in data),
        start=np.zeros(len(start)),
        kept=tuple(_kept(integral)),
        coords={name: tuple(map(str, labels)) for name, labels in dimension_labels(design).items()},
    )
    return _whitened_at_the_mode(density)


def _start(integral: Integral) -> np.ndarray:
    """The start of the search for the mode, in free coordinates: plausible variances, and beta at the mode there."""
    likelihood = likelihood_of(integral.spec, integral.design)
    layout = layout_of(likelihood)
    try:
        parameters, _ = starting_parameters(likelihood)
    except np.linalg.LinAlgError:
        return np.zeros(len(layout.names))
    start = layout.to_free(layout.vector(parameters))
    return start if np.isfinite(start).all() else np.zeros(len(start))


def _kept(integral: Integral) -> Iterator[Kept]:
    (block,) = integral.design.blocks
    for one in integral.design.predictors.fixed:
        yield Kept(one.variable, (one.dim,), (len(one.coefficients),))
    yield Kept(f"sd_{block.group}", (block.effect_dim,), (1,))
    for name in integral.spec.auxiliary:
        yield Kept(name, (), ())


def _whitened_at_the_mode(density: Density) -> Density:
    """The same density over coordinates in which it is about standard normal; as it is where there is no such mode."""

    def falling(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = density(x)
        return (-value, -gradient) if np.isfinite(value) else (np.inf, np.zeros_like(x))

    with np.errstate(all="ignore"):
        found = optimize.minimize(falling, density.start, jac=True, method="BFGS")
    mode = density.arrays[_MODE] + found.x
    try:
        lower = np.linalg.cholesky(hessian(lambda x: falling(x)[1], found.x, _STEP))
    except np.linalg.LinAlgError:
        return density
    root = linalg.solve_triangular(lower, np.eye(len(mode)), lower=True).T
    arrays = list(density.arrays)
    arrays[_MODE], arrays[_ROOT] = mode, np.ascontiguousarray(root)
    return replace(density, arrays=tuple(arrays))
