"""From a problem without random effects to a compiled density, whitened at the mode."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from bayes_glmm.design import Problem, dimension_labels
from bayes_glmm.errors import EstimationError
from bayes_glmm.inference.densities.callbacks import Part
from bayes_glmm.inference.densities.density import Density, Kept
from bayes_glmm.inference.densities.fixed import FixedData
from bayes_glmm.inference.densities.priors import prior_table, thresholds_table
from bayes_glmm.inference.densities.units import unit_pass
from bayes_glmm.inference.kernels.inputs import predictor_inputs
from bayes_glmm.inference.reduce import reduce_rows
from bayes_glmm.inference.whitening import ON_THE_REAL_LINE
from bayes_glmm.likelihood import likelihood_of
from bayes_glmm.likelihood.estimate import maximum_a_posteriori
from bayes_glmm.numerics.free import KINDS


def fixed_density(problem: Problem) -> Density | None:
    """The posterior of a problem without random effects, compiled; None without a mode, or where a prior has no entry.

    Raises
    ------
    SpecError
        For a prior that cannot be.
    """
    spec, design, priors = problem.spec, problem.design, problem.priors
    of_beta = [priors[f"{one.variable}[{name}]"] for one in design.predictors.fixed for name in one.coefficients]
    beta_priors = prior_table(of_beta)
    auxiliary_priors = prior_table(priors[name] for name in spec.auxiliary)
    thresholds = thresholds_table(priors.thresholds[1:], design.step_places)
    bounded = any(prior.distribution not in ON_THE_REAL_LINE for prior in of_beta)
    if (
        beta_priors is None
        or auxiliary_priors is None
        or thresholds is None
        or bounded
        or not len(beta_priors) + len(auxiliary_priors)
    ):
        return None
    found = _mode(problem)
    if found is None:
        return None
    reduced = reduce_rows(spec, design)
    order = np.arange(len(reduced.design.y))
    rows, response = unit_pass(reduced.spec, reduced.design, order)
    constant = reduced.constant + priors.canonical.log_apart
    data = FixedData(
        *response,
        *predictor_inputs(reduced.design, order),
        remainder=np.array([constant, reduced.lost_rows, reduced.within], dtype=float),
        beta_priors=beta_priors,
        auxiliary_priors=auxiliary_priors,
        mode=found[0],
        root=found[1],
        kinds=np.array([KINDS[one.support] for one in spec.auxiliary.values()], dtype=np.int64),
        thresholds=thresholds,
        apart=priors.canonical.apart,
    )
    return Density(
        value=Part("fixed density"),
        expansion=Part("fixed expand"),
        rows=rows,
        arrays=tuple(np.ascontiguousarray(array) for array in data),
        start=np.zeros(len(found[0])),
        kept=(
            *(Kept(one.variable, (one.dim,), (len(one.coefficients),)) for one in design.predictors.fixed),
            *(Kept(name, (), ()) for name in spec.auxiliary),
        ),
        coords={name: tuple(map(str, labels)) for name, labels in dimension_labels(design).items()},
    )


def _mode(problem: Problem) -> tuple[np.ndarray, np.ndarray] | None:
    """The mode of beta and the free coordinates of constants, and a root of the inverse curvature there."""
    try:
        estimate = maximum_a_posteriori(likelihood_of(problem.spec, problem.design), problem.priors)
        root = linalg.cholesky(estimate.maximum.covariance, lower=True)
    except (EstimationError, np.linalg.LinAlgError, ValueError):  # ValueError: a curvature that is not finite
        return None
    return (estimate.maximum.x, root) if estimate.maximum.converged else None
