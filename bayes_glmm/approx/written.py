"""Estimates found in canonical columns, carried to the columns as they are written.

Maximum likelihood is the same in any columns; in canonical ones the search meets the same numbers whatever the unit and
the zero of a covariate are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayes_glmm.approx.result import ApproxFit, Model, RandomEffects
from bayes_glmm.design import Canonical, Design, Problem
from bayes_glmm.design.specific import with_steps_at_zero
from bayes_glmm.likelihood import Layout, Parameters
from bayes_glmm.numerics.differences import jacobian

_STEP = 1e-6  # of finite differences, relative


def in_columns(model: Model, canonical: Canonical) -> Problem:
    """A model in canonical columns, for methods that use no priors."""
    return Problem(replace(model.spec, priors={}), canonical.design(model.design), model.priors)


def as_written(fit: ApproxFit, model: Model, canonical: Canonical) -> ApproxFit:
    """Estimates in canonical columns as those of the columns as written.

    Parameters
    ----------
    fit : ApproxFit
        In canonical columns.
    model : GLMM
        As written.
    canonical : Canonical
        The columns of ``fit``.

    Returns
    -------
    ApproxFit
        Its covariance is carried by the derivative of the change of columns; its draws are those of ``fit``, carried.
    """
    blocks = tuple(model.design.block(block.group) for block in fit.layout.blocks)
    written = replace(fit, spec=model.spec, design=model.design, priors=model.priors)
    if canonical.is_identity and not any(canonical.carried(block.group) for block in blocks):
        return replace(written, layout=replace(fit.layout, blocks=blocks))
    fixed = model.design.predictors.fixed
    keys = tuple(f"{one.variable}[{name}]" for one in fixed for name in one.coefficients)
    layout = replace(fit.layout, coefficients=keys, blocks=blocks)

    def change(x: np.ndarray) -> np.ndarray:
        parameters = fit.layout.parameters(fit.layout.from_free(x) if fit.free else x)
        vector = layout.vector(_parameters(parameters, canonical, model.design))
        return layout.to_free(vector) if fit.free else vector

    slope = _derivative(change, fit.x, canonical, layout)
    slope[:, layout.beta] += _of_steps(canonical, model.design, layout)
    return replace(
        written,
        parameters=_parameters(fit.parameters, canonical, model.design),
        layout=layout,
        x=change(fit.x),
        covariance=_carried(slope, fit.covariance),
        random_effects=None if fit.random_effects is None else _effects(fit.random_effects, canonical),
        canonical=(fit, canonical),
    )


def _carried(slope: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """The covariance after a linear change; of entries that are unknown only what depends on them is so."""
    unknown = np.isnan(covariance)
    found = slope @ np.where(unknown, 0.0, covariance) @ slope.T
    depends = slope != 0.0
    return np.where(depends @ unknown @ depends.T, np.nan, found)


def _parameters(parameters: Parameters, canonical: Canonical, design: Design) -> Parameters:
    L = {group: _root(canonical.A[group] @ L) if canonical.carried(group) else L for group, L in parameters.L.items()}
    beta = parameters.beta @ canonical.T.T
    auxiliary = with_steps_at_zero(parameters.auxiliary, beta, canonical, design)
    return replace(parameters, beta=beta, L=L, auxiliary=auxiliary)


def _of_steps(canonical: Canonical, design: Design, layout: Layout) -> np.ndarray:
    """The derivative of the steps between thresholds, each its own free coordinate, in the coefficients."""
    found = np.zeros((len(layout.names), len(layout.coefficients)))
    if canonical.lift.any():
        found[[layout.names.index(name) for name in design.steps]] = np.diff(canonical.lift, axis=0) @ canonical.T
    return found


def _root(L: np.ndarray) -> np.ndarray:
    """The lower triangular root of L L', its diagonal not negative."""
    root = np.linalg.qr(L.T, mode="r").T
    return root * np.where(np.diagonal(root) < 0, -1.0, 1.0)


def _derivative(change, x: np.ndarray, canonical: Canonical, layout: Layout) -> np.ndarray:  # type: ignore[no-untyped-def]
    """The derivative of the change of columns [written, canonical]: by differences for the roots."""
    slope, first, last = np.eye(len(x)), layout.theta.start, layout.theta.stop
    slope[layout.beta, layout.beta] = canonical.T
    steps = _STEP * np.maximum(1e-3, np.abs(x[layout.theta]))
    if layout.runs:
        slope[:, layout.theta] = jacobian(
            lambda theta: change(np.concatenate([x[:first], theta, x[last:]])), x[layout.theta], steps
        )
    return slope


def _effects(effects: RandomEffects, canonical: Canonical) -> RandomEffects:
    back = np.linalg.inv(canonical.T)
    A = canonical.A
    return RandomEffects(
        {group: u @ A[group].T for group, u in effects.u.items()},
        {group: A[group] @ covariance @ A[group].T for group, covariance in effects.covariance.items()},
        {group: A[group] @ by_beta @ back for group, by_beta in effects.by_beta.items()},
    )
