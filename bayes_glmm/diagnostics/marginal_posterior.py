r"""The log posterior of (beta, theta), the random effects integrated out, at the draws and at independent modes.

A joint density of thousands of random effects says nothing about where the mass lies: its mode is far from it. With
the random effects integrated out only (beta, theta) are left, few enough that a mode and the draws around it are
comparable: in d dimensions, under a normal posterior, the mode exceeds a draw by half a chi-square with d degrees of
freedom. The searches begin at variances of their own, in columns centred over the rows, and share nothing with the
sampler but the model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import optimize

from bayes_glmm.design import Design, Priors, RandomBlock
from bayes_glmm.design.scale import middle_of
from bayes_glmm.errors import EstimationError, SpecError
from bayes_glmm.likelihood import Layout, Likelihood, Parameters, layout_of, likelihood_of
from bayes_glmm.likelihood.estimate import AUXILIARY_ERROR, THETA_ERROR, Evaluator, LogLikelihood, LogPosterior
from bayes_glmm.likelihood.laplace import laplace_log_likelihood, laplace_value
from bayes_glmm.likelihood.maximum import Objective
from bayes_glmm.likelihood.priors import LogPrior
from bayes_glmm.likelihood.quadrature import aghq_log_likelihood, check_quadrature
from bayes_glmm.likelihood.start import conditioned_start
from bayes_glmm.numerics.differences import jacobian
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import spread_draws
from bayes_glmm.spec import ModelSpec

SIZES = 1.0, 0.1, 5.0  # of the random effects at the starts, as a factor of plausible ones
ITERATIONS = 200
SLOPE = 0.05  # a standardised gradient below it: less than a hundredth of the log density is left to gain
NODES = {1: 15, 2: 7, 3: 5}  # of quadrature, by the effects per level
_STEP = 1e-4  # of differences
GIVEN = "The draws were given, not sampled."
LARGEST = 400_000  # 8 times the rows, and squared effects beside the largest factor's: seconds


@dataclass(frozen=True)
class Point:
    """Where a search ended.

    Attributes
    ----------
    y : array [parameter]
        Free coordinates (:meth:`bayes_glmm.likelihood.Layout.to_free`).
    value : float
        The objective there.
    """

    y: np.ndarray
    value: float


@dataclass(frozen=True)
class Searches:
    """The likelihood of a model and where searches for its modes begin.

    Attributes
    ----------
    likelihood : Likelihood
    layout : Layout
    starts : tuple of array [parameter]
        Free coordinates.
    root : array [parameter, parameter]
        A square root of a guess of the posterior covariance of the free coordinates.
    """

    likelihood: Likelihood
    layout: Layout
    starts: tuple[np.ndarray, ...]
    root: np.ndarray

    def log_posterior(self, priors: Priors, log_likelihood: LogLikelihood = laplace_log_likelihood) -> LogPosterior:
        """The objective of a search for a mode of the posterior."""
        evaluate = Evaluator(self.likelihood, log_likelihood, self.layout)
        return LogPosterior(evaluate, LogPrior(self.layout, priors), self.layout)

    def log_likelihood(self) -> Objective:
        """The objective of a search for the maximum likelihood estimate, over the same coordinates."""
        evaluate = Evaluator(self.likelihood, laplace_log_likelihood, self.layout)

        def objective(y: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = evaluate(self.layout.from_free(y))
            return value, self.layout.pulled_back(y, slope)

        return objective

    def climb(self, objective: Objective, starts: tuple[np.ndarray, ...]) -> tuple[Point, ...]:
        """Climb from each start; the highest point first."""
        found = [_climb(objective, start, self.root) for start in starts]
        return tuple(sorted((point for point in found if point is not None), key=lambda point: -point.value))


def searches(spec: ModelSpec, design: Design) -> Searches:
    """Prepare the searches of a model.

    Raises
    ------
    SpecError
        If the factors beside the largest have too many levels for the approximations.
    EstimationError
        If the coefficients cannot be told apart where the search starts.
    """
    likelihood = likelihood_of(spec, design)
    layout = layout_of(likelihood)
    # columns centred over the rows: plausible variances at x = 0 are not plausible where the rows are
    centred = replace(likelihood, design=_centred(design))
    try:
        plausible, covariance, T = conditioned_start(likelihood_of(spec, centred.design))
        beta = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError as error:
        raise EstimationError("The coefficients cannot be told apart where the search starts.") from error
    free = layout.to_free(layout.vector(plausible))
    carry = partial(_carried, layout)
    sds = sorted(set(layout.sds))
    starts = []
    for size in SIZES:
        y = free.copy()
        y[sds] += np.log(size)
        starts.append(carry(y))
    root = np.diag(np.full(len(free), AUXILIARY_ERROR))
    root[layout.beta, layout.beta] = beta if T is None else T @ beta
    slope = jacobian(carry, free, _STEP)[layout.theta, layout.theta]
    root[layout.theta, layout.theta] = THETA_ERROR * slope
    starts = starts if sds else starts[:1]
    return Searches(likelihood, layout, (*starts, _without_slopes(likelihood, layout, starts[0])), root)


def quadrature_of(likelihood: Likelihood) -> LogLikelihood | None:
    """The log likelihood by adaptive quadrature; None where there is none for the model's factors."""
    nodes = NODES.get(max(likelihood.part.widths, default=1), NODES[3])
    try:
        check_quadrature(likelihood, nodes)
    except SpecError:
        return None
    return partial(aghq_log_likelihood, nodes=nodes)


