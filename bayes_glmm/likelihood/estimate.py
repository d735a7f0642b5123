"""Maximum likelihood and maximum a posteriori, for any way of integrating the random effects out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bayes_glmm.design import Priors
from bayes_glmm.errors import EstimationError
from bayes_glmm.likelihood.laplace import Evaluation, laplace_log_likelihood
from bayes_glmm.likelihood.layout import Layout, layout_of
from bayes_glmm.likelihood.likelihood import Likelihood, Parameters
from bayes_glmm.likelihood.maximum import Maximum, Objective, maximise
from bayes_glmm.likelihood.priors import LogPrior
from bayes_glmm.likelihood.start import conditioned_start

LogLikelihood = Callable[[Likelihood, Parameters, np.ndarray | None], Evaluation]
THETA_ERROR = 0.5  # a guess of the standard error of a standard deviation, relative
AUXILIARY_ERROR = 0.3  # of the logarithm of an auxiliary parameter


@dataclass(frozen=True)
class Estimate:
    """Parameters at a maximum.

    Attributes
    ----------
    parameters : Parameters
    log_likelihood : float
        With the random effects integrated out, all constants included.
    evaluation : Evaluation
        At the parameters: conditional modes, gradient.
    layout : Layout
    free : bool
        Whether the coordinates of ``maximum`` have the diagonals of L by their logarithms.
    maximum : Maximum
    """

    parameters: Parameters
    log_likelihood: float
    evaluation: Evaluation
    layout: Layout
    free: bool
    maximum: Maximum


def maximum_likelihood(
    likelihood: Likelihood, log_likelihood: LogLikelihood = laplace_log_likelihood, start: Parameters | None = None
) -> Estimate:
    """Maximise the likelihood with the random effects integrated out.

    Parameters
    ----------
    likelihood : Likelihood
    log_likelihood : function
        How they are integrated out.
    start : Parameters, optional

    Returns
    -------
    Estimate
        Coordinates: the :class:`Layout`'s.

    Raises
    ------
    EstimationError
        If the search cannot start.
    """
    layout = layout_of(likelihood)
    at, scale, T = _start(likelihood, layout, start)
    evaluate = Evaluator(likelihood, log_likelihood, layout)
    maximum = with_positive_diagonal(layout, _maximise(evaluate, layout.vector(at), scale, layout, T))
    return _estimate(likelihood, log_likelihood, layout, maximum, free=False)


def with_positive_diagonal(layout: Layout, maximum: Maximum) -> Maximum:
    """The same maximum with diagonals of L that are not negative."""
    changed = layout.with_positive_diagonal(maximum.x) * maximum.x < 0
    turn = np.where(changed, -1.0, 1.0)  # columns of L that change sign
    known = None if maximum.known is None else turn[:, None] * maximum.known * turn
    return replace(maximum, x=maximum.x * turn, precision=turn[:, None] * maximum.precision * turn, known=known)


def maximum_a_posteriori(
    likelihood: Likelihood,
    priors: Priors,
    log_likelihood: LogLikelihood = laplace_log_likelihood,
    start: Parameters | None = None,
) -> Estimate:
    """Maximise the posterior density of the parameters, over coordinates without bounds.

    A mode depends on the coordinates. These are beta, log standard deviations, ratios of entries of L for correlations
    (:meth:`Layout.to_free`) and log auxiliary parameters; the density includes their Jacobian.

    Parameters
    ----------
    likelihood : Likelihood
    priors : Priors
    log_likelihood : function
        How the random effects are integrated out.
    start : Parameters, optional

    Returns
    -------
    Estimate
        Coordinates: the free ones.

    Raises
    ------
    SpecError
        For a prior without a density here.
    EstimationError
        If the search cannot start.
    """
    layout = layout_of(likelihood)
    objective = LogPosterior(Evaluator(likelihood, log_likelihood, layout), LogPrior(layout, priors), layout)
    at, scale, T = _start(likelihood, layout, start)
    scale[layout.theta, layout.theta] = THETA_ERROR**2 * np.eye(layout.theta.stop - layout.theta.start)
    maximum = _maximise(objective, layout.to_free(layout.vector(at)), scale, layout, T)
    return _estimate(likelihood, log_likelihood, layout, maximum, free=True)


@dataclass(frozen=True)
class LogPosterior:
    """Log likelihood plus log prior over the free coordinates y, and its gradient."""

    log_likelihood: Callable[[np.ndarray], tuple[float, np.ndarray]]
    log_prior: LogPrior
    layout: Layout

    def __call__(self, y: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient [parameter] at y [parameter]."""
        prior, prior_slope = self.log_prior(y)
        if prior == -np.inf:
            return prior, prior_slope
        value, slope = self.log_likelihood(self.layout.from_free(y))
        return value + prior, self.layout.pulled_back(y, slope) + prior_slope


