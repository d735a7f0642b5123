"""Formulas and links of several parameters of a family: read, and checked against what the family has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bayes_glmm.errors import SpecError, choices
from bayes_glmm.families import DISC, Family, link_of
from bayes_glmm.names import LOCATION
from bayes_glmm.spec.additions import SIGMA, Additions, without_additions
from bayes_glmm.spec.formula import Formula, parse_formula

Formulas = str | Sequence[str]
Links = str | Mapping[str, str] | None


def read_formulas(
    formula: Formulas, formulas: Mapping[str, str] | None = None
) -> tuple[Formula, dict[str, Formula], Additions]:
    """The formula of the response, those of further parameters by name, and the terms beside the response.

    Raises
    ------
    SpecError
        For formulas that cannot be read, and two of one parameter.
    """
    if isinstance(formula, str) or not isinstance(formula, Sequence):
        formula = [formula]
    if not formula:
        raise SpecError("There is no formula.", advice="Write: response ~ terms.")
    if formulas is not None and not isinstance(formulas, Mapping):
        raise SpecError(f"The formulas are a {type(formulas).__name__}.", advice="Give {'sigma': 'x + (1 | g)'}.")
    for name, right in (formulas or {}).items():
        check_text(f"formula of {name!r}", right, required=True)
    plain, additions = without_additions(formula[0])
    first = additions.of_response(parse_formula(plain))
    further = [parse_formula(one) for one in formula[1:]]
    further += [parse_formula(f"{name} ~ {right}") for name, right in (formulas or {}).items()]
    further += [parse_formula(f"{SIGMA} ~ {additions.sigma}")] if additions.sigma else []
    found: dict[str, Formula] = {}
    for one in further:
        if one.trials:
            raise SpecError("Only a response has trials.", str(one), f"Write {one.response} ~ ...")
        if one.response in found:
            raise SpecError(f"{one.response!r} has two formulas.", str(one), "Give a parameter of the family once.")
        found[one.response] = one
    return first, found, additions


def links_of(family: Family, formulas: Mapping[str, Formula], link: Links) -> dict[str, str]:
    """Return the link of each parameter with a formula.

    Raises
    ------
    SpecError
        For formulas and links of parameters that the family does not have.
    """
    location = family.location.name
    for name, formula in formulas.items():
        if name not in family.auxiliary:
            which = "is the location of it" if name == location else "is not a parameter of it"
            raise SpecError(
                f"The {family.name} family has no further parameter {name!r}: {name} {which}.",
                str(formula),
                _further(name, family),
            )
    if isinstance(link, Mapping) and family.shared_formula:
        raise SpecError("All categories have one link.", f"link {dict(link)}", f"Write link={family.links[0]!r}.")
    if not isinstance(link, Mapping):
        check_text("link", link)
        link = {} if link is None else {location: link}
    predicted = (location, *(name for name in family.auxiliary if name in formulas))
    for name in link:
        if name not in predicted:
            raise SpecError(
                f"No formula of a parameter {name!r} takes a link.", f"link {name!r}", choices(name, predicted)
            )
        check_text(f"link of {name!r}", link[name])
    return {name: link_of(family, name, link.get(name)).name for name in predicted}


def _further(name: str, family: Family) -> str:
    """The further parameters of a family, as advice; one that exists only with a formula is among them."""
    of_thresholds = [DISC.name] if family.with_form else []
    known = [*of_thresholds, *(one for one in family.auxiliary if one not in (*of_thresholds, *family.steps))]
    return choices(name, known) if known else "Its only parameter is that of the response."


def check_of_categories(family: Family, formulas: Mapping[str, Formula]) -> None:
    """Check that formulas beside that of the response may be those of categories, which are known with the data.

    Raises
    ------
    SpecError
    """
    for name, formula in formulas.items():
        if not name.startswith(LOCATION) or name == LOCATION:
            raise SpecError(
                f"The {family.name} family has no parameter {name!r}.",
                str(formula),
                f"A formula of one category is called {LOCATION} and the category: {LOCATION}b ~ x.",
            )


def formulas_of_categories(
    family: Family, formula: Formula, own: Mapping[str, Formula], categories: Sequence[str]
) -> dict[str, Formula]:
    """Return the formula of each parameter of a family with one per category: its own, or that of the response.

    Raises
    ------
    SpecError
        For a formula of a category that the response does not have, or of the reference.
    """
    names = [one.name for one in family.parameters]
    for name, one in own.items():
        if name not in names:
            raise SpecError(
                f"{formula.response} has no category with the parameter {name!r}; its reference is {categories[0]!r}.",
                str(one),
                choices(name, names),
            )
    return {name: own.get(name) or replace(formula, response=name) for name in names}


def check_text(key: str, value: Any, required: bool = False) -> None:
    """Check that what a key has is text.

    Raises
    ------
    SpecError
    """
    if (value is None and required) or not isinstance(value, str | None):
        raise SpecError(f"The {key} of a model is text, not {type(value).__name__}.", advice="Put it in quotes.")
