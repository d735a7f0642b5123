r"""Averages over Gaussian random effects: E[h(eta + s Z)], Z ~ N(0, 1), h the inverse link.

Closed forms where the link has one (identity, log, probit, sqrt), the rule of ``trapezoid`` elsewhere. A mean, its
complement and its link are three functions, because the second and third lose all digits when taken from a mean near 1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bayes_glmm.design import Predictors, RandomBlock
from bayes_glmm.effects.trapezoid import trapezoid
from bayes_glmm.errors import SpecError
from bayes_glmm.families import Link
from bayes_glmm.names import LOCATION
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import Draws


def average_over_normal(link: Link, eta: Any, variance: Any) -> np.ndarray:
    """E[h(eta + u)], u ~ N(0, variance): the population-averaged mean, relative accuracy about 1e-11.

    Parameters
    ----------
    link : Link
    eta, variance : array, broadcast against each other
        Linear predictor at u = 0, and the variance of the random part.

    Returns
    -------
    array
        On the response scale, of the broadcast shape.

    Raises
    ------
    SpecError
        For a link under which the mean does not exist (``inverse``) where a variance is above 0.

    Examples
    --------
    >>> from bayes_glmm.families import get_link
    >>> average_over_normal(get_link("logit"), [0.0, 2.0], 4.0).round(6)
    array([0.5   , 0.7752])
    """
    eta, variance = _broadcast(eta, variance)
    if link.averaged is not None:
        with np.errstate(over="ignore"):
            return np.asarray(link.averaged(eta, variance, NUMPY), float)
    if link.strip == 0.0:
        return _inverse_without_variance(link, eta, variance)

    def inverse(x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return link.inverse(x, NUMPY)

    # log h rises by at most 1 a unit of eta under logit and cloglog, and by less under cauchit
    shift = np.clip(np.minimum(-eta, variance), 0.0, None)
    return trapezoid(link, inverse, eta, np.sqrt(variance), shift)


def complement_over_normal(link: Link, eta: Any, variance: Any) -> np.ndarray:
    """1 - E[h(eta + u)] for links onto (0, 1), accurate where the mean rounds to 1.

    Parameters, returns and errors as :func:`average_over_normal`.
    """
    eta, variance = _broadcast(eta, variance)
    if is_symmetric(link):
        return average_over_normal(link, -eta, variance)
    if link.logit_mean is None:
        return 1.0 - average_over_normal(link, eta, variance)

    def mirrored(x: np.ndarray) -> np.ndarray:
        """1 - h(-x): it rises in x, as the rule expects."""
        return _complement(link, -x)

    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        slope = link.derivative(eta, NUMPY) / _complement(link, eta)
        shift = np.clip(np.fmin(eta, slope * variance), 0.0, None)
    # log(1 - h) bends down at least as fast as it falls, which narrows the integrand
    return trapezoid(link, mirrored, -eta, np.sqrt(variance), shift, bend=1.0 + shift)


def averaged_predictor(link: Link, eta: Any, variance: Any) -> np.ndarray:
    """g(E[h(eta + u)]): the population-averaged mean on the link scale, accurate in both tails of links onto (0, 1).

    Parameters and errors as :func:`average_over_normal`.
    """
    eta, variance = _broadcast(eta, variance)
    if link.name in _EXACT_PREDICTOR:
        return _EXACT_PREDICTOR[link.name](eta, variance)
    with np.errstate(divide="ignore", over="ignore"):
        mean = average_over_normal(link, eta, variance)
        if link.range != "unit":
            return np.asarray(link.forward(mean, NUMPY), float)
        high = mean > 0.5
        result = np.asarray(link.forward(np.where(high, 0.5, mean), NUMPY), float)
        rest = complement_over_normal(link, eta[high], variance[high])
        result[high] = _forward_of_complement(link, rest)
    return result


def variance_of_predictor(
    posterior: Posterior,
    predictors: Predictors,
    groups: Collection[str] | None = None,
    draws: Draws = slice(None),
    parameter: str = LOCATION,
) -> np.ndarray:
    """Variance of z'u over the random effects, the sum over grouping factors of z'Gz [draw, row].

    Parameters
    ----------
    posterior : Posterior
    predictors : Predictors
    groups : collection of str, optional
        Only these grouping factors; all by default.
    draws : slice or array
        Which draws, chains stacked.
    parameter : str
        Whose linear predictor.
    """
    kept = tuple(block for block in predictors.blocks if groups is None or block.group in groups)
    V = covariance_of_predictors(posterior, replace(predictors, blocks=kept), (parameter,), draws)
    return np.maximum(V[..., 0, 0], 0.0)


def covariance_of_predictors(
    posterior: Posterior, predictors: Predictors, parameters: Sequence[str], draws: Draws = slice(None)
) -> np.ndarray:
    """Covariance of the random parts of several parameters' predictors [draw, row, parameter, parameter]."""
    size = len(parameters)
    total = np.zeros((len(posterior.beta[draws]), len(predictors), size, size))
    for block in predictors.blocks:
        G, columns = posterior.G(block.group)[draws], [block.of(parameter) for parameter in parameters]
        for i, left in enumerate(columns):
            for j, right in enumerate(columns[: i + 1]):
                if left and right:
                    part = _quadratic(G, block, left, right)
                    total[..., i, j] += part
                    if i != j:
                        total[..., j, i] += part
    return total


