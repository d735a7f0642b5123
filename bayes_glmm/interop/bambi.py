"""A model built in Bambi as one of ours, with its priors, so that its effects can be averaged over the population.

The formula, the family and link, and all priors are the same in both models. Two things have other names here:

- Bambi's ``(x | g)`` has independent effects; it becomes ``(x || g)``.
- Bambi puts the prior of the intercept on centred predictors; it becomes the prior of ``Intercept[centre]``. The centre
  is the mean over rows in Bambi and the mean over trials here, so the two priors differ slightly where the rows of a
  binomial response have different numbers of trials; ``center_predictors=False`` avoids the difference.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_glmm.design import Design, Predictor, build_design
from bayes_glmm.design.canonical import CENTRE
from bayes_glmm.errors import SpecError
from bayes_glmm.families import FAMILIES
from bayes_glmm.foreign import family_synonym
from bayes_glmm.glmm import GLMM
from bayes_glmm.names import LOCATION, THRESHOLD, threshold
from bayes_glmm.spec import ModelSpec, Prior, parse_formula
from bayes_glmm.spec.formula import Formula

if TYPE_CHECKING:
    import bambi

_MIRRORED = "psi"  # the probability of no excess zero, where ours is that of one
_ZEROS = ("zi", "hu")
_SYMMETRIC = ("logit", "probit", "cauchit")
_SHAPES, _THEIR_SHAPES = ("phi", "shape"), ("alpha", "kappa", "lam")


def from_bambi(model: bambi.Model) -> GLMM:
    """Take over a Bambi model.

    Parameters
    ----------
    model : bambi.Model
        With one response, a family and links that this package has, and common and group-specific terms, in formulas of
        further parameters too. The probability ``psi`` of a count without excess zero becomes ``zi = 1 - psi``: its
        coefficients change sign.

    Returns
    -------
    GLMM
        With Bambi's priors in place; look at ``.priors``.

    Raises
    ------
    SpecError
        For a family, link, term or prior that has no counterpart.
    """
    family = family_synonym(model.family.name)
    names = _names(family)
    parent = model.family.likelihood.parent
    formulas = [str(_independent_effects(parse_formula(model.formula.main)))]
    links = {LOCATION: model.family.link[parent].name}
    parameters = {LOCATION: parent}
    for text in model.formula.additionals:
        one = _independent_effects(parse_formula(text))
        name = names.get(one.response, one.response)
        formulas.append(f"{name} ~ {one.right}")
        links[name], parameters[name] = model.family.link[one.response].name, one.response
        if one.response == _MIRRORED and links[name] not in _SYMMETRIC:
            raise SpecError(
                f"The {links[name]} link of psi is another model than the {links[name]} link of {name} = 1 - psi.",
                text,
                "Build the Bambi model with link={'psi': 'logit'}.",
            )
    spec = ModelSpec.from_formula(formulas, family, links)
    design = build_design(spec, model.data)
    priors: dict[str, Prior] = {}
    for name, theirs in parameters.items():
        taken = _predictor_priors(model, theirs, name, design)
        priors |= {key: _mirrored(prior) for key, prior in taken.items()} if theirs == _MIRRORED else taken
    for theirs, component in model.marginal_parameters.items():
        if theirs == THRESHOLD:
            keys = map(threshold, design.thresholds)
            priors |= {key: _prior(component.prior, k) for k, key in enumerate(keys)}
        else:
            prior = _prior(component.prior)
            priors[names.get(theirs, theirs)] = _mirrored(prior) if theirs == _MIRRORED else prior
    return GLMM(replace(spec, priors=priors), model.data)


def _names(family: str) -> dict[str, str]:
    """Bambi's names of a family's further parameters to ours."""
    known = FAMILIES[family].auxiliary if family in FAMILIES else {}
    zeros = next((name for name in _ZEROS if name in known), None)
    shape = next((name for name in _SHAPES if name in known), None)
    return (dict.fromkeys(_THEIR_SHAPES, shape) if shape else {}) | ({_MIRRORED: zeros} if zeros else {})


def _predictor_priors(model: bambi.Model, theirs: str, ours: str, design: Design) -> dict[str, Prior]:
    """The priors of one parameter's coefficients and of the sds of its effects, by our keys."""
    prefix = "" if ours == LOCATION else f"{ours}."
    own = _coefficient_priors(model, theirs, design.predictors.of(ours)) | _sd_priors(model, theirs, ours, design)
    return {f"{prefix}{key}": prior for key, prior in own.items()}


