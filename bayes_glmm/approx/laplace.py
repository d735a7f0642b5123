"""Maximum likelihood or maximum a posteriori with the Laplace approximation, from a model to an ApproxFit."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Literal

import numpy as np

from bayes_glmm.approx.boundary import given_limits, refuse_separated, with_bounds
from bayes_glmm.approx.henderson import predicted_effects
from bayes_glmm.approx.result import ApproxFit, Model, RandomEffects
from bayes_glmm.approx.written import as_written, in_columns
from bayes_glmm.design import Canonical, Problem
from bayes_glmm.design.canonical_columns import conditioned
from bayes_glmm.errors import SpecError
from bayes_glmm.likelihood import Estimate, Likelihood, likelihood_of, maximum_a_posteriori, maximum_likelihood
from bayes_glmm.likelihood.correlated import independent_rows
from bayes_glmm.likelihood.estimate import LogLikelihood
from bayes_glmm.likelihood.laplace import laplace_log_likelihood

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
    canonical = columns_for(model, target)
    return as_written(fit_by(model, canonical, laplace_log_likelihood, "Laplace", target), model, canonical)


def columns_for(model: Model, target: Target) -> Canonical:
    """The canonical columns to search in.

    Raises
    ------
    SpecError
        For an unknown target.
    EstimationError
        If there is no maximum likelihood estimate.
    """
    if target == "likelihood":
        refuse_separated(model.spec, model.design)
        return conditioned(model.design)
    if target == "posterior":
        return model.priors.canonical
    raise SpecError(f"There is no target {target!r}.", advice="Valid: 'likelihood', 'posterior'.")


def fit_by(model: Model, canonical: Canonical, log_likelihood: LogLikelihood, name: str, target: Target) -> ApproxFit:
    """Maximise a log likelihood, or a posterior density, in canonical columns."""
    start = time.perf_counter()
    if target == "posterior":
        problem = Problem(model.spec, model.design, model.priors).canonical
    else:
        problem = in_columns(model, canonical)
    likelihood = likelihood_of(problem.spec, problem.design)
    if target == "likelihood":
        estimate = given_limits(maximum_likelihood(likelihood, log_likelihood), problem.spec)
        kind = "maximum likelihood"
    else:
        estimate, kind = maximum_a_posteriori(likelihood, problem.priors, log_likelihood), "maximum a posteriori"
    seconds = time.perf_counter() - start
    fit = approx_fit(f"{name}, {kind}", problem, likelihood, estimate, seconds)
    fit = replace(fit, objective=log_likelihood)
    return with_bounds(fit) if target == "likelihood" else fit


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
        free=estimate.free,
        log_likelihood=estimate.log_likelihood,
        random_effects=_random_effects(likelihood, estimate),
        converged=maximum.converged,
        messages=tuple(messages),
        seconds=seconds,
        details={"evaluations": maximum.evaluations},
    )


def _random_effects(likelihood: Likelihood, estimate: Estimate) -> RandomEffects:
    """Conditional modes, and their prediction error variance."""
    modes = estimate.evaluation.modes
    rows = independent_rows(likelihood, estimate.parameters).likelihood
    X = np.zeros((len(rows.X), len(estimate.parameters.beta)))
    X[:, : rows.X.shape[1]] = rows.X  # of the location alone, where residuals are correlated
    A = rows.part.matrix(modes.values)
    follow = -modes.factor.solve(A.T @ modes.curvature.times(X))
    beta = estimate.maximum.covariance[estimate.layout.beta, estimate.layout.beta]
    return predicted_effects(modes.factor, estimate.parameters, modes.z, follow, beta)
