"""The parts of a model as they are given, read and checked: formulas, links, random terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bayes_glmm.errors import SpecError, choices
from bayes_glmm.families import DISC, Family, link_of
from bayes_glmm.spec.additions import SIGMA, Additions, without_additions
from bayes_glmm.spec.covariances import covariance_named
from bayes_glmm.spec.formula import Formula, parse_formula
from bayes_glmm.spec.terms import RandomTerm

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
    first = replace(parse_formula(plain), frequency=additions.frequency or None)
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


def links_of_parameters(family: Family, formulas: Mapping[str, Formula], link: Links) -> dict[str, str]:
    """The link of each parameter with a formula."""
    location = family.location.name
    for name, formula in formulas.items():
        if name not in family.auxiliary:
            if family.shared_formula:
                raise SpecError(
                    f"All categories of a {family.name} response have its formula; {name!r} cannot have another.",
                    str(formula),
                    "Leave it out.",
                )
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


def family_name(family: Any) -> str:
    """The name of a family that is given by its name, or as a record of the package."""
    if not isinstance(family, str | Family | None):
        raise SpecError(
            f"The family of a model is text or a bayes_glmm.Family, not {type(family).__name__}.",
            advice="Write family='poisson'.",
        )
    return family.name if isinstance(family, Family) else family  # type: ignore[return-value]  # None has no family


def check_no_clash(family: Family, formula: Formula, formulas: Mapping[str, Formula]) -> None:
    """No parameter of a user's own family has the name of a variable of the draws that the data name."""
    groups = {term.group for one in (formula, *formulas.values()) for term in one.random}
    for name in family.auxiliary:
        if name in groups | {formula.response.strip("`")}:
            raise SpecError(
                f"{name!r} is a parameter of the family {family.name!r}, and a column that the formula names.",
                str(formula),
                "Rename one of them.",
            )


def check_text(key: str, value: Any, required: bool = False) -> None:
    """Check that a part of a model is text, or missing where it may be."""
    if (value is None and required) or not isinstance(value, str | None):
        raise SpecError(f"The {key} of a model is text, not {type(value).__name__}.", advice="Put it in quotes.")


def random_term(mapping: Mapping[str, Any]) -> RandomTerm:
    """Return the random term of a mapping, as a config gives it."""
    known = ("effects", "group", "correlated", "shared", "covariance")
    if not isinstance(mapping, Mapping):
        raise SpecError(f"A random term is a {type(mapping).__name__}.", str(mapping), f"Give {', '.join(known)}.")
    for key in mapping:
        if key not in known:
            raise SpecError(f"A random term has no {key!r}.", str(dict(mapping)), choices(key, known))
    if missing := [key for key in known[:2] if key not in mapping]:
        raise SpecError(f"A random term needs {missing[0]!r}.", str(dict(mapping)))
    if not isinstance(mapping.get("correlated", True), bool):
        raise SpecError("'correlated' of a random term is true or false.", str(dict(mapping)))
    shared, covariance = mapping.get("shared"), mapping.get("covariance")
    check_text("shared name of a random term", shared)
    term = RandomTerm(str(mapping["effects"]), str(mapping["group"]), bool(mapping.get("correlated", True)), shared)
    return term if covariance is None else covariance_named(covariance, term).of(term)
