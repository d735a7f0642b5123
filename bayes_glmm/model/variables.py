"""Priors as PyMC variables: a vector where the priors share a distribution, stacked scalars where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_glmm.design.prior_check import Support, check_prior
from bayes_glmm.spec import Prior


def scalar_variable(name: str, prior: Prior, support: Support) -> pt.TensorVariable:
    """One random variable.

    Raises
    ------
    SpecError
        If PyMC has no such distribution, does not take its arguments, or its support is not the parameter's.
    """
    distribution = _checked_distribution(name, prior, support)
    positional, keyword = _arguments(prior)
    return distribution(name, *positional, **keyword)


def vector_variable(
    name: str, labels: Sequence[str], priors: Sequence[Prior], dim: str, support: Support
) -> pt.TensorVariable:
    """A vector of independent random variables along a named dimension.

    Parameters
    ----------
    name : str
    labels : sequence of str
        Coordinate of each entry.
    priors : sequence of Prior
        One an entry.
    dim : str
    support : {"real", "positive"}

    Raises
    ------
    SpecError
        As :func:`scalar_variable`.
    """
    parameters = [f"{name}[{label}]" for label in labels]
    distributions = [
        _checked_distribution(parameter, prior, support) for parameter, prior in zip(parameters, priors, strict=True)
    ]
    if len({_form(prior) for prior in priors}) == 1:
        positional, keyword = _stacked(priors)
        return distributions[0](name, *positional, **keyword, dims=dim)
    scalars = [scalar_variable(parameter, prior, support) for parameter, prior in zip(parameters, priors, strict=True)]
    return pm.Deterministic(name, pt.stack(scalars), dims=dim)


def log_density(priors: Sequence[Prior], values: pt.TensorVariable) -> pt.TensorVariable:
    """The summed log prior density of values [entry], one prior an entry."""
    if len({_form(prior) for prior in priors}) == 1:
        positional, keyword = _stacked(priors)
        return pm.logp(getattr(pm, priors[0].distribution).dist(*positional, **keyword), values).sum()
    return sum(log_density([prior], values[j : j + 1]) for j, prior in enumerate(priors))


def _arguments(prior: Prior) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Arguments as double precision: PyTensor takes the Python numbers 3 and 1.5 for int8 and float32."""
    return (
        [np.array(value, float) for value in prior.positional],
        {name: np.array(value, float) for name, value in prior.keyword},
    )


def _stacked(priors: Sequence[Prior]) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """The arguments of priors of one form, each as an array over the priors."""
    arguments = [_arguments(prior) for prior in priors]
    positional = [np.array(values) for values in zip(*(values for values, _ in arguments), strict=True)]
    return positional, {key: np.array([named[key] for _, named in arguments]) for key, _ in priors[0].keyword}


def _form(prior: Prior) -> tuple[Any, ...]:
    """What must be equal for priors to be one vector: the distribution and how its arguments are given."""
    keyword = dict(prior.keyword)
    vectors = tuple(value for value in (*prior.positional, *keyword.values()) if isinstance(value, tuple))
    return prior.distribution, len(prior.positional), tuple(keyword), vectors


def _checked_distribution(parameter: str, prior: Prior, support: Support) -> Any:
    check_prior(parameter, prior, support)
    return getattr(pm, prior.distribution)
