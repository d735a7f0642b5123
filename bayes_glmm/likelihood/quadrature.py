"""Adaptive Gauss-Hermite quadrature of the log likelihood with the random effects integrated out, and its gradient.

For one grouping factor the integral is a product over groups (:mod:`~bayes_glmm.likelihood.group_integrals`); for a
factor nested in another it is nested quadrature (:mod:`~bayes_glmm.likelihood.nested`). Crossed factors have no such
product. Effects may enter any predictors.
"""

from __future__ import annotations

import numpy as np

from bayes_glmm.design import RandomBlock
from bayes_glmm.errors import SpecError
from bayes_glmm.likelihood.group_integrals import Adapted, Integrand, integrate
from bayes_glmm.likelihood.laplace import Evaluation, laplace_log_likelihood
from bayes_glmm.likelihood.likelihood import Likelihood, Parameters, check_independent_residuals
from bayes_glmm.likelihood.modes import Modes, conditional_modes
from bayes_glmm.likelihood.nested import nested_quadrature

MOST_EFFECTS = 3
ADVICE = "Use bg.approx.laplace(model)."
MOST_NODES = 200  # at about twice as many, weights of outer nodes leave the floating point numbers


def aghq_log_likelihood(
    likelihood: Likelihood, parameters: Parameters, start: np.ndarray | None = None, nodes: int = 25
) -> Evaluation:
    """The log of p(y | beta, L, phi) by adaptive Gauss-Hermite quadrature.

    Parameters
    ----------
    likelihood : Likelihood
        One that :func:`check_quadrature` accepts.
    parameters : Parameters
    start : array [column of z], optional
        Where to start the search for the conditional modes.
    nodes : int
        Of each dimension. One node is the Laplace approximation.

    Returns
    -------
    Evaluation
        The gradient is that of the value, whatever the number of nodes.

    Raises
    ------
    numpy.linalg.LinAlgError
        If there is no conditional mode with a positive definite curvature.
    """
    if not likelihood.part.blocks:
        return laplace_log_likelihood(likelihood, parameters, start)
    modes = conditional_modes(likelihood, parameters, start)
    if len(likelihood.part.blocks) == 1:
        return _one_factor(likelihood, parameters, modes, nodes)
    return nested_quadrature(likelihood, parameters, modes, nodes)


def check_quadrature(likelihood: Likelihood, nodes: int) -> None:
    """Refuse what quadrature cannot do.

    Raises
    ------
    SpecError
        For more than three effects a group, factors that are not nested, or no nodes.
    """
    check_independent_residuals(likelihood.design)
    blocks = likelihood.part.blocks
    if not 1 <= nodes <= MOST_NODES:
        raise SpecError(f"Quadrature takes 1 to {MOST_NODES} nodes, not {nodes}.")
    if len(blocks) == 1 and len(blocks[0].effects) > MOST_EFFECTS:
        raise SpecError(
            f"{blocks[0].group!r} has {len(blocks[0].effects)} effects a level; quadrature takes {MOST_EFFECTS}.",
            advice=ADVICE,
        )
    if len(blocks) > 2:
        raise SpecError(
            f"Quadrature takes two grouping factors, one nested in the other; here are {len(blocks)}.", advice=ADVICE
        )
    if len(blocks) == 2:
        _check_nested(*blocks)


def _check_nested(inner: RandomBlock, outer: RandomBlock) -> None:
    if len(inner.effects) > 1 or len(outer.effects) > 1:
        raise SpecError("Quadrature takes one effect a level of nested factors.", advice=ADVICE)
    pairs = np.unique(np.column_stack([inner.index, outer.index]), axis=0)
    if len(pairs) > len(inner.levels):
        raise SpecError(
            f"The factors {inner.group!r} and {outer.group!r} are crossed; quadrature takes nested ones.", advice=ADVICE
        )


def one_factor(likelihood: Likelihood, parameters: Parameters, modes: Modes) -> Adapted:
    """The integrands of the groups of a model with one grouping factor, at their modes."""
    groups, (block,) = likelihood.groups, likelihood.part.blocks
    fixed = likelihood.by_predictor(likelihood.fixed(parameters.beta))[:, None, groups.rows]
    A = likelihood.by_predictor(likelihood.part.values(parameters.L))[:, groups.rows]
    z = likelihood.part.split(modes.z)[block.group]
    return Adapted(Integrand(likelihood, fixed, A, parameters.auxiliary), z[None, groups.level])


def _one_factor(likelihood: Likelihood, parameters: Parameters, modes: Modes, nodes: int) -> Evaluation:
    groups, (block,) = likelihood.groups, likelihood.part.blocks
    found = integrate(one_factor(likelihood, parameters, modes), nodes)
    count = groups.count[groups.of_row]
    X, values = (likelihood.by_predictor(one)[:, groups.rows] for one in (likelihood.X, block.values))
    beta = np.einsum("krc,kr->c", X, count * found.by_fixed[:, 0])
    L = np.tril(np.einsum("kri,krj->ij", values, count[:, None] * found.by_entry[:, 0]))
    auxiliary = {name: float(groups.count @ by_group[0]) for name, by_group in found.by_auxiliary.items()}
    return Evaluation(float(groups.count @ found.value[0]), Parameters(beta, {block.group: L}, auxiliary), modes)
