"""Priors as PyMC variables: a vector where the priors share a distribution, stacked scalars where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.compile.mode import Mode

from bayes_glmm.errors import SpecError, choices
from bayes_glmm.spec import Prior

Support = Literal["real", "positive"]
_PYTHON = Mode(linker="py", optimizer="fast_compile")  # one evaluation is not worth a compiler


def scalar_variable(name: str, prior: Prior, support: Support) -> pt.TensorVariable:
    """One random variable.

    Raises
    ------
    SpecError
        If PyMC has no such distribution, does not take its arguments, or its support is not the parameter's.
    """
    distribution = _checked_distribution(name, prior, support)
    return distribution(name, *prior.positional, **dict(prior.keyword))


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
        positional = [np.array(values) for values in zip(*(prior.positional for prior in priors), strict=True)]
        keyword = {key: np.array([dict(prior.keyword)[key] for prior in priors]) for key, _ in priors[0].keyword}
        return distributions[0](name, *positional, **keyword, dims=dim)
    scalars = [
        distribution(parameter, *prior.positional, **dict(prior.keyword))
        for distribution, parameter, prior in zip(distributions, parameters, priors, strict=True)
    ]
    return pm.Deterministic(name, pt.stack(scalars), dims=dim)


def _form(prior: Prior) -> tuple[Any, ...]:
    """What must be equal for priors to be one vector: the distribution and how its arguments are given."""
    keyword = dict(prior.keyword)
    vectors = tuple(value for value in (*prior.positional, *keyword.values()) if isinstance(value, tuple))
    return prior.distribution, len(prior.positional), tuple(keyword), vectors


def _checked_distribution(parameter: str, prior: Prior, support: Support) -> Any:
    names = [name for name in pm.distributions.__all__ if isinstance(getattr(pm, name, None), type)]
    if prior.distribution not in names:
        raise SpecError(
            f"PyMC has no distribution {prior.distribution!r}.",
            f"prior of {parameter}",
            choices(prior.distribution, names),
        )
    distribution = getattr(pm, prior.distribution)
    try:
        variable = distribution.dist(*prior.positional, **dict(prior.keyword))
        negative = float(pm.logp(variable, -0.5).eval(mode=_PYTHON))
    except (TypeError, ValueError, NotImplementedError, pm.logprob.utils.ParameterValueError) as error:
        raise SpecError(f"The prior {prior} cannot be: {error}", f"prior of {parameter}") from error
    if variable.ndim != 0 or variable.dtype != "float64":
        raise SpecError(
            f"The prior {prior} is not of one real number.", f"prior of {parameter}", "Use a continuous distribution."
        )
    if support == "positive" and np.isfinite(negative):
        raise SpecError(
            f"The prior {prior} allows negative values, but {parameter} is positive.",
            f"prior of {parameter}",
            "Use HalfNormal, HalfStudentT, Exponential, Gamma or a Truncated form.",
        )
    return distribution