def _quadratic(G: np.ndarray, block: RandomBlock, left: Sequence[int], right: Sequence[int]) -> np.ndarray:
    """Covariance z'Gz of two sets of effects of a factor [draw, row]."""
    products = block.values[:, left][:, :, None] * block.values[:, right][:, None, :]
    return np.einsum("dk,rk->dr", _flat(G[:, left][:, :, right]), _flat(products), optimize=True)


def _flat(matrices: np.ndarray) -> np.ndarray:
    return matrices.reshape(len(matrices), -1)


def is_symmetric(link: Link) -> bool:
    """Whether h(-eta) = 1 - h(eta)."""
    return link.range == "unit" and abs(link.inverse(0.7, NUMPY) + link.inverse(-0.7, NUMPY) - 1.0) < 1e-14


# g(E h) without the detour over a mean that may overflow or round to 0 or 1
_EXACT_PREDICTOR: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "identity": lambda eta, variance: eta + 0.0 * variance,
    "log": lambda eta, variance: eta + 0.5 * variance,
    "probit": lambda eta, variance: eta / np.sqrt(1.0 + variance),
}


def _forward_of_complement(link: Link, rest: np.ndarray) -> np.ndarray:
    """g(1 - rest), accurate for small rest."""
    if is_symmetric(link):
        return -np.asarray(link.forward(rest, NUMPY))
    return np.log(-np.log(rest)) if link.name == "cloglog" else np.asarray(link.forward(1.0 - rest, NUMPY))


def _complement(link: Link, eta: np.ndarray) -> np.ndarray:
    """1 - h(eta) without cancellation, by way of the stable logit of h."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        logit = link.logit_mean(eta, NUMPY)  # type: ignore[misc]
        return NUMPY.expit(-logit)


def _broadcast(eta: Any, variance: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both as floats of one shape; a variance that rounding made negative is 0."""
    pair = np.broadcast_arrays(np.asarray(eta, float), np.maximum(np.asarray(variance, float), 0.0))
    return pair[0], pair[1]


def _inverse_without_variance(link: Link, eta: np.ndarray, variance: np.ndarray) -> np.ndarray:
    if (variance > 0).any():
        raise SpecError(
            f"Under the {link.name} link the mean averaged over Gaussian random effects does not exist: "
            "the predictor comes arbitrarily near 0, where the mean is infinite, and the integral diverges.",
            f"link {link.name!r}",
            "Use random_effects='zero' or 'known', or another link (log).",
        )
    with np.errstate(divide="ignore"):
        return np.asarray(link.inverse(eta, NUMPY), float)
