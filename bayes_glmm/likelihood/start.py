"""Where to start a search: the joint mode of beta and the random effects at plausible variances (lme4's nAGQ = 0)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayes_glmm.design import RandomBlock
from bayes_glmm.design.canonical_columns import conditioned, constant_in
from bayes_glmm.design.scale import middle_of
from bayes_glmm.design.thresholds import starting_steps
from bayes_glmm.likelihood.factor import factorise
from bayes_glmm.likelihood.likelihood import Likelihood, Parameters
from bayes_glmm.likelihood.maximum import definite
from bayes_glmm.likelihood.stacked import Curvature
from bayes_glmm.names import LOCATION

SCALE = 0.3  # a plausible sd of effects in the predictor of a further parameter
_INSIDE = {"unit": 0.3, "real": 0.0}  # a plausible constant by its support
ITERATIONS = 50
HALVINGS = 20


def starting_parameters(likelihood: Likelihood) -> tuple[Parameters, np.ndarray]:
    """Plausible variances, beta at the joint mode given them, and the precision of beta there.

    Returns
    -------
    parameters : Parameters
    precision : array [coefficient, coefficient]
        X'WX - X'WA P^-1 A'WX, the curvature in beta with the random effects at their modes.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the curvature in beta is singular.
    """
    spec, design = likelihood.spec, likelihood.design
    spread = float(np.std(design.y)) or 1.0
    scale = 0.5 * spread if spec.link_name == "identity" and spec.family.response.range == "real" else 0.5
    L = {block.group: np.diag(_scales(block, scale) / _size(block.values)) for block in design.blocks}
    auxiliary = {name: spread if p.of_response else _INSIDE.get(p.support, 2.0) for name, p in spec.auxiliary.items()}
    if design.thresholds:
        auxiliary |= dict(zip(spec.family.steps, starting_steps(spec, design).tolist(), strict=True))
    beta, precision = _joint_mode(likelihood, L, auxiliary)
    return Parameters(beta, L, auxiliary), precision


def conditioned_start(likelihood: Likelihood) -> tuple[Parameters, np.ndarray, np.ndarray | None]:
    """Where to start, and how far the coefficients may be from there, in columns that rounding tells apart.

    Columns with priors of their own stay as they are written: a year and its square may be the same to ten digits.

    Returns
    -------
    parameters : Parameters
    covariance : array [coefficient, coefficient]
        A guess of that of the estimates of beta, or of b.
    T : array [coefficient, coefficient] or None
        Where the covariance is that of b, beta = T b.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the curvature in beta is singular.
    """
    found, precision = starting_parameters(likelihood)
    if definite(precision):
        return found, np.linalg.inv(precision), None
    canonical = conditioned(likelihood.design)
    design = replace(canonical, means={group: 0.0 * means for group, means in canonical.means.items()}).design(
        likelihood.design
    )
    T = canonical.T
    found, precision = starting_parameters(replace(likelihood, design=design))
    return replace(found, beta=T @ found.beta), np.linalg.inv(precision), T


def _scales(block: RandomBlock, scale: float) -> np.ndarray:
    """A plausible sd of each effect on a column of size 1 [effect]: the location's, or that of other parameters."""
    return np.array([scale if name == LOCATION else SCALE for name in block.parameters])


def _size(values: np.ndarray) -> np.ndarray:
    return np.maximum(np.sqrt(np.mean(values**2, axis=0)), 1e-12)


def _joint_mode(likelihood: Likelihood, L: dict, auxiliary: dict) -> tuple[np.ndarray, np.ndarray]:
    part, X = likelihood.part, likelihood.X
    values = part.values(L)
    A = part.matrix(values)

    def at(beta, z):  # type: ignore[no-untyped-def]
        rows = likelihood.jet(likelihood.fixed(beta) + A @ z, auxiliary, 2)
        value = float(np.sum(rows.value)) - 0.5 * float(z @ z)
        return (value if np.isfinite(value) else -np.inf), rows

    beta, z = _flat_start(likelihood), np.zeros(part.size)
    value, rows = at(beta, z)
    precision = np.eye(X.shape[1])
    for _ in range(ITERATIONS):
        slope, curvature = rows.first.ravel(), Curvature(-rows.second)
        weights, turned = np.maximum(curvature.weights, 1e-10), curvature.turn(values)
        factor = factorise(likelihood.elimination, turned, weights)
        turned_X = curvature.turn(X)
        WX = weights[:, None] * turned_X
        cross = part.matrix(turned).T @ WX
        swept = factor.solve(cross)
        precision = turned_X.T @ WX - cross.T @ swept
        right = A.T @ slope - z
        beta_step = np.linalg.solve(precision, X.T @ slope - swept.T @ right)
        z_step = factor.solve(right - cross @ beta_step)
        gain = float(beta_step @ (X.T @ slope) + z_step @ right)
        for halving in range(HALVINGS):
            scale = 0.5**halving
            found = at(beta + scale * beta_step, z + scale * z_step)
            if found[0] >= value or gain < 1e-8:
                beta, z, (value, rows) = beta + scale * beta_step, z + scale * z_step, found
                break
        if gain < 1e-6:
            break
    return beta, precision


def _flat_start(likelihood: Likelihood) -> np.ndarray:
    """Coefficients with a finite likelihood: every predictor at its middle in all rows; 0 without a constant."""
    spec, design = likelihood.spec, likelihood.design
    found = []
    for one in design.predictors.fixed:
        constant = constant_in(one.X) if one.X.shape[1] else None
        middle = middle_of(spec, design, one.parameter)
        found.append(np.zeros(one.X.shape[1]) if constant is None else middle * constant)
    return np.concatenate(found)
