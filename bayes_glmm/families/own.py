"""A user's own family: what its record must be, checked before anything is sampled.

The density runs once in each namespace that does without a compiler, at a few plausible points and at responses that
the family itself draws there: NumPy, power series and written source must give the same finite numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import numpy as np

from bayes_glmm.errors import SpecError
from bayes_glmm.families.family import Family
from bayes_glmm.families.kind import ResponseKind
from bayes_glmm.families.link import LINKS, Link
from bayes_glmm.families.parameter import Parameter
from bayes_glmm.families.response import Response
from bayes_glmm.names import LOCATION, PARAMETERS, RESERVED
from bayes_glmm.numerics.functions import NUMPY, Functions
from bayes_glmm.numerics.series import SERIES, Series, variables
from bayes_glmm.numerics.source import SOURCE, Program, Symbol, value_of

PLAUSIBLE = {"positive": (0.7, 2.5), "unit": (0.25, 0.6), "real": (-0.4, 1.5), "nonzero": (0.7, 2.5)}
ROWS, TRIALS = 6, (1.0, 2.0, 5.0, 5.0, 9.0, 20.0)
_WORDS = {"sd", "corr", "Intercept", "location"}  # of prior keys
_FUNCTIONS = ", ".join(one.name for one in fields(Functions) if one.name != "erfcinv")
_ADVICE = (
    "Write it with + - * / and powers that are numbers, with < and > inside f.where(condition, a, b), and with the "
    f"functions of f: {_FUNCTIONS}. Functions of NumPy and SciPy take no values that f computes with."
)


@dataclass(frozen=True)
class Points:
    """Plausible values of the parameters of a family, and responses drawn there.

    Attributes
    ----------
    link : Link
        Of the location.
    eta : array [point, row]
        The linear predictor of the location.
    constants : mapping of str to array [point, 1]
        The further parameters.
    y : Response
        Its values are [point, row], its trials [row].
    """

    link: Link
    eta: np.ndarray
    constants: Mapping[str, np.ndarray]
    y: Response


def check_record(family: Family) -> None:
    """Check that a family can be fitted: its names, its parameters, and its functions at a few points.

    Raises
    ------
    SpecError
        The first thing that is wrong, and what to write instead.
    """
    _check_names(family)
    for parameter in family.parameters:
        _check_parameter(family, parameter)
    for link in family.links:
        _check_functions(family, points_of(family, LINKS[link]))


def points_of(family: Family, link: Link) -> Points:
    """Plausible points of a family under a link, with responses that it draws there.

    Raises
    ------
    SpecError
        If the draws have another shape than the parameters, or cannot be responses.
    """
    location = link.range if family.location.support == "real" else family.location.support
    further = list(family.auxiliary.values())
    values = product(PLAUSIBLE[location], *(PLAUSIBLE[one.support] for one in further))
    mu, *others = np.array(list(values)).T
    eta = np.repeat(link.forward(mu, NUMPY)[:, None], ROWS, axis=1)
    constants = {one.name: other[:, None] for one, other in zip(further, others, strict=True)}
    trials = np.array(TRIALS) if family.response.trials else None
    at = family.at({LOCATION: (eta, link)}, constants, NUMPY)
    drawn = _called(family, "draw", lambda: family.draw(np.random.default_rng(1), Response(None, trials), at))
    if np.shape(drawn) != eta.shape:
        raise SpecError(
            f"draw of the family {family.name!r} gives an array of shape {list(np.shape(drawn))}, where the values of "
            f"the parameters have {list(eta.shape)}.",
            advice="Let the values set the shape, as rng.normal(at['mu'].value, at['sigma'].value) does.",
        )
    drawn = np.asarray(drawn, float)
    if (bad := family.response.support(drawn, trials)).any():
        raise SpecError(
            f"draw of the family {family.name!r} gives {drawn[bad][0]:.6g}; its response is "
            f"{family.response.support_text}.",
            advice="Correct draw, or give the family another response.",
        )
    return Points(link, eta, constants, Response(drawn, trials))


def densities(family: Family, points: Points) -> np.ndarray:
    """The log density at points, by NumPy [point, row]."""
    at = family.at({LOCATION: (points.eta, points.link)}, points.constants, NUMPY)
    return np.asarray(_density(family, points.y, at, NUMPY))


def _check_names(family: Family) -> None:
    if not isinstance(family.name, str) or not re.fullmatch(r"[A-Za-z]\w*", family.name, re.ASCII):
        raise SpecError(f"The name of a family is not valid: {family.name!r}.", advice="Write letters, digits and _.")
    if not isinstance(family.response, ResponseKind):
        raise SpecError(
            f"The response of the family {family.name!r} is no ResponseKind: {family.response!r}.",
            advice="Take one of bayes_glmm.families: REAL, POSITIVE, NONNEGATIVE, FRACTION, CLOSED_FRACTION, "
            "BINARY, SUCCESSES or COUNT.",
        )
    if (
        family.with_categories
        or family.categories
        or family.thresholds
        or family.shared_formula
        or family.response.ordered
    ):
        raise SpecError(
            f"The family {family.name!r} has categories, which is not supported for families of your own.",
            advice="Use family='cumulative' for ordered categories, 'categorical' for others.",
        )
    for name in ("variance", "log_density", "draw"):
        if not callable(getattr(family, name)):
            raise SpecError(
                f"{name} of the family {family.name!r} is not a function.", advice="Give a function or a lambda."
            )
    names = [one.name for one in family.parameters if isinstance(one, Parameter)]
    if len(names) < len(family.parameters) or not names or names[0] != LOCATION:
        raise SpecError(
            f"The parameters of the family {family.name!r} do not begin with 'mu'.",
            advice="Give a tuple of bg.Parameter, the location first: bg.Parameter('mu', ('log',), 'positive').",
        )
    if len(set(names)) < len(names):
        raise SpecError(
            f"Two parameters of the family {family.name!r} have the same name.", ", ".join(names), "Rename one of them."
        )
    if unknown := [name for name in family.mean.reads if name not in names]:
        raise SpecError(
            f"The mean of the family {family.name!r} reads {unknown[0]!r}, which is not a parameter of it.",
            advice=f"It has {', '.join(names)}.",
        )


def _check_parameter(family: Family, parameter: Parameter) -> None:
    where = f"parameter {parameter.name!r} of the family {family.name!r}"
    further = parameter.name != LOCATION
    taken = parameter.name in (RESERVED | _WORDS) - set(PARAMETERS)
    taken = taken or parameter.name.startswith(LOCATION)  # as predictors of categories do
    if further and (taken or not re.fullmatch("[A-Za-z][A-Za-z0-9]*", parameter.name)):
        advice = "Write letters and digits, as in 'theta'; names that begin with 'mu' are those of categories."
        raise SpecError("The name of a parameter is not valid.", where, advice)
    if isinstance(parameter.links, str) or not parameter.links or any(link not in LINKS for link in parameter.links):
        raise SpecError(
            f"The links of a parameter are not valid: {parameter.links!r}.",
            where,
            f"Give a tuple of them, the default first: ('log',). There are {', '.join(LINKS)}.",
        )
    if parameter.support not in ("real", "positive", "unit"):
        raise SpecError(
            f"The support of a parameter is not valid: {parameter.support!r}.",
            where,
            "Write 'real', 'positive' or 'unit'.",
        )
    if further and not parameter.prior:
        raise SpecError("A parameter has no default prior.", where, "Give one: prior='Gamma(alpha=2, beta=0.1)'.")
    low, high = {"real": (-np.inf, np.inf), "positive": (0.0, np.inf), "unit": (0.0, 1.0)}[parameter.support]
    if further and not low < parameter.middle < high:
        raise SpecError(
            f"The middle of a parameter is not inside its support: {parameter.middle:g}.",
            where,
            "Give the median of its prior: middle=.",
        )


def _check_functions(family: Family, points: Points) -> None:
    """The functions of a record at points: finite, in one shape, and the same in all namespaces."""
    values, y, shape = densities(family, points), points.y, points.eta.shape
    if values.shape != shape:
        raise SpecError(
            f"log_density of the family {family.name!r} has shape {list(values.shape)}, the rows have {list(shape)}.",
            advice="Give one number per row, no sum over rows.",
        )
    _check_finite(family, "log_density", values, points)
    at = family.at({LOCATION: (points.eta, points.link)}, points.constants, NUMPY)
    for name, function in (("variance", family.variance), ("mean", family.mean.value)):
        found = np.asarray(_called(family, name, lambda function=function: function(at)))  # type: ignore[misc]
        if np.isnan(found).any() or np.broadcast_shapes(found.shape, shape) != shape:
            raise SpecError(
                f"{name} of the family {family.name!r} does not give one number per row.",
                advice="Compute it from the values of the parameters: at['mu'].value.",
            )
    eta, constants = variables(points.eta, points.constants, 1)
    series = _density(family, y, family.at({LOCATION: (eta, points.link)}, constants, SERIES), SERIES)
    if not isinstance(series, Series):
        raise _constant(family)
    _check_same(family, values, series.value, points)
    for parameter in (None, *constants):
        slope = series.derivative(*((1, None) if parameter is None else (0, parameter)))
        _check_finite(family, f"the derivative of log_density in {parameter or 'eta'}", slope, points)
    _check_same(family, values, _by_source(family, points), points)


def _constant(family: Family) -> SpecError:
    return SpecError(
        f"log_density of the family {family.name!r} does not depend on its parameters.",
        advice="Compute it from the parameters: at['mu'].value, at['mu'].eta or at['mu'].log.",
    )


def _by_source(family: Family, points: Points) -> np.ndarray:
    """The log density by the lines that it writes, run on arrays."""
    program = Program()
    further = {f"a{k}": values for k, values in enumerate(points.constants.values())}
    inputs = {"y": points.y.values, "n": points.y.trials, "eta": points.eta, **further}
    y, n, eta, *others = (Symbol(program, name, frozenset({name})) for name in inputs)
    constants = dict(zip(points.constants, others, strict=True))
    at = family.at({LOCATION: (eta, points.link)}, constants, SOURCE)
    written = _density(family, Response(y, None if points.y.trials is None else n), at, SOURCE)
    if not isinstance(written, Symbol):
        raise _constant(family)
    return np.asarray(value_of(written, inputs))


def _density(family: Family, y: Response, at: Mapping[str, Any], f: Functions) -> Any:
    return _called(family, "log_density", lambda: family.log_density(y, at, f), _ADVICE)


def _called(family: Family, name: str, call: Callable[[], Any], advice: str = "") -> Any:
    """Call a function of a record; an error in it becomes a SpecError that names the family."""
    try:
        with np.errstate(all="ignore"):
            return call()
    except Exception as error:  # of code that others wrote
        raise SpecError(
            f"{name} of the family {family.name!r} fails: {type(error).__name__}: {error}.", advice=advice
        ) from error


def _check_finite(family: Family, name: str, values: Any, points: Points) -> None:
    values = np.broadcast_to(values, points.eta.shape)
    if not (finite := np.isfinite(values)).all():
        where = tuple(np.argwhere(~finite)[0])
        raise SpecError(
            f"{name} of the family {family.name!r} is {values[where]} at a response that it draws.",
            _point(points, where),
        )


def _check_same(family: Family, values: np.ndarray, others: Any, points: Points) -> None:
    others = np.broadcast_to(others, values.shape)
    if not (same := np.isclose(values, others, rtol=1e-8, atol=1e-10)).all():
        where = tuple(np.argwhere(~same)[0])
        raise SpecError(
            f"log_density of the family {family.name!r} is {values[where]:.6g} by NumPy and {others[where]:.6g} in "
            "compiled code.",
            _point(points, where),
            _ADVICE,
        )


def _point(points: Points, where: tuple[int, ...]) -> str:
    """A point in words."""
    mu = points.link.inverse(points.eta[where], NUMPY)
    known = {"y": points.y.values[where], "mu": mu} | {n: one[where[0], 0] for n, one in points.constants.items()}
    return ", ".join(f"{name} = {value:.4g}" for name, value in known.items()) + f", {points.link.name} link"
