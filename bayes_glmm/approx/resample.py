r"""A posterior without a sampler: draws around the mode, reweighted to the posterior, with the number that judges them.

The target is the posterior of the parameters x alone (beta, log standard deviations, ratios for correlations, log
auxiliary parameters), the random effects integrated out by the Laplace approximation or by quadrature. Proposals are
x = mode + C t, C C' the inverse curvature there, t independent Student t with 5 degrees of freedom: posteriors of log
standard deviations have exponential tails, which a Gaussian would miss (k-hat .7 against .4 for 126 matched pairs).
Sobol points take the place of random numbers. Weights p(x | y) / q(x) are Pareto-smoothed (Vehtari et al. 2024), draws
resampled by them systematically (Kitagawa 1996, Journal of Computational and Graphical Statistics 5, 1-25). The random
effects of each draw come from the Gaussian at their conditional mode.

So there are three things to judge:

- whether the draws stand for the target: k-hat of the weights;
- whether the target is the posterior. With e(x) the error of the integrated log likelihood, taking it away moves the
  posterior mean of a quantity f by about Cov(f, e) over the draws, at most sd(e) posterior sds of f. The
  ``integration_error`` is that sd, with e from a finer quadrature at some of the draws, where there is one;
- whether the drawn random effects are right: with r_i the remainder of row i's log density beyond second order around
  the mode, the sum of r_i over the rows of a level is the logarithm of the importance weight of its effects. A k-hat of
  each level says whether the Gaussian covers their exact conditional distribution. Where no finer quadrature exists it
  is the only witness of the target, too. One weight for all levels together would be worthless long before any answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import xarray as xr

from bayes_glmm.approx.result import Model
from bayes_glmm.design import Problem
from bayes_glmm.diagnostics.loo import good_k
from bayes_glmm.draws import to_written
from bayes_glmm.errors import EstimationError, SpecError
from bayes_glmm.likelihood import (
    Estimate,
    Evaluation,
    Likelihood,
    Parameters,
    laplace_log_likelihood,
    likelihood_of,
    maximum_a_posteriori,
)
from bayes_glmm.likelihood.correlated import independent_rows
from bayes_glmm.likelihood.estimate import LogLikelihood
from bayes_glmm.likelihood.priors import LogPrior
from bayes_glmm.likelihood.quadrature import MOST_NODES, aghq_log_likelihood, check_quadrature
from bayes_glmm.numerics.spread import evenly_spread
from bayes_glmm.posterior import Posterior, posterior_of

DEGREES = 5.0  # of freedom: 3 to 10 did alike in effective draws
FEWEST, MOST = 100, 20_000
COMPARED = 32  # draws at which a finer quadrature is taken
LARGE = 0.1  # posterior sds
LEVELS = 200  # of a factor whose k-hat is taken, evenly spread
EXACT = 1e-6  # log weights that differ by less are equal: Gaussian responses
ADVICE = "Sample with model.fit()."


def laplace_posterior(model: Model, draws: int = 1000, seed: int = 0, nodes: int = 1) -> Posterior:
    """Draws from the posterior by importance resampling around its mode, with the k-hat that says how good they are.

    Parameters
    ----------
    model : GLMM
    draws : int
        At most as many evaluations of the integrated likelihood as the next power of two.
    seed : int
    nodes : int
        Of the quadrature that integrates the random effects out of the target; 1 is the Laplace approximation, for any
        model. More take the Laplace error away, for the models that :func:`aghq` can do.

    Returns
    -------
    Posterior
        With one chain, for ``bg.Fit``, effects and reports. Its ``provenance`` has ``coordinates`` ("laplace"), the
        ``verdict`` in words, and what it rests on: ``k_hat`` of the parameters; ``good_k``, the largest to trust;
        ``integration_error`` in posterior sds, None where no quadrature can do the model; ``k_hat_effects``, the
        largest of each grouping factor.

    Raises
    ------
    EstimationError
        If the posterior has no mode with a curvature, or its density cannot be evaluated around it.
    SpecError
        For models that quadrature cannot do, a prior whose density is not known here, or too few or too many draws.

    Notes
    -----
    R-hat and effective sample sizes of these draws mean nothing: they are independent by construction. A thousand draws
    take 1.7 s of one core for 16 rows of 8 clinics and 7 s for 5,550 rows of 1,850 people. Pathfinder
    would place the proposal by itself; the package that has it, pymc-extras, pins an older PyMC.

    Examples
    --------
    >>> import bayes_glmm as bg
    >>> model = bg.GLMM("p(favourable, n) ~ treatment + (1 | clinic)", bg.datasets.clinics(), family="binomial")
    >>> posterior = laplace_posterior(model, draws=200)
    >>> posterior.provenance["k_hat"] < posterior.provenance["good_k"]
    True
    """
    start = time.perf_counter()
    if not FEWEST <= draws <= MOST:
        raise SpecError(f"Resampling takes {FEWEST} to {MOST:,} draws, not {draws:,}.")
    problem = Problem(model.spec, model.design, model.priors)
    likelihood = likelihood_of(problem.canonical.spec, problem.canonical.design)
    integral: LogLikelihood = laplace_log_likelihood
    if nodes != 1:
        check_quadrature(likelihood, nodes)
        integral = partial(aghq_log_likelihood, nodes=nodes)
    estimate = maximum_a_posteriori(likelihood, problem.canonical.priors, integral)
    _check_mode(estimate)
    rng = np.random.default_rng(seed)
    proposals, log_density = _propose(estimate, draws, rng)
    found = _evaluate(likelihood, problem.canonical, estimate, integral, proposals, rng)
    weights, k = _smoothed(found.log_posterior - log_density)
    kept = _resampled(weights, draws, rng)
    k_effects = _k_of_effects(likelihood, {group: log[kept] for group, log in found.log_effects.items()})
    some = kept[:COMPARED]
    error = _integration_error(likelihood, estimate, nodes, proposals[some], found.log_likelihood[some])
    posterior = _posterior(problem, estimate, likelihood, proposals[kept], found.z[kept])
    provenance = {
        "coordinates": "laplace",
        "nodes": nodes,
        "seed": seed,
        "evaluations": len(proposals),
        "effective_draws": float(round(1.0 / np.sum(weights**2), 1)),
        "k_hat": k,
        "good_k": good_k(draws),
        "integration_error": error,
        "k_hat_effects": {group: float(values.max()) for group, values in k_effects.items()},
        "verdict": verdict(k, good_k(draws), error, k_effects),
        "seconds": round(time.perf_counter() - start, 3),
    }
    return replace(posterior, provenance=provenance)


def verdict(k: float, limit: float, error: float | None, k_effects: Mapping[str, np.ndarray]) -> str:
    """Whether to trust the draws, in words.

    Parameters
    ----------
    k, limit : float
        Of the parameters, and the largest to trust.
    error : float or None
        The integration error, where it is known.
    k_effects : mapping of group to array [level]
        Of the random effects.
    """
    if not k <= limit:
        return (
            f"Do not use: the posterior is not like a bell around its mode (k-hat {k:.2f}, more than {limit:.2f}). "
            f"{ADVICE}"
        )
    if error is not None and not error <= LARGE:
        return (
            f"Do not use: the error of integrating the random effects out moves posterior means by up to {error:.2g} "
            f"posterior sds. Take more nodes until that is below {LARGE:g}, or sample with model.fit()."
        )
    missed = ", ".join(
        f"{group} (k-hat up to {values.max():.2f}, {np.mean(values > limit):.0%} of levels)"
        for group, values in k_effects.items()
        if not values.max(initial=0.0) <= limit
    )
    if not missed:
        return f"Fit to use: k-hat {k:.2f}, {limit:.2f} or less wanted; random effects included."
    if error is None:
        return f"Look: the random effects of {missed} are not Gaussian given the parameters, as is supposed. {ADVICE}"
    return (
        f"Fit to use for coefficients and variances: k-hat {k:.2f}, {limit:.2f} or less wanted. Look before using "
        f"random effects: those of {missed} are not Gaussian given the parameters."
    )


@dataclass(frozen=True)
class _Evaluated:
    """Log posteriors and likelihoods [proposal]; effects z and, by group, their log weights [proposal, level]."""

    log_posterior: np.ndarray
    log_likelihood: np.ndarray
    z: np.ndarray
    log_effects: Mapping[str, np.ndarray]


def _check_mode(estimate: Estimate) -> None:
    maximum = estimate.maximum
    if not maximum.converged or not np.isfinite(maximum.covariance).all():
        raise EstimationError(
            f"The search for the posterior's mode failed: {maximum.message or 'its curvature is not positive'}.",
            advice=ADVICE,
        )


def _propose(estimate: Estimate, draws: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points x [proposal, parameter], and their log density [proposal] up to a constant."""
    from scipy import stats

    mode = estimate.maximum.x
    points = stats.qmc.Sobol(len(mode), rng=rng).random_base2(int(np.ceil(np.log2(draws))))
    t = stats.t(DEGREES)
    standard = t.ppf(np.clip(points, 1e-10, 1.0 - 1e-10))
    root = np.linalg.cholesky(estimate.maximum.covariance)
    return mode + standard @ root.T, t.logpdf(standard).sum(axis=1)


