r"""Numbers for whitened coordinates, from the mode of the posterior by the Laplace approximation.

At the mode the rows' log densities are replaced by parabolas, with working weights W and working responses y*. Given
beta, the variances and the random effects of the other factors, the effects u_j of the factor with most of them are
then Gaussian with precision H_j + G^-1, H_j = sum_i W_i z_i z_i', and the mean that follows from R_j = sum_i W_i z_i
y*_i, S_j = sum_i W_i z_i x_i' and the cross products with the other factors' columns. All of these are fixed numbers,
but for auxiliary parameters a: they grow by (a / a at the mode)^power, as the sum of the weights does there. For
Gaussian rows that is (sigma at the mode / sigma)^2, exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from bayes_glmm.design import Priors, Problem, RandomBlock
from bayes_glmm.errors import EstimationError, SpecError
from bayes_glmm.inference.others import Others, others_given_later
from bayes_glmm.likelihood import Likelihood, correlated, layout_of, likelihood_of, maximum_a_posteriori
from bayes_glmm.likelihood.estimate import Estimate
from bayes_glmm.likelihood.factor import factorise
from bayes_glmm.likelihood.priors import log_density
from bayes_glmm.likelihood.stacked import Curvature
from bayes_glmm.spec import ModelSpec

MOST_EFFECTS = 12  # per level, whose covariance has 78 entries to search for
MOST_OTHERS = 2_500  # random effects of the other factors: a dense matrix of 50 MB
ON_THE_REAL_LINE = ("Normal", "StudentT", "Cauchy", "Laplace", "Logistic", "Flat")
_SMALLEST_WEIGHT = 1e-6  # of the largest: rows that say nothing, or bend upward
_STEP = 1e-3  # of the logarithm of an auxiliary parameter


@dataclass(frozen=True)
class Whitening:
    """The parabolas at the mode, in the form that the change of coordinates needs.

    Attributes
    ----------
    problem : Problem
        In canonical columns.
    main : RandomBlock
        The factor with most random effects.
    others : tuple of RandomBlock
    estimate : Estimate
        The mode.
    H : array [level, effect, effect]
    R : array [level, effect]
    S : array [level, effect, coefficient]
    cross : (array, array, array)
        Row (level and effect of the main factor), column (other random effect) and value of ``Z_main' W Z_others``.
    powers : mapping of str to float
        The rates at which logarithms of H, R, S and cross move with the free coordinate of each constant: of positive
        ones the power that they grow with.
    fixed_and_others : Others
        beta and the other factors' effects, the main factor's integrated out at the mode.
    """

    problem: Problem
    main: RandomBlock
    others: tuple[RandomBlock, ...]
    estimate: Estimate
    H: np.ndarray
    R: np.ndarray
    S: np.ndarray
    cross: tuple[np.ndarray, np.ndarray, np.ndarray]
    powers: Mapping[str, float]
    fixed_and_others: Others


def parabolas_are_exact(spec: ModelSpec) -> bool:
    """Whether they are the log densities of the rows themselves, whatever the parameters are."""
    rows = spec.formula.residual is None and not spec.limited
    return rows and not spec.formulas and (spec.family_name, spec.link_name) == ("gaussian", "identity")


def whitening_for(problem: Problem) -> tuple[Whitening | None, str]:
    """The whitening of a model; None where there is none, and why.

    Parameters
    ----------
    problem : Problem
        In canonical columns.

    Returns
    -------
    whitening : Whitening or None
    why : str
        The reason in words where there is none; else empty.
    """
    spec, design, priors = problem.spec, problem.design, problem.priors
    if not design.blocks:
        return None, "there are no random effects"
    keys = [f"{one.variable}[{name}]" for one in design.predictors.fixed for name in one.coefficients]
    bounded = [key for key in keys if priors[key].distribution not in ON_THE_REAL_LINE]
    if bounded:
        return None, f"the prior of {bounded[0]} is not one on the whole real line"
    try:
        likelihood = likelihood_of(spec, design)
        main, others = likelihood.part.blocks[0], likelihood.part.blocks[1:]
        if len(main.effects) > MOST_EFFECTS or likelihood.elimination.rest > MOST_OTHERS:
            return None, "there are too many effects per level, or too many levels beside the largest factor"
        if design.residual is not None and (spec.formulas or correlated.obstacle(likelihood)):
            likelihood, estimate = _without_correlation(likelihood, problem)
        else:
            estimate = maximum_a_posteriori(likelihood, priors)
        if not estimate.maximum.converged:
            return None, f"the Laplace approximation did not converge ({estimate.maximum.message})"
        if likelihood.design.residual is not None:
            return _of_white_rows(likelihood, estimate, problem), ""
        return _whitening(likelihood, main, others, estimate, problem), ""
    except (SpecError, EstimationError, np.linalg.LinAlgError) as error:
        return None, f"the Laplace approximation failed ({error})"


def _whitening(
    likelihood: Likelihood, main: RandomBlock, others: tuple[RandomBlock, ...], estimate: Estimate, problem: Problem
) -> Whitening:
    modes, curvature = estimate.evaluation.modes, _curvature(likelihood, estimate)
    turn, weights = curvature.turn, curvature.weights
    n, (q, d) = len(modes.eta), (len(main.levels), len(main.effects))
    response = weights * turn(modes.eta - likelihood.offset) + turn(modes.rows.first.ravel())
    Z, X, index = turn(main.values), turn(likelihood.X), main.index

    def by_level(values: np.ndarray) -> np.ndarray:
        columns = values.reshape(n, -1)
        sums = [np.bincount(index, column, q) for column in columns.T]
        return np.array(sums).T.reshape(q, *values.shape[1:])

    WZ = weights[:, None] * Z
    precision = _precision(likelihood, estimate, problem.priors, curvature)
    return Whitening(
        problem=problem,
        main=main,
        others=others,
        estimate=estimate,
        H=by_level(WZ[:, :, None] * Z[:, None, :]),
        R=by_level(Z * response[:, None]),
        S=by_level(WZ[:, :, None] * X[:, None, :]),
        cross=_cross(likelihood, curvature, WZ),
        powers={name: _power(likelihood, estimate, name) for name in estimate.parameters.auxiliary},
        fixed_and_others=others_given_later(others, precision, estimate.parameters.beta, modes.z[q * d :]),
    )


def _without_correlation(likelihood: Likelihood, problem: Problem) -> tuple[Likelihood, Estimate]:
    """The likelihood of rows as if their residuals were independent, and its mode, places of correlations at 1/2.

    For models whose rows cannot be made white. Coordinates stay exact; they are less well straightened.
    """
    spec, design = likelihood.spec, likelihood.design
    names = spec.family.residual
    plain = replace(spec, formula=replace(spec.formula, residual=None))
    rows = likelihood_of(plain, replace(design, residual=None))
    found = maximum_a_posteriori(rows, problem.priors)
    known, unit = found.maximum.known, np.eye(len(names))
    maximum = replace(
        found.maximum,
        x=np.append(found.maximum.x, np.zeros(len(names))),
        precision=linalg.block_diag(found.maximum.precision, unit),
        known=None if known is None else linalg.block_diag(known, unit),
    )
    auxiliary = {**found.parameters.auxiliary, **dict.fromkeys(names, 0.5)}
    parameters = replace(found.parameters, auxiliary=auxiliary)
    return rows, replace(found, parameters=parameters, layout=layout_of(likelihood), maximum=maximum)


def _of_white_rows(likelihood: Likelihood, estimate: Estimate, problem: Problem) -> Whitening:
    """The numbers of white rows, in which residuals are independent at the mode."""
    white = correlated.independent_rows(likelihood, estimate.parameters).likelihood
    main, *others = white.part.blocks
    found = _whitening(white, main, tuple(others), estimate, problem)
    powers = {name: _power(likelihood, estimate, name) for name in estimate.parameters.auxiliary}
    return replace(found, main=likelihood.part.blocks[0], others=likelihood.part.blocks[1:], powers=powers)


def _curvature(likelihood: Likelihood, estimate: Estimate) -> Curvature:
    """The working weights: observed for one predictor a row, expected for several, and more than 0 in each row."""
    modes = estimate.evaluation.modes
    W = modes.curvature.W
    if len(W) > 1:
        W = likelihood.information(modes.eta, estimate.parameters.auxiliary)
    return Curvature(W).at_least(_SMALLEST_WEIGHT)


def _power(likelihood: Likelihood, estimate: Estimate, name: str) -> float:
    """The rate at which the logarithm of the sum of the working weights follows a constant's free coordinate."""
    free = estimate.layout.constants[name]
    at, eta = estimate.parameters.auxiliary, estimate.evaluation.modes.eta

    def total(move: float) -> float:
        rows = likelihood.jet(eta, {**at, name: free.back(free.forward(at[name]) + move)}, 2)
        return max(-float(np.einsum("kki->", rows.second)), 0.0)

    low, high = total(-_STEP), total(_STEP)
    return math.log(high / low) / (2.0 * _STEP) if low > 0.0 and high > 0.0 else 0.0


