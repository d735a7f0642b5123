r"""Maximum likelihood by the EM algorithm, with the random effects as missing data: a second way to the same maximum.

E-step: the distribution of each group's effects given the data and the current parameters, as nodes z_jk of adaptive
quadrature with probabilities p_jk. M-step: the expected log density of data and effects, the sum over j and k of
p_jk (log p(y_j | u_jk) + log N(u_jk; 0, G)), falls into two. G is the average of u u', of correlated effects only, and
(beta, phi) are those of a regression with the offsets z_i'u_jk, by Newton's method; with several formulas beta has the
coefficients of all of them.

Every iteration raises the likelihood (Dempster, Laird & Rubin 1977), to the accuracy of the quadrature, and none needs
the gradient of an integral. It takes the more iterations the larger the share of missing information is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import linalg

from bayes_glmm.approx.aghq import with_error
from bayes_glmm.approx.boundary import given_limits, refuse_separated, with_bounds
from bayes_glmm.approx.laplace import approx_fit
from bayes_glmm.approx.result import ApproxFit, Model
from bayes_glmm.approx.written import as_written, in_columns
from bayes_glmm.design.canonical_columns import conditioned
from bayes_glmm.errors import EstimationError, SpecError
from bayes_glmm.likelihood import Estimate, Layout, Likelihood, Parameters, layout_of, likelihood_of
from bayes_glmm.likelihood.likelihood import check_free_covariances, check_independent_residuals
from bayes_glmm.likelihood.maximum import Maximum
from bayes_glmm.likelihood.modes import conditional_modes
from bayes_glmm.likelihood.quadrature import aghq_log_likelihood, check_quadrature, one_factor
from bayes_glmm.likelihood.stacked import Curvature
from bayes_glmm.likelihood.start import starting_parameters
from bayes_glmm.numerics.differences import hessian, jacobian
from bayes_glmm.numerics.search import Step, climb

REMAINING = 1e-8  # of the log likelihood still to gain: about 1e-4 standard errors
FALL = 1e-6  # of the log likelihood in an iteration, beyond rounding
NEWTON_STEPS, DECREMENT = 20, 1e-8
_STEP = 1e-4  # of finite differences


def em(model: Model, nodes: int = 25, iterations: int = 2000) -> ApproxFit:
    """Fit a model by the EM algorithm with adaptive quadrature.

    Parameters
    ----------
    model : GLMM
        With one grouping factor of at most three effects, in any of its formulas.
    nodes : int
        Of each dimension.
    iterations : int
        At most.

    Returns
    -------
    ApproxFit
        ``details["log_likelihoods"]`` has the log likelihood at the start and after each iteration. Standard errors
        come from the second derivative of the log likelihood by quadrature at the last one.

    Raises
    ------
    EstimationError
        If the estimate does not exist, or an iteration cannot be.
    SpecError
        For more than one grouping factor, or more than three effects.

    Examples
    --------
    >>> import bayes_glmm as bg
    >>> model = bg.GLMM("p(germinated, n) ~ extract + (1 | plate)", bg.datasets.seeds(), family="binomial")
    >>> bool(abs(em(model).log_likelihood - bg.approx.aghq(model).log_likelihood) < 1e-6)
    True
    """
    begin = time.perf_counter()
    canonical = conditioned(model.design)
    problem = in_columns(model, canonical)
    check_independent_residuals(problem.design)
    check_free_covariances(problem.design)
    likelihood = likelihood_of(problem.spec, problem.design)
    if len(likelihood.part.blocks) != 1:
        raise SpecError("EM takes one grouping factor.", advice="Use bg.approx.laplace(model).")
    check_quadrature(likelihood, nodes)
    refuse_separated(model.spec, model.design)
    try:
        parameters, values = _climb(likelihood, nodes, iterations)
    except np.linalg.LinAlgError as error:
        raise EstimationError(
            "EM came to a covariance, or to effects of a group, without a distribution.",
            advice="Use bg.approx.aghq(model), which stays inside.",
        ) from error
    estimate = given_limits(_estimate(likelihood, parameters, nodes, values), problem.spec)
    seconds = time.perf_counter() - begin
    fit = approx_fit(f"EM with {nodes} nodes, maximum likelihood", problem, likelihood, estimate, seconds)
    fall = float(-np.min(np.diff(values), initial=0.0))
    messages = (f"The log likelihood fell by {fall:.2g} in an iteration: {nodes} nodes are too few.",)
    fit = replace(
        fit,
        objective=partial(aghq_log_likelihood, nodes=nodes),
        messages=(*fit.messages, *(messages if fall > FALL else ())),
        details={**fit.details, "iterations": len(values) - 1, "log_likelihoods": np.array(values)},
    )
    return as_written(with_error(with_bounds(fit), nodes), model, canonical)


def _climb(likelihood: Likelihood, nodes: int, iterations: int) -> tuple[Parameters, list[float]]:
    """The last parameters, and the log likelihoods on the way to them."""
    parameters, _ = starting_parameters(likelihood)
    effects, z = expectation(likelihood, parameters, nodes)
    values = [effects.log_likelihood]
    while still_to_gain(values) > REMAINING and len(values) <= iterations:
        parameters = maximisation(likelihood, parameters, effects)
        effects, z = expectation(likelihood, parameters, nodes, z)
        values.append(effects.log_likelihood)
    return parameters, values


@dataclass(frozen=True)
class Effects:
    """The random effects given the data, as points with probabilities.

    Attributes
    ----------
    z : array [node, group, effect]
        Standardised, for each group that stands for others like it.
    probability : array [node, group]
    log_likelihood : float
        At the parameters that they are conditional on.
    """

    z: np.ndarray
    probability: np.ndarray
    log_likelihood: float


def expectation(
    likelihood: Likelihood, parameters: Parameters, nodes: int, start: np.ndarray | None = None
) -> tuple[Effects, np.ndarray]:
    """The E-step; also returns the conditional modes, where the next one may start."""
    modes = conditional_modes(likelihood, parameters, start)
    adapted = one_factor(likelihood, parameters, modes)
    found = [(z[:, 0], e[:, 0]) for _, z, e, _ in adapted.nodes(nodes)]
    z, e = (np.concatenate(parts) for parts in zip(*found, strict=True))
    total = e.sum(axis=0)
    value = float(likelihood.groups.count @ adapted.log_integral(total[None])[0])
    return Effects(z, e / total, value), modes.z


def maximisation(likelihood: Likelihood, parameters: Parameters, effects: Effects) -> Parameters:
    """The M-step: parameters of the largest expected log density of data and effects."""
    (block,), groups = likelihood.part.blocks, likelihood.groups
    u = effects.z @ parameters.L[block.group].T
    share = effects.probability * groups.count
    G = np.einsum("kg,kgi,kgj->ij", share, u, u) / groups.count.sum()
    correlated = linalg.block_diag(*[np.ones((size, size)) for size in block.pattern])
    regression = Regression(
        likelihood,
        np.einsum("krd,nrd->knr", likelihood.by_predictor(block.values)[:, groups.rows], u[:, groups.of_row]),
        share[:, groups.of_row],
    )
    beta, auxiliary = regression.maximum(parameters.beta, parameters.auxiliary)
    return Parameters(beta, {block.group: np.linalg.cholesky(G * correlated)}, auxiliary)


@dataclass(frozen=True)
class Regression:
    """The expected log density of the data given the effects, a function of w = (beta, free coordinates of constants).

    Attributes
    ----------
    likelihood : Likelihood
    random : array [predictor, node, row]
        What the effects add to the linear predictors, rows in the order of the groups.
    share : array [node, row]
        Probability of the node times the number of groups that the row's group stands for.
    """

    likelihood: Likelihood
    random: np.ndarray
    share: np.ndarray

    def __call__(self, w: np.ndarray) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
        """Value; gradient and the second derivative in beta."""
        likelihood, rows, share = self.likelihood, self.likelihood.groups.rows, self.share
        X = np.concatenate(likelihood.by_predictor(likelihood.X)[:, rows])
        constants = layout_of(likelihood).constants
        numbers = zip(constants.items(), w[X.shape[1] :], strict=True)
        auxiliary = {name: free.back(float(number)) for (name, free), number in numbers}
        fixed = likelihood.by_predictor(likelihood.fixed(w[: X.shape[1]]))[:, None, rows]
        density = likelihood.jet_at([*(fixed + self.random)], auxiliary, 2, likelihood.design.observed[rows])
        value = float(np.sum(share * density.value))
        slopes = {name: free.slope(auxiliary[name]) for name, free in constants.items()}
        by_constant = [slope * np.sum(share * density.by[name].value) for name, slope in slopes.items()]
        gradient = np.concatenate([X.T @ np.sum(share * density.first, axis=1).ravel(), by_constant])
        bend = Curvature(np.sum(share * density.second, axis=2))
        return (value if np.isfinite(value) else -np.inf), (gradient, X.T @ bend.times(X))

    def maximum(self, beta: np.ndarray, auxiliary: Mapping[str, float]) -> tuple[np.ndarray, dict[str, float]]:
        """The largest value's beta and constants, by damped Newton steps."""
        p, constants = len(beta), layout_of(self.likelihood).constants
        start = np.concatenate([beta, [free.forward(auxiliary[name]) for name, free in constants.items()]])
        w = climb(self, self._newton_step, start, DECREMENT, NEWTON_STEPS).end
        numbers = zip(constants.items(), w[p:], strict=True)
        return w[:p], {name: free.back(float(number)) for (name, free), number in numbers}

    def _newton_step(self, w: np.ndarray, derivatives: tuple[np.ndarray, np.ndarray]) -> Step[None]:
        """Uphill also where the second derivative is not negative definite."""
        gradient, bend = derivatives
        p = len(bend)
        second = np.zeros((len(w), len(w)))
        second[:p, :p] = bend
        if p < len(w):
            of_constants = jacobian(lambda at: self(np.append(w[:p], at))[1][0], w[p:], _STEP)
            second[:, p:], second[p:] = of_constants, of_constants.T
        scale = np.sqrt(np.abs(np.diagonal(second)))
        values, vectors = np.linalg.eigh(second / np.outer(scale, scale))
        step = vectors @ (vectors.T @ (gradient / scale) / np.maximum(np.abs(values), 1e-10)) / scale
        return Step(step, float(gradient @ step), None)


