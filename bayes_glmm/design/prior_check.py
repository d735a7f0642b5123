"""Check that each prior is a proper choice for its parameter, before anything is sampled.

The usual distributions are checked by the table :data:`USUAL`, without PyMC, whose import takes seconds; all others by
PyMC itself. The model in PyMC asks the same functions, so that a prior is refused by one message wherever it is given.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bayes_glmm.errors import SpecError, choices
from bayes_glmm.foreign import DISTRIBUTIONS
from bayes_glmm.names import LOCATION, PARAMETERS, THRESHOLD, is_specific
from bayes_glmm.spec import Prior

Support = Literal["real", "positive", "unit", "correlation"]
_POSITIVE = np.logspace(-6, 6, 25)
_NEGATIVE = -_POSITIVE  # numbers that the prior of something positive must exclude
_ADVICE = "Use HalfNormal, HalfStudentT, Exponential, Gamma or a Truncated form."


@dataclass(frozen=True)
class Usual:
    """The arguments of a distribution, as PyMC has them.

    Attributes
    ----------
    arguments : tuple of str
        Names, in order.
    required : int
        How many of them have no default.
    scales : tuple of str
        Those that must be above 0.
    positive : bool
        Whether the distribution has no mass below 0.
    by_position : int or None
        How many may be given without their name; None: all.
    others : tuple of str
        Arguments of other parametrisations, which are left to PyMC.
    half : str
        The distribution that is its half above a middle of 0.
    """

    arguments: tuple[str, ...] = ()
    required: int = 0
    scales: tuple[str, ...] = ()
    positive: bool = False
    by_position: int | None = None
    others: tuple[str, ...] = ()
    half: str = ""


USUAL: dict[str, Usual] = {
    "Normal": Usual(("mu", "sigma"), scales=("sigma",), others=("tau",), half="HalfNormal({sigma})"),
    "StudentT": Usual(
        ("nu", "mu", "sigma"), 1, ("nu", "sigma"), by_position=2, others=("lam",), half="HalfStudentT({nu}, {sigma})"
    ),
    "Cauchy": Usual(("alpha", "beta"), 2, ("beta",), half="HalfCauchy({beta})"),
    "Laplace": Usual(("mu", "b"), 2, ("b",), half="Exponential(scale={b})"),
    "Logistic": Usual(("mu", "s"), scales=("s",)),
    "Uniform": Usual(("lower", "upper")),
    "Flat": Usual(),
    "HalfFlat": Usual(positive=True),
    "HalfNormal": Usual(("sigma",), scales=("sigma",), positive=True, others=("tau",)),
    "HalfStudentT": Usual(("nu", "sigma"), 1, ("nu", "sigma"), True, others=("lam",)),
    "HalfCauchy": Usual(("beta",), 1, ("beta",), True),
    "Exponential": Usual(("lam", "scale"), 0, ("lam", "scale"), True, by_position=1),
    "Gamma": Usual(("alpha", "beta"), 2, ("alpha", "beta"), True, others=("mu", "sigma")),
    "Beta": Usual(("alpha", "beta"), 2, ("alpha", "beta"), True, others=("mu", "sigma", "nu")),
    "InverseGamma": Usual(("alpha", "beta"), 1, ("alpha", "beta"), True, others=("mu", "sigma")),
    "LogNormal": Usual(("mu", "sigma"), scales=("sigma",), positive=True, others=("tau",)),
    "Lognormal": Usual(("mu", "sigma"), scales=("sigma",), positive=True, others=("tau",)),
}


def check_priors(entries: Mapping[str, Prior], constants: Mapping[str, Support]) -> None:
    """Check the prior of each parameter.

    Parameters
    ----------
    entries : mapping of str to Prior
        Keys ``"beta[x]"``, ``"sd_g[x]"``, ``"corr_g"``, ``"sigma"``.
    constants : mapping of str to Support
        Of the family's constants.

    Raises
    ------
    SpecError
        As :func:`check_prior`.
    """
    for parameter, prior in entries.items():
        check_prior(parameter, prior, constants.get(parameter) or support_of(parameter))


def is_coefficient(parameter: str) -> bool:
    """Whether a parameter is a fixed effect: ``beta[x]``, ``beta_sigma[x]``."""
    kind = parameter.partition("[")[0]
    return "[" in parameter and (kind == "beta" or kind.startswith("beta_"))


def support_of(parameter: str) -> Support:
    """The values that a parameter can have: all, those above 0, or a correlation matrix."""
    if is_coefficient(parameter) or parameter.startswith(THRESHOLD):
        return "real"
    return "correlation" if parameter.startswith("corr_") else "positive"


def check_prior(parameter: str, prior: Prior, support: Support) -> None:
    """Check one prior: the distribution, its arguments, and that it has no mass where the parameter has no values.

    Raises
    ------
    SpecError
        If there is no such distribution of one real number, it does not take these arguments, or its support is not
        that of the parameter.
    """
    where = f"prior of {parameter}"
    values = [*prior.positional, *(value for _, value in prior.keyword)]
    if not all(np.isfinite(value).all() for value in values):
        raise SpecError(f"The prior {prior} is not valid: an argument is not finite.", where, "Write numbers.")
    if support == "correlation":
        lkj_shape(parameter, prior)
        return
    if prior.distribution in ("LKJ", "LKJCorr", "LKJCholeskyCov"):
        raise SpecError(
            f"The prior {prior} is one of a correlation matrix.",
            where,
            "Write Normal(0, 1), or HalfNormal(1) of an sd.",
        )
    usual = USUAL.get(prior.distribution)
    if usual is None or any(name in usual.others for name, _ in prior.keyword):
        _check_by_pymc(where, prior, support, parameter)
        return
    given = _arguments(usual, prior, where)
    _check_values(usual, prior, given, where)
    negative = not usual.positive and given.get("lower", 0.0 if prior.distribution == "Uniform" else -1.0) < 0
    within = prior.distribution == "Beta" or (
        prior.distribution == "Uniform" and 0 <= given.get("lower", 0.0) < given.get("upper", 1.0) <= 1
    )
    if support == "unit" and not within:
        raise _leaves_the_unit(prior, parameter, where)
    if support == "positive" and negative:
        raise _allows_negative(prior, parameter, where, usual, given)


def lkj_shape(parameter: str, prior: Prior) -> float:
    """The shape eta of the LKJ prior of a correlation matrix.

    Raises
    ------
    SpecError
        If the prior is another one, or its shape is not one number above 0.
    """
    where = f"prior of {parameter}"
    arguments = [*prior.positional, *(value for name, value in prior.keyword if name == "eta")]
    if prior.distribution != "LKJ" or len(arguments) != 1 or len(prior.keyword) > 1 - len(prior.positional):
        raise SpecError(f"The prior {prior} is not one of a correlation matrix.", where, "Write LKJ(2), eta > 0.")
    if not isinstance(arguments[0], int | float) or not 0 < arguments[0] < math.inf:
        raise SpecError("The shape of LKJ must be above 0.", where, "LKJ(1) is flat, LKJ(2) usual.")
    return float(arguments[0])


def _arguments(usual: Usual, prior: Prior, where: str) -> dict[str, float]:
    """The arguments by name; those with a default may be missing."""
    name, names = prior.distribution, usual.arguments
    most = len(names) if usual.by_position is None else usual.by_position
    valid = choices("", names) if names else f"Write {name}()."
    if len(prior.positional) > most:
        what = f"{name} has {most} argument{'' if most == 1 else 's'} by position"
        if len(prior.positional) <= len(names):
            by_name = [f"{names[k]}={value}" for k, value in enumerate(prior.positional) if k >= most]
            keyword = [f"{key}={value}" for key, value in prior.keyword]
            parts = [*map(str, prior.positional[:most]), *by_name, *keyword]
            valid = f"Write {name}({', '.join(parts)})."
        raise SpecError(f"The prior {prior} is not valid: {what}.", where, valid)
    given = dict(zip(names, prior.positional, strict=False))
    for key, value in prior.keyword:
        if key not in names:
            what = f"{name} has no argument {key!r}"
            raise SpecError(f"The prior {prior} is not valid: {what}.", where, choices(key, names) if names else valid)
        if key in given:
            raise SpecError(f"The prior {prior} is not valid: {key} is given twice.", where, "Give it once.")
        given[key] = value
    if missing := [key for key in names[: usual.required] if key not in given]:
        raise SpecError(f"The prior {prior} is not valid: {name} needs {missing[0]}.", where, valid)
    if any(isinstance(value, tuple) for value in given.values()):
        raise _not_of_one_number(prior, where)
    return given  # type: ignore[return-value]  # vectors were refused


def _check_values(usual: Usual, prior: Prior, given: dict[str, float], where: str) -> None:
    for key in usual.scales:
        if not given.get(key, 1.0) > 0:
            raise SpecError(f"The prior {prior} is not valid: {key} > 0 is needed.", where, f"Write a {key} above 0.")
    if prior.distribution == "Exponential" and len(given) > 1:
        raise SpecError(f"The prior {prior} is not valid: lam and scale are both given.", where, "Give one of them.")
    if prior.distribution == "Uniform" and not given.get("lower", 0.0) < given.get("upper", 1.0):
        raise SpecError(f"The prior {prior} is not valid: lower < upper is needed.", where, "Write Uniform(0, 10).")


def _allows_negative(prior: Prior, parameter: str, where: str, usual: Usual, given: dict[str, float]) -> SpecError:
    centred = not given.get("mu", given.get("alpha", 0.0))
    shown = {name: f"{given.get(name, 1.0):g}" for name in usual.arguments}
    half = f"Write {usual.half.format(**shown)}: its half above 0." if usual.half and centred else _ADVICE
    return SpecError(f"The prior {prior} allows negative values, but {parameter} is positive.", where, half)


def _leaves_the_unit(prior: Prior, parameter: str, where: str) -> SpecError:
    return SpecError(
        f"The prior {prior} has mass outside (0, 1), where {parameter} lies.", where, "Use Beta, or Uniform(0, 1)."
    )


def _not_of_one_number(prior: Prior, where: str) -> SpecError:
    return SpecError(f"The prior {prior} is not of one real number.", where, "Use a continuous distribution.")


def _check_by_pymc(where: str, prior: Prior, support: Support, parameter: str) -> None:
    """The same checks by PyMC, one evaluation of its density."""
    known = _spelling(prior, where)
    import pymc as pm  # takes seconds
    from pytensor.compile.mode import Mode

    distribution = getattr(pm, known)
    _check_argument_names(where, prior, distribution)
    try:
        positional = [np.array(value, float) for value in prior.positional]
        variable = distribution.dist(*positional, **{name: np.array(value, float) for name, value in prior.keyword})
        single = variable.ndim == 0 and variable.dtype == "float64" and not issubclass(distribution, pm.Discrete)
        # one evaluation is not worth a compiler
        python = Mode(linker="py", optimizer="fast_compile")
        density = pm.logp(variable, np.concatenate([_NEGATIVE, _POSITIVE])).eval(mode=python) if single else None
    # RuntimeError: a package that PyMC needs for this distribution is missing
    except (
        *(TypeError, ValueError, IndexError, NotImplementedError, RuntimeError),
        pm.logprob.utils.ParameterValueError,
    ) as error:
        raise SpecError(
            f"The prior {prior} is not valid: {error}", where, "Check its arguments in PyMC's documentation."
        ) from error
    if density is None:
        raise _not_of_one_number(prior, where)
    if np.isnan(density).all():
        what = "its density is not a number"
        raise SpecError(f"The prior {prior} is not valid: {what}.", where, "Write scales above 0.")
    if support == "unit" and np.isfinite(density[~_inside_unit()]).any():
        raise _leaves_the_unit(prior, parameter, where)
    if support == "positive" and np.isfinite(density[: len(_NEGATIVE)]).any():
        raise SpecError(f"The prior {prior} allows negative values, but {parameter} is positive.", where, _ADVICE)


def _inside_unit() -> np.ndarray:
    """Which of the numbers that a density is tried at lie between 0 and 1."""
    tried = np.concatenate([_NEGATIVE, _POSITIVE])
    return (tried >= 0) & (tried <= 1)


def _spelling(prior: Prior, where: str) -> str:
    """The name of the distribution, if PyMC has it; names of Stan and brms are answered before PyMC is imported."""
    name = prior.distribution
    if spelling := DISTRIBUTIONS.get(name) or (name.lower() == name and DISTRIBUTIONS.get(name.replace("_", ""))):
        raise SpecError(f"PyMC has no distribution {name!r}.", where, f"Write {spelling}.")
    import pymc as pm

    names = [item for item in pm.distributions.__all__ if hasattr(getattr(pm, item, None), "dist")]
    if name not in names:
        raise SpecError(f"PyMC has no distribution {name!r}.", where, choices(name, names))
    return name


def _check_argument_names(where: str, prior: Prior, distribution: Any) -> None:
    """Every argument is one the distribution has: PyMC drops others in silence."""
    import inspect

    arguments = inspect.signature(distribution.dist).parameters.values()
    by_name = [a.name for a in arguments if a.kind in (a.POSITIONAL_OR_KEYWORD, a.KEYWORD_ONLY)]
    by_position = [a.name for a in arguments if a.kind == a.POSITIONAL_OR_KEYWORD]
    unknown = [name for name, _ in prior.keyword if name not in by_name]
    if unknown or len(prior.positional) > len(by_position):
        what = f"no argument {unknown[0]!r}" if unknown else f"{len(by_position)} arguments by position"
        raise SpecError(
            f"The prior {prior} is not valid: {prior.distribution} has {what}.",
            where,
            choices(unknown[0] if unknown else "", by_name),
        )


# ---- which parameters a key addresses


def key_of(parameter: str, of: str, keys: Container[str]) -> str | None:
    """The key that sets the prior of a parameter, the most particular one; None if there is none.

    ``of`` is the parameter of the family whose predictor it belongs to.
    """
    return next((key for level in addresses(parameter, of) for key in level if key in keys), None)


def addresses(parameter: str, of: str = LOCATION) -> tuple[tuple[str, ...], ...]:
    """The keys under which a prior can be set for a parameter: the most particular first, equal ones together.

    Examples
    --------
    >>> addresses("beta[x]"), addresses("sd_g[x]")
    ((('beta[x]', 'x'), ('beta',)), (('sd_g[x]',), ('sd_g',), ('sd',)))
    >>> addresses("beta_sigma[x]", "sigma")
    (('beta_sigma[x]', 'sigma.x'), ('beta_sigma', 'sigma.beta'))
    >>> addresses("sd_g[sigma_x]", "sigma")
    (('sd_g[sigma_x]', 'sigma.sd_g[x]'), ('sigma.sd_g',), ('sigma.sd',))

    The predictor of a category, ``mub``, or of one threshold, ``cs1``, has those of all predictors too:

    >>> addresses("beta_mub[x]", "mub")
    (('beta_mub[x]', 'mub.x'), ('beta_mub', 'mub.beta'), ('beta[x]', 'x'), ('beta',))
    """
    if is_one_of_several(of):
        general = parameter.replace(f"beta_{of}[", "beta[", 1).replace(f"[{of}_", "[", 1)
        return *_own_addresses(parameter, of), *addresses(general)
    return _own_addresses(parameter, of)


def is_one_of_several(parameter: str) -> bool:
    """Whether it is the predictor of a category of the response, or of one threshold."""
    return (parameter != LOCATION and parameter.startswith(LOCATION)) or is_specific(parameter)


def _own_addresses(parameter: str, of: str) -> tuple[tuple[str, ...], ...]:
    kind, _, inside = parameter.partition("[")
    prefix = "" if of == LOCATION else f"{of}."
    if is_coefficient(parameter):
        own = (parameter,) if inside[:-1] in PARAMETERS and not prefix else (parameter, f"{prefix}{inside[:-1]}")
        if inside in ("Intercept]", "Intercept[centre]]"):  # at x = 0, or at the centre
            return (own,)
        return own, tuple(dict.fromkeys((kind, f"{prefix}beta")))
    if kind.startswith("sd_"):
        of_all = (f"{prefix}{kind}",), (f"{prefix}sd",)
        if not prefix:
            return (parameter,), *of_all
        return (parameter, f"{prefix}{kind}[{inside.removeprefix(f'{of}_')}"), *of_all
    if kind.startswith("corr_"):
        return ((parameter,), ("corr",))
    return ((parameter,), (THRESHOLD,)) if kind == THRESHOLD else ((parameter,),)


def check_keys(keys: Collection[str], parameters: Mapping[str, str]) -> None:
    """Check that each key addresses parameters of the model, in one way only.

    Parameters
    ----------
    keys : collection of str
        Of the priors that a person set.
    parameters : mapping of str to str
        The parameters, and whose predictor each belongs to.

    Raises
    ------
    SpecError
        For a key that addresses nothing, one that is the name of a coefficient and of something else (``sd``, a
        column and all sds) unless ``beta[sd]`` is set too, and two keys of one coefficient.
    """
    meanings: dict[str, dict[str, list[str]]] = {}  # key -> kind and level of what it addresses -> such parameters
    for parameter, of in parameters.items():
        whose = LOCATION if is_one_of_several(of) else of
        kind = f"coefficient of {whose}" if is_coefficient(parameter) else parameter.partition("[")[0].partition("_")[0]
        levels = addresses(parameter, of)
        # of one of several predictors its own first, then those of all with the same ranks
        ranks = len(_own_addresses(parameter, of)) if is_one_of_several(of) else len(levels)
        for place, level in enumerate(levels):
            for key in level:
                meanings.setdefault(key, {}).setdefault(f"{kind} {place % ranks}", []).append(parameter)
    for key in keys:
        if key not in meanings:
            stands = key.startswith("Intercept") and THRESHOLD in meanings
            advice = "Thresholds stand for it: set 'threshold'." if stands else choices(key, meanings)
            raise SpecError(f"The model has no parameter {key!r} to set a prior for.", advice=advice)
        full = f"beta[{key}]"
        if _is_ambiguous(meanings[key]) and full not in keys:
            other = next(name for names in meanings[key].values() for name in names if name != full)
            raise SpecError(
                f"The prior key {key!r} is ambiguous: a coefficient and another parameter are called so.",
                f"{full}, {other}",
                f"Write {full!r} for the coefficient; where both keys are given, {key!r} is the other.",
            )
    for parameter, of in parameters.items():
        full, *short = addresses(parameter, of)[0]
        if short and {full, short[0]} <= set(keys) and not _is_ambiguous(meanings[short[0]]):
            raise SpecError(f"{short[0]!r} and {full!r} are one parameter.", "priors", "Give one of the two keys.")


def _is_ambiguous(meanings: Mapping[str, Sequence[str]]) -> bool:
    return len({*map(tuple, meanings.values())}) > 1
