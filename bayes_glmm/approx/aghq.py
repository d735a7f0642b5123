"""Maximum likelihood or maximum a posteriori by adaptive Gauss-Hermite quadrature, with a check of its own error."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from bayes_glmm.approx.laplace import Target, columns_for, fit_by
from bayes_glmm.approx.result import ApproxFit, Model
from bayes_glmm.approx.written import as_written
from bayes_glmm.likelihood import likelihood_of
from bayes_glmm.likelihood.quadrature import aghq_log_likelihood, check_quadrature

LARGE = 0.1  # standard errors, and units of the log likelihood: a change from half the nodes that is worth a word


def aghq(model: Model, nodes: int = 25, target: Target = "likelihood") -> ApproxFit:
    """Fit a model by adaptive Gauss-Hermite quadrature.

    Parameters
    ----------
    model : GLMM
        With one grouping factor of at most three effects, or two nested factors of one effect each; the effects may be
        in any of its formulas.
    nodes : int
        Of each dimension: the cost grows as its power.
    target : {"likelihood", "posterior"}
        Maximum likelihood, or the mode of the posterior under the model's priors.

    Returns
    -------
    ApproxFit
        ``details`` say what half the nodes would have changed: ``log_likelihood_change``, and ``estimate_change``, the
        largest change of a parameter in standard errors. Where either is large a message says so.

    Raises
    ------
    EstimationError
        If the estimate does not exist: columns that separate zeros from ones have none by maximum likelihood.
    SpecError
        For crossed factors and more effects than quadrature can do, an unknown target, or a prior whose density is not
        known here.

    Notes
    -----
    The nodes stand around the conditional mode of each group, as far apart as its curvature says (Pinheiro & Bates
    1995). How many are enough depends on how far from Gaussian the conditionals are: 25 mostly, but groups of three
    yes/no answers with a standard deviation near 9 take 100.

    Examples
    --------
    >>> import bayes_glmm as bg
    >>> fit = aghq(bg.GLMM("p(favourable, n) ~ treatment + (1 | clinic)", bg.datasets.clinics(), family="binomial"))
    >>> round(fit.log_likelihood, 3)
    -37.019
    """
    canonical = columns_for(model, target)
    check_quadrature(likelihood_of(model.spec, model.design), nodes)
    name = f"Adaptive quadrature with {nodes} node{'s' if nodes > 1 else ''}"
    fit = fit_by(model, canonical, partial(aghq_log_likelihood, nodes=nodes), name, target)
    return as_written(with_error(fit, nodes), model, canonical)


def with_error(fit: ApproxFit, nodes: int) -> ApproxFit:
    """A fit by quadrature that knows what half the nodes would have changed."""
    coarse = nodes // 2 if nodes > 1 else 3
    value, moves = _change(fit, nodes, coarse)
    largest = float(np.max(np.abs(moves))) if np.isfinite(moves).all() else float("nan")
    details = {"nodes": nodes, "coarse_nodes": coarse, "log_likelihood_change": value, "estimate_change": largest}
    messages = fit.messages
    if abs(value) > LARGE or largest > LARGE:
        messages = (
            *messages,
            f"{nodes} nodes may be too few: {coarse} would change the log likelihood by {abs(value):.2g}, and an "
            f"estimate by about {largest:.2g} standard errors. Take more until this goes away: nodes={2 * nodes}.",
        )
    return replace(fit, messages=messages, details={**fit.details, **details})


def _change(fit: ApproxFit, nodes: int, coarse: int) -> tuple[float, np.ndarray]:
    """Change of the log likelihood, and of the parameters in standard errors, from a coarser rule to that of the fit.

    A Newton step from the estimates says where the coarser rule has its maximum.
    """
    likelihood, at, layout = likelihood_of(fit.spec, fit.design), fit.parameters, fit.layout
    fine, rough = (aghq_log_likelihood(likelihood, at, None, count) for count in (nodes, coarse))
    slope = layout.gradient(rough.gradient, at) - layout.gradient(fine.gradient, at)
    if fit.free:
        slope = layout.pulled_back(fit.x, slope)
    known = np.isfinite(np.diagonal(fit.covariance))  # not of constants at a limit
    if not known.any():
        return fine.value - rough.value, np.array([np.nan])
    covariance = fit.covariance[np.ix_(known, known)]
    return fine.value - rough.value, covariance @ slope[known] / np.sqrt(np.diagonal(covariance))