def _mirrored(prior: Prior) -> Prior:
    """The prior of 1 - psi where that of psi is given, or of minus a coefficient; of sds itself.

    Raises
    ------
    SpecError
        For a distribution whose mirror image has no name.
    """
    arguments = dict(prior.keyword)
    if prior.distribution == "Beta":
        return replace(prior, keyword=(("alpha", arguments["beta"]), ("beta", arguments["alpha"])))
    if prior.distribution.startswith("Half") or prior.distribution in ("Exponential", "Gamma"):
        return prior
    if "mu" not in arguments:
        raise SpecError(f"The prior {prior} of psi has no mirror image for 1 - psi.", advice="Use a Normal or Beta.")
    return replace(prior, keyword=tuple({**arguments, "mu": 0.0 - float(arguments["mu"])}.items()))  # type: ignore[arg-type]


def _independent_effects(formula: Formula) -> Formula:
    return replace(formula, random=tuple(replace(term, correlated=False) for term in formula.random))


def _coefficient_priors(model: bambi.Model, theirs: str, predictor: Predictor) -> dict[str, Prior]:
    """One prior per coefficient: a vector of Bambi's has one entry per column of its term."""
    component = model.parameters[theirs]
    priors: dict[str, Prior] = {}
    for term in component.common_terms.values():
        priors |= {label: _prior(term.prior, k) for k, label in enumerate(term.term.labels)}
    _check_columns(priors, [label for label in predictor.coefficients if label != "Intercept"])
    if component.intercept_term is not None:
        centred = model.center_predictors and bool(component.common_terms)
        priors[CENTRE if centred else "Intercept"] = _prior(component.intercept_term.prior)
    return priors


def _check_columns(priors: dict[str, Prior], columns: list[str]) -> None:
    """Bambi has a prior for each of our columns, and for no other.

    Raises
    ------
    SpecError
    """
    if different := sorted(priors.keys() ^ set(columns)):
        raise SpecError(
            "Bambi codes the factors of this formula in other columns.",
            ", ".join(different),
            "Make categories text, or ordered; write (0 + f:x | g) for (f:x | g).",
        )


def _sd_priors(model: bambi.Model, theirs: str, ours: str, design: Design) -> dict[str, Prior]:
    """One prior per standard deviation of the random effects in one parameter's predictor."""
    component = model.parameters[theirs]
    priors: dict[str, Prior] = {}
    for name, term in component.group_specific_terms.items():
        group = name.partition("|")[2]
        labels = [f"sd_{group}[{effect}]" for effect in term.term.expr.labels]
        priors |= {label: _prior(term.prior.args["sigma"], k) for k, label in enumerate(labels)}
    prefix = "" if ours == LOCATION else f"{ours}_"
    of_effect = [
        (block.group, block.effects[k].removeprefix(prefix)) for block in design.blocks for k in block.of(ours)
    ]
    _check_columns(priors, [f"sd_{group}[{effect}]" for group, effect in of_effect])
    return priors


def _prior(prior: Any, k: int = 0) -> Prior:
    """A Bambi prior with numbers for arguments; the k-th where they are vectors."""
    arguments = []
    for name, value in prior.args.items():
        if name == "transform":  # to increasing order, which ours have too
            continue
        if hasattr(value, "args"):
            raise SpecError(f"The prior {prior} has a hyperprior, which has no counterpart here.")
        values = np.atleast_1d(np.asarray(value, float)).ravel()
        arguments.append((name, float(values[k] if len(values) > 1 else values[0])))
    return Prior(prior.name, keyword=tuple(arguments))