def _evaluate(
    likelihood: Likelihood,
    problem: Problem,
    estimate: Estimate,
    integral: LogLikelihood,
    proposals: np.ndarray,
    rng: np.random.Generator,
) -> _Evaluated:
    """Evaluate the target at each proposal, and draw the random effects there."""
    part, layout = likelihood.part, estimate.layout
    log_prior, start = LogPrior(layout, problem.priors), estimate.evaluation.modes.z
    log_posterior, log_likelihood = np.full((2, len(proposals)), -np.inf)
    z = np.zeros((len(proposals), part.size))
    log_effects = {block.group: np.zeros((len(z), len(block.levels))) for block in part.blocks}
    for s, x in enumerate(proposals):
        prior, _ = log_prior(x)
        parameters = layout.parameters(layout.from_free(x))
        noise = rng.standard_normal(part.size)
        if prior == -np.inf or not all(0.0 < value < np.inf for value in parameters.auxiliary.values()):
            continue
        try:
            found = integral(likelihood, parameters, start)
        except np.linalg.LinAlgError:  # no conditional mode this far out: no weight
            continue
        log_likelihood[s] = found.value
        log_posterior[s] = np.nan_to_num(found.value + prior, nan=-np.inf)
        move = found.modes.factor.scatter(noise)
        z[s] = found.modes.z + move
        for group, by_level in _beyond_second_order(likelihood, parameters, found, move):
            log_effects[group][s] = by_level
    if not np.isfinite(log_posterior).any():
        raise EstimationError("The posterior cannot be evaluated around its mode.", advice=ADVICE)
    return _Evaluated(log_posterior, log_likelihood, z, log_effects)


