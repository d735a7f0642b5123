"""Functional: a number of the distribution of the response, such as its mean, as a function of its parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from bayes_glmm.families.parameter import Parameter
from bayes_glmm.families.value import At


@dataclass(frozen=True)
class Functional:
    """A number of the distribution of the response.

    Attributes
    ----------
    name : str
        As written in a call.
    title : str
        Its name in prose, which "of y" may follow.
    reads : tuple of str
        The parameters that it depends on.
    value : function
        ``(at) -> value``, in the shape that its parameters broadcast to.
    factor : str
        The parameter that it is proportional to, if any: ``value = at[factor].value * rest(at)``.
    link : str
        The link whose inverse takes the place of the factor's own, the identity: under "log" the value is
        exp(at[factor].value) * rest(at).
    rest : function, optional
        ``(at) -> value`` of what stands beside the factor, which does not read it; nothing where not given.
    factors : tuple of Functional
        Functionals of different parameters that it is the product of, if any.
    complement : Functional, optional
        What it is 1 less of, where that has the simpler average over random effects of several parameters.
    quotient : tuple of Functional
        The two functionals whose quotient it is, if any: each is averaged over random effects before the division.
    range : {"real", "positive", "unit", ""}
        Where its values lie; that of the response's mean where it is empty.
    narrow : float
        How many times narrower than that of the link the strip about the real axis is in which it is analytic and
        bounded, as a function of one linear predictor.
    constant, events : float, tuple of (float, function)
        Of ordered categories: it is the constant, plus the weight of each event times P(y <= k), whose threshold the
        function ``(at) -> c_k`` has.
    weights : tuple of float
        Of ordered categories: the weight of the probability of each in the sum that it is.
    scale : str
        The parameter that multiplies c_k - eta in these events; empty where none does.
    every : function, optional
        ``(at) -> values [category, ...]`` of all functionals of its part at once, where it is that of a category and
        they share their work.
    diverges : mapping of str to str
        Parameters over whose random effects it has no average, with the reason in words.
    """

    name: str
    title: str
    reads: tuple[str, ...]
    value: Callable[[At], Any]
    factor: str = ""
    rest: Callable[[At], Any] | None = None
    factors: tuple[Functional, ...] = ()
    complement: Functional | None = None
    quotient: tuple[Functional, ...] = ()
    range: Literal["real", "positive", "unit", ""] = ""
    narrow: float = 1.0
    constant: float = 0.0
    events: tuple[tuple[float, Callable[[At], Any]], ...] = ()
    weights: tuple[float, ...] = ()
    scale: str = ""
    link: str = ""
    every: Callable[[At], np.ndarray] | None = None
    diverges: Mapping[str, str] = field(default_factory=dict)


def product(factor: str, rest: Callable[[At], Any], reads: tuple[str, ...]) -> Functional:
    """A mean that is one parameter times a function of others, which it reads beside the factor."""
    return Functional("mean", "mean", (factor, *reads), lambda at: at[factor].value * rest(at), factor, rest)


def times(name: str, title: str, *factors: Functional, range: Literal["positive", "unit"]) -> Functional:
    """Return the product of functionals that read different parameters."""
    reads = tuple(parameter for factor in factors for parameter in factor.reads)
    return Functional(
        name, title, reads, lambda at: math.prod(factor.value(at) for factor in factors), factors=factors, range=range
    )


def quotient(name: str, title: str, over: Functional, under: Functional) -> Functional:
    """Return over / under: given the random effects their quotient, averaged the quotient of their averages."""
    reads = tuple(dict.fromkeys((*over.reads, *under.reads)))
    return Functional(name, title, reads, lambda at: over.value(at) / under.value(at), quotient=(over, under))


def exponential(
    factor: str, rest: Callable[[At], Any], reads: tuple[str, ...], diverges: Mapping[str, str]
) -> Functional:
    """A mean that is the exponential of one parameter times a function of others, which it reads beside the factor."""

    def value(at: At) -> Any:
        return np.exp(at[factor].value) * rest(at)

    return Functional("mean", "mean", (factor, *reads), value, factor, rest, link="log", diverges=diverges)


def of_parameter(parameter: Parameter) -> Functional:
    """A parameter itself."""
    name = parameter.name
    return Functional(name, parameter.title or name, (name,), lambda at: at[name].value, name, range=parameter.support)


MEAN = Functional("mean", "mean", ("mu",), lambda at: at["mu"].value, factor="mu")
CATEGORY = "category"  # the part that is asked of categories by default
