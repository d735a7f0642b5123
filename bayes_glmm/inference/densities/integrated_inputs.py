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
from bayes_glmm.inference.densities.priors import prior_table
from bayes_glmm.inference.integral import Integral
from bayes_glmm.inference.kernels.generated import kernel_key, kernel_of
from bayes_glmm.inference.kernels.inputs import response_inputs
from bayes_glmm.numerics.differences import hessian

_MODE, _ROOT = -2, -1  # the last of the arrays
_STEP = 1e-3  # of differences of gradients, in coordinates near whose unit the posterior bends


def integrated_density(integral: Integral, priors: Priors) -> Density | None:
    """The posterior with the effects integrated out, compiled; None where family, link or a prior has no entry.

    Raises
    ------
    SpecError
        For a prior that cannot be.
    """
    spec, design = integral.spec, integral.design
    (block,) = design.blocks
    family = kernel_key(spec, design.observed.form)
    (effect,) = block.effects
    names = [*(f"beta[{name}]" for name in design.coefficients), f"sd_{block.group}[{effect}]", *spec.family.auxiliary]
    table = prior_table(priors[name] for name in names)
    kernel = kernel_of(*family)
    if table is None:
        return None
    used = integral.patterns.used > 0.0
    rows = integral.patterns.rows[used]
    y, trials, _ = response_inputs(kernel, design, rows)
    grid = integral.grid
    data = IntegratedData(
        y=y,
        trials=trials,
        offset=design.offset[rows],
        values=block.values[rows, 0],
        statistics=response_inputs(kernel, design, np.arange(len(design.y)))[2],
        X=design.X[rows],
        first=np.concatenate([[0], np.cumsum(used.sum(axis=1))]),
        groups=integral.patterns.count,
        grid=grid,
        weight=-0.5 * grid**2 - 0.5 * math.log(2.0 * math.pi) + math.log(integral.step),
        priors=table,
        mode=np.zeros(len(names)),
        root=np.eye(len(names)),
    )
    arrays = tuple(np.ascontiguousarray(array, dtype=np.int64 if array is data.first else float) for array in data)
    density = Density(
        value=Part("integrated density", family),
        expansion=Part("integrated expand"),
        arrays=arrays,
        start=np.zeros(len(names)),
        kept=tuple(_kept(integral)),
        coords={name: tuple(map(str, labels)) for name, labels in dimension_labels(design).items()},
    )
    return _whitened_at_the_mode(density)


def _kept(integral: Integral) -> Iterator[Kept]:
    (block,) = integral.design.blocks
    yield Kept("beta", ("coefficient",), (len(integral.design.coefficients),))
    yield Kept(f"sd_{block.group}", (block.effect_dim,), (1,))
    for name in integral.spec.family.auxiliary:
        yield Kept(name, (), ())


def _whitened_at_the_mode(density: Density) -> Density:
    """The same density over coordinates in which it is about standard normal; as it is where there is no such mode."""

    def falling(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = density(x)
        return (-value, -gradient) if np.isfinite(value) else (np.inf, np.zeros_like(x))

    with np.errstate(all="ignore"):
        found = optimize.minimize(falling, density.start, jac=True, method="BFGS")
    mode = found.x
    try:
        lower = np.linalg.cholesky(hessian(lambda x: falling(x)[1], mode, _STEP))
    except np.linalg.LinAlgError:
        return density
    root = linalg.solve_triangular(lower, np.eye(len(mode)), lower=True).T
    arrays = list(density.arrays)
    arrays[_MODE], arrays[_ROOT] = mode, np.ascontiguousarray(root)
    return replace(density, arrays=tuple(arrays))