def laplace_values(likelihood: Likelihood, points: Iterable[Parameters]) -> np.ndarray:
    """The Laplace approximation of the log likelihood at some parameters; -inf where it does not exist [point]."""
    values, z = [], None
    for parameters in points:
        try:
            value, modes = laplace_value(likelihood, parameters, z)
        except np.linalg.LinAlgError:
            values.append(-np.inf)
            continue
        values.append(value)
        z = modes.z
    return np.array(values)


def at_draws(posterior: Posterior, layout: Layout, draws: int) -> np.ndarray:
    """Free coordinates of some draws [draw, parameter]; draws whose G is singular in floating point are left out."""
    chosen = spread_draws(posterior, draws)
    auxiliary = {name: values[chosen] for name, values in posterior.auxiliary.items()}
    G = {block.group: posterior.G(block.group)[chosen] for block in layout.blocks}
    found = []
    names = posterior.design.predictors.parameters
    fixed = np.concatenate([posterior.coefficients(name)[chosen] for name in names], axis=1)
    for k, beta in enumerate(fixed):
        try:
            L = {group: np.linalg.cholesky(values[k]) for group, values in G.items()}
        except np.linalg.LinAlgError:
            continue
        parameters = Parameters(beta, L, {name: float(values[k]) for name, values in auxiliary.items()})
        found.append(layout.to_free(layout.vector(parameters)))
    return np.array(found).reshape(len(found), -1)


def is_given(posterior: Posterior) -> bool:
    """Whether the draws are a point estimate or a made-up case, neither sampled nor resampled."""
    return "sample_stats" not in posterior.draws.children and "k_hat" not in posterior.provenance


def too_large(design: Design) -> bool:
    """Whether the searches would take longer than a few seconds."""
    sizes = sorted(len(block.levels) * len(block.effects) for block in design.blocks)
    return 8 * len(design.y) + sum(sizes[:-1]) ** 2 > LARGEST


def _climb(objective: Objective, start: np.ndarray, root: np.ndarray) -> Point | None:
    def standardised(w: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = objective(start + root @ w)
        return -value, -(root.T @ gradient)

    if not np.isfinite(standardised(np.zeros_like(start))[0]):
        return None
    with np.errstate(all="ignore"):
        found = optimize.minimize(
            standardised, np.zeros_like(start), jac=True, method="BFGS", options={"gtol": SLOPE, "maxiter": ITERATIONS}
        )
    return Point(start + root @ found.x, -float(found.fun))


def _shift(block: RandomBlock) -> np.ndarray:
    """The matrix C of u = C u_c for columns centred over the rows, in runs that have a constant [effect, effect]."""
    C = np.eye(len(block.effects))
    for run in block.runs_of_parameters:
        constant = [k for k in run if np.ptp(block.values[:, k]) == 0 and block.values[0, k] != 0]
        if constant:
            others = [k for k in run if k != constant[0]]
            C[constant[0], others] = -block.values[:, others].mean(axis=0) / block.values[0, constant[0]]
    return C


def _centred(design: Design) -> Design:
    """The same model with random-effect columns centred over the rows."""
    blocks = tuple(replace(block, values=block.values @ _shift(block)) for block in design.blocks)
    return replace(design, predictors=replace(design.predictors, blocks=blocks))


def _carried(layout: Layout, y: np.ndarray) -> np.ndarray:
    """Free coordinates at x = 0 from those of the centred columns."""
    parameters = layout.parameters(layout.from_free(y))
    # the triangular factor of C L: no product of it with itself, whose digits may not be enough
    L = {block.group: _lower(_shift(block) @ parameters.L[block.group]) for block in layout.blocks}
    return layout.to_free(layout.vector(replace(parameters, L=L)))


def _lower(root: np.ndarray) -> np.ndarray:
    """The lower triangular L, its diagonal positive, with L L' = root root'."""
    L = np.linalg.qr(root.T, mode="r").T
    return L * np.where(np.diagonal(L) < 0, -1.0, 1.0)


def _without_slopes(likelihood: Likelihood, layout: Layout, y: np.ndarray) -> np.ndarray:
    """The same start with every coefficient at 0, the intercept at the middle of the response."""
    y = y.copy()
    spec, design = likelihood.spec, likelihood.design
    y[layout.beta] = [
        middle_of(spec, design, one.parameter) if name == "Intercept" else 0.0
        for one in design.predictors.fixed
        for name in one.coefficients
    ]
    return y
