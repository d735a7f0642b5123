"""Where to start a search: the joint mode of beta and the random effects at plausible variances (lme4's nAGQ = 0)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayes_glmm.design import RandomBlock
from bayes_glmm.design.canonical_columns import conditioned, constant_in
from bayes_glmm.design.scale import middle_of, spread
from bayes_glmm.design.specific import with_steps_at_zero
from bayes_glmm.design.thresholds import starting_steps
from bayes_glmm.likelihood.factor import factorise
from bayes_glmm.likelihood.likelihood import Likelihood, Parameters
from bayes_glmm.likelihood.maximum import definite
from bayes_glmm.likelihood.stacked import Curvature
from bayes_glmm.names import LOCATION
from bayes_glmm.numerics.jet import Jet
from bayes_glmm.numerics.search import Step, climb

SCALE = 0.3  # a plausible sd of effects in the predictor of a further parameter
_INSIDE = {"unit": 0.3, "real": 0.0}  # a plausible constant by its support
ITERATIONS = 50
GAIN = 1e-6  # twice the log likelihood still to gain: a start need not be better


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
    size = spread(spec, design)
    scale = 0.5 * size if spec.link_name == "identity" and spec.family.location.support == "real" else 0.5
    L = {block.group: _root(block, _scales(block, scale) / _size(block.values)) for block in design.blocks}
    auxiliary = {name: size if p.of_response else _INSIDE.get(p.support, 2.0) for name, p in spec.auxiliary.items()}
    auxiliary |= dict.fromkeys(spec.family.residual, 0.5)
    if design.thresholds:
        auxiliary |= starting_steps(spec, design)
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
    beta = T @ found.beta
    auxiliary = with_steps_at_zero(found.auxiliary, beta, canonical, likelihood.design)
    return replace(found, beta=beta, auxiliary=auxiliary), np.linalg.inv(precision), T


def _root(block: RandomBlock, sd: np.ndarray) -> np.ndarray:
    """The root of a plausible covariance: free correlations at 0, single ones in the middle of their range."""
    L = np.diag(sd)
    for run, form in zip(block.runs, block.forms, strict=True):
        if form is not None:
            L[run, run] = sd[run][form.sds[0]] * form.root(0.0)[0] if form.one_sd else sd[run, None] * form.root(0.0)[0]
    return L


def _scales(block: RandomBlock, scale: float) -> np.ndarray:
    """A plausible sd of each effect on a column of size 1 [effect]: the location's, or that of other parameters."""
    return np.array([scale if name == LOCATION else SCALE for name in block.parameters])


def _size(values: np.ndarray) -> np.ndarray:
    return np.maximum(np.sqrt(np.mean(values**2, axis=0)), 1e-12)


def _joint_mode(likelihood: Likelihood, L: dict, auxiliary: dict) -> tuple[np.ndarray, np.ndarray]:
    """The beta of the joint mode of beta and z, and its precision with z at the modes given beta."""
    part, X = likelihood.part, likelihood.X
    values, p = part.values(L), X.shape[1]
    A = part.matrix(values)

    def at(both: np.ndarray) -> tuple[float, Jet]:
        beta, z = both[:p], both[p:]
        rows = likelihood.jet(likelihood.fixed(beta) + A @ z, auxiliary, 2)
        value = float(np.sum(rows.value)) - 0.5 * float(z @ z)
        return (value if np.isfinite(value) else -np.inf), rows

    def propose(both: np.ndarray, rows: Jet) -> Step[np.ndarray]:
        slope, curvature = rows.first.ravel(), Curvature(-rows.second)
        weights, turned = np.maximum(curvature.weights, 1e-10), curvature.turn(values)
        factor = factorise(likelihood.elimination, turned, weights)
        turned_X = curvature.turn(X)
        WX = weights[:, None] * turned_X
        cross = part.matrix(turned).T @ WX
        swept = factor.solve(cross)
        precision = turned_X.T @ WX - cross.T @ swept
        left, right = X.T @ slope, A.T @ slope - both[p:]
        beta_step = np.linalg.solve(precision, left - swept.T @ right)
        z_step = factor.solve(right - cross @ beta_step)
        return Step(np.concatenate([beta_step, z_step]), float(beta_step @ left + z_step @ right), precision)

    start = np.concatenate([_flat_start(likelihood), np.zeros(part.size)])
    found = climb(at, propose, start, GAIN, ITERATIONS)
    return found.end[:p], found.step.basis


def _flat_start(likelihood: Likelihood) -> np.ndarray:
    """Coefficients with a finite likelihood: every predictor at its middle in all rows; 0 without a constant."""
    spec, design = likelihood.spec, likelihood.design
    found = []
    for one in design.predictors.fixed:
        constant = constant_in(one.X) if one.X.shape[1] else None
        middle = middle_of(spec, design, one.parameter)
        found.append(np.zeros(one.X.shape[1]) if constant is None else middle * constant)
    return np.concatenate(found)