def _cross(likelihood: Likelihood, curvature: Curvature, WZ: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    elimination = likelihood.elimination
    if not elimination.rest:
        nothing = np.empty(0, dtype=int)
        return nothing, nothing, np.empty(0)
    values = curvature.turn(np.hstack([block.values for block in likelihood.part.blocks[1:]]))
    place, columns, pointers = elimination.cross
    data = np.bincount(place, (WZ[:, :, None] * values[:, None, :]).ravel(), len(columns))
    return np.repeat(np.arange(elimination.eliminated), np.diff(pointers)), columns, data


def _precision(likelihood: Likelihood, estimate: Estimate, priors: Priors, curvature: Curvature) -> np.ndarray:
    """Precision of (beta, z of the others) at the mode, the main factor's effects integrated out."""
    weights, X = curvature.weights, curvature.turn(likelihood.X)
    factor = factorise(likelihood.elimination, curvature.turn(estimate.evaluation.modes.values), weights)
    n, p = likelihood.elimination.eliminated, X.shape[1]
    A = likelihood.part.matrix(factor.values)
    cross = A.T @ (weights[:, None] * X)
    swept = likelihood.elimination.blocks(factor.D_root) @ cross[:n]
    precision = np.empty((p + len(factor.S_root),) * 2)
    precision[:p, :p] = X.T @ (weights[:, None] * X) - swept.T @ swept + _prior_precision(estimate, priors)
    precision[p:, :p] = cross[n:] - factor.V.T @ swept
    precision[:p, p:] = precision[p:, :p].T
    precision[p:, p:] = factor.S_root @ factor.S_root.T
    return precision


def _prior_precision(estimate: Estimate, priors: Priors) -> np.ndarray:
    """Curvature of the log prior of the coefficients at the mode, where it bends down [coefficient, coefficient]."""
    result, apart = [], priors.canonical.apart
    beta = apart @ estimate.parameters.beta if len(apart) else estimate.parameters.beta
    for name, value in zip(estimate.layout.coefficients, beta, strict=True):
        prior, step = priors[name], 1e-4 * (1.0 + abs(value))
        slopes = [log_density(prior, value + move)[1] for move in (-step, step)]
        result.append(max(0.0, (slopes[0] - slopes[1]) / (2.0 * step)))
    diagonal = np.diag(np.array(result))
    return apart.T @ diagonal @ apart if len(apart) else diagonal