def still_to_gain(values: list[float]) -> float:
    """What the log likelihood will still gain if its gains go on to shrink as the last two (Aitken's rule)."""
    if len(values) < 3:
        return np.inf
    before, last = values[-2] - values[-3], values[-1] - values[-2]
    if abs(last) < 1e-12 * abs(values[-1]):  # rounding
        return 0.0
    return last * last / (before - last) if 0.0 < last < before else np.inf


def _estimate(likelihood: Likelihood, parameters: Parameters, nodes: int, values: list[float]) -> Estimate:
    layout = layout_of(likelihood)
    evaluation = aghq_log_likelihood(likelihood, parameters, None, nodes)
    x = layout.vector(parameters)
    precision = _precision(likelihood, layout, x, nodes)
    converged = still_to_gain(values) <= REMAINING
    message = f"{len(values) - 1} iterations were not enough; EM creeps where a variance is 0, bg.approx.aghq does not"
    maximum = Maximum(x, evaluation.value, precision, len(values), converged, "" if converged else message)
    return Estimate(parameters, evaluation.value, evaluation, layout, False, maximum)


def _precision(likelihood: Likelihood, layout: Layout, x: np.ndarray, nodes: int) -> np.ndarray:
    """Central differences of the gradient of the log likelihood by quadrature."""

    def gradient(x: np.ndarray) -> np.ndarray:
        at = layout.parameters(x)
        return layout.gradient(aghq_log_likelihood(likelihood, at, None, nodes).gradient, at)

    scale = np.sqrt(np.sum(likelihood.X**2, axis=0) / len(likelihood.design.y))
    steps = np.full(len(x), _STEP)
    steps[layout.beta] /= scale
    steps[layout.theta] *= np.maximum(layout.scale(layout.parameters(x)), 1e-3)
    return -hessian(gradient, x, steps)
