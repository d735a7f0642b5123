"""Priors as PyMC variables: a vector where the priors share a distribution, stacked scalars where they do not."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.compile.mode import Mode

from bayes_glmm.errors import SpecError, choices
from bayes_glmm.spec import Prior

Support = Literal["real", "positive"]
_NEGATIVE = -np.logspace(-6, 6, 25)  # numbers that the prior of something positive must exclude
_PYTHON = Mode(linker="py", optimizer="fast_compile")  # one evaluation is not worth a compiler


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
    names = [name for name in pm.distributions.__all__ if hasattr(getattr(pm, name, None), "dist")]
    if prior.distribution not in names:
        raise SpecError(
            f"PyMC has no distribution {prior.distribution!r}.",
            f"prior of {parameter}",
            choices(prior.distribution, names),
        )
    distribution = getattr(pm, prior.distribution)
    _check_argument_names(parameter, prior, distribution)
    try:
        positional, keyword = _arguments(prior)
        variable = distribution.dist(*positional, **keyword)
        single = variable.ndim == 0 and variable.dtype == "float64"
        negative = pm.logp(variable, _NEGATIVE).eval(mode=_PYTHON) if single else None
    except (TypeError, ValueError, IndexError, NotImplementedError, pm.logprob.utils.ParameterValueError) as error:
        raise SpecError(f"The prior {prior} cannot be: {error}", f"prior of {parameter}") from error
    if negative is None:
        raise SpecError(
            f"The prior {prior} is not of one real number.", f"prior of {parameter}", "Use a continuous distribution."
        )
    if support == "positive" and np.isfinite(negative).any():
        raise SpecError(
            f"The prior {prior} allows negative values, but {parameter} is positive.",
            f"prior of {parameter}",
            "Use HalfNormal, HalfStudentT, Exponential, Gamma or a Truncated form.",
        )
    return distribution


def _check_argument_names(parameter: str, prior: Prior, distribution: Any) -> None:
    """Every argument is one the distribution has: PyMC drops others in silence."""
    arguments = inspect.signature(distribution.dist).parameters.values()
    by_name = [a.name for a in arguments if a.kind in (a.POSITIONAL_OR_KEYWORD, a.KEYWORD_ONLY)]
    by_position = [a.name for a in arguments if a.kind == a.POSITIONAL_OR_KEYWORD]
    unknown = [name for name, _ in prior.keyword if name not in by_name]
    if unknown or len(prior.positional) > len(by_position):
        what = f"no argument {unknown[0]!r}" if unknown else f"{len(by_position)} arguments by position"
        raise SpecError(
            f"The prior {prior} cannot be: {prior.distribution} has {what}.",
            f"prior of {parameter}",
            choices(unknown[0] if unknown else "", by_name),
        )