def _beyond_second_order(
    likelihood: Likelihood, parameters: Parameters, found: Evaluation, move: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Exact less Gaussian log density of the effects, each relative to its mode, summed over the rows of each level."""
    modes, rows = found.modes, found.modes.rows
    white = independent_rows(likelihood, parameters)
    change = white.likelihood.part.spread(modes.values, move)
    exact = white.likelihood.jet(modes.eta + change, white.parameters.auxiliary, 1).value - rows.value
    expected = change * (rows.first.ravel() - 0.5 * modes.curvature.times(change))
    remainder = exact - expected.reshape(len(rows.first), -1).sum(axis=0)
    remainder = np.maximum(np.nan_to_num(remainder, nan=-np.inf), -1e300)  # a mean outside its range
    for block in likelihood.design.blocks:
        yield block.group, np.bincount(block.index, remainder, len(block.levels))


def _smoothed(log_ratio: np.ndarray) -> tuple[np.ndarray, float]:
    """Pareto-smoothed weights that add up to 1, and k-hat."""
    from arviz_stats.base import array_stats

    with np.errstate(all="ignore"):  # a tail so long that its fit overflows has a large k all the same
        smoothed, k = array_stats.psislw(-np.maximum(log_ratio - log_ratio.max(), -700.0))
        weights = np.exp(smoothed - smoothed.max())
    return weights / weights.sum(), float(k) if np.isfinite(k) else float("inf")


def _resampled(weights: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of draws by systematic resampling, in random order."""
    places = (rng.random() + np.arange(draws)) / draws
    return rng.permutation(np.minimum(np.searchsorted(np.cumsum(weights), places), len(weights) - 1))


def _k_of_effects(likelihood: Likelihood, log_effects: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The k-hat of some levels of each factor; 0 where the conditional distribution is Gaussian."""
    result = {}
    for block in likelihood.part.blocks:
        some = log_effects[block.group][:, evenly_spread(len(block.levels), LEVELS)].T
        result[block.group] = np.array([_smoothed(one)[1] if np.ptp(one) > EXACT else 0.0 for one in some])
    return result


def _integration_error(
    likelihood: Likelihood, estimate: Estimate, nodes: int, x: np.ndarray, log_likelihood: np.ndarray
) -> float | None:
    """The sd over draws of what a finer quadrature adds to the log likelihood; None where there is none."""
    finer = 25 if nodes == 1 else min(2 * nodes, MOST_NODES)
    try:
        check_quadrature(likelihood, finer)
    except SpecError:
        return None
    layout, start = estimate.layout, estimate.evaluation.modes.z
    exact = [aghq_log_likelihood(likelihood, layout.parameters(layout.from_free(at)), start, finer).value for at in x]
    return float(np.std(np.array(exact) - log_likelihood))


def _posterior(problem: Problem, estimate: Estimate, likelihood: Likelihood, x: np.ndarray, z: np.ndarray) -> Posterior:
    layout = estimate.layout
    parameters = [layout.parameters(layout.from_free(row)) for row in x]
    L = {block.group: np.array([one.L[block.group] for one in parameters]) for block in likelihood.part.blocks}
    G = {group: root @ root.transpose(0, 2, 1) for group, root in L.items()}
    u = {group: np.einsum("sij,ljs->sli", L[group], each) for group, each in likelihood.part.split(z.T).items()}
    auxiliary = {name: np.array([one.auxiliary[name] for one in parameters]) for name in layout.auxiliary}
    beta, *further = problem.design.predictors.split(np.array([one.beta for one in parameters])).items()
    made = posterior_of(problem.canonical, beta[1], G, auxiliary, u, dict(further))
    found = made.draws["posterior"].to_dataset().copy(deep=True)
    draws = to_written(found, problem.priors.canonical, problem.design)
    return Posterior(problem.spec, problem.design, problem.priors, xr.DataTree.from_dict({"posterior": draws}))