class Evaluator:
    """The objective of a search. It remembers the last conditional modes, where the next search for them starts."""

    def __init__(self, likelihood: Likelihood, log_likelihood: LogLikelihood, layout: Layout) -> None:
        self.likelihood, self.log_likelihood, self.layout = likelihood, log_likelihood, layout
        self.last: np.ndarray | None = None

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient [parameter] at x [parameter]; -inf where the likelihood cannot be evaluated."""
        parameters = self.layout.parameters(x)
        nothing = -np.inf, np.zeros_like(x)
        if not all(free.inside(parameters.auxiliary[name]) for name, free in self.layout.constants.items()):
            return nothing
        try:
            found = self.log_likelihood(self.likelihood, parameters, self.last)
        except np.linalg.LinAlgError:
            return nothing
        if not np.isfinite(found.value):
            return nothing
        self.last = found.modes.z
        return found.value, self.layout.gradient(found.gradient, parameters)


def _maximise(objective: Objective, y: np.ndarray, scale: np.ndarray, layout: Layout, T: np.ndarray | None) -> Maximum:
    """Maximise from y; with a T, over moves b of the coefficients by T b, whose scale is the given one."""
    if T is None:
        return maximise(objective, y, scale)
    slope = np.eye(len(y))
    slope[layout.beta, layout.beta] = T

    def along(b: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = objective(y + slope @ b)
        return value, slope.T @ gradient

    found = maximise(along, np.zeros_like(y), scale)
    back = np.linalg.inv(slope)
    return replace(
        found,
        x=y + slope @ found.x,
        precision=back.T @ found.precision @ back,
        known=slope @ found.covariance @ slope.T,
    )


def _start(
    likelihood: Likelihood, layout: Layout, start: Parameters | None
) -> tuple[Parameters, np.ndarray, np.ndarray | None]:
    """Where to start, a guess of the covariance of the estimates, and the T of :func:`conditioned_start`."""
    try:
        found, beta, T = conditioned_start(likelihood)
        np.linalg.cholesky(beta)
    except np.linalg.LinAlgError as error:
        raise EstimationError(
            "The coefficients cannot be told apart where the search starts.",
            advice="Look for columns that separate the response, or are nearly combinations of others.",
        ) from error
    errors = np.concatenate([THETA_ERROR * layout.scale(found), np.full(len(layout.auxiliary), AUXILIARY_ERROR)])
    scale = np.diag(np.concatenate([np.zeros(len(beta)), errors**2]))
    scale[layout.beta, layout.beta] = beta
    return start or found, scale, T


def _estimate(
    likelihood: Likelihood, log_likelihood: LogLikelihood, layout: Layout, maximum: Maximum, free: bool
) -> Estimate:
    parameters = layout.parameters(layout.from_free(maximum.x) if free else maximum.x)
    evaluation = log_likelihood(likelihood, parameters, None)
    return Estimate(parameters, evaluation.value, evaluation, layout, free, maximum)
