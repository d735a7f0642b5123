"""Maximum likelihood or maximum a posteriori with the Laplace approximation, from a model to an ApproxFit."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Literal

import numpy as np

from bayes_glmm.approx.boundary import at_boundary, refuse_separated, unbounded
from bayes_glmm.approx.result import ApproxFit, Model, RandomEffects
from bayes_glmm.errors import SpecError
from bayes_glmm.likelihood import Estimate, Likelihood, likelihood_of, maximum_a_posteriori, maximum_likelihood
from bayes_glmm.likelihood.estimate import LogLikelihood
from bayes_glmm.likelihood.laplace import laplace_log_likelihood
from bayes_glmm.likelihood.modes import by_row

Target = Literal["likelihood", "posterior"]


def laplace(model: Model, target: Target = "likelihood") -> ApproxFit:
    """Fit a model by the Laplace approximation.

    Parameters
    ----------
    model : GLMM
    target : {"likelihood", "posterior"}
        Maximum likelihood, or the mode of the posterior under the model's priors.

    Returns
    -------
    ApproxFit

    Raises
    ------
    EstimationError
        If the estimate does not exist: columns that separate zeros from ones have none by maximum likelihood.
    SpecError
        For an unknown target, or a prior whose density is not known here.

    Notes
    -----
    The random effects are integrated out by a Gaussian at their conditional modes (Tierney & Kadane 1986; Breslow &
    Clayton 1993, equation 4), with the observed information. The error is of the order of 1 / (rows a group): small
    for many rows, large for few binary ones; :func:`aghq` says how large.
    """
    return fit_by(model, laplace_log_likelihood, "Laplace", target)


def fit_by(model: Model, log_likelihood: LogLikelihood, name: str, target: Target) -> ApproxFit:
    """Maximise a log likelihood, or a posterior density, and put the result together."""
    start = time.perf_counter()
    likelihood = likelihood_of(model.spec, model.design)
    if target == "likelihood":
        refuse_separated(model.spec, model.design)
        estimate, kind = maximum_likelihood(likelihood, log_likelihood), "maximum likelihood"
    elif target == "posterior":
        estimate, kind = maximum_a_posteriori(likelihood, model.priors, log_likelihood), "maximum a posteriori"
    else:
        raise SpecError(f"There is no target {target!r}.", advice="Valid: 'likelihood', 'posterior'.")
    seconds = time.perf_counter() - start
    fit = approx_fit(f"{name}, {kind}", model, likelihood, estimate, seconds)
    fit = replace(fit, objective=log_likelihood)
    return _with_bounds(fit) if target == "likelihood" else fit


def _with_bounds(fit: ApproxFit) -> ApproxFit:
    """What maximum likelihood, without priors that keep estimates away from their bounds, must say."""
    endless = unbounded(fit.spec, fit.design)
    messages = (*fit.messages, *endless, *at_boundary(fit.spec, fit.design, fit.parameters))
    return replace(fit, messages=messages, converged=fit.converged and not endless)


def approx_fit(method: str, model: Model, likelihood: Likelihood, estimate: Estimate, seconds: float) -> ApproxFit:
    """An ApproxFit from an estimate."""
    maximum = estimate.maximum
    messages = [f"Not converged: {maximum.message}."] if maximum.message else []
    return ApproxFit(
        method=method,
        spec=model.spec,
        design=model.design,
        priors=model.priors,
        parameters=estimate.parameters,
        layout=estimate.layout,
        x=maximum.x,
        covariance=maximum.covariance,
        logarithmic=estimate.logarithmic,
        log_likelihood=estimate.log_likelihood,
        random_effects=predicted_effects(likelihood, estimate),
        converged=maximum.converged,
        messages=tuple(messages),
        seconds=seconds,
        details={"evaluations": maximum.evaluations},
    )


def predicted_effects(likelihood: Likelihood, estimate: Estimate) -> RandomEffects:
    """Conditional modes, and their prediction error variance by Henderson's equations."""
    part, modes, L = likelihood.part, estimate.evaluation.modes, estimate.parameters.L
    weights = -by_row(modes.rows, 2, len(modes.eta))
    A = part.matrix(modes.factor.values)
    follow = -modes.factor.solve(A.T @ (weights[:, None] * likelihood.design.X))
    beta = estimate.maximum.covariance[estimate.layout.beta, estimate.layout.beta]
    u, covariance, by_beta = {}, {}, {}
    own = modes.factor.own_covariances()
    for group, z in part.split(modes.z).items():
        root = L[group]
        u[group] = z @ root.T
        by_beta[group] = np.einsum("kl,jlc->jkc", root, part.split(follow)[group])
        spread = by_beta[group] @ beta @ by_beta[group].transpose(0, 2, 1)
        covariance[group] = root @ own[group] @ root.T + spread
    return RandomEffects(u, covariance, by_beta)
