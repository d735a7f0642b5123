"""Penalised quasi-likelihood: a generalised linear mixed model as a linear one in a working response, again and again.

Where beta and u are most likely given the variances, the model is linear in them to first order: the working response
eta + (y - mu) / h'(eta) has mean eta and variance phi V(mu) / h'(eta)^2. The variances that are most likely for the
working response move that mode, and so on until both settle (Schall 1991; Breslow & Clayton 1993; Wolfinger & O'Connell
1993).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayes_glmm.approx.boundary import MODE, refuse_separated, with_bounds
from bayes_glmm.approx.henderson import Criterion, LinearMixedModel, Solution
from bayes_glmm.approx.result import ApproxFit, Model
from bayes_glmm.approx.working import joint_mode
from bayes_glmm.approx.written import as_written, in_columns
from bayes_glmm.design import Canonical
from bayes_glmm.design.canonical_columns import conditioned
from bayes_glmm.errors import EstimationError, SpecError
from bayes_glmm.likelihood import Layout, Likelihood, Parameters, conditional_modes, layout_of, likelihood_of
from bayes_glmm.likelihood.estimate import THETA_ERROR, with_positive_diagonal
from bayes_glmm.likelihood.likelihood import (
    check_free_covariances,
    check_independent_residuals,
    check_one_predictor,
    check_values_known,
)
from bayes_glmm.likelihood.maximum import Maximum, maximise
from bayes_glmm.likelihood.start import starting_parameters

Dispersion = Literal["family", "estimate"]
POWER = {"gaussian": 2.0, "gamma": -1.0}  # the dispersion is this power of the auxiliary parameter
ITERATIONS = 200
FULL_STEPS = 20  # shorter ones after them, which end a circle
SETTLED = 1e-7  # squared standard errors by which the variances still move
AWAY_FROM_ZERO = 0.1  # of the first guess of a standard deviation
FEW_TRIALS = 10  # a level: a standard deviation of 1 comes out near 0.6 for 2 binary responses, 0.8 for 5, 0.9 for 10


def pql(model: Model, criterion: Criterion = "REML", dispersion: Dispersion = "family") -> ApproxFit:
    r"""Fit a model by penalised quasi-likelihood.

    Parameters
    ----------
    model : GLMM
    criterion : {"REML", "ML"}
        How the variances are estimated from the working response.
    dispersion : {"family", "estimate"}
        The factor phi in Var(y | u) = phi V(mu): 1 for binomial and Poisson responses and estimated for Gaussian and
        gamma ones (sigma^2, 1 / shape); or estimated for the former too, which allows for over-dispersion. Binary
        responses have none: 1 is all they take.

    Returns
    -------
    ApproxFit
        The covariance of beta is given the variances, theirs by the curvature of the (restricted) likelihood.
        ``details``: ``dispersion``; ``iterations``; ``working_log_likelihood``, that of the working response, and of
        the data for Gaussian responses with identity link alone.

    Raises
    ------
    EstimationError
        If the estimate does not exist.
    SpecError
        For a family whose variance is not a factor times a function of the mean, a model with several formulas, or an
        unknown choice.

    Notes
    -----
    For Gaussian responses with identity link this is (restricted) maximum likelihood, exact. Else it is an
    approximation, and for binary responses with few rows a group a biased one: standard deviations come out too small,
    coefficients too close to 0 (Breslow & Lin 1995), and more groups do not mend it. For 126 pairs of yes and no (the
    spinal data of the tests) the standard deviation is 1.26 where maximum likelihood, by :func:`aghq`, has 3.00.
    """
    start = time.perf_counter()
    _check(model, criterion, dispersion)
    canonical = conditioned(model.design)
    problem = in_columns(model, canonical)
    check_independent_residuals(problem.design)
    check_free_covariances(problem.design)
    check_values_known(problem.spec)
    likelihood = likelihood_of(problem.spec, problem.design)
    try:
        found = _alternate(likelihood, criterion, dispersion)
    except np.linalg.LinAlgError as error:
        raise EstimationError(
            "The search ran out of what numbers can tell apart: coefficients, random effects or the dispersion fit the "
            "response without an error.",
            advice=f"Look for columns or groups that separate the response, or use {MODE}.",
        ) from error
    layout = layout_of(likelihood)
    parameters, covariance = _estimates(likelihood, layout, found)
    fit = ApproxFit(
        method=f"PQL, {criterion}",
        spec=problem.spec,
        design=problem.design,
        priors=problem.priors,
        parameters=parameters,
        layout=layout,
        x=layout.vector(parameters),
        covariance=covariance,
        free=False,
        log_likelihood=float("nan"),
        random_effects=found.solution.random_effects(),
        converged=not found.complaint,
        messages=_messages(likelihood, found),
        seconds=time.perf_counter() - start,
        details={
            "dispersion": found.dispersion,
            "iterations": found.iterations,
            "working_log_likelihood": found.solution.log_likelihood(criterion) + _restricted(criterion, canonical),
        },
    )
    return as_written(with_bounds(fit), model, canonical)


def _restricted(criterion: str, canonical: Canonical) -> float:
    """Return log |T|, the difference of the restricted log likelihoods in written and canonical columns."""
    return float(np.linalg.slogdet(canonical.location.T)[1]) if criterion == "REML" else 0.0


def _check(model: Model, criterion: str, dispersion: str) -> None:
    if criterion not in ("REML", "ML"):
        raise SpecError(f"There is no criterion {criterion!r}.", advice="Valid: 'REML', 'ML'.")
    if dispersion not in ("family", "estimate"):
        raise SpecError(f"There is no dispersion {dispersion!r}.", advice="Valid: 'family', 'estimate'.")
    check_one_predictor(model.spec, "Penalised quasi-likelihood")
    family = model.spec.family
    if dispersion == "estimate" and family.response.is_binary:
        raise SpecError(
            "Binary responses have no over-dispersion: their variance is mu (1 - mu), whatever varies.",
            advice="Leave dispersion='family', or count successes of trials: p(successes, trials) with binomial.",
        )
    if family.auxiliary and family.name not in POWER:
        raise SpecError(
            f"Penalised quasi-likelihood has no {family.name} family: its variance must be phi V(mu).",
            advice="Use bg.approx.laplace(model)"
            + (', or poisson with dispersion="estimate".' if family.response.is_count else "."),
        )
    refuse_separated(model.spec, model.design)


@dataclass(frozen=True)
class _Found:
    """Where the alternation ended.

    Attributes
    ----------
    solution : Solution
        Of the working model, at the last variances.
    layout : Layout
        Of the variances: L, and the log dispersion where it is estimated.
    maximum : Maximum
        Of the working model's likelihood over them.
    iterations : int
    complaint : str
        Why it is not to be trusted, or empty.
    """

    solution: Solution
    layout: Layout
    maximum: Maximum
    iterations: int
    complaint: str

    @property
    def dispersion(self) -> float:
        """The factor phi of the variance."""
        return self.solution.variances.auxiliary.get("dispersion", 1.0)


def _alternate(likelihood: Likelihood, criterion: Criterion, dispersion: Dispersion) -> _Found:
    """Modes given the variances, variances given the modes, until the variances stay.

    Each search for the variances starts away from 0, where their likelihood is even and its slope tells nothing.
    """
    first, _ = starting_parameters(likelihood)
    family = likelihood.spec.family
    free = dispersion == "estimate" or family.name in POWER
    layout = Layout((), likelihood.design.blocks, ("dispersion",) if free else ())
    scale = [value ** POWER[family.name] for value in first.auxiliary.values()] or [1.0]
    variances = Parameters(np.empty(0), first.L, {"dispersion": scale[0]})
    x, sizes = layout.vector(variances), np.append(layout.scale(variances), [1.0] * free)
    least = AWAY_FROM_ZERO * np.append(x[layout.theta], [0.0] * free)
    z = conditional_modes(likelihood, first).z
    solution, at_mode = joint_mode(likelihood, layout.parameters(x), first.beta, z)
    settled, iterations = False, 0
    while not settled and iterations < ITERATIONS:
        iterations += 1
        start = np.where(np.abs(x) < least, least, x)
        maximum = with_positive_diagonal(layout, _variances(solution.model, criterion, layout, start, sizes))
        step = maximum.x - x
        settled = float(step @ maximum.precision @ step) < SETTLED
        x = x + step * (1.0 if settled else min(1.0, FULL_STEPS / iterations))
        near = solution.model.solve(layout.parameters(x))
        solution, at_mode = joint_mode(likelihood, near.variances, near.beta, near.z)
    complaints = [
        "" if settled else f"variances and modes still move each other after {iterations} iterations",
        "" if at_mode else "the search for the modes ended before the gradient was zero",
        maximum.message,
    ]
    return _Found(solution, layout, maximum, iterations, "; ".join(filter(None, complaints)))


def _variances(
    working: LinearMixedModel, criterion: Criterion, layout: Layout, start: np.ndarray, sizes: np.ndarray
) -> Maximum:
    """The variances that are most likely for a working response."""

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        variances = layout.parameters(x)
        try:
            with np.errstate(all="ignore"):  # a step too far shows as a likelihood that is not finite
                solution = working.solve(variances)
                value = solution.log_likelihood(criterion)
        except np.linalg.LinAlgError:
            value = -np.inf
        if not np.isfinite(value):
            return -np.inf, np.zeros_like(x)
        return value, layout.gradient(solution.gradient(criterion), variances)

    if not len(start):
        return Maximum(start, 0.0, np.empty((0, 0)), 0, True, "")
    return maximise(objective, start, np.diag((THETA_ERROR * sizes) ** 2))


def _estimates(likelihood: Likelihood, layout: Layout, found: _Found) -> tuple[Parameters, np.ndarray]:
    """All parameters, and their covariance in the coordinates of the whole layout."""
    variances, auxiliary = found.solution.variances, likelihood.spec.family.auxiliary
    power = POWER.get(likelihood.spec.family.name, 1.0)
    parameters = Parameters(
        found.solution.beta, variances.L, dict.fromkeys(auxiliary, found.dispersion ** (1.0 / power))
    )
    covariance = np.zeros((len(layout.names),) * 2)
    covariance[layout.beta, layout.beta] = found.solution.covariance
    entries = layout.theta.stop - layout.theta.start
    to_log = np.array([1.0] * entries + [1.0 / power] * len(auxiliary))
    rest = slice(layout.theta.start, None)
    covariance[rest, rest] = to_log[:, None] * found.maximum.covariance[: len(to_log), : len(to_log)] * to_log
    return parameters, covariance


def _messages(likelihood: Likelihood, found: _Found) -> tuple[str, ...]:
    """What a reader must know."""
    messages = [f"Not converged: {found.complaint}."] if found.complaint else []
    design = likelihood.design
    if likelihood.spec.family.response.events:
        trials = float(len(design.y) if design.trials is None else design.trials.sum())
        messages += [
            f"About {trials / len(block.levels):.2g} binary responses a level of {block.group}: so few make the "
            "standard deviation too small and coefficients too close to 0 (Breslow & Lin 1995). Compare aghq or fit()."
            for block in design.blocks
            if trials / len(block.levels) < FEW_TRIALS
        ]
    return tuple(messages)
