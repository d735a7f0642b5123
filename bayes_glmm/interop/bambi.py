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

from bayes_glmm.design import Design, build_design
from bayes_glmm.design.canonical import CENTRE
from bayes_glmm.errors import SpecError
from bayes_glmm.glmm import GLMM
from bayes_glmm.names import THRESHOLD, threshold
from bayes_glmm.spec import ModelSpec, Prior, parse_formula
from bayes_glmm.spec.formula import Formula

if TYPE_CHECKING:
    import bambi

_FAMILIES = {"negativebinomial": "negative_binomial", "t": "student_t", "wald": "inverse_gaussian"}
_AUXILIARY = {
    "negative_binomial": {"alpha": "phi"},
    "gamma": {"alpha": "phi"},
    "beta": {"kappa": "phi"},
    "weibull": {"alpha": "shape"},
    "inverse_gaussian": {"lam": "shape"},
}


def from_bambi(model: bambi.Model) -> GLMM:
    """Take over a Bambi model.

    Parameters
    ----------
    model : bambi.Model
        With one response, a family and link that this package has, and common and group-specific terms.

    Returns
    -------
    GLMM
        With Bambi's priors in place; look at ``.priors``.

    Raises
    ------
    SpecError
        For a family, link, term or prior that has no counterpart.
    """
    family = _FAMILIES.get(model.family.name, model.family.name)
    formula = _independent_effects(parse_formula(model.formula.main))
    if model.formula.additionals:
        raise SpecError(
            "Formulas of further parameters are not taken over from Bambi.",
            str(model.formula.additionals[0]),
            'Write them here: bg.GLMM(["y ~ x", "sigma ~ x"], data).',
        )
    if model.family.name.startswith(("zero_inflated", "hurdle")):
        raise SpecError(
            "Families with excess zeros are not taken over from Bambi, whose psi is 1 - zi.",
            f"family {model.family.name!r}",
            "Write them here: bg.GLMM(formula, data, family='zero_inflated_poisson').",
        )
    spec = ModelSpec.from_formula(str(formula), family, model.family.link[model.family.likelihood.parent].name)
    design = build_design(spec, model.data)
    priors = _coefficient_priors(model, design) | _sd_priors(model, design)
    names = _AUXILIARY.get(family, {})
    for name, component in model.marginal_parameters.items():
        if name == THRESHOLD:
            keys = map(threshold, design.thresholds)
            priors |= {key: _prior(component.prior, k) for k, key in enumerate(keys)}
        else:
            priors[names.get(name, name)] = _prior(component.prior)
    return GLMM(replace(spec, priors=priors), model.data)


def _independent_effects(formula: Formula) -> Formula:
    return replace(formula, random=tuple(replace(term, correlated=False) for term in formula.random))


def _coefficient_priors(model: bambi.Model, design: Design) -> dict[str, Prior]:
    """One prior a coefficient: a vector of Bambi's has one entry a column of its term."""
    component = model.parameters[model.family.likelihood.parent]
    priors: dict[str, Prior] = {}
    for term in component.common_terms.values():
        priors |= {label: _prior(term.prior, k) for k, label in enumerate(term.term.labels)}
    _check_columns(priors, [label for label in design.coefficients if label != "Intercept"])
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


def _sd_priors(model: bambi.Model, design: Design) -> dict[str, Prior]:
    component = model.parameters[model.family.likelihood.parent]
    priors: dict[str, Prior] = {}
    for name, term in component.group_specific_terms.items():
        group = name.partition("|")[2]
        labels = [f"sd_{group}[{effect}]" for effect in term.term.expr.labels]
        priors |= {label: _prior(term.prior.args["sigma"], k) for k, label in enumerate(labels)}
    _check_columns(priors, [f"sd_{block.group}[{effect}]" for block in design.blocks for effect in block.effects])
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
